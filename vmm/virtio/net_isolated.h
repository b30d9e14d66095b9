/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The data path `isolated` of a network card: the monitor copies frames between the card's two data
 * queues and a pair of record rings to and from the switch (lib/net_port.h). The switch does not
 * see the guest's memory.
 */

#include <stdbool.h>
#include <stdint.h>
#include "device.h"
#include "lib/ring.h"
#include "net_control.h"
#include "net_moderation.h"
#include "vmm/config.h"

/* All zero before net_isolated_init. The fields are net_isolated.c's. */
struct net_isolated {
    struct virtio_device *device;
    const struct vmm_interface_config *config;
    struct net_moderation *moderation;
    const struct net_control *control;
    struct ring to_switch;
    struct ring from_switch;
    uint32_t *shared_accepts;    /* the `accepts` word that the switch reads: net_port.h */
    const uint32_t *shared_work; /* the word for work, which the switch writes */
    uint32_t charged;            /* of that: it need not be charged again */
    uint32_t accepts;            /* NET_PORT_* */
    uint32_t record_max;         /* bytes; the longest record to the switch */
    bool sent_large;             /* in this turn: what has been sent is published at its end */
    bool tx_waits;               /* for room in the ring to the switch */
    bool reported_broken;        /* a ring */
};

/*
 * Attach to the rings that `config` names. `device` is the card, whose queues have the numbers
 * VHOST_RX and VHOST_TX; `control` has its filter and offloads. All four are kept.
 */
void net_isolated_init(struct net_isolated *path, struct virtio_device *device,
                       const struct vmm_interface_config *config, struct net_moderation *moderation,
                       const struct net_control *control);

/* The driver is ready. Records for the one before it are dropped. */
void net_isolated_start(struct net_isolated *path);

/* The device has been stopped. The switch sees that nothing is accepted. */
void net_isolated_stop(struct net_isolated *path);

/* What the guest can receive: NET_PORT_* of net_port.h. */
void net_isolated_accepts(struct net_isolated *path, uint32_t accepts);

/*
 * Work on the data queues in `pending` (bit q: queue q), a bounded amount. `segments` has room for
 * VIRTQUEUE_SIZE_MAX, and is overwritten. Returns those on which there is more to do at once.
 */
uint32_t net_isolated_work(struct net_isolated *path, uint32_t pending,
                           struct virtqueue_segment *segments);

/* The switch has notified the monitor. Schedules work, or drops records if no driver is ready. */
void net_isolated_notified(struct net_isolated *path);
