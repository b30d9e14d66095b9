/* SPDX-License-Identifier: BSD-2-Clause */

#include "offload.h"

#include <linux/if_ether.h>
#include <stddef.h>
#include <string.h>
#include "big_endian.h"
#include "checksum.h"
#include "ip_header.h"

#define HEADER ((uint32_t)sizeof(struct virtio_net_hdr_v1))

/* Offsets in the headers: RFC 791, RFC 8200, RFC 9293, RFC 768. */
#define OFFSET_MAX         (UINT16_MAX - VLAN_TAG_SIZE) /* a tag may come in front, in 16 bits */
#define IPV4_HEADER_MIN    20u
#define IPV4_FRAGMENT_MASK 0x3fffu /* more fragments, and the offset */
#define IPV6_EXTENSION_MIN 8u
#define UDP_LENGTH         4u
#define UDP_CHECKSUM       6u
#define UDP_HEADER         8u

#define PROTOCOL_HOP_BY_HOP 0u
#define PROTOCOL_ROUTING    43u
#define PROTOCOL_OPTIONS    60u

/* ---- What a header says ---- */

static uint8_t gso_kind(const struct virtio_net_hdr_v1 *header)
{
    return (uint8_t)(header->gso_type & ~VIRTIO_NET_HDR_GSO_ECN);
}

