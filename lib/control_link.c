/* SPDX-License-Identifier: BSD-2-Clause */

#include "control_link.h"

#include <stddef.h>
#include <string.h>
#include "crc32.h"

#define OVERHEAD (LINK_HEADER + LINK_CHECKSUM)

/* Behind a line that was quiet for so long there may be noise: a zero ends it. */
#define QUIET_US 20000u

/* How long an acknowledgement may take: at first, at least, at most; and up to where it grows
 * slowly. */
#define TIMEOUT_FIRST_US 500000u
#define TIMEOUT_MIN_US   30000u
#define TIMEOUT_MAX_US   2000000u
#define TIMEOUT_GROWN_US 200000u

/* Who has not even said for so long that there is nothing to say may be gone. */
#define DEAF_US 3000000u

/*
 * A message that is lost makes streams' messages shorter by a quarter of their size s, one that
 * arrives makes them longer by SIZE_STEP. If a byte is damaged with probability p, that balances
 * where p s^2 / 4 is SIZE_STEP. The goodput is best where p s^2 is what a frame has besides its
 * message, 10 bytes.
 */
#define SIZE_STEP 3u
/* The line is not known at first, and a message is not cut any more once it is committed. */
#define SIZE_FIRST 60u

/* ---- Numbers ---- */

/* How far `later` is behind `earlier`, modulo 256. */
static uint32_t distance(uint8_t earlier, uint8_t later)
{
    return (uint8_t)(later - earlier);
}

/* A caller's `now` may be a little older than one that it had before. */
static uint64_t since(uint64_t then, uint64_t now)
{
    return now > then ? now - then : 0;
}

static void put16(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
}

static uint32_t get16(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8;
}

static void put32(uint8_t *to, uint32_t value)
{
    put16(to, value);
    put16(to + 2, value >> 16);
}

static uint32_t get32(const uint8_t *from)
{
    return get16(from) | get16(from + 2) << 16;
}

static struct link_sending *sending(struct link *link, uint8_t seq)
{
    return &link->out[seq % LINK_WINDOW];
}

/* ---- Byte stuffing (COBS: Cheshire and Baker, 1999) ---- */

/*
 * No frame has 254 bytes without a zero, which would need more than the one byte in front. So each
 * zero, and that byte, becomes the distance to the next zero, and the end counts as one.
 *
 * `count` bytes stand behind frame[0]. Returns the length with the zero that ends the frame.
 */
static uint32_t stuff(uint8_t *frame, uint32_t count)
{
    uint32_t zero = 0;

    for (uint32_t i = 1; i <= count; i++) {
        if (frame[i] == 0) {
            frame[zero] = (uint8_t)(i - zero);
            zero = i;
        }
    }
    frame[zero] = (uint8_t)(count + 1 - zero);
    frame[count + 1] = 0;
    return count + 2;
}

/* `length` bytes, none of them zero. Returns whether they are a frame: it stands behind frame[0]
 * then. */
static bool unstuff(uint8_t *frame, uint32_t length)
{
    uint32_t at = 0;

    while (at < length) {
        uint32_t next = at + frame[at];

        frame[at] = 0;
        at = next;
    }
    return at == length;
}

/* ---- Sending ---- */

uint8_t *link_reserve(struct link *link)
{
    if (distance(link->out_first, link->out_end) == LINK_WINDOW) {
        return NULL;
    }
    return sending(link, link->out_end)->message.bytes;
}

void link_commit(struct link *link, uint32_t length)
{
    struct link_sending *out = sending(link, link->out_end);

    if (link_reserve(link) == NULL || length == 0 || length > LINK_MESSAGE_MAX) {
        return;
    }
    out->message.length = (uint8_t)length;
    out->state = LINK_WAITING;
    out->repeated = false;
    link->out_end++;
}

uint32_t link_size_wanted(const struct link *link)
{
    return link->size;
}

uint32_t link_under_way(const struct link *link)
{
    return distance(link->out_first, link->out_end);
}

bool link_idle(const struct link *link)
{
    return link_under_way(link) == 0;
}

