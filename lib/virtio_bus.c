/* SPDX-License-Identifier: BSD-2-Clause */

#include "virtio_bus.h"

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <stddef.h>
#include "cpu.h"
#include "virtio_registers.h"

/* A device stops within microseconds, or not at all. */
#define RESET_READS 1000000u

/* A queue of fewer descriptors is of no use to any driver here. */
#define QUEUE_SIZE_MIN 4u

#define GENERATION_TRIES 16u

static void add_status(uintptr_t registers, uint32_t bit)
{
    virtio_write32(registers, VIRTIO_MMIO_STATUS,
                   virtio_read32(registers, VIRTIO_MMIO_STATUS) | bit);
}

static const char *find(uintptr_t registers, uint32_t id)
{
    if (virtio_read32(registers, VIRTIO_MMIO_MAGIC_VALUE) != VIRTIO_MMIO_MAGIC) {
        return "there is no virtio-mmio slot at its address";
    }
    if (virtio_read32(registers, VIRTIO_MMIO_DEVICE_ID) == 0) {
        return "there is no device in its slot";
    }
    if (virtio_read32(registers, VIRTIO_MMIO_VERSION) != VIRTIO_MMIO_VERSION_MODERN) {
        return "its interface is the legacy one (QEMU: -global virtio-mmio.force-legacy=false)";
    }
    if (virtio_read32(registers, VIRTIO_MMIO_DEVICE_ID) != id) {
        return "there is a device of another kind in its slot";
    }
    return NULL;
}

static uint64_t offered(uintptr_t registers)
{
    uint64_t features = 0;

    for (uint32_t i = 0; i < 2; i++) {
        virtio_write32(registers, VIRTIO_MMIO_DEVICE_FEATURES_SEL, i);
        features |= (uint64_t)virtio_read32(registers, VIRTIO_MMIO_DEVICE_FEATURES) << (32 * i);
    }
    return features;
}

static void accept(uintptr_t registers, uint64_t features)
{
    for (uint32_t i = 0; i < 2; i++) {
        virtio_write32(registers, VIRTIO_MMIO_DRIVER_FEATURES_SEL, i);
        virtio_write32(registers, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> (32 * i)));
    }
}

