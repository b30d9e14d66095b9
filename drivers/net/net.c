/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The network card's driver. To the switch it is a port like any other (lib/net_port.h), and the
 * driver does what a monitor does at its port: it publishes which offloads the card has (checksums,
 * segmentation), sends what the switch passes on, and passes on all that the card receives. The
 * switch decides who may send what to whom.
 *
 * Frames are copied between the switch's rings and the driver's own buffers, so that the card
 * reaches no memory that anyone else writes.
 */

#include <linux/virtio_net.h>
#include <microkit.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include "chip.h"
#include "config.h"
#include "lib/interrupt_watch.h"
#include "lib/log.h"
#include "lib/net_port.h"
#include "lib/notify.h"
#include "lib/offload.h"
#include "lib/ring.h"
#include "lib/supervised.h"
#include "lib/tcp_checksum.h"

#define HEADER ((uint32_t)sizeof(struct virtio_net_hdr_v1))

/*
 * Frames from the card per wake-up. Then it is the turn of the switch, which has a lower priority
 * and notifies the driver when it has taken them. Meanwhile the card drops what it has no buffers
 * for, which costs no processor time.
 */
#define RX_BUDGET 128u

/* Frames to the card before the next look at what has been received. */
#define TX_BUDGET 128u

static struct ring to_switch, from_switch;
static uint32_t accepts; /* NET_PORT_*, as published to the switch */
static bool stopped;     /* the card has been given up, or there is none */
static bool reported;    /* a broken ring */
static bool moved;       /* a frame, since the last interrupt */
static struct interrupt_watch watch;

static void publish_accepts(void)
{
    uint32_t *published =
        (uint32_t *)(void *)((uint8_t *)net_driver_config.from_switch + NET_PORT_ACCEPTS_OFFSET);

    accepts = chip_accepts();
    *(volatile uint32_t *)published = accepts;
    atomic_thread_fence(memory_order_seq_cst);
}

/* ---- To the card ---- */

/* What a card may make of a large segment: frames that are no longer than any; NULL, or the cause.
 */
static const char *check_segments(const struct virtio_net_hdr_v1 *header, uint32_t length)
{
    struct offload_plan plan;
    const char *cause = offload_plan(&plan, header, header + 1, length, accepts);

    if (cause == NULL && offload_record_max(&plan) > HEADER + NET_FRAME_MAX(NET_MTU)) {
        cause = "its segments are too long";
    }
    return cause;
}

/*
 * Check the record's virtio-net header, and clear what means nothing in it, so that the card is
 * only asked for offloads that it has. The record is the driver's own copy. Returns NULL, or the
 * cause in words.
 */
static const char *seal_record(void *record, uint32_t count)
{
    struct virtio_net_hdr_v1 *header = record;
    const char *cause;

    header->num_buffers = 0;
    header->flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
    if (header->flags == 0 && header->gso_type == VIRTIO_NET_HDR_GSO_NONE) {
        memset(header, 0, HEADER);
        return count - HEADER <= NET_FRAME_MAX(NET_MTU) ? NULL : "it is too long";
    }
    if (header->gso_type == VIRTIO_NET_HDR_GSO_NONE) {
        header->gso_size = 0;
        header->hdr_len = 0;
    }
    cause = offload_check_header(header, count - HEADER);
    if (cause == NULL && header->gso_type == VIRTIO_NET_HDR_GSO_NONE &&
        count - HEADER > NET_FRAME_MAX(NET_MTU)) {
        cause = "it is too long";
    }
    if (cause == NULL && !offload_accepted(header, accepts)) {
        cause = "the card cannot finish it";
    }
    if (cause == NULL && header->gso_type != VIRTIO_NET_HDR_GSO_NONE) {
        cause = check_segments(header, count - HEADER);
    }
    return cause;
}

/* Send a record, or drop an invalid one. Returns false if the card has no room for it now. */
static bool send_record(const void *record, uint32_t count)
{
    const char *cause = "its length cannot be";
    void *buffer;

    if (count >= HEADER + NET_FRAME_MIN && count <= CHIP_RECORD_MAX) {
        buffer = chip_send_buffer(count);
        if (buffer == NULL) {
            return false;
        }
        memcpy(buffer, record, count);
        cause = seal_record(buffer, count);
    }
    if (cause == NULL) {
        chip_send(count);
        moved = true;
    } else {
        log_limited("a frame of %u bytes from the switch dropped: %s",
                    count > HEADER ? (unsigned)(count - HEADER) : 0u, cause);
    }
    return true;
}

/* Returns whether there is more to do at once. */
static bool transmit(void)
{
    uint32_t count;
    const void *record;

    for (uint32_t budget = TX_BUDGET; budget > 0; budget--) {
        record = ring_peek(&from_switch, &count);
        if (record == NULL) {
            return ring_await_data(&from_switch);
        }
        if ((accepts & NET_PORT_UP) != 0 && !send_record(record, count)) {
            return chip_await_sent();
        }
        ring_release(&from_switch);
    }
    return true;
}

/* ---- From the card ---- */

/* No run begins with a shorter frame, an acknowledgement say, and its guest sums it as fast. */
#define CHECKED_MIN 256u

