/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: drivers/uart/uart.c drivers/uart/cadence.c lib/ring.c lib/log.c lib/token_bucket.c
 * SOURCES: tests/unit/fake/uart_client.c tests/unit/fake/fake_microkit.c
 *
 * The UART driver with the Cadence UART, against a model of it. Its manual leaves open whether the
 * bits of the interrupt status follow a state or an event. So each case runs with both: as QEMU
 * has it, where a bit that is cleared comes back while its cause lasts, and the other way, where it
 * comes back with the next event only.
 */

#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "drivers/uart/cadence.h"
#include "drivers/uart/config.h"
#include "lib/device_registers.h"
#include "lib/ring.h"
#include "tests/unit/fake/uart_client.h"

#define FIFO_MAX  64
#define ENABLED   (CADENCE_CONTROL_RXEN | CADENCE_CONTROL_TXEN)
#define RX_INTS   (CADENCE_INT_RTRIG | CADENCE_INT_TIMEOUT)
#define BAUD_GEN  0x36u /* what the firmware has set */
#define BAUD_DIV  0x10u
#define MODE_8N1  CADENCE_MODE_PAR_NONE
#define FROM_LINE 100000

const struct uart_config uart_config = {
    .registers = 0xff000000,
    .irq_channel = UART_IRQ,
    .client_channel = UART_CLIENT,
    .transmit = to_uart,
    .receive = from_uart,
    .ring_size = UART_RING,
};

static bool follows_state; /* the interrupt status does; otherwise events */

static struct {
    uint32_t control, mode, mask, status, baud_gen, baud_div, timeout, trigger;
    int fifo; /* how many bytes each holds */
    uint8_t received[FIFO_MAX];
    int received_count;
    uint8_t sending[FIFO_MAX];
    int sending_count;
    bool timeout_runs; /* since the last byte has come, or it was restarted */
    bool instant;      /* sends at once, as an emulator does */
    bool stuck_busy;
    bool ones;           /* all reads are */
    bool lively;         /* bytes come and go between any two accesses */
    const uint8_t *come; /* which come then, */
    int come_left;
    const char *held; /* what an emulator's terminal holds until there is room */
    int held_after;   /* reads of the status until the next of it comes */
    uint8_t line[FROM_LINE];
    int line_count;
    unsigned accesses;
} uart;

static bool receives(void)
{
    return (uart.control & (CADENCE_CONTROL_RXEN | CADENCE_CONTROL_RXDIS)) == CADENCE_CONTROL_RXEN;
}

static bool sends(void)
{
    return (uart.control & (CADENCE_CONTROL_TXEN | CADENCE_CONTROL_TXDIS)) == CADENCE_CONTROL_TXEN;
}

static void follow_state(void)
{
    if (!follows_state) {
        return;
    }
    if (uart.trigger != 0 && uart.received_count >= (int)uart.trigger) {
        uart.status |= CADENCE_INT_RTRIG;
    }
    if (uart.sending_count == 0) {
        uart.status |= CADENCE_INT_TEMPTY;
    }
}

/* A byte comes with `errors`. Returns false if it is lost. */
static bool arrive(uint8_t byte, uint32_t errors)
{
    if (!receives() || uart.received_count == uart.fifo) {
        return false;
    }
    uart.received[uart.received_count++] = byte;
    uart.timeout_runs = true;
    uart.status |= errors;
    if (uart.received_count == (int)uart.trigger) {
        uart.status |= CADENCE_INT_RTRIG;
    }
    follow_state();
    return true;
}

static void leave(void)
{
    if (uart.sending_count > 0 && sends()) {
        assert_true(uart.line_count < FROM_LINE);
        uart.line[uart.line_count++] = uart.sending[0];
        memmove(uart.sending, uart.sending + 1, FIFO_MAX - 1);
        if (--uart.sending_count == 0) {
            uart.status |= CADENCE_INT_TEMPTY;
        }
        follow_state();
    }
}

static void silence(void)
{
    if (uart.timeout_runs && uart.timeout != 0) {
        uart.timeout_runs = false;
        uart.status |= CADENCE_INT_TIMEOUT;
    }
}

static void live(void)
{
    uart.accesses++;
    if (!uart.lively) {
        return;
    }
    switch (rand() % 6) {
    case 0:
    case 1:
        if (uart.come_left > 0 && arrive(*uart.come, 0)) {
            uart.come++;
            uart.come_left--;
        }
        break;
    case 2:
        leave();
        break;
    case 3:
        for (int i = rand() % 64; i > 0; i--) {
            leave();
        }
        silence();
        break;
    default:
        break;
    }
}

