/* SPDX-License-Identifier: BSD-2-Clause */

#include "shared.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include "lib/log.h"
#include "mmio.h"
#include "vgic.h"

/* What the registers are: docs/shared.md. All have 32 bits. */
#define MAGIC        0x000u
#define VERSION      0x004u
#define NUMBER       0x008u
#define MACHINES     0x00cu
#define SIZE_LOW     0x010u
#define SIZE_HIGH    0x014u
#define ADDRESS_LOW  0x018u
#define ADDRESS_HIGH 0x01cu
#define WRITERS      0x020u
#define DOORBELL     0x024u
#define STATE        0x028u
#define NAME         0x040u
#define NAME_SIZE    32u
#define LIFE_OF(i)   (0x100u + 8u * (i)) /* 64 bits: STATE_OF, and RESETS_OF above it */

/* The monitors' own words. The guest may read them, and has no use for them. */
#define BUSY    0x800u
#define RUNG(i) (0x900u + 4u * (i)) /* how often machine i has been rung, modulo 2^32 */

#define MAGIC_VALUE   0x4d537242u /* "BrSM" */
#define VERSION_VALUE 1u

union page {
    uint32_t words[SHARED_SIZE / 4];
    uint64_t pairs[SHARED_SIZE / 8];
};

static struct region {
    const struct vmm_shared_config *config;
    volatile union page *page;
    bool busy;
    uint32_t seen[VMM_MAX_SHARED_MACHINES]; /* the others' words for this machine */
} regions[VMM_MAX_SHARED];
static uint32_t region_count;

static void show(struct region *region, uint32_t offset, uint32_t value)
{
    region->page->words[offset / 4] = value;
}

static uint32_t shown(const struct region *region, uint32_t offset)
{
    return region->page->words[offset / 4];
}

/* The page of machine `number`, which that one's monitor writes at any time. */
static const volatile union page *page_of(const struct region *region, uint32_t number)
{
    return region->config->pages[number];
}

static uint32_t read_other(const struct region *region, uint32_t number, uint32_t offset)
{
    return page_of(region, number)->words[offset / 4];
}

/*
 * One access each, here and in the guests: so nobody finds the state of one life with the resets of
 * another.
 */
static void show_life(struct region *region, uint32_t number, uint64_t life)
{
    region->page->pairs[LIFE_OF(number) / 8] = life;
}

static uint64_t shown_life(const struct region *region)
{
    return region->page->pairs[LIFE_OF(region->config->number) / 8];
}

static uint64_t read_life(const struct region *region, uint32_t number)
{
    return page_of(region, number)->pairs[LIFE_OF(number) / 8];
}

static uint32_t resets_of(uint64_t life)
{
    return (uint32_t)(life >> 32);
}

static bool is_other(const struct region *region, uint32_t number)
{
    return number < region->config->machines && number != region->config->number;
}

/* ---- Between monitors ---- */

/*
 * What the guest has written before it rang is seen by who reads the word. Either that monitor sees
 * the word when it is busy no more, or this one sees that it is not busy.
 */
static void ring(struct region *region, uint32_t number)
{
    atomic_thread_fence(memory_order_seq_cst);
    show(region, RUNG(number), shown(region, RUNG(number)) + 1);
    atomic_thread_fence(memory_order_seq_cst);
    if (read_other(region, number, BUSY) == 0) {
        microkit_notify(region->config->channels[number]);
    }
}

static void ring_all(struct region *region)
{
    for (uint32_t i = 0; i < region->config->machines; i++) {
        if (is_other(region, i)) {
            ring(region, i);
        }
    }
}

static void set_busy(struct region *region, bool busy)
{
    region->busy = busy;
    show(region, BUSY, busy);
    atomic_thread_fence(memory_order_seq_cst);
}

/* Show the states of the others, and interrupt the guest if one of them has rung. */
static void look(struct region *region)
{
    bool rung = false;

    for (uint32_t i = 0; i < region->config->machines; i++) {
        uint32_t count;

        if (!is_other(region, i)) {
            continue;
        }
        count = read_other(region, i, RUNG(region->config->number));
        if (count == region->seen[i]) {
            continue;
        }
        region->seen[i] = count;
        rung = true;
        atomic_thread_fence(memory_order_seq_cst);
        show_life(region, i, read_life(region, i));
    }
    if (rung) {
        set_busy(region, true);
        vgic_pulse(region->config->intid);
    }
}

