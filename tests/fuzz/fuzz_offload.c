/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: lib/offload.c lib/checksum.c
 *
 * A virtio-net header and a frame, as a guest may send them, on their way to a port that accepts
 * what the input says: refused, or made into at most OFFLOAD_FRAMES_MAX records that fit and that
 * the port accepts. Most frames are built here with any mix of tags, options, extensions, flags and
 * sizes. Those are right, so they must be taken, and the records must say together what the frame
 * says. The rest of the frames have bytes changed, or are bytes from the input as they are.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "input.h"
#include "lib/offload.h"

#define HEADER       ((uint32_t)sizeof(struct virtio_net_hdr_v1))
#define PAYLOAD_MAX  8192u
#define FRAME_MAX    (OFFLOAD_HEADERS_MAX + 256u + PAYLOAD_MAX)
#define PROTOCOL_TCP 6u
#define PROTOCOL_UDP 17u

/* What a frame says, and where. Offsets count from the frame's start. */
struct built {
    bool ipv6;
    bool udp;
    uint8_t flags;
    uint16_t id;
    uint32_t sequence;
    uint32_t network;
    uint32_t transport;
    uint32_t headers; /* bytes before the payload */
    uint32_t payload; /* bytes */
    uint32_t sum;     /* of the pseudo-header without the length */
};

static uint8_t bytes[FRAME_MAX];
static uint8_t noise[UINT8_MAX + FRAME_MAX];

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

/* ---- A frame ---- */

static void put16(uint32_t at, uint32_t value)
{
    bytes[at] = (uint8_t)(value >> 8);
    bytes[at + 1] = (uint8_t)value;
}

static uint32_t get16(const uint8_t *at)
{
    return at[0] * 256u + at[1];
}

static uint32_t get32(const uint8_t *at)
{
    return get16(at) << 16 | get16(at + 2);
}

