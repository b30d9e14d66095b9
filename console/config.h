/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the generator tells the console multiplexer. */

#include <stdbool.h>
#include <stdint.h>
#include "lib/stats.h"

#define CONSOLE_MAX_CLIENTS  56
#define CONSOLE_DRIVER_CHILD 0u /* the UART's driver is its child PD of this number */

/* A VM's console, or a PD that only writes messages (`log`). A log cannot be focused. */
struct console_client {
    const char *name; /* "vm0", "switch" */
    uint8_t channel;
    bool log;
    void *output;         /* ring region: client -> console, a stream */
    void *input;          /* ring region: console -> client, a stream; NULL for a log */
    uint32_t output_size; /* bytes of data */
    uint32_t input_size;
};

/* A set of counters that another PD writes, which this one has read-only. */
struct console_set {
    uint8_t kind;      /* enum stats_kind: it has stats_words(kind) words */
    uint8_t client;    /* whose: an index into `clients` */
    uint8_t number;    /* which of its interfaces or disks */
    uint8_t of_switch; /* of a port: its switch, an index into `clients` */
    const uint64_t *words;
};

struct console_config {
    uint8_t uart_channel;
    void *uart_transmit; /* ring region: console -> UART */
    void *uart_receive;  /* ring region: UART -> console */
    uint32_t uart_ring_size;
    bool monochrome;       /* starts without colours */
    bool has_timer;        /* without one, lines of several clients interrupt each other */
    uint8_t timer_channel; /* the timer driver, drivers/timer/protocol.h */
    uint8_t client_count;
    struct console_client clients[CONSOLE_MAX_CLIENTS];
    uint16_t set_count;
    const struct console_set *sets;
};

extern const struct console_config console_config;
