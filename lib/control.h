/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The messages of the control channel, and its handshake: docs/control.md says what they mean. They
 * travel over lib/control_link.h, a message each. Numbers are little-endian and not aligned.
 */

#include <stdint.h>

#define CONTROL_VERSION 1u

/* The hello: 0x1d 0x02 "braid1", the token and its CRC-32 as lower-case hexadecimal digits. */
#define CONTROL_HELLO_PREFIX                                                                       \
    "\x1d\x02"                                                                                     \
    "braid1"
#define CONTROL_HELLO_SIZE 32u

enum control_message {
    CONTROL_WELCOME = 1,
    CONTROL_BYE,
    CONTROL_OUTPUT,
    CONTROL_INPUT,
    CONTROL_CREDIT,
    CONTROL_LOST,
    CONTROL_REQUEST,
    CONTROL_ANSWER,
    CONTROL_EVENT,
    CONTROL_LINE,
};

enum control_request {
    CONTROL_LIST = 1,
    CONTROL_POWER,
    CONTROL_SIZE,
    CONTROL_SETS,
    CONTROL_STATS,
};

#define CONTROL_SET_SIZE 7u    /* bytes in the answer to CONTROL_SETS, for each set */
#define CONTROL_NOBODY   0xffu /* in place of a client's number */

enum control_verb {
    CONTROL_START = 1,
    CONTROL_STOP,
    CONTROL_KILL,
    CONTROL_RESTART,
    CONTROL_PAUSE,
    CONTROL_RESUME,
};

enum control_status { CONTROL_OK, CONTROL_UNKNOWN, CONTROL_NO_CLIENT, CONTROL_NOT_NOW };

/* What a client is. */
enum control_kind { CONTROL_MACHINE, CONTROL_LOG };

/* Write the lowest `bytes` bytes of `value`; returns what is behind them. */
static inline uint8_t *control_put(uint8_t *at, uint64_t value, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
    return at + bytes;
}

/* Times on the line are in nanoseconds, of a counter of `hertz`. */
static inline uint64_t control_nanoseconds(uint64_t ticks, uint64_t hertz)
{
    return ticks / hertz * 1000000000 + ticks % hertz * 1000000000 / hertz;
}
