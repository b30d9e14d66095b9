/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: vmm/entropy.c lib/chacha20.c lib/virtqueue.c tests/fuzz/silence.c
 *
 * A guest that writes into its entropy device's registers and its own memory as it likes. Nothing
 * may be touched but the register page and the guest's memory, and every call must end.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "input.h"

/* Their state lives as long as their PD; here it must not outlive an input. */
#include "vmm/virtio/device.c"
#include "vmm/virtio/mmio.c"
#include "vmm/virtio/rng.c"

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

/* ---- The input: steps ---- */

static void guest_writes(uint64_t offset, uint64_t value, uint8_t width)
{
    struct mmio_access access = {.offset = offset, .width = width, .write = true, .value = value};

    (void)handler(&rng, &access);
}

/* The whole way to a running device, which an input would seldom find by itself. */
static void bring_up(struct input *input)
{
    const uint64_t features = rng.features & (take(input, 8) | 1ull << VIRTIO_F_VERSION_1);

    guest_writes(VIRTIO_MMIO_STATUS, 0, 4);
    guest_writes(VIRTIO_MMIO_STATUS, 3, 4);
    for (unsigned half = 0; half < 2; half++) {
        guest_writes(VIRTIO_MMIO_DRIVER_FEATURES_SEL, half, 4);
        guest_writes(VIRTIO_MMIO_DRIVER_FEATURES, features >> (32 * half) & UINT32_MAX, 4);
    }
    guest_writes(VIRTIO_MMIO_STATUS, 11, 4);
    guest_writes(VIRTIO_MMIO_QUEUE_SEL, 0, 4);
    guest_writes(VIRTIO_MMIO_QUEUE_NUM, QUEUE_SIZE, 4);
    guest_writes(VIRTIO_MMIO_QUEUE_DESC_LOW, RAM_GPA, 4);
    guest_writes(VIRTIO_MMIO_QUEUE_AVAIL_LOW, RAM_GPA + 256, 4);
    guest_writes(VIRTIO_MMIO_QUEUE_USED_LOW, RAM_GPA + 512, 4);
    guest_writes(VIRTIO_MMIO_QUEUE_READY, 1, 4);
    guest_writes(VIRTIO_MMIO_STATUS, 15, 4);
}

/* A buffer that lies in memory is offered, so that something is filled. */
static void offer(struct input *input)
{
    struct vring_desc *descs = (struct vring_desc *)(void *)ram;
    struct vring_avail *avail = (struct vring_avail *)(void *)(ram + 256);
    uint16_t head = (uint16_t)(take(input, 1) % QUEUE_SIZE);

    descs[head] = (struct vring_desc){.addr = RAM_GPA + take(input, 2) % RAM_SIZE,
                                      .len = (uint32_t)take(input, 2) % 2048,
                                      .flags = VRING_DESC_F_WRITE | (take(input, 1) & 1),
                                      .next = (uint16_t)take(input, 1)};
    avail->ring[avail->idx % QUEUE_SIZE] = head;
    avail->idx++;
}

static void step(struct input *input)
{
    switch (take(input, 1) % 6) {
    case 0:
        guest_writes(take(input, 2) % VIRTIO_MMIO_PAGE_SIZE & ~7u, take(input, 8),
                     (uint8_t)(1u << take(input, 1) % 4));
        break;
    case 1:
        bring_up(input);
        break;
    case 2:
        scribble(input, ram, RAM_SIZE);
        break;
    case 3:
        offer(input);
        break;
    default:
        guest_writes(VIRTIO_MMIO_QUEUE_NOTIFY, 0, 4);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct guest_memory memory = {ram, RAM_GPA, RAM_SIZE};
    const struct vmm_rng_config config = {.registers = page, .gpa = 0x0a014000, .intid = 68};
    struct input input = {data, size};

    memset(ram, 0, sizeof(ram));
    memset(page, 0, sizeof(page));
    memset(&rng, 0, sizeof(rng));
    devices = NULL;
    virtio_rng_init(&config, &memory);
    /* A kick may keep the device at work for as long as the rings go round: an input is short. */
    for (unsigned steps = 0; input.left > 0 && steps < 256; steps++) {
        step(&input);
    }
    return 0;
}
