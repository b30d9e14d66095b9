/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * For fuzzers of one virtio device: what the device stands on, and a guest that drives it with what
 * an input says. The fuzzer includes this and the device's file. No queue gets more than 16
 * descriptors.
 *
 * After each write of the guest's, the registers are looked at: what virtio 1.2 says of them
 * (4.2.2, 2.1, 2.2.2, 2.4) holds, whatever the guest has written before. Nothing changes in its
 * memory while the device does not run.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
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
static bool line; /* of the interrupt */

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
    line = asserted;
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
    line = false;
}

static uint32_t reads_as(uint32_t offset)
{
    return *(const volatile uint32_t *)(const void *)(page + offset);
}

static __attribute__((noinline)) void demand(bool holds)
{
    if (!holds) {
        abort();
    }
}

static bool has_started(uint32_t status)
{
    return (status & (VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_NEEDS_RESET |
                      VIRTIO_CONFIG_S_FAILED)) == VIRTIO_CONFIG_S_DRIVER_OK;
}

/* What holds at any time. */
static void check_registers(const struct virtio_device *device)
{
    uint32_t status = reads_as(VIRTIO_MMIO_STATUS);

    demand(reads_as(VIRTIO_MMIO_MAGIC_VALUE) == 0x74726976 && reads_as(VIRTIO_MMIO_VERSION) == 2);
    demand(reads_as(VIRTIO_MMIO_DEVICE_ID) == device->ops->id);
    demand((status & VIRTIO_CONFIG_S_DRIVER_OK) == 0 ||
           (status & VIRTIO_CONFIG_S_FEATURES_OK) != 0);
    demand((status & VIRTIO_CONFIG_S_FEATURES_OK) == 0 ||
           (device->driver_features & ~device->features) == 0);
    demand(line == (reads_as(VIRTIO_MMIO_INTERRUPT_STATUS) != 0));
    demand((reads_as(VIRTIO_MMIO_INTERRUPT_STATUS) &
            ~(uint32_t)(VIRTIO_MMIO_INT_VRING | VIRTIO_MMIO_INT_CONFIG)) == 0);
}

/* `value` has been written to Status, which was `before`. */
static void check_status(uint32_t before, uint32_t value)
{
    uint32_t status = reads_as(VIRTIO_MMIO_STATUS);

    if (value == 0) { /* NEEDS_RESET: it is not over yet */
        demand((status & ~(uint32_t)VIRTIO_CONFIG_S_NEEDS_RESET) == 0);
        demand(reads_as(VIRTIO_MMIO_QUEUE_READY) == 0 && !line);
        return;
    }
    demand((before & ~status & ~(uint32_t)VIRTIO_CONFIG_S_NEEDS_RESET) == 0);
    demand((status & ~(before | value | VIRTIO_CONFIG_S_NEEDS_RESET)) == 0);
}

/* What that write has changed, and what it has not. `before` is the page's words. */
static void check_write(const struct virtio_device *device, const uint32_t *before, uint64_t offset,
                        uint32_t value)
{
    uint32_t status = reads_as(VIRTIO_MMIO_STATUS), was = before[VIRTIO_MMIO_STATUS / 4];
    bool any = offset == VIRTIO_MMIO_STATUS;

    if (any) {
        check_status(was, value);
    } else {
        demand((was & ~status & ~(uint32_t)VIRTIO_CONFIG_S_NEEDS_RESET) == 0);
        demand((status & ~(was | VIRTIO_CONFIG_S_NEEDS_RESET)) == 0);
    }
    if (offset == VIRTIO_MMIO_QUEUE_SEL) {
        demand(reads_as(VIRTIO_MMIO_QUEUE_NUM_MAX) ==
               (value < device->ops->queue_count ? device->ops->queue_size_max[value] : 0));
    } else if (offset == VIRTIO_MMIO_QUEUE_READY) {
        demand(reads_as(VIRTIO_MMIO_QUEUE_READY) <= 1);
        demand(value != 0 || reads_as(VIRTIO_MMIO_QUEUE_READY) == 0);
        demand(reads_as(VIRTIO_MMIO_QUEUE_READY) == before[VIRTIO_MMIO_QUEUE_READY / 4] ||
               value == 0 || (was & VIRTIO_CONFIG_S_FEATURES_OK) != 0);
    } else if (offset == VIRTIO_MMIO_DEVICE_FEATURES_SEL) {
        demand(reads_as(VIRTIO_MMIO_DEVICE_FEATURES) ==
               (value < 2 ? (uint32_t)(device->features >> (32 * value)) : 0));
    } else if (!any) {
        demand(reads_as(VIRTIO_MMIO_QUEUE_READY) == before[VIRTIO_MMIO_QUEUE_READY / 4]);
    }
}

static void guest_writes(struct virtio_device *device, uint64_t offset, uint64_t value,
                         uint8_t width)
{
    static uint32_t words[VIRTIO_MMIO_PAGE_SIZE / 4];
    static uint8_t memory[RAM_SIZE];
    struct mmio_access access = {.offset = offset, .width = width, .write = true, .value = value};
    bool starts = offset == VIRTIO_MMIO_STATUS && (value & VIRTIO_CONFIG_S_DRIVER_OK) != 0;
    bool started = starts || has_started(reads_as(VIRTIO_MMIO_STATUS));

    memcpy(words, page, sizeof(words));
    if (!started) {
        memcpy(memory, ram, sizeof(memory));
    }
    (void)handler(device, &access);
    check_registers(device);
    if (width == 4 && offset < VIRTIO_MMIO_CONFIG) {
        check_write(device, words, offset, (uint32_t)value);
    }
    demand(started || has_started(reads_as(VIRTIO_MMIO_STATUS)) ||
           memcmp(memory, ram, sizeof(memory)) == 0);
}

static uint16_t size_of_queue(const struct virtio_device *device, uint32_t queue)
{
    uint16_t size = device->ops->queue_size_max[queue];

    return size < 16 ? size : 16;
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
        guest_writes(device, VIRTIO_MMIO_QUEUE_NUM, size_of_queue(device, queue), 4);
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
    uint16_t size = size_of_queue(device, queue);
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

/* Anything into any register; or something likely into one that there is. */
static void guest_scribbles(struct virtio_device *device, struct input *input)
{
    static const uint16_t registers[] = {
        VIRTIO_MMIO_STATUS,          VIRTIO_MMIO_STATUS,          VIRTIO_MMIO_QUEUE_SEL,
        VIRTIO_MMIO_QUEUE_READY,     VIRTIO_MMIO_DRIVER_FEATURES, VIRTIO_MMIO_DRIVER_FEATURES_SEL,
        VIRTIO_MMIO_QUEUE_NUM,       VIRTIO_MMIO_INTERRUPT_ACK,   VIRTIO_MMIO_DEVICE_FEATURES_SEL,
        VIRTIO_MMIO_QUEUE_DESC_HIGH, VIRTIO_MMIO_QUEUE_NOTIFY};
    uint64_t offset = take(input, 2);

    if (offset & 0x8000) {
        offset = registers[offset % (sizeof(registers) / sizeof(registers[0]))];
        guest_writes(device, offset, take(input, 1), 4);
    } else {
        uint64_t value = take(input, 8);

        guest_writes(device, offset % VIRTIO_MMIO_PAGE_SIZE & ~7u, value,
                     (uint8_t)(1u << take(input, 1) % 4));
    }
}
