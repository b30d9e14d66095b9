/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What the disk's driver asks of the chip: one disk, several requests in flight. block.c is the
 * class; each other file of this directory is a chip, of which one is linked. A chip that breaks
 * its own protocol is stopped for good.
 */

#include <stdbool.h>
#include <stdint.h>
#include "block/protocol.h"

/* A piece of a client's memory, by the address that the chip knows it by. */
struct chip_segment {
    uint64_t paddr;
    uint32_t length; /* bytes, above 0 */
};

/*
 * Find and start the chip at `registers`. `dma` are `dma_size` bytes of memory, aligned to 4 KiB,
 * kept, that the chip knows as `dma_paddr`; zeroed, unless the driver begins anew after a fault.
 * Returns NULL and what the disk is like, within what block/protocol.h can say. Or returns the
 * cause for which there is none: a sentence without a full stop. `has_protect_switch`: if it is a
 * slot for cards, a switch there forbids writing.
 */
const char *chip_start(uintptr_t registers, bool has_protect_switch, void *dma, uint64_t dma_paddr,
                       uint64_t dma_size, struct block_info *info);

/* Whether the chip can transfer this segment: some want addresses and lengths to be aligned. */
bool chip_reaches(const struct chip_segment *segment);

/*
 * Hand a request to the chip; `data` are its segments, copied. The request is not looked at
 * further: operation, limits and memory have been checked, and chip_reaches asked. Returns false if
 * there is no room now.
 */
bool chip_submit(const struct block_request *request, const struct chip_segment *data);

/* Kick the chip, once for a batch of submitted requests. */
void chip_kick(void);

/* Take a finished request: its id and its BLOCK_* status. False if there is none. */
bool chip_take(uint32_t *id, uint32_t *status);

/*
 * chip_interrupted: call it for an interrupt, before taking what has finished.
 * chip_await: call it before sleeping. It enables interrupts, and returns true if a request has
 * finished meanwhile, without one.
 */
void chip_interrupted(void);
bool chip_await(void);

/* How many requests are in flight. */
uint32_t chip_in_flight(void);

/*
 * Why the chip is to be given up, or NULL. chip_fail is the class's way to say so. chip_stop then
 * stops it and returns true; the requests in flight have failed and are taken as before. It returns
 * false if the chip will not stop: it may still use their memory, and they stay in flight.
 */
const char *chip_error(void);
void chip_fail(const char *cause);
bool chip_stop(void);
