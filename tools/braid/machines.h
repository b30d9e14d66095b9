/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What the board has: machines and PDs that write messages, by the numbers that the board gives
 * them. Nothing that is known of them is trusted: names and output are the board's.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "bytes.h"
#include "log_file.h"

#define MACHINE_INPUT_MAX   4096u  /* bytes that wait for the machine to read */
#define MACHINE_HISTORY_MAX 16384u /* bytes of output that are kept for who comes to look */

struct machine {
    bool present;  /* this session's board has named it */
    uint8_t kind;  /* enum control_kind */
    uint8_t state; /* enum console_state */
    char *name;    /* escaped, so that it may be printed; NULL: not known yet */

    struct bytes history, input;
    struct bytes early; /* output that came before the name */
    struct log_file log;
    bool logged;

    /* Where the output stands in all that there was since the board's start: now, and what is
     * written down already. A new session begins with what the board still has. */
    uint64_t position, seen;
    uint64_t line_time, line_time_before; /* of PDs' lines: the newest, and before this session */

    uint32_t credit, sent;  /* bytes of input, since the session began */
    uint64_t last_output;   /* when, in microseconds */
    uint16_t columns, rows; /* of the terminal, as the board was told */
};

/* `directory` is for the logs, and is kept. */
void machines_init(int directory);

/* A session has begun, and there are `count` of them. */
void machines_session(uint32_t count);
uint32_t machines_count(void);

/* The one of a number, or NULL. */
struct machine *machines_get(uint32_t index);
/* The number of a machine, or -1. */
int machines_find(const char *name);
/* Add a message about a name that no machine has. */
void machines_explain(const char *wanted, struct bytes *text);

void machines_name(uint32_t index, uint8_t kind, uint8_t state, const uint8_t *name, size_t length);
void machines_output(uint32_t index, const uint8_t *bytes, size_t count, uint64_t now);
void machines_lost(uint32_t index, uint32_t count);
void machines_line(uint32_t index, uint64_t time, const uint8_t *bytes, size_t count);
void machines_event(uint32_t index, uint64_t time, uint8_t state);

/* Something that happened to the system, among the events. */
void machines_note(const char *what);

const char *machines_state_name(uint8_t state);

/* Write logs to their ends. */
void machines_close(void);
