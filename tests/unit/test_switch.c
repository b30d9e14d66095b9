/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: switch/switch.c switch/forward.c switch/convert.c switch/join.c switch/mac_table.c
 * SOURCES: lib/token_bucket.c lib/supervisor.c switch/port_isolated.c switch/port_limit.c
 * SOURCES: switch/port_vhost.c lib/virtqueue.c lib/net_header.c lib/net_buffers.c lib/net_filter.c
 * SOURCES: lib/ring.c lib/log.c lib/offload.c lib/checksum.c tests/unit/fake/fake_microkit.c
 *
 * The switch from outside: records go into the ports' rings, records and messages come out.
 */

#include <linux/virtio_net.h>
#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "drivers/timer/protocol.h"
#include "lib/net_port.h"
#include "lib/ring.h"
#include "lib/supervisor.h"
#include "switch/config.h"
#include "switch/mac_table.h"

/* The cases have different switches: this is the object that switch.c sees as a constant. */
struct switch_config config __asm__("switch_config");
static struct stats_port stats[SWITCH_MAX_PORTS];

#define PORTS   5
#define SIZE    0x40000u
#define SMALL   4096u
#define CHANNEL 10 /* of port 0 */
#define LOG     3
#define HEADER  ((uint32_t)sizeof(struct virtio_net_hdr_v1))
#define ALL                                                                                        \
    (NET_PORT_UP | NET_PORT_CSUM | NET_PORT_TSO4 | NET_PORT_TSO6 | NET_PORT_ECN | NET_PORT_USO)

static uint8_t *from_region[PORTS], *to_region[PORTS], *log_region;
static struct ring tx[PORTS], rx[PORTS], log_in;
static char messages[65536];

/* ---- The ports' other sides ---- */

static uint8_t *fresh_region(uint8_t *old, uint32_t size)
{
    free(old);
    uint8_t *region = aligned_alloc(4096, RING_HEADER_SIZE + size);
    assert_non_null(region);
    memset(region, 0, RING_HEADER_SIZE + size);
    return region;
}

static void accept(int port, uint32_t bits)
{
    memcpy(to_region[port] + NET_PORT_ACCEPTS_OFFSET, &bits, sizeof(bits));
}

/* PORTS ports that reach each other, on no VLAN, all listening. The cases change this. */
static int setup(void **state)
{
    (void)state;
    static const char *const names[PORTS] = {"vm0", "vm1", "vm2", "vm3", "vm4"};

    fake_reset();
    memset(&config, 0, sizeof(config));
    log_region = fresh_region(log_region, 0x10000);
    ring_init(&log_in, log_region, 0x10000);
    config.name = "net0";
    config.mtu = 1500;
    config.age_seconds = 300;
    config.mirror_port = -1;
    config.log = log_region;
    config.log_size = 0x10000;
    config.log_channel = LOG;
    memset(stats, 0, sizeof(stats));
    config.stats = stats;
    config.port_count = PORTS;
    for (int i = 0; i < PORTS; i++) {
        struct switch_port_config *port = &config.ports[i];

        from_region[i] = fresh_region(from_region[i], SIZE);
        to_region[i] = fresh_region(to_region[i], SIZE);
        ring_init(&tx[i], from_region[i], SIZE);
        ring_init(&rx[i], to_region[i], SIZE);
        port->name = names[i];
        port->channel = (uint8_t)(CHANNEL + i);
        port->may_reach = UINT64_MAX;
        port->mac[0] = 0x52;
        port->mac[5] = (uint8_t)i;
        port->from_port = from_region[i];
        port->to_port = to_region[i];
        port->ring_size = SIZE;
        accept(i, ALL);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < PORTS; i++) {
        free(from_region[i]);
        free(to_region[i]);
        from_region[i] = to_region[i] = NULL;
    }
    free(log_region);
    log_region = NULL;
    return 0;
}

static const char *said(void)
{
    messages[ring_read(&log_in, messages, sizeof(messages) - 1)] = '\0';
    return messages;
}

struct packet {
    struct virtio_net_hdr_v1 net;
    uint8_t bytes[NET_GSO_FRAME_MAX + 64];
    uint32_t length;
};

static struct packet out, in;

static void put_mac(uint8_t *at, int port)
{
    static const uint8_t base[6] = {0x52, 0, 0, 0, 0, 0};

    if (port < 0) {
        memset(at, 0xff, 6);
    } else {
        memcpy(at, base, 6);
        at[5] = (uint8_t)port;
        at[4] = (uint8_t)(port >> 8);
    }
}

/* A frame of `length` bytes between the addresses of two ports (-1: broadcast), in `out`. */
static void make(int source, int destination, uint32_t length)
{
    memset(&out.net, 0, sizeof(out.net));
    out.length = length;
    for (uint32_t i = 0; i < length; i++) {
        out.bytes[i] = (uint8_t)(i * 5 + length);
    }
    put_mac(out.bytes, destination);
    put_mac(out.bytes + 6, source);
    out.bytes[12] = 0x88;
    out.bytes[13] = 0xb5;
}

/* Put a tag into `out`, in front of those that it has. */
static void tag_as(uint16_t type, uint16_t tci)
{
    memmove(out.bytes + 16, out.bytes + 12, out.length - 12);
    out.bytes[12] = (uint8_t)(type >> 8);
    out.bytes[13] = (uint8_t)type;
    out.bytes[14] = (uint8_t)(tci >> 8);
    out.bytes[15] = (uint8_t)tci;
    out.length += 4;
}

static void tag(uint16_t tci)
{
    tag_as(0x8100, tci);
}

static void put_record(int port, const void *record, uint32_t count)
{
    void *room = ring_reserve(&tx[port], count);

    assert_non_null(room);
    memcpy(room, record, count);
    ring_commit(&tx[port]);
}

static void wake(int port)
{
    if (ring_take_data_wanted(&tx[port])) {
        notified(CHANNEL + (microkit_channel)port);
    }
}

static void put_out(int port)
{
    uint8_t *room = ring_reserve(&tx[port], HEADER + out.length);

    assert_non_null(room);
    memcpy(room, &out.net, HEADER);
    memcpy(room + HEADER, out.bytes, out.length);
    ring_commit(&tx[port]);
}

/* Send `out` from `port`. */
static void send(int port)
{
    put_out(port);
    wake(port);
}

static void send_frame(int port, int source, int destination, uint32_t length)
{
    make(source, destination, length);
    send(port);
}

/* Take the next record to `port` into `in`; false if there is none. */
static bool take(int port)
{
    uint32_t count;
    const uint8_t *record = ring_peek(&rx[port], &count);

    if (record == NULL) {
        return false;
    }
    assert_in_range(count, HEADER + NET_FRAME_MIN, HEADER + NET_GSO_FRAME_MAX);
    memcpy(&in.net, record, HEADER);
    in.length = count - HEADER;
    memcpy(in.bytes, record + HEADER, in.length);
    ring_release(&rx[port]);
    return true;
}

/* `port` has got `out`, byte for byte. */
static void got_out(int port)
{
    assert_true(take(port));
    assert_int_equal(in.length, out.length);
    assert_memory_equal(in.bytes, out.bytes, out.length);
}

static void got_nothing(int port)
{
    assert_false(take(port));
}

static void got_nothing_but(int only)
{
    for (int i = 0; i < PORTS; i++) {
        if (i != only) {
            got_nothing(i);
        }
    }
}

/* Let every port say something, so that the switch knows where all are. */
static void introduce_all(void)
{
    for (int i = 0; i < PORTS; i++) {
        send_frame(i, i, -1, 60);
    }
    for (int i = 0; i < PORTS; i++) {
        while (take(i)) {
        }
    }
    said();
}

/* What the switch prints about `port`, from the counter's name on; 0 if it is not mentioned. */
static unsigned long long counter(const char *port, const char *name)
{
    char start[64];

    notified(LOG);
    const char *text = said();
    snprintf(start, sizeof(start), "port %s", port);
    for (const char *line = text; (line = strstr(line, start)) != NULL; line++) {
        const char *end = strchr(line, '\n');
        const char *found = strstr(line, name);
        if (found != NULL && found < end) {
            return strtoull(found + strlen(name), NULL, 10);
        }
    }
    return 0;
}

/* ---- Learning and flooding ---- */

static void unknown_address_is_flooded(void **state)
{
    (void)state;
    init();
    send_frame(0, 0, 3, 60);
    for (int i = 1; i < PORTS; i++) {
        got_out(i);
    }
    got_nothing_but(-1);
}

static void known_address_is_not(void **state)
{
    (void)state;
    init();
    introduce_all();
    for (int from = 0; from < PORTS; from++) {
        for (int to = 0; to < PORTS; to++) {
            if (from != to) {
                send_frame(from, from, to, 100);
                got_out(to);
                got_nothing_but(-1);
            }
        }
    }
}

static void broadcast_and_multicast_reach_all(void **state)
{
    (void)state;
    init();
    introduce_all();
    send_frame(2, 2, -1, 60);
    make(2, -1, 60);
    memcpy(out.bytes, "\x33\x33\x00\x00\x00\x01", 6);
    send(2);
    for (int i = 0; i < PORTS; i++) {
        if (i != 2) {
            assert_true(take(i));
            got_out(i);
        }
    }
    got_nothing_but(-1);
}

static void addresses_for_bridges_stay(void **state)
{
    (void)state;
    init();
    make(0, 1, 60);
    for (int last = 0; last < 16; last++) {
        memcpy(out.bytes, "\x01\x80\xc2\x00\x00\x00", 6);
        out.bytes[5] = (uint8_t)last;
        send(0);
        got_nothing_but(-1);
    }
    assert_int_equal(counter("vm0", "filtered "), 16);
    out.bytes[5] = 0x10;
    send(0);
    got_out(1);
}

static void address_ages(void **state)
{
    (void)state;
    init();
    introduce_all();
    fake.counter += fake.frequency * 300;
    send_frame(0, 0, 1, 60);
    got_out(1);
    got_nothing_but(-1);
    fake.counter += fake.frequency;
    send_frame(0, 0, 1, 60);
    for (int i = 1; i < PORTS; i++) {
        got_out(i);
    }
}

static void machine_that_moves_is_followed(void **state)
{
    (void)state;
    init();
    introduce_all();
    send_frame(4, 3, 0, 60); /* the address of port 3 at port 4 */
    got_out(0);
    send_frame(0, 0, 3, 60);
    got_out(4);
    got_nothing_but(-1);
}

static void frame_for_the_senders_own_side_stays(void **state)
{
    (void)state;
    init();
    introduce_all();
    send_frame(1, 77, -1, 60); /* a second machine behind port 1 */
    for (int i = 0; i < PORTS; i++) {
        take(i);
    }
    send_frame(1, 77, 1, 60);
    got_nothing_but(-1);
    assert_int_equal(counter("vm1", "filtered "), 1);
}

