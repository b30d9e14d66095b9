/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PROVES: console/escape.c
 * EVA: -eva-split-return-function=bad_character:0
 *
 * The escape filter, with any bytes.
 */
#include "prelude.h"

#include "console/escape.c"

int main(void)
{
    struct escape escape;
    char out[ESCAPE_OUT_MAX];

    escape_init(&escape);
    while (any()) {
        escape_filter(&escape, (uint8_t)any(), out);
        if (any()) {
            escape_start_line(&escape);
        }
    }
    return 0;
}
