/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The network card of a guest of our own, with one small queue each way. */

#include "guest.h"

#define BUS       0x0a000000UL /* virtio-mmio, a page per device */
#define BUS_PAGES 8

#define ID_NET 1u

#define RX         0
#define TX         1
#define NET_HEADER 12u /* struct virtio_net_hdr_v1 */

static volatile struct descriptor table[2][QUEUE_SIZE_USED] __attribute__((aligned(4096)));
static volatile struct avail avail[2] __attribute__((aligned(4096)));
static volatile struct used used[2] __attribute__((aligned(4096)));
static volatile uint8_t frame[128 * 1024] __attribute__((aligned(4096)));

static uintptr_t net; /* the card's registers */

static inline void reset(void)
{
    write32(net + STATUS, 0);
}

static inline void set_address(enum virtio_mmio where, uint64_t address)
{
    write32(net + where, (uint32_t)address);
    write32(net + where + 4, (uint32_t)(address >> 32));
}

static inline void negotiate(void)
{
    reset();
    write32(net + STATUS, ACKNOWLEDGE | DRIVER);
    write32(net + DRIVER_FEATURES_SEL, 0);
    write32(net + DRIVER_FEATURES, 1u << FEATURE_INDIRECT_DESC);
    write32(net + DRIVER_FEATURES_SEL, 1);
    write32(net + DRIVER_FEATURES, 1u << (FEATURE_VERSION_1 - 32));
    write32(net + STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK);
}

static inline void set_queue(unsigned queue, uint32_t size, uint64_t descriptors, uint64_t driver,
                             uint64_t device)
{
    write32(net + QUEUE_SEL, queue);
    write32(net + QUEUE_SIZE, size);
    set_address(QUEUE_DESC, descriptors);
    set_address(QUEUE_DRIVER, driver);
    set_address(QUEUE_DEVICE, device);
    write32(net + QUEUE_READY, 1);
}

static inline void clear_rings(void)
{
    for (unsigned queue = 0; queue < 2; queue++) {
        avail[queue].flags = 0;
        avail[queue].index = 0;
        used[queue].flags = 0;
        used[queue].index = 0;
    }
    for (size_t i = 0; i < NET_HEADER; i++) {
        frame[i] = 0;
    }
}

static inline void go(void)
{
    write32(net + STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
}

/* A card that works, with empty queues. */
static inline void start(void)
{
    negotiate();
    clear_rings();
    for (unsigned queue = 0; queue < 2; queue++) {
        set_queue(queue, QUEUE_SIZE_USED, (uintptr_t)table[queue], (uintptr_t)&avail[queue],
                  (uintptr_t)&used[queue]);
    }
    go();
}

static inline void describe(unsigned queue, unsigned slot, uint64_t address, uint32_t length,
                            uint16_t flags, uint16_t next)
{
    table[queue][slot].address = address;
    table[queue][slot].length = length;
    table[queue][slot].flags = flags;
    table[queue][slot].next = next;
}

static inline void offer(unsigned queue, uint16_t head)
{
    uint16_t index = avail[queue].index;

    avail[queue].ring[index % QUEUE_SIZE_USED] = head;
    __asm__ volatile("dmb sy" ::: "memory");
    avail[queue].index = (uint16_t)(index + 1);
    __asm__ volatile("dmb sy" ::: "memory");
    write32(net + QUEUE_NOTIFY, queue);
}

/* Wait until the device gives a buffer back (true) or stops (false); neither is `fallback`. */
static inline bool given_back(unsigned queue, uint16_t count, bool fallback)
{
    uint64_t end = now() + milliseconds(500);

    while (now() < end) {
        if (used[queue].index == count) {
            return true;
        }
        if ((read32(net + STATUS) & NEEDS_RESET) != 0) {
            return false;
        }
    }
    return fallback;
}

/* To all, from this card (its address is in its configuration space), of a type for experiments. */
static inline void ethernet_frame(void)
{
    for (unsigned i = 0; i < 6; i++) {
        frame[NET_HEADER + i] = 0xff;
        frame[NET_HEADER + 6 + i] = read8(net + CONFIG + i);
    }
    frame[NET_HEADER + 12] = 0x88;
    frame[NET_HEADER + 13] = 0xb5;
}

/* Find it on the bus. Whoever calls this passes over aborts. */
static inline bool find_card(void)
{
    for (unsigned page = 0; page < BUS_PAGES; page++) {
        uintptr_t device = BUS + page * 0x1000UL;

        if (read32(device + MAGIC) == VIRTIO_MAGIC && read32(device + DEVICE_ID) == ID_NET) {
            net = device;
            return true;
        }
    }
    return false;
}