static void flood_of_sources_does_not_make_the_switch_forget(void **state)
{
    (void)state;
    init();
    introduce_all();
    for (int i = 0; i < 3000; i++) {
        send_frame(4, 1000 + i, 4, 60);
        for (int port = 0; port < PORTS; port++) {
            while (take(port)) {
            }
        }
    }
    send_frame(0, 0, 1, 60);
    got_out(1);
    got_nothing_but(-1);
}

/* ---- Permissions and addresses ---- */

static void forbidden_ports_see_nothing(void **state)
{
    (void)state;
    config.ports[0].may_reach = 1u << 1 | 1u << 2;
    config.ports[3].may_reach = 0;
    init();
    introduce_all();
    send_frame(0, 0, -1, 60);
    got_out(1);
    got_out(2);
    got_nothing_but(-1);
    send_frame(0, 0, 1, 60);
    got_out(1);
    send_frame(0, 0, 3, 60);
    got_nothing_but(-1);
    send_frame(0, 0, 99, 60); /* unknown */
    got_out(1);
    got_out(2);
    got_nothing_but(-1);
    send_frame(3, 3, 0, 60);
    send_frame(3, 3, -1, 60);
    got_nothing_but(-1);
    assert_int_equal(counter("vm0", "forbidden "), 1);
    assert_int_equal(counter("vm3", "forbidden "), 1);
    /* The other direction has its own permission. */
    send_frame(4, 4, 3, 60);
    got_out(3);
}

static void fix_all(void)
{
    for (int i = 0; i < PORTS; i++) {
        config.ports[i].mac_fixed = true;
    }
}

static void fixed_addresses_are_known_from_the_start(void **state)
{
    (void)state;
    fix_all();
    init();
    send_frame(0, 0, 3, 60);
    got_out(3);
    got_nothing_but(-1);
    fake.counter += fake.frequency * 100000;
    send_frame(0, 0, 3, 60);
    got_out(3);
    got_nothing_but(-1);
}

static void foreign_source_is_dropped(void **state)
{
    (void)state;
    fix_all();
    config.ports[4].mac_fixed = false;
    init();
    send_frame(0, 1, 2, 60);  /* another fixed port's */
    send_frame(0, 50, 2, 60); /* nobody's */
    got_nothing_but(-1);
    assert_non_null(strstr(said(), "port vm0: a frame of 60 bytes dropped: from an address"));
    send_frame(4, 1, 2, 60); /* a port without a fixed address cannot take one either */
    got_nothing_but(-1);
    assert_non_null(strstr(said(), "port vm4: "));
    send_frame(4, 60, 2, 60);
    got_out(2);
    assert_int_equal(counter("vm0", "foreign source "), 2);
    assert_int_equal(counter("vm4", "foreign source "), 1);
}

/* A fixed address is its port's on every VLAN, not only where that port is. */
static void fixed_address_cannot_be_claimed_on_another_vlan(void **state)
{
    (void)state;
    static const uint16_t trunk[] = {10, 20, 0};

    config.ports[0].access_vlan = 10;
    config.ports[1].access_vlan = 20;
    config.ports[2].access_vlan = 20;
    config.ports[3].trunk_vlans = trunk;
    config.ports[0].mac_fixed = true;
    init();
    for (int vlan = 10; vlan <= 20; vlan += 10) {
        make(0, -1, 60); /* in port 0's name, from the trunk */
        tag((uint16_t)vlan);
        send(3);
        got_nothing_but(-1);
    }
    send_frame(1, 0, 2, 60);
    got_nothing_but(-1);
    assert_int_equal(counter("vm3", "foreign source "), 2);
    assert_int_equal(counter("vm1", "foreign source "), 1);
    make(3, 0, 60); /* and what is for it still reaches it, and nobody else */
    tag(10);
    send(3);
    make(3, 0, 60);
    got_out(0);
    got_nothing_but(-1);
}

static void source_must_be_one_machines(void **state)
{
    (void)state;
    init();
    make(0, 1, 60);
    memset(out.bytes + 6, 0xff, 6);
    send(0);
    memset(out.bytes + 6, 0, 6);
    send(0);
    memcpy(out.bytes + 6, "\x01\x00\x5e\x00\x00\x01", 6);
    send(0);
    got_nothing_but(-1);
    assert_int_equal(counter("vm0", "foreign source "), 3);
}

static void fixed_ports_are_spared_strangers_frames(void **state)
{
    (void)state;
    fix_all();
    config.ports[4].mac_fixed = false;
    init();
    accept(2, ALL | NET_PORT_PROMISC);
    send_frame(0, 0, 99, 60);
    got_out(2);
    got_out(4);
    got_nothing_but(-1);
}

/* ---- VLANs ---- */

static const uint16_t trunk_10_20[] = {10, 20, 0};

/* 0, 1: access 10; 2: access 20; 3: trunk of both; 4: none */
static void make_vlans(void)
{
    config.ports[0].access_vlan = 10;
    config.ports[1].access_vlan = 10;
    config.ports[2].access_vlan = 20;
    config.ports[3].trunk_vlans = trunk_10_20;
}

static void vlans_are_apart(void **state)
{
    (void)state;
    make_vlans();
    init();
    send_frame(0, 0, -1, 60);
    got_out(1);
    got_nothing(2);
    got_nothing(4);
    tag(10);
    got_out(3);
    send_frame(2, 2, -1, 60);
    got_nothing(0);
    got_nothing(1);
    got_nothing(4);
    tag(20);
    got_out(3);
    send_frame(4, 4, -1, 60);
    got_nothing_but(-1);
    /* Known, but on another VLAN. */
    send_frame(0, 0, 2, 60);
    got_nothing(2);
}

static void trunk_frames_lose_their_tag_on_access_ports(void **state)
{
    (void)state;
    make_vlans();
    init();
    make(3, -1, 60);
    tag(0xe000 | 10);
    send(3);
    make(3, -1, 60);
    got_out(0);
    got_out(1);
    got_nothing_but(-1);
    make(3, -1, 60);
    tag(20);
    send(3);
    make(3, -1, 60);
    got_out(2);
    got_nothing_but(-1);
}

static void same_address_on_two_vlans(void **state)
{
    (void)state;
    make_vlans();
    init();
    send_frame(0, 7, -1, 60);
    send_frame(2, 7, -1, 60);
    while (take(1) || take(3)) {
    }
    make(3, 7, 60);
    tag(10);
    send(3);
    make(3, 7, 60);
    got_out(0);
    got_nothing_but(-1);
    make(3, 7, 60);
    tag(20);
    send(3);
    make(3, 7, 60);
    got_out(2);
    got_nothing_but(-1);
}

static void foreign_tags_are_dropped(void **state)
{
    (void)state;
    make_vlans();
    init();
    make(0, -1, 60);
    tag(20); /* an access port reaching for another VLAN */
    send(0);
    make(0, -1, 60);
    tag(10); /* or for its own */
    send(0);
    make(3, -1, 60);
    tag(30); /* not on the trunk */
    send(3);
    make(3, -1, 60);
    tag(4095);
    send(3);
    make(3, -1, 60);
    send(3); /* no tag, and the trunk has no VLAN for that */
    got_nothing_but(-1);
    assert_int_equal(counter("vm0", "foreign VLAN "), 2);
    assert_int_equal(counter("vm3", "foreign VLAN "), 3);
}

static void priority_tag_is_no_vlan(void **state)
{
    (void)state;
    make_vlans();
    init();
    make(0, -1, 60);
    tag(0xa000);
    send(0);
    make(0, -1, 60);
    got_out(1);
    tag(0xa000 | 10); /* the priority travels on */
    got_out(3);
}

static void native_vlan_of_a_trunk_has_no_tag(void **state)
{
    (void)state;
    make_vlans();
    config.ports[3].access_vlan = 10;
    init();
    send_frame(0, 0, -1, 60);
    got_out(1);
    got_out(3);
    send_frame(3, 3, -1, 60);
    got_out(0);
    got_out(1);
    got_nothing_but(-1);
}

static void ports_without_vlans_pass_tags(void **state)
{
    (void)state;
    init();
    introduce_all();
    make(0, 1, 60);
    tag(123);
    send(0);
    got_out(1);
    got_nothing_but(-1);
}

static void truncated_tag_is_dropped(void **state)
{
    (void)state;
    make_vlans();
    init();
    for (uint32_t length = 14; length < 18; length++) {
        make(3, -1, 60);
        tag(10);
        out.length = length;
        send(3);
    }
    got_nothing_but(-1);
    assert_int_equal(counter("vm3", "bad header "), 4);
    out.length = 18;
    send(3);
    assert_true(take(0));
    assert_int_equal(in.length, 14);
}

/* ---- The uplink ---- */

/* Port 3 is the world outside, the others' addresses are fixed. */
static void make_uplink(void)
{
    config.ports[3].path = SWITCH_PATH_UPLINK;
    for (int i = 0; i < PORTS; i++) {
        config.ports[i].mac_fixed = i != 3;
    }
}

static void uplink_lets_in_what_is_for_somebody(void **state)
{
    (void)state;
    make_uplink();
    init();
    send_frame(3, 100, 0, 60);
    got_out(0);
    send_frame(3, 100, -1, 60);
    got_out(0);
    got_out(1);
    got_out(2);
    got_out(4);
    send_frame(3, 100, 200, 60); /* nobody's here */
    got_nothing_but(-1);
    assert_int_equal(counter("vm3", "filtered "), 1);
}

/* Whether its monitor is told that its last frame went outside. */
static uint32_t told_outside(int port)
{
    uint32_t word;

    memcpy(&word, to_region[port] + NET_PORT_OUTSIDE_OFFSET, sizeof(word));
    return word;
}

static void uplink_gets_what_is_for_strangers(void **state)
{
    (void)state;
    make_uplink();
    init();
    send_frame(0, 0, 200, 60);
    got_out(3);
    assert_int_equal(told_outside(0), 1);
    assert_int_equal(told_outside(1), 0);
    send_frame(0, 0, -1, 60);
    got_out(1);
    got_out(2);
    got_out(3);
    got_out(4);
    send_frame(0, 0, 1, 60);
    got_out(1);
    assert_int_equal(told_outside(0), 0);
    got_nothing_but(-1);
}

static void driver_faults(void)
{
    microkit_msginfo reply;

    microkit_mr_set(0, 0x201234);
    assert_false(
        fault(SWITCH_DRIVER_CHILD, microkit_msginfo_new(seL4_Fault_UserException, 5), &reply));
}

/* The driver's ends of the rings, anew. */
static void driver_begins(void)
{
    ring_init(&tx[3], from_region[3], SIZE);
    ring_init(&rx[3], to_region[3], SIZE);
    accept(3, ALL);
}

