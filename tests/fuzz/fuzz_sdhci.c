/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: drivers/block/block.c drivers/block/sdhci.c lib/ring.c tests/fuzz/silence.c
 *
 * The disk's driver between an SD host controller whose registers read as they like, and a client
 * that writes into its ring what it likes. Whatever is handed to the controller lies within the
 * data regions and the driver's own memory, nothing but the controller's registers and the rings is
 * touched, every call ends after a bounded time, and a controller that is given up stays alone.
 */

#include <microkit.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "block/protocol.h"
#include "drivers/block/config.h"
#include "drivers/block/sdhci.h"
#include "input.h"
#include "lib/cpu.h"
#include "lib/device_registers.h"
#include "lib/dma.h"
#include "lib/ring.h"

#define IRQ       0u
#define CLIENT    1u
#define REGISTERS 0xff170000u
#define FREQUENCY 1000000u /* of the counter, which each look at it moves on */
#define DMA_PADDR 0x7ff80000u

/* Bounds, in microseconds: a start; a wake-up, in which lines may be reset and awaited; a stop. */
#define START_US 8000000u
#define WAKE_US  200000u

static uint8_t to_driver[RING_HEADER_SIZE + BLOCK_REQUEST_RING] __attribute__((aligned(4096)));
static uint8_t from_driver[RING_HEADER_SIZE + BLOCK_REPLY_RING] __attribute__((aligned(4096)));
static uint8_t dma[BLOCK_DRIVER_DMA_SIZE] __attribute__((aligned(4096)));
static const uint64_t dma_paddr = DMA_PADDR;
static const uint64_t paddrs[] = {0x10000000, 0x20000100, 0xfffff000};

static const struct block_driver_region regions[] = {
    {.paddr = &paddrs[0], .size = 0x10000},
    {.paddr = &paddrs[1], .size = 0x8000},
    {.paddr = &paddrs[2], .size = 0x2000}, /* which goes beyond what 32 bits reach */
};

const struct block_driver_config block_driver_config = {
    .registers = REGISTERS,
    .irq_channel = IRQ,
    .client_channel = CLIENT,
    .requests = to_driver,
    .replies = from_driver,
    .request_ring_size = BLOCK_REQUEST_RING,
    .reply_ring_size = BLOCK_REPLY_RING,
    .dma = dma,
    .dma_paddr = &dma_paddr,
    .regions = regions,
    .region_count = sizeof(regions) / sizeof(regions[0]),
};

static struct ring requests, replies;
static struct input *input;
static uint64_t now;
static unsigned accesses;
static unsigned acknowledged;
static uint32_t table;   /* what the controller has as the table's address, */
static uint32_t block;   /* and how much it is to transfer */
static bool polite;      /* it answers as one that is there, so that requests come to it */
static bool interrupted; /* by what has been begun since */

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

uint64_t cpu_counter(void)
{
    return now += 50;
}

uint64_t cpu_counter_frequency(void)
{
    return FREQUENCY;
}

void dma_clean(const void *start, size_t size)
{
    require((const uint8_t *)start >= dma && (const uint8_t *)start + size <= dma + sizeof(dma));
}

void dma_invalidate(void *start, size_t size)
{
    dma_clean(start, size);
}

void microkit_irq_ack(microkit_channel channel)
{
    (void)channel; /* nothing begins anew here */
}

void microkit_deferred_irq_ack(microkit_channel channel)
{
    require(channel == IRQ);
    acknowledged++;
}

/* ---- The controller ---- */

static bool in_a_region(uint64_t paddr, uint32_t length)
{
    for (size_t i = 0; i < sizeof(regions) / sizeof(regions[0]); i++) {
        if (paddr >= paddrs[i] && paddr + length <= paddrs[i] + regions[i].size) {
            return true;
        }
    }
    return paddr >= DMA_PADDR && paddr + length <= DMA_PADDR + sizeof(dma);
}

/* All that the controller will do if it follows its table. */
static void check_table(void)
{
    uint64_t bytes = 0;
    uint32_t at = table;

    for (bool last = false; !last; at += sizeof(struct sdhci_adma2)) {
        struct sdhci_adma2 descriptor;
        uint32_t length;

        require(at >= DMA_PADDR && at + sizeof(descriptor) <= DMA_PADDR + sizeof(dma));
        memcpy(&descriptor, dma + (at - DMA_PADDR), sizeof(descriptor));
        require((descriptor.attributes & 0x31u) == 0x21u);
        length = descriptor.length != 0 ? descriptor.length : 65536;
        require(in_a_region(descriptor.address, length));
        require(descriptor.address % 4 == 0 && (uint64_t)descriptor.address + length <= 1ull << 32);
        bytes += length;
        last = (descriptor.attributes & SDHCI_ADMA2_END) != 0;
    }
    require(bytes > 0);
}

static void access_register(uintptr_t registers, uint32_t offset)
{
    require(registers == REGISTERS && offset % 4 == 0 &&
            (offset <= SDHCI_CAPABILITIES || offset == SDHCI_ADMA_ADDRESS ||
             offset == SDHCI_ADMA_ADDRESS_HIGH || offset == SDHCI_VERSION));
    accesses++;
    now++;
}

