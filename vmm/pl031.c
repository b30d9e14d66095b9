/* SPDX-License-Identifier: BSD-2-Clause */

#include "pl031.h"

#include "drivers/timer/protocol.h"
#include "lib/cpu.h"
#include "primecell.h"
#include "timer.h"
#include "vgic.h"

/* Registers (3.2). */
#define RTCDR   0x000u
#define RTCMR   0x004u
#define RTCLR   0x008u
#define RTCCR   0x00cu
#define RTCIMSC 0x010u
#define RTCRIS  0x014u
#define RTCMIS  0x018u
#define RTCICR  0x01cu

#define RTC_START 1u
#define RTC_INTR  1u

static struct {
    uint32_t intid; /* 0: there is no such device */
    uint32_t load;  /* what the clock was set to, */
    uint64_t since; /* when the counter was there */
    uint32_t match;
    uint64_t due; /* when the clock reaches `match` next, in ticks of the counter */
    bool mask;
    bool raised;
} rtc;

static uint64_t seconds(uint64_t ticks)
{
    return ticks / cpu_counter_frequency();
}

static uint32_t time_at(uint64_t now)
{
    return rtc.load + (uint32_t)seconds(now - rtc.since);
}

/* The clock reaches `match` when both are equal, within 136 years. */
static void set_due(uint64_t now)
{
    uint64_t second = seconds(now - rtc.since);

    second += (uint32_t)(rtc.match - time_at(now));
    rtc.due = rtc.since + second * cpu_counter_frequency();
}

/*
 * Look whether the clock has reached `match`, and bring the interrupt's level up to date. The timer
 * is asked for only if the guest wants the interrupt: without it the guest has to look by itself.
 */
static void update(uint64_t now)
{
    if (rtc.due <= now) {
        rtc.raised = true;
        rtc.due = TIMER_NEVER;
    }
    vgic_set_level(rtc.intid, rtc.raised && rtc.mask);
    timer_alarm_at(rtc.mask && !rtc.raised ? rtc.due : TIMER_NEVER);
}

bool pl031_init(const struct vmm_clock_config *config)
{
    uint64_t now = cpu_counter();
    uint32_t board = config->board ? *(const volatile uint32_t *)config->board : 0;
    bool believed = config->board && board >= config->build_date;

    rtc.intid = config->intid;
    rtc.since = now;
    rtc.load = believed ? board : config->build_date + (uint32_t)seconds(now);
    pl031_reset();
    return believed;
}

void pl031_reset(void)
{
    if (rtc.intid == 0) {
        return;
    }
    rtc.match = 0;
    rtc.due = TIMER_NEVER;
    rtc.mask = false;
    rtc.raised = false;
    update(rtc.since);
}

void pl031_timer_expired(void)
{
    if (rtc.mask) {
        update(cpu_counter());
    }
}

static uint32_t read_register(uint32_t offset)
{
    uint64_t now = cpu_counter();

    update(now);
    switch (offset) {
    case RTCDR:
        return time_at(now);
    case RTCMR:
        return rtc.match;
    case RTCLR:
        return rtc.load;
    case RTCCR:
        return RTC_START;
    case RTCIMSC:
        return rtc.mask;
    case RTCRIS:
        return rtc.raised;
    case RTCMIS:
        return rtc.raised && rtc.mask;
    default:
        return 0;
    }
}

static void write_register(uint32_t offset, uint32_t value)
{
    uint64_t now = cpu_counter();

    update(now);
    switch (offset) {
    case RTCMR:
        rtc.match = value;
        set_due(now);
        break;
    case RTCLR:
        rtc.load = value;
        rtc.since = now;
        set_due(now);
        break;
    case RTCIMSC:
        rtc.mask = (value & RTC_INTR) != 0;
        break;
    case RTCICR:
        if (value & RTC_INTR) {
            rtc.raised = false;
        }
        break;
    default:
        break; /* once it has been started, nothing but a reset stops it (RTCCR) */
    }
    update(now);
}

bool pl031_access(void *unused, struct mmio_access *access)
{
    static const struct primecell cell = {0x31, read_register, write_register};

    (void)unused;
    return primecell_access(&cell, access);
}
