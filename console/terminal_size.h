/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * How a terminal is asked for its size: xterm's control sequences, "Window manipulation", 18. The
 * answer comes among the keys. Terminals that do not know the question are silent.
 */

#include <stdint.h>

#define TERMINAL_SIZE_QUESTION "\033[18t"

/* A terminal that answers does so within this time. */
#define TERMINAL_SIZE_TIMEOUT_MS 1000u

enum terminal_size_state {
    TERMINAL_SIZE_NONE,  /* the bytes are keys */
    TERMINAL_SIZE_PART,  /* they may become an answer */
    TERMINAL_SIZE_WHOLE, /* they begin with an answer */
};

struct terminal_size {
    uint32_t columns, rows; /* 1..9999, in characters */
    uint32_t length;        /* of the answer, in bytes */
};

/*
 * Look whether `bytes`, `count` of them (0 or more), begin with an answer: ESC [ 8 ; rows ; columns
 * t, in decimal, of 4 digits at most. `size` is written only if they do.
 */
enum terminal_size_state terminal_size_parse(const uint8_t *bytes, uint32_t count,
                                             struct terminal_size *size);
