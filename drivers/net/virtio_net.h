/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * One virtio-net device (virtio 1.2, 5.1) with one pair of queues. Frames are records as in
 * lib/net_port.h, struct virtio_net_hdr_v1 and frame, which is also what the device reads and
 * writes. They lie in buffers that only driver and device reach. The device is stopped for good
 * when it breaks the protocol or sets DEVICE_NEEDS_RESET.
 */

#include <stdbool.h>
#include <stdint.h>

/* A record as long as any: struct virtio_net_hdr_v1 and NET_GSO_FRAME_MAX. */
#define VIRTIO_NET_RECORD_MAX 65565u

/* What the device is like. */
struct virtio_net_info {
    uint8_t mac[6]; /* zero: it has none */
    uint16_t mtu;   /* 0: it does not say */
};

/*
 * Find and start the device at `registers`. `dma` are `dma_size` bytes of memory, zeroed, aligned
 * to 64, kept, that the device knows as `dma_paddr`. Returns NULL, or the cause for which there is
 * none: a sentence without a full stop.
 */
const char *virtio_net_start(uintptr_t registers, void *dma, uint64_t dma_paddr, uint64_t dma_size,
                             struct virtio_net_info *info);

/* The device's link and offloads now, in NET_PORT_* bits: 0 without a link. */
uint32_t virtio_net_accepts(void);

/*
 * Sending: a buffer for a record of `count` bytes, up to VIRTIO_NET_RECORD_MAX, or NULL while none
 * is free. virtio_net_send hands its first `count` bytes over; a buffer that is not sent is
 * offered again next time.
 */
void *virtio_net_send_buffer(uint32_t count);
void virtio_net_send(uint32_t count);

/*
 * No buffer is free: ask for an interrupt when one is. Returns true if one is free already. While
 * nobody waits, frames that have left cause no interrupts.
 */
bool virtio_net_await_sent(void);

/*
 * Receiving: the length of the oldest record, or 0 if there is none; virtio_net_read copies it out,
 * if `to` is not NULL, and gives its buffers back to the device. Records may be shorter than a
 * header and a frame should be, and up to VIRTIO_NET_RECORD_MAX; longer ones have been dropped.
 */
uint32_t virtio_net_received(void);
void virtio_net_read(void *to);

/* Before sleeping: enable receive interrupts. True: a record has come meanwhile, without one. */
bool virtio_net_await_received(void);

/* Kick the device, once for a batch of buffers sent and posted. */
void virtio_net_kick(void);

/* Call for an interrupt, before all else. Returns true if what virtio_net_accepts says changed. */
bool virtio_net_interrupted(void);

/* Why the device is to be given up, or NULL; and to do so. False: it does not stop. */
const char *virtio_net_error(void);
bool virtio_net_stop(void);
