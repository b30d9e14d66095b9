/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The buffers of a guest's receive queue that one frame takes: one chain, or with
 * VIRTIO_NET_F_MRG_RXBUF as many as it needs (virtio 1.2, 5.1.6.4).
 */

#include <stdbool.h>
#include <stdint.h>
#include "virtqueue.h"

/*
 * The most chains and segments that one frame may take: enough for 64 KiB in buffers of 1526 bytes,
 * which a driver without large segments provides. Walking more would cost whoever forwards the
 * frame more than the frame itself.
 */
#define NET_CHAINS_MAX   64u
#define NET_SEGMENTS_MAX 128u

/* The fields are net_buffers.c's, but for `count`: how many chains it is. */
struct net_buffers {
    uint32_t count;
    uint32_t segment; /* the next to be filled, */
    uint32_t filled;  /* so far */
    struct {
        uint16_t head;
        uint32_t bytes; /* to be written */
    } chains[NET_CHAINS_MAX];
    struct virtqueue_segment segments[NET_SEGMENTS_MAX];
};

enum net_collect {
    NET_COLLECTED,
    NET_NO_BUFFERS, /* the driver has to make more available */
    NET_UNSUITED,   /* its buffers will never do for this frame */
    NET_QUEUE_BROKEN,
};

/*
 * Take chains for `needed` bytes, header included, off the queue: at most NET_CHAINS_MAX of them
 * and NET_SEGMENTS_MAX segments. They are given back by net_buffers_push; if the answer is another
 * than NET_COLLECTED, none has been taken, and the same question is answered from memory until the
 * driver has offered more or a smaller frame has taken some.
 */
enum net_collect net_buffers_collect(struct net_buffers *buffers, struct virtqueue *queue,
                                     bool mergeable, uint32_t needed);

/* Write the next bytes; no more in all than have been collected for. */
void net_buffers_write(struct net_buffers *buffers, const void *bytes, uint32_t length);

/* All is written: give the chains back. virtqueue_flush tells the guest. */
void net_buffers_push(const struct net_buffers *buffers, struct virtqueue *queue);
