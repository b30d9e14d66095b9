/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: console/console.c console/client.c console/view.c console/view_lines.c
 * SOURCES: console/view_raw.c console/keys.c console/escape.c console/session.c console/power.c
 * SOURCES: console/counters.c console/terminal_size.c lib/stats.c
 * SOURCES: lib/supervisor.c lib/log.c lib/token_bucket.c
 * SOURCES: lib/control_hello.c lib/control_link.c lib/ring.c tests/unit/fake/fake_microkit.c
 *
 * A session of the control channel from outside: a host at the UART, machines at their rings.
 */

#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "console/config.h"
#include "drivers/timer/protocol.h"
#include "lib/console_state.h"
#include "lib/control.h"
#include "lib/control_hello.h"
#include "lib/control_link.h"
#include "lib/ring.h"
#include "lib/stats.h"

#define CLIENTS 3
#define LOG     2
#define CHANNEL 2 /* of the first client */

#include "tests/unit/fake/console_clients.h"

static uint64_t machine_words[STATS_MACHINE_WORDS], disk_words[STATS_DISK_WORDS];
static const struct console_set sets[] = {
    {STATS_MACHINE, 0, 0, CONTROL_NOBODY, machine_words},
    {STATS_DISK, 0, 3, CONTROL_NOBODY, disk_words},
    {STATS_PORT, 1, 7, LOG, machine_words},
};

const struct console_config console_config = {
    UART_AND_TIMER,
    .set_count = 3,
    .sets = sets,
    .monochrome = true,
    .client_count = CLIENTS,
    .clients = {{CLIENT(0, "vm0", false)}, {CLIENT(1, "vm1", false)}, {CLIENT(LOG, "net0", true)}},
};

static const uint8_t token[LINK_TOKEN_SIZE] = {0x17, 0x2a, 0, 0xff, 0x80, 3, 4, 0x99};

static struct ring line_in, line_out; /* the UART driver's ends */
static struct ring say_ring[CLIENTS], hear_ring[CLIENTS];
static uint64_t deadline;
static struct link host;
static char raw[257];   /* the last bytes of the line */
static unsigned damage; /* one of so many bytes of the line is damaged or lost; 0: none */

/* What the host has got. */
static char output[CLIENTS][1 << 18];
static uint32_t output_length[CLIENTS], credit[CLIENTS], lost[CLIENTS];
static uint8_t welcome[64], answer[LINK_MESSAGE_MAX], state_of[CLIENTS];
static uint32_t welcome_length, answer_length, events;
static uint64_t line_time;

static microkit_msginfo timer(microkit_channel ch, microkit_msginfo msginfo)
{
    assert_int_equal(ch, TIMER);
    assert_int_equal(microkit_msginfo_get_label(msginfo), TIMER_SET);
    deadline = fake.mr[0];
    return microkit_msginfo_new(0, 0);
}

static uint64_t now_us(void)
{
    return fake.counter / (fake.frequency / 1000000);
}

static uint32_t get(const uint8_t *at, unsigned bytes)
{
    uint32_t value = 0;

    while (bytes-- > 0) {
        value = value << 8 | at[bytes];
    }
    return value;
}

static void append(unsigned client, const uint8_t *bytes, uint32_t count)
{
    assert_true(client < CLIENTS && output_length[client] + count < sizeof(output[0]));
    memcpy(output[client] + output_length[client], bytes, count);
    output_length[client] += count;
    output[client][output_length[client]] = '\0';
}

static void take(const uint8_t *message, uint32_t length)
{
    switch (message[0]) {
    case CONTROL_WELCOME:
        assert_true(length <= sizeof(welcome));
        memcpy(welcome, message, length);
        welcome_length = length;
        return;
    case CONTROL_OUTPUT:
        append(message[1], message + 2, length - 2);
        return;
    case CONTROL_LINE:
        line_time = get(message + 1, 4) | (uint64_t)get(message + 5, 4) << 32;
        append(message[9], message + 10, length - 10);
        append(message[9], (const uint8_t *)"|", 1);
        return;
    case CONTROL_CREDIT:
        credit[message[1]] = get(message + 2, 4);
        return;
    case CONTROL_LOST:
        lost[message[1]] += get(message + 2, 4);
        return;
    case CONTROL_EVENT:
        assert_int_equal(length, 11);
        state_of[message[9]] = message[10];
        events++;
        return;
    case CONTROL_ANSWER:
        memcpy(answer, message, length);
        answer_length = length;
        return;
    default:
        fail();
    }
}

