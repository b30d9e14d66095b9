/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The virtio-net header in front of a frame that a guest sends (virtio 1.2, 5.1.6.2). */

#include <linux/virtio_net.h>
#include <stdint.h>

/* Of virtio 1.3, not in every distribution's headers. */
#ifndef VIRTIO_NET_F_GUEST_USO4
#define VIRTIO_NET_F_GUEST_USO4 54
#define VIRTIO_NET_F_GUEST_USO6 55
#define VIRTIO_NET_F_HOST_USO   56
#endif

#define NET_HEADER_SIZE ((uint32_t)sizeof(struct virtio_net_hdr_v1))

/*
 * Check a private copy of the header of a frame of `length` bytes, at least NET_FRAME_MIN, from a
 * driver that has negotiated `features` on a card with this MTU, and clear what means nothing.
 * Returns NULL, or the cause in words for which the frame goes no further.
 */
const char *net_header_sanitize(struct virtio_net_hdr_v1 *header, uint32_t length,
                                uint64_t features, uint32_t mtu);
