/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PROVES: lib/virtqueue.c
 * WP: virtqueue_copy_out
 *
 * What is copied out lies in the segments and in the caller's bytes, whatever their lengths.
 */

#include "prelude.h"
#include "copy_bytes.h"
#include "virtqueue_inside.h"

/*@ predicate readable{L}(struct virtqueue_segment *segment) =
        segment->data == \null || \valid_read(segment->data + (0 .. segment->length - 1));
 */

/*@ requires \valid_read(segments + (0 .. segment_count - 1));
    requires \forall integer i; 0 <= i < segment_count ==> readable(segments + i);
    requires \valid((uint8_t *)to + (0 .. count - 1));
    requires \separated((uint8_t *)to + (0 .. count - 1), segments + (0 .. segment_count - 1));
    assigns ((uint8_t *)to)[0 .. count - 1];
    ensures \result <= count;
 */
uint32_t virtqueue_copy_out(const struct virtqueue_segment *segments, uint32_t segment_count,
                            uint32_t skip, void *to, uint32_t count);

#include "lib/virtqueue.c"
