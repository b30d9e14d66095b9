/* SPDX-License-Identifier: BSD-2-Clause */
#include "clients.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "bytes.h"
#include "counters.h"
#include "lib/console_state.h"
#include "lib/control.h"
#include "machines.h"
#include "session.h"
#include "states.h"
#include "wire.h"

#define OUT_MAX     (256u << 10) /* bytes that wait for a client */
#define IN_MAX      4096u
#define WORDS_MAX   8u
#define PATIENCE_US 5000000u /* for what a client is still to read when it is done */
#define ANSWER_US   10000000u
#define STATES_US   3000000u /* for monitors to begin */
#define LINES_SHOWN 24u
#define FOREVER     UINT64_MAX

struct client {
    int fd; /* -1: none */
    struct bytes in, out;
    bool commanded; /* its first packet has come */
    bool starting, attached, wants_end;
    uint64_t up_at; /* starting: when it is up, whatever the machines say; 0: not connected */
    bool done;      /* its exit status is in `out` */
    uint64_t give_up_at;

    int viewing; /* a machine's number, or -1 */
    bool script; /* no terminal: it ends by itself */
    bool ended;  /* no more input */
    uint64_t linger_us, ended_at;

    uint16_t request; /* that it waits for; 0: none */
    int asked;        /* the machine that it is about */
    bool counting;    /* it waits for what the board has counted */
};

static struct client clients[CLIENTS_MAX];
static const char *system_name;
static bool want_end;

void clients_init(const char *system)
{
    system_name = system;
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        clients[i].fd = -1;
    }
}

bool clients_want_end(void)
{
    return want_end;
}

static void drop(struct client *client)
{
    if (client->starting || client->attached) {
        want_end = true;
    }
    close(client->fd);
    bytes_free(&client->in);
    bytes_free(&client->out);
    client->fd = -1;
}

void clients_add(int fd, bool starting, bool attached)
{
    struct client *client = NULL;

    for (uint32_t i = 0; i < CLIENTS_MAX && client == NULL; i++) {
        client = clients[i].fd < 0 ? &clients[i] : NULL;
    }
    if (client == NULL) {
        close(fd);
        return;
    }
    memset(client, 0, sizeof(*client));
    fcntl(fd, F_SETFL, O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    client->fd = fd;
    client->viewing = -1;
    client->starting = starting;
    client->attached = attached;
    client->commanded = starting;
    client->give_up_at = FOREVER;
}

/* ---- What clients are told ---- */

static void finish(struct client *client, uint8_t status)
{
    if (!client->done) {
        wire_add(&client->out, WIRE_EXIT, &status, 1);
        client->done = true;
        client->viewing = -1;
        client->request = 0;
        client->counting = false;
    }
}

static void tell(struct client *client, enum wire_kind kind, const struct bytes *text)
{
    if (!client->done) {
        wire_add(&client->out, kind, text->data, text->count);
    }
}

static void say(struct client *client, enum wire_kind kind, const char *text)
{
    if (!client->done) {
        wire_add(&client->out, kind, text, strlen(text));
    }
}

static void refuse(struct client *client, const char *text)
{
    say(client, WIRE_ERROR, "braid: ");
    say(client, WIRE_ERROR, text);
    finish(client, 1);
}

/* A client that does not read. What it has not read by now is all that it gets. */
static void check_slow(struct client *client)
{
    if (client->out.count > OUT_MAX && !client->done) {
        refuse(client, "this command has read too slowly, and is disconnected; `braid logs` has "
                       "what it has missed\n");
    }
}

void clients_output(uint32_t index, const uint8_t *bytes, size_t count)
{
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &clients[i];

        if (client->fd >= 0 && !client->done && client->viewing == (int)index) {
            wire_add(&client->out, WIRE_TEXT, bytes, count);
            check_slow(client);
        }
    }
}

