/* SPDX-License-Identifier: BSD-2-Clause */

#include "watchdog.h"

#include "drivers/timer/protocol.h"
#include "lib/cpu.h"
#include "primecell.h"
#include "timer.h"
#include "vgic.h"

/* Registers (3.2). */
#define WDOGLOAD    0x000u
#define WDOGVALUE   0x004u
#define WDOGCONTROL 0x008u
#define WDOGINTCLR  0x00cu
#define WDOGRIS     0x010u
#define WDOGMIS     0x014u
#define WDOGLOCK    0xc00u

#define INTEN  (1u << 0) /* counts, and interrupts */
#define RESEN  (1u << 1)
#define UNLOCK 0x1acce551u

static struct {
    uint32_t intid; /* 0: there is no such device */
    uint32_t load_max;
    uint32_t load;
    uint32_t value; /* where the counter stands if it does not count, */
    uint64_t begun; /* and if it does, when it was at `load`, in ticks of the guest's time */
    uint32_t control;
    bool locked;
    bool raised;  /* it has come to zero, and the guest has not cleared that */
    bool expired; /* and to zero again: nothing but the machine's reset helps */
} dog;

/* From `load` to zero, in ticks: 1 at least. All products are below 2^63 up to 2 GHz. */
static uint64_t period(void)
{
    return ((dog.load + 1ull) * cpu_counter_frequency() + VMM_PRIMECELL_CLOCK - 1) /
           VMM_PRIMECELL_CLOCK;
}

static bool counts(void)
{
    return (dog.control & INTEN) != 0;
}

/* When something happens next, in the guest's time, or TIMER_NEVER. */
static uint64_t next_event(void)
{
    if (!counts() || (dog.raised && !(dog.control & RESEN))) {
        return TIMER_NEVER;
    }
    return dog.begun + period();
}

/* Bring the counter, and what has come of it, up to date. */
static void update(uint64_t now)
{
    if (!counts() || dog.expired || now - dog.begun < period()) {
        return;
    }
    if (!dog.raised) {
        dog.raised = true;
        dog.begun += period();
    }
    if (dog.control & RESEN) {
        dog.expired = now - dog.begun >= period();
    } else {
        dog.begun += (now - dog.begun) / period() * period();
    }
}

static void tell(void)
{
    uint64_t next = next_event();

    vgic_set_level(dog.intid, dog.raised && counts());
    timer_watchdog_at(next == TIMER_NEVER ? TIMER_NEVER : next + timer_clock_offset());
}

void watchdog_init(const struct vmm_watchdog_config *config)
{
    dog.intid = config->intid;
    dog.load_max = (uint32_t)(config->seconds * (VMM_PRIMECELL_CLOCK / 2) - 1);
    watchdog_reset();
}

void watchdog_reset(void)
{
    if (dog.intid == 0) {
        return;
    }
    dog.load = dog.load_max;
    dog.value = dog.load_max;
    dog.control = 0;
    dog.locked = false;
    dog.raised = false;
    dog.expired = false;
    tell();
}

bool watchdog_timer_expired(void)
{
    if (!counts()) {
        return false;
    }
    update(timer_guest_time());
    if (!dog.expired) {
        tell();
    }
    return dog.expired;
}

static uint32_t value_at(uint64_t now)
{
    uint64_t counted;

    if (!counts()) {
        return dog.value;
    }
    counted = (now - dog.begun) * VMM_PRIMECELL_CLOCK / cpu_counter_frequency();
    return counted < dog.load ? dog.load - (uint32_t)counted : 0;
}

static uint32_t read_register(uint32_t offset)
{
    uint64_t now = timer_guest_time();

    update(now);
    switch (offset) {
    case WDOGLOAD:
        return dog.load;
    case WDOGVALUE:
        return value_at(now);
    case WDOGCONTROL:
        return dog.control;
    case WDOGRIS:
        return dog.raised;
    case WDOGMIS:
        return dog.raised && counts();
    case WDOGLOCK:
        return dog.locked;
    default:
        return 0; /* there is no integration test (WDOGITCR) */
    }
}

static void reload(uint64_t now)
{
    dog.begun = now;
    dog.value = dog.load;
}

static void set_control(uint32_t control, uint64_t now)
{
    uint32_t old = dog.control;

    dog.value = value_at(now);
    dog.control = control & (INTEN | RESEN);
    if ((dog.control & ~old & INTEN) != 0) {
        reload(now);
    }
}

static void write_register(uint32_t offset, uint32_t value)
{
    uint64_t now = timer_guest_time();

    update(now);
    if (offset == WDOGLOCK) {
        dog.locked = value != UNLOCK;
        return;
    }
    if (dog.locked || dog.expired) {
        return;
    }
    switch (offset) {
    case WDOGLOAD:
        dog.load = value < dog.load_max ? value : dog.load_max;
        reload(now);
        break;
    case WDOGCONTROL:
        set_control(value, now);
        break;
    case WDOGINTCLR:
        dog.raised = false;
        reload(now);
        break;
    default:
        break;
    }
    tell();
}

bool watchdog_access(void *unused, struct mmio_access *access)
{
    static const struct primecell cell = {0x805, read_register, write_register};

    (void)unused;
    return primecell_access(&cell, access);
}