/* A message has not arrived, or it seems so. */
static void send_again(struct link *link, struct link_sending *out)
{
    link->repeated++;
    out->state = LINK_WAITING;
    out->repeated = true;
}

/*
 * A serial line is nobody else's: repetitions take no room from others, and waiting longer each
 * time would leave the line unused. So the timeout grows slowly, in case that answers have become
 * slower, and at once only if the other end seems to be gone.
 */
static void grow_timeout(struct link *link, uint64_t now)
{
    if (since(link->heard_at, now) >= DEAF_US) {
        link->timeout_us =
            link->timeout_us < TIMEOUT_MAX_US / 2 ? 2 * link->timeout_us : TIMEOUT_MAX_US;
    } else if (link->timeout_us < TIMEOUT_GROWN_US) {
        link->timeout_us += link->timeout_us / 16;
    }
}

/* Send again what has not been acknowledged in time. */
static void expire(struct link *link, uint64_t now)
{
    bool any = false;

    for (uint8_t seq = link->out_first; seq != link->out_new; seq++) {
        struct link_sending *out = sending(link, seq);

        if (out->state == LINK_SENT && since(out->sent_at, now) >= link->timeout_us) {
            send_again(link, out);
            any = true;
        }
    }
    if (any) {
        grow_timeout(link, now);
    }
}

/* Which of the messages from `in_first` on have arrived. */
static uint32_t arrivals(const struct link *link)
{
    uint32_t more = 0;

    for (uint32_t i = 0; i < LINK_WINDOW; i++) {
        uint8_t seq = (uint8_t)(link->in_first + i);

        more |= (uint32_t)(link->in[seq % LINK_WINDOW].length > 0) << i;
    }
    return more;
}

/* Begin a frame, with a message or without (NULL). */
static void begin_frame(struct link *link, uint8_t seq, const struct link_message *message,
                        uint64_t now)
{
    uint8_t *content =
        link->frame + 2; /* behind the zero, and behind the byte that stuffing adds */
    uint32_t length = message == NULL ? 0 : message->length;
    bool quiet = link->frame_length == 0 || since(link->spoken_at, now) >= QUIET_US;

    content[0] = seq;
    content[1] = link->in_first;
    put16(content + 2, arrivals(link));
    if (length > 0) {
        memcpy(content + LINK_HEADER, message->bytes, length);
    }
    length += LINK_HEADER;
    put32(content + length, ~crc32_add(link->seed_out, content, length));
    link->frame[0] = 0;
    link->frame_length = 1 + stuff(link->frame + 1, length + LINK_CHECKSUM);
    link->frame_given = quiet ? 0 : 1;
    link->frame_seq = seq;
    link->frame_is_message = message != NULL;
    link->answer = false;
}

/* Returns whether there is a frame to begin. */
static bool next_frame(struct link *link, uint64_t now)
{
    expire(link, now);
    for (uint8_t seq = link->out_first; seq != link->out_end; seq++) {
        if (sending(link, seq)->state == LINK_WAITING) {
            begin_frame(link, seq, &sending(link, seq)->message, now);
            return true;
        }
    }
    if (link->answer || since(link->spoken_at, now) >= LINK_KEEPALIVE_US) {
        begin_frame(link, link->out_new, NULL, now);
        return true;
    }
    return false;
}

/* The line has been given a whole frame. Its message may have been acknowledged meanwhile, if it
 * was a repetition. */
static void end_frame(struct link *link, uint64_t now)
{
    struct link_sending *out = sending(link, link->frame_seq);

    link->spoken_at = now;
    if (!link->frame_is_message || distance(link->out_first, link->frame_seq) >= LINK_WINDOW ||
        out->state == LINK_ARRIVED) {
        return;
    }
    if (link->frame_seq == link->out_new) {
        link->out_new++;
    }
    out->state = LINK_SENT;
    out->order = ++link->order;
    out->sent_at = now;
}

