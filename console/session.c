/* SPDX-License-Identifier: BSD-2-Clause */

#include "session.h"

#include <microkit.h>
#include <stddef.h>
#include <string.h>
#include "counters.h"
#include "lib/console_state.h"
#include "lib/control.h"
#include "lib/control_hello.h"
#include "lib/cpu.h"
#include "power.h"

#define RECEIVED_MAX 512u /* bytes from the UART at once */
/* Bytes that wait for the UART. More would only make a machine's echo wait behind them. */
#define QUEUED_MAX  128u
#define CREDIT_STEP 256u /* bytes: smaller news of room are not worth a message */

#define OUTPUT_HEADER 2u  /* kind, client */
#define LINE_HEADER   10u /* kind, time, client */
#define ANSWER_HEADER 3u  /* kind, id */

#define NO_CLIENT UINT32_MAX

/* What is known of a client in this session. */
struct peer {
    uint32_t received; /* bytes of INPUT */
    uint32_t credit;   /* the host was told that it may send this many */
    uint8_t state;     /* as the host was told */
};

static struct {
    bool active;
    struct link link;
    struct control_hello hello;
    bool at_start; /* the last byte was a zero: a hello may begin */
    bool blocked;  /* the UART will notify when it has room */
    uint8_t token[LINK_TOKEN_SIZE];
    uint32_t next; /* round robin: the client whose output is sent next */
    struct peer peers[CONSOLE_MAX_CLIENTS];
} session;

static struct ring *uart_transmit, *uart_receive;
static struct client *clients;
static uint32_t client_count;

/* ---- Time ---- */

static uint64_t scale(uint64_t value, uint64_t from, uint64_t to)
{
    return value / from * to + value % from * to / from;
}

static uint64_t to_us(uint64_t ticks)
{
    return scale(ticks, cpu_counter_frequency(), 1000000);
}

static uint64_t to_ns(uint64_t ticks)
{
    return control_nanoseconds(ticks, cpu_counter_frequency());
}

uint64_t session_deadline(void)
{
    uint64_t silence = session.link.heard_at + LINK_SILENCE_US;
    uint64_t deadline = session.blocked ? silence : link_deadline(&session.link);

    return scale(deadline, 1000000, cpu_counter_frequency()) + 1;
}

/* ---- Messages ---- */

static uint32_t get16(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

static void commit(const uint8_t *message, const uint8_t *end)
{
    link_commit(&session.link, (uint32_t)(end - message));
}

static void welcome(uint64_t now)
{
    uint8_t *message = link_reserve(&session.link);
    uint8_t *at = control_put(message, CONTROL_WELCOME, 1);

    memcpy(at, session.token, LINK_TOKEN_SIZE);
    at = control_put(at + LINK_TOKEN_SIZE, CONTROL_VERSION, 2);
    commit(message, control_put(control_put(at, client_count, 2), to_ns(now), 8));
}

void session_init(struct ring *transmit, struct ring *receive, struct client *all, uint32_t count)
{
    memset(&session, 0, sizeof(session));
    counters_init();
    uart_transmit = transmit;
    uart_receive = receive;
    clients = all;
    client_count = count;
}

/* The host gets what the history has, so that it knows how a machine got where it is. */
static void replay(struct client *client)
{
    uint32_t known = client->total < CLIENT_HISTORY ? client->total : CLIENT_HISTORY;

    client->skipped = client->total - known;
    client_start_line(client, client->total - known);
}

void session_begin(const uint8_t token[LINK_TOKEN_SIZE], uint64_t now)
{
    memset(&session, 0, sizeof(session));
    memcpy(session.token, token, LINK_TOKEN_SIZE);
    session.active = true;
    for (uint32_t i = 0; i < client_count; i++) {
        replay(&clients[i]);
    }
    link_start(&session.link, LINK_BOARD, token, to_us(now));
    welcome(now);
}

bool session_active(void)
{
    return session.active;
}

/* ---- To the host ---- */

static bool send_lost(uint32_t index)
{
    uint8_t *message = link_reserve(&session.link);

    if (message == NULL) {
        return false;
    }
    uint8_t *at = control_put(control_put(message, CONTROL_LOST, 1), index, 1);
    uint64_t lost = clients[index].skipped;
    commit(message, control_put(at, lost < UINT32_MAX ? lost : UINT32_MAX, 4));
    clients[index].skipped = 0;
    return true;
}

static void copy_output(uint8_t *to, struct client *client, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        to[i] = client_byte(client, client->shown + i);
    }
}