static void uplink_whose_driver_faults_goes_on(void **state)
{
    (void)state;
    make_uplink();
    init();
    make(3, 0, 60);
    put_out(3); /* which is lost */
    send_frame(0, 0, 200, 60);
    driver_faults();
    assert_int_equal(fake.pd_restarts[SWITCH_DRIVER_CHILD], 1);
    assert_non_null(strstr(said(), "the card's driver has faulted: kind 3 at 0x201234"));
    send_frame(0, 0, 200, 60); /* lost as well: the driver has not said yet that it is there */
    driver_begins();
    got_nothing_but(-1);
    send_frame(0, 0, 200, 60);
    got_out(3);
    send_frame(3, 100, 0, 60);
    got_out(0);
    send_frame(0, 0, 1, 60);
    got_out(1);
    got_nothing_but(-1);
}

static void uplink_whose_driver_is_given_up_is_down(void **state)
{
    (void)state;
    make_uplink();
    init();
    for (unsigned i = 0; i <= SUPERVISOR_RESTARTS; i++) {
        driver_begins();
        driver_faults();
    }
    assert_int_equal(fake.pd_restarts[SWITCH_DRIVER_CHILD], SUPERVISOR_RESTARTS);
    send_frame(0, 0, 200, 60);
    send_frame(0, 0, 1, 60);
    got_out(1);
    got_nothing_but(-1);
}

/* Without an uplink there is no child; a kernel that says otherwise is not believed. */
static void fault_of_nobody_is_ignored(void **state)
{
    (void)state;
    init();
    driver_faults();
    assert_int_equal(fake.pd_restarts[SWITCH_DRIVER_CHILD], 0);
    send_frame(0, 0, 1, 60);
    got_out(1);
}

static void forged_source_from_outside_is_dropped(void **state)
{
    (void)state;
    make_uplink();
    init();
    send_frame(3, 1, 0, 60); /* as if from vm1 */
    send_frame(3, -1, 0, 60);
    make(3, 0, 60);
    memset(out.bytes + 6, 0, 6);
    send(3);
    got_nothing_but(-1);
    assert_int_equal(counter("vm3", "foreign source "), 3);
    send_frame(0, 0, 1, 60); /* and what is for vm1 goes to vm1 still */
    got_out(1);
    got_nothing_but(-1);
}

static void uplink_carries_vlans_and_what_is_on_none(void **state)
{
    (void)state;
    make_uplink();
    make_vlans();
    init();
    send_frame(0, 0, -1, 60);
    got_out(1);
    tag(10);
    got_out(3);
    send_frame(4, 4, -1, 60);
    got_out(3);
    got_nothing_but(-1);
    make(3, -1, 60);
    put_mac(out.bytes + 6, 100);
    tag(20);
    send(3);
    make(3, -1, 60);
    put_mac(out.bytes + 6, 100);
    got_out(2);
    got_nothing_but(-1);
    send_frame(3, 100, -1, 60);
    got_out(4);
    got_nothing_but(-1);
    make(100, -1, 60);
    tag(30); /* not carried */
    send(3);
    got_nothing_but(-1);
    assert_int_equal(counter("vm3", "foreign VLAN "), 1);
}

static void tags_of_those_on_no_vlan_stay_inside(void **state)
{
    (void)state;
    make_uplink();
    make_vlans();
    config.ports[1].access_vlan = SWITCH_VLAN_NONE; /* like vm4 */
    init();
    make(4, -1, 60);
    tag(10);
    send(4);
    got_out(1);
    got_nothing_but(-1);
    assert_int_equal(counter("vm4", "foreign VLAN "), 1);
    make(4, 200, 60);
    tag(20);
    send(4);
    got_nothing_but(-1);
}

/*
 * The tag behind the first: a bridge outside, or a machine, takes it for the frame's VLAN once the
 * first is gone.
 */
static void second_tag_opens_no_vlan(void **state)
{
    (void)state;
    make_uplink();
    make_vlans();
    config.ports[3].access_vlan = 10; /* native */
    config.ports[3].trunk_vlans = (const uint16_t[]){20, 0};
    init();
    make(0, 200, 60);
    tag(20);
    tag(0);
    send(0);
    got_nothing_but(-1);
    assert_int_equal(counter("vm0", "foreign VLAN "), 1);
    make(0, 200, 60);
    tag_as(0x88a8, 20);
    send(0);
    got_nothing_but(-1);
    assert_int_equal(counter("vm0", "foreign VLAN "), 2);
    /* The tag for the priority alone is none. */
    make(0, 200, 60);
    tag(0xe000);
    send(0);
    make(0, 200, 60);
    got_out(3);
    got_nothing_but(-1);
}

/* Behind a trunk's own tag there may be others, as far as that tag stays in front of them. */
static void second_tag_passes_behind_a_first(void **state)
{
    (void)state;
    static const uint16_t types[] = {0x8100, 0x88a8, 0x9100};

    make_vlans();
    config.ports[4].trunk_vlans = trunk_10_20;
    init();
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        make(3, -1, 60);
        tag_as(types[i], 20);
        tag(10);
        send(3);
        got_out(4);
        got_nothing_but(-1); /* the access ports would get it without the first */
    }
    assert_int_equal(counter("vm3", "foreign VLAN "), 3);
}

struct shape {
    uint16_t type;
    uint16_t vid;
};

/* The tags that all sequences below are made of; the first is none. */
static const struct shape shapes[] = {{0, 0},       {0x8100, 0}, {0x8100, 10}, {0x8100, 20},
                                      {0x8100, 30}, {0x88a8, 0}, {0x88a8, 20}, {0x9100, 20},
                                      {0x9200, 10}, {0x9300, 20}};
#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

static bool is_on(int port, uint16_t vlan)
{
    const uint16_t *trunk = config.ports[port].trunk_vlans;

    for (; trunk != NULL && *trunk != 0; trunk++) {
        if (*trunk == vlan) {
            return true;
        }
    }
    return config.ports[port].access_vlan == vlan;
}

/* On which VLAN is `in`, as whoever is behind `port` reads it? */
static uint16_t vlan_at(int port)
{
    uint16_t type = (uint16_t)(in.bytes[12] << 8 | in.bytes[13]);

    for (size_t i = 1; i < SHAPES; i++) {
        if (shapes[i].type == type) {
            return (uint16_t)((in.bytes[14] << 8 | in.bytes[15]) & 0xfff);
        }
    }
    return config.ports[port].access_vlan;
}

/*
 * Whatever tags a frame has, nobody on a VLAN gets it on one that its sender is not on, and nobody
 * on none gets from a VLAN what looks like a frame of one.
 */
static void check_arrival(int from, int to)
{
    bool aware = config.ports[to].access_vlan != 0 || config.ports[to].trunk_vlans != NULL;
    bool sender_aware = config.ports[from].access_vlan != 0 || config.ports[from].trunk_vlans;
    uint16_t vlan = vlan_at(to);

    if (to == config.mirror_port) {
        return;
    }
    if (aware || sender_aware) {
        assert_true(is_on(from, vlan) || (vlan == 0 && !sender_aware) ||
                    (vlan == 0 && config.ports[from].path == SWITCH_PATH_UPLINK));
        assert_true(is_on(to, vlan) || (vlan == 0 && config.ports[to].path == SWITCH_PATH_UPLINK));
    }
    if (aware && config.ports[to].trunk_vlans == NULL) {
        assert_int_equal(vlan, config.ports[to].access_vlan);
    }
}

static unsigned send_all_shapes(void)
{
    unsigned arrived = 0;

    for (size_t i = 0; i < SHAPES * SHAPES * SHAPES; i++) {
        for (int from = 0; from < PORTS; from++) {
            make(from, -1, 60);
            for (size_t rest = i; rest != 0; rest /= SHAPES) {
                if (shapes[rest % SHAPES].type != 0) {
                    tag_as(shapes[rest % SHAPES].type, shapes[rest % SHAPES].vid);
                }
            }
            send(from);
            for (int to = 0; to < PORTS; to++) {
                while (take(to)) {
                    check_arrival(from, to);
                    arrived++;
                }
            }
        }
        said();
    }
    return arrived;
}

static void no_sequence_of_tags_leaves_its_vlan(void **state)
{
    (void)state;
    static const uint16_t trunk_20[] = {20, 0};
    static const struct {
        const uint16_t *trunk[PORTS];
        uint16_t native[PORTS]; /* or access */
        int uplink;
        int mirror;
    } layouts[] = {
        {{NULL, NULL, NULL, trunk_10_20, NULL}, {10, 10, 20, 0, 0}, -1, -1},
        {{NULL, NULL, NULL, trunk_10_20, trunk_20}, {10, 20, 0, 0, 10}, -1, -1},
        {{NULL, NULL, NULL, trunk_10_20, NULL}, {10, 20, 0, 0, 0}, 3, -1},
        {{NULL, NULL, NULL, trunk_20, trunk_10_20}, {10, 20, 0, 10, 0}, 3, -1},
        {{NULL, NULL, trunk_20, trunk_10_20, NULL}, {10, 20, 10, 0, 0}, 3, 4},
    };

    for (size_t l = 0; l < sizeof(layouts) / sizeof(layouts[0]); l++) {
        setup(state);
        config.mirror_port = (int16_t)layouts[l].mirror;
        for (int i = 0; i < PORTS; i++) {
            config.ports[i].trunk_vlans = layouts[l].trunk[i];
            config.ports[i].access_vlan = layouts[l].native[i];
            config.ports[i].mac_fixed = i != layouts[l].uplink;
            if (i == layouts[l].uplink) {
                config.ports[i].path = SWITCH_PATH_UPLINK;
                put_mac(config.ports[i].mac, 100);
            }
        }
        init();
        assert_true(send_all_shapes() > 20);
    }
}

static void flood_from_outside_is_limited(void **state)
{
    unsigned seen = 0;

    (void)state;
    make_uplink();
    config.ports[3].flood_limit = 100;
    init();
    for (int i = 0; i < 1000; i++) {
        send_frame(3, 100, -1, 60);
        while (take(0)) {
            seen++;
        }
        while (take(1) || take(2) || take(4)) {
        }
    }
    assert_int_equal(seen, 10); /* the tenth of a second that may come at once */
    assert_int_equal(counter("vm3", "flood "), 990);
    send_frame(3, 100, 0, 60); /* what is for one is no flood */
    got_out(0);
    fake.counter += fake.frequency / 50;
    for (int i = 0; i < 10; i++) {
        send_frame(3, 100, -1, 60);
    }
    for (seen = 0; take(0); seen++) {
    }
    assert_int_equal(seen, 2);
    while (take(1) || take(2) || take(4)) {
    }
    for (int i = 0; i < 100; i++) { /* nor is anything from inside */
        send_frame(0, 0, -1, 60);
    }
    for (seen = 0; take(3); seen++) {
    }
    assert_int_equal(seen, 100);
}