static uint32_t channel_status(void)
{
    if (uart.received_count == 0 && uart.held != NULL && *uart.held && uart.held_after-- == 0) {
        arrive((uint8_t)*uart.held++, 0);
        uart.held_after = 1000;
    }
    return (uart.received_count == 0 ? CADENCE_STATUS_REMPTY : 0) |
           (uart.sending_count == 0 && !uart.stuck_busy ? CADENCE_STATUS_TEMPTY : 0) |
           (uart.sending_count == uart.fifo ? CADENCE_STATUS_TFUL : 0) |
           (uart.sending_count > 0 || uart.stuck_busy ? CADENCE_STATUS_TACTIVE : 0);
}

static uint32_t take_from_fifo(void)
{
    assert_true(receives());
    assert_true(uart.received_count > 0);
    uint8_t byte = uart.received[0];
    memmove(uart.received, uart.received + 1, FIFO_MAX - 1);
    uart.received_count--;
    return byte;
}

uint32_t device_read32(uintptr_t registers, uint32_t offset)
{
    assert_int_equal(registers, uart_config.registers);
    live();
    if (uart.ones) {
        return ~0u;
    }
    switch (offset) {
    case CADENCE_MODE:
        return uart.mode;
    case CADENCE_INT_STATUS:
        return uart.status;
    case CADENCE_BAUD_GEN:
        return uart.baud_gen;
    case CADENCE_BAUD_DIVIDER:
        return uart.baud_div;
    case CADENCE_STATUS:
        return channel_status();
    case CADENCE_FIFO:
        return take_from_fifo();
    default:
        /* Emulators know no register behind 0x44: they answer with an abort. */
        fail_msg("read of register %#x", offset);
        return 0;
    }
}

static void send(uint8_t byte)
{
    assert_true(sends());
    assert_true(uart.sending_count < uart.fifo);
    uart.sending[uart.sending_count++] = byte;
    if (uart.instant) {
        leave();
    }
}

static void set_control(uint32_t value)
{
    if (value & CADENCE_CONTROL_RXRES) {
        uart.received_count = 0;
    }
    if (value & CADENCE_CONTROL_TXRES) {
        uart.sending_count = 0;
    }
    if (receives() && (value & CADENCE_CONTROL_RXDIS)) {
        uart.held = NULL; /* an emulator drops all that comes then */
    }
    if (value & CADENCE_CONTROL_RSTTO) {
        uart.timeout_runs = true;
    }
    uart.control = value & ~(CADENCE_CONTROL_RXRES | CADENCE_CONTROL_TXRES | CADENCE_CONTROL_RSTTO);
}

void device_write32(uintptr_t registers, uint32_t offset, uint32_t value)
{
    assert_int_equal(registers, uart_config.registers);
    live();
    switch (offset) {
    case CADENCE_CONTROL:
        set_control(value);
        break;
    case CADENCE_MODE:
        assert_int_equal(uart.sending_count, 0);
        uart.mode = value;
        break;
    case CADENCE_INT_ENABLE:
        uart.mask |= value;
        break;
    case CADENCE_INT_DISABLE:
        uart.mask &= ~value;
        break;
    case CADENCE_INT_STATUS:
        uart.status &= ~value;
        break;
    case CADENCE_BAUD_GEN:
        assert_int_equal(uart.sending_count, 0);
        uart.baud_gen = value;
        break;
    case CADENCE_BAUD_DIVIDER:
        assert_int_equal(uart.sending_count, 0);
        uart.baud_div = value;
        break;
    case CADENCE_RX_TIMEOUT:
        uart.timeout = value;
        break;
    case CADENCE_RX_TRIGGER:
        uart.trigger = value;
        break;
    case CADENCE_FIFO:
        if (!uart.ones) {
            send((uint8_t)value);
        }
        break;
    default:
        fail_msg("write of register %#x", offset);
    }
    follow_state();
}

/* Deliver interrupts as long as the line is up. */
static void interrupts(void)
{
    follow_state();
    for (int i = 0; uart.status & uart.mask; i++) {
        assert_true(i < 10000);
        deliver_interrupt();
        follow_state();
    }
}

static void shift_out(int count)
{
    while (count-- > 0 && uart.sending_count > 0) {
        leave();
        interrupts();
    }
}

static bool shift_in(uint8_t byte)
{
    bool arrived = arrive(byte, 0);

    interrupts();
    return arrived;
}

static void line_falls_silent(void)
{
    silence();
    interrupts();
}

