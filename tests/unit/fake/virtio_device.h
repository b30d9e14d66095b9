/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A virtio device of the board on the host, for unit tests of drivers: its virtio-mmio registers
 * (lib/virtio_registers.h) and the device's side of its queues. "Physical" addresses are the
 * host's pointers. The test plays what is particular to the kind of device: it pops chains, fills
 * them and pushes them, or misbehaves by writing into the rings itself.
 */

#include <stdbool.h>
#include <stdint.h>

#define FAKE_VIRTIO_REGISTERS 0xa003e00u
#define FAKE_VIRTIO_QUEUES    3
#define FAKE_VIRTIO_SEGMENTS  1024

struct fake_virtio_queue {
    uint32_t size_max;
    uint32_t size;
    bool ready;
    bool refused; /* the device will not have it enabled */
    uint64_t desc, avail, used;
    uint16_t next_avail, next_used;
    unsigned notified;
};

struct fake_virtio {
    uint32_t magic, version, id;
    uint64_t offered, accepted;
    uint32_t status, interrupts;
    uint32_t generation;
    uint32_t generation_step; /* added at each read of the generation */
    uint8_t config[256];
    bool refuses_features;
    bool never_stops;
    unsigned resets;
    uint32_t features_sel, driver_features_sel, queue_sel;
    struct fake_virtio_queue queue[FAKE_VIRTIO_QUEUES];
};

struct fake_virtio_chain {
    uint16_t head;
    unsigned readable, writable;
    uint32_t readable_bytes, writable_bytes;
    bool indirect;
    struct {
        uint8_t *data;
        uint32_t length;
    } segment[FAKE_VIRTIO_SEGMENTS];
};

extern struct fake_virtio fake_virtio;

/* A device of this kind after power-on, with queues of up to 256. */
void fake_virtio_reset(uint32_t id, uint64_t offered);

/* The next chain; checks that it obeys the rules of a driver. False if there is none. */
bool fake_virtio_pop(unsigned queue, struct fake_virtio_chain *chain);

/* Give it back; interrupts if the driver wants that, and says so. */
bool fake_virtio_push(unsigned queue, uint32_t head, uint32_t written);

/* The rings, to write nonsense into: the used ring's index, and an element of it. */
uint16_t *fake_virtio_used_index(unsigned queue);
uint32_t *fake_virtio_used_element(unsigned queue, uint16_t index);
