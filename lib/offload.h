/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What a network card does to a frame on its way out, in software: complete a partial checksum and
 * cut a large TCP or UDP segment into frames (virtio 1.2, 5.1.6.2). For receivers that do not take
 * such work over; traffic between those that do never comes here.
 *
 * A record is a struct virtio_net_hdr_v1 followed by the Ethernet frame, as in net_port.h.
 */

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stdint.h>
#include "net_port.h"

/* Of virtio 1.3, not in every distribution's headers. */
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

/* Ethernet and two VLAN tags, IPv4 with options or IPv6 with extensions, TCP with options. */
#define OFFLOAD_HEADERS_MAX 256u

/* A large segment that would make more frames than this is refused: 65535 bytes in pieces of 32. */
#define OFFLOAD_FRAMES_MAX 2048u

/*
 * Whether `header` is consistent in itself and with a frame of `length` bytes (at least
 * NET_FRAME_MIN), so that nobody who believes it reaches beyond the frame: the checksum field lies
 * inside, segments have a size, a GSO type is a known one and comes with a partial checksum. A VLAN
 * tag put in front of what it counts from does not make an offset wrap.
 * Returns NULL, or the cause in words. What lies in the frame is not looked at.
 */
const char *offload_check_header(const struct virtio_net_hdr_v1 *header, uint32_t length);

/*
 * Whether a receiver that accepts the NET_PORT_* bits in `accepts` can take a frame with this
 * header as it is. If not, offload_plan makes frames it can take.
 */
bool offload_accepted(const struct virtio_net_hdr_v1 *header, uint32_t accepts);

/*
 * Fill in the checksum that `header` says is missing in `frame`, `length` bytes. `frame` is the
 * caller's own, and offload_check_header has found no fault in `header`.
 */
void offload_complete(const struct virtio_net_hdr_v1 *header, void *frame, uint32_t length);

/* A frame being converted. Its fields are offload.c's; offsets count from the frame's start. */
struct offload_plan {
    const uint8_t *payload;  /* what is still to be sent; may change under the reader */
    uint32_t payload_length; /* bytes of it */
    uint32_t segment_size;   /* bytes of payload per frame */
    uint32_t sequence;       /* TCP: the next frame's */
    uint32_t pseudo;         /* sum of the pseudo-header without the length in it */
    uint16_t headers_length; /* 0: the payload is a whole frame, and not to be cut */
    uint16_t network;        /* offset of the IP header */
    uint16_t transport;      /* offset of what is checksummed: the TCP or UDP header */
    uint16_t checksum;       /* offset of the checksum field, from `transport` */
    uint16_t id;             /* IPv4: the next frame's */
    uint8_t tcp_flags;       /* of the whole */
    bool ipv6;
    bool udp;
    bool complete; /* fill the checksum in; otherwise leave that to the receiver */
    bool partial;  /* there is a checksum to fill in */
    bool first;
    bool done;
    uint8_t headers[OFFLOAD_HEADERS_MAX]; /* a private copy, as in the frame */
};

/*
 * Prepare to turn one frame into what a receiver that accepts `accepts` can take. `header` is the
 * caller's private copy; `frame`, `length` bytes, may be shared memory: what is decided on is
 * copied, and `frame` must stay readable until offload_next has returned 0. Also right, if slow,
 * for a frame that would have been accepted as it is.
 * Returns NULL, or the cause in words if the frame's headers contradict each other or it has
 * another protocol than the header says; the plan then yields nothing.
 */
const char *offload_plan(struct offload_plan *plan, const struct virtio_net_hdr_v1 *header,
                         const void *frame, uint32_t length, uint32_t accepts);

/*
 * The size in bytes of the record that offload_next will write next, or 0 after the last. None
 * behind it is larger.
 */
uint32_t offload_record_max(const struct offload_plan *plan);

/*
 * Write the next record, offload_record_max bytes, and return its length, or 0 after the last. Its
 * memory may be shared with who receives it: nothing is decided on what is read there.
 */
uint32_t offload_next(struct offload_plan *plan, void *record);
