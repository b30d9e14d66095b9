/* SPDX-License-Identifier: BSD-2-Clause */

#include "net_vhost.h"

#include <stddef.h>
#include <string.h>
#include "lib/notify.h"
#include "vmm/throttle.h"

static bool call(const struct net_vhost *vhost, uint64_t label, uint16_t count)
{
    microkit_msginfo reply = microkit_ppcall(vhost->channel, microkit_msginfo_new(label, count));

    return microkit_msginfo_get_label(reply) == VHOST_OK;
}

/* Clear what the page says of queues that are gone: it must not count for the next ones. */
static void forget(struct net_vhost *vhost)
{
    __atomic_store_n(&vhost->page->interrupt, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&vhost->page->coalescing, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&vhost->page->polling, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&vhost->page->failed, 0, __ATOMIC_RELAXED);
}

void net_vhost_init(struct net_vhost *vhost, microkit_channel channel, void *page)
{
    memset(vhost, 0, sizeof(*vhost));
    vhost->channel = channel;
    vhost->page = page;
}

void net_vhost_start(struct net_vhost *vhost, uint64_t features)
{
    net_vhost_stop(vhost);
    microkit_mr_set(0, features);
    vhost->started = call(vhost, VHOST_START, 1);
}

void net_vhost_stop(struct net_vhost *vhost)
{
    if (!vhost->started) {
        return;
    }
    call(vhost, VHOST_STOP, 0);
    vhost->started = false;
    vhost->handed = 0;
    vhost->accepts = 0;
    forget(vhost);
}

void net_vhost_drop(struct net_vhost *vhost, uint32_t queue)
{
    if ((vhost->handed >> queue & 1u) == 0) {
        return;
    }
    vhost->handed &= ~(1u << queue);
    microkit_mr_set(0, queue);
    call(vhost, VHOST_DROP, 1);
}

static bool hand_over(struct net_vhost *vhost, const struct virtio_queue_setup *setup,
                      uint32_t queue)
{
    microkit_mr_set(0, queue);
    microkit_mr_set(1, setup->size);
    microkit_mr_set(2, setup->desc);
    microkit_mr_set(3, setup->avail);
    microkit_mr_set(4, setup->used);
    if (!call(vhost, VHOST_QUEUE, 5)) {
        return false;
    }
    vhost->handed |= 1u << queue;
    return true;
}

/* Hand over the queues that are enabled and not handed over. Returns NULL, or the cause. */
static const char *hand_over_queues(struct net_vhost *vhost, const struct virtio_device *device)
{
    if (!vhost->started) {
        return "the switch does not serve it";
    }
    for (uint32_t q = 0; q < VHOST_QUEUES; q++) {
        if ((vhost->handed >> q & 1u) == 0 && virtqueue_enabled(&device->queue[q]) &&
            !hand_over(vhost, &device->setup[q], q)) {
            return "the switch refuses its queues";
        }
    }
    return NULL;
}

bool net_vhost_hand_over(struct net_vhost *vhost, struct virtio_device *device)
{
    const char *cause = hand_over_queues(vhost, device);

    if (cause != NULL) {
        virtio_device_fail(device, cause);
        return false;
    }
    return true;
}

void net_vhost_kick(const struct net_vhost *vhost)
{
    notify_at_end(vhost->channel);
}

void net_vhost_accepts(struct net_vhost *vhost, uint32_t accepts)
{
    if (!vhost->started || accepts == vhost->accepts) {
        return;
    }
    microkit_mr_set(0, accepts);
    if (call(vhost, VHOST_ACCEPTS, 1)) {
        vhost->accepts = accepts;
    }
}

void net_vhost_command(struct net_vhost *vhost, uint8_t class, uint8_t command, const uint8_t *data,
                       uint32_t length, uint32_t total)
{
    if (!vhost->started || length > VHOST_COMMAND_SIZE) {
        return;
    }
    memcpy(vhost->page->command, data, length);
    microkit_mr_set(0, class);
    microkit_mr_set(1, command);
    microkit_mr_set(2, length);
    microkit_mr_set(3, total);
    call(vhost, VHOST_COMMAND, 4);
}

void net_vhost_set_coalescing(struct net_vhost *vhost, bool coalescing)
{
    __atomic_store_n(&vhost->page->coalescing, coalescing, __ATOMIC_SEQ_CST);
}

void net_vhost_set_polling(struct net_vhost *vhost, bool polling)
{
    __atomic_store_n(&vhost->page->polling, polling, __ATOMIC_SEQ_CST);
}

/* Whether the guest is to be interrupted; true once. */
static bool take_interrupt(struct net_vhost *vhost)
{
    return __atomic_load_n(&vhost->page->interrupt, __ATOMIC_RELAXED) != 0 &&
           __atomic_exchange_n(&vhost->page->interrupt, 0, __ATOMIC_SEQ_CST) != 0;
}

/* Why the switch has given up the queues, until the next call; or NULL. */
static const char *take_failure(struct net_vhost *vhost)
{
    if (__atomic_load_n(&vhost->page->failed, __ATOMIC_ACQUIRE) == 0) {
        return NULL;
    }
    __atomic_store_n(&vhost->page->failed, 0, __ATOMIC_RELAXED);
    memcpy(vhost->cause, vhost->page->cause, sizeof(vhost->cause));
    vhost->cause[sizeof(vhost->cause) - 1] = '\0';
    return vhost->cause;
}

void net_vhost_notified(struct net_vhost *vhost, struct virtio_device *device)
{
    const char *cause = take_failure(vhost);

    if (take_interrupt(vhost) && virtio_device_running(device)) {
        virtio_device_interrupt(device);
    }
    if (cause != NULL && virtio_device_running(device)) {
        virtio_device_fail(device, cause);
    }
}

void net_vhost_charge(struct net_vhost *vhost)
{
    uint32_t work = __atomic_load_n(&vhost->page->work, __ATOMIC_RELAXED);

    throttle_add(work - vhost->charged);
    vhost->charged = work;
}
