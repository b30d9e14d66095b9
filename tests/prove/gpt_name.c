/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PROVES: block/gpt.c
 * WP: decode_name encode is_surrogate read16
 *
 * A partition's name fits, in UTF-8, whatever its units are.
 */

#include "prelude.h"

#include "block/gpt.h"

/*@ requires \valid_read(from + (0 .. 1));
    assigns \result \from from[0 .. 1];
 */
static uint16_t read16(const uint8_t *from);

/*@ assigns \result \from unit, kind;
    ensures \result == 0 || \result == 1;
    ensures unit == 0 && kind != 0 ==> \result == 0;
 */
static bool is_surrogate(uint32_t unit, uint32_t kind);

/*@ requires \valid(to + (0 .. 3));
    assigns to[0 .. 3];
    ensures 1 <= \result <= 4;
    ensures code < 0x10000 ==> \result <= 3;
 */
static unsigned encode(char *to, uint32_t code);

/*@ requires \valid_read(entry + (0 .. 127));
    requires \valid(name + (0 .. GPT_NAME_MAX - 1));
    requires \separated(entry + (0 .. 127), name + (0 .. GPT_NAME_MAX - 1));
    assigns name[0 .. GPT_NAME_MAX - 1];
    ensures \exists integer end; 0 <= end < GPT_NAME_MAX && name[end] == 0;
 */
static void decode_name(const uint8_t *entry, char name[GPT_NAME_MAX]);

#include "block/gpt.c"