/* ---- The mirror ---- */

static void mirror_sees_everything_once(void **state)
{
    (void)state;
    config.mirror_port = 4;
    for (int i = 0; i < PORTS; i++) {
        config.ports[i].may_reach = i < 4 ? 0xf : UINT64_MAX;
    }
    init();
    introduce_all();
    send_frame(0, 0, 1, 60);
    got_out(1);
    got_out(4);
    got_nothing_but(-1);
    send_frame(0, 0, -1, 60);
    got_out(4);
    got_nothing(4);
}

static void mirror_does_not_see_twice_what_is_its_own(void **state)
{
    (void)state;
    config.mirror_port = 4;
    init();
    introduce_all();
    send_frame(0, 0, 4, 60);
    got_out(4);
    got_nothing_but(-1);
    send_frame(4, 4, 0, 60);
    got_out(0);
    got_nothing_but(-1);
}

static void mirror_sees_the_vlan(void **state)
{
    (void)state;
    make_vlans();
    config.mirror_port = 4;
    init();
    send_frame(0, 0, -1, 60);
    tag(10);
    got_out(4);
}

/* A tag comes on top of the MTU, and off again. */
static void long_frames_keep_their_vlans(void **state)
{
    (void)state;
    make_vlans();
    config.mtu = NET_MTU_MAX;
    config.mirror_port = 4;
    init();
    send_frame(1, 1, -1, 14 + NET_MTU_MAX);
    got_out(0);
    tag(10);
    assert_int_equal(out.length, NET_FRAME_MAX(NET_MTU_MAX));
    got_out(3);
    got_out(4);
    put_mac(out.bytes, 1);
    put_mac(out.bytes + 6, 3);
    send(3);
    got_out(4);
    assert_true(take(1));
    assert_int_equal(in.length, 14 + NET_MTU_MAX);
    assert_memory_equal(in.bytes + 14, out.bytes + 18, NET_MTU_MAX);
}

static void full_mirror_does_not_hold_up_others(void **state)
{
    (void)state;
    config.mirror_port = 4;
    init();
    introduce_all();
    for (int i = 0; i < 2000; i++) {
        send_frame(0, 0, 1, 1514);
        got_out(1);
    }
    assert_true(counter("vm4", "receiver full ") > 1000);
}

/* ---- Bad frames ---- */

static void check_lengths(uint16_t mtu)
{
    const uint32_t most = mtu + 18u; /* an Ethernet header and a VLAN's tag around it */
    const struct {
        uint32_t length;
        bool passes;
    } cases[] = {{13, false},   {14, true},        {60, true},           {mtu, true},
                 {most, true},  {most + 1, false}, {most + 7500, false}, {NET_GSO_FRAME_MAX, false},
                 {65554, false}};

    config.mtu = mtu;
    init();
    introduce_all();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        send_frame(0, 0, 1, cases[i].length);
        if (cases[i].passes) {
            got_out(1);
        }
        got_nothing_but(-1);
    }
    assert_non_null(strstr(said(), "port vm0: a frame of 13 bytes dropped"));
    assert_int_equal(counter("vm0", "short "), 1);
    assert_int_equal(counter("vm0", "long "), 4);
}

static void lengths_are_checked(void **state)
{
    (void)state;
    check_lengths(1500);
}

static void lengths_are_checked_by_the_mtu(void **state)
{
    (void)state;
    static const uint16_t mtus[] = {NET_MTU_MIN, 1501, 4096, NET_MTU_MAX};

    for (size_t i = 0; i < sizeof(mtus) / sizeof(mtus[0]); i++) {
        teardown(state);
        setup(state);
        check_lengths(mtus[i]);
    }
}

static void records_without_a_frame_are_dropped(void **state)
{
    (void)state;
    static const uint8_t bytes[32] = {0};

    init();
    for (uint32_t count = 0; count < HEADER + NET_FRAME_MIN; count++) {
        put_record(0, bytes, count);
        wake(0);
    }
    got_nothing_but(-1);
    assert_int_equal(counter("vm0", "short "), HEADER + NET_FRAME_MIN);
}

/* A record that ends with the ring: nothing behind it is read. */
static void empty_record_at_the_rings_end(void **state)
{
    (void)state;
    init();
    while (tx[0].own % SIZE != SIZE - RING_RECORD_ALIGN) {
        put_record(0, "", 0);
        wake(0);
    }
    put_record(0, "", 0);
    wake(0);
    assert_int_equal(tx[0].own % SIZE, 0);
    send_frame(0, 0, -1, 60);
    got_out(1);
}

static void contradictory_headers_are_dropped(void **state)
{
    (void)state;
    static const struct virtio_net_hdr_v1 bad[] = {
        {.flags = 1, .csum_start = 60, .csum_offset = 0},
        {.flags = 1, .csum_start = 59, .csum_offset = 0},
        {.flags = 1, .csum_start = 34, .csum_offset = 65535},
        {.flags = 1, .csum_start = 65535, .csum_offset = 65535},
        {.flags = 1, .csum_start = 0, .csum_offset = 6},
        {.flags = 0, .gso_type = 1, .gso_size = 10},
        {.flags = 1, .gso_type = 1, .gso_size = 0, .csum_start = 34, .csum_offset = 16},
        {.flags = 1, .gso_type = 1, .gso_size = 60000, .csum_start = 34, .csum_offset = 16},
        {.flags = 1, .gso_type = 2, .gso_size = 10, .csum_start = 34, .csum_offset = 16},
        {.flags = 1, .gso_type = 0x80, .gso_size = 10, .csum_start = 34, .csum_offset = 16},
        {.flags = 1, .gso_type = 0xff, .gso_size = 10, .csum_start = 34, .csum_offset = 16},
        {.flags = 1, .gso_type = 1, .gso_size = 10, .hdr_len = 61, .csum_start = 34},
    };

    init();
    introduce_all();
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        make(0, 1, 60);
        out.net = bad[i];
        send(0);
        got_nothing_but(-1);
    }
    /* What means nothing without its flag is no contradiction, and does not travel. */
    make(0, 1, 60);
    out.net.flags = 0xfe;
    out.net.csum_start = 60000;
    out.net.csum_offset = 3;
    out.net.gso_size = 77;
    out.net.hdr_len = 999;
    out.net.num_buffers = 40;
    send(0);
    got_out(1);
    static const struct virtio_net_hdr_v1 clean = {0};
    assert_memory_equal(&in.net, &clean, sizeof(clean));
}

static void messages_about_bad_frames_are_limited(void **state)
{
    (void)state;
    init();
    for (int i = 0; i < 1000; i++) {
        send_frame(0, 0, 1, 13);
    }
    unsigned lines = 0;
    for (const char *at = said(); (at = strchr(at, '\n')) != NULL; at++) {
        lines++;
    }
    assert_int_equal(lines, 8);
}

/* ---- Offloads ---- */

static uint32_t sum16(uint32_t sum, const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
    }
    return sum;
}

