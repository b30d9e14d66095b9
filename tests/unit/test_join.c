/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: switch/join.c lib/offload.c lib/checksum.c
 *
 * Segments of a TCP stream joined. The reference makes each frame from what it says and sums it
 * byte by byte. A run that has been joined is cut again by lib/offload.c, and must give the same
 * frames.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/offload.h"
#include "switch/join.h"

#define HEADER sizeof(struct virtio_net_hdr_v1)
#define FRAMES 64u
#define FIN    0x01
#define SYN    0x02
#define RST    0x04
#define PSH    0x08
#define ACK    0x10
#define URG    0x20
#define ECE    0x40
#define CWR    0x80

/* What a frame says. */
struct packet {
    bool tagged;
    bool ipv6;
    bool dont_fragment;
    unsigned tcp_options; /* bytes */
    unsigned padding;     /* bytes behind the packet */
    uint32_t sequence;
    uint32_t acknowledges;
    uint16_t id;
    uint16_t window;
    uint8_t tos;
    uint8_t ttl;
    uint8_t flags;
    uint8_t option; /* their content */
    uint32_t size;  /* bytes of payload */
};

struct frame {
    uint8_t bytes[2048];
    uint32_t length;
    uint32_t network;
    uint32_t transport;
    uint32_t headers;
};

static struct frame frames[FRAMES];

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

/* The byte of the stream at a sequence number. */
static uint8_t stream(uint32_t sequence)
{
    return (uint8_t)(sequence * 2654435761u >> 24);
}

static void sum_tcp(struct frame *frame, bool ipv6)
{
    uint8_t *ip = frame->bytes + frame->network;
    uint8_t *tcp = frame->bytes + frame->transport;
    uint32_t length = ipv6 ? (uint32_t)(ip[4] << 8 | ip[5]) : (uint32_t)(ip[2] << 8 | ip[3]) - 20;
    uint32_t sum = 6 + length;

    be16(tcp + 16, 0);
    sum = ipv6 ? add_bytes(sum, ip + 8, 32) : add_bytes(sum, ip + 12, 8);
    be16(tcp + 16, ~add_bytes(sum, tcp, length));
}

static void sum_ip(struct frame *frame)
{
    uint8_t *ip = frame->bytes + frame->network;

    be16(ip + 10, 0);
    be16(ip + 10, ~add_bytes(0, ip, 20));
}

static void put_ip(struct frame *frame, const struct packet *p, uint32_t length)
{
    uint8_t *ip = frame->bytes + frame->network;

    if (p->ipv6) {
        be32(ip, 0x60000000u | (uint32_t)p->tos << 20 | 0x12345);
        be16(ip + 4, length);
        ip[6] = 6;
        ip[7] = p->ttl;
        for (unsigned i = 8; i < 40; i++) {
            ip[i] = (uint8_t)(i * 7);
        }
        return;
    }
    ip[0] = 0x45;
    ip[1] = p->tos;
    be16(ip + 2, 20 + length);
    be16(ip + 4, p->id);
    be16(ip + 6, p->dont_fragment ? 0x4000 : 0);
    ip[8] = p->ttl;
    ip[9] = 6;
    be32(ip + 12, 0x0a000202);
    be32(ip + 16, 0x0a00020f);
    sum_ip(frame);
}

