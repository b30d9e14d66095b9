/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: vmm/pl011.c vmm/primecell.c vmm/console_port.c vmm/panic.c
 * SOURCES: vmm/vgic.c vmm/vgic_lr.c vmm/vgic_registers.c vmm/vgic_v2.c
 * SOURCES: vmm/vgic_forward.c
 * SOURCES: vmm/vgic_v3.c vmm/vgic_redistributor.c
 * SOURCES: vmm/vcpu.c lib/ring.c
 * SOURCES: tests/unit/fake/fake_microkit.c
 * SOURCES: tests/unit/fake/fake_stats.c
 *
 * The emulated PL011: what Linux's driver relies on, lines, a console that does not take them, and
 * input that belongs to somebody else.
 */

#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/ring.h"
#include "vmm/console_port.h"
#include "vmm/freeze.h"
#include "vmm/pl011.h"
#include "vmm/timer.h"
#include "vmm/vcpu.h"
#include "vmm/vgic.h"
#include "vmm/virtio/virtio.h"

#define DR    0x00
#define FR    0x18
#define LCR_H 0x2c
#define CR    0x30
#define IFLS  0x34
#define IMSC  0x38
#define RIS   0x3c
#define MIS   0x40
#define ICR   0x44

#define FR_BUSY 0x08u
#define FR_RXFE 0x10u
#define FR_TXFF 0x20u
#define FR_RXFF 0x40u
#define FR_TXFE 0x80u

#define INT_RX 0x10u
#define INT_TX 0x20u
#define INT_RT 0x40u

#define INTID      33u
#define CHANNEL    7u
#define RING_SIZE  4096u
#define FIFO_DEPTH 16u

bool freeze_active(void)
{
    return false;
}

void timer_silence_until(uint64_t deadline)
{
    (void)deadline;
}

bool timer_asserted(uint8_t vcpu)
{
    (void)vcpu;
    return false;
}

static _Alignas(4096) uint8_t output_region[RING_HEADER_SIZE + RING_SIZE];
static _Alignas(4096) uint8_t input_region[RING_HEADER_SIZE + RING_SIZE];
static struct ring console_reads, console_writes;
static bool console_ready;

bool virtio_console_ready(void)
{
    return console_ready;
}

static int start(void **state)
{
    static const struct vmm_console_config config = {
        .present = true,
        .channel = CHANNEL,
        .output = output_region,
        .input = input_region,
        .output_size = RING_SIZE,
        .input_size = RING_SIZE,
    };
    struct mmio_access enable = {.width = 4, .write = true};

    (void)state;
    pl011_flush(); /* what the last test has sent */
    fake_reset();
    memset(output_region, 0, sizeof(output_region));
    memset(input_region, 0, sizeof(input_region));
    ring_init(&console_reads, output_region, RING_SIZE);
    ring_init(&console_writes, input_region, RING_SIZE);
    console_ready = false;
    vcpu_init(1);
    vgic_init(2, 1);
    vcpu_power_on(0, 0x40000000, 0, 0);
    enable.offset = 0x000; /* GICD_CTLR */
    enable.value = 1;
    vgic_v2_access(NULL, &enable);
    enable.offset = 0x104; /* GICD_ISENABLER1 */
    enable.value = 1u << (INTID - 32);
    vgic_v2_access(NULL, &enable);
    console_port_init(&config);
    pl011_init(INTID);
    return 0;
}

static void write_reg(uint32_t offset, uint32_t value)
{
    struct mmio_access access = {.offset = offset, .width = 4, .write = true, .value = value};

    assert_true(pl011_access(NULL, &access));
}

static uint32_t read_reg(uint32_t offset)
{
    struct mmio_access access = {.offset = offset, .width = 4, .value = ~0ull};

    assert_true(pl011_access(NULL, &access));
    return (uint32_t)access.value;
}

static void send(const char *text)
{
    for (; *text; text++) {
        write_reg(DR, (uint8_t)*text);
    }
}

static void expect_output(const char *text)
{
    char got[256] = "";

    got[ring_read(&console_reads, got, sizeof(got) - 1)] = '\0';
    assert_string_equal(got, text);
}