static uint16_t folded(uint32_t sum)
{
    while (sum > 0xffff) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

static uint32_t pseudo_header(const uint8_t *ip, uint32_t length)
{
    return sum16(0, ip + 12, 8) + 6 + length;
}

/* A TCP segment of `payload` bytes over IPv4, with a partial checksum, in `out`. */
static void make_tcp(int source, int destination, uint32_t payload, uint16_t gso_size)
{
    uint32_t tcp_length = 20 + payload;
    uint8_t *ip = out.bytes + 14;
    uint8_t *tcp = ip + 20;

    make(source, destination, 14 + 20 + tcp_length);
    out.bytes[12] = 0x08;
    out.bytes[13] = 0x00;
    memset(ip, 0, 40);
    ip[0] = 0x45;
    ip[2] = (uint8_t)((20 + tcp_length) >> 8);
    ip[3] = (uint8_t)(20 + tcp_length);
    ip[8] = 64;
    ip[9] = 6;
    memcpy(ip + 12, "\x0a\x00\x00\x01\x0a\x00\x00\x02", 8);
    uint16_t check = (uint16_t)~folded(sum16(0, ip, 20));
    ip[10] = (uint8_t)(check >> 8);
    ip[11] = (uint8_t)check;
    tcp[7] = 100; /* the sequence number */
    tcp[12] = 0x50;
    tcp[13] = 0x18;
    uint16_t partial = folded(pseudo_header(ip, tcp_length));
    tcp[16] = (uint8_t)(partial >> 8);
    tcp[17] = (uint8_t)partial;
    out.net.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    out.net.csum_start = 34;
    out.net.csum_offset = 16;
    if (gso_size != 0) {
        out.net.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
        out.net.gso_size = gso_size;
        out.net.hdr_len = 54;
    }
}

/* `in` is a whole TCP segment: both checksums are right, and it wants nothing done. */
static void in_is_complete(uint32_t offset)
{
    const uint8_t *ip = in.bytes + offset;
    uint32_t length = (uint32_t)ip[2] << 8 | ip[3];

    assert_int_equal(in.net.flags, 0);
    assert_int_equal(in.net.gso_type, VIRTIO_NET_HDR_GSO_NONE);
    assert_int_equal(length, in.length - offset);
    assert_int_equal(folded(sum16(0, ip, 20)), 0xffff);
    assert_int_equal(folded(sum16(pseudo_header(ip, length - 20), ip + 20, length - 20)), 0xffff);
}

/* ---- Streams from outside are joined ---- */

#define SEGMENT 1000u /* bytes of payload */

/* The stream's frame with that number, from outside, whole; it is in `out` and in the ring. */
static void put_segment(uint32_t number, uint16_t vlan)
{
    uint8_t *ip = out.bytes + 14;
    uint8_t *tcp = ip + 20;

    make_tcp(100, 0, SEGMENT, 0);
    memset(&out.net, 0, sizeof(out.net));
    ip[5] = (uint8_t)number;
    ip[10] = ip[11] = 0;
    uint16_t check = (uint16_t)~folded(sum16(0, ip, 20));
    ip[10] = (uint8_t)(check >> 8);
    ip[11] = (uint8_t)check;
    tcp[6] = (uint8_t)(number * SEGMENT >> 8);
    tcp[7] = (uint8_t)(number * SEGMENT);
    tcp[13] = 0x10;
    memset(tcp + 20, (int)(number + 1), SEGMENT);
    tcp[16] = tcp[17] = 0;
    check = (uint16_t)~folded(sum16(pseudo_header(ip, 20 + SEGMENT), tcp, 20 + SEGMENT));
    tcp[16] = (uint8_t)(check >> 8);
    tcp[17] = (uint8_t)check;
    if (vlan != 0) {
        tag(vlan);
    }
    put_out(3);
}

static void put_stream(uint32_t count, uint16_t vlan)
{
    for (uint32_t i = 0; i < count; i++) {
        put_segment(i, vlan);
    }
}

/* The next record of port 0 is frames `first` to `last` of the stream, in one. */
static void got_joined(uint32_t first, uint32_t last)
{
    uint32_t count = last - first + 1;

    assert_true(take(0));
    assert_int_equal(in.length, 54 + count * SEGMENT);
    assert_int_equal(in.net.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
    assert_int_equal(in.net.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
    assert_int_equal(in.net.gso_size, SEGMENT);
    assert_int_equal(in.net.hdr_len, 54);
    assert_int_equal(in.net.csum_start, 34);
    assert_int_equal(in.net.csum_offset, 16);
    assert_int_equal(in.bytes[16] << 8 | in.bytes[17], 40 + count * SEGMENT);
    for (uint32_t i = 0; i < count * SEGMENT; i++) {
        assert_int_equal(in.bytes[54 + i], first + i / SEGMENT + 1);
    }
}

/* The next record of port 0 is one frame as it was sent, from the stream. */
static void got_segment(uint32_t number)
{
    assert_true(take(0));
    in_is_complete(14);
    assert_int_equal(in.length, 54 + SEGMENT);
    assert_int_equal(in.bytes[54], number + 1);
}

static void stream_from_outside_is_joined(void **state)
{
    (void)state;
    make_uplink();
    init();
    put_stream(5, 0);
    wake(3);
    got_joined(0, 4);
    got_nothing_but(-1);
    assert_int_equal(stats[3].sent_frames, 5);
    assert_int_equal(stats[3].sent_bytes, 5 * (54 + SEGMENT));
    assert_int_equal(stats[0].received_frames, 1);
    assert_int_equal(ring_space(&tx[3]), SIZE); /* all room is given back */
    put_segment(5, 0);                          /* what comes later has waited for nobody */
    wake(3);
    got_segment(5);
    put_segment(6, 0);
    wake(3);
    got_segment(6);
}

/* A whole that is as long as any, from more than the ring holds in one piece: none is lost. */
static void long_stream_arrives_in_order(void **state)
{
    (void)state;
    make_uplink();
    init();
    for (uint32_t round = 0; round < 20; round++) {
        uint32_t next = 0;

        put_stream(40, 0);
        wake(3);
        while (take(0)) {
            for (uint32_t at = 54; at < in.length; at += SEGMENT, next++) {
                assert_int_equal(in.bytes[at], next + 1);
                assert_int_equal(in.bytes[at + SEGMENT - 1], next + 1);
            }
        }
        assert_int_equal(next, 40);
    }
}

static void stream_is_joined_only_for_who_takes_it(void **state)
{
    (void)state;
    static const uint32_t lacking[] = {ALL & ~NET_PORT_TSO4, ALL & ~NET_PORT_CSUM, NET_PORT_UP};

    make_uplink();
    init();
    for (size_t i = 0; i < sizeof(lacking) / sizeof(lacking[0]); i++) {
        accept(0, lacking[i]);
        put_stream(3, 0);
        wake(3);
        for (uint32_t number = 0; number < 3; number++) {
            got_segment(number);
        }
        got_nothing_but(-1);
    }
}

/* Between machines nothing is joined: they have large segments if they want them. */
static void machines_streams_are_as_they_are(void **state)
{
    (void)state;
    init();
    introduce_all();
    put_stream(3, 0);
    wake(3);
    for (uint32_t number = 0; number < 3; number++) {
        got_segment(number);
    }
}

static void other_frames_end_a_run(void **state)
{
    (void)state;
    make_uplink();
    init();
    put_stream(2, 0);
    make(100, 0, 300);
    put_out(3);
    put_segment(2, 0);
    put_segment(3, 0);
    put_segment(9, 0); /* a gap */
    put_segment(4, 0);
    out.bytes[100] ^= 1; /* its checksum is wrong */
    put_out(3);
    wake(3);
    got_joined(0, 1);
    make(100, 0, 300);
    got_out(0);
    got_joined(2, 3);
    got_segment(9);
    got_segment(4);
    assert_true(take(0));
    got_nothing_but(-1);
}

/* Where a frame of the stream is, in a ring in which there has been nothing else. */
static uint8_t *record_of_segment(uint32_t number)
{
    uint32_t lines = (HEADER + 54 + SEGMENT + RING_RECORD_ALIGN - 1) / RING_RECORD_ALIGN;

    return from_region[3] + RING_HEADER_SIZE + (size_t)number * (lines + 1) * RING_RECORD_ALIGN +
           RING_RECORD_ALIGN;
}

/* Its driver says that the card has found the checksum right, or leaves it to somebody. */
static void drivers_word_is_taken_for_checksums(void **state)
{
    (void)state;
    make_uplink();
    init();
    put_segment(0, 0);
    put_segment(1, 0);
    record_of_segment(1)[0] = VIRTIO_NET_HDR_F_DATA_VALID;
    record_of_segment(1)[HEADER + 50] ^= 1; /* so that nobody else finds it right */
    put_segment(2, 0);
    record_of_segment(2)[0] = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    wake(3);
    got_joined(0, 1);
}

static void stream_on_a_vlan_is_joined(void **state)
{
    (void)state;
    make_uplink();
    make_vlans();
    init();
    put_stream(3, 10);
    put_stream(3, 30); /* which the port does not carry */
    wake(3);
    got_joined(0, 2);
    got_nothing_but(-1);
}

static void mirror_sees_what_was_joined(void **state)
{
    (void)state;
    make_uplink();
    config.mirror_port = 4;
    init();
    accept(4, NET_PORT_UP);
    put_stream(3, 0);
    wake(3);
    got_joined(0, 2);
    for (int i = 0; i < 3; i++) {
        assert_true(take(4));
        in_is_complete(14);
        assert_int_equal(in.bytes[54], i + 1);
    }
}

static void unfinished_frames_pass_between_those_that_take_them(void **state)
{
    (void)state;
    init();
    introduce_all();
    make_tcp(0, 1, 60000, 1448);
    send(0);
    got_out(1);
    assert_memory_equal(&in.net, &out.net, 10);
    make_tcp(0, 1, 100, 0);
    send(0);
    got_out(1);
    assert_memory_equal(&in.net, &out.net, 10);
}

static void checksum_is_completed_for_those_that_do_not(void **state)
{
    (void)state;
    init();
    introduce_all();
    accept(1, NET_PORT_UP);
    make_tcp(0, 1, 100, 0);
    send(0);
    assert_true(take(1));
    assert_int_equal(in.length, out.length);
    in_is_complete(14);
}

static void large_segment_is_cut_for_those_that_do_not(void **state)
{
    (void)state;
    init();
    introduce_all();
    accept(1, NET_PORT_UP);
    accept(2, NET_PORT_UP | NET_PORT_CSUM);
    make_tcp(0, -1, 3500, 1000);
    put_mac(out.bytes, -1);
    send(0);
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t payload = i < 3 ? 1000 : 500;

        assert_true(take(1));
        assert_int_equal(in.length, 54 + payload);
        in_is_complete(14);
        assert_memory_equal(in.bytes, out.bytes, 14);
        assert_memory_equal(in.bytes + 54, out.bytes + 54 + i * 1000, payload);
        uint32_t sequence = (uint32_t)in.bytes[38] << 24 | (uint32_t)in.bytes[39] << 16 |
                            (uint32_t)in.bytes[40] << 8 | in.bytes[41];
        assert_int_equal(sequence, 100 + i * 1000);
        assert_true(take(2));
        assert_int_equal(in.net.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
        assert_int_equal(in.net.gso_type, VIRTIO_NET_HDR_GSO_NONE);
    }
    got_nothing(1);
    got_nothing(2);
    got_out(3);
    got_out(4);
    assert_int_equal(counter("vm1", "out "), 4 + 4); /* and what introduced the others */
}

/* What goes to a receiver without segmentation is frames. Its sender's word on their size is one.
 */
static void check_segment_size(uint16_t mtu)
{
    static const uint32_t receivers[] = {NET_PORT_UP, NET_PORT_UP | NET_PORT_CSUM};
    const uint32_t most = mtu + 18u - 54u; /* that fills a frame */
    const struct {
        uint32_t size;
        bool passes;
        bool is_cut;
    } cases[] = {{1, false, false},        {200, true, true},         {mtu - 40u, true, true},
                 {most, true, true},       {most + 1, true, false},   {mtu, true, false},
                 {mtu + 1u, false, false}, {UINT16_MAX, false, false}};

    config.mtu = mtu;
    init();
    introduce_all();
    for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t size = cases[i / 2].size;
        uint32_t pieces = 0;

        accept(1, receivers[i % 2]);
        make_tcp(0, 1, 60000, (uint16_t)size);
        send(0);
        while (take(1)) {
            assert_in_range(in.length, 55, NET_FRAME_MAX(mtu));
            pieces++;
        }
        assert_int_equal(pieces, cases[i / 2].is_cut ? (60000 + size - 1) / size : 0);
        accept(1, ALL);
        send(0);
        assert_int_equal(take(1), cases[i / 2].passes);
    }
    assert_int_equal(counter("vm1", "not convertible "), 2 * 2);
    assert_int_equal(counter("vm0", "bad header "), 2 * 2);
    assert_int_equal(counter("vm0", "long "), 2 * 2 * 2);
}

static void segments_are_cut_to_no_more_than_a_frame(void **state)
{
    static const uint16_t mtus[] = {NET_MTU_MIN, 1500, NET_MTU_MAX};

    for (size_t i = 0; i < sizeof(mtus) / sizeof(mtus[0]); i++) {
        teardown(state);
        setup(state);
        check_segment_size(mtus[i]);
    }
}

static void offsets_follow_the_tag(void **state)
{
    (void)state;
    make_vlans();
    init();
    make_tcp(0, -1, 3000, 1000);
    put_mac(out.bytes, -1);
    send(0);
    assert_true(take(3));
    assert_int_equal(in.net.csum_start, 38);
    assert_int_equal(in.net.hdr_len, 58);
    tag(10);
    assert_memory_equal(in.bytes, out.bytes, out.length);
    /* And back. */
    out.net.csum_start = 38;
    out.net.hdr_len = 58;
    put_mac(out.bytes + 6, 3);
    take(1);
    send(3);
    assert_true(take(1));
    assert_int_equal(in.net.csum_start, 34);
    assert_int_equal(in.net.hdr_len, 54);
    assert_int_equal(in.length, out.length - 4);
    assert_memory_equal(in.bytes + 12, out.bytes + 16, in.length - 12);
    assert_true(take(0));
}

static void large_segment_is_cut_and_tagged(void **state)
{
    (void)state;
    make_vlans();
    init();
    accept(3, NET_PORT_UP);
    accept(0, NET_PORT_UP);
    make_tcp(1, -1, 2000, 1000);
    put_mac(out.bytes, -1);
    send(1);
    for (int i = 0; i < 2; i++) {
        assert_true(take(3));
        assert_int_equal(in.length, 58 + 1000);
        assert_memory_equal(in.bytes + 12, "\x81\x00\x00\x0a\x08\x00", 6);
        in_is_complete(18);
        assert_true(take(0));
        assert_int_equal(in.length, 54 + 1000);
        in_is_complete(14);
    }
    got_nothing(3);
    /* A tagged segment to access ports. */
    tag(10);
    put_mac(out.bytes + 6, 3);
    out.net.csum_start = 38;
    out.net.hdr_len = 58;
    send(3);
    for (int i = 0; i < 2; i++) {
        assert_true(take(0));
        assert_int_equal(in.length, 54 + 1000);
        in_is_complete(14);
    }
    got_nothing(0);
}

static void segment_of_another_protocol_is_dropped_for_those_that_need_it_cut(void **state)
{
    (void)state;
    init();
    introduce_all();
    accept(1, NET_PORT_UP);
    make_tcp(0, 1, 3000, 1000);
    out.bytes[23] = 17; /* UDP after all */
    send(0);
    got_nothing_but(-1);
    assert_int_equal(counter("vm1", "not convertible "), 1);
}

static void checksum_inside_the_tag_is_refused(void **state)
{
    (void)state;
    make_vlans();
    init();
    make_tcp(3, -1, 100, 0);
    tag(10);
    for (uint16_t start = 14; start < 18; start++) {
        out.net.csum_start = start;
        send(3);
    }
    got_nothing_but(-1);
    assert_int_equal(counter("vm3", "bad header "), 4);
}

/* Offsets to which a tag cannot be added: they would count from the frame's start again. */
static void offsets_do_not_wrap(void **state)
{
    (void)state;
    make_vlans();
    init();
    for (uint32_t offset = 0xffffu - 7; offset <= 0xffffu; offset++) {
        make_tcp(0, -1, 65549 - 54, 1448);
        put_mac(out.bytes, -1);
        out.net.csum_start = (uint16_t)offset;
        out.net.csum_offset = 2;
        out.net.hdr_len = 54;
        send(0);
        while (take(3)) {
            assert_true(in.net.csum_start == offset + 4);
        }
        make_tcp(0, -1, 65549 - 54, 1448);
        put_mac(out.bytes, -1);
        out.net.hdr_len = (uint16_t)offset;
        send(0);
        while (take(3)) {
            assert_true(in.net.hdr_len == offset + 4);
        }
        while (take(1)) {
        }
    }
    assert_int_equal(counter("vm0", "bad header "), 8);
}

/* ---- Receivers ---- */

static void receiver_that_is_down_gets_nothing(void **state)
{
    (void)state;
    init();
    introduce_all();
    accept(1, 0);
    send_frame(0, 0, 1, 60);
    send_frame(0, 0, -1, 60);
    got_nothing(1);
    assert_int_equal(counter("vm1", "receiver down "), 1);
    accept(1, NET_PORT_UP);
    send_frame(0, 0, 1, 60);
    got_out(1);
}

static void full_receiver_costs_only_its_own_frames(void **state)
{
    (void)state;
    init();
    introduce_all();
    for (int i = 0; i < 1000; i++) {
        send_frame(0, 0, -1, 1000);
        for (int port = 1; port < PORTS; port++) {
            if (port != 2) {
                got_out(port);
            }
        }
    }
    unsigned got = 0;
    while (take(2)) {
        got++;
    }
    assert_in_range(got, SIZE / 1200, SIZE / 1000);
    assert_int_equal(counter("vm2", "receiver full "), 1000 - got);
    send_frame(0, 0, 2, 1000);
    got_out(2);
}

/* A segment that is cut for a full receiver ends there, and each piece that it has got is whole. */
static void full_receiver_has_whole_pieces(void **state)
{
    (void)state;
    unsigned pieces = 0;

    init();
    introduce_all();
    accept(2, NET_PORT_UP);
    for (int i = 0; i < 200; i++) {
        make_tcp(0, 2, 3500, 1000);
        send(0);
    }
    for (; take(2); pieces++) {
        assert_int_equal(in.length, pieces % 4 < 3 ? 1054 : 554);
        in_is_complete(14);
    }
    assert_in_range(pieces, SIZE / 1100, SIZE / 1000);
    assert_int_not_equal(pieces % 4, 0); /* it was full in the midst of a segment */
    assert_int_equal(counter("vm2", "receiver full "), 200 - pieces / 4);
    send(0);
    for (pieces = 0; take(2); pieces++) {
        in_is_complete(14);
    }
    assert_int_equal(pieces, 4);
}

static void ring_too_small_for_a_large_segment(void **state)
{
    (void)state;
    to_region[1] = fresh_region(to_region[1], SMALL);
    from_region[1] = fresh_region(from_region[1], SMALL);
    ring_init(&rx[1], to_region[1], SMALL);
    ring_init(&tx[1], from_region[1], SMALL);
    config.ports[1].to_port = to_region[1];
    config.ports[1].from_port = from_region[1];
    config.ports[1].ring_size = SMALL;
    accept(1, ALL);
    init();
    introduce_all();
    make_tcp(0, 1, 60000, 1448);
    send(0);
    got_nothing_but(-1);
    send_frame(0, 0, 1, 1514);
    got_out(1);
}

static void sleeping_receiver_is_woken_once_per_batch(void **state)
{
    (void)state;
    init();
    introduce_all();
    unsigned before = fake_notified(CHANNEL + 1);
    assert_false(ring_await_data(&rx[1]));
    assert_false(ring_await_data(&rx[2]));
    for (int i = 0; i < 20; i++) {
        make(0, 1, 60);
        put_out(0);
    }
    wake(0);
    assert_int_equal(fake_notified(CHANNEL + 1), before + 1);
    assert_int_equal(fake_notified(CHANNEL + 2), 0);
    /* Awake, it is left alone. */
    send_frame(0, 0, 1, 60);
    assert_int_equal(fake_notified(CHANNEL + 1), before + 1);
}

static void sender_that_waits_for_room_is_woken(void **state)
{
    (void)state;
    init();
    make(0, 1, 1500);
    while (ring_reserve(&tx[0], HEADER + out.length) != NULL) {
        put_out(0);
    }
    assert_false(ring_await_space(&tx[0], HEADER + out.length));
    wake(0);
    assert_int_equal(fake_notified(CHANNEL), 1);
}

static void all_that_waits_is_served_and_senders_take_turns(void **state)
{
    (void)state;
    uint32_t got[PORTS] = {0};
    uint32_t total = 0, last_of_the_few = 0;

    for (int i = 0; i < 300; i++) {
        make(1, 0, 200);
        put_out(1);
    }
    for (int i = 0; i < 5; i++) {
        make(2, 0, 200);
        put_out(2);
    }
    init();
    while (take(0)) {
        int source = in.bytes[11];

        got[source]++;
        total++;
        if (source == 2) {
            last_of_the_few = total;
        }
    }
    assert_int_equal(got[1], 300);
    assert_int_equal(got[2], 5);
    assert_in_range(last_of_the_few, 5, 50);
}

/* What one frame is cut into counts, too: a few bytes can be hundreds of frames for the receiver.
 */
static void many_pieces_end_a_turn(void **state)
{
    (void)state;
    unsigned before = 0, last = 0;

    accept(1, NET_PORT_UP);
    for (int i = 0; i < 10; i++) {
        make_tcp(0, 1, 200, 2); /* 100 frames */
        put_out(0);
    }
    make(2, 1, 60);
    put_out(2);
    init();
    for (; take(1); before++) {
        if (in.bytes[11] == 2) {
            last = before;
        }
    }
    assert_int_equal(before, 1001);
    assert_int_equal(last, 200); /* two of 1 + 8 * 100 / 32 make a turn */
}

/* ---- Hostile peers ---- */

static void broken_ring_takes_its_port_down_and_no_other(void **state)
{
    (void)state;
    init();
    introduce_all();
    ((struct ring_shared *)from_region[0])->head += 0x12345678;
    notified(CHANNEL);
    assert_non_null(strstr(said(), "port vm0: its queue holds what cannot be"));
    notified(CHANNEL);
    assert_string_equal(said(), "");
    send_frame(1, 1, 0, 60);
    got_nothing(0);
    send_frame(1, 1, 2, 60);
    got_out(2);
    send_frame(1, 1, -1, 60);
    got_out(3);
    assert_true(counter("vm0 (down)", "in ") > 0);
}

static void receiver_that_breaks_its_ring_goes_down(void **state)
{
    (void)state;
    init();
    introduce_all();
    ((struct ring_shared *)to_region[1])->tail += 0x12345678;
    /* The room that was known of is used up first. */
    for (int i = 0; i < 2000; i++) {
        send_frame(0, 0, 1, 1000);
    }
    assert_non_null(strstr(said(), "port vm1: its queue"));
    send_frame(0, 0, 2, 60);
    got_out(2);
}

static void noise_from_a_port_is_contained(void **state)
{
    (void)state;
    init();
    introduce_all();
    srand(11);
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[256];
        uint32_t count = (uint32_t)rand() % sizeof(bytes);

        for (uint32_t i = 0; i < count; i++) {
            bytes[i] = (uint8_t)(rand() % 3 == 0 ? rand() : 0);
        }
        if (count >= 12) {
            bytes[0] = (uint8_t)(rand() % 3);
            bytes[1] = (uint8_t)(rand() % 6);
            bytes[7] = bytes[9] = 0;
        }
        if (count >= 26 && rand() % 4 != 0) {
            put_mac(bytes + 12, rand() % PORTS);
            put_mac(bytes + 18, 0);
            memcpy(bytes + 24, rand() % 2 == 0 ? "\x08\x00" : "\x86\xdd", 2);
        }
        accept(1 + rand() % (PORTS - 1), (uint32_t)rand() % 128);
        put_record(0, bytes, count);
        wake(0);
        for (int port = 1; port < PORTS; port++) {
            while (take(port)) {
            }
        }
    }
    for (int port = 1; port < PORTS; port++) {
        accept(port, ALL);
    }
    send_frame(1, 1, 2, 60);
    got_out(2);
}

/* ---- Configuration and counters ---- */

static void ports_that_cannot_be_stay_down(void **state)
{
    (void)state;
    config.ports[0].path = SWITCH_PATH_VHOST;
    config.ports[1].from_port = NULL;
    init();
    const char *text = said();
    assert_non_null(strstr(text, "port vm0: its guest's memory is not here"));
    assert_non_null(strstr(text, "port vm1: it has no rings"));
    send_frame(2, 2, -1, 60);
    got_nothing(0);
    got_nothing(1);
    got_out(3);
    got_out(4);
}

static void counters_add_up(void **state)
{
    (void)state;
    init();
    introduce_all();
    for (int i = 0; i < 10; i++) {
        send_frame(0, 0, 1, 100);
        take(1);
    }
    assert_int_equal(counter("vm0", "in "), 11);
    assert_int_equal(counter("vm0", "frames, "), 10 * 100 + 60);
    assert_int_equal(counter("vm1", "out "), 10 + PORTS - 1);
    notified(LOG);
    const char *text = said();
    for (int i = 0; i < PORTS; i++) {
        char start[40];
        snprintf(start, sizeof(start), "switch net0: port vm%d: in ", i);
        assert_non_null(strstr(text, start));
    }
}

static void counters_wait_for_room_in_the_log(void **state)
{
    (void)state;
    char all[8192] = "";

    log_region = fresh_region(log_region, SMALL);
    ring_init(&log_in, log_region, SMALL);
    config.log = log_region;
    config.log_size = SMALL;
    init();
    uint8_t filler[SMALL - 700];
    memset(filler, 'x', sizeof(filler));
    struct ring_shared *shared = (struct ring_shared *)log_region;
    assert_int_equal(shared->head, 0);
    for (int i = 0; i < 8; i++) {
        send_frame(0, 0, 1, 13); /* messages that take up room */
    }
    for (int i = 0; i < 20; i++) {
        notified(LOG);
        if (ring_space(&log_in) == 0) {
            break;
        }
        strncat(all, said(), sizeof(all) - strlen(all) - 1);
        if (!ring_take_space_wanted(&log_in)) {
            break;
        }
    }
    for (int i = 0; i < PORTS; i++) {
        char start[40];
        snprintf(start, sizeof(start), "switch net0: port vm%d: in ", i);
        assert_non_null(strstr(all, start));
    }
    assert_null(strstr(all, "lost"));
}

static void switch_without_a_log_works(void **state)
{
    (void)state;
    config.log = NULL;
    init();
    send_frame(0, 0, 1, 13);
    assert_non_null(strstr(fake.debug, "switch net0: port vm0"));
    send_frame(0, 0, 1, 60);
    got_out(1);
    notified(LOG);
    notified(61);
    notified(62);
}

/* ---- Limits ---- */

#define TIMER    61
#define RATE     1250000u /* 10 Mbit/s */
#define BURST_US 20000u
#define BURST    (RATE / 50)
#define LARGE    (64u << 10)

static _Alignas(4096) uint8_t limit_queue[RING_HEADER_SIZE + 0x80000];
static uint64_t deadline;    /* that the timer's driver has */
static unsigned limit_calls; /* calls for the sake of a limit, not of a pause */

static microkit_msginfo timer_call(microkit_channel ch, microkit_msginfo msginfo)
{
    assert_int_equal(ch, TIMER);
    assert_int_equal(microkit_msginfo_get_label(msginfo), TIMER_SET);
    assert_int_equal(microkit_msginfo_get_count(msginfo), 1);
    deadline = microkit_mr_get(0);
    assert_true(deadline > fake.counter);
    limit_calls += deadline > fake.counter + fake.frequency / 50000; /* no pause */
    return microkit_msginfo_new(0, 0);
}

static void begin_limited(void)
{
    fake.ppcall = timer_call;
    deadline = TIMER_NEVER;
    limit_calls = 0;
    memset(limit_queue, 0, sizeof(limit_queue));
    config.has_timer = true;
    config.timer_channel = TIMER;
    for (int i = 0; i < PORTS; i++) {
        config.ports[i].burst_us = BURST_US;
        config.ports[i].queue = limit_queue;
        config.ports[i].queue_size = 0x80000;
    }
    init();
    introduce_all();
    fake.counter += fake.frequency; /* which has been paid for by then */
    if (deadline != TIMER_NEVER) {
        deadline = TIMER_NEVER;
        notified(TIMER);
    }
    for (int i = 0; i < PORTS; i++) {
        while (take(i)) {
        }
    }
}

/* The next deadline, or `until` if that is sooner. Returns whether it was the deadline. */
static bool pass_time(uint64_t until)
{
    if (deadline > until) {
        fake.counter = until;
        return false;
    }
    fake.counter = deadline;
    deadline = TIMER_NEVER;
    notified(TIMER);
    return true;
}

/* A large segment of TCP, which both ends take as it is, in `out`. */
static void make_large(int source, int destination)
{
    make(source, destination, LARGE);
    out.net.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    out.net.csum_start = 34;
    out.net.csum_offset = 16;
    out.net.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
    out.net.gso_size = 1448;
    out.net.hdr_len = 54;
    memcpy(out.bytes + 12, "\x08\x00\x45", 3);
    out.bytes[23] = 6;
    out.bytes[46] = 0x50;
}

static bool room_for_out(int port)
{
    return ring_reserve(&tx[port], HEADER + out.length) != NULL;
}

/* Bytes that arrive at `to` in so many seconds while `from` has as many of `out` as it likes. */
static uint64_t bytes_of_flood(int from, int to, unsigned seconds)
{
    uint64_t until = fake.counter + seconds * fake.frequency;
    uint64_t bytes = 0;

    do {
        while (room_for_out(from)) {
            put_out(from);
        }
        wake(from);
        while (take(to)) {
            bytes += in.length;
        }
    } while (pass_time(until) || fake.counter < until);
    return bytes;
}

/*
 * A port that always has more does not keep the switch from notifications and calls: it pauses, and
 * goes on by itself.
 */
static void switch_pauses_while_a_port_has_more(void **state)
{
    (void)state;
    uint32_t got = 0;

    begin_limited();
    for (int i = 0; i < 1200; i++) {
        make(1, 0, 60);
        put_out(1);
    }
    wake(1);
    while (take(0)) {
        got++;
    }
    assert_in_range(got, 1, 600);
    assert_in_range(deadline, fake.counter + 1, fake.counter + fake.frequency / 10000);
    while (deadline != TIMER_NEVER) {
        pass_time(deadline);
        while (take(0)) {
            got++;
        }
    }
    assert_int_equal(got, 1200);
    send_frame(2, 2, 0, 60);
    got_out(0);
    assert_int_equal(deadline, TIMER_NEVER);
}

static void sender_has_its_rate_and_no_more(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {60, 61, 590, 1514, LARGE};

    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        setup(NULL);
        config.ports[0].send_rate = RATE;
        begin_limited();
        if (lengths[i] == LARGE) {
            make_large(0, 1);
        } else {
            make(0, 1, lengths[i]);
        }
        uint64_t bytes = bytes_of_flood(0, 1, 10);

        assert_in_range(bytes, 10 * RATE, 10 * RATE + BURST + lengths[i]);
        assert_in_range(limit_calls, 0, 10 * 2000 + 1);
    }
}

