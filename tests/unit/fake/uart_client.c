/* SPDX-License-Identifier: BSD-2-Clause */

#include "uart_client.h"

#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

_Alignas(4096) uint8_t to_uart[RING_HEADER_SIZE + UART_RING];
_Alignas(4096) uint8_t from_uart[RING_HEADER_SIZE + UART_RING];
struct ring client_out, client_in;

void start(void)
{
    memset(to_uart, 0, sizeof(to_uart));
    memset(from_uart, 0, sizeof(from_uart));
    ring_init(&client_out, to_uart, UART_RING);
    ring_init(&client_in, from_uart, UART_RING);
    init();
}

void say(const void *bytes, uint32_t count)
{
    assert_int_equal(ring_write(&client_out, bytes, count), count);
    if (ring_take_data_wanted(&client_out)) {
        notified(UART_CLIENT);
    }
}

void check_input(const char *expected)
{
    char bytes[128];

    assert_int_equal(ring_read(&client_in, bytes, sizeof(bytes)), strlen(expected));
    assert_memory_equal(bytes, expected, strlen(expected));
}

void deliver_interrupt(void)
{
    notified(UART_IRQ);
    assert_int_equal(fake.irq_acks[UART_IRQ] + fake.deferred_irq_acks[UART_IRQ], 1);
    fake.irq_acks[UART_IRQ] = fake.deferred_irq_acks[UART_IRQ] = 0;
}