uint32_t link_transmit(struct link *link, uint8_t *bytes, uint32_t room, uint64_t now)
{
    uint32_t filled = 0;

    /*@ loop invariant filled <= room && frame_inside(link);
        loop assigns filled, *link, bytes[0 .. room - 1]; */
    while (filled < room && (link->frame_given < link->frame_length || next_frame(link, now))) {
        uint32_t left = link->frame_length - link->frame_given;
        uint32_t count = left < room - filled ? left : room - filled;

        memcpy(bytes + filled, link->frame + link->frame_given, count);
        filled += count;
        link->frame_given += count;
        if (count == left) {
            end_frame(link, now);
        }
    }
    return filled;
}

uint64_t link_deadline(const struct link *link)
{
    uint64_t deadline = link->spoken_at + LINK_KEEPALIVE_US;

    for (uint8_t seq = link->out_first; seq != link->out_new; seq++) {
        const struct link_sending *out = &link->out[seq % LINK_WINDOW];

        if (out->state == LINK_SENT && out->sent_at + link->timeout_us < deadline) {
            deadline = out->sent_at + link->timeout_us;
        }
    }
    return deadline;
}

/* ---- What the other end has got ---- */

static void set_timeout(struct link *link)
{
    uint32_t timeout = link->round_trip_us + 4 * link->deviation_us;

    if (link->round_trip_us == 0) {
        timeout = TIMEOUT_FIRST_US;
    }
    timeout = timeout > TIMEOUT_MIN_US ? timeout : TIMEOUT_MIN_US;
    link->timeout_us = timeout < TIMEOUT_MAX_US ? timeout : TIMEOUT_MAX_US;
}

/* How long acknowledgements take: RFC 6298, 2. */
static void measure(struct link *link, uint64_t round_trip)
{
    uint32_t sample = round_trip < TIMEOUT_MAX_US ? (uint32_t)round_trip + 1 : TIMEOUT_MAX_US;

    if (link->round_trip_us == 0) {
        link->round_trip_us = sample;
        link->deviation_us = sample / 2;
    } else {
        uint32_t smooth = link->round_trip_us;
        uint32_t error = smooth < sample ? sample - smooth : smooth - sample;

        link->deviation_us = (3 * link->deviation_us + error) / 4;
        link->round_trip_us = (7 * smooth + sample) / 8;
    }
    set_timeout(link);
}

static void arrive(struct link *link, struct link_sending *out)
{
    uint32_t size = link->size + SIZE_STEP;

    link->size = size < LINK_MESSAGE_MAX ? size : LINK_MESSAGE_MAX;
    out->state = LINK_ARRIVED;
}

/*
 * The line keeps the order: of what was sent before a message that has arrived, what has not
 * arrived never will. That the line has damaged it is certain here, other than where an
 * acknowledgement is late.
 */
static void lose_overtaken(struct link *link, uint64_t order)
{
    for (uint8_t seq = link->out_first; seq != link->out_new; seq++) {
        struct link_sending *out = sending(link, seq);

        if (out->state == LINK_SENT && out->order < order) {
            uint32_t size = link->size - link->size / 4;

            link->size = size > LINK_MESSAGE_MIN ? size : LINK_MESSAGE_MIN;
            send_again(link, out);
        }
    }
}

static void take_acknowledgement(struct link *link, uint8_t ack, uint32_t more, uint64_t now)
{
    uint32_t taken = distance(link->out_first, ack);
    const struct link_sending *newest = NULL; /* the one that has caused the acknowledgement */

    for (uint8_t seq = link->out_first; seq != link->out_new; seq++) {
        struct link_sending *out = sending(link, seq);
        uint32_t behind = distance(ack, seq);
        bool there = distance(link->out_first, seq) < taken ||
                     (behind < LINK_WINDOW && (more >> behind & 1) != 0);

        if (there && out->state != LINK_ARRIVED) {
            arrive(link, out);
            newest = newest == NULL || out->order > newest->order ? out : newest;
        }
    }
    link->out_first = ack;
    if (newest == NULL) {
        return;
    }
    /* Of one that was sent twice, nobody knows which has arrived. */
    if (!newest->repeated) {
        measure(link, since(newest->sent_at, now));
    }
    lose_overtaken(link, newest->order);
}

