/* SPDX-License-Identifier: BSD-2-Clause */
#include "diagnostics.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "memory.h"
#include "value.h"

struct diagnostic {
    const char *file;
    int line;
    size_t order;
    const char *text;
};

static struct LIST(struct diagnostic) diagnostics;
static size_t total;
static size_t warnings;

/* Errors that are kept for sorting: far more than anybody reads. */
#define KEPT 10000

static void keep(const char *file, int line, const char *where, const char *kind,
                 const char *format, va_list arguments)
{
    char message[1024];

    if (errors_are_only_counted()) {
        return;
    }
    vsnprintf(message, sizeof(message), format, arguments);
    struct diagnostic *diagnostic = list_add(&diagnostics);
    diagnostic->file = file;
    diagnostic->line = line;
    diagnostic->order = diagnostics.count;
    diagnostic->text =
        memory_format("%s%s%s%s", kind, where, where[0] == '\0' ? "" : ": ", message);
}

void error_at(const char *file, int line, const char *where, const char *format, ...)
{
    va_list arguments;

    total++;
    va_start(arguments, format);
    keep(file, line, where, "", format, arguments);
    va_end(arguments);
}

void warning_at(const char *file, int line, const char *where, const char *format, ...)
{
    va_list arguments;

    warnings++;
    va_start(arguments, format);
    keep(file, line, where, "warning: ", format, arguments);
    va_end(arguments);
}

size_t error_count(void)
{
    return total;
}

bool errors_are_only_counted(void)
{
    return diagnostics.count >= KEPT;
}

static int compare(const void *left, const void *right)
{
    const struct diagnostic *a = left;
    const struct diagnostic *b = right;
    int files = strcmp(a->file, b->file);

    if (files != 0) {
        return files;
    }
    if (a->line != b->line) {
        return a->line < b->line ? -1 : 1;
    }
    return a->order < b->order ? -1 : 1;
}

/* Make a message plain text for the terminal, whatever names and values it quotes. */
static void print_plain(const char *text)
{
    while (*text != '\0') {
        bool plain;
        size_t length = text_step(text, &plain);
        fwrite(plain ? text : "?", 1, plain ? length : 1, stderr);
        text += length;
    }
}

void errors_print(void)
{
    size_t shown = 0;

    if (diagnostics.count != 0) {
        qsort(diagnostics.items, diagnostics.count, sizeof(*diagnostics.items), compare);
    }
    for (; shown < diagnostics.count && shown < DIAGNOSTICS_SHOWN; shown++) {
        const struct diagnostic *diagnostic = &diagnostics.items[shown];
        print_plain(diagnostic->file);
        if (diagnostic->line > 0) {
            fprintf(stderr, ":%d", diagnostic->line);
        }
        fputs(": ", stderr);
        print_plain(diagnostic->text);
        fputc('\n', stderr);
    }
    if (total + warnings > shown) {
        fprintf(stderr, "and %zu more errors%s\n", total + warnings - shown,
                warnings == 0 ? "" : " and warnings");
    }
}
