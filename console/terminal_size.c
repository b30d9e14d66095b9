/* SPDX-License-Identifier: BSD-2-Clause */

#include "terminal_size.h"

#include <stdbool.h>
#include <string.h>

#define DIGITS_MAX 4u

struct reader {
    const uint8_t *bytes;
    uint32_t left;
    bool ended; /* the bytes end where more are wanted */
};

/* Take a number above 0 and the byte `end` behind it. Returns 0 if there is none. */
static uint32_t take_number(struct reader *reader, uint8_t end)
{
    uint32_t number = 0;

    for (uint32_t digits = 0; reader->left > 0; digits++) {
        uint8_t byte = *reader->bytes++;

        reader->left--;
        if (byte == end) {
            return number;
        }
        if (byte < '0' || byte > '9' || digits == DIGITS_MAX) {
            return 0;
        }
        number = number * 10 + (uint32_t)(byte - '0');
    }
    reader->ended = true;
    return 0;
}

enum terminal_size_state terminal_size_parse(const uint8_t *bytes, uint32_t count,
                                             struct terminal_size *size)
{
    static const char head[] = "\033[8;";
    const uint32_t head_length = (uint32_t)sizeof(head) - 1;
    struct reader reader;

    if (memcmp(bytes, head, count < head_length ? count : head_length) != 0) {
        return TERMINAL_SIZE_NONE;
    }
    if (count < head_length) {
        return TERMINAL_SIZE_PART;
    }
    reader = (struct reader){.bytes = bytes + head_length, .left = count - head_length};
    uint32_t rows = take_number(&reader, ';');
    uint32_t columns = rows != 0 ? take_number(&reader, 't') : 0;
    if (columns == 0) {
        return reader.ended ? TERMINAL_SIZE_PART : TERMINAL_SIZE_NONE;
    }
    *size = (struct terminal_size){columns, rows, count - reader.left};
    return TERMINAL_SIZE_WHOLE;
}