/* The one's complement sum of RFC 1071, word by word. No way through it is of interest. */
__attribute__((no_sanitize("coverage"))) static uint32_t add(uint32_t sum, const uint8_t *at,
                                                             uint32_t count)
{
    for (uint32_t i = 0; i + 1 < count; i += 2) {
        sum += get16(at + i);
    }
    if (count % 2 != 0) {
        sum += at[count - 1] * 256u;
    }
    while (sum > 0xffff) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

static void build_ipv4(struct built *built, struct input *input)
{
    uint32_t ip = built->network;
    uint32_t length = 20 + 4 * (uint32_t)(take(input, 1) % 11);

    built->id = (uint16_t)take(input, 2);
    built->transport = ip + length;
    bytes[ip] = (uint8_t)(0x40 | length / 4);
    put16(ip + 4, built->id);
    put16(ip + 6, 0x4000);
    bytes[ip + 9] = built->udp ? PROTOCOL_UDP : PROTOCOL_TCP;
    built->sum = add(built->udp ? PROTOCOL_UDP : PROTOCOL_TCP, bytes + ip + 12, 8);
}

static void build_ipv6(struct built *built, struct input *input)
{
    static const uint8_t kinds[] = {0, 43, 60}; /* hop-by-hop, routing, destination options */
    uint32_t ip = built->network;
    uint32_t at = ip + 40;
    uint32_t next = ip + 6;

    bytes[ip] = 0x60;
    for (uint64_t left = take(input, 1) % 4; left > 0; left--) {
        uint8_t words = (uint8_t)(take(input, 1) % 3);

        bytes[next] = kinds[take(input, 1) % sizeof(kinds)];
        next = at;
        bytes[at + 1] = words;
        at += 8u * (words + 1u);
    }
    bytes[next] = built->udp ? PROTOCOL_UDP : PROTOCOL_TCP;
    built->transport = at;
    built->sum = add(built->udp ? PROTOCOL_UDP : PROTOCOL_TCP, bytes + ip + 8, 32);
}

/* Fill `bytes` and `header`. Returns the frame's length. */
static uint32_t build(struct built *built, struct virtio_net_hdr_v1 *header, struct input *input)
{
    static const uint16_t tags[] = {0x8100, 0x88a8};
    uint8_t mix = (uint8_t)take(input, 1);
    uint8_t seed = (uint8_t)take(input, 1);
    uint32_t transport;
    uint32_t length;

    memset(built, 0, sizeof(*built));
    built->ipv6 = mix & 1;
    built->udp = mix & 2;
    built->payload =
        (uint32_t)take(input, 2) % ((mix & 68) == 4 && seed % 16 == 0 ? PAYLOAD_MAX : 128u);
    memcpy(bytes, noise + seed, OFFLOAD_HEADERS_MAX + 256u + built->payload);
    built->network = NET_FRAME_MIN;
    for (unsigned left = (mix >> 3 & 3) % 3; left > 0; left--) {
        put16(built->network - 2, tags[take(input, 1) % 2]);
        built->network += 4;
    }
    put16(built->network - 2, built->ipv6 ? 0x86dd : 0x0800);
    if (built->ipv6) {
        build_ipv6(built, input);
    } else {
        build_ipv4(built, input);
    }
    transport = built->transport;
    length = built->udp ? 8 : 20 + 4 * (uint32_t)(take(input, 1) % 11);
    built->headers = transport + length;
    if (!built->udp) {
        built->sequence = get32(bytes + transport + 4);
        bytes[transport + 12] = (uint8_t)(length / 4 << 4);
        built->flags = bytes[transport + 13] = (uint8_t)take(input, 1);
    }
    length += built->payload;
    put16(transport + (built->udp ? 6 : 16), add(built->sum + length, NULL, 0));
    memset(header, 0, sizeof(*header));
    header->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    header->csum_start = (uint16_t)transport;
    header->csum_offset = built->udp ? 6 : 16;
    if (mix & 32) {
        header->gso_size = (uint16_t)(1 + built->payload / (mix & 64 ? 8 : 2100) +
                                      take(input, 2) % (mix & 64 ? 1460 : 64));
        header->hdr_len = (uint16_t)built->headers;
        header->gso_type = built->udp    ? VIRTIO_NET_HDR_GSO_UDP_L4
                           : built->ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6
                                         : VIRTIO_NET_HDR_GSO_TCPV4;
        if (!built->udp && mix & 128) {
            header->gso_type |= VIRTIO_NET_HDR_GSO_ECN;
        }
    }
    return built->headers + built->payload;
}

/* ---- What becomes of it ---- */

/* All but what counts from frame to frame is as the frame says it. */
static void check_ip(const struct built *built, const uint8_t *frame, uint32_t length,
                     uint32_t index)
{
    const uint8_t *ip = frame + built->network;

    if (built->ipv6) {
        require(get16(ip + 4) == length - built->network - 40);
        return;
    }
    require(get16(ip + 2) == length - built->network);
    require(get16(ip + 4) == (uint16_t)(built->id + index));
    require(add(0, ip, built->transport - built->network) == 0xffff);
}

static void check_tcp(const struct built *built, const uint8_t *frame, uint32_t done, uint32_t size)
{
    const uint8_t *tcp = frame + built->transport;
    uint8_t flags = built->flags;

    if (done != 0) {
        flags &= ~0x80; /* CWR: the first */
    }
    if (done + size < built->payload) {
        flags &= ~0x09; /* FIN and PSH: the last */
    }
    require(get32(tcp + 4) == built->sequence + done && tcp[13] == flags);
}

/*
 * The record with the frame's payload from `done` on. `cut`: it is one of several. Returns how many
 * bytes of payload it has.
 */
static uint32_t check_record(const struct built *built, const uint8_t *record, uint32_t length,
                             uint32_t done, uint32_t index, bool cut, bool complete)
{
    const uint8_t *frame = record + HEADER;
    const uint8_t *transport = frame + built->transport;
    uint32_t field = built->udp ? 6 : 16;
    uint32_t sum;
    uint32_t size;

    length -= HEADER;
    require(length >= built->headers && length - built->headers <= built->payload - done);
    size = length - built->headers;
    require(memcmp(frame + built->headers, bytes + built->headers + done, size) == 0);
    require(memcmp(frame, bytes, built->network) == 0);
    if (cut) {
        check_ip(built, frame, length, index);
        require(!built->udp || get16(transport + 4) == length - built->transport);
        if (!built->udp) {
            check_tcp(built, frame, done, size);
        }
    }
    sum = add(built->sum + length - built->transport, NULL, 0);
    if (complete) {
        require(get16(transport + field) != 0 || !built->udp);
        require(add(sum, transport, length - built->transport) == 0xffff);
    } else {
        require(get16(transport + field) % 0xffff == sum % 0xffff);
    }
    return size;
}

/* Whether a port that accepts this takes the frame as it was built. */
static bool taken(const struct built *built, uint8_t gso_type, uint32_t accepts)
{
    uint32_t needs = NET_PORT_CSUM;

    if (gso_type != VIRTIO_NET_HDR_GSO_NONE) {
        needs |= built->udp ? NET_PORT_USO : built->ipv6 ? NET_PORT_TSO6 : NET_PORT_TSO4;
    }
    if ((gso_type & VIRTIO_NET_HDR_GSO_ECN) != 0) {
        needs |= NET_PORT_ECN;
    }
    return (needs & accepts) == needs;
}

/* What a port gets: `built` is NULL of a frame that may be wrong. */
static void convert(const struct built *built, const struct virtio_net_hdr_v1 *header,
                    const uint8_t *frame, uint32_t length, uint32_t accepts)
{
    struct offload_plan plan;
    struct virtio_net_hdr_v1 says;
    uint32_t frames = 0;
    uint32_t done = 0;
    uint32_t max;
    uint8_t *record;
    const char *cause = offload_plan(&plan, header, frame, length, accepts);

    if (cause != NULL) {
        bool many = header->gso_size != 0 && length / header->gso_size >= OFFLOAD_FRAMES_MAX;
        bool deep = built != NULL && built->headers > OFFLOAD_HEADERS_MAX;

        require(built == NULL || many || deep);
        require(offload_record_max(&plan) == 0 && offload_next(&plan, bytes) == 0);
        return;
    }
    require(built == NULL ||
            offload_accepted(header, accepts) == taken(built, header->gso_type, accepts));
    require(header->gso_type == VIRTIO_NET_HDR_GSO_NONE ||
            (header->csum_start == plan.transport && header->csum_offset == plan.checksum));
    max = offload_record_max(&plan);
    record = malloc(max);
    while ((length = offload_record_max(&plan)) != 0) {
        require(length <= max && length >= HEADER + NET_FRAME_MIN);
        require(offload_next(&plan, record) == length);
        require(++frames <= OFFLOAD_FRAMES_MAX);
        memcpy(&says, record, HEADER);
        require(offload_check_header(&says, length - HEADER) == NULL);
        require(offload_accepted(&says, accepts));
        if (built != NULL) {
            done += check_record(built, record, length, done, frames - 1, header->gso_type != 0,
                                 (accepts & NET_PORT_CSUM) == 0);
        }
    }
    require(offload_next(&plan, record) == 0);
    require(built == NULL || done == built->payload);
    free(record);
}

__attribute__((constructor)) static void make_noise(void)
{
    for (uint32_t i = 0; i < sizeof(noise); i++) {
        noise[i] = (uint8_t)(i * 31 + i * i);
    }
}

/* Change some of a frame of `length` bytes, or of its header, and cut it off. Returns its length.
 */
static uint32_t spoil(struct virtio_net_hdr_v1 *header, uint32_t length, struct input *input)
{
    for (uint64_t left = 1 + take(input, 1) % 4; left > 0; left--) {
        uint32_t at = (uint32_t)take(input, 1);

        if (at < HEADER) {
            ((uint8_t *)header)[at] = (uint8_t)take(input, 1);
        } else {
            bytes[at - HEADER] = (uint8_t)take(input, 1);
        }
    }
    return length - (uint32_t)take(input, 2) % length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct virtio_net_hdr_v1 header;
    struct built built;
    uint32_t accepts = (uint32_t)take(&input, 1);
    uint8_t kind = (uint8_t)take(&input, 1);
    bool right = kind % 4 < 2;
    uint32_t length;
    uint8_t *frame;

    if (kind % 4 == 3) {
        for (unsigned i = 0; i < HEADER; i++) {
            ((uint8_t *)&header)[i] = (uint8_t)take(&input, 1);
        }
        length = input.left < FRAME_MAX ? (uint32_t)input.left : FRAME_MAX;
        memcpy(bytes, input.bytes, length);
    } else {
        length = build(&built, &header, &input);
    }
    if (kind % 4 == 2) {
        length = spoil(&header, length, &input);
    }
    /* Exactly as long as it is, so that a byte too many is seen. */
    frame = malloc(length);
    memcpy(frame, bytes, length);
    convert(right ? &built : NULL, &header, frame, length, accepts);
    if (right && header.gso_type == VIRTIO_NET_HDR_GSO_NONE) {
        offload_complete(&header, frame, length);
        require(add(add(built.sum + length - built.transport, NULL, 0), frame + built.transport,
                    length - built.transport) == 0xffff);
    }
    free(frame);
    return 0;
}
