/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: lib/offload.c lib/checksum.c
 *
 * Checksums and segmentation in software. The reference builds each expected frame from what it
 * says (addresses, flags, a piece of the payload) and sums it byte by byte; nothing is cut up
 * there.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/offload.h"

#define HEADER sizeof(struct virtio_net_hdr_v1)
#define ALL                                                                                        \
    (NET_PORT_UP | NET_PORT_CSUM | NET_PORT_TSO4 | NET_PORT_TSO6 | NET_PORT_ECN | NET_PORT_USO)

/* ---- The reference ---- */

/* What a frame says, but for its payload. */
struct packet {
    unsigned vlans; /* 0..2 tags */
    bool ipv6;
    bool udp;
    unsigned ip_options;  /* IPv4: bytes of options; IPv6: bytes of extension headers */
    unsigned tcp_options; /* bytes */
    uint32_t sequence;
    uint16_t id;
    uint8_t flags;
    uint8_t seed; /* of all that does not matter */
};

enum sum { SUM_PSEUDO, SUM_FULL };

struct frame {
    uint8_t *bytes;
    uint32_t length;
    uint32_t transport;
    uint32_t headers;
};

static uint32_t add_bytes(uint32_t sum, const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        sum += i % 2 == 0 ? bytes[i] * 256u : bytes[i];
        sum = sum % 65536 + sum / 65536;
    }
    return sum;
}