bool shared_notified(microkit_channel channel)
{
    for (uint32_t r = 0; r < region_count; r++) {
        struct region *region = &regions[r];

        for (uint32_t i = 0; i < region->config->machines; i++) {
            if (is_other(region, i) && region->config->channels[i] == channel) {
                if (!region->busy) {
                    look(region);
                }
                return true;
            }
        }
    }
    return false;
}

void shared_settle(void)
{
    for (uint32_t r = 0; r < region_count; r++) {
        struct region *region = &regions[r];

        if (region->busy && !vgic_is_waiting(region->config->intid)) {
            set_busy(region, false);
            look(region);
        }
    }
}

/* ---- Registers ---- */

static void show_state(struct region *region, uint32_t resets, uint32_t state)
{
    show(region, STATE, state);
    show_life(region, region->config->number, (uint64_t)resets << 32 | state);
    ring_all(region);
}

static void set_state(struct region *region, uint32_t value)
{
    if (shown(region, STATE) == value) {
        return;
    }
    show_state(region, resets_of(shown_life(region)), value);
}

static void write_register(struct region *region, uint32_t offset, uint32_t value)
{
    switch (offset) {
    case DOORBELL:
        if (is_other(region, value)) {
            ring(region, value);
        }
        break;
    case STATE:
        set_state(region, value);
        break;
    default:
        log_limited("shared %s: write of 0x%x to register 0x%x: ignored", region->config->name,
                    (unsigned)value, (unsigned)offset);
    }
}

static bool access_region(void *opaque, struct mmio_access *access)
{
    struct region *region = opaque;

    if (!access->write) {
        return false; /* the guest has the page to read: this access is none that a guest makes */
    }
    if (access->width != 4) {
        log_limited("shared %s: write of %u bytes at 0x%x, where registers are 4 bytes wide: "
                    "ignored",
                    region->config->name, (unsigned)access->width, (unsigned)access->offset);
        return true;
    }
    write_register(region, (uint32_t)access->offset, (uint32_t)access->value);
    return true;
}

/* ---- Start and reset ---- */

static void show_name(struct region *region)
{
    char name[NAME_SIZE] = {0};

    strncpy(name, region->config->name, NAME_SIZE - 1);
    for (uint32_t i = 0; i < NAME_SIZE; i += 4) {
        uint32_t word;

        memcpy(&word, &name[i], sizeof(word));
        show(region, NAME + i, word);
    }
}

static void init_region(struct region *region, const struct vmm_shared_config *config)
{
    region->config = config;
    region->page = config->registers;
    region->busy = false;
    memset(region->seen, 0, sizeof(region->seen));
    show(region, MAGIC, MAGIC_VALUE);
    show(region, VERSION, VERSION_VALUE);
    show(region, NUMBER, config->number);
    show(region, MACHINES, config->machines);
    show(region, SIZE_LOW, (uint32_t)config->size);
    show(region, SIZE_HIGH, (uint32_t)(config->size >> 32));
    show(region, ADDRESS_LOW, (uint32_t)config->memory_gpa);
    show(region, ADDRESS_HIGH, (uint32_t)(config->memory_gpa >> 32));
    show(region, WRITERS, config->writers);
    show_name(region);
    if (!mmio_attach(config->gpa, SHARED_SIZE, access_region, region)) {
        log_printf("shared %s: no room on the bus at 0x%llx", config->name,
                   (unsigned long long)config->gpa);
    }
}

void shared_init(const struct vmm_config *config)
{
    region_count = config->shared_count < VMM_MAX_SHARED ? config->shared_count : VMM_MAX_SHARED;
    for (uint32_t r = 0; r < region_count; r++) {
        init_region(&regions[r], &config->shared[r]);
    }
}

void shared_reset(void)
{
    for (uint32_t r = 0; r < region_count; r++) {
        show_state(&regions[r], resets_of(shown_life(&regions[r])) + 1, 0);
    }
}