static void make(struct frame *frame, const struct packet *p)
{
    uint8_t *tcp;

    memset(frame, 0, sizeof(*frame));
    memcpy(frame->bytes, "\x52\x54\0\0\0\1\x52\x54\0\0\0\2", 12);
    frame->network = 14;
    if (p->tagged) {
        be16(frame->bytes + 12, 0x8100);
        be16(frame->bytes + 14, 0x2064);
        frame->network = 18;
    }
    be16(frame->bytes + frame->network - 2, p->ipv6 ? 0x86dd : 0x0800);
    frame->transport = frame->network + (p->ipv6 ? 40 : 20);
    frame->headers = frame->transport + 20 + p->tcp_options;
    put_ip(frame, p, 20 + p->tcp_options + p->size);
    tcp = frame->bytes + frame->transport;
    be16(tcp, 443);
    be16(tcp + 2, 50000);
    be32(tcp + 4, p->sequence);
    be32(tcp + 8, p->acknowledges);
    tcp[12] = (uint8_t)((20 + p->tcp_options) / 4 << 4);
    tcp[13] = p->flags;
    be16(tcp + 14, p->window);
    memset(tcp + 20, p->option, p->tcp_options);
    for (uint32_t i = 0; i < p->size; i++) {
        frame->bytes[frame->headers + i] = stream(p->sequence + i);
    }
    sum_tcp(frame, p->ipv6);
    frame->length = frame->headers + p->size;
    memset(frame->bytes + frame->length, 0xee, p->padding);
    frame->length += p->padding;
}

static struct packet first_packet(void)
{
    return (struct packet){.sequence = 0xfffff000,
                           .acknowledges = 7,
                           .id = 0xfffe,
                           .window = 800,
                           .ttl = 64,
                           .flags = ACK,
                           .option = 1,
                           .size = 1000};
}

/* The next packet of the stream. */
static void advance(struct packet *p)
{
    p->sequence += p->size;
    p->id++;
}

static uint32_t add(struct join *join, const struct frame *frame)
{
    return join_add(join, frame->bytes, frame->length, false);
}

/* ---- Runs, and what is cut from them ---- */

/* The whole of frames[0 .. count-1], which have been joined. Returns its length. */
static uint32_t assemble(struct join *join, uint8_t *whole, const uint32_t *payloads,
                         uint32_t count, struct virtio_net_hdr_v1 *net)
{
    uint32_t at;

    join_end(join, net);
    at = join->headers_length;
    memcpy(whole, join->headers, at);
    for (uint32_t i = 0; i < count; i++) {
        memcpy(whole + at, frames[i].bytes + join->headers_length, payloads[i]);
        at += payloads[i];
    }
    assert_int_equal(at, join->headers_length + join->payload);
    return at;
}

/* Cut a run again: frames[0 .. count-1], apart from their padding. */
static void check_cut(const struct virtio_net_hdr_v1 *net, const uint8_t *whole, uint32_t length,
                      const uint32_t *payloads, uint32_t count)
{
    static uint8_t record[4096];
    struct offload_plan plan;

    assert_null(offload_check_header(net, length));
    assert_null(offload_plan(&plan, net, whole, length, NET_PORT_UP));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t expected = frames[i].headers + payloads[i];

        assert_true(offload_record_max(&plan) <= sizeof(record));
        assert_int_equal(offload_next(&plan, record), HEADER + expected);
        assert_memory_equal(record + HEADER, frames[i].bytes, expected);
    }
    assert_int_equal(offload_next(&plan, record), 0);
}

static void check_run(struct packet p, uint32_t count, uint32_t last, uint8_t last_flags,
                      bool verified)
{
    static uint8_t whole[NET_GSO_FRAME_MAX];
    uint32_t payloads[FRAMES] = {p.size};
    struct virtio_net_hdr_v1 net;
    struct join join;
    uint32_t length;

    make(&frames[0], &p);
    assert_true(join_begin(&join, frames[0].bytes, frames[0].length, verified));
    for (uint32_t i = 1; i < count; i++) {
        advance(&p);
        if (i == count - 1) {
            p.size = last;
            p.flags |= last_flags;
        }
        make(&frames[i], &p);
        payloads[i] = join_add(&join, frames[i].bytes, frames[i].length, verified);
        assert_int_equal(payloads[i], p.size);
    }
    length = assemble(&join, whole, payloads, count, &net);
    assert_int_equal(net.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
    assert_int_equal(net.gso_type, p.ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4);
    assert_int_equal(net.gso_size, payloads[0]);
    assert_int_equal(net.hdr_len, frames[0].headers);
    assert_int_equal(net.csum_start, frames[0].transport);
    assert_int_equal(net.csum_offset, 16);
    check_cut(&net, whole, length, payloads, count);
}

static void test_runs(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 32; bits++) {
        struct packet p = first_packet();

        p.tagged = (bits & 1) != 0;
        p.ipv6 = (bits & 2) != 0;
        p.dont_fragment = (bits & 4) != 0;
        p.tcp_options = (bits & 8) != 0 ? 40 : 12;
        check_run(p, 2, 1000, 0, (bits & 16) != 0);
        check_run(p, 2, 1, PSH, (bits & 16) != 0);
        check_run(p, 40, 999, FIN | PSH, (bits & 16) != 0);
    }
}

