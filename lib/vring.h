/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The layout of a split virtqueue's rings (virtio 1.2, 2.7.6 and 2.7.8), for the device's side
 * (virtqueue.c) and the driver's (vring_driver.c). The formats of their elements are Linux's:
 * struct vring_desc, struct vring_used_elem.
 */

#include <linux/virtio_ring.h>
#include <stdint.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "virtqueues are little endian, and nothing here swaps bytes"
#endif

/* Where the fields of the available and the used ring lie, in units of 16 bits. */
#define VRING_FLAGS                  0u
#define VRING_IDX                    1u
#define VRING_AVAIL_ELEMENT(index)   (2u + (index))
#define VRING_AVAIL_USED_EVENT(size) (2u + (size))
#define VRING_USED_ELEMENT(index)    (2u + 4u * (index))
#define VRING_USED_AVAIL_EVENT(size) (2u + 4u * (size))

/* What a queue of `size` descriptors takes, in bytes. */
#define VRING_DESC_BYTES(size)  ((uint64_t)(size) * sizeof(struct vring_desc))
#define VRING_AVAIL_BYTES(size) (6u + 2u * (uint64_t)(size))
#define VRING_USED_BYTES(size)  (6u + 8u * (uint64_t)(size))

/*
 * One access each, neither torn nor repeated by the compiler, whatever the other side does
 * meanwhile. The order between accesses is for the caller's fences.
 */
static inline uint16_t vring_read16(const uint16_t *from)
{
    return *(const volatile uint16_t *)from;
}

static inline void vring_write16(uint16_t *to, uint16_t value)
{
    *(volatile uint16_t *)to = value;
}
