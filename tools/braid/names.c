/* SPDX-License-Identifier: BSD-2-Clause */
#include "names.h"

#include <ctype.h>
#include <string.h>

#define LENGTH_MAX 64u

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static int lower(char c)
{
    return tolower((unsigned char)c);
}

/* Levenshtein's distance, without regard to case; of long names only their beginnings. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[LENGTH_MAX + 1];
    size_t width = strnlen(b, LENGTH_MAX);

    for (unsigned j = 0; j <= width; j++) {
        row[j] = j;
    }
    for (unsigned i = 0; i < LENGTH_MAX && a[i] != '\0'; i++) {
        unsigned diagonal = row[0];

        row[0] = i + 1;
        for (unsigned j = 0; j < width; j++) {
            unsigned changed = diagonal + (lower(a[i]) != lower(b[j]));

            diagonal = row[j + 1];
            row[j + 1] = least(changed, least(row[j], diagonal) + 1);
        }
    }
    return row[width];
}

const char *names_closest(const char *wanted, const char *const *names, size_t count)
{
    const char *closest = NULL;
    unsigned best = (unsigned)strnlen(wanted, LENGTH_MAX) / 2 + 1;

    for (size_t i = 0; i < count; i++) {
        unsigned away = distance(wanted, names[i]);

        if (away < best) {
            best = away;
            closest = names[i];
        }
    }
    return closest;
}

void names_explain(struct bytes *text, const char *what, const char *wanted,
                   const char *const *names, size_t count)
{
    const char *closest = names_closest(wanted, names, count);

    bytes_print(text, "no %s '", what);
    bytes_add_escaped(text, wanted, strlen(wanted));
    bytes_print(text, count == 0 ? "': there is none" : "': there %s ", count == 1 ? "is" : "are");
    for (size_t i = 0; i < count; i++) {
        bytes_print(text, "%s", i == 0 ? "" : ", ");
        bytes_print(text, "%s", names[i]);
    }
    if (closest != NULL) {
        bytes_print(text, "; did you mean '%s'?", closest);
    }
    bytes_print(text, "\n");
}
