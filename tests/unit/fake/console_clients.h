/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Clients for a console multiplexer on the host: the memory of their rings, and how they stand in
 * its configuration. Who includes this has defined CLIENTS, how many there are, and CHANNEL, of the
 * first one.
 */

#include <stdbool.h>
#include <stdint.h>
#include "console/config.h"
#include "lib/ring.h"

#define SIZE  4096u /* bytes of data in each ring */
#define UART  0
#define TIMER 1

struct region {
    _Alignas(4096) uint8_t bytes[RING_HEADER_SIZE + SIZE];
};

static struct region uart_transmit, uart_receive, outputs[CLIENTS], inputs[CLIENTS];

/* Client number `i`, named `n`. */
#define CLIENT(i, n, is_log)                                                                       \
    .name = (n), .channel = CHANNEL + (i), .log = (is_log), .output = &outputs[i],                 \
    .input = (is_log) ? NULL : &inputs[i], .output_size = SIZE, .input_size = SIZE

/* Of the console's configuration, what is alike. */
#define UART_AND_TIMER                                                                             \
    .uart_channel = UART, .uart_transmit = &uart_transmit, .uart_receive = &uart_receive,          \
    .uart_ring_size = SIZE, .has_timer = true, .timer_channel = TIMER
