/* SPDX-License-Identifier: BSD-2-Clause */

#include "console.h"

#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <stddef.h>
#include "virtio.h"
#include "vmm/console_port.h"
#include "vmm/panic.h"

enum { RX, TX, QUEUES };

#define QUEUE_SIZE 64u

/*
 * Work per turn: a chain costs one, one more for each 32 descriptors that it has, and one for each
 * 256 bytes that are sent. A console that nobody views takes whatever comes, and a
 * chain may have 4 GiB, so nothing else bounds a turn.
 */
#define BUDGET           64u
#define WORK_COST_SHIFT  5
#define BYTES_COST_SHIFT 8
#define SEND_BYTES_MAX   (BUDGET << BYTES_COST_SHIFT)

static struct {
    struct virtio_device device;
    uint32_t sent; /* bytes of the oldest chain to send that are through already */
    bool tx_waits; /* for room in the ring to the console */
    uint32_t size; /* of the terminal, as the driver was told (lib/console_state.h) */
} console;

static struct virtqueue_segment segments[VIRTQUEUE_SIZE_MAX];

enum outcome { SENT, BLOCKED, BUDGET_SPENT };

/* Send what has not been sent of a chain, at most *room bytes, which become less. */
static enum outcome send(const struct virtqueue_chain *chain, uint32_t *room)
{
    uint32_t skip = console.sent;

    for (uint32_t i = 0; i < chain->readable; i++) {
        uint32_t length = segments[i].length;
        uint32_t part, taken;

        if (skip >= length) {
            skip -= length;
            continue;
        }
        part = length - skip < *room ? length - skip : *room;
        taken = console_port_write(segments[i].data + skip, part);
        panic_printed(PANIC_VIRTIO, segments[i].data + skip, taken);
        console.sent += taken;
        *room -= taken;
        if (taken < part) {
            return BLOCKED;
        }
        if (part < length - skip) {
            return BUDGET_SPENT;
        }
        skip = 0;
    }
    console.sent = 0;
    return SENT;
}

static uint32_t cost_of(const struct virtqueue_chain *chain)
{
    return 1 + ((chain->readable + (uint32_t)chain->writable) >> WORK_COST_SHIFT);
}

/* Returns whether there is more to do at once. */
static bool transmit(struct virtqueue *queue)
{
    struct virtqueue_chain chain;
    uint32_t room = SEND_BYTES_MAX;

    console.tx_waits = false;
    for (uint32_t spent = 0; spent + ((SEND_BYTES_MAX - room) >> BYTES_COST_SHIFT) < BUDGET;) {
        enum outcome outcome;

        if (virtqueue_pop(queue, segments, VIRTQUEUE_SIZE_MAX, &chain) != VIRTQUEUE_POPPED) {
            return virtqueue_enable_kicks(queue);
        }
        spent += cost_of(&chain);
        outcome = send(&chain, &room);
        if (outcome != SENT) {
            virtqueue_unpop(queue, 1);
            console.tx_waits = outcome == BLOCKED && !console_port_await_space();
            return !console.tx_waits;
        }
        virtqueue_push(queue, chain.head, 0);
    }
    return true;
}

/* Fill a chain with as much input as there is; returns how many bytes. */
static uint32_t fill(const struct virtqueue_chain *chain)
{
    uint32_t filled = 0;

    for (uint32_t i = 0; i < chain->writable; i++) {
        const struct virtqueue_segment *segment = &segments[chain->readable + i];
        uint32_t taken = console_port_read(segment->data, segment->length);

        filled += taken;
        if (taken < segment->length) {
            break;
        }
    }
    return filled;
}

/* Returns whether there is more to do at once. Without buffers the input waits in the ring. */
static bool receive(struct virtqueue *queue)
{
    struct virtqueue_chain chain;

    for (uint32_t spent = 0; spent < BUDGET; spent += cost_of(&chain)) {
        uint32_t filled;

        if (virtqueue_pop(queue, segments, VIRTQUEUE_SIZE_MAX, &chain) != VIRTQUEUE_POPPED) {
            return virtqueue_enable_kicks(queue);
        }
        if (chain.writable == 0) {
            virtqueue_break(queue, "a buffer to receive in that is not writable");
            return false;
        }
        filled = fill(&chain);
        if (filled == 0) {
            virtqueue_unpop(queue, 1);
            return console_port_await_data();
        }
        virtqueue_push(queue, chain.head, filled);
    }
    return true;
}

