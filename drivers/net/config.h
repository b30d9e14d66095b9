/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the generator tells the network card's driver. Physical addresses: see drivers/block. */

#include <stdint.h>

/* Bytes of the region that the driver shares with the card: queues and frames, both ways. */
#define NET_DRIVER_DMA_SIZE (4u << 20)

/* And of another one, mapped uncached, for the rings of a chip whose DMA is not coherent. */
#define NET_DRIVER_RINGS_SIZE (32u << 10)

struct net_driver_config {
    uintptr_t registers; /* of the virtio-mmio slot; several slots share a page */
    uint8_t irq_channel;
    uint8_t switch_channel;
    void *to_switch; /* ring regions, records: see lib/net_port.h */
    void *from_switch;
    uint32_t ring_size; /* bytes of data in each */
    void *dma;          /* NET_DRIVER_DMA_SIZE bytes, zeroed at boot, aligned to 4 KiB */
    const uint64_t *dma_paddr;
    void *rings; /* NET_DRIVER_RINGS_SIZE bytes, zeroed at boot, aligned to 4 KiB; NULL: none */
    const uint64_t *rings_paddr;
    void *log; /* ring region: to the console, a stream; NULL: none */
    uint32_t log_size;
    uint8_t log_channel;
};

extern const struct net_driver_config net_driver_config;
