/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The kernel's messages, on the board's PL011 (Arm DDI 0183). */

#include <stdint.h>

/* Waits until the UART takes the character. '\n' becomes CR LF in kprint, not here. */
void uart_putc(char c);

/* Prints with %s, %c, %u (uint64_t), %x (uint64_t) and %p (uint64_t, 16 digits). */
void kprint(const char *format, ...);

/* Says that, and where, the kernel cannot go on, and stops the core. */
#define panic(...) panic_at(__FILE__, __LINE__, __VA_ARGS__)
_Noreturn void panic_at(const char *file, int line, const char *format, ...);