/* Whether it makes sense: nothing has arrived that was not sent, and what was taken stays so. */
static bool acknowledgement_valid(const struct link *link, uint8_t ack, uint32_t more)
{
    uint32_t sent = distance(link->out_first, link->out_new);
    uint32_t taken = distance(link->out_first, ack);

    return sent <= LINK_WINDOW && taken <= sent && (more << taken) >> sent == 0;
}

/* ---- Receiving ---- */

/*
 * A message may be one that has arrived before, whose acknowledgement was lost. A frame without one
 * has the number of the next, which may be the first one outside of the window.
 */
static bool number_valid(const struct link *link, uint8_t seq, uint32_t length)
{
    if (length == 0) {
        return distance(link->in_first, seq) <= LINK_WINDOW;
    }
    return distance((uint8_t)(link->in_first - LINK_WINDOW), seq) < 2 * LINK_WINDOW;
}

static void take_message(struct link *link, uint8_t seq, const uint8_t *bytes, uint32_t length)
{
    struct link_message *in = &link->in[seq % LINK_WINDOW];

    link->answer = true;
    if (distance(link->in_first, seq) >= LINK_WINDOW || in->length > 0) {
        return;
    }
    memcpy(in->bytes, bytes, length);
    in->length = (uint8_t)length;
}

/* Returns false if the frame is damaged, or another session's, or makes no sense. */
static bool take_content(struct link *link, const uint8_t *content, uint32_t count, uint64_t now)
{
    if (count < OVERHEAD || count > OVERHEAD + LINK_MESSAGE_MAX) {
        return false;
    }
    uint32_t checked = count - LINK_CHECKSUM;
    uint32_t length = count - OVERHEAD;
    uint8_t seq = content[0];
    uint8_t ack = content[1];
    uint32_t more = get16(content + 2);

    if (get32(content + checked) != ~crc32_add(link->seed_in, content, checked) ||
        !number_valid(link, seq, length) || !acknowledgement_valid(link, ack, more)) {
        return false;
    }
    if (since(link->heard_at, now) >= DEAF_US) {
        set_timeout(link);
    }
    link->heard_at = now;
    take_acknowledgement(link, ack, more, now);
    if (length > 0) {
        take_message(link, seq, content + LINK_HEADER, length);
    }
    return true;
}

/* A zero has come: what stands before it is a frame, or was one. */
static void take_frame(struct link *link, uint64_t now)
{
    uint32_t length = link->partial_length;

    link->partial_length = 0;
    if (length == 0) {
        return;
    }
    if (!unstuff(link->partial, length) ||
        !take_content(link, link->partial + 1, length - 1, now)) {
        link->damaged++;
    }
}

void link_receive(struct link *link, const uint8_t *bytes, uint32_t count, uint64_t now)
{
    for (uint32_t i = 0; i < count; i++) {
        if (bytes[i] == 0) {
            take_frame(link, now);
        } else if (link->partial_length < LINK_FRAME_MAX) {
            link->partial[link->partial_length++] = bytes[i];
        }
    }
}

const uint8_t *link_peek(const struct link *link, uint32_t *length)
{
    const struct link_message *in = &link->in[link->in_first % LINK_WINDOW];

    *length = in->length;
    return in->length > 0 ? in->bytes : NULL;
}

void link_release(struct link *link)
{
    struct link_message *in = &link->in[link->in_first % LINK_WINDOW];

    if (in->length == 0) {
        return;
    }
    in->length = 0;
    link->in_first++;
    link->answer = true;
}

bool link_alive(const struct link *link, uint64_t now)
{
    return since(link->heard_at, now) < LINK_SILENCE_US;
}

void link_start(struct link *link, enum link_end end, const uint8_t token[LINK_TOKEN_SIZE],
                uint64_t now)
{
    uint32_t seed = get32(token);

    memset(link, 0, sizeof(*link));
    link->seed_out = end == LINK_HOST ? seed : ~seed;
    link->seed_in = ~link->seed_out;
    link->timeout_us = TIMEOUT_FIRST_US;
    link->size = SIZE_FIRST;
    link->heard_at = now;
    link->spoken_at = now;
}