/* A device as the firmware has left it. */
static void reset_device(void)
{
    fake_reset();
    memset(&uart, 0, sizeof(uart));
    uart.fifo = FIFO_MAX;
    uart.control = ENABLED;
    uart.mode = MODE_8N1;
    uart.baud_gen = BAUD_GEN;
    uart.baud_div = BAUD_DIV;
    uart.mask = 0x1fff;
    uart.trigger = 32;
    uart.status = CADENCE_INT_TEMPTY;
}

static int setup_state(void **state)
{
    (void)state;
    follows_state = true;
    reset_device();
    start();
    return 0;
}

static int setup_events(void **state)
{
    (void)state;
    follows_state = false;
    reset_device();
    start();
    return 0;
}

static void say_and_serve(const void *bytes, uint32_t count)
{
    say(bytes, count);
    interrupts();
}

static void check_set_up(void)
{
    assert_int_equal(uart.control & (ENABLED | CADENCE_CONTROL_RXDIS | CADENCE_CONTROL_TXDIS),
                     ENABLED);
    assert_int_equal(uart.mode & ~CADENCE_MODE_CLKS, MODE_8N1);
    assert_int_equal(uart.mask, RX_INTS);
    assert_in_range(uart.trigger, 1, 16);
    assert_in_range(uart.timeout, 1, 40);
}

static void device_is_set_up(void **state)
{
    (void)state;
    check_set_up();
    assert_int_equal(uart.baud_gen, BAUD_GEN);
    assert_int_equal(uart.baud_div, BAUD_DIV);
    interrupts();
}

/* After a reset nothing is enabled, and the rate is 9,600 Bd. */
static void device_without_firmware_is_set_up(void **state)
{
    (void)state;
    reset_device();
    uart.control = CADENCE_CONTROL_RXDIS | CADENCE_CONTROL_TXDIS | CADENCE_CONTROL_STPBRK;
    uart.mode = 0;
    uart.baud_gen = CADENCE_BAUD_GEN_RESET;
    uart.baud_div = CADENCE_BAUD_DIVIDER_RESET;
    start();
    check_set_up();
    assert_int_equal(uart.mode, MODE_8N1);
    uint32_t rate = 100000000 / (uart.baud_gen * (uart.baud_div + 1));
    assert_in_range(rate, 114500, 115900);
    assert_in_range(uart.baud_div, 4, 255);
    say_and_serve("hello", 5);
    shift_out(5);
    assert_memory_equal(uart.line, "hello", 5);
    /* A rate of none. */
    uart.baud_gen = 0;
    start();
    assert_int_equal(uart.baud_gen, 124);
}

static void clock_of_the_firmware_is_kept(void **state)
{
    (void)state;
    reset_device();
    uart.mode = CADENCE_MODE_CLKS | 4u << 1; /* an eighth, 7 bits, even parity */
    start();
    check_set_up();
    assert_int_equal(uart.mode, MODE_8N1 | CADENCE_MODE_CLKS);
    assert_int_equal(uart.baud_gen, BAUD_GEN);
}

static void device_that_stays_busy_does_not_hang_the_driver(void **state)
{
    (void)state;
    reset_device();
    uart.stuck_busy = true;
    uart.mode = 0;
    uart.baud_gen = 0;
    start();
    check_set_up();
    assert_true(uart.accesses < 200000);
}

static void what_was_typed_before_the_start_is_kept(void **state)
{
    (void)state;
    reset_device();
    arrive('a', 0);
    arrive('b', 0);
    start();
    check_input("ab");
    interrupts();
    reset_device();
    arrive('c', 0);
    uart.mode = 0;
    start();
    check_input("c");
    /* An emulator gives what it holds byte by byte. */
    reset_device();
    uart.baud_gen = CADENCE_BAUD_GEN_RESET;
    uart.baud_div = CADENCE_BAUD_DIVIDER_RESET;
    arrive('d', 0);
    uart.held = "efg";
    start();
    check_set_up();
    for (int i = 0; i < 5000; i++) {
        channel_status();
        interrupts();
        line_falls_silent();
    }
    check_input("defg");
}

static void what_the_firmware_says_is_sent(void **state)
{
    (void)state;
    reset_device();
    memcpy(uart.sending, "firmware", 8);
    uart.sending_count = 8;
    start();
    shift_out(8);
    assert_memory_equal(uart.line, "firmware", 8);
    /* A new rate or format begins behind it. */
    memcpy(uart.sending, "firmware", 8);
    uart.sending_count = 8;
    uart.line_count = 0;
    uart.mode = 0;
    uart.baud_gen = 0;
    uart.lively = true;
    start();
    assert_memory_equal(uart.line, "firmware", 8);
    check_set_up();
}

