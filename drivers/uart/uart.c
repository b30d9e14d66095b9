/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The UART's driver: two streams to its client, the console multiplexer. It never waits for the
 * chip. What does not fit into the transmit FIFO is written when the chip interrupts. What the
 * client has no room for stays in the receive FIFO, whose interrupt is then off.
 */

#include <microkit.h>
#include <stddef.h>
#include "chip.h"
#include "config.h"
#include "lib/interrupt_watch.h"
#include "lib/log.h"
#include "lib/ring.h"
#include "lib/supervised.h"

/* Bytes for each direction and wake-up. Emulated devices take any number without a pause. */
#define BUDGET 256u

static struct ring transmit_ring, receive_ring;

/* Taken from the ring and not yet in the FIFO. */
static uint8_t pending[64];
static uint32_t pending_first, pending_count;

static bool moved; /* a byte, since this wake-up */
static struct interrupt_watch interrupts;
static bool storms; /* the chip's interrupt is not acknowledged any more */

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

static void transmit(void)
{
    bool more = true;

    for (uint32_t sent = 0; sent < BUDGET; sent++) {
        if (pending_count == 0 && !refill()) {
            more = false;
            break;
        }
        if (!chip_send(pending[pending_first])) {
            break;
        }
        pending_first++;
        pending_count--;
        moved = true;
    }
    chip_interrupt_for_room(more);
    if (ring_take_space_wanted(&transmit_ring)) {
        notify_client();
    }
}

/* Whether the client has room for the next byte. If not, it will notify. */
static bool receive_has_room(void)
{
    return ring_space(&receive_ring) > 0 || ring_await_space(&receive_ring, 1);
}

/* Take up to `budget` bytes from the chip. False if the client has no room for more. */
static bool take_received(uint32_t budget)
{
    for (uint32_t received = 0; received < budget; received++) {
        uint8_t byte;

        if (!chip_has_received()) {
            break;
        }
        if (!receive_has_room()) {
            return false;
        }
        if (chip_take(&byte)) {
            ring_write(&receive_ring, &byte, 1);
        }
        moved = true;
    }
    return true;
}

static void receive(uint32_t budget)
{
    bool room = take_received(budget);

    chip_interrupt_for_received(room);
    if (ring_take_data_wanted(&receive_ring)) {
        notify_client();
    }
}

static bool keep(uint8_t byte)
{
    return ring_write(&receive_ring, &byte, 1) == 1;
}

/* Also called after a fault: nothing is left of before, and an interrupt may be unacknowledged. */
void init(void)
{
    bool again = supervised_again();

    log_init("uart", NULL, 0);
    ring_resume_consumer(&transmit_ring, uart_config.transmit, uart_config.ring_size);
    ring_resume_producer(&receive_ring, uart_config.receive, uart_config.ring_size);
    pending_first = 0;
    pending_count = 0;
    interrupts = (struct interrupt_watch){0};
    storms = false;
    chip_start(uart_config.registers, keep);
    if (again) {
        microkit_irq_ack(uart_config.irq_channel);
    }
    /* Take all of it: what has arrived so far may raise no interrupt any more. */
    receive(uart_config.ring_size);
    transmit();
}

static void serve(void)
{
    bool sound = !ring_broken(&transmit_ring) && !ring_broken(&receive_ring);

    moved = false;
    chip_interrupted();
    receive(BUDGET);
    transmit();
    if (sound && (ring_broken(&transmit_ring) || ring_broken(&receive_ring))) {
        log_printf("the console has broken its ring: no more in that direction");
    }
}

/*
 * A chip whose interrupt does not end would keep the processor. From then on it only sends, when
 * the client notifies.
 */
static void watch_interrupts(void)
{
    if (interrupt_watch_ends(&interrupts, moved)) {
        storms = true;
        log_printf("the device interrupts for nothing: its interrupt stays off");
    }
}

void notified(microkit_channel ch)
{
    serve();
    if (ch == uart_config.irq_channel) {
        watch_interrupts();
        if (!storms) {
            /* The only deferred call of this PD: a second one would take the first one's place. */
            microkit_deferred_irq_ack(ch);
        }
    }
}
