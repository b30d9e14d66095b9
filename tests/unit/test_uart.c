/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: drivers/uart/uart.c drivers/uart/pl011.c lib/ring.c lib/log.c lib/token_bucket.c
 * SOURCES: tests/unit/fake/uart_client.c tests/unit/fake/fake_microkit.c
 *
 * The UART driver with the PL011, against a model of that device: FIFOs of 16, interrupts that mark
 * a level being crossed, and a line that moves bytes only when the test says so.
 */

#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "drivers/uart/config.h"
#include "drivers/uart/pl011.h"
#include "lib/device_registers.h"
#include "lib/ring.h"
#include "tests/unit/fake/uart_client.h"

#define FIFO 16

const struct uart_config uart_config = {
    .registers = 0x9000000,
    .irq_channel = UART_IRQ,
    .client_channel = UART_CLIENT,
    .transmit = to_uart,
    .receive = from_uart,
    .ring_size = UART_RING,
};

static struct {
    uint32_t control, line_control, mask, raw;
    uint16_t received[FIFO];
    int received_count;
    uint8_t sending[FIFO];
    int sending_count;
    bool instant; /* sends at once, as an emulator does, and raises the interrupt by the write */
    bool stuck_busy;
    const char *held; /* what an emulator's terminal holds until there is room */
    int held_after;   /* reads of UARTFR until the next of it comes */
    uint8_t line[UART_RING * 8];
    int line_count;
} uart;

uint32_t device_read32(uintptr_t registers, uint32_t offset)
{
    assert_int_equal(registers, uart_config.registers);
    switch (offset) {
    case UARTDR: {
        assert_true(uart.received_count > 0);
        uint16_t data = uart.received[0];
        memmove(uart.received, uart.received + 1, sizeof(uart.received[0]) * (FIFO - 1));
        if (--uart.received_count < FIFO / 2) {
            uart.raw &= ~UART_INT_RX;
        }
        if (uart.received_count == 0) {
            uart.raw &= ~UART_INT_RT;
        }
        return data;
    }
    case UARTFR:
        if (uart.received_count == 0 && uart.held != NULL && *uart.held && uart.held_after-- == 0) {
            uart.received[uart.received_count++] = (uint8_t)*uart.held++;
            uart.held_after = 1000;
        }
        return (uart.received_count == 0 ? UARTFR_RXFE : 0) |
               (uart.sending_count == FIFO ? UARTFR_TXFF : 0) |
               (uart.sending_count > 0 || uart.stuck_busy ? UARTFR_BUSY : 0);
    case UARTCR:
        return uart.control;
    case UARTLCR_H:
        return uart.line_control;
    default:
        fail_msg("read of register %#x", offset);
        return 0;
    }
}

void device_write32(uintptr_t registers, uint32_t offset, uint32_t value)
{
    assert_int_equal(registers, uart_config.registers);
    switch (offset) {
    case UARTDR:
        assert_true(uart.control & UARTCR_UARTEN);
        assert_true(uart.sending_count < FIFO);
        if (uart.instant) {
            uart.line[uart.line_count++] = (uint8_t)value;
            uart.raw |= UART_INT_TX;
            break;
        }
        uart.sending[uart.sending_count++] = (uint8_t)value;
        if (uart.sending_count > FIFO / 4) {
            uart.raw &= ~UART_INT_TX;
        }
        break;
    case UARTCR:
        uart.control = value;
        break;
    case UARTLCR_H:
        assert_false(uart.control & UARTCR_UARTEN);
        /* The FIFOs are emptied (UARTLCR_H, FEN); an interrupt that was raised stays so. */
        if ((value ^ uart.line_control) & UARTLCR_H_FEN) {
            uart.received_count = 0;
        }
        uart.line_control = value;
        break;
    case UARTIFLS:
        assert_int_equal(value, UARTIFLS_RX_1_2 | UARTIFLS_TX_1_4);
        break;
    case UARTIMSC:
        uart.mask = value;
        break;
    case UARTICR:
        uart.raw &= ~value;
        break;
    default:
        fail_msg("write of register %#x", offset);
    }
}

/* Deliver interrupts as long as the line is up. */
static void interrupts(void)
{
    for (int i = 0; uart.raw & uart.mask; i++) {
        assert_true(i < 10000);
        deliver_interrupt();
    }
}