static void be16(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static void be32(uint8_t *to, uint32_t value)
{
    be16(to, value >> 16);
    be16(to + 2, value & 0xffff);
}

static void noise(uint8_t *to, uint32_t count, uint8_t seed)
{
    for (uint32_t i = 0; i < count; i++) {
        to[i] = (uint8_t)(seed + i * 31 + i * i);
    }
}

static uint32_t put_ipv4(const struct packet *p, uint8_t *ip, uint32_t transport_length)
{
    uint32_t length = 20 + p->ip_options;

    noise(ip, length, p->seed);
    ip[0] = (uint8_t)(0x40 | length / 4);
    be16(ip + 2, length + transport_length);
    be16(ip + 4, p->id);
    be16(ip + 6, 0x4000);
    ip[9] = p->udp ? 17 : 6;
    be16(ip + 10, 0);
    be16(ip + 10, 65535 - add_bytes(0, ip, length));
    return length;
}

static uint32_t put_ipv6(const struct packet *p, uint8_t *ip, uint32_t transport_length)
{
    uint8_t *next = ip + 6;
    uint32_t length = 40;

    noise(ip, length + p->ip_options, p->seed);
    ip[0] = 0x60;
    be16(ip + 4, p->ip_options + transport_length);
    while (length < 40 + p->ip_options) {
        *next = length == 40 ? 0 : 60; /* hop by hop, then destination options */
        next = ip + length;
        ip[length + 1] = 0; /* 8 bytes */
        length += 8;
    }
    *next = p->udp ? 17 : 6;
    return length;
}

static uint32_t pseudo_sum(const struct packet *p, const uint8_t *ip, uint32_t transport_length)
{
    uint8_t tail[4] = {0, p->udp ? 17 : 6};
    uint32_t sum = p->ipv6 ? add_bytes(0, ip + 8, 32) : add_bytes(0, ip + 12, 8);

    be16(tail + 2, transport_length);
    return add_bytes(sum, tail, 4);
}

/* On the heap, exactly as long as it is. */
static struct frame build(const struct packet *p, const uint8_t *payload, uint32_t count,
                          enum sum kind)
{
    static uint8_t bytes[70000];
    uint32_t at = 12, network, transport_header = p->udp ? 8 : 20 + p->tcp_options;
    uint32_t transport_length = transport_header + count;
    uint8_t *transport, *field;
    struct frame frame;
    uint32_t sum;

    noise(bytes, at, p->seed);
    for (unsigned i = 0; i < p->vlans; i++) {
        be16(bytes + at, i + 1 < p->vlans ? 0x88a8 : 0x8100);
        be16(bytes + at + 2, 5);
        at += 4;
    }
    be16(bytes + at, p->ipv6 ? 0x86dd : 0x0800);
    network = at + 2;
    frame.transport = network + (p->ipv6 ? put_ipv6(p, bytes + network, transport_length)
                                         : put_ipv4(p, bytes + network, transport_length));
    transport = bytes + frame.transport;
    noise(transport, transport_header, (uint8_t)(p->seed + 1));
    if (p->udp) {
        be16(transport + 4, transport_length);
        field = transport + 6;
    } else {
        be32(transport + 4, p->sequence);
        transport[12] = (uint8_t)(transport_header / 4 << 4);
        transport[13] = p->flags;
        field = transport + 16;
    }
    memcpy(transport + transport_header, payload, count);
    sum = pseudo_sum(p, bytes + network, transport_length);
    be16(field, 0);
    if (kind == SUM_FULL) {
        sum = 65535 - add_bytes(sum, transport, transport_length);
        sum = sum == 0 ? 65535 : sum;
    }
    be16(field, sum);
    frame.headers = frame.transport + transport_header;
    frame.length = frame.headers + count;
    frame.bytes = malloc(frame.length);
    memcpy(frame.bytes, bytes, frame.length);
    return frame;
}

static struct virtio_net_hdr_v1 header_of(const struct packet *p, const struct frame *frame,
                                          uint16_t size)
{
    struct virtio_net_hdr_v1 header = {
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .hdr_len = (uint16_t)frame->headers,
        .gso_size = size,
        .csum_start = (uint16_t)frame->transport,
        .csum_offset = p->udp ? 6 : 16,
    };

    header.gso_type = p->udp    ? VIRTIO_NET_HDR_GSO_UDP_L4
                      : p->ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6
                                : VIRTIO_NET_HDR_GSO_TCPV4;
    if (size == 0) {
        header.gso_type = VIRTIO_NET_HDR_GSO_NONE;
    }
    return header;
}

/* One sum may be 0 or 65535, which are the same number: only then frames may differ in it. */
static void expect_frame(const struct frame *expected, const uint8_t *got, uint32_t length,
                         uint32_t checksum)
{
    assert_int_equal(length, expected->length);
    if (got[checksum] == 0 && got[checksum + 1] == 0) {
        assert_int_equal(expected->bytes[checksum] * 256 + expected->bytes[checksum + 1], 65535);
        expected->bytes[checksum] = expected->bytes[checksum + 1] = 0;
    } else if (got[checksum] == 255 && got[checksum + 1] == 255 && expected->bytes[checksum] == 0 &&
               expected->bytes[checksum + 1] == 0) {
        expected->bytes[checksum] = expected->bytes[checksum + 1] = 255;
    }
    assert_memory_equal(got, expected->bytes, length);
}

/* ---- Good frames ---- */

static uint8_t payload[66000];

static int setup(void **state)
{
    (void)state;
    srand(3);
    for (unsigned i = 0; i < sizeof(payload); i++) {
        payload[i] = (uint8_t)rand();
    }
    return 0;
}

static void segment(const struct packet *whole, uint32_t count, uint16_t size, uint32_t accepts)
{
    struct frame large = build(whole, payload, count, SUM_PSEUDO);
    struct virtio_net_hdr_v1 header = header_of(whole, &large, size);
    struct packet part = *whole;
    struct offload_plan plan;
    uint32_t sent = 0;

    assert_null(offload_check_header(&header, large.length));
    assert_null(offload_plan(&plan, &header, large.bytes, large.length, accepts));
    do {
        uint32_t piece = count - sent < size ? count - sent : size;
        bool last = sent + piece == count;
        uint32_t room = offload_record_max(&plan);
        uint8_t *record = malloc(room);
        uint32_t length = offload_next(&plan, record);
        struct virtio_net_hdr_v1 expected = {0};
        struct frame frame;

        part.sequence = whole->sequence + sent;
        part.flags = whole->flags;
        if (!last) {
            part.flags &= (uint8_t)~0x09u;
        }
        if (sent > 0) {
            part.flags &= 0x7fu;
        }
        frame = build(&part, payload + sent, piece,
                      (accepts & NET_PORT_CSUM) != 0 ? SUM_PSEUDO : SUM_FULL);
        assert_true(length >= HEADER);
        assert_int_equal(length, room);
        if ((accepts & NET_PORT_CSUM) != 0) {
            expected.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
            expected.csum_start = header.csum_start;
            expected.csum_offset = header.csum_offset;
        }
        assert_memory_equal(record, &expected, HEADER);
        expect_frame(&frame, record + HEADER, length - HEADER,
                     header.csum_start + header.csum_offset);
        part.id++;
        sent += piece;
        free(frame.bytes);
        free(record);
    } while (sent < count);
    uint8_t none[1];
    assert_int_equal(offload_record_max(&plan), 0);
    assert_int_equal(offload_next(&plan, none), 0);
    assert_int_equal(offload_next(&plan, none), 0);
    free(large.bytes);
}

static struct packet random_packet(void)
{
    struct packet p = {
        .vlans = (unsigned)rand() % 3,
        .ipv6 = rand() % 2 != 0,
        .udp = rand() % 3 == 0,
        .tcp_options = 4u * (unsigned)(rand() % 11),
        .sequence = rand() % 2 ? 0xfffffff0u : (uint32_t)rand() * 2u,
        .id = rand() % 2 ? 0xfffe : (uint16_t)rand(),
        .flags = (uint8_t)rand(),
        .seed = (uint8_t)rand(),
    };

    p.ip_options = p.ipv6 ? 8u * (unsigned)(rand() % 5) : 4u * (unsigned)(rand() % 11);
    return p;
}

static void test_random_segments(void **state)
{
    (void)state;
    for (int round = 0; round < 3000; round++) {
        struct packet p = random_packet();
        uint16_t size = (uint16_t)(40 + rand() % 1460);
        uint32_t count = (uint32_t)rand() % (rand() % 20 == 0 ? 64000 : 5000);

        segment(&p, count, size, rand() % 2 ? NET_PORT_UP : NET_PORT_UP | NET_PORT_CSUM);
    }
}

static void test_edges(void **state)
{
    (void)state;
    const struct packet p = {.flags = 0x99, .sequence = 1};

    segment(&p, 0, 1000, 0);
    segment(&p, 1, 1000, 0);
    segment(&p, 999, 1000, 0);
    segment(&p, 1000, 1000, 0);
    segment(&p, 1001, 1000, 0);
    segment(&p, 2000, 1000, 0);
    segment(&p, 65535 - 40, 1448, 0); /* as large as IP can be */
    segment(&p, 65535 - 40, 32 + 1, 0);
    segment(&p, 65535 - 40, 65535, 0);
}

static void test_random_checksums(void **state)
{
    (void)state;
    for (int round = 0; round < 3000; round++) {
        struct packet p = random_packet();
        uint32_t count = (uint32_t)rand() % 1400;
        struct frame partial = build(&p, payload + round, count, SUM_PSEUDO);
        struct frame full = build(&p, payload + round, count, SUM_FULL);
        struct virtio_net_hdr_v1 header = header_of(&p, &partial, 0);
        struct offload_plan plan;
        uint8_t *record;

        header.hdr_len = (uint16_t)rand(); /* says nothing without segmentation */
        assert_null(offload_plan(&plan, &header, partial.bytes, partial.length, NET_PORT_UP));
        assert_int_equal(offload_record_max(&plan), HEADER + partial.length);
        record = malloc(HEADER + partial.length);
        assert_int_equal(offload_next(&plan, record), HEADER + partial.length);
        assert_memory_equal(record, &(struct virtio_net_hdr_v1){0}, HEADER);
        expect_frame(&full, record + HEADER, full.length, header.csum_start + header.csum_offset);
        assert_int_equal(offload_next(&plan, record), 0);
        free(record);
        free(partial.bytes);
        free(full.bytes);
    }
}

/* All that lies behind csum_start is summed, whatever it is. */
static void test_checksum_anywhere(void **state)
{
    (void)state;
    for (int round = 0; round < 3000; round++) {
        uint32_t length = 16 + (uint32_t)rand() % 600;
        struct virtio_net_hdr_v1 header = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM};
        uint8_t *frame = malloc(length), *record = malloc(HEADER + length);
        struct offload_plan plan;
        uint32_t sum;

        header.csum_start = (uint16_t)(14 + (uint32_t)rand() % (length - 15));
        header.csum_offset = (uint16_t)((uint32_t)rand() % (length - header.csum_start - 1));
        memcpy(frame, payload + round, length);
        assert_null(offload_plan(&plan, &header, frame, length, 0));
        assert_int_equal(offload_next(&plan, record), HEADER + length);
        sum = 65535 - add_bytes(0, frame + header.csum_start, length - header.csum_start);
        be16(frame + header.csum_start + header.csum_offset, sum == 0 ? 65535 : sum);
        assert_memory_equal(record + HEADER, frame, length);
        free(frame);
        free(record);
    }
}

