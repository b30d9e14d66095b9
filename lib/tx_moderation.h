/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Interrupt moderation and notification suppression on the transmit queue of a guest's network
 * card: what is decided after each batch by whoever works on that queue. On the data path
 * `isolated` that is the monitor, on `vhost` the switch. vmm/virtio/net_moderation.h explains the
 * policy as a whole, and has its timers and states.
 */

#include <stdbool.h>
#include <stdint.h>
#include "virtqueue.h"

/*
 * One part in so many of the queue may be sent and not signalled. Half of a queue leaves the driver
 * the other half to go on with while the interrupt is on its way.
 */
#define TX_UNSIGNALLED_SHARE 2u

/*
 * Bytes, the virtio-net header included. A frame of so many is published at once: it counts in its
 * socket's send buffer with all its bytes, and would hold up a sender that its peer does not.
 */
#define TX_PUBLISH_BYTES 4096u

/*
 * Frames. While the queue is polled, the driver is asked for a kick when more than so many wait:
 * enough to make kicks rare, few enough for the receiver to keep up with the sender.
 */
#define TX_POLLING_KICK_DELAY 8u

/* Whether a sent frame of so many bytes, the virtio-net header included, is published at once. */
static inline bool tx_moderation_publishes(uint32_t bytes)
{
    return bytes >= TX_PUBLISH_BYTES;
}

/* Whether sent frames must be signalled now, however long the coalescing timer still runs. */
static inline bool tx_moderation_signal_due(const struct virtqueue *queue)
{
    return virtqueue_error(queue) != NULL ||
           virtqueue_unsignalled(queue) >= queue->size / TX_UNSIGNALLED_SHARE;
}

/*
 * All frames have been taken from the queue: ask for a kick when there are more, or while the queue
 * is polled, when there are several. Returns true if there are already: no kick will come.
 */
static inline bool tx_moderation_enable_kicks(struct virtqueue *queue, bool polling)
{
    return virtqueue_enable_kicks_delayed(queue, polling ? TX_POLLING_KICK_DELAY : 0);
}
