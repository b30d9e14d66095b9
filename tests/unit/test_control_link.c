/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: lib/control_link.c lib/control_hello.c
 *
 * The link of the control channel: both ends over a serial line of 115,200 baud in simulated time,
 * which loses, damages, doubles and invents bytes, is dead, comes back, or is an echo; ends that
 * are slow to read; and frames with right checksums that no well-meaning end would send. And the
 * hello before the first frame.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/control.h"
#include "lib/control_hello.h"
#include "lib/control_link.h"
#include "lib/crc32.h"

#define BYTE_NS    86806u /* 10 bits at 115,200 baud */
#define LATENCY_US 1000u
#define QUEUE      128u  /* bytes that an owner gives to its UART in advance */
#define FLIGHT     4096u /* bytes, more than the latency holds */
#define SERVE      8u    /* bytes' time between two looks at an end */
#define KIB        1024u

static const uint8_t token[LINK_TOKEN_SIZE] = {0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe};

static uint32_t seed = 1;

static uint32_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed;
}

/* ---- A serial line between two ends ---- */

/* One direction. */
struct wire {
    uint8_t queue[QUEUE];
    uint32_t put, got;
    struct {
        uint8_t byte;
        uint64_t due;
    } flight[FLIGHT];
    uint32_t launched, landed;
    uint32_t damage; /* of 100,000 bytes */
    bool dead;
};

struct end {
    struct link link;
    struct wire out;
    uint32_t to_send, sent;      /* bytes of messages */
    uint32_t messages, expected; /* sent, got: of messages */
    uint32_t received;           /* bytes */
    uint32_t longest;            /* 0: as the link wants */
    bool deaf;                   /* its owner takes no message */
};

struct line {
    struct end ends[2];
    uint64_t ticks;
    uint32_t latency_us;
    bool echo; /* what the host sends comes back to it */
};

static struct line line;

static uint64_t now_us(void)
{
    return line.ticks * BYTE_NS / 1000;
}

static uint8_t content(uint32_t end, uint32_t message, uint32_t index)
{
    uint32_t mixed = (message * 2654435761u ^ index * 40503u) + end * 77u;

    /* Zeros often: they are what stuffing is about. */
    return (mixed >> 13 & 3) == 0 ? 0 : (uint8_t)(mixed >> 16);
}

static void open_line(uint32_t damage)
{
    memset(&line, 0, sizeof(line));
    line.latency_us = LATENCY_US;
    for (uint32_t i = 0; i < 2; i++) {
        link_start(&line.ends[i].link, i == 0 ? LINK_HOST : LINK_BOARD, token, 0);
        line.ends[i].out.damage = damage;
    }
}

static void send_messages(uint32_t which)
{
    struct end *end = &line.ends[which];
    uint8_t *bytes;

    while (end->sent < end->to_send && (bytes = link_reserve(&end->link)) != NULL) {
        uint32_t longest =
            end->longest > 0 ? 1 + rnd() % end->longest : link_size_wanted(&end->link);
        uint32_t left = end->to_send - end->sent;
        uint32_t length = left < longest ? left : longest;

        assert_in_range(link_size_wanted(&end->link), LINK_MESSAGE_MIN, LINK_MESSAGE_MAX);
        bytes[0] = (uint8_t)length;
        for (uint32_t i = 1; i < length; i++) {
            bytes[i] = content(which, end->messages, i);
        }
        link_commit(&end->link, length);
        end->messages++;
        end->sent += length;
    }
}

static void take_messages(uint32_t which)
{
    struct end *end = &line.ends[which];
    const uint8_t *bytes;
    uint32_t length;

    while (!end->deaf && (bytes = link_peek(&end->link, &length)) != NULL) {
        assert_int_equal(bytes[0], length);
        for (uint32_t i = 1; i < length; i++) {
            assert_int_equal(bytes[i], content(1 - which, end->expected, i));
        }
        link_release(&end->link);
        end->expected++;
        end->received += length;
    }
}

static void launch(struct wire *wire, uint8_t byte)
{
    wire->flight[wire->launched % FLIGHT].byte = byte;
    wire->flight[wire->launched % FLIGHT].due = now_us() + line.latency_us;
    wire->launched++;
    assert_true(wire->launched - wire->landed <= FLIGHT);
}

/* A byte goes, or what the line makes of it. */
static void pass(struct wire *wire, uint8_t byte)
{
    if (wire->dead) {
        return;
    }
    if (rnd() % 100000 >= wire->damage) {
        launch(wire, byte);
        return;
    }
    switch (rnd() % 4) {
    case 0: /* lost */
        break;
    case 1:
        launch(wire, (uint8_t)(byte ^ (1 + rnd() % 255)));
        break;
    case 2:
        launch(wire, byte);
        launch(wire, byte);
        break;
    default:
        launch(wire, (uint8_t)rnd());
        launch(wire, byte);
    }
}