static void type(const char *text)
{
    assert_int_equal(ring_write(&console_writes, text, (uint32_t)strlen(text)), strlen(text));
    pl011_notified();
}

static void it_says_what_it_is(void **state)
{
    static const uint8_t ids[] = {0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(read_reg(0xfe0 + 4 * i), ids[i]);
    }
    assert_int_equal(read_reg(CR), 0x300);
    assert_int_equal(read_reg(IFLS), 0x12);
    assert_int_equal(read_reg(FR) & (FR_TXFE | FR_RXFE | FR_TXFF | FR_BUSY), FR_TXFE | FR_RXFE);
    assert_int_equal(read_reg(0x90), 0);
}

static void registers_hold_what_they_can(void **state)
{
    (void)state;
    write_reg(0x24, 0x12345678);
    assert_int_equal(read_reg(0x24), 0x5678);
    write_reg(0x28, 0xffff);
    assert_int_equal(read_reg(0x28), 0x3f);
    write_reg(LCR_H, 0xffff);
    assert_int_equal(read_reg(LCR_H), 0xff);
    write_reg(CR, 0xffffffff);
    assert_int_equal(read_reg(CR), 0xff87);
    write_reg(IMSC, 0xffffffff);
    assert_int_equal(read_reg(IMSC), 0x7ff);
    write_reg(0x48, 0xff);
    assert_int_equal(read_reg(0x48), 7);
    write_reg(0x04, 0xff);
    write_reg(0x18, 0xff);
    write_reg(0xffc, 0xff);
    assert_int_equal(read_reg(0xffc), 0xb1);
}

static void widths(void **state)
{
    struct mmio_access access = {.offset = FR, .width = 1, .value = ~0ull};

    (void)state;
    assert_true(pl011_access(NULL, &access));
    assert_int_equal(access.value, read_reg(FR) & 0xff);
    access.width = 2;
    assert_true(pl011_access(NULL, &access));
    access.width = 8;
    assert_false(pl011_access(NULL, &access));
    access.width = 2;
    access.offset = FR + 2;
    assert_false(pl011_access(NULL, &access));
}

static void a_line_is_passed_on_whole(void **state)
{
    (void)state;
    ring_await_data(&console_reads);
    send("Booting");
    expect_output("");
    assert_int_equal(fake.notifies[CHANNEL], 0);
    send(" Linux\n");
    assert_int_equal(fake.notifies[CHANNEL], 1);
    expect_output("Booting Linux\n");
}

static void an_unfinished_line_is_passed_on_when_asked(void **state)
{
    (void)state;
    send("login: ");
    pl011_flush();
    expect_output("login: ");
    pl011_flush();
    expect_output("");
}

static void a_full_console_fills_the_fifo(void **state)
{
    static char much[RING_SIZE];
    unsigned sent = 0;

    (void)state;
    memset(much, 'x', sizeof(much));
    assert_int_equal(console_port_write(much, sizeof(much)), sizeof(much));
    while (!(read_reg(FR) & FR_TXFF)) {
        write_reg(DR, 'y');
        sent++;
        assert_in_range(sent, 0, 1000);
    }
    write_reg(ICR, 0x7ff);
    write_reg(IMSC, INT_TX);
    for (unsigned i = 0; i < 2 * FIFO_DEPTH; i++) {
        write_reg(DR, 'z'); /* half of them lost, as on the wire */
    }
    assert_int_equal(read_reg(RIS) & INT_TX, 0);
    assert_false(vgic_pending(0));

    /* The console takes what there is and is asked to say so. */
    assert_int_equal(ring_read(&console_reads, much, sizeof(much)), sizeof(much));
    assert_true(ring_take_space_wanted(&console_reads));
    pl011_notified();
    assert_int_equal(read_reg(RIS) & INT_TX, INT_TX);
    assert_true(vgic_pending(0));
    assert_int_equal(read_reg(FR) & FR_TXFF, 0);
    assert_int_equal(ring_read(&console_reads, much, sizeof(much)), sent + FIFO_DEPTH);
}

