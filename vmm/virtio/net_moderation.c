/* SPDX-License-Identifier: BSD-2-Clause */

#include "net_moderation.h"

#include <stddef.h>
#include "lib/cpu.h"
#include "vmm/timer.h"

/*
 * The coalescing timer, in parts of a second: 4 ms at the latest, whatever the guest does. 2 ms
 * after a vCPU was parked, for it may be waiting for just this. 0.4 ms after that if many frames
 * are outstanding, for then the likely cause of its sleep is a full send buffer.
 */
#define COALESCING_PER_SECOND             250u
#define COALESCING_PARKED_PER_SECOND      500u
#define COALESCING_PARKED_MANY_PER_SECOND 2500u

/* Frames that the driver has offered and not got back. */
#define OUTSTANDING_MANY 16u

/* In parts of a second: a queue that has frames to send twice within 4 ms is busy. */
#define BUSY_PER_SECOND 250u

/* While vCPUs run, a polled queue is polled after 1 ms: the longest that a frame waits unkicked. */
#define POLLS_PER_SECOND 1000u

static struct virtqueue *rx_queue(const struct net_moderation *moderation)
{
    return &moderation->device->queue[VHOST_RX];
}

static struct virtqueue *tx_queue(const struct net_moderation *moderation)
{
    return &moderation->device->queue[VHOST_TX];
}

void net_moderation_init(struct net_moderation *moderation, struct virtio_device *device,
                         struct net_vhost *vhost, const uint32_t *outside)
{
    moderation->device = device;
    moderation->vhost = vhost;
    moderation->outside = outside;
}

void net_moderation_reset(struct net_moderation *moderation)
{
    moderation->coalescing = NET_COALESCING_OFF;
    moderation->polling = false;
    moderation->available = 0;
    moderation->received = 0;
}

/* ---- Coalescing ---- */

/* Some frames are sent and not signalled: set the timer, or set it shorter. */
static void start_coalescing(struct net_moderation *moderation)
{
    uint64_t second = cpu_counter_frequency();

    if (timer_is_late()) {
        return;
    }
    uint16_t outstanding = (uint16_t)(moderation->available - virtqueue_used(tx_queue(moderation)));
    enum net_coalescing state =
        outstanding >= OUTSTANDING_MANY ? NET_COALESCING_MANY : NET_COALESCING_FEW;

    if (moderation->coalescing >= state) {
        return;
    }
    timer_set_coalescing(second / COALESCING_PER_SECOND,
                         second / (state == NET_COALESCING_MANY ? COALESCING_PARKED_MANY_PER_SECOND
                                                                : COALESCING_PARKED_PER_SECOND));
    if (moderation->vhost != NULL && moderation->coalescing == NET_COALESCING_OFF) {
        net_vhost_set_coalescing(moderation->vhost, true);
    }
    moderation->coalescing = state;
}

static void end_coalescing(struct net_moderation *moderation)
{
    moderation->coalescing = NET_COALESCING_OFF;
    if (moderation->vhost != NULL) {
        net_vhost_set_coalescing(moderation->vhost, false);
    }
}

/* Publish the frames that have been sent, and interrupt the guest if it wants that. */
static void signal_sent(struct net_moderation *moderation)
{
    if (virtqueue_flush(tx_queue(moderation))) {
        virtio_device_interrupt(moderation->device);
    }
}

/* ---- Polling ---- */

static void set_polling(struct net_moderation *moderation, bool polling)
{
    if (polling) {
        timer_set_polling(cpu_counter_frequency() / POLLS_PER_SECOND);
    }
    if (polling == moderation->polling) {
        return;
    }
    moderation->polling = polling;
    if (moderation->vhost != NULL) {
        net_vhost_set_polling(moderation->vhost, polling);
    }
}

static bool is_busy(const struct net_moderation *moderation, uint64_t now)
{
    return now - moderation->sent_at < cpu_counter_frequency() / BUSY_PER_SECOND;
}

/* It is no more than a hint: a switch that lies about it changes when the guest kicks. */
static bool goes_outside(const struct net_moderation *moderation)
{
    return __atomic_load_n(moderation->outside, __ATOMIC_RELAXED) != 0;
}

/* There have been frames to send: all up to the available index `available`. */
static void note_frames(struct net_moderation *moderation, uint16_t available)
{
    uint16_t received = virtqueue_used(rx_queue(moderation));
    bool one_sent = (uint16_t)(available - moderation->available) == 1;
    bool one_received = (uint16_t)(received - moderation->received) == 1;
    uint64_t now = cpu_counter();

    moderation->available = available;
    moderation->received = received;
    set_polling(moderation, is_busy(moderation, now) && !(one_sent && one_received) &&
                                !goes_outside(moderation) && !timer_is_late());
    moderation->sent_at = now;
}

/* ---- Events ---- */

void net_moderation_transmitted(struct net_moderation *moderation, uint16_t available, bool publish)
{
    struct virtqueue *queue = tx_queue(moderation);

    if (publish) {
        virtqueue_publish(queue);
    }
    if (available != moderation->available) {
        note_frames(moderation, available);
    }
    if (virtqueue_unsignalled(queue) != 0) {
        start_coalescing(moderation);
    }
    if (tx_moderation_signal_due(queue) || timer_is_late()) {
        signal_sent(moderation);
    }
}

void net_moderation_kicked(struct net_moderation *moderation)
{
    uint16_t available = virtqueue_available(tx_queue(moderation));

    if (available != moderation->available) {
        note_frames(moderation, available);
        start_coalescing(moderation);
    }
}

bool net_moderation_timer_expired(struct net_moderation *moderation)
{
    if (moderation->coalescing == NET_COALESCING_OFF && !moderation->polling) {
        return false; /* it has expired for another device */
    }
    end_coalescing(moderation);
    if (!virtio_device_running(moderation->device)) {
        return false;
    }
    set_polling(moderation, moderation->polling && is_busy(moderation, cpu_counter()));
    if (moderation->vhost == NULL) {
        signal_sent(moderation);
    }
    return true;
}

bool net_moderation_poll(const struct net_moderation *moderation)
{
    return moderation->polling &&
           virtqueue_available(tx_queue(moderation)) != moderation->available;
}