static void shift_out(int count)
{
    while (count-- > 0 && uart.sending_count > 0) {
        uart.line[uart.line_count++] = uart.sending[0];
        memmove(uart.sending, uart.sending + 1, FIFO - 1);
        if (--uart.sending_count == FIFO / 4) {
            uart.raw |= UART_INT_TX;
        }
        interrupts();
    }
}

/* Returns false if the receive FIFO overran. */
static bool shift_in(uint16_t data)
{
    if (uart.received_count == FIFO) {
        return false;
    }
    uart.received[uart.received_count++] = data;
    if (uart.received_count == FIFO / 2) {
        uart.raw |= UART_INT_RX;
    }
    interrupts();
    return true;
}

static void line_falls_silent(void)
{
    if (uart.received_count > 0) {
        uart.raw |= UART_INT_RT;
    }
    interrupts();
}

static int setup(void **state)
{
    (void)state;
    fake_reset();
    memset(&uart, 0, sizeof(uart));
    uart.control = UARTCR_UARTEN | UARTCR_TXE | 1u << 11; /* with RTS, from the firmware */
    start();
    return 0;
}

/* The driver starts again, on a device as the firmware has left it. */
static void restart_with(uint32_t line_control)
{
    uart.line_control = line_control;
    uart.control = UARTCR_UARTEN | UARTCR_TXE | UARTCR_RXE;
    start();
}

static void device_is_set_up(void **state)
{
    (void)state;
    assert_int_equal(uart.line_control, UARTLCR_H_WLEN_8 | UARTLCR_H_FEN);
    assert_int_equal(uart.control, UARTCR_UARTEN | UARTCR_TXE | UARTCR_RXE | 1u << 11);
    assert_int_equal(uart.mask, UART_INT_RX | UART_INT_RT);
}

static void device_that_stays_busy_does_not_hang_the_driver(void **state)
{
    (void)state;
    uart.stuck_busy = true;
    restart_with(0);
    assert_int_equal(uart.mask, UART_INT_RX | UART_INT_RT);
}

/* An emulator gives the next byte some time after the last one was taken. */
static void what_a_terminal_holds_before_the_start_is_kept(void **state)
{
    (void)state;
    uart.held = "typed";
    restart_with(0);
    assert_int_equal(uart.line_control, UARTLCR_H_WLEN_8 | UARTLCR_H_FEN);
    check_input("typed");
}

/* One that never ends cannot keep the driver from starting. */
static void endless_input_before_the_start_ends(void **state)
{
    static char endless[2 * UART_RING];

    (void)state;
    memset(endless, 'x', sizeof(endless) - 1);
    uart.held = endless;
    restart_with(0);
    assert_int_equal(uart.line_control, UARTLCR_H_WLEN_8 | UARTLCR_H_FEN);
    assert_int_equal(ring_read(&client_in, endless, sizeof(endless)), UART_RING);
}

static void what_was_typed_before_the_start_is_kept(void **state)
{
    (void)state;
    /* Without FIFOs the device holds one byte. */
    uart.received[uart.received_count++] = 'a';
    uart.raw = UART_INT_RX | UART_INT_RT;
    restart_with(0);
    check_input("a");
    assert_int_equal(uart.line_control, UARTLCR_H_WLEN_8 | UARTLCR_H_FEN);
    interrupts();
    shift_in('b');
    line_falls_silent();
    check_input("b");

    memcpy(uart.received, (uint16_t[]){'c', 'd', 'e'}, 3 * sizeof(uint16_t));
    uart.received_count = 3;
    restart_with(UARTLCR_H_WLEN_8 | UARTLCR_H_FEN);
    check_input("cde");

    /* Another format, with FIFOs. */
    uart.received[uart.received_count++] = 'f';
    restart_with(UARTLCR_H_FEN);
    check_input("f");
    assert_int_equal(uart.line_control, UARTLCR_H_WLEN_8 | UARTLCR_H_FEN);
}

/* An interrupt that the emptying of the FIFOs has left behind would never end. */
static void interrupt_without_a_byte_is_cleared(void **state)
{
    (void)state;
    uart.raw = UART_INT_RX | UART_INT_RT;
    restart_with(0);
    assert_int_equal(uart.raw, 0);
    interrupts();
}

