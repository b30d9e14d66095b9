/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: switch/switch.c switch/forward.c switch/convert.c switch/join.c switch/mac_table.c
 * SOURCES: lib/token_bucket.c lib/supervisor.c switch/port_isolated.c switch/port_limit.c
 * SOURCES: switch/port_vhost.c lib/virtqueue.c lib/net_header.c lib/net_buffers.c lib/net_filter.c
 * SOURCES: lib/ring.c lib/log.c tests/unit/fake/virtio_driver.c tests/unit/fake/fake_microkit.c
 * SOURCES: lib/checksum.c
 *
 * A sender that writes over its frame while the switch works on it: between the decision and the
 * copy, which is where the switch asks whether the receiver accepts the frame. What it writes may
 * reach the receiver as payload, never as addresses, VLAN or offsets.
 */

#include <linux/virtio_config.h>
#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/net_port.h"
#include "lib/ring.h"
#include "lib/vhost.h"
#include "switch/config.h"
#include "tests/unit/fake/virtio_driver.h"

/* The real conversions, with a door into the one that is called at the right moment. */
#define offload_accepted real_offload_accepted
#include "lib/offload.c"
#undef offload_accepted

#define PORTS   3 /* with rings, */
#define VHOST   3 /* and one with a guest's memory */
#define SIZE    0x40000u
#define CHANNEL 10
#define LENGTH  1500u /* of the record */

#define RAM_GPA  0x40000000ull
#define RAM_SIZE 0x10000u
#define FRAME    (RAM_GPA + 0x8000)

static _Alignas(4096) uint8_t ram[RAM_SIZE];
static _Alignas(4096) uint8_t page[4096];
static _Alignas(4096) uint8_t from_region[PORTS][RING_HEADER_SIZE + SIZE];
static _Alignas(4096) uint8_t to_region[PORTS][RING_HEADER_SIZE + SIZE];
static struct ring tx[PORTS], rx[PORTS];
static const uint16_t trunk[] = {10, 20, 0};

#define PORT(i, vlan, list)                                                                        \
    .name = "vm" #i, .channel = CHANNEL + (i), .may_reach = UINT64_MAX,                            \
    .mac = {0x52, 0, 0, 0, 0, i}, .mac_fixed = true, .access_vlan = (vlan), .trunk_vlans = (list), \
    .from_port = from_region[i], .to_port = to_region[i], .ring_size = SIZE

static struct stats_port stats[PORTS + 1];

/* A trunk that sends, an access port that receives, a trunk that receives, and a guest's trunk. */
const struct switch_config switch_config = {
    .name = "net0",
    .mtu = 1500,
    .mirror_port = -1,
    .stats = stats,
    .port_count = PORTS + 1,
    .ports = {{PORT(0, 0, trunk)},
              {PORT(1, 10, NULL)},
              {PORT(2, 0, trunk)},
              {.name = "vm3",
               .path = SWITCH_PATH_VHOST,
               .channel = CHANNEL + VHOST,
               .may_reach = UINT64_MAX,
               .mac = {0x52, 0, 0, 0, 0, VHOST},
               .mac_fixed = true,
               .trunk_vlans = trunk,
               .vhost_page = page,
               .ram = ram,
               .ram_gpa = RAM_GPA,
               .ram_size = RAM_SIZE}},
};

static uint8_t *record;
static uint32_t looked;
static bool only_ethernet; /* what is rewritten */

bool offload_accepted(const struct virtio_net_hdr_v1 *header, uint32_t accepts)
{
    if (only_ethernet) { /* the addresses and the VLAN */
        memset(record + sizeof(struct virtio_net_hdr_v1), 0xee, 12);
        record[sizeof(struct virtio_net_hdr_v1) + 15] = 20;
    } else { /* all that may have been decided on */
        memset(record, 0xee, sizeof(struct virtio_net_hdr_v1) + ETH_HLEN + 4 + 60);
    }
    looked++;
    return real_offload_accepted(header, accepts);
}

static void accept(int port, uint32_t bits)
{
    memcpy(to_region[port] + NET_PORT_ACCEPTS_OFFSET, &bits, sizeof(bits));
}