static void land(struct wire *wire, struct link *link)
{
    while (wire->landed != wire->launched && wire->flight[wire->landed % FLIGHT].due <= now_us()) {
        link_receive(link, &wire->flight[wire->landed % FLIGHT].byte, 1, now_us());
        wire->landed++;
    }
}

static void serve(uint32_t which)
{
    struct end *end = &line.ends[which];
    struct wire *wire = &end->out;
    uint8_t bytes[QUEUE];

    land(&line.ends[line.echo ? which : 1 - which].out, &end->link);
    take_messages(which);
    send_messages(which);
    uint32_t room = QUEUE - (wire->put - wire->got);
    uint32_t count = link_transmit(&end->link, bytes, room, now_us());
    assert_true(count <= room);
    for (uint32_t i = 0; i < count; i++) {
        wire->queue[wire->put++ % QUEUE] = bytes[i];
    }
}

static void tick(void)
{
    for (uint32_t i = 0; i < 2; i++) {
        struct wire *wire = &line.ends[i].out;

        if (wire->put != wire->got) {
            pass(wire, wire->queue[wire->got++ % QUEUE]);
        }
        if (line.ticks % SERVE == 0) {
            serve(i);
        }
    }
    line.ticks++;
}

static bool all_received(void)
{
    return line.ends[0].received == line.ends[1].to_send &&
           line.ends[1].received == line.ends[0].to_send;
}

static void run_for(uint64_t us)
{
    for (uint64_t until = now_us() + us; now_us() < until;) {
        tick();
    }
}

/* Until each end has all, and knows that the other has. Returns how long it took, in microseconds.
 */
static uint64_t run(uint64_t limit_us)
{
    uint64_t from = now_us();

    while (!all_received() || !link_idle(&line.ends[0].link) || !link_idle(&line.ends[1].link)) {
        assert_true(now_us() - from < limit_us);
        tick();
    }
    return now_us() - from;
}

/* `bytes` each way; returns the time. */
static uint64_t exchange(uint32_t to_board, uint32_t to_host, uint32_t damage, uint64_t limit_us)
{
    open_line(damage);
    line.ends[0].to_send = to_board;
    line.ends[1].to_send = to_host;
    return run(limit_us);
}

/* ---- What arrives ---- */

static void clean_line_needs_no_repetition(void **state)
{
    (void)state;
    exchange(100 * KIB, 100 * KIB, 0, 12000000);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(line.ends[i].link.repeated, 0);
        assert_int_equal(line.ends[i].link.damaged, 0);
        assert_int_equal(link_size_wanted(&line.ends[i].link), LINK_MESSAGE_MAX);
    }
}

/* Of any length, in order, once each, whatever the line does: take_messages() looks at them all. */
static void messages_survive_a_bad_line(void **state)
{
    static const struct {
        uint32_t damage, longest, bytes;
    } lines[] = {{0, 240, 20000}, {100, 240, 20000}, {1000, 100, 6000}, {5000, 24, 1500}};

    (void)state;
    for (uint32_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        for (uint32_t run_number = 1; run_number <= 20; run_number++) {
            seed = run_number * 7919;
            open_line(lines[i].damage);
            line.ends[0].longest = line.ends[1].longest = lines[i].longest;
            line.ends[0].to_send = line.ends[1].to_send = lines[i].bytes;
            run(120000000);
        }
    }
}

/* Numbers count modulo 256: several times round, with every length of window in between. */
static void numbers_wrap_around(void **state)
{
    (void)state;
    for (uint32_t damage = 0; damage <= 300; damage += 300) {
        open_line(damage);
        line.ends[0].longest = 1;
        line.ends[1].longest = 2;
        line.ends[0].to_send = line.ends[1].to_send = 1000;
        run(60000000);
        assert_int_equal(line.ends[1].expected, 1000);
    }
}

/* The goodput that docs/control.md promises, and how small the messages become for it. */
static void goodput_on_a_bad_line(void **state)
{
    static const struct {
        uint32_t damage, to_board, limit_ms;
    } lines[] = {{0, 0, 10000},           {0, 100 * KIB, 10000}, {100, 0, 13000},
                 {100, 100 * KIB, 14000}, {1000, 0, 25000},      {1000, 100 * KIB, 28000}};

    (void)state;
    for (uint32_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        uint64_t sum = 0;

        for (uint32_t run_number = 1; run_number <= 3; run_number++) {
            seed = run_number * 104729;
            sum += exchange(lines[i].to_board, 100 * KIB, lines[i].damage,
                            1000ull * lines[i].limit_ms);
        }
        print_message("%4.1f %% of the bytes damaged: 100 KiB %s in %.1f s, %.0f bytes/s\n",
                      lines[i].damage / 1000.0, lines[i].to_board > 0 ? "each way" : "one way ",
                      (double)sum / 3e6, 100 * KIB / ((double)sum / 3e6));
    }
}

