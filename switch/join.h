/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Consecutive segments of one TCP stream, joined into a large one: the reverse of what
 * lib/offload.h does, for receivers that take large segments. A guest then goes through its network
 * stack once instead of 44 times.
 *
 * A run is joined of frames that could have been cut from one: the same Ethernet header and VLAN
 * tag, IPv4 without options or IPv6 without extension headers, TCP. Only these fields may differ:
 *
 *   IP's length and IPv4's checksum, which are checked; IPv4's identification, which counts up, or
 *   stays if fragments are forbidden (RFC 6864, 4.1); TCP's sequence, without a gap; TCP's
 *   checksum, which is checked; FIN and PSH, which end the run.
 *
 * So what differs in its TOS with the ECN bits, its TTL, acknowledgement, window, or TCP options is
 * not joined. A frame with any other flag than ACK, FIN and PSH is not joined to anything. All
 * segments but the last have one size. The whole is no longer than an IP packet.
 *
 * Frames may lie in memory that others write. Headers are copied first and decided on there.
 */

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stdint.h>

/* Ethernet with a VLAN tag, IPv6, and TCP with options; a multiple of 8. */
#define JOIN_HEADERS_MAX 120u

/* A run of frames shorter than this is not worth a look: acknowledgements, keystrokes. */
#define JOIN_FRAME_MIN 256u

/* A run. Its fields are join.c's, but for the first two when it is over. */
struct join {
    _Alignas(8) uint8_t headers[JOIN_HEADERS_MAX]; /* after join_end those of the whole */
    uint16_t headers_length;                       /* of them, and of each frame's */
    uint16_t network;       /* offset of the IP header from the frame's start */
    uint16_t transport;     /* offset of the TCP header */
    uint16_t id;            /* IPv4: the first frame's */
    uint8_t flags;          /* TCP's: the first frame's, and what the last has added */
    bool ipv6;              /* false: IPv4 */
    bool id_stays;          /* IPv4: all frames have the first one's identification */
    bool ended;             /* nothing may follow */
    bool verified;          /* the first frame's TCP checksum is right */
    uint32_t frames;        /* joined so far */
    uint32_t sequence;      /* the first frame's */
    uint32_t payload;       /* bytes, of all frames so far */
    uint32_t segment_size;  /* bytes of payload of the first frame */
    uint32_t pseudo;        /* sum of the pseudo-header without the length in it */
    uint32_t sum;           /* of the first frame's TCP header */
    const uint8_t *segment; /* the first frame's payload */
};

/*
 * Begin a run with `frame`, an Ethernet frame of `length` bytes with whole checksums. Returns
 * whether others may be joined to it; if not, `join` is of no use. Its TCP checksum is checked when
 * the second frame is there, unless it is `verified`.
 */
bool join_begin(struct join *join, const uint8_t *frame, uint32_t length, bool verified);

/*
 * Join `frame`, `length` bytes, to the run. `verified`: its TCP checksum need not be checked.
 * Returns the bytes of payload, which begin `headers_length` behind the frame's start. 0: it does
 * not continue the run, which is over; what has been joined before is as good as without the frame.
 */
uint32_t join_add(struct join *join, const uint8_t *frame, uint32_t length, bool verified);

/*
 * The run is over: make `headers` those of the whole, `headers_length` bytes, and fill in what a
 * virtio-net header says of it (virtio 1.2, 5.1.6.4): a partial checksum and segments of the first
 * frame's size. Offsets in it count from the frame's start. The payloads of the frames come behind
 * the headers in the order in which they have been joined. Only if join_add has joined a frame.
 */
void join_end(struct join *join, struct virtio_net_hdr_v1 *net);
