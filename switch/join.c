/* SPDX-License-Identifier: BSD-2-Clause */

#include "join.h"

#include <linux/if_ether.h>
#include <string.h>
#include "lib/big_endian.h"
#include "lib/checksum.h"
#include "lib/ip_header.h"

#define TCP_ENDS (TCP_FIN | TCP_PSH) /* what the last frame of a run may have */

typedef uint64_t __attribute__((may_alias)) word;

_Static_assert(JOIN_HEADERS_MAX >= ETH_HLEN + VLAN_TAG_SIZE + IPV6_HEADER + 60 &&
                   JOIN_HEADERS_MAX % sizeof(word) == 0,
               "room for all headers");

/* What a frame says for itself: what may differ in a run. */
struct segment {
    uint32_t sequence;
    uint32_t payload; /* bytes */
    uint32_t sum;     /* of the TCP header */
    uint16_t id;
    uint8_t flags;
};

/* Find the headers of a frame that may begin a run, of which `available` bytes are there. */
static bool parse(struct join *join, uint32_t available)
{
    const uint8_t *headers = join->headers;
    uint32_t network = ETH_HLEN;
    uint16_t type = get_be16(headers + network - 2);
    const uint8_t *ip;
    uint32_t transport;
    uint32_t length;
    uint8_t protocol;

    if (type == ETH_P_8021Q) {
        network += VLAN_TAG_SIZE;
        type = get_be16(headers + network - 2);
    }
    ip = headers + network;
    join->ipv6 = type == ETH_P_IPV6;
    transport = network + (join->ipv6 ? IPV6_HEADER : IPV4_HEADER);
    if ((type != ETH_P_IP && !join->ipv6) || transport + TCP_HEADER_MIN > available) {
        return false;
    }
    if (join->ipv6 ? ip[0] >> 4 != 6 : ip[0] != IPV4_VERSION_IHL) {
        return false;
    }
    protocol = join->ipv6 ? ip[IPV6_NEXT_HEADER] : ip[IPV4_PROTOCOL];
    length = 4u * (headers[transport + TCP_DATA_OFFSET] >> 4);
    if (protocol != PROTOCOL_TCP || length < TCP_HEADER_MIN || transport + length > available) {
        return false;
    }
    join->network = (uint16_t)network;
    join->transport = (uint16_t)transport;
    join->headers_length = (uint16_t)(transport + length);
    return true;
}

/*
 * Read out of a private copy of headers what may differ in a run, and clear it there. `length` is
 * the frame's. `verified`: nobody will ask for the sum. Returns false if its lengths contradict
 * each other, or the IPv4 header is broken.
 */
static bool take_apart(const struct join *join, uint8_t *headers, uint32_t length, bool verified,
                       struct segment *segment)
{
    uint8_t *ip = headers + join->network;
    uint8_t *tcp = headers + join->transport;
    uint32_t tcp_header = join->headers_length - join->transport;
    uint32_t network_end; /* of the packet, from the IP header's start */

    if (join->ipv6) {
        network_end = IPV6_HEADER + get_be16(ip + IPV6_LENGTH);
        put_be16(ip + IPV6_LENGTH, 0);
        segment->id = 0;
    } else {
        if (checksum_sum(ip, IPV4_HEADER) != CHECKSUM_RIGHT) {
            return false;
        }
        network_end = get_be16(ip + IPV4_LENGTH);
        segment->id = get_be16(ip + IPV4_ID);
        put_be16(ip + IPV4_LENGTH, 0);
        put_be16(ip + IPV4_ID, 0);
        put_be16(ip + IPV4_CHECKSUM, 0);
    }
    /* A short frame has padding behind the packet. */
    if (join->network + network_end > length ||
        join->network + network_end < join->headers_length) {
        return false;
    }
    segment->payload = join->network + network_end - join->headers_length;
    segment->sum = verified ? 0 : checksum_sum(tcp, tcp_header);
    segment->sequence = get_be32(tcp + TCP_SEQUENCE);
    segment->flags = tcp[TCP_FLAGS];
    put_be32(tcp + TCP_SEQUENCE, 0);
    tcp[TCP_FLAGS] &= (uint8_t)~TCP_ENDS;
    put_be16(tcp + TCP_CHECKSUM, 0);
    return true;
}

/* Whether the TCP checksum is right of a header that sums to `sum` and the payload behind it. */
static bool checksum_right(const struct join *join, uint32_t sum, const uint8_t *payload,
                           uint32_t count)
{
    uint32_t length = join->headers_length - join->transport + count;

    return checksum_fold((uint64_t)join->pseudo + length + sum + checksum_sum(payload, count)) ==
           CHECKSUM_RIGHT;
}

