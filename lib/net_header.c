/* SPDX-License-Identifier: BSD-2-Clause */

#include "net_header.h"

#include <stdbool.h>
#include <stddef.h>
#include "net_port.h"
#include "offload.h"

static bool has(uint64_t features, unsigned feature)
{
    return (features >> feature & 1u) != 0;
}

/* What the negotiated features let the driver ask for; NULL, or the cause. */
static const char *check_features(const struct virtio_net_hdr_v1 *header, uint64_t features)
{
    unsigned feature;

    if (!has(features, VIRTIO_NET_F_CSUM)) {
        return "a partial checksum without the feature";
    }
    switch (header->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
    case VIRTIO_NET_HDR_GSO_NONE:
        return NULL;
    case VIRTIO_NET_HDR_GSO_TCPV4:
        feature = VIRTIO_NET_F_HOST_TSO4;
        break;
    case VIRTIO_NET_HDR_GSO_TCPV6:
        feature = VIRTIO_NET_F_HOST_TSO6;
        break;
    default:
        feature = VIRTIO_NET_F_HOST_USO;
    }
    if (!has(features, feature)) {
        return "a large segment without the feature";
    }
    if ((header->gso_type & VIRTIO_NET_HDR_GSO_ECN) != 0 && !has(features, VIRTIO_NET_F_HOST_ECN)) {
        return "a large segment with ECN without the feature";
    }
    return NULL;
}

const char *net_header_sanitize(struct virtio_net_hdr_v1 *header, uint32_t length,
                                uint64_t features, uint32_t mtu)
{
    const char *cause;

    header->num_buffers = 0;
    header->flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
    if (header->gso_type == VIRTIO_NET_HDR_GSO_NONE) {
        header->gso_size = 0;
        header->hdr_len = 0;
        if (length > NET_FRAME_MAX(mtu)) {
            return "the frame is too long";
        }
        if (header->flags == 0) {
            header->csum_start = 0;
            header->csum_offset = 0;
            return NULL;
        }
    } else if (header->gso_size > mtu) {
        return "segments larger than the MTU";
    }
    cause = offload_check_header(header, length);
    return cause != NULL ? cause : check_features(header, features);
}
