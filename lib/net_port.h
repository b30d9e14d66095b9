/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A port of the switch on the `isolated` data path: a pair of record rings between a VM's monitor
 * and the switch. A record is a struct virtio_net_hdr_v1 (virtio 1.2, 5.1.6) in little endian
 * followed by one Ethernet frame without FCS; with VIRTIO_NET_HDR_GSO_* the frame is a segment of
 * up to 64 KiB that nobody has cut up yet.
 *
 * `accepts` is the monitor's word, in the rx region's last header line, on what its guest can
 * receive; the switch reads it for each frame and does the rest in software. It is zero until the
 * guest's driver is ready, and a port without NET_PORT_UP is sent nothing.
 */

#include <stdint.h>

#define NET_PORT_UP      (1u << 0) /* the guest receives */
#define NET_PORT_CSUM    (1u << 1) /* takes frames with partial checksums */
#define NET_PORT_TSO4    (1u << 2)
#define NET_PORT_TSO6    (1u << 3)
#define NET_PORT_ECN     (1u << 4)
#define NET_PORT_USO     (1u << 5)
#define NET_PORT_PROMISC (1u << 6) /* wants every frame the switch would let it see */

#define NET_MTU     1500u /* Ethernet's; the world outside has no other */
#define NET_MTU_MIN 1280u /* what IPv6 asks of a link (RFC 8200, 5) */
#define NET_MTU_MAX 9000u

#define NET_FRAME_MIN      14u           /* an Ethernet header */
#define NET_FRAME_MAX(mtu) ((mtu) + 18u) /* without segmentation: header + VLAN tag in front */
#define NET_GSO_FRAME_MAX  65553u        /* with: 65535 bytes of IP + header + VLAN tag */

/* Offset of the `accepts` word (uint32_t) in the header page of the region switch -> monitor. */
#define NET_PORT_ACCEPTS_OFFSET 2048u

/*
 * Likewise, a word of the switch: the ticks of the counter (CNTPCT_EL0) for which it has worked on
 * what this port sends; free-running.
 */
#define NET_PORT_WORK_OFFSET 2112u

/*
 * And another one: not 0 if the last frame that this port has sent has gone to an uplink. Who waits
 * for it is not on this board.
 */
#define NET_PORT_OUTSIDE_OFFSET 2116u
