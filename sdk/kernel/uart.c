/* SPDX-License-Identifier: BSD-2-Clause */

#include "uart.h"

#include <stdarg.h>
#include "board.h"
#include "lib/device_registers.h"

void uart_init(void)
{
#if BOARD_UART_CHIP == UART_CADENCE /* a PL011 has been enabled by the firmware */
    uint32_t control = device_read32(BOARD_UART, CADENCE_CR);

    device_write32(BOARD_UART, CADENCE_CR, (control & ~CADENCE_CR_TXDIS) | CADENCE_CR_TXEN);
#endif
}

/* A UART that never empties must not keep a panic from ending. */
#define FULL_READS 1000000u

void uart_putc(char c)
{
    uint32_t reads = 0;

    while ((device_read32(BOARD_UART, UART_STATUS) & UART_FULL) && ++reads < FULL_READS) {
    }
    device_write32(BOARD_UART, UART_DATA, (uint8_t)c);
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
            for (const char *s = va_arg(list, const char *); *s; s++) {
                uart_putc(*s);
            }
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
