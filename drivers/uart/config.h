/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the generator tells the UART driver. */

#include <stdint.h>

struct uart_config {
    uintptr_t registers; /* where the chip's page is mapped */
    uint8_t irq_channel;
    uint8_t client_channel; /* the console multiplexer */
    void *transmit;         /* ring region: console -> UART, a stream */
    void *receive;          /* ring region: UART -> console, a stream */
    uint32_t ring_size;     /* bytes of data in each */
};

extern const struct uart_config uart_config;