/* UDP's 0 means that there is no checksum, so a sum of 0 is sent as its other form. */
static void test_zero_sum(void **state)
{
    (void)state;
    struct virtio_net_hdr_v1 header = {
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34, .csum_offset = 6};
    uint8_t frame[60] = {0}, record[HEADER + 60];
    struct offload_plan plan;

    be16(frame + 40, 0xffff); /* the pseudo-header; all else is 0 */
    assert_null(offload_plan(&plan, &header, frame, sizeof(frame), 0));
    assert_int_equal(offload_next(&plan, record), sizeof(record));
    assert_int_equal(record[HEADER + 40], 0xff);
    assert_int_equal(record[HEADER + 41], 0xff);
}

static void test_nothing_to_do(void **state)
{
    (void)state;
    struct virtio_net_hdr_v1 header = {.flags = VIRTIO_NET_HDR_F_DATA_VALID};
    uint8_t record[HEADER + 100];
    struct offload_plan plan;

    assert_true(offload_accepted(&header, 0));
    assert_null(offload_plan(&plan, &header, payload, 100, ALL));
    assert_int_equal(offload_next(&plan, record), sizeof(record));
    assert_memory_equal(record + HEADER, payload, 100);
    assert_int_equal(offload_next(&plan, record), 0);
}