/* What the console has received is what was sent: RING_SIZE times 'x', and then digits in turn. */
static unsigned receive_in_order(unsigned received, uint32_t at_most)
{
    static char bytes[RING_SIZE];
    uint32_t count = ring_read(&console_reads, bytes, at_most);

    for (uint32_t i = 0; i < count; i++, received++) {
        assert_int_equal(bytes[i],
                         received < RING_SIZE ? 'x' : (char)('0' + (received - RING_SIZE) % 10));
    }
    return received;
}

/* A driver sends half a FIFO after each interrupt and never looks for room. The console is slow. */
static void what_is_sent_after_an_interrupt_is_not_lost(void **state)
{
    static char much[RING_SIZE];
    unsigned sent = 0, received = 0;

    (void)state;
    memset(much, 'x', sizeof(much));
    assert_int_equal(console_port_write(much, sizeof(much)), sizeof(much));
    write_reg(IMSC, INT_TX);
    write_reg(DR, '0' + sent++ % 10);
    while (received < 2 * RING_SIZE) {
        while (vgic_pending(0)) { /* the driver's handler */
            write_reg(ICR, INT_TX);
            for (unsigned i = 0; i < FIFO_DEPTH / 2; i++) {
                write_reg(DR, '0' + sent++ % 10);
            }
        }
        received = receive_in_order(received, 5);
        pl011_notified();
    }
    assert_in_range(sent, RING_SIZE, 2 * RING_SIZE + 200);
}

static void sending_raises_the_transmit_interrupt(void **state)
{
    (void)state;
    write_reg(IMSC, INT_TX);
    assert_false(vgic_pending(0));
    write_reg(DR, 'a');
    assert_int_equal(read_reg(MIS), INT_TX);
    assert_true(vgic_pending(0));
    write_reg(ICR, INT_TX); /* before the byte has left, for all that the driver knows */
    assert_int_equal(read_reg(MIS), INT_TX);
    write_reg(ICR, INT_TX);
    assert_int_equal(read_reg(RIS), 0);
    assert_false(vgic_pending(0));
}

/* A driver fills the FIFO, then clears the interrupt, then waits for the next one. */
static void clearing_the_transmit_interrupt_stops_no_output(void **state)
{
    (void)state;
    send("some");
    write_reg(ICR, 0x7ff);
    write_reg(IMSC, INT_TX);
    for (unsigned i = 0; i < 10; i++) {
        assert_true(vgic_pending(0));
        send("more");
        write_reg(ICR, INT_TX);
    }
    assert_true(vgic_pending(0));
}

/* One that leaves the interrupt enabled with nothing to send is left in peace. */
static void an_empty_fifo_does_not_interrupt(void **state)
{
    (void)state;
    write_reg(LCR_H, 0x70);
    write_reg(IMSC, 0x7ff);
    assert_false(vgic_pending(0));
    send("x");
    write_reg(ICR, 0x7ff);
    for (unsigned i = 0; i < 3; i++) {
        write_reg(ICR, 0x7ff);
        assert_false(vgic_pending(0));
        assert_int_equal(read_reg(RIS), 0);
    }
}

/* Whoever finds that there is room again: the interrupt that the driver waits for comes. */
static void room_that_a_driver_finds_interrupts_too(void **state)
{
    static char much[RING_SIZE];

    (void)state;
    memset(much, 'x', sizeof(much));
    assert_int_equal(console_port_write(much, sizeof(much)), sizeof(much));
    while (!(read_reg(FR) & FR_TXFF)) {
        write_reg(DR, 'y');
    }
    write_reg(ICR, 0x7ff);
    write_reg(IMSC, INT_TX);
    assert_false(vgic_pending(0));
    assert_int_equal(ring_read(&console_reads, much, sizeof(much)), sizeof(much));
    assert_int_equal(read_reg(FR) & FR_TXFF, 0);
    assert_true(vgic_pending(0));
}

static void input_is_announced_and_read(void **state)
{
    (void)state;
    write_reg(LCR_H, 0x70);
    write_reg(IMSC, INT_RX | INT_RT);
    type("hi");
    assert_true(vgic_pending(0));
    assert_int_equal(read_reg(MIS), INT_RT); /* fewer than half the FIFO */
    assert_int_equal(read_reg(DR), 'h');
    assert_int_equal(read_reg(FR) & FR_RXFE, 0);
    assert_int_equal(read_reg(DR), 'i');
    assert_int_equal(read_reg(FR) & FR_RXFE, FR_RXFE);
    assert_int_equal(read_reg(MIS), 0);
    assert_int_equal(read_reg(DR), 0);
}

