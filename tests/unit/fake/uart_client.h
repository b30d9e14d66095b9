/* SPDX-License-Identifier: BSD-2-Clause */
/* The client of a UART's driver: what it says, and what it hears. */

#pragma once

#include <stdint.h>
#include "lib/ring.h"

#define UART_IRQ    0
#define UART_CLIENT 1
#define UART_RING   4096u

extern uint8_t to_uart[RING_HEADER_SIZE + UART_RING];
extern uint8_t from_uart[RING_HEADER_SIZE + UART_RING];
extern struct ring client_out, client_in;

/* The driver starts with empty rings, on the device as it is. */
void start(void);

/* Writes, and tells the driver if that wants to know. */
void say(const void *bytes, uint32_t count);

/* The bytes `expected`, and no others, have come. */
void check_input(const char *expected);

/* An interrupt is delivered, which is acknowledged once. */
void deliver_interrupt(void);