/* ---- Flow ---- */

static void window_is_sixteen_messages(void **state)
{
    (void)state;
    open_line(0);
    for (uint32_t i = 0; i < LINK_WINDOW; i++) {
        assert_non_null(link_reserve(&line.ends[0].link));
        link_commit(&line.ends[0].link, 1);
    }
    assert_null(link_reserve(&line.ends[0].link));
    link_commit(&line.ends[0].link, 1); /* does nothing */
    assert_false(link_idle(&line.ends[0].link));
    line.ends[1].deaf = true;
    run_for(100000);
    assert_null(link_reserve(&line.ends[0].link));
    uint32_t length;
    assert_non_null(link_peek(&line.ends[1].link, &length));
    assert_int_equal(length, 1);
    link_release(&line.ends[1].link);
    run_for(100000);
    assert_non_null(link_reserve(&line.ends[0].link));
}

static void impossible_lengths_are_not_sent(void **state)
{
    (void)state;
    open_line(0);
    assert_non_null(link_reserve(&line.ends[0].link));
    link_commit(&line.ends[0].link, 0);
    link_commit(&line.ends[0].link, LINK_MESSAGE_MAX + 1);
    assert_true(link_idle(&line.ends[0].link));
    link_release(&line.ends[0].link); /* there is nothing: does nothing */
    assert_int_equal(line.ends[0].link.in_first, 0);
}

/* A message that arrived and was not taken is not sent again, and the other direction goes on. */
static void slow_owner_costs_nothing(void **state)
{
    (void)state;
    open_line(0);
    line.ends[0].to_send = line.ends[1].to_send = 20000;
    line.ends[1].deaf = true;
    run_for(8000000);
    assert_int_equal(line.ends[0].received, 20000);
    assert_int_equal(line.ends[0].messages, LINK_WINDOW);
    assert_int_equal(line.ends[0].link.repeated, 0);
    line.ends[1].deaf = false;
    run(4000000);
    assert_int_equal(line.ends[0].link.repeated, 0);
}

/* What is taken late is told at once, and again if that is lost: nobody waits for long. */
static void slow_owner_on_a_bad_line(void **state)
{
    (void)state;
    for (seed = 1; seed < 20; seed += 2) {
        open_line(1000);
        line.ends[0].longest = 40;
        line.ends[0].to_send = 3000;
        for (uint32_t i = 0; i < 10; i++) {
            line.ends[1].deaf = i % 2 == 0;
            run_for(200000);
        }
        line.ends[1].deaf = false;
        run(20000000);
    }
}

static void lone_message_is_acknowledged_at_once(void **state)
{
    (void)state;
    open_line(0);
    line.ends[0].to_send = 10;
    assert_true(run(1000000) < 10000);
}

/* ---- Time ---- */

static uint32_t bytes_given(uint32_t end)
{
    return line.ends[end].out.put;
}

static void quiet_ends_keep_each_other_alive(void **state)
{
    (void)state;
    open_line(0);
    run_for(60000000);
    assert_true(link_alive(&line.ends[0].link, now_us()));
    assert_true(link_alive(&line.ends[1].link, now_us()));
    assert_in_range(bytes_given(0), 29 * 11, 30 * 11); /* a zero, and a frame without a message */
}

/* It is enough to look when link_deadline() says so. */
static void deadline_is_when_there_is_something_to_say(void **state)
{
    uint8_t bytes[LINK_FRAME_MAX + 1];
    struct link link;
    uint64_t now = 5;

    (void)state;
    link_start(&link, LINK_HOST, token, now);
    assert_int_equal(link_deadline(&link), now + LINK_KEEPALIVE_US);
    assert_int_equal(link_transmit(&link, bytes, sizeof(bytes), link_deadline(&link) - 1), 0);
    now = link_deadline(&link);
    assert_true(link_transmit(&link, bytes, sizeof(bytes), now) > 0);
    assert_int_equal(link_deadline(&link), now + LINK_KEEPALIVE_US);
    assert_non_null(link_reserve(&link));
    link_commit(&link, 1);
    assert_true(link_transmit(&link, bytes, sizeof(bytes), now) > 0);
    for (uint32_t i = 0; i < 10; i++) {
        assert_true(link_deadline(&link) > now);
        assert_true(link_deadline(&link) <= now + LINK_KEEPALIVE_US);
        assert_int_equal(link_transmit(&link, bytes, sizeof(bytes), link_deadline(&link) - 1), 0);
        now = link_deadline(&link);
        assert_true(link_transmit(&link, bytes, sizeof(bytes), now) > 0);
    }
    assert_int_equal(link.repeated, 10);
}

