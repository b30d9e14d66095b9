/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A record is a line of RING_RECORD_ALIGN bytes that begins with the payload's length, and the
 * payload, rounded up to a multiple of that. A record that would cross the end of the region begins
 * at its start instead, and RECORD_SKIP in place of a length says so. Indices count freely and wrap
 * at 2^32, which `size` divides.
 */

#include "ring.h"

#include <string.h>

#define RECORD_HEADER RING_RECORD_ALIGN
#define RECORD_SKIP   UINT32_MAX

static uint32_t min(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* What a record with a payload of `count` bytes takes. */
static uint32_t record_size(uint32_t count)
{
    return (RECORD_HEADER + count + RING_RECORD_ALIGN - 1) & ~(RING_RECORD_ALIGN - 1);
}

/* Each word of shared memory is read once, whatever the compiler would like. */
static uint32_t load(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void store(uint32_t *word, uint32_t value) /* NOLINT(readability-non-const-parameter) */
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/*
 * Each end publishes something and then looks at what the other has published. Without a full
 * barrier in between both could miss the other's word, and both would sleep.
 */
static void publish_before_looking(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void ring_init(struct ring *ring, void *region, uint32_t size)
{
    memset(ring, 0, sizeof(*ring));
    if (region == NULL || size < RING_SIZE_MIN || (size & (size - 1)) != 0) {
        ring->size = RING_SIZE_MIN;
        ring->broken = true;
        return;
    }
    ring->shared = region;
    ring->data = (uint8_t *)region + RING_HEADER_SIZE;
    ring->size = size;
}

void ring_resume_producer(struct ring *ring, void *region, uint32_t size)
{
    ring_init(ring, region, size);
    if (!ring->broken) {
        ring->own = load(&ring->shared->head);
        ring->peer = ring->own - ring->size; /* full, as far as is known */
    }
}

void ring_resume_consumer(struct ring *ring, void *region, uint32_t size)
{
    ring_init(ring, region, size);
    if (!ring->broken) {
        ring->own = load(&ring->shared->tail);
        ring->peer = ring->own;
    }
}

void ring_clear(void *region)
{
    if (region != NULL) {
        memset(region, 0, sizeof(struct ring_shared));
    }
}

bool ring_broken(const struct ring *ring)
{
    return ring->broken;
}

/* How much there is to consume, with the producer's index read afresh. */
static uint32_t refresh_used(struct ring *ring)
{
    if (ring->broken) {
        return 0;
    }
    uint32_t head = load(&ring->shared->head);
    if (head - ring->own > ring->size) {
        ring->broken = true;
        ring->peer = ring->own;
        return 0;
    }
    ring->peer = head;
    return head - ring->own;
}

/* How much room there is to produce into, with the consumer's index read afresh. */
static uint32_t refresh_free(struct ring *ring)
{
    if (ring->broken) {
        return 0;
    }
    uint32_t tail = load(&ring->shared->tail);
    if (ring->own - tail > ring->size) {
        ring->broken = true;
        ring->peer = ring->own - ring->size;
        return 0;
    }
    ring->peer = tail;
    return ring->size - (ring->own - tail);
}

uint32_t ring_space(struct ring *ring)
{
    return refresh_free(ring);
}

uint32_t ring_write(struct ring *ring, const void *bytes, uint32_t count)
{
    count = min(count, refresh_free(ring));
    if (count == 0) {
        return 0;
    }

    uint32_t offset = ring->own & (ring->size - 1);
    uint32_t first = min(count, ring->size - offset);

    memcpy(ring->data + offset, bytes, first);
    memcpy(ring->data, (const uint8_t *)bytes + first, count - first);
    ring->own += count;
    store(&ring->shared->head, ring->own);
    return count;
}

uint32_t ring_read(struct ring *ring, void *bytes, uint32_t count)
{
    count = min(count, refresh_used(ring));
    if (count == 0) {
        return 0;
    }

    uint32_t offset = ring->own & (ring->size - 1);
    uint32_t first = min(count, ring->size - offset);

    memcpy(bytes, ring->data + offset, first);
    memcpy((uint8_t *)bytes + first, ring->data, count - first);
    ring->own += count;
    store(&ring->shared->tail, ring->own);
    return count;
}

/* The length of the record that begins at `offset`, a multiple of RING_RECORD_ALIGN. */
static uint32_t *length_at(const struct ring *ring, uint32_t offset)
{
    return (uint32_t *)(void *)(ring->data + offset);
}

static uint32_t load_length(const struct ring *ring, uint32_t offset)
{
    return __atomic_load_n(length_at(ring, offset), __ATOMIC_RELAXED);
}

/* What is left of the region if a record of `total` bytes would cross its end, otherwise 0. */
static uint32_t skip_for(const struct ring *ring, uint32_t total)
{
    uint32_t to_end = ring->size - (ring->own & (ring->size - 1));

    return total > to_end ? to_end : 0;
}

void *ring_reserve(struct ring *ring, uint32_t count)
{
    const uint32_t size = ring->size;
    uint32_t offset = ring->own & (size - 1);
    uint32_t total = record_size(count);
    uint32_t skip = skip_for(ring, total);

    ring->opened = 0;
    if (count > RING_RECORD_MAX(size)) {
        return NULL;
    }
    if (size - (ring->own - ring->peer) < skip + total && refresh_free(ring) < skip + total) {
        ring->records = true;
        return NULL;
    }
    if (ring->broken) {
        return NULL;
    }
    ring->opened = skip + total;
    if (skip != 0) {
        *length_at(ring, offset) = RECORD_SKIP;
        offset = 0;
    }
    *length_at(ring, offset) = count;
    return ring->data + offset + RECORD_HEADER;
}

void ring_commit(struct ring *ring)
{
    if (ring->opened == 0) {
        return;
    }
    ring->own += ring->opened;
    ring->opened = 0;
    store(&ring->shared->head, ring->own);
}

static const void *break_record(struct ring *ring)
{
    ring->broken = true;
    ring->peer = ring->own;
    return NULL;
}

const void *ring_peek(struct ring *ring, uint32_t *count)
{
    const uint32_t size = ring->size;

    ring->opened = 0;
    if (ring->own == ring->peer && refresh_used(ring) == 0) {
        return NULL;
    }

    uint32_t used = ring->peer - ring->own;
    uint32_t offset = ring->own & (size - 1);
    uint32_t length = load_length(ring, offset);

    if (length == RECORD_SKIP && size - offset < used) {
        ring->own += size - offset;
        used -= size - offset;
        offset = 0;
        length = load_length(ring, offset);
    }
    if (length > RING_RECORD_MAX(size) || record_size(length) > used ||
        record_size(length) > size - offset) {
        return break_record(ring); /* RECORD_SKIP elsewhere is such a length */
    }
    ring->opened = record_size(length);
    *count = length;
    return ring->data + offset + RECORD_HEADER;
}

void ring_release(struct ring *ring)
{
    if (ring->opened == 0) {
        return;
    }
    ring->own += ring->opened;
    ring->opened = 0;
    store(&ring->shared->tail, ring->own);
}

/* A length that cannot be ends the look ahead: ring_peek will see it, and break the ring. */
const void *ring_peek_behind(const struct ring *ring, uint32_t *count)
{
    uint32_t at = ring->own + ring->opened;
    uint32_t offset = at & (ring->size - 1);
    uint32_t length;

    if (ring->opened == 0 || at == ring->peer) {
        return NULL;
    }
    length = load_length(ring, offset);
    if (length > RING_RECORD_MAX(ring->size) || record_size(length) > ring->peer - at ||
        record_size(length) > ring->size - offset) {
        return NULL; /* RECORD_SKIP is such a length */
    }
    *count = length;
    return ring->data + offset + RECORD_HEADER;
}

void ring_open_behind(struct ring *ring, uint32_t count)
{
    if (ring->opened != 0 && record_size(count) <= ring->peer - ring->own - ring->opened) {
        ring->opened += record_size(count);
    }
}

bool ring_await_data(struct ring *ring)
{
    if (ring->broken) {
        return false;
    }
    store(&ring->shared->data_wanted, 1);
    publish_before_looking();
    if (refresh_used(ring) == 0) {
        return false;
    }
    store(&ring->shared->data_wanted, 0);
    return true;
}

bool ring_await_space(struct ring *ring, uint32_t count)
{
    if (ring->broken) {
        return false;
    }
    if (ring->records && count <= RING_RECORD_MAX(ring->size)) {
        count = record_size(count);
        count += skip_for(ring, count);
    }
    count = min(count, ring->size);
    store(&ring->shared->space_wanted, count);
    publish_before_looking();
    if (refresh_free(ring) < count || ring->broken) {
        return false;
    }
    store(&ring->shared->space_wanted, 0);
    return true;
}

/*
 * Not while the ring is empty: two ends that ask after each wake-up, whether or not they have
 * written, would otherwise wake each other for ever.
 */
bool ring_take_data_wanted(struct ring *ring)
{
    if (ring->broken) {
        return false;
    }
    publish_before_looking();
    if (load(&ring->shared->data_wanted) == 0 || refresh_free(ring) == ring->size || ring->broken) {
        return false;
    }
    store(&ring->shared->data_wanted, 0);
    return true;
}

/* The producer has said how much it waits for: waking it for less would be in vain. */
bool ring_take_space_wanted(struct ring *ring)
{
    if (ring->broken) {
        return false;
    }
    publish_before_looking();

    uint32_t wanted = load(&ring->shared->space_wanted);

    if (wanted == 0 || ring->size - refresh_used(ring) < wanted || ring->broken) {
        return false;
    }
    store(&ring->shared->space_wanted, 0);
    return true;
}