static void test_accepted(void **state)
{
    (void)state;
    const struct {
        uint8_t flags, gso_type;
        uint32_t needs;
    } cases[] = {
        {0, 0, 0},
        {1, 0, NET_PORT_CSUM},
        {1, VIRTIO_NET_HDR_GSO_TCPV4, NET_PORT_CSUM | NET_PORT_TSO4},
        {1, VIRTIO_NET_HDR_GSO_TCPV6, NET_PORT_CSUM | NET_PORT_TSO6},
        {1, VIRTIO_NET_HDR_GSO_UDP_L4, NET_PORT_CSUM | NET_PORT_USO},
        {1, VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN,
         NET_PORT_CSUM | NET_PORT_TSO4 | NET_PORT_ECN},
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct virtio_net_hdr_v1 header = {.flags = cases[i].flags, .gso_type = cases[i].gso_type};

        for (uint32_t accepts = 0; accepts < 128; accepts++) {
            assert_int_equal(offload_accepted(&header, accepts),
                             (accepts & cases[i].needs) == cases[i].needs);
        }
    }
}

/* ---- Bad ones ---- */

static void expect_refused(const struct virtio_net_hdr_v1 *header, const uint8_t *frame,
                           uint32_t length, const char *part_of_cause)
{
    uint8_t *exact = malloc(length);
    struct offload_plan plan;
    uint8_t none[1];
    const char *cause;

    memcpy(exact, frame, length);
    cause = offload_plan(&plan, header, exact, length, 0);
    assert_non_null(cause);
    if (strstr(cause, part_of_cause) == NULL) {
        fail_msg("cause is '%s', not '%s'", cause, part_of_cause);
    }
    assert_int_equal(offload_next(&plan, none), 0);
    free(exact);
}