static void tell_up(struct client *client)
{
    struct bytes text = {0};
    uint32_t count = 0;

    for (uint32_t i = 0; i < machines_count(); i++) {
        const struct machine *machine = machines_get(i);

        count += machine->present && machine->kind == CONTROL_MACHINE;
    }
    bytes_print(&text, "%s: up, with %u machine%s\n", system_name, count, count == 1 ? "" : "s");
    tell(client, WIRE_TEXT, &text);
    bytes_free(&text);
    client->starting = false;
    if (!client->attached) {
        finish(client, 0);
    }
}

/* Whether each machine's monitor has said how it is. It does once it has begun. */
static bool states_are_known(void)
{
    for (uint32_t i = 0; i < machines_count(); i++) {
        const struct machine *machine = machines_get(i);

        if (machine->present && machine->kind == CONTROL_MACHINE &&
            machine->state == CONSOLE_UNTOLD) {
            return false;
        }
    }
    return true;
}

/* A script goes on with `braid ps` or `braid pause` at once, and these need the states. */
static void check_up(struct client *client, uint64_t now)
{
    if (client->starting && client->up_at != 0 && (states_are_known() || now >= client->up_at)) {
        tell_up(client);
    }
}

void clients_connected(uint64_t now)
{
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        clients[i].up_at = now + STATES_US;
    }
}

/* Whether it is a script whose machine has not got all that it has said. */
static bool is_sending(const struct client *client)
{
    return client->script && client->viewing >= 0 &&
           (client->in.count > 0 || !session_delivered((uint32_t)client->viewing));
}

void clients_disconnected(void)
{
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &clients[i];

        client->up_at = 0;
        if (client->fd >= 0 && (client->request != 0 || client->counting)) {
            refuse(client, "the board has not answered: the session was lost\n");
        } else if (client->fd >= 0 && is_sending(client)) {
            refuse(client, "the session was lost before the machine had all of the input\n");
        }
    }
}

void clients_replaced(uint32_t index)
{
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        if (clients[i].fd >= 0 && clients[i].viewing == (int)index) {
            refuse(&clients[i], "the board runs another system now, and this machine is not in "
                                "its place any more; `braid ps` has those that are there\n");
        }
    }
}

void clients_fail(const char *message)
{
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        if (clients[i].fd >= 0 && clients[i].starting) {
            refuse(&clients[i], message);
        }
    }
}

/* The machine is in no state for what was asked for. */
static void refuse_state(struct client *client)
{
    const struct machine *machine = machines_get((uint32_t)client->asked);
    struct bytes text = {0};

    if (machine != NULL && machine->present) {
        bytes_print(&text, "braid: %s is %s: this cannot be done to it now\n", machine->name,
                    states_name(machine->state));
        tell(client, WIRE_ERROR, &text);
        bytes_free(&text);
    }
    finish(client, 1);
}

void clients_answer(uint16_t request, uint8_t status)
{
    static const char *const texts[] = {
        "the board does not know this request: it is older or newer than this braid\n",
        "the board says that it has no such machine\n",
    };

    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &clients[i];

        if (client->fd < 0 || client->request != request) {
            continue;
        }
        if (status == CONTROL_OK) {
            finish(client, 0);
        } else if (status == CONTROL_NOT_NOW) {
            refuse_state(client);
        } else {
            refuse(client, texts[status == CONTROL_NO_CLIENT]);
        }
    }
}

void clients_counters(const struct bytes *text)
{
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        if (clients[i].fd >= 0 && clients[i].counting) {
            tell(&clients[i], WIRE_COUNTERS, text);
            finish(&clients[i], 0);
        }
    }
}

static void refuse_counters(struct client *client, const char *why)
{
    say(client, WIRE_ERROR, "braid: ");
    say(client, WIRE_ERROR, system_name);
    say(client, WIRE_ERROR, ": ");
    say(client, WIRE_ERROR, why);
    finish(client, 1);
}