static bool send_output(uint32_t index, uint8_t *message)
{
    struct client *client = &clients[index];
    uint32_t room = link_size_wanted(&session.link) - OUTPUT_HEADER;
    uint32_t count = client_unseen(client) < room ? client_unseen(client) : room;
    uint8_t *at = control_put(control_put(message, CONTROL_OUTPUT, 1), index, 1);

    copy_output(at, client, count);
    client_start_line(client, client->shown + count);
    commit(message, at + count);
    return true;
}

/* Up to a line's end, or as much as a message holds. PDs write whole lines. */
static bool send_line(uint32_t index, uint8_t *message)
{
    struct client *client = &clients[index];
    uint32_t unseen = client_unseen(client);
    uint32_t room = LINK_MESSAGE_MAX - LINE_HEADER;
    uint32_t count = 0;
    uint32_t ends = 0; /* bytes of the line's end */

    while (count < unseen && count < room && ends == 0) {
        ends = client_byte(client, client->shown + count) == '\n';
        count += ends == 0;
    }
    if (ends == 0 && count < room) {
        return false;
    }
    uint32_t text = count;
    while (text > 0 && client_byte(client, client->shown + text - 1) == '\r') {
        text--;
    }
    uint8_t *at = control_put(
        control_put(control_put(message, CONTROL_LINE, 1), to_ns(client->arrived), 8), index, 1);
    copy_output(at, client, text);
    client_start_line(client, client->shown + count + ends);
    commit(message, at + text);
    return true;
}

/*
 * How many bytes the machine has room for, and the host was not told of. Less than a step counts as
 * none, and then the machine notifies when it is a step.
 */
static uint32_t new_credit(struct client *client, const struct peer *peer)
{
    uint32_t unused = peer->credit - peer->received;
    uint32_t space;

    if (unused + CREDIT_STEP > client->input.size) {
        return 0;
    }
    do {
        space = ring_space(&client->input);
        if (space >= unused + CREDIT_STEP) {
            return space - unused;
        }
    } while (ring_await_space(&client->input, unused + CREDIT_STEP));
    return 0;
}

/* Returns whether something was sent. */
static bool send_credit(uint32_t index)
{
    struct peer *peer = &session.peers[index];
    uint32_t more = clients[index].config->log ? 0 : new_credit(&clients[index], peer);
    uint8_t *message = more == 0 ? NULL : link_reserve(&session.link);

    if (message == NULL) {
        return false;
    }
    peer->credit += more;
    commit(message, control_put(control_put(control_put(message, CONTROL_CREDIT, 1), index, 1),
                                peer->credit, 4));
    return true;
}

static bool send_event(uint32_t index, uint64_t now)
{
    uint8_t state = (uint8_t)power_state(&clients[index]);

    if (clients[index].config->log || state == session.peers[index].state) {
        return false;
    }
    uint8_t *message = link_reserve(&session.link);
    if (message == NULL) {
        return false;
    }
    session.peers[index].state = state;
    uint8_t *at =
        control_put(control_put(control_put(message, CONTROL_EVENT, 1), to_ns(now), 8), index, 1);
    commit(message, control_put(at, state, 1));
    return true;
}

static bool send_some_output(uint32_t index)
{
    struct client *client = &clients[index];

    if (client->skipped > 0) {
        return send_lost(index);
    }
    uint8_t *message = client_unseen(client) > 0 ? link_reserve(&session.link) : NULL;
    if (message == NULL) {
        return false;
    }
    return client->config->log ? send_line(index, message) : send_output(index, message);
}

