/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: lib/offload.c lib/checksum.c
 *
 * A virtio-net header and a frame, as a guest may send them, on their way to a port that accepts
 * what the input says: refused, or made into at most OFFLOAD_FRAMES_MAX records that fit.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "lib/offload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct virtio_net_hdr_v1 header;
    struct offload_plan plan;
    uint32_t frames = 0;
    uint32_t length;
    uint32_t max;
    uint8_t *record;

    if (size < 1 + sizeof(header)) {
        return 0;
    }
    memcpy(&header, data + 1, sizeof(header));
    if (offload_plan(&plan, &header, data + 1 + sizeof(header), size - 1 - sizeof(header),
                     data[0]) != NULL) {
        return 0;
    }
    max = offload_record_max(&plan);
    record = malloc(max);
    while ((length = offload_next(&plan, record)) != 0) {
        if (length > max || length < sizeof(header) + NET_FRAME_MIN ||
            ++frames > OFFLOAD_FRAMES_MAX) {
            abort();
        }
    }
    free(record);
    return 0;
}
