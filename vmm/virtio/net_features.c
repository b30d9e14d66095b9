/* SPDX-License-Identifier: BSD-2-Clause */

#include "net_features.h"

#include <stddef.h>
#include "lib/net_port.h"

#define MTU_MIN 68u /* of virtio 1.2, 5.1.4.1 */

#define HOST_GSO                                                                                   \
    (VIRTIO_FEATURE(VIRTIO_NET_F_HOST_TSO4) | VIRTIO_FEATURE(VIRTIO_NET_F_HOST_TSO6) |             \
     VIRTIO_FEATURE(VIRTIO_NET_F_HOST_ECN) | VIRTIO_FEATURE(VIRTIO_NET_F_HOST_USO))

uint64_t net_features_offered(uint32_t mtu, bool large)
{
    uint64_t features =
        VIRTIO_FEATURE(VIRTIO_F_VERSION_1) | VIRTIO_FEATURE(VIRTIO_RING_F_INDIRECT_DESC) |
        VIRTIO_FEATURE(VIRTIO_RING_F_EVENT_IDX) | VIRTIO_FEATURE(VIRTIO_NET_F_MAC) |
        VIRTIO_FEATURE(VIRTIO_NET_F_STATUS) | VIRTIO_FEATURE(VIRTIO_NET_F_CSUM) |
        VIRTIO_FEATURE(VIRTIO_NET_F_MRG_RXBUF) | VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_VQ) |
        VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_RX) | VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_RX_EXTRA) |
        VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_VLAN) | VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_MAC_ADDR) |
        VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) | VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_CSUM);

    if (mtu >= MTU_MIN) {
        features |= VIRTIO_FEATURE(VIRTIO_NET_F_MTU);
    }
    if (large) {
        features |= HOST_GSO | NET_GUEST_OFFLOADS;
    }
    return features;
}

static bool lacks(uint64_t features, unsigned feature, uint64_t any_of)
{
    return (features >> feature & 1u) != 0 && (features & any_of) == 0;
}

const char *net_features_check(uint64_t features)
{
    uint64_t guest_csum = VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_CSUM);
    uint64_t guest_tso =
        VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_TSO4) | VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_TSO6);
    uint64_t host_csum = VIRTIO_FEATURE(VIRTIO_NET_F_CSUM);
    uint64_t host_tso =
        VIRTIO_FEATURE(VIRTIO_NET_F_HOST_TSO4) | VIRTIO_FEATURE(VIRTIO_NET_F_HOST_TSO6);
    uint64_t control_queue = VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_VQ);

    if (lacks(features, VIRTIO_NET_F_GUEST_TSO4, guest_csum) ||
        lacks(features, VIRTIO_NET_F_GUEST_TSO6, guest_csum) ||
        lacks(features, VIRTIO_NET_F_GUEST_USO4, guest_csum) ||
        lacks(features, VIRTIO_NET_F_GUEST_USO6, guest_csum)) {
        return "segmentation offload to the guest without its checksum offload";
    }
    if (lacks(features, VIRTIO_NET_F_HOST_TSO4, host_csum) ||
        lacks(features, VIRTIO_NET_F_HOST_TSO6, host_csum) ||
        lacks(features, VIRTIO_NET_F_HOST_USO, host_csum)) {
        return "segmentation offload without checksum offload";
    }
    if (lacks(features, VIRTIO_NET_F_GUEST_ECN, guest_tso) ||
        lacks(features, VIRTIO_NET_F_HOST_ECN, host_tso)) {
        return "ECN without TCP segmentation offload";
    }
    if (lacks(features, VIRTIO_NET_F_CTRL_RX, control_queue) ||
        lacks(features, VIRTIO_NET_F_CTRL_RX_EXTRA, control_queue) ||
        lacks(features, VIRTIO_NET_F_CTRL_VLAN, control_queue) ||
        lacks(features, VIRTIO_NET_F_CTRL_MAC_ADDR, control_queue) ||
        lacks(features, VIRTIO_NET_F_CTRL_GUEST_OFFLOADS, control_queue)) {
        return "control commands without the control queue";
    }
    return NULL;
}

uint32_t net_features_accepted(uint64_t offloads)
{
    static const struct {
        uint64_t features; /* all of them */
        uint32_t accepts;
    } meaning[] = {
        {VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_CSUM), NET_PORT_CSUM},
        {VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_TSO4), NET_PORT_TSO4},
        {VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_TSO6), NET_PORT_TSO6},
        {VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_ECN), NET_PORT_ECN},
        {VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_USO4) | VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_USO6),
         NET_PORT_USO},
    };
    uint32_t accepts = 0;

    for (size_t i = 0; i < sizeof(meaning) / sizeof(meaning[0]); i++) {
        if ((offloads & meaning[i].features) == meaning[i].features) {
            accepts |= meaning[i].accepts;
        }
    }
    return accepts;
}