bool join_begin(struct join *join, const uint8_t *frame, uint32_t length, bool verified)
{
    uint32_t available = length < JOIN_HEADERS_MAX ? length : JOIN_HEADERS_MAX;
    struct segment segment;
    uint8_t *ip;

    if (length < ETH_HLEN + VLAN_TAG_SIZE) {
        return false;
    }
    memcpy(join->headers, frame, available);
    if (!parse(join, available) || !take_apart(join, join->headers, length, verified, &segment)) {
        return false;
    }
    ip = join->headers + join->network;
    if (segment.flags != TCP_ACK || segment.payload == 0 ||
        (!join->ipv6 && (get_be16(ip + IPV4_FRAGMENT) & ~IPV4_DONT_FRAGMENT) != 0)) {
        return false;
    }
    memset(join->headers + join->headers_length, 0, JOIN_HEADERS_MAX - join->headers_length);
    join->pseudo = PROTOCOL_TCP + (join->ipv6 ? checksum_sum(ip + IPV6_ADDRESSES, 32)
                                              : checksum_sum(ip + IPV4_ADDRESSES, 8));
    join->id = segment.id;
    join->id_stays = false;
    join->flags = segment.flags;
    join->ended = false;
    join->verified = verified;
    join->frames = 1;
    join->sequence = segment.sequence;
    join->payload = segment.payload;
    join->segment_size = segment.payload;
    join->sum = segment.sum;
    join->segment = frame + join->headers_length;
    return true;
}

/* Whether headers from which all that may differ has been taken are those of the run. */
static bool same_headers(const struct join *join, const uint8_t *headers)
{
    const word *ours = (const word *)(const void *)join->headers;
    const word *theirs = (const word *)(const void *)headers;
    uint64_t difference = 0;

    for (uint32_t i = 0; i * sizeof(word) < join->headers_length; i++) {
        difference |= ours[i] ^ theirs[i];
    }
    return difference == 0;
}

/* IPv4's identification, as a sender that numbers its packets sets it, or one that need not. */
static bool id_follows(struct join *join, uint16_t id)
{
    const uint8_t *ip = join->headers + join->network;

    if (join->ipv6) {
        return true;
    }
    if (join->frames == 1) {
        join->id_stays = id == join->id && (get_be16(ip + IPV4_FRAGMENT) & IPV4_DONT_FRAGMENT) != 0;
    }
    return id == (join->id_stays ? join->id : (uint16_t)(join->id + join->frames));
}

static bool continues(struct join *join, const struct segment *segment)
{
    uint32_t packet = join->headers_length - join->network + join->payload + segment->payload;

    return segment->sequence == join->sequence + join->payload && segment->payload != 0 &&
           segment->payload <= join->segment_size && packet <= UINT16_MAX &&
           id_follows(join, segment->id);
}

/* The first frame's checksum is looked at when it is worth it, and once. */
static bool first_is_right(struct join *join)
{
    join->verified =
        join->verified || checksum_right(join, join->sum, join->segment, join->segment_size);
    return join->verified;
}

uint32_t join_add(struct join *join, const uint8_t *frame, uint32_t length, bool verified)
{
    _Alignas(8) uint8_t headers[JOIN_HEADERS_MAX];
    uint32_t count = join->headers_length;
    bool ended = join->ended;
    struct segment segment;

    join->ended = true; /* unless the frame is one of the run, and not the last */
    if (ended || length < count) {
        return 0;
    }
    *(word *)(void *)(headers + (count & ~7u)) = 0; /* what is compared beyond them */
    memcpy(headers, frame, count);
    if (!take_apart(join, headers, length, verified, &segment) || !same_headers(join, headers) ||
        !continues(join, &segment) || !first_is_right(join) ||
        (!verified && !checksum_right(join, segment.sum, frame + count, segment.payload))) {
        return 0;
    }
    join->ended = segment.payload < join->segment_size || (segment.flags & TCP_ENDS) != 0;
    join->flags |= segment.flags;
    join->payload += segment.payload;
    join->frames++;
    return segment.payload;
}

static void end_ipv4(uint8_t *ip, uint32_t length, uint16_t id)
{
    put_be16(ip + IPV4_LENGTH, length);
    put_be16(ip + IPV4_ID, id);
    put_be16(ip + IPV4_CHECKSUM, ~checksum_sum(ip, IPV4_HEADER));
}

void join_end(struct join *join, struct virtio_net_hdr_v1 *net)
{
    uint8_t *ip = join->headers + join->network;
    uint8_t *tcp = join->headers + join->transport;
    uint32_t length = join->headers_length - join->transport + join->payload;

    if (join->ipv6) {
        put_be16(ip + IPV6_LENGTH, length);
    } else {
        end_ipv4(ip, IPV4_HEADER + length, join->id);
    }
    put_be32(tcp + TCP_SEQUENCE, join->sequence);
    tcp[TCP_FLAGS] = join->flags;
    put_be16(tcp + TCP_CHECKSUM, checksum_fold((uint64_t)join->pseudo + length));
    *net = (struct virtio_net_hdr_v1){
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .gso_type = join->ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4,
        .hdr_len = join->headers_length,
        .gso_size = (uint16_t)join->segment_size,
        .csum_start = join->transport,
        .csum_offset = TCP_CHECKSUM,
    };
}
