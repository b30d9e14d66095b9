/* SPDX-License-Identifier: BSD-2-Clause */
#include "machines.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "clients.h"
#include "lib/console_state.h"
#include "lib/control.h"
#include "names.h"
#include "states.h"

#define NUMBERS   256u
#define EARLY_MAX 65536u
#define FILE_MAX  64u /* characters of a log's name before .log */

/* By how much the board's time may seem to be behind: messages take a while, and in `passed`
 * ns two clocks drift apart by less than a thousandth. */
#define SLACK_NS(passed) (UINT64_C(10000000000) + (passed) / 1000)

static struct machine machines[NUMBERS];
static uint32_t count_now;
static int log_directory;
static struct log_file events;
/* The newest time that the board has told, in nanoseconds, and when, in microseconds here. */
static uint64_t board_time, told_at;

void machines_init(int directory)
{
    log_directory = directory;
    log_file_open(&events, directory, "events");
}

void machines_disconnected(void)
{
    for (uint32_t i = 0; i < NUMBERS; i++) {
        bytes_free(&machines[i].input);
        machines[i].last_input = 0;
    }
}

uint32_t machines_count(void)
{
    return count_now;
}

struct machine *machines_get(uint32_t index)
{
    return index < count_now ? &machines[index] : NULL;
}