static uint8_t head[] = "\xff\xff\xff\xff\xff\xff\x52\x00\x00\x00\x00\x00\x81\x00\x00\x0a\x08\x00";

static void head_source(uint8_t port)
{
    head[11] = port;
}

static int setup(void **state)
{
    (void)state;
    fake_reset();
    memset(from_region, 0, sizeof(from_region));
    memset(to_region, 0, sizeof(to_region));
    for (int i = 0; i < PORTS; i++) {
        ring_init(&tx[i], from_region[i], SIZE);
        ring_init(&rx[i], to_region[i], SIZE);
    }
    looked = 0;
    only_ethernet = false;
    head_source(0);
    memset(ram, 0, sizeof(ram));
    init();
    return 0;
}

/* A tagged broadcast with a partial checksum. */
static const struct virtio_net_hdr_v1 net = {
    .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 38, .csum_offset = 16};

/* From port 0. */
static void send(void)
{
    record = ring_reserve(&tx[0], LENGTH);
    assert_non_null(record);
    memset(record, 0, LENGTH);
    memcpy(record, &net, sizeof(net));
    memcpy(record + sizeof(net), head, sizeof(head) - 1);
    ring_commit(&tx[0]);
    assert_true(ring_take_data_wanted(&tx[0]));
    notified(CHANNEL);
    assert_int_equal(looked, 2);
}

#define HEADERS 58u /* Ethernet with a tag, IPv4, TCP */
#define SEGMENT 500u

/* A large segment from port 0: three frames. */
static void send_large(void)
{
    const uint32_t packet = LENGTH - (uint32_t)sizeof(net) - (ETH_HLEN + 4);
    struct virtio_net_hdr_v1 large = net;
    uint8_t *ip;

    large.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
    large.gso_size = SEGMENT;
    large.hdr_len = HEADERS;
    record = ring_reserve(&tx[0], LENGTH);
    assert_non_null(record);
    memset(record, 0, LENGTH);
    memcpy(record, &large, sizeof(large));
    memcpy(record + sizeof(large), head, sizeof(head) - 1);
    ip = record + sizeof(large) + ETH_HLEN + 4;
    ip[0] = 0x45;
    ip[2] = (uint8_t)(packet >> 8);
    ip[3] = (uint8_t)packet;
    ip[9] = 6;
    ip[32] = 0x50;
    ring_commit(&tx[0]);
    assert_true(ring_take_data_wanted(&tx[0]));
    notified(CHANNEL);
    assert_int_equal(looked, 2);
}

static void call(uint64_t label, uint32_t count, const uint64_t *words)
{
    for (uint32_t i = 0; i < count; i++) {
        microkit_mr_set((seL4_Uint8)i, words[i]);
    }
    assert_int_equal(microkit_msginfo_get_label(
                         protected(CHANNEL + VHOST, microkit_msginfo_new(label, (uint16_t)count))),
                     VHOST_OK);
}

/* The same from the guest's memory, in pieces, which its processors can write as well. */
static void send_from_memory(void)
{
    static const struct guest_memory memory = {ram, RAM_GPA, RAM_SIZE};
    const struct driver_buffer pieces[] = {{FRAME, 20}, {FRAME + 20, LENGTH - 20}};
    struct driver_queue tx_queue;

    driver_queue_init(&tx_queue, &memory, RAM_GPA, 16);
    call(VHOST_START, 1, (uint64_t[]){1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_NET_F_CSUM});
    call(VHOST_QUEUE, 5,
         (uint64_t[]){VHOST_TX, 16, tx_queue.desc_gpa, tx_queue.avail_gpa, tx_queue.used_gpa});
    head_source(VHOST);
    record = ram + (FRAME - RAM_GPA);
    memcpy(record, &net, sizeof(net));
    memcpy(record + sizeof(net), head, sizeof(head) - 1);
    driver_add(&tx_queue, pieces, 2, 0);
    notified(CHANNEL + VHOST);
    assert_int_equal(looked, 2);
}

