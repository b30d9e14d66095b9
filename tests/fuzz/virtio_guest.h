/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * For fuzzers of one virtio device: what the device stands on, and a guest that drives it with what
 * an input says. The fuzzer includes this and the device's file. No queue has more than 16
 * descriptors.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include "input.h"

/* Their state lives as long as their PD; here it must not outlive an input. */
#include "vmm/virtio/device.c"
#include "vmm/virtio/mmio.c"

#define RAM_GPA  0x40000000ull
#define RAM_SIZE 16384u

static uint8_t page[VIRTIO_MMIO_PAGE_SIZE] __attribute__((aligned(4096)));
static uint8_t ram[RAM_SIZE] __attribute__((aligned(4096)));

static mmio_handler handler;

/* ---- What the device stands on ---- */

bool mmio_attach_lazy(uint64_t gpa, uint64_t size, mmio_handler given, void *unused)
{
    (void)gpa;
    (void)size;
    (void)unused;
    handler = given;
    return true;
}

void vgic_set_level(uint32_t intid, bool asserted)
{
    (void)intid;
    (void)asserted;
}

uint64_t cpu_counter(void)
{
    static uint64_t counter;

    return counter += 31250;
}

uint64_t cpu_counter_frequency(void)
{
    return 62500000;
}

uint64_t pace_elapsed(void)
{
    return 0;
}

void pace_pause(uint64_t work)
{
    (void)work;
}

bool pace_pauses(void)
{
    return false;
}

/* ---- The guest ---- */

/* Forget what earlier guests did; the device's own state is for the fuzzer to forget. */
static void new_guest(void)
{
    memset(ram, 0, sizeof(ram));
    memset(page, 0, sizeof(page));
    devices = NULL;
}

static void guest_writes(struct virtio_device *device, uint64_t offset, uint64_t value,
                         uint8_t width)
{
    struct mmio_access access = {.offset = offset, .width = width, .write = true, .value = value};

    (void)handler(device, &access);
}

/* A queue's rings in the guest's memory: queue q has the q-th kilobyte. */
#define QUEUE_AT(queue) (1024u * (queue))
#define AVAIL_AT(queue) (QUEUE_AT(queue) + 256u)
#define USED_AT(queue)  (QUEUE_AT(queue) + 512u)

/* The whole way to a running device, which an input would seldom find by itself. */
static void bring_up(struct virtio_device *device, struct input *input)
{
    const uint64_t features = device->features & (take(input, 8) | 1ull << VIRTIO_F_VERSION_1);

    guest_writes(device, VIRTIO_MMIO_STATUS, 0, 4);
    guest_writes(device, VIRTIO_MMIO_STATUS, 3, 4);
    for (unsigned half = 0; half < 2; half++) {
        guest_writes(device, VIRTIO_MMIO_DRIVER_FEATURES_SEL, half, 4);
        guest_writes(device, VIRTIO_MMIO_DRIVER_FEATURES, features >> (32 * half) & UINT32_MAX, 4);
    }
    guest_writes(device, VIRTIO_MMIO_STATUS, 11, 4);
    for (uint32_t queue = 0; queue < device->ops->queue_count; queue++) {
        guest_writes(device, VIRTIO_MMIO_QUEUE_SEL, queue, 4);
        guest_writes(device, VIRTIO_MMIO_QUEUE_NUM, device->ops->queue_size_max[queue], 4);
        guest_writes(device, VIRTIO_MMIO_QUEUE_DESC_LOW, RAM_GPA + QUEUE_AT(queue), 4);
        guest_writes(device, VIRTIO_MMIO_QUEUE_AVAIL_LOW, RAM_GPA + AVAIL_AT(queue), 4);
        guest_writes(device, VIRTIO_MMIO_QUEUE_USED_LOW, RAM_GPA + USED_AT(queue), 4);
        guest_writes(device, VIRTIO_MMIO_QUEUE_READY, 1, 4);
    }
    guest_writes(device, VIRTIO_MMIO_STATUS, 15, 4);
}

/* A buffer that lies in memory is offered, so that something is filled. */
static void offer(struct virtio_device *device, uint32_t queue, struct input *input)
{
    uint16_t size = device->ops->queue_size_max[queue];
    struct vring_desc *descs = (struct vring_desc *)(void *)(ram + QUEUE_AT(queue));
    struct vring_avail *avail = (struct vring_avail *)(void *)(ram + AVAIL_AT(queue));
    uint16_t head = (uint16_t)(take(input, 1) % size);

    descs[head] =
        (struct vring_desc){.addr = RAM_GPA + take(input, 2) % RAM_SIZE,
                            .len = (uint32_t)take(input, 2) % 2048,
                            .flags = (uint16_t)(VRING_DESC_F_WRITE | (take(input, 1) & 1)),
                            .next = (uint16_t)take(input, 1)};
    avail->ring[avail->idx % size] = head;
    avail->idx++;
}

/* Anything into any register. */
static void guest_scribbles(struct virtio_device *device, struct input *input)
{
    uint64_t offset = take(input, 2) % VIRTIO_MMIO_PAGE_SIZE & ~7u;
    uint64_t value = take(input, 8);

    guest_writes(device, offset, value, (uint8_t)(1u << take(input, 1) % 4));
}
