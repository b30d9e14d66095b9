/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The feature bits of a network card (virtio 1.2, 5.1.3): which it offers, and which hang together.
 */

#include <stdbool.h>
#include <stdint.h>
#include "device.h"
#include "lib/net_header.h"

/* The offloads that a driver may switch on and off while it runs (5.1.6.5.6). */
#define NET_GUEST_OFFLOADS                                                                         \
    (VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_CSUM) | VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_TSO4) |           \
     VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_TSO6) | VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_ECN) |            \
     VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_USO4) | VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_USO6))

/*
 * What a card with an MTU of `mtu` bytes offers. `large`: its data path can carry segments of up to
 * 64 KiB, so segmentation offload is offered, too.
 */
uint64_t net_features_offered(uint32_t mtu, bool large);

/*
 * Check a driver's choice against the dependencies of 5.1.3.1. Returns NULL, or the cause in words
 * for which the choice does not stand.
 */
const char *net_features_check(uint64_t features);

/* What a driver with these VIRTIO_NET_F_GUEST_* bits receives: NET_PORT_* of lib/net_port.h. */
uint32_t net_features_accepted(uint64_t offloads);