static const char *check_segmentation(const struct virtio_net_hdr_v1 *header, uint32_t length)
{
    uint8_t kind = gso_kind(header);
    bool ecn = (header->gso_type & VIRTIO_NET_HDR_GSO_ECN) != 0;

    if (kind != VIRTIO_NET_HDR_GSO_TCPV4 && kind != VIRTIO_NET_HDR_GSO_TCPV6 &&
        (kind != VIRTIO_NET_HDR_GSO_UDP_L4 || ecn)) {
        return "an unknown kind of segmentation";
    }
    if ((header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0) {
        return "a large segment without a partial checksum";
    }
    if (header->gso_size == 0) {
        return "segments of size 0";
    }
    if (length / header->gso_size >= OFFLOAD_FRAMES_MAX) {
        return "too many segments in one frame";
    }
    if (header->hdr_len > length || header->hdr_len > OFFSET_MAX) {
        return "headers longer than the frame";
    }
    return NULL;
}

const char *offload_check_header(const struct virtio_net_hdr_v1 *header, uint32_t length)
{
    bool large = header->gso_type != VIRTIO_NET_HDR_GSO_NONE;

    if (length < NET_FRAME_MIN) {
        return "a frame shorter than its Ethernet header";
    }
    if (length > NET_GSO_FRAME_MAX) {
        return "a frame longer than any";
    }
    if ((header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0 &&
        (header->csum_start < NET_FRAME_MIN || header->csum_start > OFFSET_MAX ||
         (uint32_t)header->csum_start + header->csum_offset + 2 > length)) {
        return "a checksum outside of the frame";
    }
    return large ? check_segmentation(header, length) : NULL;
}

bool offload_accepted(const struct virtio_net_hdr_v1 *header, uint32_t accepts)
{
    uint32_t needs = 0;

    if ((header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0) {
        needs |= NET_PORT_CSUM;
    }
    if ((header->gso_type & VIRTIO_NET_HDR_GSO_ECN) != 0) {
        needs |= NET_PORT_ECN;
    }
    switch (gso_kind(header)) {
    case VIRTIO_NET_HDR_GSO_NONE:
        break;
    case VIRTIO_NET_HDR_GSO_TCPV4:
        needs |= NET_PORT_TSO4;
        break;
    case VIRTIO_NET_HDR_GSO_TCPV6:
        needs |= NET_PORT_TSO6;
        break;
    default:
        needs |= NET_PORT_USO;
    }
    return (needs & ~accepts) == 0;
}

/* ---- Reading the headers of a large segment ---- */

/* Find the IP header behind at most two VLAN tags; returns the type of what was found. */
static uint16_t find_network(struct offload_plan *plan, uint32_t available)
{
    uint32_t offset = ETH_HLEN;
    uint16_t type = get_be16(plan->headers + offset - 2);

    /*@ loop invariant 0 <= tags <= 2 && 14 <= offset <= available;
        loop assigns tags, offset, type; */
    for (int tags = 0; tags < 2 && (type == ETH_P_8021Q || type == ETH_P_8021AD); tags++) {
        if (offset + VLAN_TAG_SIZE > available) {
            return 0;
        }
        offset += VLAN_TAG_SIZE;
        type = get_be16(plan->headers + offset - 2);
    }
    plan->network = (uint16_t)offset;
    return type;
}

/* Find the header after IPv4's; NULL, or the cause. */
static const char *parse_ipv4(struct offload_plan *plan, uint32_t available, uint8_t *protocol)
{
    const uint8_t *ip = plan->headers + plan->network;
    uint32_t length;

    if (plan->network + IPV4_HEADER_MIN > available) {
        return "a truncated IPv4 header";
    }
    length = 4u * (ip[0] & 0xfu);
    if (ip[0] >> 4 != 4 || length < IPV4_HEADER_MIN || plan->network + length > available) {
        return "a broken IPv4 header";
    }
    if ((get_be16(ip + IPV4_FRAGMENT) & IPV4_FRAGMENT_MASK) != 0) {
        return "a large segment that is a fragment";
    }
    plan->id = get_be16(ip + IPV4_ID);
    plan->transport = (uint16_t)(plan->network + length);
    *protocol = ip[IPV4_PROTOCOL];
    return NULL;
}

/* Find the header after IPv6's and its extensions; NULL, or the cause. */
static const char *parse_ipv6(struct offload_plan *plan, uint32_t available, uint8_t *protocol)
{
    const uint8_t *ip = plan->headers + plan->network;
    uint32_t offset = plan->network + IPV6_HEADER;
    uint8_t next;

    if (offset > available) {
        return "a truncated IPv6 header";
    }
    if (ip[0] >> 4 != 6) {
        return "a broken IPv6 header";
    }
    next = ip[IPV6_NEXT_HEADER];
    /*@ loop invariant plan->network + IPV6_HEADER <= offset <= available + 2048;
        loop assigns next, offset; */
    while (next == PROTOCOL_HOP_BY_HOP || next == PROTOCOL_ROUTING || next == PROTOCOL_OPTIONS) {
        if (offset + IPV6_EXTENSION_MIN > available) {
            return "a truncated IPv6 extension header";
        }
        next = plan->headers[offset];
        offset += 8u * (plan->headers[offset + 1] + 1u);
    }
    if (offset > available) {
        return "a truncated IPv6 extension header";
    }
    plan->ipv6 = true;
    plan->transport = (uint16_t)offset;
    *protocol = next;
    return NULL;
}

/* Find where the payload begins; NULL, or the cause. */
static const char *parse_transport(struct offload_plan *plan, uint32_t available)
{
    const uint8_t *header = plan->headers + plan->transport;
    uint32_t length = UDP_HEADER;

    if (plan->udp) {
        if (plan->transport + UDP_HEADER > available) {
            return "a truncated UDP header";
        }
    } else {
        if (plan->transport + TCP_HEADER_MIN > available) {
            return "a truncated TCP header";
        }
        length = 4u * (header[TCP_DATA_OFFSET] >> 4);
        if (length < TCP_HEADER_MIN || plan->transport + length > available) {
            return "a broken TCP header";
        }
        plan->sequence = get_be32(header + TCP_SEQUENCE);
        plan->tcp_flags = header[TCP_FLAGS];
    }
    plan->headers_length = (uint16_t)(plan->transport + length);
    plan->checksum = plan->udp ? UDP_CHECKSUM : TCP_CHECKSUM;
    return NULL;
}

/* Parse the private copy of the headers, of which `available` bytes exist; NULL, or the cause. */
static const char *parse(struct offload_plan *plan, const struct virtio_net_hdr_v1 *header,
                         uint32_t available)
{
    uint8_t kind = gso_kind(header);
    uint16_t type = find_network(plan, available);
    uint8_t protocol = 0;
    const char *cause;

    plan->udp = kind == VIRTIO_NET_HDR_GSO_UDP_L4;
    if (type == ETH_P_IP && kind != VIRTIO_NET_HDR_GSO_TCPV6) {
        cause = parse_ipv4(plan, available, &protocol);
    } else if (type == ETH_P_IPV6 && kind != VIRTIO_NET_HDR_GSO_TCPV4) {
        cause = parse_ipv6(plan, available, &protocol);
    } else {
        cause = "a large segment of another protocol than its header says";
    }
    if (cause != NULL) {
        return cause;
    }
    if (protocol != (plan->udp ? PROTOCOL_UDP : PROTOCOL_TCP)) {
        return "a large segment of another protocol than its header says";
    }
    cause = parse_transport(plan, available);
    if (cause != NULL) {
        return cause;
    }
    if (header->csum_start != plan->transport || header->csum_offset != plan->checksum) {
        return "a checksum elsewhere than in the transport header";
    }
    return NULL;
}

/* ---- Conversion ---- */

static const char *plan_segments(struct offload_plan *plan, const struct virtio_net_hdr_v1 *header,
                                 uint32_t length)
{
    uint32_t available = length < OFFLOAD_HEADERS_MAX ? length : OFFLOAD_HEADERS_MAX;
    const char *cause;

    memcpy(plan->headers, plan->payload, available);
    cause = parse(plan, header, available);
    if (cause != NULL) {
        return cause;
    }
    if (length - plan->network > UINT16_MAX) {
        return "an IP packet longer than any";
    }
    /* The field holds the sum of the pseudo-header; from it goes the length, ~x being -x. */
    plan->pseudo =
        checksum_fold((uint64_t)get_be16(plan->headers + plan->transport + plan->checksum) +
                      (~(length - plan->transport) & 0xffffu));
    plan->payload += plan->headers_length;
    plan->payload_length -= plan->headers_length;
    plan->segment_size = header->gso_size;
    return NULL;
}

const char *offload_plan(struct offload_plan *plan, const struct virtio_net_hdr_v1 *header,
                         const void *frame, uint32_t length, uint32_t accepts)
{
    const char *cause = offload_check_header(header, length);

    memset(plan, 0, offsetof(struct offload_plan, headers));
    plan->payload = frame;
    plan->payload_length = length;
    plan->segment_size = length;
    plan->first = true;
    plan->partial = (header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0;
    plan->complete = (accepts & NET_PORT_CSUM) == 0;
    if (cause == NULL && header->gso_type != VIRTIO_NET_HDR_GSO_NONE) {
        cause = plan_segments(plan, header, length);
    } else {
        plan->transport = header->csum_start;
        plan->checksum = header->csum_offset;
    }
    plan->done = cause != NULL;
    return cause;
}

uint32_t offload_record_max(const struct offload_plan *plan)
{
    uint32_t payload = plan->payload_length;

    if (plan->done) {
        return 0;
    }
    if (payload > plan->segment_size) {
        payload = plan->segment_size;
    }
    return HEADER + plan->headers_length + payload;
}

/* TCP's flags belong to the last (FIN, PSH) or the first (CWR, RFC 3168, 6.1.2) of the frames. */
static uint8_t tcp_flags(const struct offload_plan *plan, bool last)
{
    uint8_t flags = plan->tcp_flags;

    if (!last) {
        flags &= ~(TCP_FIN | TCP_PSH);
    }
    if (!plan->first) {
        flags &= ~TCP_CWR;
    }
    return flags;
}

/* Make the private headers those of the next frame, with `size` bytes of payload. */
static void number_headers(struct offload_plan *plan, uint32_t size, bool last)
{
    uint8_t *ip = plan->headers + plan->network;
    uint8_t *transport = plan->headers + plan->transport;
    uint32_t length = plan->headers_length - plan->transport + size;

    if (plan->ipv6) {
        put_be16(ip + IPV6_LENGTH, plan->transport - plan->network - IPV6_HEADER + length);
    } else {
        put_be16(ip + IPV4_LENGTH, plan->transport - plan->network + length);
        put_be16(ip + IPV4_ID, plan->id++);
        put_be16(ip + IPV4_CHECKSUM, 0);
        put_be16(ip + IPV4_CHECKSUM, ~checksum_sum(ip, plan->transport - plan->network));
    }
    if (plan->udp) {
        put_be16(transport + UDP_LENGTH, length);
    } else {
        put_be32(transport + TCP_SEQUENCE, plan->sequence);
        transport[TCP_FLAGS] = tcp_flags(plan, last);
        plan->sequence += size;
    }
    put_be16(transport + plan->checksum, checksum_fold((uint64_t)plan->pseudo + length));
}

/* Fill in the checksum of all from `start` on. The field, `offset` from there, has a part of it. */
static void fill_checksum(uint8_t *frame, uint32_t length, uint32_t start, uint32_t offset)
{
    uint32_t sum = ~checksum_sum(frame + start, length - start) & 0xffffu;

    if (sum == 0) {
        sum = 0xffffu; /* the other zero: UDP's 0 would mean that there is no checksum */
    }
    put_be16(frame + start + offset, sum);
}

void offload_complete(const struct virtio_net_hdr_v1 *header, void *frame, uint32_t length)
{
    fill_checksum(frame, length, header->csum_start, header->csum_offset);
}

/* Fill the checksum in, or say where it is missing. */
static void finish_checksum(const struct offload_plan *plan, struct virtio_net_hdr_v1 *header,
                            uint8_t *frame, uint32_t length)
{
    if (!plan->complete) {
        header->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        header->csum_start = plan->transport;
        header->csum_offset = plan->checksum;
        return;
    }
    fill_checksum(frame, length, plan->transport, plan->checksum);
}

uint32_t offload_next(struct offload_plan *plan, void *record)
{
    struct virtio_net_hdr_v1 header = {0};
    uint8_t *frame = (uint8_t *)record + HEADER;
    uint32_t size = plan->payload_length;
    uint32_t length;
    bool last = true;

    if (plan->done) {
        return 0;
    }
    if (size > plan->segment_size) {
        size = plan->segment_size;
        last = false;
    }
    if (plan->headers_length != 0) {
        number_headers(plan, size, last);
        memcpy(frame, plan->headers, plan->headers_length);
    }
    memcpy(frame + plan->headers_length, plan->payload, size);
    length = plan->headers_length + size;
    if (plan->partial) {
        finish_checksum(plan, &header, frame, length);
    }
    memcpy(record, &header, sizeof(header));
    plan->payload += size;
    plan->payload_length -= size;
    plan->first = false;
    plan->done = last;
    return HEADER + length;
}