/* The end learns it, though each message is sent again before its acknowledgement comes. */
static void answers_become_slow(void **state)
{
    uint32_t repeated = 0;

    (void)state;
    open_line(0);
    for (uint32_t i = 0; i < 60; i++) {
        line.ends[0].to_send += 10;
        run_for(300000);
        if (i == 20) {
            line.latency_us = 70000;
        }
        if (i == 40) {
            repeated = line.ends[0].link.repeated;
            assert_true(repeated > 0);
        }
    }
    assert_int_equal(line.ends[0].link.repeated, repeated);
    assert_true(all_received());
}

static void dead_line_is_noticed_and_left_quiet(void **state)
{
    (void)state;
    open_line(0);
    line.ends[0].to_send = line.ends[1].to_send = 100 * KIB;
    run_for(1000000);
    line.ends[0].out.dead = line.ends[1].out.dead = true;
    run_for(LINK_SILENCE_US - 100000);
    assert_true(link_alive(&line.ends[0].link, now_us()));
    run_for(200000);
    assert_false(link_alive(&line.ends[0].link, now_us()));
    assert_false(link_alive(&line.ends[1].link, now_us()));
    uint32_t before = bytes_given(0);
    run_for(20000000);
    /* Each message once in 2 s, with a zero in front. */
    assert_true(bytes_given(0) - before <= 11 * LINK_WINDOW * (1 + LINK_FRAME_MAX));
}

/* It is as if a plug had been out. */
static void line_that_comes_back_goes_on(void **state)
{
    (void)state;
    for (uint32_t run_number = 0; run_number < 10; run_number++) {
        open_line(100);
        line.ends[0].to_send = line.ends[1].to_send = 10 * KIB;
        run_for(100000 + 50000 * run_number);
        line.ends[0].out.dead = line.ends[1].out.dead = true;
        run_for(8000000);
        line.ends[0].out.dead = line.ends[1].out.dead = false;
        run(6000000);
    }
}

/* The board hears nothing. The host hears that the board is there, and none of its messages is
 * acknowledged. */
static void half_open_line(void **state)
{
    (void)state;
    open_line(0);
    line.ends[0].out.dead = true;
    line.ends[0].to_send = line.ends[1].to_send = 5000;
    run_for(LINK_SILENCE_US + 100000);
    assert_true(link_alive(&line.ends[0].link, now_us()));
    assert_false(link_alive(&line.ends[1].link, now_us()));
    assert_int_equal(line.ends[1].received, 0);
    assert_false(link_idle(&line.ends[0].link));
    assert_false(link_idle(&line.ends[1].link));
}

static void echo_is_nobody(void **state)
{
    (void)state;
    open_line(0);
    line.echo = true;
    line.ends[0].to_send = line.ends[1].to_send = 5000;
    run_for(LINK_SILENCE_US + 100000);
    for (uint32_t i = 0; i < 2; i++) {
        assert_false(link_alive(&line.ends[i].link, now_us()));
        assert_int_equal(line.ends[i].received, 0);
        assert_true(line.ends[i].link.damaged > 10);
    }
}

static void another_session_says_nothing_to_this_one(void **state)
{
    static const uint8_t other[LINK_TOKEN_SIZE] = {0x11, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe};

    (void)state;
    open_line(0);
    line.ends[0].to_send = line.ends[1].to_send = 20000;
    run_for(500000);
    uint32_t received = line.ends[0].received;
    link_start(&line.ends[1].link, LINK_BOARD, other, now_us());
    run_for(500000);
    assert_int_equal(line.ends[1].link.in_first, 0);
    assert_int_equal(line.ends[1].link.out_first, 0);
    assert_true(line.ends[0].received - received < 1000); /* what was under way */

    /* The host begins the new one while frames of the old one are under way. */
    link_start(&line.ends[0].link, LINK_HOST, other, now_us());
    for (uint32_t i = 0; i < 2; i++) {
        link_start(&line.ends[i].link, i == 0 ? LINK_HOST : LINK_BOARD, other, now_us());
        line.ends[i].sent = line.ends[i].messages = 0;
        line.ends[i].received = line.ends[i].expected = 0;
    }
    run(10000000);
}

/* ---- Frames as they stand on the line ---- */

static const uint8_t from_host[] = {0x00, 0x01, 0x01, 0x01, 0x01, 0x02, 0x61,
                                    0x06, 0x62, 0xbf, 0xf2, 0xfd, 0xb8, 0x00};