static void test_bad_headers(void **state)
{
    (void)state;
    const struct packet p = {0};
    struct frame frame = build(&p, payload, 3000, SUM_PSEUDO);
    const struct virtio_net_hdr_v1 good = header_of(&p, &frame, 1000);
    struct virtio_net_hdr_v1 bad;

    expect_refused(&good, frame.bytes, 13, "shorter");
    expect_refused(&good, payload, NET_GSO_FRAME_MAX + 1, "longer than any");
    bad = good;
    bad.flags = 0;
    expect_refused(&bad, frame.bytes, frame.length, "without a partial checksum");
    bad = good;
    bad.gso_size = 0;
    expect_refused(&bad, frame.bytes, frame.length, "size 0");
    bad.gso_size = 1;
    expect_refused(&bad, frame.bytes, frame.length, "too many");
    bad = good;
    bad.hdr_len = (uint16_t)(frame.length + 1);
    expect_refused(&bad, frame.bytes, frame.length, "headers longer");
    bad.hdr_len = 0xffff;
    expect_refused(&bad, frame.bytes, frame.length, "headers longer");
    bad = good;
    bad.hdr_len = 0xffff - 4; /* in a frame that is so long */
    assert_null(offload_check_header(&bad, NET_GSO_FRAME_MAX));
    for (uint32_t length = 0xffff - 3; length <= 0xffff; length++) { /* 16 bits, with a VLAN tag */
        bad.hdr_len = (uint16_t)length;
        assert_non_null(offload_check_header(&bad, NET_GSO_FRAME_MAX));
    }
    bad = good;
    bad.csum_offset = 0;
    bad.csum_start = 0xffff - 4;
    assert_null(offload_check_header(&bad, NET_GSO_FRAME_MAX));
    for (uint32_t start = 0xffff - 3; start <= 0xffff; start++) {
        bad.csum_start = (uint16_t)start;
        assert_non_null(offload_check_header(&bad, NET_GSO_FRAME_MAX));
    }
    bad = good;
    bad.hdr_len = 0; /* a lie that costs nothing */
    segment(&p, 3000, 1000, 0);
    for (unsigned type = 0; type < 256; type++) {
        bad = good;
        bad.gso_type = (uint8_t)type;
        switch (type) {
        case VIRTIO_NET_HDR_GSO_NONE:
        case VIRTIO_NET_HDR_GSO_TCPV4:
        case VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN:
            break;
        case VIRTIO_NET_HDR_GSO_TCPV6:
        case VIRTIO_NET_HDR_GSO_TCPV6 | VIRTIO_NET_HDR_GSO_ECN:
        case VIRTIO_NET_HDR_GSO_UDP_L4:
            expect_refused(&bad, frame.bytes, frame.length, "another protocol");
            break;
        default:
            expect_refused(&bad, frame.bytes, frame.length, "unknown kind");
        }
    }
    const uint32_t starts[] = {0, 13, 33, 35, 54, 3000, 0xfffe, 0xffff};
    for (unsigned i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        bad = good;
        bad.csum_start = (uint16_t)starts[i];
        expect_refused(&bad, frame.bytes, frame.length, "checksum");
    }
    bad = good;
    bad.csum_offset = 6;
    expect_refused(&bad, frame.bytes, frame.length, "checksum elsewhere");
    bad.csum_offset = 0xffff;
    expect_refused(&bad, frame.bytes, frame.length, "checksum outside");

    /* Without segmentation only the field's place counts. */
    bad = good;
    bad.gso_type = 0;
    bad.csum_start = (uint16_t)(frame.length - 2);
    bad.csum_offset = 1;
    expect_refused(&bad, frame.bytes, frame.length, "checksum outside");
    free(frame.bytes);
}

/* Change one byte of a good frame's headers and see it refused. */
static void expect_byte_refused(struct packet p, uint32_t at, uint8_t value,
                                const char *part_of_cause)
{
    struct frame frame = build(&p, payload, 3000, SUM_PSEUDO);
    struct virtio_net_hdr_v1 header = header_of(&p, &frame, 1000);

    frame.bytes[at] = value;
    expect_refused(&header, frame.bytes, frame.length, part_of_cause);
    free(frame.bytes);
}