static uint32_t damaged(uint8_t *bytes, uint32_t count)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < count; i++) {
        bool hit = damage != 0 && (unsigned)rand() % damage == 0;

        if (hit && rand() % 2 == 0) {
            continue;
        }
        bytes[kept++] = hit ? (uint8_t)rand() : bytes[i];
    }
    return kept;
}

/* Bytes from the host to the console. */
static void to_board(const void *bytes, uint32_t count)
{
    assert_int_equal(ring_write(&line_out, bytes, count), count);
    if (ring_take_data_wanted(&line_out)) {
        notified(UART);
    }
}

/* Bytes from the console to the host. Returns whether there were any. */
static bool from_board(void)
{
    uint8_t bytes[256];
    uint32_t count = ring_read(&line_in, bytes, sizeof(bytes));

    if (ring_take_space_wanted(&line_in)) {
        notified(UART);
    }
    if (count > 0) {
        memcpy(raw, bytes, count);
        raw[count] = '\0';
    }
    link_receive(&host, bytes, damaged(bytes, count), now_us());
    return count > 0;
}

static bool from_host(void)
{
    uint8_t bytes[256];
    uint32_t room = ring_space(&line_out);
    uint32_t count = link_transmit(&host, bytes, room < 256 ? room : 256, now_us());

    if (count > 0) {
        to_board(bytes, damaged(bytes, count));
    }
    return count > 0;
}

static void take_all(void)
{
    const uint8_t *message;
    uint32_t length;

    while ((message = link_peek(&host, &length)) != NULL) {
        take(message, length);
        link_release(&host);
    }
}

/* Let both ends say what they have to say. */
static void settle(void)
{
    bool moved;

    do {
        moved = from_board();
        take_all();
        moved |= from_host();
    } while (moved);
}

/* Time passes, in steps of a millisecond. */
static void pass(unsigned milliseconds)
{
    while (milliseconds-- > 0) {
        fake.counter += fake.frequency / 1000;
        if (deadline <= fake.counter) {
            deadline = TIMER_NEVER;
            notified(TIMER);
        }
        settle();
    }
}

static void say_bytes(int client, const void *bytes, uint32_t count)
{
    assert_int_equal(ring_write(&say_ring[client], bytes, count), count);
    if (ring_take_data_wanted(&say_ring[client])) {
        notified(CHANNEL + (microkit_channel)client);
    }
}

static void say(int client, const char *text)
{
    say_bytes(client, text, (uint32_t)strlen(text));
}

static const char *heard(int client)
{
    static char text[SIZE + 1];

    text[ring_read(&hear_ring[client], text, SIZE)] = '\0';
    if (ring_take_space_wanted(&hear_ring[client])) {
        notified(CHANNEL + (microkit_channel)client);
    }
    return text;
}

/* What a terminal gets. */
static const char *shown(void)
{
    static char text[1 << 16];
    uint32_t length = 0;
    uint32_t got;

    do {
        got = ring_read(&line_in, text + length, sizeof(text) - 1 - length);
        length += got;
        if (ring_take_space_wanted(&line_in)) {
            notified(UART);
            got = 1;
        }
    } while (got > 0);
    text[length] = '\0';
    return text;
}

static void greet(const uint8_t *with)
{
    uint8_t hello[CONTROL_HELLO_SIZE];

    control_hello_write(hello, with);
    link_start(&host, LINK_HOST, with, now_us());
    to_board(hello, sizeof(hello));
}

static int setup(void **state)
{
    (void)state;
    fake_reset();
    fake.ppcall = timer;
    fake.counter = fake.frequency;
    deadline = TIMER_NEVER;
    damage = 0;
    memset(&uart_transmit, 0, sizeof(uart_transmit));
    memset(&uart_receive, 0, sizeof(uart_receive));
    memset(outputs, 0, sizeof(outputs));
    memset(inputs, 0, sizeof(inputs));
    memset(output, 0, sizeof(output));
    memset(output_length, 0, sizeof(output_length));
    memset(credit, 0, sizeof(credit));
    memset(lost, 0, sizeof(lost));
    memset(state_of, 0, sizeof(state_of));
    welcome_length = answer_length = events = 0;
    ring_init(&line_in, &uart_transmit, SIZE);
    ring_init(&line_out, &uart_receive, SIZE);
    for (int i = 0; i < CLIENTS; i++) {
        ring_init(&say_ring[i], &outputs[i], SIZE);
        ring_init(&hear_ring[i], &inputs[i], SIZE);
    }
    init();
    assert_non_null(strstr(shown(), "2 machines"));
    return 0;
}