/* The interrupt's handler has come late: the FIFO is full. It clears everything, then it reads. */
static void clearing_interrupts_loses_no_input(void **state)
{
    (void)state;
    write_reg(LCR_H, 0x70);
    write_reg(IMSC, INT_RX | INT_RT);
    type("0123456789abcdef");
    assert_int_equal(read_reg(FR) & FR_RXFF, FR_RXFF);
    write_reg(ICR, 0x7ff);
    assert_int_equal(read_reg(MIS), INT_RX | INT_RT);
    assert_true(vgic_pending(0));
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(read_reg(FR) & FR_RXFE, 0);
        read_reg(DR);
    }
    assert_int_equal(read_reg(FR) & FR_RXFE, FR_RXFE);
    assert_int_equal(read_reg(MIS), 0);
    assert_false(vgic_pending(0));
}

/* Fewer bytes than raise the receive interrupt: its timeout comes, and again after it is cleared.
 */
static void a_few_bytes_time_out(void **state)
{
    (void)state;
    write_reg(LCR_H, 0x70);
    write_reg(IMSC, INT_RX | INT_RT);
    type("abc");
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(read_reg(MIS), INT_RT);
        assert_true(vgic_pending(0));
        write_reg(ICR, 0x7ff);
    }
    read_reg(DR);
    read_reg(DR);
    assert_int_equal(read_reg(MIS), INT_RT);
    read_reg(DR);
    assert_int_equal(read_reg(MIS), 0);
    assert_false(vgic_pending(0));
}

/* A driver without FIFOs: a byte for each receive interrupt, which it clears before or after. */
static void a_byte_for_each_interrupt(void **state)
{
    static const char text[] = "a command that somebody pastes";

    (void)state;
    write_reg(LCR_H, 0x60);
    write_reg(IMSC, INT_RX);
    type(text);
    for (unsigned i = 0; i < sizeof(text) - 1; i++) {
        assert_int_equal(read_reg(FR) & (FR_RXFE | FR_RXFF), FR_RXFF);
        assert_int_equal(read_reg(MIS), INT_RX);
        if (i % 2 == 0) {
            write_reg(ICR, INT_RX);
        }
        assert_int_equal(read_reg(DR), text[i]);
        write_reg(ICR, INT_RX);
    }
    assert_int_equal(read_reg(MIS), 0);
    assert_false(vgic_pending(0));
}

static void a_driver_that_turns_its_fifos_off_and_on_loses_nothing(void **state)
{
    (void)state;
    write_reg(IMSC, INT_RX);
    write_reg(LCR_H, 0x70);
    type("0123456789");
    assert_int_equal(read_reg(MIS), INT_RX); /* half of 16 */
    write_reg(IFLS, 0x20);                   /* seven eighths */
    assert_int_equal(read_reg(MIS), 0);
    assert_false(vgic_pending(0));
    write_reg(LCR_H, 0x60);
    assert_int_equal(read_reg(MIS), INT_RX);
    assert_true(vgic_pending(0));
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(read_reg(DR), '0' + i);
    }
    write_reg(LCR_H, 0x70);
    for (unsigned i = 5; i < 10; i++) {
        assert_int_equal(read_reg(DR), '0' + i);
    }
    assert_int_equal(read_reg(FR) & FR_RXFE, FR_RXFE);
}

static void more_input_than_fits_waits(void **state)
{
    static const char text[] = "the quick brown fox jumps over the lazy dog";

    (void)state;
    write_reg(LCR_H, 0x70);
    write_reg(IMSC, INT_RX);
    type(text);
    assert_int_equal(read_reg(MIS), INT_RX);
    for (unsigned i = 0; i < sizeof(text) - 1; i++) {
        assert_int_equal(read_reg(DR), text[i]);
    }
    assert_int_equal(read_reg(FR) & FR_RXFE, FR_RXFE);
    type("!");
    assert_int_equal(read_reg(DR), '!');
}