/*
 * A turn of a client's is one message, so that none of them can keep the others' from the line.
 * Returns whether there was one, and room for it.
 */
static bool send_client(uint32_t index, uint64_t now)
{
    return send_credit(index) || send_event(index, now) || send_some_output(index);
}

static bool send_clients(uint64_t now)
{
    uint32_t first = session.next;
    bool progress = false;

    for (uint32_t i = 0; i < client_count; i++) {
        uint32_t index = (first + i) % client_count;

        progress |= client_fetch(&clients[index], false, now);
        if (send_client(index, now)) {
            progress = true;
            session.next = (index + 1) % client_count;
        }
    }
    return progress;
}

/* ---- From the host ---- */

/* The machine's index, or NO_CLIENT. */
static uint32_t machine(uint8_t index)
{
    return index < client_count && !clients[index].config->log ? index : NO_CLIENT;
}

static void take_input(const uint8_t *message, uint32_t length)
{
    uint32_t index = length > OUTPUT_HEADER ? machine(message[1]) : NO_CLIENT;

    if (index == NO_CLIENT) {
        return;
    }
    struct peer *peer = &session.peers[index];
    for (uint32_t i = OUTPUT_HEADER; i < length && peer->received != peer->credit; i++) {
        if (!client_put(&clients[index], message[i])) {
            break; /* a machine that has broken its ring */
        }
        peer->received++;
    }
    client_wake(&clients[index]);
}

/*
 * As many clients as fit before `wanted`, from the one that is asked for on; one at least, if it
 * fits before `end`.
 */
static uint8_t *list(uint8_t *at, const uint8_t *wanted, const uint8_t *end, uint32_t first)
{
    for (uint32_t i = first; i < client_count; i++) {
        const struct console_client *config = clients[i].config;
        size_t length = strlen(config->name);

        const uint8_t *limit = i == first ? end : wanted;

        if (length > UINT8_MAX || at + length + 4 > limit) {
            break;
        }
        at = control_put(at, i, 1);
        at = control_put(at, config->log ? CONTROL_LOG : CONTROL_MACHINE, 1);
        at = control_put(at, config->log ? CONSOLE_UNTOLD : (uint32_t)power_state(&clients[i]), 1);
        at = control_put(at, length, 1);
        memcpy(at, config->name, length);
        at += length;
    }
    return at;
}

/* Each of these writes the answer's data to `data`, behind its status; returns its end. */

static uint8_t *tell_power(uint8_t *data, uint8_t *status, const uint8_t *request)
{
    uint32_t index = machine(request[4]);

    if (index == NO_CLIENT) {
        *status = CONTROL_NO_CLIENT;
        return data;
    }
    *status = (uint8_t)power_command(&clients[index], request[5]);
    return control_put(data, (uint32_t)power_state(&clients[index]), 1);
}

static uint8_t *tell_size(uint8_t *data, uint8_t *status, const uint8_t *request)
{
    uint32_t index = machine(request[4]);

    if (index == NO_CLIENT) {
        *status = CONTROL_NO_CLIENT;
    } else {
        power_tell_size(&clients[index], get16(request + 5), get16(request + 7));
    }
    return data;
}

static uint8_t *tell_counters(uint8_t *data, uint8_t *status, const uint8_t *request,
                              const uint8_t *wanted)
{
    uint32_t set = get16(request + 5);
    uint32_t word = request[7];

    if (!counters_has(set, word)) {
        *status = CONTROL_UNKNOWN;
        return data;
    }
    return counters_put(data, wanted, set, word);
}

/* `message` is an answer that has its id already; returns its end. */
static uint8_t *fulfil(uint8_t *message, const uint8_t *request, uint32_t length)
{
    const uint8_t *wanted = message + link_size_wanted(&session.link);
    uint8_t *status = message + ANSWER_HEADER;
    uint8_t *data = control_put(status, CONTROL_OK, 1);

    switch (request[3] << 8 | length) {
    case CONTROL_LIST << 8 | 5:
        return list(data, wanted, message + LINK_MESSAGE_MAX, request[4]);
    case CONTROL_POWER << 8 | 6:
        return tell_power(data, status, request);
    case CONTROL_SIZE << 8 | 9:
        return tell_size(data, status, request);
    case CONTROL_SETS << 8 | 7:
        return counters_list(data, wanted, get16(request + 5));
    case CONTROL_STATS << 8 | 8:
        return tell_counters(data, status, request, wanted);
    default:
        *status = CONTROL_UNKNOWN;
        return data;
    }
}

