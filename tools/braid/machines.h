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
    struct bytes early;     /* messages that came before the name, in this session */
    uint32_t early_dropped; /* bytes of output behind these, for which there was no room */
    struct log_file log;
    bool logged;

    /*
     * Where the output stands in all that there was since the board's start, modulo 2^32: now, and
     * what is written down already. A new session begins with what the board still has. Its first
     * `repeated` bytes were written down before.
     */
    uint32_t position, seen, repeated;
    uint32_t gapless; /* bytes at the end of `history` between which nothing is missing */
    uint64_t line_time, line_time_before; /* of PDs' lines: the newest, and before this session */

    uint32_t credit, sent;  /* bytes of input, since the session began */
    uint64_t last_input;    /* the number of the session's message with the last of it */
    uint64_t last_output;   /* when, in microseconds */
    uint16_t columns, rows; /* of the terminal, as the board was told */
};

/* `directory` is for the logs, and is kept. */
void machines_init(int directory);

/* A session has begun, there are `count` of them, and the board's counter is at `time` ns. */
void machines_session(uint32_t count, uint64_t time, uint64_t now);
/* It is lost. What waited for a machine to read goes with what was under way to it: the rest of a
 * line without its beginning would be another command. */
void machines_disconnected(void);
uint32_t machines_count(void);

/* The one of a number, or NULL. */
struct machine *machines_get(uint32_t index);
/* The number of a machine, or -1. */
int machines_find(const char *name);
/* Add a message about a name that no machine has. */
void machines_explain(const char *wanted, struct bytes *text);

void machines_name(uint32_t index, uint8_t kind, uint8_t state, const uint8_t *name, size_t length,
                   uint64_t now);

/* OUTPUT, LOST, LINE or EVENT; any other message is nothing. `now` is in microseconds. */
void machines_message(const uint8_t *message, size_t length, uint64_t now);

/* Something that happened to the system, among the events. */
void machines_note(const char *what);

/* Write logs to their ends. */
void machines_close(void);
