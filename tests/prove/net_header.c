/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PROVES: lib/net_header.c lib/offload.c
 * ONLY: has check_features net_header_sanitize
 * ONLY: gso_kind check_segmentation offload_check_header offload_accepted
 * EVA:
 * COVERAGE: 98
 *
 * Any virtio-net header, in front of a frame of any length, with any features.
 */

#include "prelude.h"

#include "lib/net_header.c"
#include "lib/offload.c"

int main(void)
{
    struct virtio_net_hdr_v1 header;

    make_any(&header, sizeof(header));
    offload_accepted(&header, (uint32_t)any());
    net_header_sanitize(&header, (uint32_t)any(), any(), (uint32_t)any());
    return 0;
}
