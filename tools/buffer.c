/* SPDX-License-Identifier: BSD-2-Clause */
#include "buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "memory.h"
#include "value.h"

struct output {
    const char *name;
    struct buffer *content; /* NULL: a symbolic link to: */
    const char *target;
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

void buffer_add_zeros(struct buffer *buffer, size_t length)
{
    reserve(buffer, length);
    memset(buffer->bytes + buffer->length, 0, length);
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
        case '>':
            buffer_print(buffer, "&gt;");
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

void output_link(const char *name, const char *target)
{
    *list_add(&outputs) = (struct output){.name = name, .target = target};
}

const char *link_name(const char *kind, const char *target)
{
    return memory_format("%s-%016" PRIx64, kind, text_hash(TEXT_HASH_START, target));
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

/* A name beside `path` that nobody can guess. NULL: there is no randomness; errno says why. */
static const char *temporary_name(const char *path)
{
    uint64_t random;

    if (getrandom(&random, sizeof(random), 0) != sizeof(random)) {
        return NULL;
    }
    return memory_format("%s.%016" PRIx64, path, random);
}

static bool fill(const char *temporary, const struct buffer *content)
{
    int descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "wb");

    if (file == NULL) {
        return false;
    }
    bool written = fwrite(content->bytes, 1, content->length, file) == content->length;
    return fclose(file) == 0 && written;
}

/* Write under a temporary name and rename to `path`: readers see the old file or the new one. */
static bool write_output(const char *path, const struct output *output)
{
    const char *temporary = temporary_name(path);
    bool made =
        temporary != NULL && (output->content != NULL ? fill(temporary, output->content)
                                                      : symlink(output->target, temporary) == 0);

    if (made && rename(temporary, path) == 0) {
        return true;
    }
    fprintf(stderr, "braid-gen: %s: %s\n", path, strerror(errno));
    if (temporary != NULL) {
        unlink(temporary);
    }
    return false;
}

static bool same_target(const char *path, const char *target)
{
    size_t size = strlen(target) + 1;
    char *old = memory_new(size);

    return readlink(path, old, size) == (ssize_t)size - 1 && memcmp(old, target, size - 1) == 0;
}

static bool is_there(const char *path, const struct output *output)
{
    return output->content != NULL ? same_content(path, output->content)
                                   : same_target(path, output->target);
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
        if (strcmp(output->name, touch) != 0 && is_there(path, output)) {
            continue;
        }
        if (!write_output(path, output)) {
            return false;
        }
    }
    return true;
}