/* What is none of a frame costs its sender as much as the least frame, and an impossible length no
 * more than the largest. */
static void frames_of_nothing_count(void **state)
{
    (void)state;
    uint64_t until;

    config.ports[0].send_rate = RATE;
    begin_limited();
    until = fake.counter + fake.frequency;
    out.length = 0;
    do {
        while (room_for_out(0)) {
            put_out(0);
        }
        wake(0);
    } while (pass_time(until) || fake.counter < until);
    assert_in_range(counter("vm0", "in "), RATE / 60, (RATE + BURST) / 60 + 3);
}

/* In debt the switch takes nothing, and asks for nothing: what is sent then waits in its ring. */
static void limited_sender_is_held_up(void **state)
{
    (void)state;
    unsigned sent = 0, got = 0;

    config.ports[0].send_rate = RATE;
    begin_limited();
    make(0, 1, 1514);
    for (; room_for_out(0); sent++) {
        put_out(0);
    }
    wake(0);
    while (take(1)) {
        got++;
    }
    assert_int_equal(got, BURST / 1514 + 1);
    assert_false(ring_take_data_wanted(&tx[0]));
    notified(CHANNEL); /* a notification changes nothing */
    got_nothing(1);
    assert_true(deadline != TIMER_NEVER);
    while (got < sent) {
        assert_true(pass_time(fake.counter + fake.frequency));
        while (take(1)) {
            got++;
        }
    }
    got_nothing(1);
    pass_time(fake.counter + fake.frequency);
    put_out(0);
    assert_true(ring_take_data_wanted(&tx[0])); /* the debt is paid, and it asks again */
    assert_int_equal(counter("vm1", "receiver full "), 0);
}