/* What one that is there, with a card of 8 MiB, might say. */
static uint32_t polite_value(uint32_t offset)
{
    switch (offset) {
    case SDHCI_VERSION:
        return 2u << 16;
    case SDHCI_CAPABILITIES:
        return 0x37ecc881;
    case SDHCI_PRESENT:
        return SDHCI_PRESENT_INSERTED | SDHCI_PRESENT_STABLE | SDHCI_PRESENT_WRITE_ENABLED;
    case SDHCI_CLOCK:
        return SDHCI_CLOCK_STABLE;
    case SDHCI_INT_STATUS:
        return interrupted ? SDHCI_INT_COMMAND | SDHCI_INT_TRANSFER : 0;
    case SDHCI_RESPONSE(0):
        return 0xc0ff81aau & ~SDHCI_PRESENT_INSERTED; /* ready, high, and the pattern */
    case SDHCI_RESPONSE(1):
        return 15u << 8; /* the size in its CSD */
    case SDHCI_RESPONSE(3):
        return 0x00400000u; /* a CSD of version 2 */
    default:
        return 0;
    }
}

uint32_t device_read32(uintptr_t registers, uint32_t offset)
{
    access_register(registers, offset);
    if (polite) {
        return polite_value(offset);
    }
    switch (take(input, 1) % 4) {
    case 0:
        return (uint32_t)take(input, 4);
    case 1:
        return UINT32_MAX;
    default:
        return polite_value(offset);
    }
}

void device_write32(uintptr_t registers, uint32_t offset, uint32_t value)
{
    access_register(registers, offset);
    switch (offset) {
    case SDHCI_ADMA_ADDRESS:
        table = value;
        break;
    case SDHCI_ADMA_ADDRESS_HIGH:
        require(value == 0);
        break;
    case SDHCI_BLOCK:
        block = value;
        break;
    case SDHCI_COMMAND:
        interrupted = true;
        if ((value & SDHCI_COMMAND_DATA) != 0) {
            require((value & SDHCI_MODE_DMA) != 0 && (block & 0xfffu) > 0 && block >> 16 > 0);
            check_table();
        }
        break;
    case SDHCI_INT_STATUS:
        interrupted = false;
        break;
    default:
        break;
    }
}

/* ---- The client ---- */

static void send_request(void)
{
    struct {
        struct block_request head;
        struct block_segment segments[130];
    } request = {.head = {.id = (uint32_t)take(input, 1), .op = (uint16_t)(take(input, 1) % 6)}};
    uint32_t kind = (uint32_t)take(input, 1);
    uint32_t bytes = 0;
    uint32_t size;
    void *record;

    request.head.segment_count =
        (uint16_t)(request.head.op < 2 ? (kind > 250 ? 128 + kind % 2 : kind % 5) : 0);
    for (uint32_t i = 0; i < request.head.segment_count; i++) {
        request.segments[i] =
            (struct block_segment){.region = (uint32_t)take(input, 1) % 4,
                                   .length = 4 * ((uint32_t)take(input, 1) + 1),
                                   .offset = 16 * take(input, 2) + (kind % 16 == 3 ? 1 : 0)};
        bytes += request.segments[i].length;
    }
    request.head.sector = kind % 8 == 7 ? take(input, 8) : take(input, 1);
    request.head.sector_count = bytes / 512 + (kind % 16 == 5 ? 1 : 0);
    size = (uint32_t)(sizeof(request.head) +
                      request.head.segment_count * sizeof(struct block_segment));
    record = ring_reserve(&requests, size);
    if (record != NULL) {
        memcpy(record, &request, size);
        ring_commit(&requests);
    }
}

static void take_answers(void)
{
    uint32_t count;

    while (ring_peek(&replies, &count) != NULL) {
        ring_release(&replies);
    }
}

static void wake(microkit_channel channel)
{
    uint64_t before = now;

    notified(channel);
    require(now - before <= WAKE_US);
}

static void step(void)
{
    switch (take(input, 1) % 10) {
    case 0:
        scribble(input, to_driver, sizeof(to_driver));
        break;
    case 1:
        scribble(input, to_driver, 128); /* indices */
        break;
    case 2:
        now += (uint64_t)take(input, 1) * FREQUENCY / 4;
        break;
    case 3:
        polite = !polite;
        break;
    case 4:
    case 5:
    case 6:
        send_request();
        wake(CLIENT);
        break;
    default:
        wake(IRQ);
    }
    take_answers();
}

/* It interrupts for ever without a cause: it is not acknowledged for ever. */
static void storm(void)
{
    static uint8_t zeros[16] = {2};

    acknowledged = 0;
    for (unsigned i = 0; i < 3000; i++) {
        struct input reads = {zeros, sizeof(zeros)};

        input = &reads;
        polite = true;
        interrupted = false;
        wake(IRQ);
    }
    require(acknowledged <= 1000);
    accesses = 0;
    wake(IRQ);
    wake(CLIENT);
    require(accesses == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input given = {data, size};
    uint64_t before = now;

    input = &given;
    memset(to_driver, 0, sizeof(to_driver));
    memset(from_driver, 0, sizeof(from_driver));
    memset(dma, 0, sizeof(dma));
    ring_init(&requests, to_driver, BLOCK_REQUEST_RING);
    ring_init(&replies, from_driver, BLOCK_REPLY_RING);
    polite = take(input, 1) % 4 != 0;
    interrupted = false;
    init();
    require(now - before <= START_US);
    while (given.left > 0) {
        step();
    }
    storm();
    return 0;
}
