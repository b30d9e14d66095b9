/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: switch/join.c lib/offload.c lib/checksum.c
 *
 * Frames from outside, which may continue one stream: as they are, and with checksums that make
 * them more likely to. What has been joined and is cut again must be the same frames, byte for
 * byte.
 */

#include <stdlib.h>
#include <string.h>
#include "input.h"
#include "lib/checksum.h"
#include "lib/offload.h"
#include "switch/join.h"

#define FRAMES 64u
#define ROOM   1600u
#define HEADER ((uint32_t)sizeof(struct virtio_net_hdr_v1))

static struct {
    uint8_t bytes[ROOM];
    uint32_t length;
    uint32_t payload;
} frames[FRAMES];

static uint8_t whole[NET_GSO_FRAME_MAX];
static uint8_t record[HEADER + ROOM];

static void put16(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static void put32(uint8_t *to, uint32_t value)
{
    put16(to, value >> 16);
    put16(to + 2, value & 0xffff);
}

/* A frame of a stream, and then what the input puts into it, with right checksums or as they are.
 */
static void make(struct input *input, uint8_t *frame, uint32_t *length, uint8_t kind,
                 uint32_t sequence, uint16_t id, uint32_t size)
{
    uint32_t network = (kind & 1) != 0 ? 18 : 14;
    bool ipv6 = (kind & 2) != 0;
    uint32_t transport = network + (ipv6 ? 40 : 20);
    uint32_t tcp = (kind & 4) != 0 ? 32 : 20;
    uint8_t *ip = frame + network;

    memset(frame, 0x11, ROOM);
    put16(frame + 12, 0x8100);
    put16(frame + network - 2, ipv6 ? 0x86dd : 0x0800);
    memset(ip, 0, transport - network);
    ip[0] = ipv6 ? 0x60 : 0x45;
    put16(ip + (ipv6 ? 4 : 2), tcp + size + (ipv6 ? 0 : 20));
    ip[ipv6 ? 6 : 9] = 6;
    if (!ipv6) {
        put16(ip + 4, id);
        ip[6] = (kind & 8) != 0 ? 0x40 : 0;
    }
    put32(frame + transport + 4, sequence);
    frame[transport + 12] = (uint8_t)(tcp << 2);
    frame[transport + 13] = 0x10;
    *length = transport + tcp + size;
    if (take(input, 1) % 4 == 0) { /* something of it is other than it should be */
        frame[take(input, 1)] = (uint8_t)take(input, 1);
        *length += (uint32_t)take(input, 1) % 4;
    }
    if (take(input, 1) % 8 == 0) {
        return;
    }
    if (!ipv6) {
        put16(ip + 10, 0);
        put16(ip + 10, ~checksum_sum(ip, 20));
    }
    put16(frame + transport + 16, 0);
    put16(frame + transport + 16, ~checksum_fold((uint64_t)6 + tcp + size +
                                                 checksum_sum(ip + (ipv6 ? 8 : 12), ipv6 ? 32 : 8) +
                                                 checksum_sum(frame + transport, tcp + size)));
}

/* The frames from `first` on have been joined, up to `end`. */
static void check(struct join *join, uint32_t first, uint32_t end)
{
    struct virtio_net_hdr_v1 net;
    struct offload_plan plan;
    uint32_t at;

    join_end(join, &net);
    at = join->headers_length;
    memcpy(whole, join->headers, at);
    for (uint32_t i = first; i < end; i++) {
        memcpy(whole + at, frames[i].bytes + join->headers_length, frames[i].payload);
        at += frames[i].payload;
    }
    if (at != join->headers_length + join->payload || offload_check_header(&net, at) != NULL ||
        offload_plan(&plan, &net, whole, at, NET_PORT_UP) != NULL) {
        abort();
    }
    for (uint32_t i = first; i < end; i++) {
        uint32_t expected = join->headers_length + frames[i].payload;
        uint32_t tcp = join->transport;

        if (offload_record_max(&plan) > sizeof(record) ||
            offload_next(&plan, record) != HEADER + expected) {
            abort();
        }
        if (join->id_stays) { /* they may be numbered: fragments are forbidden */
            memcpy(record + HEADER + join->network + 4, frames[i].bytes + join->network + 4, 2);
            memcpy(record + HEADER + join->network + 10, frames[i].bytes + join->network + 10, 2);
        }
        /* Of the two zeros a sender may have chosen the other one. */
        if (memcmp(frames[i].bytes + tcp + 16, "\377\377", 2) == 0 ||
            memcmp(frames[i].bytes + tcp + 16, "\0", 2) == 0) {
            memcpy(record + HEADER + tcp + 16, frames[i].bytes + tcp + 16, 2);
        }
        if (!join->ipv6 && memcmp(frames[i].bytes + join->network + 10, "\377\377", 2) == 0) {
            memset(record + HEADER + join->network + 10, 0xff, 2);
        }
        if (memcmp(record + HEADER, frames[i].bytes, expected) != 0) {
            abort();
        }
    }
    if (offload_next(&plan, record) != 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    uint8_t kind = (uint8_t)take(&input, 1);
    uint32_t sequence = (uint32_t)take(&input, 4);
    uint16_t id = (uint16_t)take(&input, 2);
    uint32_t segment = (uint32_t)take(&input, 2) % 1461;
    struct join join;
    uint32_t first = 0;
    bool open = false;

    for (uint32_t i = 0; i < FRAMES && input.left > 0; i++) {
        uint8_t *exact;

        make(&input, frames[i].bytes, &frames[i].length, kind, sequence, id, segment);
        sequence += segment;
        id += (kind & 16) != 0 ? 0 : 1;
        /* Memory of just that size, which the sanitizer watches. */
        exact = malloc(frames[i].length);
        memcpy(exact, frames[i].bytes, frames[i].length);
        frames[i].payload = open ? join_add(&join, exact, frames[i].length, false) : 0;
        if (frames[i].payload == 0) {
            if (open && i - first > 1) {
                check(&join, first, i);
            }
            first = i;
            open = join_begin(&join, frames[i].bytes, frames[i].length, false);
            frames[i].payload = open ? join.segment_size : 0;
        }
        free(exact);
    }
    return 0;
}
