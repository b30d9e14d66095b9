/* SPDX-License-Identifier: BSD-2-Clause */

#include "mmio.h"

#include <stdatomic.h>
#include <stddef.h>
#include "lib/log.h"
#include "lib/virtio_registers.h"
#include "vmm/mmio.h"
#include "vmm/vgic.h"

#define VENDOR 0x69617262u /* "brai" */

#define NO_SHM_REGION UINT32_MAX /* what SHMLen and SHMBase read as (4.2.2.1) */

/* The bits of the status register that a driver may set. */
#define DRIVER_STATUS                                                                              \
    (VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK |          \
     VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_FAILED)

/* ---- What registers read as ---- */

static void show(struct virtio_device *device, uint32_t offset, uint32_t value)
{
    device->page[offset / 4] = value;
}

/* Until a reset is over, Status reads as NEEDS_RESET: a driver can do nothing but reset again. */
void virtio_mmio_show_status(struct virtio_device *device)
{
    uint32_t status = device->status;

    if (status == 0 && !virtio_device_quiesced(device)) {
        status = VIRTIO_CONFIG_S_NEEDS_RESET;
    }
    show(device, VIRTIO_MMIO_STATUS, status);
}

/* The guest may look at the page from another core as soon as it sees the interrupt. */
void virtio_mmio_show_interrupts(struct virtio_device *device)
{
    show(device, VIRTIO_MMIO_INTERRUPT_STATUS, device->interrupts);
    atomic_thread_fence(memory_order_seq_cst);
    vgic_set_level(device->intid, device->interrupts != 0);
}

static void show_features(struct virtio_device *device)
{
    uint32_t word = 0;

    if (device->features_sel < 2) {
        word = (uint32_t)(device->features >> (32 * device->features_sel));
    }
    show(device, VIRTIO_MMIO_DEVICE_FEATURES, word);
}

/* What the selected queue's registers read as: 0 if there is no such queue. */
static void show_queue(struct virtio_device *device)
{
    uint32_t size_max = 0;
    uint32_t ready = 0;

    if (device->queue_sel < device->ops->queue_count) {
        size_max = device->ops->queue_size_max[device->queue_sel];
        ready = virtqueue_enabled(&device->queue[device->queue_sel]);
    }
    show(device, VIRTIO_MMIO_QUEUE_NUM_MAX, size_max);
    show(device, VIRTIO_MMIO_QUEUE_READY, ready);
}

void virtio_mmio_show_all(struct virtio_device *device)
{
    show(device, VIRTIO_MMIO_MAGIC_VALUE, VIRTIO_MMIO_MAGIC);
    show(device, VIRTIO_MMIO_VERSION, VIRTIO_MMIO_VERSION_MODERN);
    show(device, VIRTIO_MMIO_DEVICE_ID, device->ops->id);
    show(device, VIRTIO_MMIO_VENDOR_ID, VENDOR);
    show(device, VIRTIO_MMIO_SHM_LEN_LOW, NO_SHM_REGION);
    show(device, VIRTIO_MMIO_SHM_LEN_HIGH, NO_SHM_REGION);
    show(device, VIRTIO_MMIO_SHM_BASE_LOW, NO_SHM_REGION);
    show(device, VIRTIO_MMIO_SHM_BASE_HIGH, NO_SHM_REGION);
    show(device, VIRTIO_MMIO_CONFIG_GENERATION, device->generation);
    show_features(device);
    show_queue(device);
    virtio_mmio_show_status(device);
    virtio_mmio_show_interrupts(device);
}

void virtio_mmio_show_config(struct virtio_device *device, uint32_t offset, const void *bytes,
                             uint32_t count)
{
    const uint8_t *from = bytes;

    /* Whole aligned words: the page is mapped as device memory. */
    for (uint32_t i = 0; i < count && offset + i < VIRTIO_CONFIG_SIZE_MAX; i++) {
        volatile uint32_t *word = &device->page[(VIRTIO_MMIO_CONFIG + offset + i) / 4];
        unsigned shift = 8 * ((offset + i) % 4);

        *word = (*word & ~(0xffu << shift)) | ((uint32_t)from[i] << shift);
    }
}

void virtio_mmio_bump_generation(struct virtio_device *device)
{
    show(device, VIRTIO_MMIO_CONFIG_GENERATION, ++device->generation);
}

/* ---- Status and features ---- */

/* Whether the driver's choice of features stands (2.2.2, 6.1); NULL, or the cause. */
static const char *check_features(const struct virtio_device *device)
{
    if ((device->driver_features & ~device->features) != 0) {
        return "a feature that was not offered";
    }
    if (!virtio_device_has(device, VIRTIO_F_VERSION_1)) {
        return "a driver for legacy devices";
    }
    return device->ops->check_features != NULL
               ? device->ops->check_features(device->driver_features)
               : NULL;
}

