/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: console/console.c console/client.c console/view.c console/view_lines.c
 * SOURCES: console/view_raw.c console/keys.c console/escape.c console/session.c console/power.c
 * SOURCES: console/counters.c console/terminal_size.c lib/stats.c
 * SOURCES: lib/control_hello.c lib/control_link.c lib/ring.c tests/fuzz/silence.c
 *
 * The console between a host that types, greets and sends whatever messages in right frames,
 * machines that write into their rings and header pages what they like, and a line that loses and
 * adds bytes. Nothing may be touched but the rings. What the host gets in a session makes sense,
 * whatever the machines do: a machine that writes can have nothing but its own output arrive. A
 * session that the host has left ends.
 */

#include <microkit.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "console/config.h"
#include "console/session.h"
#include "drivers/timer/protocol.h"
#include "input.h"
#include "lib/console_state.h"
#include "lib/control.h"
#include "lib/control_hello.h"
#include "lib/control_link.h"
#include "lib/cpu.h"
#include "lib/ring.h"
#include "lib/stats.h"

#define CLIENTS 3u
#define LOG     2u
#define CHANNEL 2u

#include "tests/unit/fake/console_clients.h"

static struct stats_machine machine_words;
static struct stats_disk disk_words;
static const struct console_set sets[] = {
    {STATS_MACHINE, 0, 0, CONTROL_NOBODY, (const uint64_t *)&machine_words},
    {STATS_DISK, 1, 0, CONTROL_NOBODY, (const uint64_t *)&disk_words},
};

const struct console_config console_config = {
    UART_AND_TIMER,
    .set_count = 2,
    .sets = sets,
    .client_count = CLIENTS,
    .clients = {{CLIENT(0, "vm0", false)}, {CLIENT(1, "vm1", false)}, {CLIENT(LOG, "net0", true)}},
};

static const uint8_t token[LINK_TOKEN_SIZE] = {7, 6, 5, 4, 3, 2, 1, 0};

static struct ring line_in, line_out;
static struct link host;
static bool welcomed; /* in this session */
static uint64_t counter;

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

uint64_t cpu_counter(void)
{
    return counter;
}

uint64_t cpu_counter_frequency(void)
{
    return 1000000;
}

/* The timer driver: time passes by the input, and everybody looks at it often enough. */
microkit_msginfo microkit_msginfo_new(seL4_Word label, seL4_Uint16 count)
{
    require(label == TIMER_SET && count == 1);
    return (microkit_msginfo){0};
}

void microkit_mr_set(seL4_Uint8 mr, seL4_Word value)
{
    (void)mr;
    (void)value;
}

microkit_msginfo microkit_ppcall(microkit_channel channel, microkit_msginfo msginfo)
{
    require(channel == TIMER);
    return msginfo;
}

static void check(const uint8_t *message, uint32_t length)
{
    require(welcomed || message[0] == CONTROL_WELCOME);
    switch (message[0]) {
    case CONTROL_WELCOME:
        require(length == 21 && memcmp(message + 1, token, LINK_TOKEN_SIZE) == 0);
        welcomed = true;
        return;
    case CONTROL_OUTPUT:
    case CONTROL_CREDIT:
        require(length > 2 && message[1] < LOG);
        return;
    case CONTROL_LOST:
        require(length == 6 && message[1] < CLIENTS);
        return;
    case CONTROL_ANSWER:
        require(length >= 4 && message[3] <= CONTROL_NOT_NOW);
        return;
    case CONTROL_EVENT:
        require(length == 11 && message[9] < LOG && message[10] <= CONSOLE_PAUSED);
        return;
    case CONTROL_LINE:
        require(length >= 10 && message[9] == LOG);
        return;
    default:
        abort();
    }
}

/* The host's end of the line. With `session` it takes part in one; else it reads as a terminal
 * does. */
static void read_line(bool session)
{
    uint8_t bytes[512];
    uint32_t count = ring_read(&line_in, bytes, sizeof(bytes));
    const uint8_t *message;
    uint32_t length;

    if (ring_take_space_wanted(&line_in)) {
        notified(UART);
    }
    if (!session) {
        return;
    }
    link_receive(&host, bytes, count, counter);
    while ((message = link_peek(&host, &length)) != NULL) {
        check(message, length);
        link_release(&host);
    }
}

static void write_line(const uint8_t *bytes, uint32_t count)
{
    ring_write(&line_out, bytes, count);
    if (ring_take_data_wanted(&line_out)) {
        notified(UART);
    }
}

static void send_frames(void)
{
    uint8_t bytes[LINK_FRAME_MAX];
    uint32_t count;

    while (ring_space(&line_out) >= sizeof(bytes) &&
           (count = link_transmit(&host, bytes, sizeof(bytes), counter)) > 0) {
        write_line(bytes, count);
    }
}

static void greet(void)
{
    uint8_t hello[1 + CONTROL_HELLO_SIZE] = {0};

    control_hello_write(hello + 1, token);
    link_start(&host, LINK_HOST, token, counter);
    welcomed = false;
    write_line(hello, sizeof(hello));
}

static void send_message(struct input *given)
{
    uint32_t length = 1 + (uint32_t)take(given, 1) % LINK_MESSAGE_MAX;
    uint8_t *at = link_reserve(&host);

    if (at == NULL) {
        return;
    }
    for (uint32_t i = 0; i < length; i++) {
        at[i] = (uint8_t)take(given, 1);
    }
    if (at[0] != CONTROL_BYE) {
        link_commit(&host, length);
    }
}

static void type(struct input *given)
{
    uint8_t bytes[64];
    uint32_t count = (uint32_t)take(given, 1) % sizeof(bytes);

    for (uint32_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)take(given, 1);
    }
    write_line(bytes, count);
}

static void start(void)
{
    memset(&uart_transmit, 0, sizeof(uart_transmit));
    memset(&uart_receive, 0, sizeof(uart_receive));
    memset(outputs, 0, sizeof(outputs));
    memset(inputs, 0, sizeof(inputs));
    ring_init(&line_in, &uart_transmit, SIZE);
    ring_init(&line_out, &uart_receive, SIZE);
    counter = 1000000;
    welcomed = false;
    init();
}

static void step(struct input *given, bool *session)
{
    uint8_t what = (uint8_t)take(given, 1);
    uint32_t client = what / 16u % CLIENTS;

    switch (what % 8) {
    case 0:
        greet();
        *session = true;
        break;
    case 1:
        type(given);
        break;
    case 2:
        scribble(given, outputs[client].bytes, sizeof(outputs[0].bytes));
        break;
    case 3:
        scribble(given, inputs[client].bytes, sizeof(inputs[0].bytes));
        break;
    case 4:
        scribble(given, outputs[client].bytes, 128); /* indices */
        scribble(given, (uint8_t *)&machine_words, sizeof(machine_words));
        scribble(given, (uint8_t *)&disk_words, sizeof(disk_words));
        break;
    case 5:
        counter += take(given, 3);
        break;
    default:
        send_message(given);
    }
    notified(what < 128 ? CHANNEL + client : TIMER);
    if (*session) {
        send_frames();
    }
    read_line(*session);
}

/* Nobody speaks for the host any more: the terminal gets its language back. */
static void leave(void)
{
    for (unsigned i = 0; i < 4; i++) {
        counter += LINK_SILENCE_US;
        notified(TIMER);
        read_line(false);
    }
    require(!session_active());
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input given = {data, size};
    bool session = false;

    start();
    while (given.left > 0) {
        step(&given, &session);
    }
    leave();
    return 0;
}