static int setup_session(void **state)
{
    setup(state);
    greet(token);
    settle();
    assert_int_not_equal(welcome_length, 0);
    return 0;
}

static void send(const void *message, uint32_t length)
{
    uint8_t *at = link_reserve(&host);

    assert_non_null(at);
    memcpy(at, message, length);
    link_commit(&host, length);
    settle();
}

static void send_input(uint8_t client, const char *text)
{
    uint8_t message[LINK_MESSAGE_MAX] = {CONTROL_INPUT, client};
    uint32_t length = (uint32_t)strlen(text);

    memcpy(message + 2, text, length);
    send(message, length + 2);
}

/* Returns the status. */
static int request(const uint8_t *what, uint32_t length)
{
    static uint16_t id = 0x1234;

    id++;
    uint8_t message[LINK_MESSAGE_MAX] = {CONTROL_REQUEST, (uint8_t)id, (uint8_t)(id >> 8)};

    memcpy(message + 3, what, length);
    answer_length = 0;
    send(message, length + 3);
    assert_true(answer_length >= 4);
    assert_int_equal(get(answer + 1, 2), id);
    return answer[3];
}

static int power(uint8_t client, uint8_t verb)
{
    return request((uint8_t[]){CONTROL_POWER, client, verb}, 3);
}

static void tell_state(int client, uint32_t state)
{
    memcpy(outputs[client].bytes + CONSOLE_STATE_OFFSET, &state, 4);
    notified(CHANNEL + (microkit_channel)client);
}

static uint32_t command_of(int client)
{
    uint32_t word;

    memcpy(&word, inputs[client].bytes + CONSOLE_COMMAND_OFFSET, 4);
    return word;
}

/* ---- The handshake ---- */

static void a_hello_begins_a_session(void **state)
{
    (void)state;
    greet(token);
    settle();
    assert_int_equal(welcome_length, 1 + LINK_TOKEN_SIZE + 12);
    assert_in_range(get(welcome + 13, 4), 1000000000, 1010000000);
    assert_memory_equal(welcome + 1, token, LINK_TOKEN_SIZE);
    assert_int_equal(get(welcome + 9, 2), CONTROL_VERSION);
    assert_int_equal(get(welcome + 11, 2), CLIENTS);
    assert_string_equal(heard(0), "");
}

static void what_is_no_hello_is_no_command(void **state)
{
    uint8_t hello[CONTROL_HELLO_SIZE];

    (void)state;
    control_hello_write(hello, token);
    for (unsigned i = 2; i < CONTROL_HELLO_SIZE; i++) {
        hello[i] ^= 1;
        to_board(hello, sizeof(hello));
        hello[i] ^= 1;
        assert_non_null(strstr(shown(), "no such command"));
        assert_string_equal(heard(0), ""); /* nor is the rest of it a machine's */
    }
    to_board("ls\r", 3);
    assert_string_equal(heard(0), "ls\r");
}

static void a_hello_is_heard_in_the_midst_of_a_command(void **state)
{
    static const char *const before[] = {"\035", "\035n", "\035nvm", "\035\002braid1",
                                         "\035\002brai\035"};

    for (unsigned i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
        setup(state);
        to_board(before[i], (uint32_t)strlen(before[i]));
        greet(token);
        settle();
        assert_int_not_equal(welcome_length, 0);
        assert_true(strlen(heard(0)) <= 1); /* Ctrl-] itself */
    }
}

/* As PDs' words do that are not trusted: its state is another one whenever somebody looks. */
static void who_changes_its_state_for_ever_stops_nobody(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        uint32_t word = i % 2 == 0 ? CONSOLE_RUNNING : CONSOLE_OFF;

        memcpy(outputs[0].bytes + CONSOLE_STATE_OFFSET, &word, 4);
        if (i % 10 == 0) {
            say(1, "still here\n");
        }
        notified(CHANNEL);
        if (i % 5 == 0) {
            from_board();
            take_all();
            from_host();
        }
    }
    settle();
    assert_true(output_length[1] >= 150 * 11);
}

static void machines_do_not_see_the_token(void **state)
{
    (void)state;
    say(0, "before");
    greet(token);
    for (int i = 0; i < CLIENTS; i++) {
        for (unsigned at = 0; at + 3 < sizeof(outputs[0].bytes); at++) {
            assert_memory_not_equal(inputs[i].bytes + at, token, 4);
        }
    }
}