static void sender_that_waits_for_room_is_woken_when_it_may_send(void **state)
{
    (void)state;

    config.ports[0].send_rate = RATE;
    begin_limited();
    make(0, 1, 1514);
    while (room_for_out(0)) {
        put_out(0);
    }
    wake(0);
    while (room_for_out(0)) {
        put_out(0);
    }
    assert_false(ring_await_space(&tx[0], HEADER + 1514));
    unsigned before = fake_notified(CHANNEL);

    while (fake_notified(CHANNEL) == before) {
        assert_true(pass_time(fake.counter + fake.frequency));
        while (take(1)) {
        }
    }
    assert_true(room_for_out(0));
}

static void limited_sender_holds_up_nobody_else(void **state)
{
    (void)state;

    config.ports[0].send_rate = RATE;
    begin_limited();
    make_large(0, 1);
    while (room_for_out(0)) {
        put_out(0);
    }
    wake(0);
    while (take(1)) {
    }
    uint64_t now = fake.counter;

    for (int i = 0; i < 1000; i++) {
        send_frame(2, 2, 1, 1514);
        got_out(1);
        send_frame(3, 3, 0, 1514); /* to the limited one as well */
        got_out(0);
    }
    assert_int_equal(fake.counter, now);
}

static void receiver_has_its_rate_and_no_more(void **state)
{
    (void)state;
    /* What is over the rate is forwarded and dropped: of small frames that is a lot in each second.
     */
    static const struct {
        uint32_t length;
        unsigned seconds;
    } floods[] = {{60, 1}, {1514, 1}, {LARGE, 10}};

    for (unsigned i = 0; i < sizeof(floods) / sizeof(floods[0]); i++) {
        uint32_t length = floods[i].length;
        unsigned seconds = floods[i].seconds;

        setup(NULL);
        config.ports[1].receive_rate = RATE;
        begin_limited();
        if (length == LARGE) {
            make_large(0, 1);
        } else {
            make(0, 1, length);
        }
        uint64_t bytes = bytes_of_flood(0, 1, seconds);

        assert_in_range(bytes, seconds * RATE - length, seconds * RATE + BURST + length);
        assert_in_range(limit_calls, 0, seconds * 2000 + 1);
        assert_true(counter("vm1", "over its limit ") != 0);
    }
}