static const uint8_t from_board[] = {0x00, 0x01, 0x01, 0x01, 0x01, 0x02, 0x61,
                                     0x06, 0x62, 0x3e, 0xd2, 0x6e, 0xda, 0x00};

/* The first frame of a session with the message "a", 0, "b", computed by another program. */
static void frames_are_as_documented(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        const uint8_t *expected = i == 0 ? from_host : from_board;
        uint8_t bytes[64];
        struct link link, other;
        uint32_t length, given = 0;

        link_start(&link, i == 0 ? LINK_HOST : LINK_BOARD, token, 0);
        memcpy(link_reserve(&link), "a\0b", 3);
        link_commit(&link, 3);
        while (link_transmit(&link, bytes + given, 1, 0) == 1) { /* a byte at a time */
            given++;
        }
        assert_int_equal(given, sizeof(from_host));
        assert_memory_equal(bytes, expected, given);

        link_start(&other, i == 0 ? LINK_BOARD : LINK_HOST, token, 0);
        link_receive(&other, bytes, given, 0);
        assert_memory_equal(link_peek(&other, &length), "a\0b", 3);
        assert_int_equal(length, 3);
        assert_int_equal(other.damaged, 0);
    }
}

/* A zero in front is for a line that was quiet: it costs nothing while much is sent. */
static void frames_in_a_row_have_one_zero_between(void **state)
{
    uint8_t bytes[256];
    struct link link;

    (void)state;
    link_start(&link, LINK_HOST, token, 0);
    for (uint32_t i = 0; i < 3; i++) {
        memset(link_reserve(&link), 7, 5);
        link_commit(&link, 5);
    }
    assert_int_equal(link_transmit(&link, bytes, sizeof(bytes), 0), 1 + 3 * 15);
    memset(link_reserve(&link), 7, 5);
    link_commit(&link, 5);
    assert_int_equal(link_transmit(&link, bytes, sizeof(bytes), 20000), 1 + 15);
}

/* Give `link` a frame with a right checksum, stuffed by another way than the link's own. */
static void receive_frame(struct link *link, uint32_t seq, uint32_t ack, uint32_t more,
                          const uint8_t *message, uint32_t length, uint64_t now)
{
    uint8_t content[512], frame[600];
    uint32_t count = 0, from = 0;

    content[0] = (uint8_t)seq;
    content[1] = (uint8_t)ack;
    content[2] = (uint8_t)more;
    content[3] = (uint8_t)(more >> 8);
    memcpy(content + LINK_HEADER, message, length);
    length += LINK_HEADER;
    uint32_t crc = ~crc32_add(link->seed_in, content, length);
    for (uint32_t i = 0; i < LINK_CHECKSUM; i++) {
        content[length++] = (uint8_t)(crc >> (8 * i));
    }
    content[length] = 0;
    for (uint32_t i = 0; i <= length; i++) {
        if (content[i] == 0) {
            frame[count++] = (uint8_t)(i - from + 1);
            memcpy(frame + count, content + from, i - from);
            count += i - from;
            from = i + 1;
        }
    }
    frame[count++] = 0;
    link_receive(link, frame, count, now);
}

/* Frame was refused if nothing has changed but the count of those. */
static void refuses(struct link *link, uint32_t seq, uint32_t ack, uint32_t more, uint32_t length)
{
    static const uint8_t ones[LINK_MESSAGE_MAX + 200] = {[0 ... LINK_MESSAGE_MAX + 199] = 1};
    struct link before = *link;

    receive_frame(link, seq, ack, more, ones, length, 1);
    assert_int_equal(link->damaged, before.damaged + 1);
    before.damaged++;
    memcpy(before.partial, link->partial, sizeof(before.partial));
    assert_memory_equal(&before, link, sizeof(before));
}

/* An end that has sent `sent` messages from number `first` on, committed one more, and waits for
 * number `wanted`. */
static void open_end(struct link *link, uint32_t first, uint32_t sent, uint32_t wanted)
{
    uint8_t bytes[LINK_FRAME_MAX * LINK_WINDOW];

    link_start(link, LINK_BOARD, token, 0);
    link->out_first = link->out_new = link->out_end = (uint8_t)first;
    link->in_first = (uint8_t)wanted;
    for (uint32_t i = 0; i < sent; i++) {
        memset(link_reserve(link), 5, 4);
        link_commit(link, 4);
    }
    link_transmit(link, bytes, sizeof(bytes), 0);
    if (sent < LINK_WINDOW) {
        memset(link_reserve(link), 5, 4);
        link_commit(link, 4);
        link_transmit(link, bytes, 3, 0); /* which is under way */
    }
}

