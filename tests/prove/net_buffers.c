/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PROVES: lib/net_buffers.c
 * CHECK: -warn-unsigned-overflow
 * WP: min keep_chain finish give_up chains_max virtqueue_enabled virtqueue_known_insufficient
 * WP: virtqueue_forget_insufficient net_buffers_collect net_buffers_write net_buffers_push
 * LONG: yes
 *
 * Buffers of any number and length: what is collected has room for as many bytes as were asked
 * for, and what is written lies in it. No number wraps, which is also what provers have most
 * trouble with.
 */

#include "prelude.h"

#include "lib/net_buffers.h"

/* Whether all of the first `count` segments lie in memory; what they come to. */
/*@ predicate all_writable{L}(struct virtqueue_segment *segments, integer count) =
        \forall integer i; 0 <= i < count ==>
            segments[i].length > 0 &&
            \valid(segments[i].data + (0 .. segments[i].length - 1));

    axiomatic bytes {
        logic integer bytes_of{L}(struct virtqueue_segment *segments, integer count)
            reads segments[0 .. count - 1].length;
    }
 */

/*
 * Assumption: what a sum is, of terms that may change from K to L. It follows from the definition
 * by induction over n, which no prover does by itself. That k is a number of its own keeps the
 * prover from going on forever.
 */
/*@ axiomatic sum {
      axiom of_none{L}: \forall struct virtqueue_segment *s; bytes_of(s, 0) == 0;
      axiom of_the_same{K, L}: \forall struct virtqueue_segment *s, integer n;
          (\forall integer i; 0 <= i < n ==> \at(s[i].length, K) == \at(s[i].length, L)) ==>
          bytes_of{K}(s, n) == bytes_of{L}(s, n);
      axiom of_one_more{L}: \forall struct virtqueue_segment *s, integer n, k;
          n >= 0 && n < k < n + 2 ==> bytes_of(s, k) == bytes_of(s, n) + s[n].length;
    }
 */

/* That `bytes` more fit behind what has been filled of the first `count` segments. */
/*@ predicate room_at{L}(struct net_buffers *buffers, integer count, integer segment,
                         integer filled, integer bytes) =
        0 <= segment <= count <= NET_SEGMENTS_MAX &&
        all_writable(&buffers->segments[0], count) &&
        0 <= filled && (segment < count ==> filled < buffers->segments[segment].length) &&
        bytes <= bytes_of(&buffers->segments[0], count) -
                 bytes_of(&buffers->segments[0], segment) - filled;

    predicate room{L}(struct net_buffers *buffers, integer count, integer bytes) =
        room_at(buffers, count, buffers->segment, buffers->filled, bytes);
 */

/*
 * Assumption: memcpy() to the guest's memory, which is apart from all that is read here, and has
 * no say in what is written where.
 */
/*@ requires \valid(to + (0 .. count - 1));
    requires \valid_read(from + (0 .. count - 1));
    assigns \nothing;
 */
void write_guest(uint8_t *to, const uint8_t *from, size_t count);

#define memcpy(to, from, count) write_guest(to, from, count)

/*
 * Assumption: lib/virtqueue.h, for a queue with virtqueue_allow_absent() never called. With
 * `segments` behind the first n of an array, the chain's come behind these, and as many bytes. Of
 * walk() in lib/virtqueue.c it is proved by virtqueue.c that the segments lie in the guest's memory
 * if they are not absent; that their lengths come to the bytes it says, tests/unit/test_virtqueue.c
 * has.
 */
/*@ requires \valid(queue) && \valid(chain) && \valid(segments + (0 .. capacity - 1));
    assigns *queue, *chain, segments[0 .. capacity - 1];
    ensures VIRTQUEUE_BROKEN <= \result <= VIRTQUEUE_TOO_LONG;
    ensures \result == VIRTQUEUE_POPPED ==> chain->readable + chain->writable <= capacity;
    ensures \result == VIRTQUEUE_POPPED && chain->readable == 0 ==>
        \forall struct virtqueue_segment *s, integer n;
            n >= 0 && segments == s + n && \old(all_writable(s, n)) ==>
            all_writable(s, n + chain->writable) &&
            bytes_of(s, n + chain->writable) == \old(bytes_of(s, n)) + chain->writable_bytes;
 */
enum virtqueue_pop virtqueue_pop(struct virtqueue *queue, struct virtqueue_segment *segments,
                                 uint32_t capacity, struct virtqueue_chain *chain);

/* Assumption: these change the queue alone. */
/*@ requires \valid_read(queue);
    assigns \nothing;
 */
uint16_t virtqueue_available(const struct virtqueue *queue);
/* Assumption: as above. */
/*@ requires \valid(queue);
    assigns *queue;
 */