static void few_bytes_go_without_an_interrupt(void **state)
{
    (void)state;
    say("hello", 5);
    assert_int_equal(uart.sending_count, 5);
    assert_false(uart.mask & UART_INT_TX);
    shift_out(5);
    assert_memory_equal(uart.line, "hello", 5);
}

static void long_output_goes_by_interrupts(void **state)
{
    (void)state;
    uint8_t bytes[UART_RING];

    for (uint32_t i = 0; i < UART_RING; i++) {
        bytes[i] = (uint8_t)(i * 13 + i / 256);
    }
    say(bytes, UART_RING);
    assert_int_equal(uart.sending_count, FIFO);
    assert_true(uart.mask & UART_INT_TX);
    shift_out(UART_RING);
    assert_int_equal(uart.line_count, UART_RING);
    assert_memory_equal(uart.line, bytes, UART_RING);
    assert_false(uart.mask & UART_INT_TX);
    say("x", 1);
    shift_out(1);
    assert_int_equal(uart.line[UART_RING], 'x');
}

static void instant_device_is_served_in_portions(void **state)
{
    (void)state;
    uint8_t bytes[UART_RING];

    memset(bytes, 'y', UART_RING);
    uart.instant = true;
    say(bytes, UART_RING);
    assert_in_range(uart.line_count, 1, 256);
    interrupts();
    assert_int_equal(uart.line_count, UART_RING);
    assert_false(uart.mask & UART_INT_TX);
}

static void writer_that_waits_for_room_is_woken(void **state)
{
    (void)state;
    uint8_t bytes[UART_RING];

    memset(bytes, 'y', UART_RING);
    say(bytes, UART_RING);
    while (ring_write(&client_out, "z", 1) == 1) {
    }
    assert_false(ring_await_space(&client_out, 1000));
    assert_int_equal(fake_notified(UART_CLIENT), 0);
    shift_out(900);
    assert_int_equal(fake_notified(UART_CLIENT), 0);
    shift_out(200);
    assert_int_equal(fake_notified(UART_CLIENT), 1);
}

static void input_arrives_and_wakes_once(void **state)
{
    (void)state;
    uint8_t bytes[64];

    assert_false(ring_await_data(&client_in));
    for (int i = 0; i < 20; i++) {
        assert_true(shift_in((uint16_t)('a' + i)));
    }
    line_falls_silent();
    assert_int_equal(fake_notified(UART_CLIENT), 1);
    assert_int_equal(ring_read(&client_in, bytes, sizeof(bytes)), 20);
    assert_memory_equal(bytes, "abcdefghijklmnopqrst", 20);
}

static void damaged_bytes_are_dropped(void **state)
{
    (void)state;
    uint8_t bytes[64];

    shift_in('a');
    shift_in('b' | UARTDR_FE);
    shift_in('c' | UARTDR_PE);
    shift_in(0 | UARTDR_BE);
    shift_in('d' | 1u << 11); /* overrun: this byte is sound, one behind it is gone */
    line_falls_silent();
    assert_int_equal(ring_read(&client_in, bytes, sizeof(bytes)), 2);
    assert_memory_equal(bytes, "ad", 2);
}

static void client_that_does_not_read_stops_the_input(void **state)
{
    (void)state;
    uint8_t bytes[UART_RING];
    uint32_t accepted = 0;

    while (accepted < UART_RING * 2 && shift_in((uint16_t)(accepted & 0xff))) {
        accepted++;
    }
    assert_int_equal(accepted, UART_RING + FIFO);
    assert_false(uart.mask & UART_INT_RX);
    assert_int_equal(ring_read(&client_in, bytes, UART_RING), UART_RING);
    assert_true(ring_take_space_wanted(&client_in));
    notified(UART_CLIENT);
    assert_int_equal(uart.received_count, 0);
    assert_true(uart.mask & UART_INT_RX);
    assert_int_equal(ring_read(&client_in, bytes, UART_RING), FIFO);
    for (int i = 0; i < FIFO; i++) {
        assert_int_equal(bytes[i], i);
    }
}

static void output_goes_on_while_input_is_stopped(void **state)
{
    (void)state;
    while (shift_in('x')) {
    }
    say("still here", 10);
    shift_out(10);
    assert_memory_equal(uart.line, "still here", 10);
}