static void the_newest_hello_counts(void **state)
{
    static const uint8_t other[LINK_TOKEN_SIZE] = {1, 2, 3, 4, 5, 6, 7, 8};

    (void)state;
    welcome_length = 0;
    to_board("", 1); /* the zero in front */
    greet(other);
    settle();
    assert_memory_equal(welcome + 1, other, LINK_TOKEN_SIZE);
    say(0, "hi");
    settle();
    assert_string_equal(output[0], "hi");
}

static void a_hello_that_is_repeated_changes_nothing(void **state)
{
    uint8_t hello[1 + CONTROL_HELLO_SIZE] = {0};

    (void)state;
    control_hello_write(hello + 1, token);
    for (unsigned i = 0; i < 3; i++) {
        say(0, "hi");
        send_input(1, "x");
        to_board(hello, sizeof(hello));
        settle();
    }
    pass(1000);
    assert_string_equal(output[0], "hihihi");
    assert_string_equal(heard(1), "xxx");
}

static void a_hello_in_what_is_typed_is_text(void **state)
{
    char text[CONTROL_HELLO_SIZE + 1] = {0};

    (void)state;
    welcome_length = 0;
    control_hello_write((uint8_t *)text, token);
    send_input(1, text);
    assert_string_equal(heard(1), text);
    assert_int_equal(welcome_length, 0);
}

static void bye_brings_the_terminal_back(void **state)
{
    (void)state;
    send((uint8_t[]){CONTROL_BYE}, 1);
    assert_non_null(strstr(raw, "session is over"));
    say(0, "text\n");
    assert_non_null(strstr(shown(), "vm0| text\r\n"));
    to_board("x", 1);
    assert_string_equal(heard(0), "x");
}

static void silence_brings_the_terminal_back(void **state)
{
    (void)state;
    pass(15000); /* while both keep their link alive */
    assert_true(link_alive(&host, now_us()));
    for (unsigned i = 0; i < 11000; i++) {
        fake.counter += fake.frequency / 1000;
        if (deadline <= fake.counter) {
            deadline = TIMER_NEVER;
            notified(TIMER);
        }
        (void)shown();
    }
    say(1, "text\n");
    assert_non_null(strstr(shown(), "vm1| text\r\n"));
}

/* ---- Consoles ---- */

static void consoles_are_apart(void **state)
{
    (void)state;
    say(0, "one");
    say(1, "two\r\n");
    say_bytes(0, "\0\0\xff", 3);
    settle();
    assert_memory_equal(output[0], "one\0\0\xff", 6);
    assert_string_equal(output[1], "two\r\n");
    send_input(0, "a\r");
    send_input(1, "b");
    assert_string_equal(heard(0), "a\r");
    assert_string_equal(heard(1), "b");
}

static void messages_of_pds_are_lines_with_their_time(void **state)
{
    (void)state;
    pass(1234);
    say(LOG, "net0: up\r\nnet0: do");
    settle();
    assert_string_equal(output[LOG], "net0: up|");
    assert_in_range(line_time / 1000000, 2233, 2236);
    say(LOG, "wn\n");
    settle();
    assert_string_equal(output[LOG], "net0: up|net0: down|");
}

static void a_line_that_does_not_end_comes_in_pieces(void **state)
{
    char bytes[1000];

    (void)state;
    memset(bytes, 'x', sizeof(bytes));
    say_bytes(LOG, bytes, sizeof(bytes));
    settle();
    assert_in_range(output_length[LOG], 700, 1010);
}

static void what_was_said_before_comes_as_well(void **state)
{
    char line[64];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        snprintf(line, sizeof(line), "line %d\n", i);
        say(0, line);
        (void)shown();
    }
    greet(token);
    settle();
    assert_int_equal(output_length[0], 8192);
    assert_non_null(strstr(output[0], "line 999\n"));
    assert_int_equal(lost[0], 8890 - 8192);
}