/* All of the same identification, which a sender may do that forbids fragments. */
static void test_same_id(void **state)
{
    (void)state;
    struct packet p = first_packet();
    struct join join;

    p.dont_fragment = true;
    make(&frames[0], &p);
    assert_true(join_begin(&join, frames[0].bytes, frames[0].length, false));
    for (unsigned i = 1; i < 5; i++) {
        p.sequence += p.size;
        make(&frames[i], &p);
        assert_int_equal(add(&join, &frames[i]), 1000);
    }
    advance(&p); /* and now another one */
    make(&frames[5], &p);
    assert_int_equal(add(&join, &frames[5]), 0);

    p = first_packet();
    make(&frames[0], &p);
    assert_true(join_begin(&join, frames[0].bytes, frames[0].length, false));
    p.sequence += p.size;
    make(&frames[1], &p); /* a fragment could be put together with those of another one */
    assert_int_equal(add(&join, &frames[1]), 0);
}

/* A packet is no longer than its length can say. */
static void test_longest(void **state)
{
    (void)state;
    for (int ipv6 = 0; ipv6 < 2; ipv6++) {
        struct packet p = first_packet();
        struct join join;
        uint32_t total = 1400;
        unsigned i;

        p.ipv6 = ipv6 != 0;
        p.size = 1400;
        make(&frames[0], &p);
        assert_true(join_begin(&join, frames[0].bytes, frames[0].length, false));
        for (i = 1; i < FRAMES; i++) {
            advance(&p);
            make(&frames[i], &p);
            if (add(&join, &frames[i]) == 0) {
                break;
            }
            total += 1400;
        }
        assert_int_equal(i, 46);
        assert_int_equal(join.payload, total);
        assert_true(join.headers_length - join.network + total <= UINT16_MAX);
        assert_true(join.headers_length - join.network + total + 1400 > UINT16_MAX);
    }
}

/* ---- What is not joined ---- */

/* Joins what `change` makes of the second frame to the first, then the third to both. */
static uint32_t second(struct packet p, void (*change)(struct packet *p),
                       void (*damage)(struct frame *frame))
{
    struct join join;
    uint32_t joined;

    make(&frames[0], &p);
    assert_true(join_begin(&join, frames[0].bytes, frames[0].length, false));
    advance(&p);
    make(&frames[2], &p);
    if (change != NULL) {
        change(&p);
    }
    make(&frames[1], &p);
    if (damage != NULL) {
        damage(&frames[1]);
    }
    joined = add(&join, &frames[1]);
    if (joined == 0) {
        assert_int_equal(join.payload, frames[0].length - frames[0].headers);
        assert_int_equal(add(&join, &frames[2]), 0); /* nothing overtakes it */
    }
    return joined;
}

