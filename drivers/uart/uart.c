/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The PL011 driver: two streams to its client, the console multiplexer. It never waits for the
 * device. What does not fit into the transmit FIFO is written when the device interrupts. What the
 * client has no room for stays in the receive FIFO, whose interrupts are then masked.
 */

#include <microkit.h>
#include <stddef.h>
#include "config.h"
#include "lib/log.h"
#include "lib/ring.h"
#include "pl011.h"

/* Bytes for each direction and wake-up. Emulated devices take any number without a pause. */
#define BUDGET 256u

/* The longest wait for a byte that the firmware still sends, in reads of UARTFR. */
#define BUSY_READS 100000u

/*
 * After a byte, how often UARTFR is read for the next. An emulator gives a byte once the last one
 * was taken, but not at once: its thread for that must come to run. A PL011 that is disabled
 * receives none.
 */
#define SETTLE_READS 50000u

static struct ring transmit_ring, receive_ring;
static uint32_t interrupt_mask;

/* Taken from the ring and not yet in the FIFO. */
static uint8_t pending[64];
static uint32_t pending_first, pending_count;

static uint32_t read_register(uint32_t offset)
{
    return pl011_read(uart_config.registers, offset);
}

static void write_register(uint32_t offset, uint32_t value)
{
    pl011_write(uart_config.registers, offset, value);
}

static void set_interrupts(uint32_t bits, bool on)
{
    uint32_t mask = on ? interrupt_mask | bits : interrupt_mask & ~bits;

    if (mask != interrupt_mask) {
        interrupt_mask = mask;
        write_register(UARTIMSC, mask);
    }
}

static void notify_client(void)
{
    microkit_notify(uart_config.client_channel);
}

/* Fetch the next bytes from the client. False if there are none; then the client will notify. */
static bool refill(void)
{
    do {
        pending_first = 0;
        pending_count = ring_read(&transmit_ring, pending, sizeof(pending));
    } while (pending_count == 0 && ring_await_data(&transmit_ring));
    return pending_count > 0;
}

/*
 * The transmit interrupt is raised when the FIFO's level falls through the threshold. It is enabled
 * only after the FIFO was filled, or after a write to an emulated device that is never full, which
 * raises it. So it always comes.
 */
static void transmit(void)
{
    bool more = true;

    for (uint32_t sent = 0; sent < BUDGET; sent++) {
        if (pending_count == 0 && !refill()) {
            more = false;
            break;
        }
        if (read_register(UARTFR) & UARTFR_TXFF) {
            break;
        }
        write_register(UARTDR, pending[pending_first++]);
        pending_count--;
    }
    set_interrupts(UART_INT_TX, more);
    if (ring_take_space_wanted(&transmit_ring)) {
        notify_client();
    }
}

/* Whether the client has room for the next byte. If not, it will notify. */
static bool receive_has_room(void)
{
    return ring_space(&receive_ring) > 0 || ring_await_space(&receive_ring, 1);
}

/* Take up to `budget` bytes from the device. False if the client has no room for more. */
static bool take_received(uint32_t budget)
{
    for (uint32_t received = 0; received < budget; received++) {
        if (read_register(UARTFR) & UARTFR_RXFE) {
            break;
        }
        if (!receive_has_room()) {
            return false;
        }

        uint32_t data = read_register(UARTDR);
        uint8_t byte = (uint8_t)data;

        if ((data & (UARTDR_FE | UARTDR_PE | UARTDR_BE)) == 0) {
            ring_write(&receive_ring, &byte, 1);
        }
    }
    return true;
}

/*
 * Reading UARTDR clears the receive interrupts. UARTICR is not written: that would also clear the
 * interrupt of a byte that arrives after the last read.
 */
static void receive(uint32_t budget)
{
    bool room = take_received(budget);

    set_interrupts(UART_INT_RX | UART_INT_RT, room);
    if (ring_take_data_wanted(&receive_ring)) {
        notify_client();
    }
}

/* Take all that has come and that an emulator still holds behind it. */
static void take_what_was_typed(void)
{
    for (uint32_t taken = 0; taken < uart_config.ring_size; taken++) {
        if (read_register(UARTFR) & UARTFR_RXFE) {
            return;
        }
        if (!take_received(1)) {
            return;
        }
        for (uint32_t i = 0; i < SETTLE_READS && (read_register(UARTFR) & UARTFR_RXFE); i++) {
        }
    }
}

/*
 * Set 8 data bits and enable the FIFOs. The baud rate stays as the firmware has set it. Enabling
 * the FIFOs empties them, so what has been received by then is taken first; FIFOs that are enabled
 * already stay as they are.
 */
static void set_format(void)
{
    const uint32_t format = UARTLCR_H_WLEN_8 | UARTLCR_H_FEN;

    if (read_register(UARTLCR_H) == format) {
        return;
    }
    for (uint32_t i = 0; i < BUSY_READS && (read_register(UARTFR) & UARTFR_BUSY); i++) {
    }
    write_register(UARTCR, read_register(UARTCR) & ~UARTCR_UARTEN);
    take_what_was_typed();
    write_register(UARTLCR_H, format);
}

static void start_device(void)
{
    uint32_t control = read_register(UARTCR);

    write_register(UARTIMSC, 0);
    interrupt_mask = 0;
    set_format();
    write_register(UARTIFLS, UARTIFLS_RX_1_2 | UARTIFLS_TX_1_4);
    write_register(UARTICR, UART_INT_ALL);
    write_register(UARTCR, control | UARTCR_UARTEN | UARTCR_TXE | UARTCR_RXE);
}

void init(void)
{
    log_init("uart", NULL, 0);
    ring_init(&transmit_ring, uart_config.transmit, uart_config.ring_size);
    ring_init(&receive_ring, uart_config.receive, uart_config.ring_size);
    pending_first = 0;
    pending_count = 0;
    start_device();
    /* Take all of it: what has arrived so far raises no interrupt any more. */
    receive(uart_config.ring_size);
    transmit();
}

static void serve(void)
{
    bool sound = !ring_broken(&transmit_ring) && !ring_broken(&receive_ring);

    receive(BUDGET);
    transmit();
    if (sound && (ring_broken(&transmit_ring) || ring_broken(&receive_ring))) {
        log_printf("the console has broken its ring: no more in that direction");
    }
}

void notified(microkit_channel ch)
{
    serve();
    if (ch == uart_config.irq_channel) {
        /* The only deferred call of this PD: a second one would take the first one's place. */
        microkit_deferred_irq_ack(ch);
    }
}
