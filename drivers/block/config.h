/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What the generator tells the disk's driver. Physical addresses are known only when the system's
 * image is laid out: the tool writes them (`setvar region_paddr`) into variables of the generated
 * file, which this structure points to.
 */

#include <stdbool.h>
#include <stdint.h>

/* Bytes of the region that the driver shares with the device: queue, headers, status bytes. */
#define BLOCK_DRIVER_DMA_SIZE (512u << 10)

/* A data region, see block/protocol.h. The driver does not map it. */
struct block_driver_region {
    const uint64_t *paddr;
    uint64_t size; /* bytes */
};

struct block_driver_config {
    uintptr_t registers;    /* several virtio-mmio slots share a page */
    bool no_protect_switch; /* a slot for cards without one */
    uint8_t irq_channel;
    uint8_t client_channel; /* the disk multiplexer */
    void *requests;         /* ring regions, records: see block/protocol.h */
    void *replies;
    uint32_t request_ring_size; /* bytes of data */
    uint32_t reply_ring_size;
    void *dma; /* BLOCK_DRIVER_DMA_SIZE bytes, zeroed at boot, aligned to 4 KiB */
    const uint64_t *dma_paddr;
    const struct block_driver_region *regions;
    uint32_t region_count;
    void *log; /* ring region: to the console, a stream; NULL: none */
    uint32_t log_size;
    uint8_t log_channel;
};

extern const struct block_driver_config block_driver_config;