void clients_counters_failed(const char *why)
{
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        if (clients[i].fd >= 0 && clients[i].counting) {
            refuse_counters(&clients[i], why);
        }
    }
}

/* ---- Commands ---- */

/* words: ps FORMAT COLOUR */
static void command_ps(struct client *client, const char *format, bool colour)
{
    bool json = strcmp(format, "json") == 0;
    struct bytes text = {0};

    for (uint32_t i = 0; i < machines_count(); i++) {
        const struct machine *machine = machines_get(i);
        const char *kind = machine->kind == CONTROL_MACHINE ? "machine" : "program";
        const char *state = machine->kind == CONTROL_MACHINE ? states_name(machine->state) : "-";

        if (!machine->present || (!json && machine->kind != CONTROL_MACHINE)) {
            continue;
        }
        if (json) {
            bytes_print(&text, "{\"system\": \"%s\", \"name\": ", system_name);
            bytes_add_json(&text, machine->name, strlen(machine->name));
            bytes_print(&text, ", \"kind\": \"%s\", \"state\": \"%s\", \"connected\": %s}\n", kind,
                        state, session_open() ? "true" : "false");
        } else {
            bytes_print(&text, "%-20s %-20s ", system_name, machine->name);
            states_add(&text, state, colour);
            bytes_print(&text, "\n");
        }
    }
    tell(client, WIRE_TEXT, &text);
    bytes_free(&text);
    if (!session_open()) {
        say(client, WIRE_ERROR, "braid: the board does not answer at the moment\n");
    }
    finish(client, 0);
}

/* The machine's number, or -1 after an answer to the client. */
static int find_machine(struct client *client, const char *name)
{
    int index = machines_find(name);

    if (index < 0) {
        struct bytes text = {0};

        bytes_print(&text, "braid: %s: ", system_name);
        machines_explain(name, &text);
        tell(client, WIRE_ERROR, &text);
        bytes_free(&text);
        finish(client, 1);
    }
    return index;
}

static void command_power(struct client *client, const char *verb, const char *name, uint64_t now)
{
    static const char *const verbs[] = {"start", "stop", "kill", "restart", "pause", "resume"};

    for (uint8_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        uint8_t number = (uint8_t)(CONTROL_START + i);

        if (strcmp(verb, verbs[i]) == 0) {
            int index = find_machine(client, name);

            if (index < 0) {
                return;
            }
            client->request = session_request(CONTROL_POWER, (uint8_t)index, &number, 1);
            client->asked = index;
            client->give_up_at = now + ANSWER_US;
            if (client->request == 0) {
                refuse(client, "the board does not answer at the moment\n");
            }
            return;
        }
    }
    refuse(client, "the background process is another version's: `braid down`, and up again\n");
}

static void command_counters(struct client *client, uint64_t now)
{
    client->counting = true;
    if (!counters_ask(now)) {
        refuse_counters(client, "the board does not answer at the moment\n");
    }
}

/* The last lines of what the machine has written. */
static void show_history(struct client *client, const struct machine *machine)
{
    size_t at = machine->history.count;
    uint32_t lines = 0;

    if (at > MACHINE_HISTORY_MAX) {
        at = MACHINE_HISTORY_MAX;
    }
    const uint8_t *first = machine->history.data + (machine->history.count - at);
    size_t count = at;
    while (at > 0 && lines < LINES_SHOWN) {
        at--;
        lines += at > 0 && first[at - 1] == '\n';
    }
    if (count > at) {
        wire_add(&client->out, WIRE_TEXT, first + at, count - at);
    }
}

/* words: console NAME MODE LINGER */
static void command_console(struct client *client, const char *name, const char *mode,
                            const char *linger)
{
    int index = find_machine(client, name);

    if (index < 0) {
        return;
    }
    client->script = strcmp(mode, "script") == 0;
    client->linger_us = strtoull(linger, NULL, 10) * 1000;
    if (!client->script) {
        show_history(client, machines_get((uint32_t)index));
    }
    client->viewing = index;
}

