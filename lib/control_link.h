/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The link under the control channel (docs/control.md, "Frames"): messages, whole and in order,
 * over a serial line that loses and damages bytes. Both ends are this file: the console PD and the
 * host's `braid`. It keeps no clock and moves no bytes: its owner brings both. Times are in
 * microseconds, from any beginning.
 *
 * What the line brings is hostile. An end takes what has a right checksum under the session's
 * token, and nothing else of it changes anything.
 */

#include <stdbool.h>
#include <stdint.h>

#define LINK_TOKEN_SIZE  8u   /* bytes that the host has drawn at random for this session */
#define LINK_MESSAGE_MAX 240u /* bytes */
#define LINK_MESSAGE_MIN 24u  /* link_size_wanted() is not less */
#define LINK_WINDOW      16u  /* messages under way in one direction */
#define LINK_HEADER      4u   /* seq, ack, more */
#define LINK_CHECKSUM    4u
/* A frame on the line: byte stuffing adds one byte, and a zero ends it. */
#define LINK_FRAME_MAX (LINK_HEADER + LINK_MESSAGE_MAX + LINK_CHECKSUM + 2u)

/* Who says nothing valid for this long is gone. */
#define LINK_SILENCE_US 10000000u
/* Who has nothing to say says so after this long. */
#define LINK_KEEPALIVE_US 2000000u

enum link_end { LINK_HOST, LINK_BOARD };

enum link_state {
    LINK_WAITING, /* to be sent, or to be sent again */
    LINK_SENT,    /* under way */
    LINK_ARRIVED, /* at the other end, which has not got to it yet */
};

struct link_message {
    uint8_t length; /* 1 .. LINK_MESSAGE_MAX; 0: nothing has arrived */
    uint8_t bytes[LINK_MESSAGE_MAX];
};

struct link_sending {
    struct link_message message;
    uint8_t state;    /* enum link_state */
    bool repeated;    /* it was sent more than once */
    uint64_t order;   /* counts transmissions: which one its last was */
    uint64_t sent_at; /* when the last byte of that was given to the line */
};

struct link {
    uint32_t seed_in, seed_out; /* of the checksums: the token's, and of one direction */

    /* Sending. Sequence numbers count modulo 256; a message's slot is its number modulo
     * LINK_WINDOW. */
    struct link_sending out[LINK_WINDOW];
    uint8_t out_first, out_new, out_end; /* not acknowledged, never sent, not committed */
    uint64_t order;
    uint32_t timeout_us;
    uint32_t round_trip_us, deviation_us; /* smoothed; 0: not known */
    uint32_t size;                        /* link_size_wanted() */
    bool answer;                          /* the other end waits for an acknowledgement */

    /* The frame that the line is being given: a zero, which not each one needs, and the frame. */
    uint8_t frame[1 + LINK_FRAME_MAX];
    uint32_t frame_length, frame_given;
    uint8_t frame_seq;
    bool frame_is_message;

    /* Receiving. */
    struct link_message in[LINK_WINDOW];
    uint8_t in_first; /* the one to be released next */
    uint8_t partial[LINK_FRAME_MAX];
    uint32_t partial_length; /* LINK_FRAME_MAX: too long, thrown away up to its end */

    uint64_t heard_at, spoken_at;
    uint32_t damaged,
        repeated; /* frames that had to be thrown away, messages sent again: for people */
};

/* Begin a session. All of `link` is written. */
void link_start(struct link *link, enum link_end end, const uint8_t token[LINK_TOKEN_SIZE],
                uint64_t now);

/* Bytes from the line, any number, cut anywhere. */
void link_receive(struct link *link, const uint8_t *bytes, uint32_t count, uint64_t now);

/*
 * The next message in order, `*length` bytes, or NULL. It stays where it is until link_release().
 * One that is not released holds up those behind it, and in the end the other end.
 */
const uint8_t *link_peek(const struct link *link, uint32_t *length);
void link_release(struct link *link);

/*
 * Room for a message of up to LINK_MESSAGE_MAX bytes, or NULL while LINK_WINDOW are under way.
 * link_commit() sends the first `length` (1 .. LINK_MESSAGE_MAX) of them.
 */
uint8_t *link_reserve(struct link *link);
void link_commit(struct link *link, uint32_t length);

/*
 * How long a message had better be, LINK_MESSAGE_MIN .. LINK_MESSAGE_MAX: on a line that damages
 * many bytes, short ones arrive sooner. For streams, which can be cut anywhere.
 */
uint32_t link_size_wanted(const struct link *link);

/*
 * Fill `bytes` with at most `room` bytes for the line; returns how many. 0: nothing to say now.
 * What is returned counts as given to the line at `now`. Whoever gives it to a queue keeps that
 * short: about 100 bytes. What is behind a long one arrives late, and sixteen messages are soon
 * under way.
 */
uint32_t link_transmit(struct link *link, uint8_t *bytes, uint32_t room, uint64_t now);

/*
 * When link_transmit() may have something to say though nothing happens until then. It may have
 * passed: call link_transmit() first, and wait for the line instead while that has no room.
 */
uint64_t link_deadline(const struct link *link);

/* Whether the other end has been heard within LINK_SILENCE_US. */
bool link_alive(const struct link *link, uint64_t now);

/* How many of the messages that were committed last have not been taken by the other end yet, as
 * far as that is known here. */
uint32_t link_under_way(const struct link *link);

/* Whether all that was committed has been acknowledged. */
bool link_idle(const struct link *link);
