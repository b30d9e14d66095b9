/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A virtio device of the monitor, whatever its kind (virtio 1.2, 2): its state, when it works, and
 * how it interrupts and fails. A device file provides a struct virtio_device_ops, embeds a struct
 * virtio_device, and works on its queues when asked to. The registers through which the guest
 * drives it are in mmio.h beside this.
 *
 * A driver that breaks the rules of its queues has its device stopped until it resets it
 * (DEVICE_NEEDS_RESET, 2.1.2). Other nonsense is ignored. Both leave a message.
 */

#include <linux/virtio_config.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/guest_memory.h"
#include "lib/virtqueue.h"

#define VIRTIO_CONFIG_SIZE_MAX   64u /* bytes of configuration space */
#define VIRTIO_DEVICE_MAX_QUEUES 3u

#define VIRTIO_FEATURE(bit) (1ULL << (bit))

struct virtio_device;

/*
 * What is particular to a kind of device. Any function but `work` and `notified` may be NULL;
 * `notified` too, if the device has no peer.
 */
struct virtio_device_ops {
    uint32_t id; /* VIRTIO_ID_* */
    uint32_t queue_count;
    uint16_t queue_size_max[VIRTIO_DEVICE_MAX_QUEUES]; /* powers of two */

    /* Whether a set of features, all of them offered, hangs together; NULL, or the cause. */
    const char *(*check_features)(uint64_t features);

    /* The driver is ready (DRIVER_OK); its queues are enabled and its features known. */
    void (*start)(struct virtio_device *device);

    /* Whatever was going on is over: by a reset, an error, or the driver's giving up. */
    void (*stop)(struct virtio_device *device);

    /* Back to the state after power-on. The configuration space is to be written anew. */
    void (*reset)(struct virtio_device *device);

    /* The driver has taken this queue back (QueueReady = 0). */
    void (*queue_stopped)(struct virtio_device *device, uint32_t queue);

    /*
     * Do a bounded amount of work on the queues in `pending` (bit q: queue q), which have been
     * kicked or marked by virtio_device_schedule. Returns those that want to go on. The device
     * runs.
     */
    uint32_t (*work)(struct virtio_device *device, uint32_t pending);

    /* The peer behind the device (the switch, the console) has notified this PD. */
    void (*notified)(struct virtio_device *device);

    /* The coalescing or polling timer of this device, or of another one, has expired. */
    void (*timer_expired)(struct virtio_device *device);

    /* A vCPU is about to wait: see virtio_idle. */
    void (*idle)(struct virtio_device *device);

    /* Whether the guest's memory may be made ready for a new start; NULL: always. */
    bool (*quiesced)(const struct virtio_device *device);

    /* A write of `width` bytes (1, 2 or 4) into configuration space; false if not writable. */
    bool (*write_config)(struct virtio_device *device, uint32_t offset, uint8_t width,
                         uint32_t value);
};

struct virtio_queue_setup {
    uint32_t size;
    uint64_t desc;
    uint64_t avail;
    uint64_t used;
};

struct virtio_device {
    /* Set by the device file before virtio_device_init. */
    const struct virtio_device_ops *ops;
    const char *name;  /* for messages: "net0" */
    uint64_t features; /* offered; VIRTIO_F_VERSION_1 among them */

    /* The device file may read these, and works on `queue`. */
    struct virtqueue queue[VIRTIO_DEVICE_MAX_QUEUES];
    uint64_t driver_features; /* negotiated, once FEATURES_OK is set */

    /* device.c's and mmio.c's. */
    volatile uint32_t *page; /* the register page */
    const struct guest_memory *memory;
    struct virtio_device *next;
    struct virtio_queue_setup setup[VIRTIO_DEVICE_MAX_QUEUES];
    uint32_t intid;
    uint32_t features_sel;
    uint32_t driver_features_sel;
    uint32_t queue_sel;
    uint32_t status;
    uint32_t interrupts;
    uint32_t generation;
    uint32_t pending; /* queues that have work */
};

/*
 * Put a device on the guest's bus at `gpa`, reset. `page` is its register page, `intid` the SPI it
 * interrupts by. Called at init only; `device` and `memory` are kept.
 */
void virtio_device_init(struct virtio_device *device, const struct guest_memory *memory, void *page,
                        uint64_t gpa, uint32_t intid);

/* As if the driver had written 0 to the status register. */
void virtio_device_reset(struct virtio_device *device);

/* The device works no more until it is reset: the driver has given up, or broken a rule. */
void virtio_device_stop(struct virtio_device *device);

/* Whether the device has finished what it was doing for the driver before a reset. */
static inline bool virtio_device_quiesced(const struct virtio_device *device)
{
    return device->ops->quiesced == NULL || device->ops->quiesced(device);
}

/*
 * A driver knows that its reset is over when the status register reads 0 (2.4.2), which it does not
 * before the device has quiesced. The device calls this when it may have.
 */
void virtio_device_show_reset(struct virtio_device *device);

/* Whether the driver is ready and nothing is wrong. */
static inline bool virtio_device_running(const struct virtio_device *device)
{
    return (device->status & (VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_NEEDS_RESET |
                              VIRTIO_CONFIG_S_FAILED)) == VIRTIO_CONFIG_S_DRIVER_OK;
}

static inline bool virtio_device_has(const struct virtio_device *device, unsigned feature)
{
    return (device->driver_features >> feature & 1u) != 0;
}

/* There is work on these queues (bit q: queue q); it is done by the next virtio_devices_run. */
static inline void virtio_device_schedule(struct virtio_device *device, uint32_t queues)
{
    device->pending |= queues;
}

/* Let the devices work in turns until none has work, or it is time for a pause (../pace.h). */
void virtio_devices_run(void);

/* Reset every device. */
void virtio_devices_reset(void);

/* Used buffers have been published: interrupt the guest. */
void virtio_device_interrupt(struct virtio_device *device);

/* The driver has broken a rule, `cause`, in this device's queues: stop until it is reset. */
void virtio_device_fail(struct virtio_device *device, const char *cause);

/*
 * Write `count` bytes of configuration space at `offset`, both within VIRTIO_CONFIG_SIZE_MAX. Once
 * the driver runs this counts as a change, of which it is told by an interrupt.
 */
void virtio_device_set_config(struct virtio_device *device, uint32_t offset, const void *bytes,
                              uint32_t count);