static void hostile_client_breaks_only_its_ring(void **state)
{
    (void)state;
    ((struct ring_shared *)to_uart)->head = 0x12345678;
    notified(UART_CLIENT);
    assert_int_equal(uart.sending_count, 0);
    assert_non_null(strstr(fake.debug, "broken"));
    fake.debug[0] = '\0';
    notified(UART_CLIENT);
    assert_string_equal(fake.debug, "");
    /* The other direction still works. */
    uint8_t byte;
    shift_in('k');
    line_falls_silent();
    assert_int_equal(ring_read(&client_in, &byte, 1), 1);
    ((struct ring_shared *)from_uart)->tail = 0x12345678;
    shift_in('l');
    line_falls_silent();
    assert_false(uart.mask & UART_INT_RX);
    for (int i = 0; i < 100; i++) {
        notified(UART_CLIENT);
    }
}

/* An interrupt that nothing ends is not acknowledged for ever. */
static void interrupt_without_cause_is_given_up(void **state)
{
    (void)state;
    for (int i = 0; i < 2000; i++) {
        notified(UART_IRQ);
    }
    assert_int_equal(fake.deferred_irq_acks[UART_IRQ], 999);
    assert_non_null(strstr(fake.debug, "interrupts for nothing"));
    say("still sent", 10);
    shift_out(10);
    assert_memory_equal(uart.line, "still sent", 10);
}

/* A byte now and then, with many interrupts between, is no storm. */
static void idle_interrupts_between_bytes_are_no_storm(void **state)
{
    (void)state;
    for (int i = 0; i < 2000; i++) {
        notified(UART_IRQ);
        if (i % 900 == 0) {
            fake.deferred_irq_acks[UART_IRQ] = 0;
            shift_in('k');
            line_falls_silent();
        }
    }
    assert_int_equal(fake.deferred_irq_acks[UART_IRQ], 199);
    assert_string_equal(fake.debug, "");
}

/* After a fault: what is in the rings is still there, for both. */
static void a_driver_that_begins_anew_goes_on_where_its_rings_are(void **state)
{
    (void)state;
    shift_in('a');
    line_falls_silent();
    deliver_interrupt();
    ring_write(&client_out, "unsent", 6);
    memset(&uart, 0, sizeof(uart));
    fake.irq_acks[UART_IRQ] = 0;
    fake.again = true;
    init();
    assert_int_equal(fake.irq_acks[UART_IRQ], 1);
    shift_out(6);
    assert_memory_equal(uart.line, "unsent", 6);
    fake.irq_acks[UART_IRQ] = 0;
    shift_in('b');
    line_falls_silent();
    deliver_interrupt();
    check_input("ab");
    assert_false(ring_broken(&client_in) || ring_broken(&client_out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(device_is_set_up, setup),
        cmocka_unit_test_setup(device_that_stays_busy_does_not_hang_the_driver, setup),
        cmocka_unit_test_setup(what_was_typed_before_the_start_is_kept, setup),
        cmocka_unit_test_setup(what_a_terminal_holds_before_the_start_is_kept, setup),
        cmocka_unit_test_setup(endless_input_before_the_start_ends, setup),
        cmocka_unit_test_setup(interrupt_without_a_byte_is_cleared, setup),
        cmocka_unit_test_setup(few_bytes_go_without_an_interrupt, setup),
        cmocka_unit_test_setup(long_output_goes_by_interrupts, setup),
        cmocka_unit_test_setup(instant_device_is_served_in_portions, setup),
        cmocka_unit_test_setup(writer_that_waits_for_room_is_woken, setup),
        cmocka_unit_test_setup(input_arrives_and_wakes_once, setup),
        cmocka_unit_test_setup(damaged_bytes_are_dropped, setup),
        cmocka_unit_test_setup(client_that_does_not_read_stops_the_input, setup),
        cmocka_unit_test_setup(output_goes_on_while_input_is_stopped, setup),
        cmocka_unit_test_setup(hostile_client_breaks_only_its_ring, setup),
        cmocka_unit_test_setup(interrupt_without_cause_is_given_up, setup),
        cmocka_unit_test_setup(idle_interrupts_between_bytes_are_no_storm, setup),
        cmocka_unit_test_setup(a_driver_that_begins_anew_goes_on_where_its_rings_are, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
