/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PROVES: lib/ring.c
 * WP: min load store refresh_used refresh_free ring_write ring_read
 *
 * A ring of bytes, of any size: what is copied lies in the ring and in the caller's bytes.
 */

#include "prelude.h"
#include "copy_bytes.h"
#include "mask.h"
#include "lib/ring.c"

/*@ predicate attached{L}(struct ring *ring) =
        \valid(ring->shared) && \valid(ring->data + (0 .. ring->size - 1)) &&
        \separated(ring, ring->shared, ring->data + (0 .. ring->size - 1));
    predicate usable{L}(struct ring *ring) =
        \valid(ring) && (ring->broken == 0 || ring->broken == 1) && ring->size > 0 &&
        (ring->broken == 1 || attached(ring));
    predicate apart{L}(struct ring *ring, uint8_t *bytes, integer count) =
        \separated(bytes + (0 .. count - 1), ring, ring->data + (0 .. ring->size - 1),
                   ring->shared);
 */

/*@ assigns \nothing;
    ensures \result <= a && \result <= b && (\result == a || \result == b);
 */
static uint32_t min(uint32_t a, uint32_t b);

/*@ requires \valid_read(word);
    assigns \nothing;
 */
static uint32_t load(const uint32_t *word);

/*@ requires \valid(word);
    assigns *word;
 */
static void store(uint32_t *word, uint32_t value);

/*@ requires usable(ring);
    assigns ring->broken, ring->peer;
    ensures \result <= ring->size;
    ensures \result > 0 ==> ring->broken == 0 && \old(ring->broken) == 0;
 */
static uint32_t refresh_used(struct ring *ring);

/*@ requires usable(ring);
    assigns ring->broken, ring->peer;
    ensures \result <= ring->size;
    ensures \result > 0 ==> ring->broken == 0 && \old(ring->broken) == 0;
 */
static uint32_t refresh_free(struct ring *ring);

/*@ requires usable(ring);
    requires \valid_read((uint8_t *)bytes + (0 .. count - 1));
    requires apart(ring, (uint8_t *)bytes, count);
    assigns ring->broken, ring->peer, ring->own, ring->shared->head,
        ring->data[0 .. ring->size - 1];
    ensures \result <= count;
 */
uint32_t ring_write(struct ring *ring, const void *bytes, uint32_t count);

/*@ requires usable(ring);
    requires \valid((uint8_t *)bytes + (0 .. count - 1));
    requires apart(ring, (uint8_t *)bytes, count);
    assigns ring->broken, ring->peer, ring->own, ring->shared->tail,
        ((uint8_t *)bytes)[0 .. count - 1];
    ensures \result <= count;
 */
uint32_t ring_read(struct ring *ring, void *bytes, uint32_t count);
