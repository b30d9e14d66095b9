/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A frame on its way from one port to others.
 *
 * A sender's frame stays where the sender has put it, in memory that the sender can still write.
 * The bytes that decide on it are therefore copied first, into struct frame_head. Every receiver
 * gets that copy in front of the rest.
 */

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stdint.h>

#define ETHERNET_HEADER 14u
#define VLAN_TAG        4u
#define NET_HEADER      12u /* sizeof(struct virtio_net_hdr_v1) */

#define ETHERTYPE_OFFSET 12u
#define ETHERTYPE_VLAN   0x8100u /* IEEE 802.1Q, 9.4: the only tag that is a VLAN here */

#define FRAME_HEAD_WORDS 4u

/*
 * The first bytes of a record: with `ethernet` behind `net` they lie as they are sent. They are
 * copied and compared as words; the processor is little-endian.
 */
struct frame_head {
    union {
        struct {
            struct virtio_net_hdr_v1 net;
            uint8_t ethernet[ETHERNET_HEADER + VLAN_TAG];
            uint8_t unused[2];
        };
        uint64_t words[FRAME_HEAD_WORDS];
    };
} __attribute__((aligned(16)));

_Static_assert(sizeof(struct frame_head) == 32, "FRAME_HEAD_WORDS");

struct frame_segment {
    const uint8_t *bytes;
    uint32_t length;
};

/* To cut one frame off a large segment takes as long as to read this many descriptors. */
#define FRAME_CUT_WORK 8u

/* One more frame of a run that is joined takes as long as to read this many. */
#define FRAME_JOIN_WORK 32u

#define FRAME_SEGMENTS_MAX 64u /* a large segment in pages, or joined of 1 KiB, and some */

struct frame {
    struct frame_head head; /* without a VLAN tag once the switch has classified it */
    uint32_t length;        /* of the Ethernet frame as it was sent, in bytes */
    uint32_t skip;          /* the head replaces this many of its first bytes */
    uint32_t work;          /* descriptors read, and FRAME_CUT_WORK for each frame cut off */
    const char *error;      /* why the port rejects it; NULL: it does not */
    uint32_t segment_count;
    struct frame_segment segments[FRAME_SEGMENTS_MAX]; /* the whole frame, `length` bytes */
};

/* The addresses in the MAC table's form: bytes 12 to 17 and 18 to 23 of the head. */

static inline uint64_t frame_destination(const struct frame_head *head)
{
    return (head->words[1] >> 32 | head->words[2] << 32) & 0xffffffffffffULL;
}

static inline uint64_t frame_source(const struct frame_head *head)
{
    return head->words[2] >> 16;
}

/* An EtherType as frame_ethertype() returns it: the first byte is the least significant. */
#define LITTLE_ENDIAN_ETHERTYPE(type) ((type) >> 8 | (0xffu & (type)) << 8)

/* The type that follows the addresses, bytes 24 and 25 of the head. */
static inline uint16_t frame_ethertype(const struct frame_head *head)
{
    return (uint16_t)head->words[3];
}

/* Whether a VLAN's tag follows the addresses. */
static inline bool frame_is_tagged(const struct frame_head *head)
{
    return frame_ethertype(head) == LITTLE_ENDIAN_ETHERTYPE(ETHERTYPE_VLAN);
}

/* Whether anything follows the addresses that somebody, here or outside, takes for a tag. */
static inline bool frame_seems_tagged(const struct frame_head *head)
{
    switch (frame_ethertype(head)) {
    case LITTLE_ENDIAN_ETHERTYPE(ETHERTYPE_VLAN):
    case LITTLE_ENDIAN_ETHERTYPE(0x88a8u): /* a service VLAN's (IEEE 802.1Q, 9.4) */
    case LITTLE_ENDIAN_ETHERTYPE(0x9100u): /* the same before there was a standard */
    case LITTLE_ENDIAN_ETHERTYPE(0x9200u):
    case LITTLE_ENDIAN_ETHERTYPE(0x9300u):
        return true;
    default:
        return false;
    }
}

/* Add `by`, the length of a VLAN tag or its negative, to what counts from the frame's start. */
static inline void frame_shift_offsets(struct virtio_net_hdr_v1 *net, int by)
{
    if (net->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
        net->csum_start = (uint16_t)(net->csum_start + by);
    }
    if (net->hdr_len != 0) {
        net->hdr_len = (uint16_t)(net->hdr_len + by);
    }
}