void virtqueue_unpop_insufficient(struct virtqueue *queue, uint16_t count, uint32_t bytes,
                                  bool for_good);
/* Assumption: as above. */
/*@ requires \valid(queue);
    assigns *queue;
 */
void virtqueue_break(struct virtqueue *queue, const char *cause);
/* Assumption: as above, but for the used ring, which is apart from all that is read here. */
/*@ requires \valid(queue);
    assigns *queue;
 */
void virtqueue_push(struct virtqueue *queue, uint16_t head, uint32_t written);

/*@ requires \valid_read(queue);
    assigns \nothing;
 */
static inline bool virtqueue_enabled(const struct virtqueue *queue);

/*@ requires \valid_read(queue);
    assigns \nothing;
 */
static inline bool virtqueue_known_insufficient(const struct virtqueue *queue, uint32_t bytes);

/*@ requires \valid(queue);
    assigns queue->insufficient_bytes;
 */
static inline void virtqueue_forget_insufficient(struct virtqueue *queue);

/*@ requires \valid(queue) && \valid(buffers) && \separated(buffers, queue);
    assigns *buffers, *queue;
    ensures \result == NET_COLLECTED ==> buffers->count <= NET_CHAINS_MAX;
    ensures \result == NET_COLLECTED ==> \exists integer count; room(buffers, count, needed);
 */
enum net_collect net_buffers_collect(struct net_buffers *buffers, struct virtqueue *queue,
                                     bool mergeable, uint32_t needed);

/* What has been collected stays, and there is room for as many bytes less. */
/*@ requires \valid(buffers) && \valid_read((uint8_t *)bytes + (0 .. length - 1));
    requires \exists integer count; room(buffers, count, length);
    assigns buffers->segment, buffers->filled;
    ensures \forall integer count; \old(all_writable(&buffers->segments[0], count)) ==>
        all_writable(&buffers->segments[0], count);
    ensures \forall integer count; bytes_of(&buffers->segments[0], count) ==
        \old(bytes_of(&buffers->segments[0], count));
    ensures \forall integer count, bytes; bytes >= length && \old(room(buffers, count, bytes)) ==>
        \at(room_at(buffers, count, \at(buffers->segment, Here), \at(buffers->filled, Here),
                    bytes - length), Pre);
 */
void net_buffers_write(struct net_buffers *buffers, const void *bytes, uint32_t length);

/*@ requires \valid_read(buffers) && buffers->count <= NET_CHAINS_MAX;
    requires \valid(queue) && \separated(buffers, queue);
    assigns *queue;
 */
void net_buffers_push(const struct net_buffers *buffers, struct virtqueue *queue);

#include "lib/net_buffers.c"

/*@ requires \valid(queue);
    assigns *queue;
    ensures \result == why;
 */
static enum net_collect give_up(struct virtqueue *queue, uint32_t taken, uint32_t size,
                                enum net_collect why);

/*@ requires \valid_read(queue);
    assigns \nothing;
    ensures \result <= NET_CHAINS_MAX;
 */
static uint32_t chains_max(const struct virtqueue *queue, bool mergeable);

/*@ assigns \nothing;
    ensures \result <= a && \result <= b && (\result == a || \result == b);
 */
static uint32_t min(uint32_t a, uint32_t b);

/*@ requires \valid(buffers) && index < NET_CHAINS_MAX;
    assigns buffers->chains[index];
    ensures \forall integer n; n <= NET_SEGMENTS_MAX &&
        \old(all_writable(&buffers->segments[0], n)) ==>
        all_writable(&buffers->segments[0], n);
    ensures \forall integer n; n <= NET_SEGMENTS_MAX ==> bytes_of(&buffers->segments[0], n) ==
        \old(bytes_of(&buffers->segments[0], n));
 */
static void keep_chain(struct net_buffers *buffers, uint32_t index, uint16_t head, uint32_t bytes);

/*@ requires \valid(buffers) && \valid(queue) && \separated(buffers, queue);
    assigns buffers->count, buffers->segment, buffers->filled, queue->insufficient_bytes;
    ensures buffers->count == count && buffers->segment == 0 && buffers->filled == 0;
    ensures \forall integer n; n <= NET_SEGMENTS_MAX &&
        \old(all_writable(&buffers->segments[0], n)) ==>
        all_writable(&buffers->segments[0], n);
    ensures \forall integer n; n <= NET_SEGMENTS_MAX ==> bytes_of(&buffers->segments[0], n) ==
        \old(bytes_of(&buffers->segments[0], n));
 */
static void finish(struct net_buffers *buffers, struct virtqueue *queue, uint32_t count);
