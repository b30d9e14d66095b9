/* SPDX-License-Identifier: BSD-2-Clause */
#include "buffer.h"
#include "memory.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct output {
    const char *name;
    struct buffer *content;
};

static struct LIST(struct output) outputs;

static void reserve(struct buffer *buffer, size_t more)
{
    if (buffer->length + more + 1 <= buffer->capacity) {
        return;
    }
    size_t capacity = (buffer->length + more + 1) * 2;
    char *bytes = memory_new(capacity);
    if (buffer->length != 0) {
        memcpy(bytes, buffer->bytes, buffer->length);
    }
    buffer->bytes = bytes;
    buffer->capacity = capacity;
}

void buffer_add(struct buffer *buffer, const void *bytes, size_t length)
{
    reserve(buffer, length);
    if (length != 0) {
        memcpy(buffer->bytes + buffer->length, bytes, length);
    }
    buffer->length += length;
    buffer->bytes[buffer->length] = '\0';
}

void buffer_print(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);

    reserve(buffer, (size_t)length);
    va_start(arguments, format);
    vsnprintf(buffer->bytes + buffer->length, (size_t)length + 1, format, arguments);
    va_end(arguments);
    buffer->length += (size_t)length;
}

void buffer_add_xml(struct buffer *buffer, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            buffer_print(buffer, "&amp;");
            break;
        case '<':
            buffer_print(buffer, "&lt;");
            break;
        case '"':
            buffer_print(buffer, "&quot;");
            break;
        default:
            buffer_add(buffer, text, 1);
            break;
        }
    }
}

void buffer_add_quoted(struct buffer *buffer, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            buffer_add(buffer, "\\", 1);
        }
        buffer_add(buffer, text, 1);
    }
}

struct buffer *output_file(const char *name)
{
    struct output *output = list_add(&outputs);

    output->name = name;
    output->content = memory_new(sizeof(*output->content));
    buffer_add(output->content, "", 0);
    return output->content;
}

/* Make `path` and the directories above it. */
static bool make_directories(const char *path)
{
    char *partial = memory_copy(path, strlen(path));

    for (char *slash = strchr(partial + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash != NULL) {
            *slash = '\0';
        }
        if (mkdir(partial, 0777) != 0 && errno != EEXIST) {
            fprintf(stderr, "braid-gen: %s: %s\n", partial, strerror(errno));
            return false;
        }
        if (slash == NULL) {
            return true;
        }
        *slash = '/';
    }
}

static bool same_content(const char *path, const struct buffer *content)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return false;
    }
    char *old = memory_new(content->length + 1);
    size_t length = fread(old, 1, content->length + 1, file);
    fclose(file);
    return length == content->length && memcmp(old, content->bytes, length) == 0;
}

static bool write_file(const char *path, const struct buffer *content)
{
    const char *temporary = memory_format("%s.new%ld", path, (long)getpid());
    FILE *file = fopen(temporary, "wb");
    bool written = file != NULL;

    if (written) {
        written = fwrite(content->bytes, 1, content->length, file) == content->length;
        written = fclose(file) == 0 && written;
        written = written && rename(temporary, path) == 0;
    }
    if (!written) {
        fprintf(stderr, "braid-gen: %s: %s\n", path, strerror(errno));
        unlink(temporary);
    }
    return written;
}

bool outputs_write(const char *directory, const char *touch)
{
    if (!make_directories(directory)) {
        return false;
    }
    for (size_t i = 0; i < outputs.count; i++) {
        const struct output *output = &outputs.items[i];
        const char *path = memory_format("%s/%s", directory, output->name);
        const char *slash = strrchr(path, '/');

        if (!make_directories(memory_copy(path, (size_t)(slash - path)))) {
            return false;
        }
        if (strcmp(output->name, touch) != 0 && same_content(path, output->content)) {
            continue;
        }
        if (!write_file(path, output->content)) {
            return false;
        }
    }
    return true;
}