static void test_bad_frames(void **state)
{
    (void)state;
    const struct packet v4 = {0}, v6 = {.ipv6 = true}, udp = {.udp = true};
    const struct packet extended = {.ipv6 = true, .ip_options = 8};

    expect_byte_refused(v4, 12, 0x86, "another protocol");
    expect_byte_refused(v4, 13, 0x06, "another protocol"); /* ARP */
    expect_byte_refused(v4, 14, 0x44, "IPv4");
    expect_byte_refused(v4, 14, 0x55, "IPv4");
    expect_byte_refused(v4, 14, 0x46, "checksum elsewhere");
    expect_byte_refused(v4, 20, 0x20, "fragment");
    expect_byte_refused(v4, 21, 0x01, "fragment");
    expect_byte_refused(v4, 23, 17, "another protocol");
    expect_byte_refused(v4, 46, 0x40, "TCP");
    expect_byte_refused(v6, 14, 0x40, "IPv6");
    expect_byte_refused(v6, 20, 17, "another protocol");
    expect_byte_refused(v6, 20, 44, "another protocol"); /* a fragment */
    expect_byte_refused(v6, 20, 0, "IPv6 extension");    /* extension headers that never end */
    expect_byte_refused(extended, 55, 255, "IPv6 extension");
    expect_byte_refused(extended, 54, 60, "IPv6 extension");
    expect_byte_refused(udp, 23, 6, "another protocol");

    /* Longer than IP can say: the lengths in its frames would be wrong. */
    struct frame frame = build(&v4, payload, 65535 - 40 + 4, SUM_PSEUDO);
    struct virtio_net_hdr_v1 header = header_of(&v4, &frame, 1400);
    expect_refused(&header, frame.bytes, frame.length, "IP packet longer");
    free(frame.bytes);
}

/* Every frame cut off anywhere in its headers; the sanitizer watches what is read. */
static void test_truncated_frames(void **state)
{
    (void)state;
    for (int round = 0; round < 60; round++) {
        struct packet p = random_packet();
        struct frame frame = build(&p, payload, 3000, SUM_PSEUDO);
        struct virtio_net_hdr_v1 header = header_of(&p, &frame, 1000);

        header.hdr_len = 0;
        for (uint32_t length = 1; length < frame.headers; length++) {
            expect_refused(&header, frame.bytes, length, "");
        }
        free(frame.bytes);
    }
}

static void test_noise(void **state)
{
    (void)state;
    unsigned planned = 0;

    for (int round = 0; round < 100000; round++) {
        struct packet p = random_packet();
        struct frame frame = build(&p, payload, (uint32_t)rand() % 500, SUM_PSEUDO);
        struct virtio_net_hdr_v1 header = header_of(&p, &frame, (uint16_t)(rand() % 300));
        struct offload_plan plan;

        for (int i = rand() % 4; i > 0; i--) {
            frame.bytes[(uint32_t)rand() % frame.headers] = (uint8_t)rand();
        }
        if (rand() % 4 == 0) {
            ((uint8_t *)&header)[rand() % HEADER] = (uint8_t)rand();
        }
        if (offload_plan(&plan, &header, frame.bytes, frame.length, (uint32_t)rand() & ALL) ==
            NULL) {
            uint32_t max = offload_record_max(&plan);
            uint8_t *record = malloc(max);
            uint32_t frames = 0, next;

            while ((next = offload_record_max(&plan)) != 0) {
                assert_in_range(next, HEADER + NET_FRAME_MIN, max);
                assert_int_equal(offload_next(&plan, record), next);
                frames++;
            }
            assert_int_equal(offload_next(&plan, record), 0);
            assert_in_range(frames, 1, OFFLOAD_FRAMES_MAX);
            planned++;
            free(record);
        }
        free(frame.bytes);
    }
    assert_in_range(planned, 10000, 100000);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_random_segments),   TEST(test_edges),       TEST(test_random_checksums),
        TEST(test_checksum_anywhere), TEST(test_zero_sum),    TEST(test_nothing_to_do),
        TEST(test_accepted),          TEST(test_bad_headers), TEST(test_bad_frames),
        TEST(test_truncated_frames),  TEST(test_noise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