static void write_status(struct virtio_device *device, uint32_t value)
{
    uint32_t added = value & ~device->status & DRIVER_STATUS;

    if (value == 0) {
        virtio_device_reset(device);
        return;
    }
    if ((device->status & DRIVER_STATUS & ~value) != 0) {
        log_limited("%s: status bits cleared (0x%x to 0x%x): ignored", device->name,
                    (unsigned)device->status, (unsigned)value);
        return;
    }
    if ((added & VIRTIO_CONFIG_S_FEATURES_OK) != 0) {
        const char *cause = check_features(device);

        if (cause != NULL) {
            log_limited("%s: features 0x%llx refused: %s", device->name,
                        (unsigned long long)device->driver_features, cause);
            added &= ~(uint32_t)(VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);
        }
    }
    if ((added & VIRTIO_CONFIG_S_DRIVER_OK) != 0 &&
        ((device->status | added) & VIRTIO_CONFIG_S_FEATURES_OK) == 0) {
        log_limited("%s: DRIVER_OK before FEATURES_OK: ignored", device->name);
        added &= ~(uint32_t)VIRTIO_CONFIG_S_DRIVER_OK;
    }
    device->status |= added;
    virtio_mmio_show_status(device);
    if ((added & VIRTIO_CONFIG_S_FAILED) != 0) {
        virtio_device_stop(device);
    } else if ((added & VIRTIO_CONFIG_S_DRIVER_OK) != 0 && virtio_device_running(device)) {
        if (device->ops->start != NULL) {
            device->ops->start(device);
        }
        /* A driver may have made buffers available and kicked too early, or not at all. */
        virtio_device_schedule(device, (1u << device->ops->queue_count) - 1);
    }
}

static void write_driver_features(struct virtio_device *device, uint32_t value)
{
    unsigned shift = 32 * device->driver_features_sel;

    if ((device->status & VIRTIO_CONFIG_S_FEATURES_OK) != 0) {
        log_limited("%s: features written after FEATURES_OK: ignored", device->name);
    } else if (device->driver_features_sel < 2) {
        device->driver_features &= ~((uint64_t)UINT32_MAX << shift);
        device->driver_features |= (uint64_t)value << shift;
    } else if (value != 0) {
        log_limited("%s: features beyond bit 63: ignored", device->name);
    }
}

/* ---- Queues ---- */

static void enable_queue(struct virtio_device *device)
{
    uint32_t index = device->queue_sel;
    const struct virtio_queue_setup *setup = &device->setup[index];
    const char *cause;

    if ((device->status & VIRTIO_CONFIG_S_FEATURES_OK) == 0) {
        cause = "it comes before FEATURES_OK";
    } else if (setup->size > device->ops->queue_size_max[index]) {
        cause = "the queue's size is too large";
    } else {
        cause = virtqueue_enable(&device->queue[index], device->memory, device->driver_features,
                                 setup->size, setup->desc, setup->avail, setup->used);
    }
    if (cause != NULL) {
        log_limited("%s: queue %u is not enabled: %s", device->name, (unsigned)index, cause);
    } else if (virtio_device_running(device)) {
        virtio_device_schedule(device, 1u << index);
    }
}

static void disable_queue(struct virtio_device *device)
{
    uint32_t index = device->queue_sel;

    virtqueue_disable(&device->queue[index]);
    device->pending &= ~(1u << index);
    if (device->ops->queue_stopped != NULL) {
        device->ops->queue_stopped(device, index);
    }
}

static void write_ready(struct virtio_device *device, uint32_t value)
{
    bool ready = virtqueue_enabled(&device->queue[device->queue_sel]);

    if (value == 1 && !ready) {
        enable_queue(device);
    } else if (value == 0 && ready) {
        disable_queue(device);
    } else if (value > 1) {
        log_limited("%s: QueueReady written with 0x%x: ignored", device->name, (unsigned)value);
    }
    show_queue(device);
}

static void set_half(uint64_t *word, bool high, uint32_t value)
{
    unsigned shift = high ? 32 : 0;

    *word = (*word & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)value << shift;
}

/* The register of a ring's address that `offset` is one half of. */
static uint64_t *address_register(struct virtio_queue_setup *setup, uint32_t offset)
{
    switch (offset & ~4u) {
    case VIRTIO_MMIO_QUEUE_DESC_LOW:
        return &setup->desc;
    case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
        return &setup->avail;
    default:
        return &setup->used;
    }
}

/* A register of the selected queue. */
static void write_queue(struct virtio_device *device, uint32_t offset, uint32_t value)
{
    struct virtio_queue_setup *setup;

    if (device->queue_sel >= device->ops->queue_count) {
        log_limited("%s: queue %u does not exist: ignored", device->name,
                    (unsigned)device->queue_sel);
        return;
    }
    if (offset == VIRTIO_MMIO_QUEUE_READY) {
        write_ready(device, value);
        return;
    }
    if (virtqueue_enabled(&device->queue[device->queue_sel])) {
        log_limited("%s: queue %u changed while it is enabled: ignored", device->name,
                    (unsigned)device->queue_sel);
        return;
    }
    setup = &device->setup[device->queue_sel];
    if (offset == VIRTIO_MMIO_QUEUE_NUM) {
        setup->size = value;
    } else {
        set_half(address_register(setup, offset), (offset & 4u) != 0, value);
    }
}