static void change_gap(struct packet *p)
{
    p->sequence++;
}
static void change_again(struct packet *p)
{
    p->sequence -= p->size;
}
static void change_acknowledges(struct packet *p)
{
    p->acknowledges++;
}
static void change_window(struct packet *p)
{
    p->window++;
}
static void change_tos(struct packet *p)
{
    p->tos = 4;
}
static void change_congestion(struct packet *p)
{
    p->tos = 3;
}
static void change_ttl(struct packet *p)
{
    p->ttl--;
}
static void change_option(struct packet *p)
{
    p->option++;
}
static void change_options(struct packet *p)
{
    p->tcp_options += 4;
}
static void change_longer(struct packet *p)
{
    p->size++;
}
static void change_empty(struct packet *p)
{
    p->size = 0;
}
static void change_tag(struct packet *p)
{
    p->tagged = !p->tagged;
}
static void change_family(struct packet *p)
{
    p->ipv6 = !p->ipv6;
}
static void change_syn(struct packet *p)
{
    p->flags |= SYN;
}
static void change_rst(struct packet *p)
{
    p->flags |= RST;
}
static void change_urg(struct packet *p)
{
    p->flags |= URG;
}
static void change_ece(struct packet *p)
{
    p->flags |= ECE;
}
static void change_cwr(struct packet *p)
{
    p->flags |= CWR;
}
static void change_no_ack(struct packet *p)
{
    p->flags = 0;
}
static void change_padding(struct packet *p)
{
    p->padding = 9;
}

static void test_differences(void **state)
{
    (void)state;
    static void (*const changes[])(struct packet * p) = {
        change_gap,        change_again, change_acknowledges, change_window,  change_tos,
        change_congestion, change_ttl,   change_option,       change_options, change_longer,
        change_empty,      change_tag,   change_family,       change_syn,     change_rst,
        change_urg,        change_ece,   change_cwr,          change_no_ack,
    };

    for (int ipv6 = 0; ipv6 < 2; ipv6++) {
        struct packet p = first_packet();

        p.ipv6 = ipv6 != 0;
        p.tcp_options = 12;
        assert_int_equal(second(p, NULL, NULL), 1000);
        assert_int_equal(second(p, change_padding, NULL), 1000);
        for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
            assert_int_equal(second(p, changes[i], NULL), 0);
        }
    }
}

static void change_id(struct packet *p)
{
    p->id++;
}
static void change_dont_fragment(struct packet *p)
{
    p->dont_fragment = true;
}

static void test_ipv4_differences(void **state)
{
    (void)state;
    assert_int_equal(second(first_packet(), change_id, NULL), 0);
    assert_int_equal(second(first_packet(), change_dont_fragment, NULL), 0);
}

static void damage_payload(struct frame *frame)
{
    frame->bytes[frame->headers + 500] ^= 1;
}
static void damage_checksum(struct frame *frame)
{
    frame->bytes[frame->transport + 16] ^= 1;
}
static void damage_destination(struct frame *frame)
{
    frame->bytes[5]++;
}
static void damage_end(struct frame *frame)
{
    frame->length--;
}
static void damage_all(struct frame *frame)
{
    frame->length = 10;
}

static void damage_port(struct frame *frame)
{
    frame->bytes[frame->transport + 1]++;
    sum_tcp(frame, frame->bytes[frame->network] == 0x60);
}

static void test_damage(void **state)
{
    (void)state;
    static void (*const damages[])(struct frame * frame) = {
        damage_payload, damage_checksum, damage_destination, damage_end, damage_all, damage_port,
    };

    for (int ipv6 = 0; ipv6 < 2; ipv6++) {
        struct packet p = first_packet();

        p.ipv6 = ipv6 != 0;
        for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
            assert_int_equal(second(p, NULL, damages[i]), 0);
        }
    }
}

static void damage_ip(struct frame *frame)
{
    frame->bytes[frame->network + 11] ^= 1;
}

static void damage_total(struct frame *frame)
{
    be16(frame->bytes + frame->network + 2, 30);
    sum_ip(frame);
}

static void test_ipv4_damage(void **state)
{
    (void)state;
    assert_int_equal(second(first_packet(), NULL, damage_ip), 0);
    assert_int_equal(second(first_packet(), NULL, damage_total), 0);
}

/* A wrong checksum in the first frame is found when the second comes. */
static void test_first_is_checked(void **state)
{
    (void)state;
    struct packet p = first_packet();
    struct join join;

    make(&frames[0], &p);
    damage_payload(&frames[0]);
    advance(&p);
    make(&frames[1], &p);
    assert_true(join_begin(&join, frames[0].bytes, frames[0].length, false));
    assert_int_equal(join_add(&join, frames[1].bytes, frames[1].length, true), 0);
}