static void input_waits_for_credit(void **state)
{
    char text[200];

    (void)state;
    assert_int_equal(credit[0], SIZE);
    assert_int_equal(credit[LOG], 0);
    memset(text, 'k', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (unsigned sent = 0; sent < 30; sent++) { /* 5970 bytes, and room for 4096 */
        send_input(0, text);
    }
    assert_int_equal(credit[0], SIZE);
    assert_int_equal(strlen(heard(0)), SIZE);
    settle();
    assert_int_equal(credit[0], 2 * SIZE);
    send_input(0, "again");
    assert_string_equal(heard(0), "again");
    assert_int_equal(strlen(heard(1)), 0);
}

static void who_reads_nothing_holds_up_nobody(void **state)
{
    char text[200];

    (void)state;
    memset(text, 'k', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (unsigned sent = 0; sent < 30; sent++) {
        send_input(0, text);
        send_input(1, "x");
        assert_string_equal(heard(1), "x");
    }
}

static void much_arrives_on_a_bad_line(void **state)
{
    enum { BYTES = 20000 };
    static char sent[BYTES + 1], got[2][BYTES + 1];
    uint32_t said[2] = {0}, typed[2] = {0}, got_length[2] = {0};

    (void)state;
    srand(7);
    damage = 100;
    for (unsigned i = 0; i < BYTES; i++) {
        sent[i] = (char)(1 + rand() % 255);
    }
    for (unsigned ms = 0; ms < 200000 && (got_length[0] < BYTES || got_length[1] < BYTES ||
                                          output_length[0] < BYTES || output_length[1] < BYTES);
         ms++) {
        for (unsigned i = 0; i < 2; i++) {
            uint32_t room = ring_space(&say_ring[i]);
            uint32_t count = BYTES - said[i] < room ? BYTES - said[i] : room;

            say_bytes((int)i, sent + said[i], count);
            said[i] += count;
            count = link_size_wanted(&host) - 2;
            count = BYTES - typed[i] < count ? BYTES - typed[i] : count;
            count = credit[i] - typed[i] < count ? credit[i] - typed[i] : count;
            uint8_t *at = count > 0 ? link_reserve(&host) : NULL;
            if (at != NULL) {
                at[0] = CONTROL_INPUT;
                at[1] = (uint8_t)i;
                memcpy(at + 2, sent + typed[i], count);
                link_commit(&host, count + 2);
                typed[i] += count;
            }
            const char *new = heard((int)i);
            memcpy(got[i] + got_length[i], new, strlen(new));
            got_length[i] += (uint32_t)strlen(new);
        }
        pass(1);
    }
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(output_length[i], BYTES);
        assert_memory_equal(output[i], sent, BYTES);
        assert_int_equal(got_length[i], BYTES);
        assert_memory_equal(got[i], sent, BYTES);
    }
    assert_true(host.repeated > 0 && host.damaged > 0);
}

/* ---- Requests ---- */

static void the_list_has_all_clients(void **state)
{
    static const uint8_t expected[] = {0,
                                       CONTROL_MACHINE,
                                       CONSOLE_OFF,
                                       3,
                                       'v',
                                       'm',
                                       '0',
                                       1,
                                       CONTROL_MACHINE,
                                       CONSOLE_UNTOLD,
                                       3,
                                       'v',
                                       'm',
                                       '1',
                                       LOG,
                                       CONTROL_LOG,
                                       0,
                                       4,
                                       'n',
                                       'e',
                                       't',
                                       '0'};

    (void)state;
    tell_state(0, CONSOLE_OFF);
    assert_int_equal(request((uint8_t[]){CONTROL_LIST, 0}, 2), CONTROL_OK);
    assert_int_equal(answer_length, 4 + sizeof(expected));
    assert_memory_equal(answer + 4, expected, sizeof(expected));
    assert_int_equal(request((uint8_t[]){CONTROL_LIST, 2}, 2), CONTROL_OK);
    assert_int_equal(answer_length, 4 + 8);
    assert_int_equal(request((uint8_t[]){CONTROL_LIST, 200}, 2), CONTROL_OK);
    assert_int_equal(answer_length, 4);
}

static void commands_reach_their_machine(void **state)
{
    (void)state;
    tell_state(1, CONSOLE_RUNNING);
    assert_int_equal(power(1, CONTROL_PAUSE), CONTROL_OK);
    assert_int_equal(answer[4], CONSOLE_RUNNING);
    uint32_t first = command_of(1);
    assert_int_equal(first & 0xff, CONTROL_PAUSE);
    assert_int_equal(power(1, CONTROL_PAUSE), CONTROL_OK);
    assert_int_equal(command_of(1) & 0xff, CONTROL_PAUSE);
    assert_int_not_equal(command_of(1), first);
    assert_int_equal(command_of(0), 0);
}

static void commands_that_make_no_sense_are_refused(void **state)
{
    static const struct {
        uint8_t state, allowed; /* bits: verbs */
    } rows[] = {
        {CONSOLE_UNTOLD, 0x7e},  {CONSOLE_RUNNING, 0x3c},  {CONSOLE_OFF, 0x12},
        {CONSOLE_STOPPED, 0x1a}, {CONSOLE_PANICKED, 0x38}, {CONSOLE_PAUSED, 0x58},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        tell_state(0, rows[i].state);
        for (uint8_t verb = CONTROL_START; verb <= CONTROL_RESUME; verb++) {
            uint32_t before = command_of(0);
            bool allowed = (rows[i].allowed >> verb & 1) != 0;

            assert_int_equal(power(0, verb), allowed ? CONTROL_OK : CONTROL_NOT_NOW);
            assert_int_equal(command_of(0) != before, allowed);
        }
    }
}

static void malformed_requests_are_answered(void **state)
{
    (void)state;
    assert_int_equal(power(LOG, CONTROL_KILL), CONTROL_NO_CLIENT);
    assert_int_equal(power(3, CONTROL_KILL), CONTROL_NO_CLIENT);
    assert_int_equal(power(255, CONTROL_KILL), CONTROL_NO_CLIENT);
    assert_int_equal(power(0, 0), CONTROL_UNKNOWN);
    assert_int_equal(power(0, 7), CONTROL_UNKNOWN);
    assert_int_equal(power(0, 255), CONTROL_UNKNOWN);
    assert_int_equal(request((uint8_t[]){CONTROL_POWER, 0}, 2), CONTROL_UNKNOWN);
    assert_int_equal(request((uint8_t[]){CONTROL_POWER, 0, 1, 0}, 4), CONTROL_UNKNOWN);
    assert_int_equal(request((uint8_t[]){CONTROL_SIZE, 0, 80, 0, 24}, 5), CONTROL_UNKNOWN);
    assert_int_equal(request((uint8_t[]){0, 0}, 2), CONTROL_UNKNOWN);
    assert_int_equal(request((uint8_t[]){99, 0}, 2), CONTROL_UNKNOWN);
    assert_int_equal(command_of(0), 0);
    /* These have no answer, and no effect. */
    send((uint8_t[]){CONTROL_REQUEST, 1, 1}, 3);
    send((uint8_t[]){CONTROL_INPUT}, 1);
    send((uint8_t[]){CONTROL_INPUT, 0}, 2);
    send((uint8_t[]){CONTROL_INPUT, LOG, 'x'}, 3);
    send((uint8_t[]){CONTROL_INPUT, 77, 'x'}, 3);
    send((uint8_t[]){0}, 1);
    send((uint8_t[]){200, 1, 2, 3}, 4);
    assert_int_equal(request((uint8_t[]){CONTROL_LIST, 0}, 2), CONTROL_OK);
}

static void the_sets_of_counters_are_listed(void **state)
{
    (void)state;
    static const uint8_t whole[] = {
        0, 0, STATS_MACHINE, 0, 0, 255, STATS_MACHINE_WORDS,
        1, 0, STATS_DISK,    0, 3, 255, STATS_DISK_WORDS,
        2, 0, STATS_PORT,    1, 7, LOG, STATS_PORT_WORDS,
    };

    for (uint8_t first = 0; first <= 3; first++) {
        assert_int_equal(request((uint8_t[]){CONTROL_SETS, 0, first, 0}, 4), CONTROL_OK);
        assert_int_equal(answer_length, 4 + (3 - first) * CONTROL_SET_SIZE);
        assert_memory_equal(answer + 4, whole + first * CONTROL_SET_SIZE, answer_length - 4);
    }
    assert_int_equal(request((uint8_t[]){CONTROL_SETS, 0, 0xff, 0xff}, 4), CONTROL_OK);
    assert_int_equal(answer_length, 4);
}

/* Takes all words of a set, as the host does; returns in how many answers. */
static unsigned take_counters(uint8_t set, uint64_t *words, uint32_t count)
{
    unsigned answers = 0;

    for (uint32_t next = 0; next < count; answers++) {
        const uint8_t *at = answer + 12;

        assert_int_equal(request((uint8_t[]){CONTROL_STATS, 0, set, 0, (uint8_t)next}, 5),
                         CONTROL_OK);
        assert_true(answer_length > 12);
        while (at < answer + answer_length) {
            uint64_t word = 0;
            unsigned shift = 0;

            do {
                assert_true(at < answer + answer_length && shift < 64);
                word |= (uint64_t)(*at & 0x7f) << shift;
                shift += 7;
            } while ((*at++ & 0x80) != 0);
            assert_true(next < count);
            words[next++] = word;
        }
    }
    return answers;
}

static void counters_come_in_their_units(void **state)
{
    (void)state;
    struct stats_machine machine = {.exits_mmio = 127, .exits_wfx = 128, .crashes = UINT64_MAX};
    struct stats_machine got;
    uint64_t begin = fake.counter;

    stats_begin(&machine.vcpu_time, begin);
    machine.monitor_time = 3 * fake.frequency / 1000; /* 3 ms */
    memcpy(machine_words, &machine, sizeof(machine));
    pass(20);
    take_counters(0, (uint64_t *)&got, STATS_MACHINE_WORDS);
    assert_int_equal(got.exits_mmio, 127);
    assert_int_equal(got.exits_wfx, 128);
    assert_int_equal(got.crashes, UINT64_MAX);
    assert_int_equal(got.monitor_time, 3000000);
    assert_int_equal(got.vcpu_time, (fake.counter - begin) * (1000000000 / fake.frequency));
    assert_int_equal(get(answer + 4, 4) | (uint64_t)get(answer + 8, 4) << 32,
                     fake.counter * (1000000000 / fake.frequency));
}

static uint64_t vcpu_time(void)
{
    struct stats_machine got;

    take_counters(0, (uint64_t *)&got, STATS_MACHINE_WORDS);
    return got.vcpu_time;
}

/* A monitor that runs on another core, or was preempted, has taken the time at another moment. */
static void times_that_last_never_go_back(void **state)
{
    (void)state;
    uint64_t second = fake.frequency;
    struct stats_machine machine = {0};

    stats_begin(&machine.vcpu_time, fake.counter + 1000);
    memcpy(machine_words, &machine, sizeof(machine));
    assert_int_equal(vcpu_time(), 0);
    fake.counter += second;
    uint64_t first = vcpu_time();
    assert_in_range(first, 900000000, 1000000000);
    stats_end(&machine.vcpu_time, fake.counter - 1000);
    memcpy(machine_words, &machine, sizeof(machine));
    assert_int_equal(vcpu_time(), first);
    memset(machine_words, 0xff, sizeof(machine));
    assert_true(vcpu_time() >= first);
}

static void many_counters_come_in_several_answers(void **state)
{
    (void)state;
    uint64_t words[STATS_DISK_WORDS];

    for (uint32_t i = 0; i < STATS_DISK_WORDS; i++) {
        disk_words[i] = UINT64_MAX - i;
    }
    disk_words[offsetof(struct stats_disk, flight_time) / 8] = 0;
    assert_true(take_counters(1, words, STATS_DISK_WORDS) > 1);
    assert_memory_equal(words, disk_words, sizeof(words));
}

static void counters_that_are_not_there(void **state)
{
    (void)state;
    static const uint8_t wrong[][6] = {
        {CONTROL_STATS, 0, 3, 0, 0},
        {CONTROL_STATS, 0, 0, 1, 0},
        {CONTROL_STATS, 0, 0xff, 0xff, 0xff},
        {CONTROL_STATS, 0, 0, 0, STATS_MACHINE_WORDS},
        {CONTROL_STATS, 0, 1, 0, STATS_DISK_WORDS},
    };

    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(request(wrong[i], 5), CONTROL_UNKNOWN);
        assert_int_equal(answer_length, 4);
    }
    assert_int_equal(request((uint8_t[]){CONTROL_STATS, 0, 0, 0}, 4), CONTROL_UNKNOWN);
    assert_int_equal(request((uint8_t[]){CONTROL_STATS, 0, 0, 0, 0, 0}, 6), CONTROL_UNKNOWN);
    assert_int_equal(request((uint8_t[]){CONTROL_SETS, 0, 0}, 3), CONTROL_UNKNOWN);
    assert_int_equal(request((uint8_t[]){CONTROL_SETS, 0}, 2), CONTROL_UNKNOWN);
}

