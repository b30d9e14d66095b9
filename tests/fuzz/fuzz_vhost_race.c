/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: switch/forward.c switch/convert.c switch/join.c switch/mac_table.c lib/token_bucket.c
 * SOURCES: lib/checksum.c
 * SOURCES: lib/virtqueue.c lib/net_header.c lib/net_buffers.c lib/net_filter.c lib/offload.c
 * SOURCES: tests/fuzz/silence.c
 * FLAGS: -fsanitize-coverage=trace-loads -Dmemcpy=raced_memcpy
 *
 * Two guests on `vhost` whose memory changes while the switch reads it: before a load or a copy
 * from there, as the input says when, some bytes become others, at that address or elsewhere in
 * these memories. So what the switch reads twice may be two things. A third guest does everything
 * right, and sees what comes of it: frames whose length is right and whose source address is their
 * sender's, in the buffers that it has offered, and no other change of its memory.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "input.h"

/* Its state lives as long as its PD; here it must not outlive an input. */
#include "switch/forward.h"
#include "switch/port_vhost.c"

#define RAM_GPA    0x40000000ull
#define RAM_SIZE   16384u
#define HOSTILE    2
#define HONEST     2
#define GUESTS     3
#define TURNS      32
#define QUEUE      4u /* buffers of the honest guest, */
#define BUFFER     (12u << 10)
#define DESC_AT    0x0u
#define AVAIL_AT   0x100u
#define USED_AT    0x200u
#define BUFFER_AT  0x1000u
#define HONEST_RAM (BUFFER_AT + QUEUE * BUFFER)

#define UNTRACED __attribute__((no_sanitize("coverage")))

/* Apart from each other, so that a step beyond the end of one is a report. */
static uint8_t first[RAM_SIZE] __attribute__((aligned(4096)));
static uint8_t second[RAM_SIZE] __attribute__((aligned(4096)));
static uint8_t *const ram[HOSTILE] = {first, second};
static uint8_t honest[HONEST_RAM] __attribute__((aligned(4096)));
static uint8_t before[HONEST_RAM];
static struct vhost_page pages[GUESTS];
static struct switch_port_config configs[GUESTS];
static struct port ports[GUESTS];
static struct stats_port stats[GUESTS];
static struct forward forward;
static uint16_t taken; /* of the honest guest's used ring */

/* ---- The race ---- */

static struct input *race; /* NULL: nothing changes now */
static uint32_t loads_left;

UNTRACED static bool lies_in(const uint8_t *at, uint32_t size, const uint8_t *memory)
{
    return at >= memory && at < memory + RAM_SIZE && size <= (size_t)(memory + RAM_SIZE - at);
}

UNTRACED static uint32_t take_race(void)
{
    uint32_t value = 0;

    if (race->left > 0) {
        value = race->bytes[0];
        race->bytes++;
        race->left--;
    }
    return value;
}

/* Somebody is about to read `size` bytes. */
UNTRACED static void load(const void *at, uint32_t size)
{
    uint8_t *bytes = (uint8_t *)(uintptr_t)at;
    uint32_t what;

    if (race == NULL || race->left < 2 ||
        !(lies_in(bytes, size, first) || lies_in(bytes, size, second)) || loads_left-- > 0) {
        return;
    }
    what = take_race();
    loads_left = what % 32u;
    if ((what & 0x80u) != 0) { /* elsewhere */
        bytes = ram[what >> 6 & 1u] + (take_race() << 8 | take_race()) % (RAM_SIZE - 16);
    }
    for (uint32_t count = 1 + (what >> 5 & 1u) * 7; count > 0 && race->left > 0; count--) {
        *bytes++ = (uint8_t)take_race();
    }
}

void *raced_memcpy(void *to, const void *from, size_t size)
{
    load(from, (uint32_t)size);
    return memmove(to, from, size);
}

/* What clang calls before each load of the code under test. The names are clang's. */
/* NOLINTBEGIN(bugprone-reserved-identifier) */
void __sanitizer_cov_load1(uint8_t *at);
void __sanitizer_cov_load2(uint16_t *at);
void __sanitizer_cov_load4(uint32_t *at);
void __sanitizer_cov_load8(uint64_t *at);
void __sanitizer_cov_load16(__int128 *at);
/* NOLINTEND(bugprone-reserved-identifier) */

UNTRACED void __sanitizer_cov_load1(uint8_t *at)
{
    load(at, 1);
}

UNTRACED void __sanitizer_cov_load2(uint16_t *at)
{
    load(at, 2);
}

