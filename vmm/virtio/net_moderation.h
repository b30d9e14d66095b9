/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Interrupt moderation and transmit polling of a network card: when the guest is interrupted for
 * what it has sent and received, and when it has to kick for what it wants to send. Both data paths
 * follow this policy. On `isolated` the monitor does all of it. On `vhost` the switch works on the
 * queues, so the monitor keeps the timers and tells the switch its states in the vhost page; what
 * either decides after a batch is in lib/tx_moderation.h.
 *
 * Three verbs are apart. A sent frame is *pushed* to the used ring; it is *published* when the used
 * index covers it, so that a driver that looks finds it; it is *signalled* when the driver has been
 * asked whether it wants an interrupt for it, and got one if so. With event indices the answer to
 * that question covers all frames since the last one, so none is lost by being published first.
 *
 * WHEN THE GUEST IS INTERRUPTED FOR RECEIVED FRAMES: after each batch, if it wants that
 * (net_moderation_received). Who waits for a frame is to have it, and Linux coalesces by itself
 * (NAPI).
 *
 * WHEN THE GUEST IS INTERRUPTED FOR SENT FRAMES: whichever of these comes first.
 *   - It is interrupted for received frames, and so for sent ones at no cost.
 *   - Half of the queue is sent and not signalled (TX_UNSIGNALLED_SHARE), or the queue is broken.
 *   - The coalescing timer expires: 4 ms after it was set, or when a vCPU has been parked for 2 ms,
 *     or for 0.4 ms if 16 frames or more are outstanding.
 * Until then small frames are not published either. A guest that sends one frame at a time would
 * otherwise be interrupted for each, only to free its memory. A guest that outruns its receiver,
 * with which it shares the processor, is held up by its socket's limit on what is under way, as a
 * wire would hold it up. Frames of 4 KiB and more (TX_PUBLISH_BYTES) are published at once, but not
 * signalled earlier: the driver finds them when it sends the next one, and so TCP sends as much as
 * its peer's window allows.
 *
 * The states of coalescing:
 *   - OFF: the timer is not set. When a batch leaves frames unsignalled it is set: FEW or MANY.
 *     On `vhost` it is set when the switch is notified of frames to send.
 *   - FEW: expires after 4 ms, or when a vCPU has been parked for 2 ms. Becomes MANY when 16 frames
 *     are outstanding.
 *   - MANY: expires after 4 ms, or when a vCPU has been parked for 0.4 ms.
 * FEW and MANY become OFF when a timer of the devices expires, and when the device stops. A signal
 * for another reason changes no state: the timer then finds little to signal, or nothing.
 *
 * WHEN THE GUEST KICKS FOR FRAMES TO SEND: for each, or, while the queue is polled, when more than
 * eight wait (TX_POLLING_KICK_DELAY). The rest is found when a vCPU goes idle, which, with one
 * processor for all, is when somebody else can do something about it; and once the vCPUs have run
 * for 1 ms (the polling timer). A driver without event indices kicks for each frame in any case.
 *
 * The states of polling:
 *   - Off: a kick is asked for after each batch. Polling begins when the queue has had frames to
 *     send twice within 4 ms, unless they go to an uplink: the card and who is behind it can do
 *     something about them while the guest runs.
 *   - On: the queue is polled. Polling ends when it has had none for 4 ms, when the device stops,
 *     when a frame has gone to an uplink, and after a batch of one frame for one frame received.
 *     There frames go to and fro one at a
 *     time, and the other side should have its frame while this one is not idle yet: it may have
 *     answered by then.
 *
 * The constants are measured: docs/performance.md has the steps, and what larger and smaller values
 * cost.
 */

#include <stdbool.h>
#include <stdint.h>
#include "device.h"
#include "lib/tx_moderation.h"
#include "net_vhost.h"

enum net_coalescing { NET_COALESCING_OFF, NET_COALESCING_FEW, NET_COALESCING_MANY };

/* One card's state. All zero before net_moderation_init. The fields are net_moderation.c's. */
struct net_moderation {
    struct virtio_device *device;
    struct net_vhost *vhost; /* NULL on the data path `isolated` */
    const uint32_t *outside; /* the switch's word: its last frame has gone to an uplink */
    enum net_coalescing coalescing;
    bool polling;       /* of the transmit queue */
    uint16_t available; /* the transmit queue's available index when it last had frames to send */
    uint16_t received;  /* the receive queue's used index then */
    uint64_t sent_at;   /* and the counter (CNTPCT_EL0) then */
};

/*
 * `device` is the card, whose queues have the numbers VHOST_RX and VHOST_TX. `outside` is in memory
 * that the switch writes: NET_PORT_OUTSIDE_OFFSET of net_port.h, or the word of a vhost_page. All
 * are kept.
 */
void net_moderation_init(struct net_moderation *moderation, struct virtio_device *device,
                         struct net_vhost *vhost, const uint32_t *outside);

/* The device has been stopped: neither coalesces nor polls. */
void net_moderation_reset(struct net_moderation *moderation);

/*
 * `isolated`: a batch of frames has been taken from the transmit queue and pushed to its used ring.
 * `available` was the queue's available index before. `publish`: some frame is large enough to be
 * published at once (tx_moderation_publishes). Interrupts the guest if it is time for that.
 */
void net_moderation_transmitted(struct net_moderation *moderation, uint16_t available,
                                bool publish);

/*
 * `isolated`: a batch of frames has been pushed to the receive queue's used ring. Interrupts the
 * guest if it wants that for these, and then signals sent frames as well.
 */
static inline void net_moderation_received(struct net_moderation *moderation)
{
    struct virtio_device *device = moderation->device;

    if (virtqueue_flush(&device->queue[VHOST_RX])) {
        virtqueue_flush(&device->queue[VHOST_TX]);
        virtio_device_interrupt(device);
    }
}

/* `vhost`: the switch is about to be notified. What the guest has made available counts as sent. */
void net_moderation_kicked(struct net_moderation *moderation);

/*
 * A timer of the devices has expired. On `isolated`, sent frames are signalled. Returns whether the
 * transmit queue is to be worked on; on `vhost` the switch does that, and signals sent frames.
 */
bool net_moderation_timer_expired(struct net_moderation *moderation);

/* A vCPU goes idle. Returns whether the queue is polled and has frames to send. */
bool net_moderation_poll(const struct net_moderation *moderation);

/* `isolated`: tx_moderation_enable_kicks on the transmit queue. */
static inline bool net_moderation_enable_kicks(struct net_moderation *moderation)
{
    return tx_moderation_enable_kicks(&moderation->device->queue[VHOST_TX], moderation->polling);
}