static uint32_t console_work(struct virtio_device *device, uint32_t pending)
{
    static bool (*const work[QUEUES])(struct virtqueue *) = {[RX] = receive, [TX] = transmit};
    uint32_t left = 0;

    for (uint32_t i = 0; i < QUEUES; i++) {
        struct virtqueue *queue = &device->queue[i];

        if ((pending & 1u << i) == 0) {
            continue;
        }
        if (work[i](queue)) {
            left |= 1u << i;
        }
        if (virtqueue_flush(queue)) {
            virtio_device_interrupt(device);
        }
        if (virtqueue_error(queue) != NULL) {
            virtio_device_fail(device, virtqueue_error(queue));
            return 0;
        }
    }
    return left;
}

/* The terminal's size (virtio 1.2, 5.3.4). */
static void show_size(struct virtio_device *device)
{
    const uint16_t size[2] = {(uint16_t)(console.size >> 16), (uint16_t)console.size};

    _Static_assert(offsetof(struct virtio_console_config, cols) == 0 &&
                       offsetof(struct virtio_console_config, rows) == 2,
                   "in this order");
    virtio_device_set_config(device, 0, size, sizeof(size));
}

static void console_reset(struct virtio_device *device)
{
    console.size = console_port_size();
    show_size(device);
}

static void console_notified(struct virtio_device *device)
{
    if (console_port_size() != console.size) {
        console_reset(device);
    }
    if (virtio_device_running(device)) {
        virtio_device_schedule(device, 1u << RX | (console.tx_waits ? 1u << TX : 0));
    }
}

static void console_stop(struct virtio_device *device)
{
    (void)device;
    console.sent = 0;
    console.tx_waits = false;
}

static void console_queue_stopped(struct virtio_device *device, uint32_t queue)
{
    if (queue == TX) {
        console_stop(device);
    }
}

/* A kernel's last words, without queues; lost if the ring is full. */
static bool console_write_config(struct virtio_device *device, uint32_t offset, uint8_t width,
                                 uint32_t value)
{
    uint8_t byte = (uint8_t)value;

    (void)device;
    (void)width;
    if (offset != offsetof(struct virtio_console_config, emerg_wr)) {
        return false;
    }
    panic_printed(PANIC_VIRTIO, &byte, console_port_write(&byte, 1));
    return true;
}

static const struct virtio_device_ops console_ops = {
    .id = VIRTIO_ID_CONSOLE,
    .queue_count = QUEUES,
    .queue_size_max = {[RX] = QUEUE_SIZE, [TX] = QUEUE_SIZE},
    .stop = console_stop,
    .reset = console_reset,
    .queue_stopped = console_queue_stopped,
    .work = console_work,
    .notified = console_notified,
    .write_config = console_write_config,
};

bool virtio_console_ready(void)
{
    return virtio_device_running(&console.device);
}

struct virtio_device *virtio_console_init(const struct vmm_console_config *config,
                                          const struct guest_memory *memory)
{
    console.device.ops = &console_ops;
    console.device.name = "console";
    console.device.features =
        VIRTIO_FEATURE(VIRTIO_F_VERSION_1) | VIRTIO_FEATURE(VIRTIO_RING_F_INDIRECT_DESC) |
        VIRTIO_FEATURE(VIRTIO_RING_F_EVENT_IDX) | VIRTIO_FEATURE(VIRTIO_CONSOLE_F_EMERG_WRITE) |
        VIRTIO_FEATURE(VIRTIO_CONSOLE_F_SIZE);
    virtio_device_init(&console.device, memory, config->registers, config->gpa, config->intid);
    return &console.device;
}