const char *virtio_bus_negotiate(uintptr_t registers, uint32_t id, uint64_t wanted,
                                 uint64_t required, uint64_t *features)
{
    const char *cause = find(registers, id);

    if (cause != NULL) {
        return cause;
    }
    if (!virtio_bus_reset(registers)) {
        return "the device does not stop when reset";
    }
    add_status(registers, VIRTIO_CONFIG_S_ACKNOWLEDGE);
    add_status(registers, VIRTIO_CONFIG_S_DRIVER);
    *features = offered(registers) & wanted;
    if ((*features & required) != required) {
        add_status(registers, VIRTIO_CONFIG_S_FAILED);
        return "the device lacks a feature that is needed";
    }
    accept(registers, *features);
    add_status(registers, VIRTIO_CONFIG_S_FEATURES_OK);
    if ((virtio_read32(registers, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK) == 0) {
        add_status(registers, VIRTIO_CONFIG_S_FAILED);
        return "the device refuses the choice of features";
    }
    return NULL;
}

uint16_t virtio_bus_queue_size(uintptr_t registers, uint32_t index, uint16_t wanted)
{
    uint32_t size_max;
    uint16_t size = wanted;

    virtio_write32(registers, VIRTIO_MMIO_QUEUE_SEL, index);
    size_max = virtio_read32(registers, VIRTIO_MMIO_QUEUE_NUM_MAX);
    while (size > size_max) {
        size /= 2;
    }
    return size;
}

static void write_address(uintptr_t registers, uint32_t low, uint32_t high, uint64_t address)
{
    virtio_write32(registers, low, (uint32_t)address);
    virtio_write32(registers, high, (uint32_t)(address >> 32));
}

const char *virtio_bus_add_queue(uintptr_t registers, uint32_t index,
                                 const struct vring_driver *queue)
{
    virtio_write32(registers, VIRTIO_MMIO_QUEUE_SEL, index);
    if (virtio_read32(registers, VIRTIO_MMIO_QUEUE_READY) != 0) {
        return "a queue is in use already";
    }
    virtio_write32(registers, VIRTIO_MMIO_QUEUE_NUM, queue->size);
    write_address(registers, VIRTIO_MMIO_QUEUE_DESC_LOW, VIRTIO_MMIO_QUEUE_DESC_HIGH,
                  queue->desc_paddr);
    write_address(registers, VIRTIO_MMIO_QUEUE_AVAIL_LOW, VIRTIO_MMIO_QUEUE_AVAIL_HIGH,
                  queue->avail_paddr);
    write_address(registers, VIRTIO_MMIO_QUEUE_USED_LOW, VIRTIO_MMIO_QUEUE_USED_HIGH,
                  queue->used_paddr);
    cpu_device_barrier(); /* the rings are in memory before the device may look */
    virtio_write32(registers, VIRTIO_MMIO_QUEUE_READY, 1);
    return virtio_read32(registers, VIRTIO_MMIO_QUEUE_READY) == 1 ? NULL
                                                                  : "the device refuses a queue";
}

const char *virtio_bus_open_queue(uintptr_t registers, uint32_t index, struct vring_driver *queue,
                                  uint16_t size_max, uint16_t indirect_max, uint64_t features,
                                  void *memory, uint64_t paddr, uint64_t room)
{
    uint16_t size = virtio_bus_queue_size(registers, index, size_max);

    if (size < QUEUE_SIZE_MIN) {
        return "its queue is too small";
    }
    if (vring_driver_bytes(size, indirect_max) > room) {
        return "the region shared with it is too small";
    }
    vring_driver_init(queue, memory, paddr, size, indirect_max, features);
    return virtio_bus_add_queue(registers, index, queue);
}

void virtio_bus_start(uintptr_t registers)
{
    add_status(registers, VIRTIO_CONFIG_S_DRIVER_OK);
}

bool virtio_bus_reset(uintptr_t registers)
{
    virtio_write32(registers, VIRTIO_MMIO_STATUS, 0);
    for (uint32_t i = 0; i < RESET_READS; i++) {
        if (virtio_read32(registers, VIRTIO_MMIO_STATUS) == 0) {
            return true;
        }
    }
    return false;
}

bool virtio_bus_needs_reset(uintptr_t registers)
{
    return (virtio_read32(registers, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET) != 0;
}

void virtio_bus_notify(uintptr_t registers, uint32_t index)
{
    cpu_device_barrier();
    virtio_write32(registers, VIRTIO_MMIO_QUEUE_NOTIFY, index);
}

uint32_t virtio_bus_take_interrupts(uintptr_t registers)
{
    uint32_t interrupts = virtio_read32(registers, VIRTIO_MMIO_INTERRUPT_STATUS);

    if (interrupts != 0) {
        virtio_write32(registers, VIRTIO_MMIO_INTERRUPT_ACK, interrupts);
    }
    cpu_device_barrier(); /* what the device has written before it interrupted is read after */
    return interrupts;
}

static uint32_t config_generation(uintptr_t registers)
{
    return virtio_read32(registers, VIRTIO_MMIO_CONFIG_GENERATION);
}

const char *virtio_bus_read_config(uintptr_t registers, void (*read)(void *to), void *to)
{
    for (unsigned tries = 0; tries < GENERATION_TRIES; tries++) {
        uint32_t generation = config_generation(registers);

        read(to);
        if (config_generation(registers) == generation) {
            return NULL;
        }
    }
    return "its configuration never stops changing";
}

uint8_t virtio_bus_config8(uintptr_t registers, uint32_t offset)
{
    return virtio_read8(registers, VIRTIO_MMIO_CONFIG + offset);
}

uint16_t virtio_bus_config16(uintptr_t registers, uint32_t offset)
{
    return virtio_read16(registers, VIRTIO_MMIO_CONFIG + offset);
}

uint32_t virtio_bus_config32(uintptr_t registers, uint32_t offset)
{
    return virtio_read32(registers, VIRTIO_MMIO_CONFIG + offset);
}

uint64_t virtio_bus_config64(uintptr_t registers, uint32_t offset)
{
    uint64_t low = virtio_bus_config32(registers, offset);

    return low | (uint64_t)virtio_bus_config32(registers, offset + 4) << 32;
}
