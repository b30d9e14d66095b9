/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PROVES: lib/big_endian.h
 * EVA:
 *
 * Numbers of which all bytes are in memory, and no byte behind.
 */

#include "prelude.h"

#include "lib/big_endian.h"

static uint8_t two[2];
static uint8_t four[4];

int main(void)
{
    make_any(two, sizeof(two));
    make_any(four, sizeof(four));
    get_be16(two);
    get_be32(four);
    put_be16(two, (uint32_t)any());
    put_be32(four, (uint32_t)any());
    return 0;
}
