/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What lib/virtqueue.c says of segments: one is inside if it has no data, or all of it lies in the
 * guest's memory, `size` bytes from `base`.
 */

#include "lib/virtqueue.h"

/*@ predicate within(uint8_t *base, integer size, uint8_t *data, integer length) =
        \exists integer offset; 0 <= offset && offset + length <= size && data == base + offset;
    predicate inside{L}(uint8_t *base, integer size, struct virtqueue_segment *segment) =
        segment->length > 0 &&
        (segment->data == \null || within(base, size, segment->data, segment->length));
    predicate all_inside{L}(uint8_t *base, integer size, struct virtqueue_segment *segments,
                            integer count) =
        \forall integer i; 0 <= i < count ==> inside(base, size, segments + i);
 */
