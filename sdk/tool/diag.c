/* SPDX-License-Identifier: BSD-2-Clause */
#include "diag.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "array.h"
#include "tools/memory.h"

#define MESSAGE_SIZE 4096
#define REMOVE_MAX   8

static const char *file_name = "(no file)";
static const char *removals[REMOVE_MAX];
static unsigned removal_count;
static char **warnings;
static size_t warning_count;

void diag_set_file(const char *name)
{
    file_name = name;
}

void diag_remove_on_error(const char *path)
{
    if (removal_count < REMOVE_MAX) {
        removals[removal_count++] = path;
    }
}

void diag_keep_files(void)
{
    removal_count = 0;
}

/* Print one line, whatever names and values from the input it quotes. Control characters become
 * '?', also those of 8 bits, alone or as U+0080 to U+009F. */
static void print_line(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c; c++) {
        bool alone = c == (unsigned char *)text || c[-1] < 0x80;
        if (*c < 0x20 || *c == 0x7f || (*c >= 0x80 && *c < 0xa0 && (alone || c[-1] == 0xc2))) {
            *c = '?';
        }
    }
    fprintf(stderr, "microkit: %s\n", text);
}

static __attribute__((noreturn)) void end(char *text)
{
    for (unsigned i = 0; i < removal_count; i++) {
        unlink(removals[i]);
    }
    print_line(text);
    exit(EXIT_FAILURE);
}

/* Appends to `text` of MESSAGE_SIZE bytes at `used`; a message that is too long is cut. */
static int append(char *text, int used, const char *format, va_list arguments)
{
    int length = vsnprintf(text + used, (size_t)(MESSAGE_SIZE - used), format, arguments);

    if (length < 0) {
        return used;
    }
    return used + length < MESSAGE_SIZE ? used + length : MESSAGE_SIZE - 1;
}

static int put(char *text, int used, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int put(char *text, int used, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    used = append(text, used, format, arguments);
    va_end(arguments);
    return used;
}

void diag_fatal(const char *format, ...)
{
    char text[MESSAGE_SIZE];
    va_list arguments;

    va_start(arguments, format);
    append(text, 0, format, arguments);
    va_end(arguments);
    end(text);
}

void diag_line(unsigned line, const char *format, ...)
{
    char text[MESSAGE_SIZE];
    va_list arguments;
    int used = put(text, 0, "%s:%u: ", file_name, line);

    va_start(arguments, format);
    append(text, used, format, arguments);
    va_end(arguments);
    end(text);
}

void diag_at(const struct place *place, const char *attribute, const char *format, ...)
{
    char text[MESSAGE_SIZE];
    va_list arguments;
    int used = put(text, 0, "%s:%u: %s: ", file_name, place->line, place->label);

    if (attribute) {
        used = put(text, used, "attribute '%s': ", attribute);
    }
    va_start(arguments, format);
    append(text, used, format, arguments);
    va_end(arguments);
    end(text);
}

void diag_warn(const struct place *place, const char *format, ...)
{
    char text[MESSAGE_SIZE];
    va_list arguments;
    int used = put(text, 0, "%s:%u: %s: warning: ", file_name, place->line, place->label);

    va_start(arguments, format);
    append(text, used, format, arguments);
    va_end(arguments);
    *ARRAY_ADD(warnings, warning_count) = memory_copy(text, strlen(text));
}

void diag_warn_line(const char *format, ...)
{
    char text[MESSAGE_SIZE];
    va_list arguments;
    int used = put(text, 0, "warning: ");

    va_start(arguments, format);
    append(text, used, format, arguments);
    va_end(arguments);
    *ARRAY_ADD(warnings, warning_count) = memory_copy(text, strlen(text));
}

void diag_print_warnings(void)
{
    for (size_t i = 0; i < warning_count; i++) {
        print_line(warnings[i]);
    }
}

char *diag_size(uint64_t size)
{
    if (size && !(size & 0xfffff)) {
        return memory_format("%" PRIu64 " MiB", size >> 20);
    }
    if (size && !(size & 0x3ff)) {
        return memory_format("%" PRIu64 " KiB", size >> 10);
    }
    return memory_format("%" PRIu64 " bytes", size);
}

void memory_exhausted(size_t size)
{
    diag_fatal("this machine has no %zu bytes of memory left for the tool", size);
}
