/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: switch/forward.c switch/convert.c switch/join.c switch/mac_table.c lib/token_bucket.c
 * SOURCES: lib/checksum.c
 * SOURCES: lib/virtqueue.c lib/net_header.c lib/net_buffers.c lib/net_filter.c lib/offload.c
 * SOURCES: tests/fuzz/silence.c
 *
 * Two guests on one switch by the data path `vhost`, each of which writes into its own memory what
 * it likes, with monitors that call as they like. Nothing may be touched but the guests' memories
 * and pages; the second guest's memory changes only where it has offered buffers itself, so that
 * with its receive queue never handed over it does not change at all.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "input.h"

/* Its state lives as long as its PD; here it must not outlive an input. */
#include "switch/forward.h"
#include "switch/port_vhost.c"

#define RAM_GPA  0x40000000ull
#define RAM_SIZE 16384u
#define GUESTS   2
#define TURNS    64 /* frames that are taken at most at a time, so that every input ends */

static uint8_t ram[GUESTS][RAM_SIZE] __attribute__((aligned(4096)));
static uint8_t bystander[RAM_SIZE];
static struct vhost_page pages[GUESTS];
static struct switch_port_config configs[GUESTS];
static struct port ports[GUESTS];
static struct stats_port stats[GUESTS];
static struct forward forward;

static void open_port(uint8_t index, uint16_t mtu)
{
    struct port *port = &ports[index];

    memset(port, 0, sizeof(*port));
    memset(&pages[index], 0, sizeof(pages[index]));
    configs[index] = (struct switch_port_config){
        .name = "vm",
        .path = SWITCH_PATH_VHOST,
        .mac = {0x52},
        .may_reach = 3,
        .vhost_page = &pages[index],
        .ram = ram[index],
        .ram_gpa = RAM_GPA,
        .ram_size = RAM_SIZE,
    };
    port->config = &configs[index];
    port->index = index;
    port->stats = &stats[index];
    port->mtu = mtu;
    port->reach = 3u & ~(1u << index);
    mac_table_reserve(&forward.table, index, MAC_TABLE_QUOTA);
    forward.members[SWITCH_VLAN_NONE] |= 1u << index;
    forward.up |= 1u << index;
    if (port_vhost_attach(port) != NULL) {
        abort();
    }
}

static void serve(struct port *port)
{
    static struct frame frame;

    for (int i = 0; i < TURNS && port->ops->peek(port, &frame); i++) {
        forward_frame(&forward, port, &frame, 1);
        port->ops->release(port);
    }
    port->ops->await(port);
    ports[0].ops->finish(&ports[0]);
    ports[1].ops->finish(&ports[1]);
}

static void calls(struct port *port, struct input *input, bool may_receive)
{
    uint64_t label = take(input, 1) % 8;
    uint64_t words[5];

    for (int i = 0; i < 5; i++) {
        words[i] = take(input, i < 2 ? 2 : 3) + (i < 2 ? 0 : RAM_GPA);
    }
    if (label == VHOST_START || label == VHOST_ACCEPTS || label == VHOST_COMMAND) {
        words[0] = take(input, 8);
    }
    if (label == VHOST_QUEUE && !may_receive && words[0] == VHOST_RX) {
        words[0] = VHOST_TX;
    }
    port_vhost_call(port, label, words, (uint32_t)take(input, 1) % 6);
}

/* A start in proper form, so that not every input has to find it. */
static void begins(struct port *port, struct input *input)
{
    uint64_t start[1] = {take(input, 8)};
    uint64_t accepts[1] = {take(input, 1) | NET_PORT_UP};
    uint64_t rx[5] = {VHOST_RX, 8, RAM_GPA, RAM_GPA + 0x100, RAM_GPA + 0x200};
    uint64_t tx[5] = {VHOST_TX, 8, RAM_GPA + 0x400, RAM_GPA + 0x500, RAM_GPA + 0x600};

    port_vhost_call(port, VHOST_START, start, 1);
    port_vhost_call(port, VHOST_ACCEPTS, accepts, 1);
    if (port->index == 0) {
        port_vhost_call(port, VHOST_QUEUE, rx, 5);
    }
    port_vhost_call(port, VHOST_QUEUE, tx, 5);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct input input = {bytes, size};

    memset(&forward, 0, sizeof(forward));
    memset(ram, 0, sizeof(ram));
    mac_table_init(&forward.table, 0, 1);
    forward.ports = ports;
    uint16_t mtu = take(&input, 1) % 2 != 0 ? NET_MTU_MAX : NET_MTU;
    open_port(0, mtu);
    open_port(1, mtu);
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
            calls(&ports[guest], &input, guest == 0);
            break;
        default:
            memcpy(bystander, ram[1], RAM_SIZE);
            serve(&ports[0]); /* the second guest sends nothing meanwhile, and receives nothing */
            if (memcmp(bystander, ram[1], RAM_SIZE) != 0) {
                abort();
            }
            serve(&ports[guest]);
        }
    }
    return 0;
}