static void numbers_outside_of_the_window_change_nothing(void **state)
{
    static const uint32_t firsts[] = {0, 5, 241, 250, 255};
    struct link link;

    (void)state;
    for (uint32_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
        uint32_t first = firsts[i];

        open_end(&link, first, 3, first);
        refuses(&link, first, first + 4, 0, 1); /* was committed, not sent */
        refuses(&link, first, first + 5, 0, 1);
        refuses(&link, first, first - 1, 0, 1);
        refuses(&link, first, first + 128, 0, 0);
        refuses(&link, first, first, 1u << 3, 1);
        refuses(&link, first, first, 0xffff, 0);
        refuses(&link, first, first + 3, 1, 1);
        refuses(&link, first, first + 1, 1u << 2, 0);
        refuses(&link, first + LINK_WINDOW, first, 0, 1);
        refuses(&link, first + 128, first, 0, 1);
        refuses(&link, first - LINK_WINDOW - 1, first, 0, 1);
        refuses(&link, first + LINK_WINDOW + 1, first, 0, 0);
        refuses(&link, first - 1, first, 0, 0);
        assert_int_equal(link.in_first, (uint8_t)first);
    }
}

static void wrong_lengths_change_nothing(void **state)
{
    static const uint8_t nonsense[] = {1, 2, 1, 1, 3, 1, 4, 255, 1, 1, 2, 9, 9, 9};
    struct link link;

    (void)state;
    open_end(&link, 0, 3, 0);
    for (uint32_t length = LINK_MESSAGE_MAX + 1; length <= LINK_MESSAGE_MAX + 5; length++) {
        refuses(&link, 0, 0, 0, length);
    }
    struct link before = link;
    for (uint32_t i = 0; i < sizeof(nonsense); i++) {
        link_receive(&link, nonsense, i, 1);
        link_receive(&link, (const uint8_t *)"", 1, 1);
    }
    assert_int_equal(link.damaged, before.damaged + sizeof(nonsense) - 1);
    for (uint32_t i = 0; i < 100000; i++) { /* without an end */
        link_receive(&link, (const uint8_t *)"x", 1, 1);
    }
    link_receive(&link, (const uint8_t *)"", 1, 1);
    before.damaged = link.damaged;
    memcpy(before.partial, link.partial, sizeof(before.partial));
    assert_memory_equal(&before, &link, sizeof(before));
    /* And what comes next is a frame again. */
    receive_frame(&link, 0, 0, 0, (const uint8_t *)"y", 1, 1);
    assert_int_equal(link.damaged, before.damaged);
    uint32_t length;
    assert_memory_equal(link_peek(&link, &length), "y", 1);
}

/* What is right at the edges. */
static void numbers_at_the_edges_are_taken(void **state)
{
    static const uint8_t longest[LINK_MESSAGE_MAX] = {0, 1, 0, 0};
    struct link link;
    uint32_t length;

    (void)state;
    open_end(&link, 250, LINK_WINDOW, 250);
    receive_frame(&link, 250 + LINK_WINDOW - 1, 250, 0, longest, LINK_MESSAGE_MAX, 1);
    receive_frame(&link, 250 + LINK_WINDOW, 250, 1u << 15, (const uint8_t *)"", 0, 1);
    assert_int_equal(link.damaged, 0);
    assert_int_equal(link.out_first, 250);
    assert_int_equal(link.repeated, LINK_WINDOW - 1);
    assert_null(link_peek(&link, &length));
    for (uint32_t i = 0; i < LINK_WINDOW - 1; i++) {
        receive_frame(&link, 250 + i, 250 + LINK_WINDOW, 0, longest, 1 + i, 1);
    }
    assert_int_equal(link.damaged, 0);
    assert_true(link_idle(&link));
    for (uint32_t i = 0; i < LINK_WINDOW; i++) {
        assert_non_null(link_peek(&link, &length));
        assert_int_equal(length, i < LINK_WINDOW - 1 ? 1 + i : LINK_MESSAGE_MAX);
        link_release(&link);
    }
    /* Once more, as if the acknowledgement had been lost. */
    link.answer = false;
    receive_frame(&link, 250, 250 + LINK_WINDOW, 0, longest, 9, 1);
    assert_int_equal(link.damaged, 0);
    assert_null(link_peek(&link, &length));
    assert_true(link.answer);
}

/* A message is what its first frame says. */
static void second_copy_changes_nothing(void **state)
{
    struct link link;
    uint32_t length;

    (void)state;
    open_end(&link, 0, 0, 0);
    receive_frame(&link, 0, 0, 0, (const uint8_t *)"first", 5, 1);
    receive_frame(&link, 0, 0, 0, (const uint8_t *)"again?", 6, 1);
    assert_memory_equal(link_peek(&link, &length), "first", 5);
    assert_int_equal(length, 5);
}