static void take_command(struct client *client, const uint8_t *data, size_t length, uint64_t now)
{
    char text[WIRE_LENGTH_MAX + 1];
    const char *words[WORDS_MAX];
    uint32_t count = 0;
    size_t at = 0;

    memcpy(text, data, length);
    text[length] = '\0';
    for (uint32_t i = 0; i < WORDS_MAX; i++) {
        words[i] = "";
    }
    while (at < length && count < WORDS_MAX) {
        words[count++] = text + at;
        at += strlen(text + at) + 1;
    }
    client->commanded = true;
    if (strcmp(words[0], "ps") == 0) {
        command_ps(client, words[1], strcmp(words[2], "colour") == 0);
    } else if (strcmp(words[0], "console") == 0) {
        command_console(client, words[1], words[2], words[3]);
    } else if (strcmp(words[0], "counters") == 0) {
        command_counters(client, now);
    } else if (strcmp(words[0], "down") == 0) {
        client->wants_end = true;
        want_end = true;
    } else {
        command_power(client, words[0], words[1], now);
    }
}

static void take_size(const struct client *client, const uint8_t *data, size_t length)
{
    struct machine *machine =
        client->viewing < 0 || length != 4 ? NULL : machines_get((uint32_t)client->viewing);

    if (machine == NULL || memcmp(data, (uint8_t[4]){0}, 4) == 0) {
        return;
    }
    uint16_t columns = (uint16_t)(data[0] | data[1] << 8);
    uint16_t rows = (uint16_t)(data[2] | data[3] << 8);
    if ((columns != machine->columns || rows != machine->rows) &&
        session_request(CONTROL_SIZE, (uint8_t)client->viewing, data, 4) != 0) {
        machine->columns = columns;
        machine->rows = rows;
    }
}

/* Returns false if the machine has no room for these keys now. */
static bool take_input(const struct client *client, const uint8_t *data, size_t length)
{
    struct machine *machine = client->viewing < 0 ? NULL : machines_get((uint32_t)client->viewing);

    if (machine == NULL) {
        return true;
    }
    if (machine->input.count + length > MACHINE_INPUT_MAX) {
        return false;
    }
    bytes_add(&machine->input, data, length);
    return true;
}

/* Returns false if the packet has to wait. */
static bool take_packet(struct client *client, int kind, const uint8_t *data, size_t length,
                        uint64_t now)
{
    if (!client->commanded) {
        if (kind != WIRE_COMMAND) {
            finish(client, 2);
            return true;
        }
        take_command(client, data, length, now);
        return true;
    }
    switch (kind) {
    case WIRE_INPUT:
        return take_input(client, data, length);
    case WIRE_SIZE:
        take_size(client, data, length);
        return true;
    case WIRE_END:
        client->ended = true;
        client->ended_at = now;
        return true;
    default:
        return true;
    }
}

static void take_packets(struct client *client, uint64_t now)
{
    const uint8_t *data;
    size_t length;
    int kind;

    while (!client->done && (kind = wire_peek(&client->in, &data, &length)) != 0) {
        if (kind < 0) {
            finish(client, 2);
            return;
        }
        if (!take_packet(client, kind, data, length, now)) {
            return;
        }
        bytes_take(&client->in, WIRE_HEADER + length);
    }
}

/* ---- Connections ---- */

/* Whether there is room for what it says. */
static bool may_read(const struct client *client)
{
    return client->in.count < IN_MAX;
}

void clients_poll(struct pollfd *polls)
{
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        const struct client *client = &clients[i];

        polls[i] = (struct pollfd){.fd = client->fd};
        if (client->fd >= 0) {
            polls[i].events =
                (short)((may_read(client) ? POLLIN : 0) | (client->out.count > 0 ? POLLOUT : 0));
        }
    }
}