static void input_is_not_ours_once_virtio_has_it(void **state)
{
    uint8_t byte;

    (void)state;
    console_ready = true;
    type("x");
    assert_int_equal(read_reg(FR) & FR_RXFE, FR_RXFE);
    assert_int_equal(read_reg(DR), 0);
    assert_int_equal(console_port_read(&byte, 1), 1);
    assert_int_equal(byte, 'x');
}

static void reset_forgets_all_but_what_was_sent(void **state)
{
    (void)state;
    write_reg(IMSC, INT_TX);
    write_reg(LCR_H, 0x70);
    type("left over");
    send("last words");
    pl011_reset();
    expect_output("last words");
    assert_int_equal(read_reg(IMSC), 0);
    assert_int_equal(read_reg(RIS), 0);
    assert_int_equal(read_reg(LCR_H), 0);
    assert_int_equal(read_reg(FR) & FR_RXFE, FR_RXFE);
}

static void a_broken_ring_swallows_and_gives_nothing(void **state)
{
    struct ring_shared *shared = (struct ring_shared *)output_region;

    (void)state;
    shared->tail = 0x80000000;
    ((struct ring_shared *)input_region)->head = 0x80000000;
    for (unsigned i = 0; i < 1000; i++) {
        write_reg(DR, '\n');
    }
    pl011_notified();
    assert_int_equal(read_reg(FR) & FR_RXFE, FR_RXFE);
}

static void noise_is_survived(void **state)
{
    (void)state;
    srand(1);
    for (unsigned i = 0; i < 100000; i++) {
        uint8_t width = (uint8_t)(1u << (rand() % 4));
        struct mmio_access access = {
            .offset = (uint64_t)(rand() % 4096) & ~(uint64_t)(width - 1u),
            .width = width,
            .write = rand() & 1,
            .value = (uint64_t)rand() << 32 ^ (uint64_t)rand(),
        };
        uint8_t bytes[32];

        pl011_access(NULL, &access);
        if (rand() % 8 == 0) {
            ring_read(&console_reads, bytes, sizeof(bytes));
            ring_write(&console_writes, bytes, sizeof(bytes));
            pl011_notified();
        }
    }
}

static void without_a_console_only_the_monitor_speaks(void **state)
{
    static const struct vmm_console_config silent = {
        .channel = CHANNEL,
        .output = output_region,
        .output_size = RING_SIZE,
    };
    static const struct vmm_console_config mute = {.channel = CHANNEL};
    char got[8];

    (void)state;
    console_port_init(&silent);
    assert_int_equal(console_port_write("guest", 5), 5); /* vanishes */
    assert_int_equal(console_port_read(got, sizeof(got)), 0);
    assert_non_null(console_port_output());
    assert_int_equal(ring_write(console_port_output(), "monitor", 7), 7);
    assert_int_equal(ring_read(&console_reads, got, sizeof(got)), 7);
    assert_memory_equal(got, "monitor", 7);
    console_port_init(&mute);
    assert_null(console_port_output());
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, start)
    const struct CMUnitTest tests[] = {
        TEST(it_says_what_it_is),
        TEST(registers_hold_what_they_can),
        TEST(widths),
        TEST(a_line_is_passed_on_whole),
        TEST(an_unfinished_line_is_passed_on_when_asked),
        TEST(a_full_console_fills_the_fifo),
        TEST(what_is_sent_after_an_interrupt_is_not_lost),
        TEST(sending_raises_the_transmit_interrupt),
        TEST(clearing_the_transmit_interrupt_stops_no_output),
        TEST(an_empty_fifo_does_not_interrupt),
        TEST(room_that_a_driver_finds_interrupts_too),
        TEST(input_is_announced_and_read),
        TEST(clearing_interrupts_loses_no_input),
        TEST(a_few_bytes_time_out),
        TEST(a_byte_for_each_interrupt),
        TEST(a_driver_that_turns_its_fifos_off_and_on_loses_nothing),
        TEST(more_input_than_fits_waits),
        TEST(input_is_not_ours_once_virtio_has_it),
        TEST(reset_forgets_all_but_what_was_sent),
        TEST(a_broken_ring_swallows_and_gives_nothing),
        TEST(noise_is_survived),
        TEST(without_a_console_only_the_monitor_speaks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
