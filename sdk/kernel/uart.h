/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The kernel's messages, on the board's UART: a PL011 (Arm DDI 0183) or a Cadence UART (UG1085). */

#include <stdint.h>

/* Let the UART send. */
void uart_init(void);

/* Print a character. Waits while the transmit FIFO is full. Only kprint makes CR LF of '\n'. */
void uart_putc(char c);

/* Print a format with %s, %u (uint64_t), %x (uint64_t) and %p (uint64_t, 16 digits). */
void kprint(const char *format, ...);

/* Print a message and where it comes from, and stop the core. */
#define panic(...) panic_at(__FILE__, __LINE__, __VA_ARGS__)
_Noreturn void panic_at(const char *file, int line, const char *format, ...);
