/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The monitor's part of a network card whose data queues the switch works on: lib/vhost.h. */

#include <microkit.h>
#include <stdbool.h>
#include <stdint.h>
#include "device.h"
#include "lib/vhost.h"

/* All zero before net_vhost_init. The fields are net_vhost.c's. */
struct net_vhost {
    microkit_channel channel;
    struct vhost_page *page;
    bool started;
    uint32_t handed;  /* bit q: the switch has queue q */
    uint32_t accepts; /* as the switch knows it */
    uint32_t charged; /* of the page's `work`: up to here the machine has been charged for it */
    char cause[VHOST_CAUSE_SIZE];
};

/* `page` is kept. Nothing is started. */
void net_vhost_init(struct net_vhost *vhost, microkit_channel channel, void *page);

/* The driver is ready. The filter is reset, nothing is accepted, and no queue is handed over. */
void net_vhost_start(struct net_vhost *vhost, uint64_t features);

/* When this returns the switch accesses no memory of the guest. Allowed without a start, too. */
void net_vhost_stop(struct net_vhost *vhost);

/* Take back one queue, below VHOST_QUEUES: the switch accesses it no more. */
void net_vhost_drop(struct net_vhost *vhost, uint32_t queue);

/*
 * Hand over the queues of `device` that are enabled and that the switch does not have. Returns
 * false, with the device stopped, if the switch does not take one.
 */
bool net_vhost_hand_over(struct net_vhost *vhost, struct virtio_device *device);

/*
 * Notify the switch that there may be work on the queues. It may look at them and at the page at
 * once, on another core, and is not told again: the page says by now what it has to go by.
 */
void net_vhost_kick(const struct net_vhost *vhost);

/*
 * The switch has notified the monitor: interrupt the guest if the page says so, and stop the device
 * if the page says that its driver has broken a rule of its queues.
 */
void net_vhost_notified(struct net_vhost *vhost, struct virtio_device *device);

/* Charge the machine for what the switch has done for it since the last call (vmm/throttle.h). */
void net_vhost_charge(struct net_vhost *vhost);

/* What the guest can receive: NET_PORT_* of net_port.h. */
void net_vhost_accepts(struct net_vhost *vhost, uint32_t accepts);

/* A command that has set the monitor's filter; see net_filter_command. */
void net_vhost_command(struct net_vhost *vhost, uint8_t class, uint8_t command, const uint8_t *data,
                       uint32_t length, uint32_t total);

/* The monitor's coalescing timer runs, or not: whether sent frames may stay unsignalled. */
void net_vhost_set_coalescing(struct net_vhost *vhost, bool coalescing);

/* The monitor polls the transmit queue, or not. */
void net_vhost_set_polling(struct net_vhost *vhost, bool polling);