/* An acknowledgement may come while the line is being given the message again, and its slot be used
 * anew. */
static void acknowledged_while_it_is_sent_again(void **state)
{
    uint8_t bytes[LINK_FRAME_MAX];
    struct link link;

    (void)state;
    open_end(&link, 0, LINK_WINDOW, 0);
    assert_int_equal(link_transmit(&link, bytes, 3, 600000), 3);
    receive_frame(&link, 0, LINK_WINDOW, 0, (const uint8_t *)"", 0, 600000);
    assert_true(link_idle(&link));
    memset(link_reserve(&link), 9, 9);
    link_commit(&link, 9);
    assert_int_equal(link_transmit(&link, bytes, 12, 600000), 12); /* to its end, as begun */
    assert_int_equal(bytes[11], 0);
    assert_int_equal(link.out_new, LINK_WINDOW);
    assert_int_equal(link_transmit(&link, bytes, sizeof(bytes), 600000), 19);
    assert_int_equal(link.out_new, LINK_WINDOW + 1);
}

/* The same for one that waits at the other end for those before it. */
static void arrived_while_it_is_sent_again(void **state)
{
    uint8_t bytes[LINK_FRAME_MAX];
    struct link link;

    (void)state;
    open_end(&link, 0, LINK_WINDOW, 0);
    assert_int_equal(link_transmit(&link, bytes, 3, 600000), 3);
    assert_int_equal(link.repeated, LINK_WINDOW);
    receive_frame(&link, 0, 0, 0xffff, (const uint8_t *)"", 0, 600000);
    assert_int_equal(link_transmit(&link, bytes, sizeof(bytes), 600000), 12);  /* its rest */
    assert_int_equal(link_transmit(&link, bytes, sizeof(bytes), 9000000), 11); /* still here */
    assert_int_equal(link.repeated, LINK_WINDOW);
    assert_false(link_idle(&link));
}

/* Of a message that was sent twice, nobody knows which has arrived: it says nothing of the round
 * trip. */
static void repetition_is_not_measured(void **state)
{
    uint8_t bytes[LINK_FRAME_MAX];
    struct link link;

    (void)state;
    open_end(&link, 0, LINK_WINDOW, 0);
    for (uint32_t i = 0; i < LINK_WINDOW; i++) {
        assert_true(link_transmit(&link, bytes, 14, 600000) > 0);
    }
    receive_frame(&link, 0, LINK_WINDOW, 0, (const uint8_t *)"", 0, 601000);
    assert_int_equal(link.round_trip_us, 0);
    memset(link_reserve(&link), 9, 9);
    link_commit(&link, 9);
    assert_true(link_transmit(&link, bytes, sizeof(bytes), 602000) > 0);
    receive_frame(&link, 0, LINK_WINDOW + 1, 0, (const uint8_t *)"", 0, 642000);
    assert_in_range(link.round_trip_us, 40000, 40001);
    assert_in_range(link.timeout_us, 120000, 120010); /* RFC 6298, 2.2 */
}

/* A frame has one form: the last distance is to its end. */
static void frame_that_points_beyond_its_end_is_none(void **state)
{
    uint8_t bytes[sizeof(from_host)];
    struct link link;

    (void)state;
    memcpy(bytes, from_host, sizeof(bytes));
    assert_int_equal(bytes[7], 6);
    for (bytes[7] = 7; bytes[7] != 6; bytes[7] += bytes[7] == 255 ? 2 : 1) {
        link_start(&link, LINK_BOARD, token, 0);
        link_receive(&link, bytes, sizeof(bytes), 1);
        assert_int_equal(link.damaged, 1);
        assert_int_equal(link.heard_at, 0);
    }
}

static void noise_is_never_a_frame(void **state)
{
    struct link link;
    uint8_t bytes[100];
    uint32_t length;

    (void)state;
    link_start(&link, LINK_HOST, token, 0);
    for (uint32_t i = 0; i < 20000; i++) {
        for (uint32_t k = 0; k < sizeof(bytes); k++) {
            bytes[k] = rnd() % 16 == 0  ? 0
                       : rnd() % 4 == 0 ? (uint8_t)(rnd() % 12)
                                        : (uint8_t)rnd();
        }
        link_receive(&link, bytes, sizeof(bytes), 1);
    }
    assert_true(link.damaged > 10000);
    assert_int_equal(link.heard_at, 0);
    assert_null(link_peek(&link, &length));
}

/* ---- The hello ---- */

