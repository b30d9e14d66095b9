/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: drivers/net/net.c drivers/net/cadence_gem.c lib/ring.c lib/offload.c lib/checksum.c
 * SOURCES: lib/tcp_checksum.c
 * SOURCES: tests/fuzz/silence.c
 *
 * The network card's driver between a Cadence GEM whose registers read as it likes and that writes
 * into its descriptors and buffers what it likes, and a switch that does so with its rings. Nothing
 * may be touched but these and the registers that there are; the card is given no address but those
 * of the driver's regions; each call ends after a bounded number of accesses; and a card that has
 * been given up is not acknowledged.
 */

#include <microkit.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "drivers/net/cadence_gem.h"
#include "drivers/net/chip.h"
#include "drivers/net/config.h"
#include "input.h"
#include "lib/cpu.h"
#include "lib/device_registers.h"
#include "lib/dma.h"
#include "lib/ring.h"

#define RING        (128u << 10)
#define IRQ         0u
#define SWITCH      1u
#define DMA_PADDR   0x810000000u
#define RINGS_PADDR 0x820000000u
#define BUFFER      2048u

/* Of a start, which asks 32 PHYs; and of a wake-up, which asks one. */
#define START_ACCESSES 100000u
#define WAKE_ACCESSES  40000u

static uint8_t to_switch[RING_HEADER_SIZE + RING] __attribute__((aligned(4096)));
static uint8_t from_switch[RING_HEADER_SIZE + RING] __attribute__((aligned(4096)));
static uint8_t dma[NET_DRIVER_DMA_SIZE] __attribute__((aligned(4096)));
static uint8_t rings[NET_DRIVER_RINGS_SIZE] __attribute__((aligned(4096)));
static const uint64_t dma_paddr = DMA_PADDR;
static const uint64_t rings_paddr = RINGS_PADDR;

const struct net_driver_config net_driver_config = {
    .registers = 0xff0e0000,
    .irq_channel = IRQ,
    .switch_channel = SWITCH,
    .to_switch = to_switch,
    .from_switch = from_switch,
    .ring_size = RING,
    .dma = dma,
    .dma_paddr = &dma_paddr,
    .rings = rings,
    .rings_paddr = &rings_paddr,
};

/* What a card answers that is one. Otherwise few inputs would get beyond the start. */
static bool honest;

seL4_Bool microkit_have_signal;

static struct input *input;
static unsigned accesses;
static uint64_t ticks;

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

uint64_t cpu_counter(void)
{
    return ticks += 1000;
}

uint64_t cpu_counter_frequency(void)
{
    return 1000000;
}

/*
 * One of the receive buffers and then the transmit buffers; at the start all of the former, and the
 * descriptors.
 */
static void require_buffer(const void *start, size_t size)
{
    uintptr_t offset = (uintptr_t)start - (uintptr_t)dma;

    require((offset == 0 && size == 512u * BUFFER) || (start == rings && size == sizeof(rings)) ||
            (offset < (512u + 256u) * BUFFER && size <= BUFFER - offset % BUFFER));
}

void dma_clean(const void *start, size_t size)
{
    require_buffer(start, size);
}

void dma_invalidate(void *start, size_t size)
{
    require_buffer(start, size);
}

static uint32_t design(uint32_t offset)
{
    switch (offset) {
    case GEM_MID:
        return 0x50070106;
    case GEM_DCFG6:
        return GEM_DCFG6_DAW64 | 2u;
    case GEM_NSR:
        return GEM_NSR_IDLE;
    case GEM_MAN:
        return PHY_BMSR_LINK | PHY_BMSR_ANEG;
    default:
        return 0;
    }
}

uint32_t device_read32(uintptr_t registers, uint32_t offset)
{
    require(registers == net_driver_config.registers && offset % 4 == 0 && offset < 0x1000);
    accesses++;
    if (honest && design(offset) != 0) {
        return design(offset);
    }
    return (uint32_t)take(input, 4);
}

/* Where the card may be told that its descriptors are. */
static bool is_in_rings(uint32_t low)
{
    return low - (uint32_t)RINGS_PADDR < sizeof(rings) && low % 16 == 0;
}

void device_write32(uintptr_t registers, uint32_t offset, uint32_t value)
{
    require(registers == net_driver_config.registers && offset % 4 == 0 && offset < 0x1000);
    accesses++;
    if (offset == GEM_RBQP || offset == GEM_TBQP ||
        (offset >= GEM_TBQP_Q(1) && offset < GEM_TBQP_Q(GEM_QUEUES_MAX)) ||
        (offset >= GEM_RBQP_Q(1) && offset < GEM_RBQP_Q(GEM_QUEUES_MAX))) {
        require(is_in_rings(value));
    }
    if (offset == GEM_RBQPH || offset == GEM_TBQPH) {
        require(value == RINGS_PADDR >> 32);
    }
}

void microkit_deferred_notify(microkit_channel channel)
{
    (void)channel;
}

void microkit_irq_ack(microkit_channel channel)
{
    require(channel == IRQ && chip_error() == NULL);
}

static void wake(microkit_channel channel)
{
    accesses = 0;
    notified(channel);
    require(accesses <= WAKE_ACCESSES);
}

/* All that has been received is given back: the card gets the driver's buffers again, no others. */
static void check_posted(void)
{
    const struct gem_descriptor *descriptor = (const void *)rings;

    memset(rings, 0xff, 512 * sizeof(*descriptor)); /* all are frames, of no sense */
    wake(IRQ);
    for (unsigned i = 0; chip_error() == NULL && i < 512; i++) {
        uint64_t paddr = (uint64_t)descriptor[i].address_high << 32 | (descriptor[i].address & ~3u);

        require((descriptor[i].address & GEM_RX_USED) != 0 ||
                (paddr - DMA_PADDR < 512u * BUFFER && paddr % BUFFER == 0));
    }
}

static void step(struct input *given)
{
    switch (take(given, 1) % 8) {
    case 0:
        scribble(given, to_switch, sizeof(to_switch));
        break;
    case 1:
        scribble(given, from_switch, sizeof(from_switch));
        break;
    case 2:
        scribble(given, to_switch, 128); /* indices */
        break;
    case 3:
        scribble(given, from_switch, 128);
        break;
    case 4:
        scribble(given, rings, 256); /* the first descriptors */
        break;
    case 5:
        scribble(given, rings, sizeof(rings));
        break;
    case 6:
        scribble(given, dma, sizeof(dma));
        break;
    default:
        wake(IRQ);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input given = {data, size};

    input = &given;
    memset(to_switch, 0, sizeof(to_switch));
    memset(from_switch, 0, sizeof(from_switch));
    memset(rings, 0, sizeof(rings));
    honest = take(&given, 1) % 8 != 0;
    accesses = 0;
    init();
    require(accesses <= START_ACCESSES);
    while (given.left > 0) {
        step(&given);
        wake(SWITCH);
    }
    check_posted();
    return 0;
}