int machines_find(const char *name)
{
    for (uint32_t i = 0; i < count_now; i++) {
        if (machines[i].present && machines[i].kind == CONTROL_MACHINE &&
            strcmp(machines[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

void machines_explain(const char *wanted, struct bytes *text)
{
    const char *names[NUMBERS];
    size_t count = 0;

    for (uint32_t i = 0; i < count_now; i++) {
        if (machines[i].present && machines[i].kind == CONTROL_MACHINE) {
            names[count++] = machines[i].name;
        }
    }
    names_explain(text, "machine", wanted, names, count);
}

/* ---- Logs ---- */

/* A name of the board's may be no file's name, or another log's. */
static void open_log(uint32_t index)
{
    struct machine *machine = &machines[index];
    char file[FILE_MAX + 5];
    bool plain = machine->name[0] != '\0' && strlen(machine->name) <= FILE_MAX;

    for (const char *c = machine->name; *c != '\0'; c++) {
        plain = plain && (isalnum((unsigned char)*c) || *c == '-' || *c == '_');
    }
    for (uint32_t i = 0; i < NUMBERS; i++) {
        plain = plain &&
                (i == index || !machines[i].logged || strcmp(machines[i].name, machine->name) != 0);
    }
    if (plain) {
        snprintf(file, sizeof(file), "%s.log", machine->name);
    } else {
        snprintf(file, sizeof(file), "client.%u.log", index);
    }
    log_file_open(&machine->log, log_directory, file);
    machine->logged = true;
}

static void add_log(struct machine *machine, const void *bytes, size_t count)
{
    if (machine->logged) {
        log_file_add(&machine->log, bytes, count);
    }
}

static void note(const char *name, const char *what, uint64_t time)
{
    struct bytes line = {0};

    bytes_print(&line, "%s %s %" PRIu64 "\n", name, what, time);
    log_file_add(&events, line.data, line.count);
    bytes_free(&line);
}

void machines_note(const char *what)
{
    note("-", what, board_time);
}

/* ---- The board's time ---- */

static void take_time(uint64_t time, uint64_t now)
{
    if (time >= board_time) {
        board_time = time;
        told_at = now;
    }
}

/* Whether its counter cannot be at `time` now if the board went on since it was last heard. */
static bool has_restarted(uint64_t time, uint64_t now)
{
    uint64_t passed = (now - told_at) * 1000;

    return time < board_time || time + SLACK_NS(passed) < board_time + passed;
}

/* ---- Sessions ---- */

/* The number is another machine's from now on. */
static void forget(struct machine *machine, uint32_t index)
{
    bytes_free(&machine->input);
    bytes_free(&machine->history);
    machine->seen = machine->position;
    machine->repeated = machine->gapless = 0;
    machine->line_time = machine->line_time_before = 0;
    clients_replaced(index);
}

static void start_session(struct machine *machine, bool anew)
{
    machine->present = false;
    machine->state = CONSOLE_UNTOLD;
    bytes_free(&machine->early);
    machine->early_dropped = 0;
    machine->position = machine->repeated = 0;
    if (anew) {
        machine->seen = machine->gapless = 0;
        machine->line_time = 0;
    }
    machine->line_time_before = machine->line_time;
    machine->credit = machine->sent = 0;
    machine->columns = machine->rows = 0;
}

void machines_session(uint32_t count, uint64_t time, uint64_t now)
{
    static bool any;
    uint32_t before = count_now;
    bool other = any && count != before;
    bool anew = any && (other || has_restarted(time, now));

    any = true;
    count_now = count < NUMBERS ? count : NUMBERS;
    board_time = time;
    told_at = now;
    if (anew) {
        machines_note("board-started-anew");
    }
    for (uint32_t i = 0; i < NUMBERS; i++) {
        start_session(&machines[i], anew);
        if (other) {
            forget(&machines[i], i);
        }
    }
}

/* ---- What the board writes ---- */

/* Output that is new. */
static void add_output(uint32_t index, const uint8_t *bytes, size_t count, uint64_t now)
{
    struct machine *machine = &machines[index];

    machine->last_output = now;
    add_log(machine, bytes, count);
    bytes_add(&machine->history, bytes, count);
    machine->gapless += (uint32_t)count;
    if (machine->history.count / 2 > MACHINE_HISTORY_MAX) {
        bytes_take(&machine->history, machine->history.count - MACHINE_HISTORY_MAX);
    }
    if (machine->gapless > machine->history.count) {
        machine->gapless = (uint32_t)machine->history.count;
    }
    clients_output(index, bytes, count);
}

/* How many bytes from the position on are written down already. A gap in between may be larger
 * than half of all numbers: then none. */
static uint32_t known_bytes(const struct machine *machine)
{
    uint32_t ahead = machine->seen - machine->position;

    return ahead <= INT32_MAX ? ahead : 0;
}

/* Whether these bytes are what was written down at their place, as far as that can be known. */
static bool is_repetition(const struct machine *machine, const uint8_t *bytes, uint32_t count)
{
    uint32_t known = known_bytes(machine);

    if (known > MACHINE_HISTORY_MAX) {
        return false; /* no board keeps so much, so its total is less than it was */
    }
    return known > machine->gapless ||
           memcmp(machine->history.data + (machine->history.count - known), bytes, count) == 0;
}

/* The board was started anew. What has come in this session and seemed to be written down already,
 * for the same machine begins with the same words, is new. */
static void reveal(uint32_t index, uint64_t now)
{
    struct machine *machine = &machines[index];
    uint32_t count = machine->repeated;
    size_t behind = known_bytes(machine) + (size_t)count;
    struct bytes text = {0};

    if (behind <= machine->gapless) {
        bytes_add(&text, machine->history.data + (machine->history.count - behind), count);
    }
    machine->seen = machine->position;
    machine->repeated = machine->gapless = 0;
    machine->line_time_before = 0;
    add_output(index, text.data, text.count, now);
    bytes_free(&text);
}

static void take_output(uint32_t index, const uint8_t *bytes, uint32_t count, uint64_t now)
{
    struct machine *machine = &machines[index];
    uint32_t known = known_bytes(machine);

    known = known < count ? known : count;
    if (known > 0 && !is_repetition(machine, bytes, known)) {
        machines_note("board-started-anew");
        for (uint32_t i = 0; i < count_now; i++) {
            reveal(i, now);
        }
        known = 0;
    }
    machine->repeated = known_bytes(machine) > machine->gapless ? 0 : machine->repeated + known;
    machine->position += count;
    if (known < count) {
        machine->seen = machine->position;
        add_output(index, bytes + known, count - known, now);
    }
}

static void take_lost(struct machine *machine, uint32_t count)
{
    machine->position += count;
    uint32_t lost = machine->position - machine->seen;
    if (lost > 0 && lost <= INT32_MAX) {
        char text[80];
        int length = snprintf(text, sizeof(text),
                              "\n[braid: the board has dropped %" PRIu32 " bytes here]\n", lost);

        machine->seen = machine->position;
        machine->gapless = machine->repeated = 0;
        add_log(machine, text, (size_t)length);
    }
}

static void take_line(struct machine *machine, uint64_t time, const uint8_t *bytes, size_t count)
{
    if (time <= machine->line_time_before && machine->line_time_before > 0) {
        return;
    }
    machine->line_time = time;
    add_log(machine, bytes, count);
    add_log(machine, "\n", 1);
}

static uint64_t get(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes; i++) {
        value |= (uint64_t)at[i] << (8 * i);
    }
    return value;
}

/* Which client a message of output is about, or -1: it is another message. */
static int writer(const uint8_t *message, size_t length)
{
    bool output = message[0] == CONTROL_OUTPUT && length > 2;
    bool lost = message[0] == CONTROL_LOST && length == 6;

    if (output || lost) {
        return message[1];
    }
    return message[0] == CONTROL_LINE && length >= 10 ? message[9] : -1;
}

static void take_writing(uint32_t index, const uint8_t *message, size_t length, uint64_t now)
{
    struct machine *machine = &machines[index];

    switch (message[0]) {
    case CONTROL_OUTPUT:
        take_output(index, message + 2, (uint32_t)length - 2, now);
        break;
    case CONTROL_LOST:
        take_lost(machine, (uint32_t)get(message + 2, 4));
        break;
    default:
        take_time(get(message + 1, 8), now);
        take_line(machine, get(message + 1, 8), message + 10, length - 10);
        break;
    }
}

/* Before the name is known, nobody knows whether this goes on where another session ended. */
static void put_aside(struct machine *machine, const uint8_t *message, size_t length)
{
    uint8_t size = (uint8_t)length;

    if (machine->early_dropped == 0 && machine->early.count + length < EARLY_MAX) {
        bytes_add(&machine->early, &size, 1);
        bytes_add(&machine->early, message, length);
    } else if (message[0] == CONTROL_OUTPUT) {
        machine->early_dropped += (uint32_t)length - 2;
    } else if (message[0] == CONTROL_LOST) {
        machine->early_dropped += (uint32_t)get(message + 2, 4);
    }
}

static void take_early(uint32_t index, uint64_t now)
{
    struct machine *machine = &machines[index];
    struct bytes early = machine->early;
    uint32_t dropped = machine->early_dropped;

    memset(&machine->early, 0, sizeof(machine->early));
    machine->early_dropped = 0;
    for (size_t at = 0; at < early.count; at += 1u + early.data[at]) {
        take_writing(index, early.data + at + 1, early.data[at], now);
    }
    bytes_free(&early);
    take_lost(machine, dropped);
}

/* ---- What the board says ---- */

void machines_name(uint32_t index, uint8_t kind, uint8_t state, const uint8_t *name, size_t length,
                   uint64_t now)
{
    struct machine *machine = machines_get(index);
    struct bytes text = {0};

    if (machine == NULL) {
        return;
    }
    bytes_add_escaped(&text, name, length);
    bytes_add(&text, "", 1);
    /* A blank would look like the end of the name. */
    for (char *c = (char *)text.data; *c != '\0'; c++) {
        *c = *c == ' ' || *c == '\t' ? '_' : *c;
    }
    if (machine->name == NULL || strcmp(machine->name, (char *)text.data) != 0) {
        if (machine->logged) {
            log_file_close(&machine->log);
            machine->logged = false;
        }
        if (machine->name != NULL) {
            forget(machine, index);
        }
        free(machine->name);
        machine->name = (char *)text.data;
        open_log(index);
    } else {
        bytes_free(&text);
    }
    bool is_new = !machine->present;
    machine->present = true;
    machine->kind = kind;
    machine->state = state;
    if (is_new && kind == CONTROL_MACHINE) {
        note(machine->name, states_name(state), board_time);
    }
    take_early(index, now);
}

static void take_event(uint32_t index, uint64_t time, uint8_t state)
{
    struct machine *machine = machines_get(index);

    if (machine == NULL) {
        return;
    }
    if (machine->present && machine->state != state) {
        note(machine->name, states_name(state), time);
    }
    machine->state = state;
}

void machines_message(const uint8_t *message, size_t length, uint64_t now)
{
    int index = writer(message, length);
    struct machine *machine = index < 0 ? NULL : machines_get((uint32_t)index);

    if (message[0] == CONTROL_EVENT && length == 11) {
        take_time(get(message + 1, 8), now);
        take_event(message[9], get(message + 1, 8), message[10]);
    } else if (machine != NULL && machine->present) {
        take_writing((uint32_t)index, message, length, now);
    } else if (machine != NULL) {
        put_aside(machine, message, length);
    }
}

void machines_close(void)
{
    for (uint32_t i = 0; i < NUMBERS; i++) {
        if (machines[i].logged) {
            log_file_close(&machines[i].log);
            machines[i].logged = false;
        }
    }
    log_file_close(&events);
}