static void access_port_got_it(uint16_t csum_start)
{
    uint32_t count;
    const uint8_t *got = ring_peek(&rx[1], &count);
    struct virtio_net_hdr_v1 seen;

    assert_non_null(got);
    assert_int_equal(count, LENGTH - 4);
    memcpy(&seen, got, sizeof(seen));
    assert_int_equal(seen.csum_start, csum_start);
    assert_int_equal(seen.gso_type, 0);
    assert_memory_equal(got + sizeof(net), head, 12);
    assert_memory_equal(got + sizeof(net) + 12, head + 16, 2);
}

static void trunk_got_it(uint16_t csum_start)
{
    uint32_t count;
    const uint8_t *got = ring_peek(&rx[2], &count);
    struct virtio_net_hdr_v1 seen;

    assert_non_null(got);
    assert_int_equal(count, LENGTH);
    memcpy(&seen, got, sizeof(seen));
    assert_int_equal(seen.csum_start, csum_start);
    assert_int_equal(seen.gso_type, 0);
    assert_memory_equal(got + sizeof(net), head, sizeof(head) - 1);
}

/* The next frame that was cut off for the trunk, with `payload` bytes and a sum left to it. */
static void trunk_got_piece(uint32_t payload)
{
    uint32_t count;
    const uint8_t *got = ring_peek(&rx[2], &count);
    struct virtio_net_hdr_v1 seen;

    assert_non_null(got);
    assert_int_equal(count, sizeof(net) + HEADERS + payload);
    memcpy(&seen, got, sizeof(seen));
    assert_int_equal(seen.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
    assert_int_equal(seen.csum_start, 38);
    assert_int_equal(seen.gso_type, 0);
    assert_memory_equal(got + sizeof(net), head, sizeof(head) - 1);
    ring_release(&rx[2]);
}

/* The same for the access port, whole. */
static void access_port_got_piece(uint32_t payload)
{
    uint32_t count;
    const uint8_t *got = ring_peek(&rx[1], &count);

    assert_non_null(got);
    assert_int_equal(count, sizeof(net) + HEADERS - 4 + payload);
    assert_int_equal(got[0], 0);
    assert_memory_equal(got + sizeof(net), head, 12);
    assert_memory_equal(got + sizeof(net) + 12, head + 16, 2);
    ring_release(&rx[1]);
}

static void rewritten_frame_passes_with_the_old_head(void **state)
{
    (void)state;
    accept(1, NET_PORT_UP | NET_PORT_CSUM);
    accept(2, NET_PORT_UP | NET_PORT_CSUM);
    send();
    access_port_got_it(34);
    trunk_got_it(38);
}

static void rewritten_frame_is_converted_with_the_old_head(void **state)
{
    (void)state;
    accept(1, NET_PORT_UP);
    accept(2, NET_PORT_UP);
    send();
    access_port_got_it(0);
    trunk_got_it(0);
}

static void rewritten_memory_passes_with_the_old_head(void **state)
{
    (void)state;
    accept(1, NET_PORT_UP | NET_PORT_CSUM);
    accept(2, NET_PORT_UP | NET_PORT_CSUM);
    send_from_memory();
    access_port_got_it(34);
    trunk_got_it(38);
}

static void rewritten_segment_is_cut_with_the_old_head(void **state)
{
    const uint32_t rest = LENGTH - (uint32_t)sizeof(net) - HEADERS - 2 * SEGMENT;

    (void)state;
    only_ethernet = true;
    accept(1, NET_PORT_UP);
    accept(2, NET_PORT_UP | NET_PORT_CSUM);
    send_large();
    for (int i = 0; i < 3; i++) {
        trunk_got_piece(i < 2 ? SEGMENT : rest);
        access_port_got_piece(i < 2 ? SEGMENT : rest);
    }
}

static void rewritten_memory_is_converted_with_the_old_head(void **state)
{
    (void)state;
    accept(1, NET_PORT_UP);
    accept(2, NET_PORT_UP);
    send_from_memory();
    access_port_got_it(0);
    trunk_got_it(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(rewritten_frame_passes_with_the_old_head, setup),
        cmocka_unit_test_setup(rewritten_frame_is_converted_with_the_old_head, setup),
        cmocka_unit_test_setup(rewritten_segment_is_cut_with_the_old_head, setup),
        cmocka_unit_test_setup(rewritten_memory_passes_with_the_old_head, setup),
        cmocka_unit_test_setup(rewritten_memory_is_converted_with_the_old_head, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