static void few_bytes_go_without_an_interrupt(void **state)
{
    (void)state;
    say_and_serve("hello", 5);
    assert_int_equal(uart.sending_count, 5);
    assert_false(uart.mask & CADENCE_INT_TEMPTY);
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
    say_and_serve(bytes, UART_RING);
    assert_int_equal(uart.sending_count, FIFO_MAX);
    assert_true(uart.mask & CADENCE_INT_TEMPTY);
    shift_out(UART_RING);
    assert_int_equal(uart.line_count, UART_RING);
    assert_memory_equal(uart.line, bytes, UART_RING);
    assert_false(uart.mask & CADENCE_INT_TEMPTY);
    say_and_serve("x", 1);
    shift_out(1);
    assert_int_equal(uart.line[UART_RING], 'x');
}

static void instant_device_is_served_in_portions(void **state)
{
    (void)state;
    uint8_t bytes[UART_RING];

    memset(bytes, 'y', UART_RING);
    uart.instant = true;
    assert_int_equal(ring_write(&client_out, bytes, UART_RING), UART_RING);
    notified(UART_CLIENT);
    assert_in_range(uart.line_count, 1, 256);
    interrupts();
    assert_int_equal(uart.line_count, UART_RING);
    assert_false(uart.mask & CADENCE_INT_TEMPTY);
}

static void input_arrives_and_wakes_once(void **state)
{
    (void)state;
    assert_false(ring_await_data(&client_in));
    assert_true(shift_in('k'));
    assert_int_equal(fake_notified(UART_CLIENT), 0);
    line_falls_silent();
    assert_int_equal(fake_notified(UART_CLIENT), 1);
    check_input("k");
    for (int i = 0; i < 20; i++) {
        assert_true(shift_in((uint8_t)('a' + i)));
    }
    assert_in_range(uart.received_count, 0, 15);
    line_falls_silent();
    check_input("abcdefghijklmnopqrst");
    /* A timeout after the last byte was taken finds nothing, and ends. */
    line_falls_silent();
    check_input("");
}

/* The chip does not say which byte it was. */
static void damaged_bytes_are_dropped(void **state)
{
    static const uint32_t errors[] = {CADENCE_INT_FRAME, CADENCE_INT_PARE};

    (void)state;
    for (int i = 0; i < 2; i++) {
        shift_in('a');
        line_falls_silent();
        shift_in('b');
        arrive('c', errors[i]);
        shift_in('d');
        line_falls_silent();
        shift_in('e');
        line_falls_silent();
        check_input("ae");
    }
    /* One that comes while others are taken. */
    for (int i = 0; i < 8; i++) {
        arrive('f', 0);
    }
    arrive(0, CADENCE_INT_FRAME);
    interrupts();
    shift_in('g');
    line_falls_silent();
    check_input("g");
}

static void overrun_loses_what_did_not_fit(void **state)
{
    (void)state;
    int lost = 0;

    for (int i = 0; i < FIFO_MAX + 5; i++) {
        lost += !arrive((uint8_t)i, 1u << 5);
    }
    assert_int_equal(lost, 5);
    interrupts();
    line_falls_silent();
    uint8_t bytes[128];
    assert_int_equal(ring_read(&client_in, bytes, sizeof(bytes)), FIFO_MAX);
    for (int i = 0; i < FIFO_MAX; i++) {
        assert_int_equal(bytes[i], i);
    }
    shift_in('z');
    line_falls_silent();
    check_input("z");
}

static void client_that_does_not_read_stops_the_input(void **state)
{
    (void)state;
    uint8_t bytes[UART_RING];
    uint32_t accepted = 0;

    while (accepted < UART_RING * 2 && shift_in((uint8_t)accepted)) {
        accepted++;
    }
    assert_int_equal(accepted, UART_RING + FIFO_MAX);
    line_falls_silent();
    assert_false(uart.mask & RX_INTS);
    say_and_serve("still here", 10);
    shift_out(10);
    assert_memory_equal(uart.line, "still here", 10);
    assert_int_equal(ring_read(&client_in, bytes, UART_RING), UART_RING);
    assert_true(ring_take_space_wanted(&client_in));
    notified(UART_CLIENT);
    assert_int_equal(uart.received_count, 0);
    assert_int_equal(uart.mask & RX_INTS, RX_INTS);
    assert_int_equal(ring_read(&client_in, bytes, UART_RING), FIFO_MAX);
    for (int i = 0; i < FIFO_MAX; i++) {
        assert_int_equal(bytes[i], i);
    }
}

