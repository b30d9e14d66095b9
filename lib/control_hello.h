/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The hello that begins a session of the control channel (docs/control.md, "The handshake"):
 * writing it, and recognising it in what a line brings, byte by byte.
 */

#include <stdint.h>
#include "control.h"
#include "control_link.h"

enum control_hello_state {
    CONTROL_HELLO_NONE,   /* no byte of one yet */
    CONTROL_HELLO_PART,   /* in the middle: all bytes so far are a hello's */
    CONTROL_HELLO_WHOLE,  /* complete, and the check is right: `token` is the host's */
    CONTROL_HELLO_FAILED, /* not a hello. It stays so until control_hello_start() */
};

struct control_hello {
    uint8_t token[LINK_TOKEN_SIZE];
    uint32_t check; /* CRC-32 of the token's digits so far */
    uint8_t taken;  /* bytes */
    uint8_t state;  /* enum control_hello_state */
};

/* Write the hello for `token`. */
void control_hello_write(uint8_t hello[CONTROL_HELLO_SIZE], const uint8_t token[LINK_TOKEN_SIZE]);

/* The next byte is the first one of a hello, if there is one. A zeroed matcher is so, too. */
void control_hello_start(struct control_hello *hello);

/*
 * Take the next byte. The one at which the matcher fails is no part of a hello, but may be the
 * first one of another: that is the caller's affair.
 */
enum control_hello_state control_hello_take(struct control_hello *hello, uint8_t byte);