/* Returns false if there is no room for the answer: the request has to wait. */
static bool take_request(const uint8_t *request, uint32_t length)
{
    if (length < 5) {
        return true; /* without an id there is nothing to answer */
    }
    uint8_t *answer = link_reserve(&session.link);
    if (answer == NULL) {
        return false;
    }
    control_put(control_put(answer, CONTROL_ANSWER, 1), get16(request + 1), 2);
    commit(answer, fulfil(answer, request, length));
    return true;
}

/* Returns false if the message has to wait. */
static bool take_message(const uint8_t *message, uint32_t length)
{
    switch (message[0]) {
    case CONTROL_BYE:
        session.active = false;
        return true;
    case CONTROL_INPUT:
        take_input(message, length);
        return true;
    case CONTROL_REQUEST:
        return take_request(message, length);
    default:
        return true;
    }
}

static bool take_messages(void)
{
    bool progress = false;
    const uint8_t *message;
    uint32_t length;

    while (session.active && (message = link_peek(&session.link, &length)) != NULL &&
           take_message(message, length)) {
        link_release(&session.link);
        progress = true;
    }
    return progress;
}

/* Whether this byte completes a hello, which may only begin behind a zero. */
static bool completes_hello(uint8_t byte)
{
    if (session.at_start) {
        control_hello_start(&session.hello);
    }
    session.at_start = byte == 0;
    return control_hello_take(&session.hello, byte) == CONTROL_HELLO_WHOLE;
}

void session_take(const uint8_t *bytes, uint32_t count, uint64_t now)
{
    uint32_t first = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint8_t token[LINK_TOKEN_SIZE];

        if (!completes_hello(bytes[i])) {
            continue;
        }
        memcpy(token, session.hello.token, sizeof(token));
        /* The host repeats its hello until it has an answer. */
        if (memcmp(token, session.token, sizeof(token)) != 0) {
            session_begin(token, now);
            first = i + 1;
        }
    }
    link_receive(&session.link, bytes + first, count - first, to_us(now));
}

static bool receive(uint64_t now)
{
    uint8_t bytes[RECEIVED_MAX];
    uint32_t count;

    do {
        count = ring_read(uart_receive, bytes, sizeof(bytes));
    } while (count == 0 && ring_await_data(uart_receive));
    if (count > 0 && ring_take_space_wanted(uart_receive)) {
        microkit_notify(console_config.uart_channel);
    }
    session_take(bytes, count, now);
    return count > 0;
}

/* ---- The line ---- */

/* Give the UART what it has room for. Returns whether there was something. */
static bool transmit(uint64_t now)
{
    bool progress = false;

    session.blocked = false;
    for (;;) {
        uint8_t bytes[LINK_FRAME_MAX];
        uint32_t space = ring_space(uart_transmit);
        uint32_t room = uart_transmit->size - space < QUEUED_MAX ? sizeof(bytes) : 0;

        if (room == 0) {
            session.blocked =
                !ring_await_space(uart_transmit, uart_transmit->size - QUEUED_MAX / 2);
            if (session.blocked) {
                return progress;
            }
            continue;
        }
        uint32_t count =
            link_transmit(&session.link, bytes, room < space ? room : space, to_us(now));
        if (count == 0) {
            return progress;
        }
        ring_write(uart_transmit, bytes, count);
        progress = true;
    }
}

bool session_serve(uint64_t now)
{
    bool progress = receive(now);

    if (!link_alive(&session.link, to_us(now))) {
        session.active = false;
    }
    progress |= take_messages();
    if (!session.active) {
        return true;
    }
    progress |= send_clients(now);
    progress |= transmit(now);
    return progress;
}
