/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The monitor's part of a network card whose data queues the switch works on: lib/vhost.h. */

#include <microkit.h>
#include <stdbool.h>
#include <stdint.h>
#include "lib/vhost.h"
#include "mmio.h"

/* All zero before net_vhost_init. The fields are net_vhost.c's. */
struct net_vhost {
    microkit_channel channel;
    struct vhost_page *page;
    bool started;
    uint32_t handed;  /* bit q: the switch has queue q */
    uint32_t accepts; /* as the switch knows it */
    char cause[VHOST_CAUSE_SIZE];
};

/* `page` is kept. Nothing is started. */
void net_vhost_init(struct net_vhost *vhost, microkit_channel channel, void *page);

/* The driver is ready. The filter begins anew, nothing is accepted, no queue is handed over. */
void net_vhost_start(struct net_vhost *vhost, uint64_t features);

/* When this returns the switch touches nothing of the guest's any more. Also without a start. */
void net_vhost_stop(struct net_vhost *vhost);

/* The same of one queue, below VHOST_QUEUES. */
void net_vhost_drop(struct net_vhost *vhost, uint32_t queue);

/*
 * Let the switch look at the queues, having handed over those that are enabled and are not yet.
 * Returns NULL, or the cause for which it does not take one.
 */
const char *net_vhost_kick(struct net_vhost *vhost, const struct virtio_device *device);

/* What the guest can receive: NET_PORT_* of net_port.h. */
void net_vhost_accepts(struct net_vhost *vhost, uint32_t accepts);

/* A command that has set the monitor's filter; see net_filter_command. */
void net_vhost_command(struct net_vhost *vhost, uint8_t class, uint8_t command, const uint8_t *data,
                       uint32_t length, uint32_t total);

/* Whether the switch may leave it to the monitor to notice that frames have been sent. */
void net_vhost_set_coalescing(struct net_vhost *vhost, bool coalescing);

/* Whether it is the monitor's affair to notice that there are frames to be sent. */
void net_vhost_set_polling(struct net_vhost *vhost, bool polling);

/* Whether the guest is to be interrupted; true once. */
bool net_vhost_take_interrupt(struct net_vhost *vhost);

/* Why the switch has given the queues up, in words that are the caller's until the next call; or
 * NULL. */
const char *net_vhost_failure(struct net_vhost *vhost);
