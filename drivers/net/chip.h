/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What the network card's driver asks of the chip. net.c is the class; each other file of this
 * directory is a chip, of which one is linked. Frames are records as in lib/net_port.h, struct
 * virtio_net_hdr_v1 and frame. They lie in buffers that only driver and chip reach. A chip that
 * breaks its own protocol is stopped for good.
 */

#include <stdbool.h>
#include <stdint.h>

/* A record as long as any: struct virtio_net_hdr_v1 and NET_GSO_FRAME_MAX. */
#define CHIP_RECORD_MAX 65565u

/* What the card is like. */
struct chip_info {
    uint8_t mac[6]; /* zero: it has none */
    uint16_t mtu;   /* 0: it does not say */
};

/*
 * Memory shared with the chip: aligned to 4 KiB, kept; zeroed, unless the driver begins anew after
 * a fault. The chip knows it as `paddr`.
 */
struct chip_memory {
    void *start;
    uint64_t paddr;
    uint64_t size; /* bytes; 0: there is none */
};

/*
 * Find and start the chip at `registers`. It receives frames to all addresses. `buffers` is cached
 * memory. `rings` is uncached, so that it stands accesses of 32 and 64 bits only; a chip that wants
 * it is named in tools/layout_services.c. Returns NULL, or the cause for which there is no card: a
 * sentence without a full stop.
 */
const char *chip_start(uintptr_t registers, const struct chip_memory *buffers,
                       const struct chip_memory *rings, struct chip_info *info);

/* The chip's link and offloads now, in NET_PORT_* bits: 0 without a link. */
uint32_t chip_accepts(void);

/*
 * Sending: a buffer for a record of `count` bytes, up to CHIP_RECORD_MAX, or NULL while none is
 * free. chip_send hands its first `count` bytes over; a buffer that is not sent is offered again
 * next time. The record's header asks for no offload that chip_accepts has not promised.
 */
void *chip_send_buffer(uint32_t count);
void chip_send(uint32_t count);

/*
 * No buffer is free: ask for an interrupt when one is. Returns true if one is free already. While
 * nobody waits, frames that have left cause no interrupts.
 */
bool chip_await_sent(void);

/*
 * Receiving: the length of the oldest record, or 0 if there is none; chip_read copies it out, if
 * `to` is not NULL, and gives its buffers back to the chip. Records may be shorter than a header
 * and a frame should be, and up to CHIP_RECORD_MAX. CHIP_DROPPED: what the chip had was no such
 * record, and is gone; there may be more. Each counts as one, since it is as much work.
 */
#define CHIP_DROPPED UINT32_MAX

uint32_t chip_received(void);
void chip_read(void *to);

/* Before sleeping: enable receive interrupts. True: a record has come meanwhile, without one. */
bool chip_await_received(void);

/* Kick the chip, once for a batch of buffers sent and posted. */
void chip_kick(void);

/* Call for an interrupt, before all else. Returns true if what chip_accepts says has changed. */
bool chip_interrupted(void);

/*
 * Why the chip is to be given up, or NULL; to have it given up, for that cause if there is none
 * yet; and to do so. False: it does not stop.
 */
const char *chip_error(void);
void chip_fail(const char *cause);
bool chip_stop(void);