UNTRACED void __sanitizer_cov_load4(uint32_t *at)
{
    load(at, 4);
}

UNTRACED void __sanitizer_cov_load8(uint64_t *at)
{
    load(at, 8);
}

UNTRACED void __sanitizer_cov_load16(__int128 *at)
{
    load(at, 16);
}

/* ---- The guests ---- */

static void open_port(uint8_t index, uint16_t mtu)
{
    struct port *port = &ports[index];

    memset(port, 0, sizeof(*port));
    memset(&pages[index], 0, sizeof(pages[index]));
    configs[index] = (struct switch_port_config){
        .name = "vm",
        .path = SWITCH_PATH_VHOST,
        .mac = {0x52, 0, 0, 0, 0, index},
        .mac_fixed = true,
        .may_reach = (1u << GUESTS) - 1,
        .vhost_page = &pages[index],
        .ram = index == HONEST ? honest : ram[index],
        .ram_gpa = RAM_GPA,
        .ram_size = index == HONEST ? HONEST_RAM : RAM_SIZE,
    };
    port->config = &configs[index];
    port->index = index;
    port->stats = &stats[index];
    port->mtu = mtu;
    port->mac = 0x52ull | (uint64_t)index << 40;
    port->reach = ((1u << GUESTS) - 1) & ~(1u << index);
    mac_table_reserve(&forward.table, index, MAC_TABLE_QUOTA);
    mac_table_add_static(&forward.table, port->mac, index);
    forward.static_ports |= 1u << index;
    forward.members[SWITCH_VLAN_NONE] |= 1u << index;
    forward.up |= 1u << index;
    if (port_vhost_attach(port) != NULL) {
        abort();
    }
}

static void require(bool what)
{
    if (!what) {
        abort();
    }
}

static uint16_t load16(uint32_t at)
{
    uint16_t value;

    memcpy(&value, honest + at, sizeof(value));
    return value;
}

static uint32_t load32(uint32_t at)
{
    uint32_t value;

    memcpy(&value, honest + at, sizeof(value));
    return value;
}

static void store16(uint32_t at, uint16_t value)
{
    memcpy(honest + at, &value, sizeof(value));
}

/* The honest guest's receive queue, all of whose buffers are offered. */
static void honest_begins(void)
{
    uint64_t start[1] = {1ull << VIRTIO_F_VERSION_1};
    uint64_t accepts[1] = {NET_PORT_UP};
    uint64_t rx[5] = {VHOST_RX, QUEUE, RAM_GPA + DESC_AT, RAM_GPA + AVAIL_AT, RAM_GPA + USED_AT};

    memset(honest, 0, sizeof(honest));
    taken = 0;
    for (uint16_t i = 0; i < QUEUE; i++) {
        struct vring_desc desc = {
            .addr = RAM_GPA + BUFFER_AT + i * BUFFER, .len = BUFFER, .flags = VRING_DESC_F_WRITE};

        memcpy(honest + DESC_AT + i * sizeof(desc), &desc, sizeof(desc));
        store16(AVAIL_AT + 4 + 2u * i, i);
    }
    store16(AVAIL_AT + 2, QUEUE);
    require(port_vhost_call(&ports[HONEST], VHOST_START, start, 1) == VHOST_OK);
    require(port_vhost_call(&ports[HONEST], VHOST_ACCEPTS, accepts, 1) == VHOST_OK);
    require(port_vhost_call(&ports[HONEST], VHOST_QUEUE, rx, 5) == VHOST_OK);
    memcpy(before, honest, sizeof(honest));
}

/* Look at all that has come, and offer the buffers once more. */
static void honest_looks(uint8_t sender)
{
    uint16_t used = load16(USED_AT + 2);
    uint16_t count = (uint16_t)(used - taken);

    require(count <= QUEUE && pages[HONEST].failed == 0);
    for (uint16_t i = 0; i < count; i++) {
        uint32_t at = USED_AT + 4 + 8 * ((taken + i) % QUEUE);
        uint32_t id = load32(at);
        uint32_t length = load32(at + 4);
        const uint8_t source[6] = {0x52, 0, 0, 0, 0, sender};
        uint8_t *buffer = honest + BUFFER_AT + id * BUFFER;

        require(id < QUEUE && length >= NET_HEADER + NET_FRAME_MIN &&
                length <= NET_HEADER + NET_FRAME_MAX(ports[HONEST].mtu));
        require(buffer[0] == 0 && buffer[1] == 0); /* it has no offloads: no flags, no gso_type */
        require(memcmp(buffer + NET_HEADER + 6, source, 6) == 0); /* nobody else's */
        memcpy(buffer, before + BUFFER_AT + id * BUFFER, length);
        store16(AVAIL_AT + 4 + 2u * ((QUEUE + taken + i) % QUEUE), (uint16_t)id);
    }
    taken = used;
    store16(AVAIL_AT + 2, (uint16_t)(QUEUE + used));
    /* The rings are as this guest has left them, and the switch's part of them. */
    memcpy(before + AVAIL_AT, honest + AVAIL_AT, BUFFER_AT - AVAIL_AT);
    require(memcmp(before, honest, sizeof(honest)) == 0);
}

