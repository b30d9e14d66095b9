/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A fuzzer's input, taken apart from its start; when it has ended there are zeros. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct input {
    const uint8_t *bytes;
    size_t left;
};

/* The next `count` bytes, up to 8, as a number. */
static inline uint64_t take(struct input *input, unsigned count)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < count && input->left > 0; i++, input->left--) {
        value |= (uint64_t)*input->bytes++ << (8 * i);
    }
    return value;
}

/* Copy some of the input to somewhere in `to`, `room` bytes long. */
static inline void scribble(struct input *input, uint8_t *to, uint32_t room)
{
    uint32_t at = (uint32_t)take(input, 3) % room;
    uint32_t count = (uint32_t)take(input, 1);

    count = count < room - at ? count : room - at;
    count = count < input->left ? count : (uint32_t)input->left;
    memcpy(to + at, input->bytes, count);
    input->bytes += count;
    input->left -= count;
}