/* Returns false if the client has gone. */
static bool receive(struct client *client)
{
    uint8_t bytes[2048];
    ssize_t count = read(client->fd, bytes, sizeof(bytes));

    if (count > 0) {
        bytes_add(&client->in, bytes, (size_t)count);
    }
    return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

static bool transmit(struct client *client)
{
    ssize_t count = write(client->fd, client->out.data, client->out.count);

    if (count > 0) {
        bytes_take(&client->out, (size_t)count);
    }
    return count >= 0 || errno == EAGAIN || errno == EINTR;
}

/* When a script's console is done: its machine has the input, and has been quiet since. */
static uint64_t quiet_at(const struct client *client)
{
    const struct machine *machine =
        client->viewing < 0 ? NULL : machines_get((uint32_t)client->viewing);

    if (machine == NULL || !client->script || !client->ended || client->in.count > 0 ||
        !session_delivered((uint32_t)client->viewing)) {
        return FOREVER;
    }
    uint64_t since =
        machine->last_output > client->ended_at ? machine->last_output : client->ended_at;
    return since + client->linger_us;
}

static void check_time(struct client *client, uint64_t now)
{
    if (client->script && client->ended && client->viewing >= 0 &&
        !session_delivered((uint32_t)client->viewing)) {
        client->ended_at = now;
    }
    if (now >= quiet_at(client)) {
        finish(client, 0);
    }
    if (client->request != 0 && now >= client->give_up_at) {
        refuse(client, "the board has not answered within 10 seconds\n");
        client->give_up_at = FOREVER;
    }
    if (client->done && client->give_up_at == FOREVER) {
        client->give_up_at = now + PATIENCE_US;
    }
}

static void serve(struct client *client, short events, uint64_t now)
{
    bool there = true;

    if ((events & (POLLIN | POLLHUP | POLLERR)) != 0) {
        there = receive(client);
    }
    if (!there && client->attached) {
        /* Ctrl-C at `up --foreground`: it says no more, and reads until all has ended. */
        client->wants_end = want_end = true;
        there = true;
    }
    take_packets(client, now);
    check_time(client, now);
    if (there && client->out.count > 0) {
        there = transmit(client);
    }
    if (!there || (client->done && (client->out.count == 0 || now >= client->give_up_at))) {
        drop(client);
    }
}

void clients_serve(const struct pollfd *polls, uint64_t now)
{
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        if (clients[i].fd >= 0) {
            check_up(&clients[i], now);
            serve(&clients[i], polls[i].fd == clients[i].fd ? polls[i].revents : 0, now);
        }
    }
}

uint64_t clients_deadline(uint64_t now)
{
    uint64_t deadline = FOREVER;

    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        const struct client *client = &clients[i];

        if (client->fd < 0) {
            continue;
        }
        uint64_t quiet = quiet_at(client);
        /* Input that waits for the machine, or for the board to have it: looked at again soon. */
        if ((client->in.count > 0 || client->ended) && quiet == FOREVER) {
            quiet = now + 20000;
        }
        quiet = client->give_up_at < quiet ? client->give_up_at : quiet;
        if (client->starting && client->up_at != 0 && client->up_at < quiet) {
            quiet = client->up_at;
        }
        deadline = quiet < deadline ? quiet : deadline;
    }
    return deadline;
}

void clients_end(const char *message, uint8_t status)
{
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &clients[i];

        if (client->fd < 0) {
            continue;
        }
        client->starting = client->attached = false;
        if (client->wants_end) {
            finish(client, 0);
        } else if (!client->done) {
            say(client, WIRE_ERROR, "braid: ");
            say(client, WIRE_ERROR, message);
            finish(client, status);
        }
    }
    for (int tries = 0; tries < 50; tries++) {
        bool any = false;

        for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
            if (clients[i].fd >= 0 && clients[i].out.count > 0) {
                if (!transmit(&clients[i])) {
                    clients[i].out.count = 0;
                }
                any = true;
            }
        }
        if (!any) {
            return;
        }
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
}