/* Nothing follows a last frame. */
static void test_ended(void **state)
{
    (void)state;
    static const struct {
        uint32_t size;
        uint8_t flags;
    } lasts[] = {{999, ACK}, {1000, ACK | PSH}, {1000, ACK | FIN}};

    for (size_t i = 0; i < sizeof(lasts) / sizeof(lasts[0]); i++) {
        struct packet p = first_packet();
        struct join join;

        make(&frames[0], &p);
        assert_true(join_begin(&join, frames[0].bytes, frames[0].length, false));
        advance(&p);
        p.size = lasts[i].size;
        p.flags = lasts[i].flags;
        make(&frames[1], &p);
        assert_int_equal(add(&join, &frames[1]), p.size);
        advance(&p);
        p.flags = ACK;
        make(&frames[2], &p);
        assert_int_equal(add(&join, &frames[2]), 0);
    }
}

static bool begins(const struct frame *frame)
{
    struct join join;

    return join_begin(&join, frame->bytes, frame->length, false);
}

/* What begins no run. */
static void test_beginnings(void **state)
{
    (void)state;
    static const uint8_t flags[] = {0,         ACK | SYN, ACK | FIN, ACK | RST,
                                    ACK | PSH, ACK | URG, ACK | ECE, ACK | CWR};
    struct packet p = first_packet();
    struct frame frame;

    for (size_t i = 0; i < sizeof(flags); i++) {
        p.flags = flags[i];
        make(&frame, &p);
        assert_false(begins(&frame));
    }
    p = first_packet();
    p.size = 0;
    make(&frame, &p);
    assert_false(begins(&frame));
    for (unsigned i = 0; i < 4; i++) { /* options, a fragment, its last one, another protocol */
        static const uint8_t at[] = {0, 6, 7, 9};
        static const uint8_t value[] = {0x46, 0x20, 0x01, 17};

        p = first_packet();
        make(&frame, &p);
        frame.bytes[frame.network + at[i]] = value[i];
        sum_ip(&frame);
        assert_false(begins(&frame));
    }
    p = first_packet();
    make(&frame, &p);
    frame.bytes[frame.transport + 12] = 0x40; /* a TCP header that is too short */
    assert_false(begins(&frame));
    make(&frame, &p);
    be16(frame.bytes + 12, 0x88a8); /* another kind of tag */
    assert_false(begins(&frame));
    p.ipv6 = true;
    make(&frame, &p);
    frame.bytes[frame.network + 6] = 0; /* an extension header */
    assert_false(begins(&frame));
    make(&frame, &p);
    frame.bytes[frame.network] = 0x45; /* of the other version */
    assert_false(begins(&frame));
}

/* Truncated at each byte: memory of just that size, which the sanitizer watches. */
static void test_truncated(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 4; bits++) {
        struct packet p = first_packet();
        struct join join;

        p.ipv6 = (bits & 1) != 0;
        p.tagged = (bits & 2) != 0;
        p.tcp_options = 40;
        make(&frames[0], &p);
        advance(&p);
        make(&frames[1], &p);
        for (uint32_t length = 0; length < frames[0].length; length++) {
            uint8_t *copy = malloc(length + 1);

            memcpy(copy, frames[0].bytes, length);
            assert_false(join_begin(&join, copy, length, false));
            free(copy);
            copy = malloc(length + 1);
            memcpy(copy, frames[1].bytes, length);
            assert_true(join_begin(&join, frames[0].bytes, frames[0].length, false));
            assert_int_equal(join_add(&join, copy, length, true), 0);
            free(copy);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_same_id),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_differences),
        cmocka_unit_test(test_ipv4_differences),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_ipv4_damage),
        cmocka_unit_test(test_first_is_checked),
        cmocka_unit_test(test_ended),
        cmocka_unit_test(test_beginnings),
        cmocka_unit_test(test_truncated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