/*
 * Say of a frame whose card has not looked at its TCP checksum that it is right. Then the switch,
 * whose budget is smaller, need not look when it joins the frame to others, nor a guest at the run.
 */
static void check_checksum(struct virtio_net_hdr_v1 *header, uint32_t count)
{
    if (count >= HEADER + CHECKED_MIN && header->flags == 0 &&
        header->gso_type == VIRTIO_NET_HDR_GSO_NONE &&
        tcp_checksum_right((const uint8_t *)(header + 1), count - HEADER)) {
        header->flags = VIRTIO_NET_HDR_F_DATA_VALID;
    }
}

enum received { ALL, BLOCKED, SPENT };

static enum received receive_batch(uint32_t *count)
{
    for (uint32_t budget = RX_BUDGET; budget > 0; budget--) {
        void *record;

        *count = chip_received();
        if (*count == 0) {
            return ALL;
        }
        if (*count == CHIP_DROPPED) {
            continue;
        }
        record = ring_reserve(&to_switch, *count);
        if (record == NULL) {
            return BLOCKED;
        }
        chip_read(record);
        check_checksum(record, *count);
        ring_commit(&to_switch);
        moved = true;
    }
    return SPENT;
}

/* Returns whether there is more to do at once. */
static bool receive(void)
{
    uint32_t count = 0;

    switch (receive_batch(&count)) {
    case ALL:
        return chip_await_received();
    case BLOCKED:
        return ring_await_space(&to_switch, count);
    default: /* until the switch has taken it all */
        return ring_await_space(&to_switch, net_driver_config.ring_size);
    }
}

/* ---- Events ---- */

static void give_up(void)
{
    stopped = true;
    log_printf("the card is given up: %s%s", chip_error(), chip_stop() ? "" : "; it does not stop");
    publish_accepts();
}

static void serve(void)
{
    bool more = !stopped;

    while (more) {
        bool sends = transmit();
        bool receives = receive();

        chip_kick();
        more = (sends || receives) && chip_error() == NULL;
    }
    if (!stopped && chip_error() != NULL) {
        give_up();
    }
    bool data_wanted = ring_take_data_wanted(&to_switch);
    bool space_wanted = ring_take_space_wanted(&from_switch);
    if (data_wanted || space_wanted) {
        notify_at_end(net_driver_config.switch_channel);
    }
    if (!reported && (ring_broken(&to_switch) || ring_broken(&from_switch))) {
        reported = true;
        log_printf("the switch has broken its ring: the link is dead");
    }
}

static void log_link(void)
{
    log_printf("the link is %s%s%s%s", (accepts & NET_PORT_UP) != 0 ? "up" : "down",
               (accepts & NET_PORT_CSUM) != 0 ? ", with checksums" : "",
               (accepts & NET_PORT_TSO4) != 0 ? ", TSOv4" : "",
               (accepts & NET_PORT_TSO6) != 0 ? ", TSOv6" : "");
}

static void start_card(void)
{
    struct chip_info info;
    const uint8_t *mac = info.mac;
    struct chip_memory buffers = {net_driver_config.dma, *net_driver_config.dma_paddr,
                                  NET_DRIVER_DMA_SIZE};
    struct chip_memory rings = {0};

    if (net_driver_config.rings != NULL) {
        rings = (struct chip_memory){net_driver_config.rings, *net_driver_config.rings_paddr,
                                     NET_DRIVER_RINGS_SIZE};
    }
    const char *cause = chip_start(net_driver_config.registers, &buffers, &rings, &info);
    stopped = cause != NULL;
    publish_accepts();
    if (stopped) {
        log_printf("no card: %s", cause);
        return;
    }
    log_printf("card %02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
               mac[5]);
    if (info.mtu != 0 && info.mtu < NET_MTU) {
        log_printf("its MTU is %u: longer frames get lost", (unsigned)info.mtu);
    }
    log_link();
}

/* Also called after a fault: nothing is left of before, and an interrupt may be unacknowledged. */
void init(void)
{
    bool again = supervised_again();

    log_open("uplink", net_driver_config.log, net_driver_config.log_size,
             net_driver_config.log_channel);
    ring_init(&to_switch, net_driver_config.to_switch, net_driver_config.ring_size);
    ring_init(&from_switch, net_driver_config.from_switch, net_driver_config.ring_size);
    reported = false;
    moved = false;
    watch = (struct interrupt_watch){0};
    start_card();
    if (again && !stopped) {
        microkit_irq_ack(net_driver_config.irq_channel);
    }
    serve();
}

static void watch_interrupts(void)
{
    if (interrupt_watch_ends(&watch, moved)) {
        chip_fail("it interrupts without a cause");
        serve();
    }
    moved = false;
}

void notified(microkit_channel ch)
{
    if (ch == net_driver_config.irq_channel && !stopped && chip_interrupted()) {
        publish_accepts();
        log_link();
    }
    serve();
    if (ch == net_driver_config.irq_channel && !stopped) {
        watch_interrupts();
    }
    /* A card that is given up may interrupt for ever: its interrupt stays unacknowledged. */
    if (ch == net_driver_config.irq_channel && !stopped) {
        microkit_irq_ack(ch);
    }
}