static enum control_hello_state feed(struct control_hello *hello, const uint8_t *bytes,
                                     uint32_t count)
{
    enum control_hello_state hello_state = CONTROL_HELLO_NONE;

    control_hello_start(hello);
    for (uint32_t i = 0; i < count; i++) {
        hello_state = control_hello_take(hello, bytes[i]);
    }
    return hello_state;
}

static void hello_is_as_documented(void **state)
{
    static const char expected[] = "\x1d\x02"
                                   "braid1"
                                   "1032547698badcfe"
                                   "1c09417a";
    uint8_t bytes[CONTROL_HELLO_SIZE];

    (void)state;
    control_hello_write(bytes, token);
    assert_int_equal(sizeof(expected) - 1, sizeof(bytes));
    assert_memory_equal(bytes, expected, sizeof(bytes));
}

static void hello_is_recognised(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        uint8_t drawn[LINK_TOKEN_SIZE], bytes[CONTROL_HELLO_SIZE];
        struct control_hello hello = {0};

        for (uint32_t k = 0; k < sizeof(drawn); k++) {
            drawn[k] = (uint8_t)rnd();
        }
        control_hello_write(bytes, drawn);
        assert_int_equal(hello.state, CONTROL_HELLO_NONE);
        for (uint32_t k = 0; k < sizeof(bytes) - 1; k++) {
            assert_int_equal(control_hello_take(&hello, bytes[k]), CONTROL_HELLO_PART);
        }
        assert_int_equal(control_hello_take(&hello, bytes[31]), CONTROL_HELLO_WHOLE);
        assert_memory_equal(hello.token, drawn, sizeof(drawn));
        assert_int_equal(control_hello_take(&hello, '0'), CONTROL_HELLO_FAILED);
    }
}

/* It fails where it is wrong, or at its check, and stays so. */
static void damaged_hello_is_none(void **state)
{
    uint8_t bytes[CONTROL_HELLO_SIZE];
    struct control_hello hello;

    (void)state;
    control_hello_write(bytes, token);
    for (uint32_t i = 0; i < sizeof(bytes); i++) {
        for (uint32_t wrong = 1; wrong < 256; wrong++) {
            bytes[i] ^= (uint8_t)wrong;
            assert_int_equal(feed(&hello, bytes, sizeof(bytes)), CONTROL_HELLO_FAILED);
            bytes[i] ^= (uint8_t)wrong;
            assert_int_equal(control_hello_take(&hello, bytes[0]), CONTROL_HELLO_FAILED);
        }
    }
    assert_int_equal(feed(&hello, bytes, sizeof(bytes)), CONTROL_HELLO_WHOLE);
    assert_int_equal(feed(&hello,
                          (const uint8_t *)"\x1d\x02"
                                           "braid1"
                                           "ABCDEF",
                          9),
                     CONTROL_HELLO_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clean_line_needs_no_repetition),
        cmocka_unit_test(messages_survive_a_bad_line),
        cmocka_unit_test(numbers_wrap_around),
        cmocka_unit_test(goodput_on_a_bad_line),
        cmocka_unit_test(window_is_sixteen_messages),
        cmocka_unit_test(impossible_lengths_are_not_sent),
        cmocka_unit_test(slow_owner_costs_nothing),
        cmocka_unit_test(slow_owner_on_a_bad_line),
        cmocka_unit_test(lone_message_is_acknowledged_at_once),
        cmocka_unit_test(quiet_ends_keep_each_other_alive),
        cmocka_unit_test(deadline_is_when_there_is_something_to_say),
        cmocka_unit_test(answers_become_slow),
        cmocka_unit_test(dead_line_is_noticed_and_left_quiet),
        cmocka_unit_test(line_that_comes_back_goes_on),
        cmocka_unit_test(half_open_line),
        cmocka_unit_test(echo_is_nobody),
        cmocka_unit_test(another_session_says_nothing_to_this_one),
        cmocka_unit_test(frames_are_as_documented),
        cmocka_unit_test(frames_in_a_row_have_one_zero_between),
        cmocka_unit_test(numbers_outside_of_the_window_change_nothing),
        cmocka_unit_test(wrong_lengths_change_nothing),
        cmocka_unit_test(numbers_at_the_edges_are_taken),
        cmocka_unit_test(second_copy_changes_nothing),
        cmocka_unit_test(acknowledged_while_it_is_sent_again),
        cmocka_unit_test(arrived_while_it_is_sent_again),
        cmocka_unit_test(repetition_is_not_measured),
        cmocka_unit_test(frame_that_points_beyond_its_end_is_none),
        cmocka_unit_test(noise_is_never_a_frame),
        cmocka_unit_test(hello_is_as_documented),
        cmocka_unit_test(hello_is_recognised),
        cmocka_unit_test(damaged_hello_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