static void the_terminals_size_reaches_the_machine(void **state)
{
    uint32_t word;

    (void)state;
    assert_int_equal(request((uint8_t[]){CONTROL_SIZE, 1, 0x84, 0, 0x2b, 0}, 6), CONTROL_OK);
    memcpy(&word, inputs[1].bytes + CONSOLE_SIZE_OFFSET, 4);
    assert_int_equal(word, 0x84 << 16 | 0x2b);
}

static void states_come_as_events(void **state)
{
    (void)state;
    events = 0;
    tell_state(0, CONSOLE_RUNNING);
    tell_state(1, CONSOLE_PANICKED);
    settle();
    assert_int_equal(state_of[0], CONSOLE_RUNNING);
    assert_int_equal(state_of[1], CONSOLE_PANICKED);
    assert_int_equal(events, 2);
    tell_state(1, 1000);
    settle();
    assert_int_equal(state_of[1], CONSOLE_UNTOLD);
}

static void keys_have_the_same_power(void **state)
{
    (void)state;
    tell_state(0, CONSOLE_RUNNING);
    to_board("\035p", 2);
    assert_int_equal(command_of(0) & 0xff, CONTROL_PAUSE);
    assert_non_null(strstr(shown(), "[vm0: pause]"));
    tell_state(0, CONSOLE_PAUSED);
    to_board("\035o", 2);
    assert_non_null(strstr(shown(), "[vm0 is paused: no stop]"));
    assert_int_equal(command_of(0) & 0xff, CONTROL_PAUSE);
    to_board("\035g", 2);
    assert_int_equal(command_of(0) & 0xff, CONTROL_RESUME);
    tell_state(0, CONSOLE_RUNNING);
    to_board("\035o", 2);
    assert_int_equal(command_of(0) & 0xff, CONTROL_STOP);
    to_board("\035k", 2);
    assert_int_equal(command_of(0) & 0xff, CONTROL_KILL);
    to_board("\035r", 2);
    assert_int_equal(command_of(0) & 0xff, CONTROL_RESTART);
    to_board("\035u", 2);
    assert_int_equal(command_of(0) & 0xff, CONTROL_RESTART);
    assert_non_null(strstr(shown(), "[vm0 is running: no start]"));
    assert_string_equal(heard(0), "");
}

