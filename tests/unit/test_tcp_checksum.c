/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: lib/tcp_checksum.c lib/checksum.c
 *
 * Frames whose sums are made byte by byte, and every bit of them turned over.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/tcp_checksum.h"

struct frame {
    uint8_t bytes[1600];
    uint32_t length;
    uint32_t network; /* offset of the IP header */
    uint32_t transport;
};

static void put16(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static uint32_t add(uint32_t sum, const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        sum += (uint32_t)bytes[i] << (i % 2 == 0 ? 8 : 0);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

static void make(struct frame *frame, bool tagged, bool ipv6, uint32_t payload)
{
    uint8_t *ip = frame->bytes + (tagged ? 18 : 14);
    uint8_t *tcp = ip + (ipv6 ? 40 : 20);
    uint32_t segment = 20 + payload;
    uint32_t sum;

    for (uint32_t i = 0; i < sizeof(frame->bytes); i++) {
        frame->bytes[i] = (uint8_t)(i * 11 + (i >> 8) + 1);
    }
    if (tagged) {
        put16(frame->bytes + 12, 0x8100);
    }
    put16(ip - 2, ipv6 ? 0x86dd : 0x0800);
    if (ipv6) {
        ip[0] = 0x60;
        put16(ip + 4, segment);
        ip[6] = 6;
    } else {
        ip[0] = 0x45;
        put16(ip + 2, 20 + segment);
        put16(ip + 6, 0x4000);
        ip[9] = 6;
        put16(ip + 10, 0);
        put16(ip + 10, ~add(0, ip, 20));
    }
    tcp[12] = 0x50;
    put16(tcp + 16, 0);
    sum = ipv6 ? add(6 + segment, ip + 8, 32) : add(6 + segment, ip + 12, 8);
    put16(tcp + 16, ~add(sum, tcp, segment));
    frame->network = (uint32_t)(ip - frame->bytes);
    frame->transport = (uint32_t)(tcp - frame->bytes);
    frame->length = frame->transport + segment;
}

/* Memory of just that size, which the sanitizer watches. */
static bool is_right(const struct frame *frame, uint32_t length)
{
    uint8_t *exact = malloc(length);
    bool right;

    memcpy(exact, frame->bytes, length);
    right = tcp_checksum_right(exact, length);
    free(exact);
    return right;
}

/* Whether the bit is one of those that no checksum covers. */
static bool is_covered(const struct frame *frame, bool ipv6, uint32_t byte, uint8_t mask)
{
    if (byte < 12 || (frame->network == 18 && byte >= 14 && byte < 16)) {
        return false; /* the Ethernet addresses, and the VLAN */
    }
    if (ipv6 && byte >= frame->network && byte < frame->network + 4) {
        return byte == frame->network &&
               mask >= 0x10; /* the version, not the class and the label */
    }
    return !ipv6 || byte != frame->network + 7; /* the hop limit */
}

static void every_bit_counts(void **state)
{
    static struct frame frame;

    (void)state;
    for (unsigned kind = 0; kind < 4; kind++) {
        bool ipv6 = (kind & 1) != 0;
        make(&frame, (kind & 2) != 0, ipv6, 101);
        assert_true(is_right(&frame, frame.length));
        for (uint32_t bit = 0; bit < 8 * frame.length; bit++) {
            uint8_t mask = (uint8_t)(1u << bit % 8);

            frame.bytes[bit / 8] ^= mask;
            assert_int_equal(is_right(&frame, frame.length),
                             !is_covered(&frame, ipv6, bit / 8, mask));
            frame.bytes[bit / 8] ^= mask;
        }
    }
}

static void padding_does_not_count_and_a_cut_frame_is_wrong(void **state)
{
    static struct frame frame;

    (void)state;
    for (unsigned kind = 0; kind < 4; kind++) {
        make(&frame, (kind & 2) != 0, (kind & 1) != 0, 0);
        for (uint32_t length = 0; length < frame.length + 20; length++) {
            assert_int_equal(is_right(&frame, length), length >= frame.length);
        }
        make(&frame, (kind & 2) != 0, (kind & 1) != 0, 1460);
        assert_true(is_right(&frame, frame.length));
    }
}

static void other_headers_are_not_looked_into(void **state)
{
    static struct frame frame;
    uint8_t *ip;

    (void)state;
    make(&frame, false, false, 100);
    ip = frame.bytes + frame.network;
    put16(ip + 6, 0x2000); /* a fragment; its header's sum is right again: */
    put16(ip + 10, 0);
    put16(ip + 10, ~add(0, ip, 20));
    assert_false(is_right(&frame, frame.length));

    make(&frame, false, false, 100);
    put16(ip + 2, 20 + 19); /* shorter than a TCP header */
    put16(ip + 10, 0);
    put16(ip + 10, ~add(0, ip, 20));
    assert_false(is_right(&frame, frame.length));

    make(&frame, true, false, 100);
    put16(frame.bytes + 16, 0x8100); /* a second tag */
    assert_false(is_right(&frame, frame.length));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bit_counts),
        cmocka_unit_test(padding_does_not_count_and_a_cut_frame_is_wrong),
        cmocka_unit_test(other_headers_are_not_looked_into),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