/* Pieces wait as whole frames do. */
static void what_is_cut_for_a_limited_receiver_has_its_rate(void **state)
{
    (void)state;
    config.ports[1].receive_rate = RATE;
    begin_limited();
    accept(1, NET_PORT_UP);
    make_tcp(0, 1, 60000, 1448);
    assert_in_range(bytes_of_flood(0, 1, 10), 10 * RATE - 1500, 10 * RATE + BURST + 1500);
    assert_true(counter("vm1", "over its limit ") != 0);
}

/* What waits arrives in order, whole, and as late as the rate wants; the sender is not held up. */
static void frames_wait_for_a_limited_receiver(void **state)
{
    (void)state;
    enum { FRAMES = 80 };
    uint64_t begin;

    config.ports[1].receive_rate = RATE;
    begin_limited();
    begin = fake.counter;
    for (uint32_t i = 0; i < FRAMES; i++) {
        send_frame(0, 0, 1, 1000 + i);
        send_frame(0, 0, 2, 1000 + i);
        got_out(2);
    }
    for (uint32_t i = 0; i < FRAMES; i++) {
        uint64_t counted = stats[1].received_frames;

        while (!take(1)) {
            assert_int_equal(stats[1].received_frames, counted); /* not before it gets there */
            assert_true(pass_time(fake.counter + fake.frequency));
        }
        make(0, 1, 1000 + i);
        assert_int_equal(in.length, out.length);
        assert_memory_equal(in.bytes, out.bytes, out.length);
    }
    got_nothing(1);
    assert_int_equal(stats[1].received_frames, PORTS - 1 + FRAMES);
    assert_in_range((fake.counter - begin) * RATE / fake.frequency, 80 * 1000 - BURST,
                    80 * 1040 - BURST + 2000);
    /* And now there is no queue: what comes goes on at once. */
    fake.counter += fake.frequency;
    send_frame(0, 0, 1, 100);
    got_out(1);
}

/* Large segments and tags come out of the queue as they went in. */
static void what_waits_keeps_its_header(void **state)
{
    (void)state;
    static const uint16_t vlans[] = {10, 0};

    config.ports[0].access_vlan = 10;
    config.ports[1].trunk_vlans = vlans;
    config.ports[1].receive_rate = RATE;
    begin_limited();
    make_large(0, 1);
    send(0);
    assert_true(take(1));
    make_large(0, 1);
    send(0);
    got_nothing(1);
    assert_true(pass_time(fake.counter + fake.frequency));
    assert_true(take(1));
    assert_int_equal(in.length, LARGE + 4);
    assert_int_equal(in.net.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
    assert_int_equal(in.net.csum_start, 38);
    assert_memory_equal(in.bytes + 12, "\x81\x00\x00\x0a\x08\x00\x45", 7);
    assert_memory_equal(in.bytes + 18, out.bytes + 14, LARGE - 14);
}

static void receiver_that_begins_anew_gets_nothing_old_that_it_does_not_take(void **state)
{
    (void)state;
    static const uint32_t bits[] = {0, NET_PORT_UP};

    for (unsigned i = 0; i < 2; i++) {
        setup(NULL);
        config.ports[1].receive_rate = RATE;
        begin_limited();
        make_large(0, 1);
        send(0);
        assert_true(take(1));
        make_large(0, 1);
        send(0);
        make(0, 1, 100);
        send(0);
        accept(1, bits[i]);
        uint64_t counted = stats[1].received_frames;
        assert_true(pass_time(fake.counter + fake.frequency));
        assert_int_equal(stats[1].received_frames, counted + (bits[i] != 0));
        assert_true(take(1) == (bits[i] != 0));
        got_nothing(1);
        assert_int_equal(counter("vm1", "receiver down "), bits[i] == 0 ? 2 : 1);
    }
}

/* A receiver that takes nothing loses its own frames, also those that have waited. */
static void limited_receiver_that_is_full(void **state)
{
    (void)state;

    config.ports[1].receive_rate = RATE;
    begin_limited();
    make(0, 1, 1514);
    for (int i = 0; i < 1000; i++) {
        put_out(0);
        wake(0);
        for (int k = 0; k < 3; k++) {
            pass_time(fake.counter + fake.frequency / 100);
        }
        send_frame(2, 2, 3, 60);
        got_out(3);
        make(0, 1, 1514);
    }
    assert_true(counter("vm1", "receiver full ") > 500);
}

static void who_keeps_to_its_limit_needs_no_timer(void **state)
{
    (void)state;

    config.ports[0].send_rate = config.ports[0].receive_rate = RATE;
    begin_limited();
    unsigned before = fake.ppcalls[TIMER];

    for (int i = 0; i < 1000; i++) {
        fake.counter += fake.frequency / 500;
        send_frame(0, 0, 1, 1514);
        got_out(1);
        send_frame(1, 1, 0, 1514);
        got_out(0);
        send_frame(1, 1, 2, 1514); /* nor do others */
        got_out(2);
    }
    assert_int_equal(fake.ppcalls[TIMER], before);
    assert_int_equal(deadline, TIMER_NEVER);
}

static void limits_that_cannot_be(void **state)
{
    (void)state;

    config.ports[0].send_rate = RATE;
    config.ports[1].receive_rate = RATE;
    init();
    assert_non_null(strstr(said(), "port vm0: it has a limit, and there is no timer"));
    setup(NULL);
    config.ports[0].send_rate = RATE;
    config.ports[1].receive_rate = RATE;
    config.has_timer = true;
    config.timer_channel = TIMER;
    init();
    assert_non_null(strstr(said(), "port vm1: its limit has no queue"));
    send_frame(2, 2, -1, 60);
    got_out(0);
    got_nothing(1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static const struct CMUnitTest tests[] = {
    CASE(unknown_address_is_flooded),
    CASE(known_address_is_not),
    CASE(broadcast_and_multicast_reach_all),
    CASE(addresses_for_bridges_stay),
    CASE(address_ages),
    CASE(machine_that_moves_is_followed),
    CASE(frame_for_the_senders_own_side_stays),
    CASE(flood_of_sources_does_not_make_the_switch_forget),
    CASE(forbidden_ports_see_nothing),
    CASE(fixed_addresses_are_known_from_the_start),
    CASE(foreign_source_is_dropped),
    CASE(fixed_address_cannot_be_claimed_on_another_vlan),
    CASE(source_must_be_one_machines),
    CASE(fixed_ports_are_spared_strangers_frames),
    CASE(vlans_are_apart),
    CASE(trunk_frames_lose_their_tag_on_access_ports),
    CASE(same_address_on_two_vlans),
    CASE(foreign_tags_are_dropped),
    CASE(priority_tag_is_no_vlan),
    CASE(native_vlan_of_a_trunk_has_no_tag),
    CASE(ports_without_vlans_pass_tags),
    CASE(truncated_tag_is_dropped),
    CASE(stream_from_outside_is_joined),
    CASE(long_stream_arrives_in_order),
    CASE(stream_is_joined_only_for_who_takes_it),
    CASE(machines_streams_are_as_they_are),
    CASE(other_frames_end_a_run),
    CASE(drivers_word_is_taken_for_checksums),
    CASE(stream_on_a_vlan_is_joined),
    CASE(mirror_sees_what_was_joined),
    CASE(uplink_lets_in_what_is_for_somebody),
    CASE(uplink_gets_what_is_for_strangers),
    CASE(uplink_whose_driver_faults_goes_on),
    CASE(uplink_whose_driver_is_given_up_is_down),
    CASE(fault_of_nobody_is_ignored),
    CASE(forged_source_from_outside_is_dropped),
    CASE(uplink_carries_vlans_and_what_is_on_none),
    CASE(tags_of_those_on_no_vlan_stay_inside),
    CASE(second_tag_opens_no_vlan),
    CASE(second_tag_passes_behind_a_first),
    CASE(no_sequence_of_tags_leaves_its_vlan),
    CASE(flood_from_outside_is_limited),
    CASE(mirror_sees_everything_once),
    CASE(mirror_does_not_see_twice_what_is_its_own),
    CASE(mirror_sees_the_vlan),
    CASE(long_frames_keep_their_vlans),
    CASE(full_mirror_does_not_hold_up_others),
    CASE(lengths_are_checked),
    CASE(lengths_are_checked_by_the_mtu),
    CASE(records_without_a_frame_are_dropped),
    CASE(empty_record_at_the_rings_end),
    CASE(contradictory_headers_are_dropped),
    CASE(messages_about_bad_frames_are_limited),
    CASE(unfinished_frames_pass_between_those_that_take_them),
    CASE(checksum_is_completed_for_those_that_do_not),
    CASE(large_segment_is_cut_for_those_that_do_not),
    CASE(offsets_follow_the_tag),
    CASE(segments_are_cut_to_no_more_than_a_frame),
    CASE(large_segment_is_cut_and_tagged),
    CASE(segment_of_another_protocol_is_dropped_for_those_that_need_it_cut),
    CASE(checksum_inside_the_tag_is_refused),
    CASE(offsets_do_not_wrap),
    CASE(receiver_that_is_down_gets_nothing),
    CASE(full_receiver_costs_only_its_own_frames),
    CASE(full_receiver_has_whole_pieces),
    CASE(ring_too_small_for_a_large_segment),
    CASE(sleeping_receiver_is_woken_once_per_batch),
    CASE(sender_that_waits_for_room_is_woken),
    CASE(all_that_waits_is_served_and_senders_take_turns),
    CASE(switch_pauses_while_a_port_has_more),
    CASE(many_pieces_end_a_turn),
    CASE(broken_ring_takes_its_port_down_and_no_other),
    CASE(receiver_that_breaks_its_ring_goes_down),
    CASE(noise_from_a_port_is_contained),
    CASE(ports_that_cannot_be_stay_down),
    CASE(counters_add_up),
    CASE(counters_wait_for_room_in_the_log),
    CASE(switch_without_a_log_works),
    CASE(sender_has_its_rate_and_no_more),
    CASE(frames_of_nothing_count),
    CASE(limited_sender_is_held_up),
    CASE(sender_that_waits_for_room_is_woken_when_it_may_send),
    CASE(limited_sender_holds_up_nobody_else),
    CASE(receiver_has_its_rate_and_no_more),
    CASE(what_is_cut_for_a_limited_receiver_has_its_rate),
    CASE(frames_wait_for_a_limited_receiver),
    CASE(what_waits_keeps_its_header),
    CASE(receiver_that_begins_anew_gets_nothing_old_that_it_does_not_take),
    CASE(limited_receiver_that_is_full),
    CASE(who_keeps_to_its_limit_needs_no_timer),
    CASE(limits_that_cannot_be),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
