/* SPDX-License-Identifier: BSD-2-Clause */

#include "uart.h"

#include <stdarg.h>
#include "arch.h"
#include "board.h"

#define UARTDR  0x00u
#define UARTFR  0x18u
#define FR_TXFF (1u << 5) /* transmit FIFO full */

void uart_putc(char c)
{
    while (mmio_read32(BOARD_UART + UARTFR) & FR_TXFF) {
    }
    mmio_write32(BOARD_UART + UARTDR, (uint8_t)c);
}

static void put_string(const char *s)
{
    while (*s) {
        uart_putc(*s++);
    }
}

static void put_number(uint64_t value, unsigned base, unsigned min_digits)
{
    char digits[20];
    unsigned count = 0;

    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    while (min_digits > count) {
        uart_putc('0');
        min_digits--;
    }
    while (count > 0) {
        uart_putc(digits[--count]);
    }
}

static void print_list(const char *format, va_list list)
{
    for (; *format; format++) {
        if (*format == '\n') {
            uart_putc('\r');
        }
        if (*format != '%') {
            uart_putc(*format);
            continue;
        }
        switch (*++format) {
        case 's':
            put_string(va_arg(list, const char *));
            break;
        case 'c':
            uart_putc((char)va_arg(list, int));
            break;
        case 'u':
            put_number(va_arg(list, uint64_t), 10, 1);
            break;
        case 'x':
            put_number(va_arg(list, uint64_t), 16, 1);
            break;
        case 'p':
            put_number(va_arg(list, uint64_t), 16, 16);
            break;
        default:
            uart_putc('%');
            return;
        }
    }
}

void kprint(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    print_list(format, list);
    va_end(list);
}

_Noreturn void panic_at(const char *file, int line, const char *format, ...)
{
    va_list list;

    kprint("\nkernel: panic at %s:%u: ", file, (uint64_t)line);
    va_start(list, format);
    print_list(format, list);
    va_end(list);
    kprint("\n");
    for (;;) {
        __asm__ volatile("wfi");
    }
}