/*
 * Bytes come and go between any two accesses to the device, on a FIFO of the chip's size and one of
 * an emulator's: none is lost, none is left behind when the line falls silent, and the driver never
 * sleeps with something to send.
 */
static void nothing_is_stranded(void **state)
{
    static uint8_t in[1500];
    static uint8_t out[1500];
    static uint8_t got[UART_RING];

    (void)state;
    for (unsigned seed = 1; seed <= 300; seed++) {
        uint32_t count = 0;
        uint32_t said = 0;

        reset_device();
        uart.fifo = seed % 3 == 0 ? 16 : FIFO_MAX;
        start();
        srand(seed);
        for (size_t i = 0; i < sizeof(in); i++) {
            in[i] = (uint8_t)rand();
            out[i] = (uint8_t)rand();
        }
        uart.come = in;
        uart.come_left = (int)sizeof(in);
        uart.lively = true;
        for (int turn = 0; turn < 60000 && uart.come_left + (int)sizeof(out) > (int)said; turn++) {
            live();
            if (rand() % 50 == 0 && said < sizeof(out)) {
                uint32_t some = 1 + (uint32_t)rand() % 100;

                some = some < sizeof(out) - said ? some : (uint32_t)sizeof(out) - said;
                say_and_serve(out + said, some);
                said += some;
            }
            if (rand() % 4 == 0) {
                interrupts();
            }
            if (rand() % 20 == 0) {
                count += ring_read(&client_in, got + count, 100);
                if (ring_take_space_wanted(&client_in)) {
                    notified(UART_CLIENT);
                }
            }
        }
        uart.lively = false;
        line_falls_silent();
        shift_out(FROM_LINE);
        count += ring_read(&client_in, got + count, UART_RING - count);
        assert_int_equal(uart.received_count, 0);
        assert_int_equal(count, sizeof(in) - (size_t)uart.come_left);
        assert_memory_equal(got, in, count);
        assert_int_equal(uart.line_count, said);
        assert_memory_equal(uart.line, out, said);
        assert_string_equal(fake.debug, "");
    }
}

/* A device that is not there: it neither gives nor takes, and its interrupt is turned off. */
static void device_of_ones_is_bounded(void **state)
{
    (void)state;
    reset_device();
    uart.ones = true;
    start();
    assert_int_equal(ring_write(&client_out, "hello", 5), 5);
    notified(UART_CLIENT);
    assert_int_equal(ring_read(&client_in, (uint8_t[1]){0}, 1), 0);
    for (int i = 0; i < 5000; i++) {
        notified(UART_IRQ);
    }
    assert_int_equal(fake.deferred_irq_acks[UART_IRQ], 999);
    assert_non_null(strstr(fake.debug, "interrupts for nothing"));
    assert_true(uart.accesses < 300000);
}

static void hostile_client_breaks_only_its_ring(void **state)
{
    (void)state;
    ((struct ring_shared *)to_uart)->head = 0x12345678;
    notified(UART_CLIENT);
    assert_int_equal(uart.sending_count, 0);
    shift_in('k');
    line_falls_silent();
    check_input("k");
    ((struct ring_shared *)from_uart)->tail = 0x12345678;
    shift_in('l');
    line_falls_silent();
    assert_false(uart.mask & RX_INTS);
}

#define CASE(name)                                                                                 \
    {#name " (status follows states)", name, setup_state, NULL, NULL},                             \
    {                                                                                              \
#name " (status follows events)", name, setup_events, NULL, NULL                           \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(device_is_set_up),
        CASE(device_without_firmware_is_set_up),
        CASE(clock_of_the_firmware_is_kept),
        CASE(device_that_stays_busy_does_not_hang_the_driver),
        CASE(what_was_typed_before_the_start_is_kept),
        CASE(what_the_firmware_says_is_sent),
        CASE(few_bytes_go_without_an_interrupt),
        CASE(long_output_goes_by_interrupts),
        CASE(instant_device_is_served_in_portions),
        CASE(input_arrives_and_wakes_once),
        CASE(damaged_bytes_are_dropped),
        CASE(overrun_loses_what_did_not_fit),
        CASE(client_that_does_not_read_stops_the_input),
        CASE(nothing_is_stranded),
        CASE(device_of_ones_is_bounded),
        CASE(hostile_client_breaks_only_its_ring),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
