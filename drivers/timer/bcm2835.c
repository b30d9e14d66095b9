/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The system timer of BCM2711, the Raspberry Pi 4's (BCM2711 ARM Peripherals, chapter 10): a
 * counter of microseconds that never stops, and compare register 1. It interrupts when the
 * counter's lower half becomes equal to that register, and cannot be told not to. A time that has
 * passed when it is written comes again after 71 minutes. So what is written is looked at
 * afterwards.
 */

#include "bcm2835.h"

#include <stddef.h>
#include "chip.h"
#include "lib/cpu.h"
#include "lib/device_registers.h"

#define COMPARE 1u

/* In microseconds. What is further ahead is waited for in steps. */
#define STEP_MAX 0x40000000u
#define STEP_MIN 2u

/* The counter changes within this part of a second, or does not count. */
#define COUNTS_WITHIN_PART 1000u

/* How often a time is written that has passed each time; it is twice as far ahead each time. */
#define TRIES 30u

/* Reads of the status until it must be clear. */
#define STATUS_READS 100u

static struct {
    uintptr_t registers;
    uint64_t frequency; /* of CNTPCT_EL0, in Hz; 0: no timer */
    bool armed;
    uint64_t deadline; /* what it is armed for */
} timer;

static uint32_t read_register(uint32_t offset)
{
    return device_read32(timer.registers, offset);
}

static void write_register(uint32_t offset, uint32_t value)
{
    device_write32(timer.registers, offset, value);
}

static bool has_matched(void)
{
    return read_register(BCM2835_CS) & BCM2835_CS_M(COMPARE);
}

/* As far ahead as can be. */
static void compare_with_the_past(void)
{
    write_register(BCM2835_C(COMPARE), read_register(BCM2835_CLO) - 1);
}

/* Whether the interrupt is down. */
static bool clear(void)
{
    for (uint32_t i = 0; i < STATUS_READS; i++) {
        write_register(BCM2835_CS, BCM2835_CS_M(COMPARE));
        if (!has_matched()) {
            return true;
        }
    }
    return false;
}

static bool counts(uint64_t frequency)
{
    uint32_t before = read_register(BCM2835_CLO);
    uint64_t start = cpu_counter();

    while (cpu_counter() - start <= frequency / COUNTS_WITHIN_PART) {
        if (read_register(BCM2835_CLO) != before) {
            return true;
        }
    }
    return false;
}

const char *chip_start(uintptr_t registers)
{
    uint64_t frequency = cpu_counter_frequency();

    timer.registers = registers;
    timer.frequency = 0;
    timer.armed = false;
    if (!counts(frequency)) {
        return "there is no system timer at its address, or it does not count";
    }
    compare_with_the_past();
    if (!clear()) {
        return "its interrupt does not end";
    }
    timer.frequency = frequency;
    return NULL;
}

/*
 * The microseconds of `ticks`, which are at most 2^40; or as many as go in a step. One more because
 * the last one is not whole, and one because the counter is within a microsecond already.
 */
static uint32_t step(uint64_t ticks)
{
    uint64_t microseconds = ticks * BCM2835_HERTZ / timer.frequency + 2;

    if (microseconds > STEP_MAX) {
        return STEP_MAX;
    }
    return microseconds < STEP_MIN ? STEP_MIN : (uint32_t)microseconds;
}

void chip_arm(uint64_t deadline, uint64_t now)
{
    if (timer.frequency == 0 || (timer.armed && timer.deadline == deadline)) {
        return;
    }
    timer.armed = true;
    timer.deadline = deadline;

    uint32_t ahead = step(deadline > now ? deadline - now : 0);

    for (uint32_t i = 0; i < TRIES; i++) {
        uint32_t start = read_register(BCM2835_CLO);

        write_register(BCM2835_C(COMPARE), start + ahead);
        if (read_register(BCM2835_CLO) - start < ahead || has_matched()) {
            return;
        }
        ahead = ahead < STEP_MAX / 2 ? 2 * ahead : STEP_MAX;
    }
}

void chip_disarm(void)
{
    if (timer.armed) {
        timer.armed = false;
        compare_with_the_past();
    }
}

bool chip_acknowledge(void)
{
    timer.armed = false;
    return timer.frequency != 0 && clear();
}
