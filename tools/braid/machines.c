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

#define NUMBERS   256u
#define EARLY_MAX 65536u
#define FILE_MAX  64u /* characters of a log's name before .log */

static struct machine machines[NUMBERS];
static uint32_t count_now;
static int log_directory;
static struct log_file events;
static uint64_t board_time; /* of the newest event */

void machines_init(int directory)
{
    log_directory = directory;
    log_file_open(&events, directory, "events");
}

void machines_session(uint32_t count)
{
    count_now = count < NUMBERS ? count : NUMBERS;
    for (uint32_t i = 0; i < NUMBERS; i++) {
        struct machine *machine = &machines[i];

        machine->present = false;
        machine->state = CONSOLE_UNTOLD;
        machine->position = 0;
        machine->line_time_before = machine->line_time;
        machine->credit = machine->sent = 0;
        machine->columns = machine->rows = 0;
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

const char *machines_state_name(uint8_t state)
{
    static const char *const names[] = {"unknown", "running",  "off",
                                        "stopped", "panicked", "paused"};

    return state < sizeof(names) / sizeof(names[0]) ? names[state] : names[0];
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
    } else if (machine->early.count + count <= EARLY_MAX) {
        bytes_add(&machine->early, bytes, count);
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

/* ---- What the board says ---- */

void machines_name(uint32_t index, uint8_t kind, uint8_t state, const uint8_t *name, size_t length)
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
        free(machine->name);
        machine->name = (char *)text.data;
        open_log(index);
        log_file_add(&machine->log, machine->early.data, machine->early.count);
        bytes_free(&machine->early);
    } else {
        bytes_free(&text);
    }
    bool is_new = !machine->present;
    machine->present = true;
    machine->kind = kind;
    machine->state = state;
    if (is_new && kind == CONTROL_MACHINE) {
        note(machine->name, machines_state_name(state), board_time);
    }
}

void machines_output(uint32_t index, const uint8_t *bytes, size_t count, uint64_t now)
{
    struct machine *machine = machines_get(index);

    if (machine == NULL) {
        return;
    }
    uint64_t known = machine->seen > machine->position ? machine->seen - machine->position : 0;
    machine->position += count;
    if (known >= count) {
        return;
    }
    bytes += known;
    count -= known;
    machine->seen = machine->position;
    machine->last_output = now;
    add_log(machine, bytes, count);
    bytes_add(&machine->history, bytes, count);
    if (machine->history.count / 2 > MACHINE_HISTORY_MAX) {
        bytes_take(&machine->history, machine->history.count - MACHINE_HISTORY_MAX);
    }
    clients_output(index, bytes, count);
}

void machines_lost(uint32_t index, uint32_t count)
{
    struct machine *machine = machines_get(index);

    if (machine == NULL) {
        return;
    }
    machine->position += count;
    if (machine->position > machine->seen) {
        char text[80];
        int length = snprintf(text, sizeof(text),
                              "\n[braid: the board has dropped %" PRIu64 " bytes here]\n",
                              machine->position - machine->seen);

        machine->seen = machine->position;
        add_log(machine, text, (size_t)length);
    }
}

void machines_line(uint32_t index, uint64_t time, const uint8_t *bytes, size_t count)
{
    struct machine *machine = machines_get(index);

    if (machine == NULL || (time <= machine->line_time_before && machine->line_time_before > 0)) {
        return;
    }
    machine->line_time = time;
    add_log(machine, bytes, count);
    add_log(machine, "\n", 1);
}

/* The board's time goes back if it was started anew: then what it has written is all new. */
static void notice_restart(uint64_t time)
{
    if (time < board_time) {
        for (uint32_t i = 0; i < NUMBERS; i++) {
            machines[i].seen = machines[i].position;
            machines[i].line_time_before = 0;
        }
        machines_note("board-started-anew");
    }
    board_time = time;
}

void machines_event(uint32_t index, uint64_t time, uint8_t state)
{
    struct machine *machine = machines_get(index);

    if (machine == NULL) {
        return;
    }
    notice_restart(time);
    if (machine->present && machine->state != state) {
        note(machine->name, machines_state_name(state), time);
    }
    machine->state = state;
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