/* ---- Accesses ---- */

static void refuse_kick(const struct virtio_device *device, uint32_t queue)
{
    const char *cause = "before DRIVER_OK";

    if ((device->status & VIRTIO_CONFIG_S_NEEDS_RESET) != 0) {
        cause = "before the reset that the device needs";
    } else if ((device->status & VIRTIO_CONFIG_S_FAILED) != 0) {
        cause = "after the driver has given up";
    }
    log_limited("%s: kick %s (queue %u): ignored", device->name, cause, (unsigned)queue);
}

/*
 * Handle the two writes that come with every packet without the value written, which would cost a
 * system call to fetch. A kick schedules all queues: to look at one that was not kicked is cheaper.
 * An acknowledgement, while one interrupt is up, is of that one. Returns false if the value is
 * needed.
 */
static bool write_often(struct virtio_device *device, uint32_t offset)
{
    bool one_is_up = (device->interrupts & (device->interrupts - 1)) == 0;

    if (offset == VIRTIO_MMIO_QUEUE_NOTIFY && virtio_device_running(device)) {
        virtio_device_schedule(device, (1u << device->ops->queue_count) - 1);
        return true;
    }
    if (offset == VIRTIO_MMIO_INTERRUPT_ACK && one_is_up) {
        device->interrupts = 0;
        virtio_mmio_show_interrupts(device);
        return true;
    }
    return false;
}

static void write_register(struct virtio_device *device, uint32_t offset, uint32_t value)
{
    switch (offset) {
    case VIRTIO_MMIO_QUEUE_NOTIFY:
        refuse_kick(device, value);
        break;
    case VIRTIO_MMIO_INTERRUPT_ACK:
        device->interrupts &= ~value;
        virtio_mmio_show_interrupts(device);
        break;
    case VIRTIO_MMIO_STATUS:
        write_status(device, value);
        break;
    case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
        device->features_sel = value;
        show_features(device);
        break;
    case VIRTIO_MMIO_DRIVER_FEATURES:
        write_driver_features(device, value);
        break;
    case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
        device->driver_features_sel = value;
        break;
    case VIRTIO_MMIO_QUEUE_SEL:
        device->queue_sel = value;
        show_queue(device);
        break;
    case VIRTIO_MMIO_SHM_SEL: /* whatever is selected, there is none */
        break;
    case VIRTIO_MMIO_QUEUE_NUM:
    case VIRTIO_MMIO_QUEUE_READY:
    case VIRTIO_MMIO_QUEUE_DESC_LOW:
    case VIRTIO_MMIO_QUEUE_DESC_HIGH:
    case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
    case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
    case VIRTIO_MMIO_QUEUE_USED_LOW:
    case VIRTIO_MMIO_QUEUE_USED_HIGH:
        write_queue(device, offset, value);
        break;
    default:
        log_limited("%s: write of 0x%x to register 0x%x: ignored", device->name, (unsigned)value,
                    (unsigned)offset);
    }
}

static void write_config(struct virtio_device *device, struct mmio_access *access)
{
    uint32_t offset = (uint32_t)access->offset - VIRTIO_MMIO_CONFIG;

    if (access->width > 4 || device->ops->write_config == NULL ||
        !device->ops->write_config(device, offset, access->width, (uint32_t)mmio_value(access))) {
        log_limited("%s: write of %u bytes to configuration space at 0x%x: ignored", device->name,
                    (unsigned)access->width, (unsigned)offset);
    }
}

/* Reads come here only where the page is not mapped for the guest. */
static void read_page(struct virtio_device *device, struct mmio_access *access)
{
    access->value = 0;
    for (unsigned i = 0; i < access->width; i++) {
        uint64_t at = access->offset + i;
        uint64_t byte = device->page[at / 4] >> (8 * (at % 4)) & 0xffu;

        access->value |= byte << (8 * i);
    }
}

static bool access_device(void *opaque, struct mmio_access *access)
{
    struct virtio_device *device = opaque;

    if (access->offset >= VIRTIO_MMIO_PAGE_SIZE ||
        access->width > VIRTIO_MMIO_PAGE_SIZE - access->offset) {
        return false;
    }
    if (!access->write) {
        read_page(device, access);
    } else if (access->offset >= VIRTIO_MMIO_CONFIG) {
        write_config(device, access);
    } else if (access->width != 4 || access->offset % 4 != 0) {
        log_limited("%s: write of %u bytes at 0x%x, where registers are 4 bytes wide: ignored",
                    device->name, (unsigned)access->width, (unsigned)access->offset);
    } else if (!write_often(device, (uint32_t)access->offset)) {
        write_register(device, (uint32_t)access->offset, (uint32_t)mmio_value(access));
    }
    virtio_devices_run();
    return true;
}

void virtio_mmio_attach(struct virtio_device *device, uint64_t gpa)
{
    if (!mmio_attach_lazy(gpa, VIRTIO_MMIO_PAGE_SIZE, access_device, device)) {
        log_printf("%s: no room on the bus at 0x%llx", device->name, (unsigned long long)gpa);
    }
}