static void serve(uint8_t guest, struct input *input)
{
    static struct frame frame;
    struct port *port = &ports[guest];

    race = input;
    loads_left = (uint32_t)take(input, 1) % 32u;
    for (int i = 0; i < TURNS && port->ops->peek(port, &frame); i++) {
        forward_frame(&forward, port, &frame, 1);
        port->ops->release(port);
    }
    port->ops->await(port);
    for (int i = 0; i < GUESTS; i++) {
        ports[i].ops->finish(&ports[i]);
    }
    race = NULL;
    honest_looks(guest);
}

static void begins(struct port *port, struct input *input)
{
    uint64_t start[1] = {take(input, 8) | 1ull << VIRTIO_F_VERSION_1};
    uint64_t accepts[1] = {take(input, 1) | NET_PORT_UP};
    uint64_t rx[5] = {VHOST_RX, 8, RAM_GPA, RAM_GPA + 0x100, RAM_GPA + 0x200};
    uint64_t tx[5] = {VHOST_TX, 8, RAM_GPA + 0x400, RAM_GPA + 0x500, RAM_GPA + 0x600};

    port_vhost_call(port, VHOST_START, start, 1);
    port_vhost_call(port, VHOST_ACCEPTS, accepts, 1);
    port_vhost_call(port, VHOST_QUEUE, rx, 5);
    port_vhost_call(port, VHOST_QUEUE, tx, 5);
}

/* A frame that a guest offers in proper form: for whom, how long, in how many pieces. */
static void offers(uint8_t guest, struct input *input)
{
    uint8_t *memory = ram[guest];
    uint8_t pieces = 1 + (uint8_t)take(input, 1) % 3;
    uint32_t length = NET_HEADER + 14 + (uint32_t)take(input, 2) % 9100;
    uint16_t avail;

    if (length > 10000) {
        length = 10000;
    }
    memset(memory + 0x1000, 0, NET_HEADER);
    memcpy(
        memory + 0x1000 + NET_HEADER,
        (uint8_t[]){0x52, 0, 0, 0, 0, (uint8_t)take(input, 1) % 4, 0x52, 0, 0, 0, 0, guest, 8, 0},
        14);
    for (uint8_t i = 0; i < pieces; i++) {
        uint32_t begin = length * i / pieces;
        struct vring_desc desc = {.addr = RAM_GPA + 0x1000 + begin,
                                  .len = length * (i + 1u) / pieces - begin,
                                  .flags = i + 1 < pieces ? VRING_DESC_F_NEXT : 0,
                                  .next = i + 1};

        memcpy(memory + 0x400 + i * sizeof(desc), &desc, sizeof(desc));
    }
    memcpy(&avail, memory + 0x502, 2);
    memset(memory + 0x504 + 2 * (avail % 8), 0, 2);
    avail++;
    memcpy(memory + 0x502, &avail, 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct input input = {bytes, size};

    memset(&forward, 0, sizeof(forward));
    memset(first, 0, sizeof(first));
    memset(second, 0, sizeof(second));
    mac_table_init(&forward.table, 0, 1);
    forward.ports = ports;
    uint16_t mtu = take(&input, 1) % 2 != 0 ? NET_MTU_MAX : NET_MTU;
    for (uint8_t i = 0; i < GUESTS; i++) {
        open_port(i, mtu);
    }
    honest_begins();
    while (input.left > 0) {
        uint8_t step = (uint8_t)take(&input, 1);
        uint8_t guest = step & 1u;
        uint32_t at;

        switch (step >> 1 & 3) {
        case 0:
            at = (uint32_t)take(&input, 2) % RAM_SIZE;
            for (uint32_t count = step >> 3; count > 0 && at < RAM_SIZE; count--) {
                ram[guest][at++] = (uint8_t)take(&input, 1);
            }
            break;
        case 1:
            begins(&ports[guest], &input);
            break;
        case 2:
            offers(guest, &input);
            break;
        default:
            serve(guest, &input);
        }
    }
    return 0;
}