/* A broken ring, of a machine that is hostile, is that machine's affair. */
static void hostile_machines_harm_themselves(void **state)
{
    (void)state;
    memset(&outputs[0], 0xff, sizeof(outputs[0]));
    memset(&inputs[0], 0xff, sizeof(inputs[0]));
    notified(CHANNEL);
    settle();
    send_input(0, "x");
    send_input(1, "y");
    say(1, "fine");
    settle();
    assert_string_equal(heard(1), "y");
    assert_string_equal(output[1], "fine");
    assert_int_equal(power(0, CONTROL_RESTART), CONTROL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_hello_begins_a_session, setup),
        cmocka_unit_test_setup(what_is_no_hello_is_no_command, setup),
        cmocka_unit_test_setup(a_hello_is_heard_in_the_midst_of_a_command, setup),
        cmocka_unit_test_setup(who_changes_its_state_for_ever_stops_nobody, setup_session),
        cmocka_unit_test_setup(machines_do_not_see_the_token, setup),
        cmocka_unit_test_setup(the_newest_hello_counts, setup_session),
        cmocka_unit_test_setup(a_hello_that_is_repeated_changes_nothing, setup_session),
        cmocka_unit_test_setup(a_hello_in_what_is_typed_is_text, setup_session),
        cmocka_unit_test_setup(bye_brings_the_terminal_back, setup_session),
        cmocka_unit_test_setup(silence_brings_the_terminal_back, setup_session),
        cmocka_unit_test_setup(consoles_are_apart, setup_session),
        cmocka_unit_test_setup(messages_of_pds_are_lines_with_their_time, setup_session),
        cmocka_unit_test_setup(a_line_that_does_not_end_comes_in_pieces, setup_session),
        cmocka_unit_test_setup(what_was_said_before_comes_as_well, setup),
        cmocka_unit_test_setup(input_waits_for_credit, setup_session),
        cmocka_unit_test_setup(who_reads_nothing_holds_up_nobody, setup_session),
        cmocka_unit_test_setup(much_arrives_on_a_bad_line, setup_session),
        cmocka_unit_test_setup(the_list_has_all_clients, setup_session),
        cmocka_unit_test_setup(commands_reach_their_machine, setup_session),
        cmocka_unit_test_setup(commands_that_make_no_sense_are_refused, setup_session),
        cmocka_unit_test_setup(malformed_requests_are_answered, setup_session),
        cmocka_unit_test_setup(the_sets_of_counters_are_listed, setup_session),
        cmocka_unit_test_setup(counters_come_in_their_units, setup_session),
        cmocka_unit_test_setup(times_that_last_never_go_back, setup_session),
        cmocka_unit_test_setup(many_counters_come_in_several_answers, setup_session),
        cmocka_unit_test_setup(counters_that_are_not_there, setup_session),
        cmocka_unit_test_setup(the_terminals_size_reaches_the_machine, setup_session),
        cmocka_unit_test_setup(states_come_as_events, setup_session),
        cmocka_unit_test_setup(keys_have_the_same_power, setup),
        cmocka_unit_test_setup(hostile_machines_harm_themselves, setup_session),
    };

    return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
