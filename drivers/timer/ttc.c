/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The Cadence triple timer counter of Zynq UltraScale+ (AMD UG1085, chapter 13). Of its three
 * counters the first one is used, as an alarm clock: it counts from 0 to where it interrupts. The
 * time is CNTPCT_EL0's. So an error of the counter is one of a single wake-up, and never adds up.
 *
 * How fast the counter is, the driver measures at start: the board's clock is another one than an
 * emulator's, and CNTPCT_EL0's differ as well.
 */

#include "ttc.h"

#include <stddef.h>
#include "chip.h"
#include "lib/cpu.h"
#include "lib/device_registers.h"

#define WIDTH_16 0xffffu
#define WIDTH_32 0xffffffffu

/* A step ahead, at most, in ticks of CNTPCT_EL0: 5 s at 100 MHz. */
#define STEP_MAX (1ULL << 29)

/*
 * QEMU 7.2 has a counter of 16 bits, and computes when it interrupts in whole nanoseconds. If its
 * rounding leaves a part of one, and time goes by instructions (-icount), QEMU hangs: it looks at
 * the counter again and again, until that part has passed. Nothing is left of a whole number of
 * microseconds, if it is less than 131 ms. So intervals are multiples of a microsecond, and those
 * of 16 bits no longer than this part of a second.
 */
#define SHORT_PART 8u

/*
 * A wait for more than such a part of a second goes in steps: the first one ends before the time by
 * such a part of the wait. So the error of the last one, and of the measurement, is that of a short
 * wait.
 */
#define LONG_PART   16u
#define LONG_BEFORE 1024u

/* Bits behind the point of `rate`. */
#define RATE_SHIFT 24u

/*
 * The measurement: the prescaler's exponent, with which a counter of 16 bits does not wrap within
 * three milliseconds; how many parts of a second it takes; by which part two results may differ;
 * how often it is tried. On an emulator the host may run something else at any time.
 */
#define MEASURE_EXPONENT  5u
#define MEASURE_PART      500u
#define MEASURE_TOLERANCE 1024u
#define MEASURE_TRIES     64u

/*
 * An interval is longer by this part than the time that is to pass, which is more than the
 * measurement's error. An interrupt that came too early would be followed by another one.
 */
#define MARGIN_PART 8192u

/* Reads of the status until it must be clear. The first one clears it. */
#define STATUS_READS 100u

#define STOPPED (TTC_CONTROL_WAVE_DIS | TTC_CONTROL_DIS)
#define RUNS    (TTC_CONTROL_WAVE_DIS | TTC_CONTROL_INT | TTC_CONTROL_RST)

static struct {
    uintptr_t registers;
    uint32_t width;     /* the largest interval */
    uint64_t rate;      /* counts for each tick of CNTPCT_EL0, times 2^RATE_SHIFT; 0: no timer */
    uint32_t clock;     /* as written */
    uint64_t long_wait; /* ticks of CNTPCT_EL0 */
    uint64_t step_max;
    uint64_t unit; /* counts in a microsecond, at least 1 */
    bool armed;
    uint64_t deadline; /* what it is armed for */
} ttc;

static uint32_t read_register(uint32_t offset)
{
    return device_read32(ttc.registers, offset);
}

static void write_register(uint32_t offset, uint32_t value)
{
    device_write32(ttc.registers, offset, value);
}

static void set_prescaler(uint32_t exponent)
{
    uint32_t clock = exponent == 0 ? 0 : TTC_CLOCK_PS_EN | TTC_CLOCK_PS(exponent - 1);

    if (clock != ttc.clock) {
        ttc.clock = clock;
        write_register(TTC_CLOCK, clock);
    }
}

/* ---- How fast it counts ---- */

struct sample {
    uint64_t time; /* when the counter changed to: */
    uint32_t value;
};

/* False if the counter does not change within `patience` ticks. */
static bool sample_change(struct sample *sample, uint64_t patience)
{
    uint64_t start = cpu_counter();
    uint32_t before = read_register(TTC_VALUE);

    do {
        sample->value = read_register(TTC_VALUE);
        sample->time = cpu_counter();
    } while (sample->value == before && sample->time - start < patience);
    return sample->value != before;
}

/* The rate, or 0 if the counter does not count, or was not looked at in time. */
static uint64_t measure_once(void)
{
    uint64_t duration = cpu_counter_frequency() / MEASURE_PART;
    struct sample first;
    struct sample last;

    if (!sample_change(&first, duration)) {
        return 0;
    }
    do {
        if (!sample_change(&last, duration)) {
            return 0;
        }
    } while (last.time - first.time < duration);

    if (last.time - first.time > 2 * duration) {
        return 0; /* an emulator stood still meanwhile, and the counter may have wrapped */
    }

    uint64_t counts = (uint64_t)((last.value - first.value) & ttc.width) << MEASURE_EXPONENT;

    return (counts << RATE_SHIFT) / (last.time - first.time);
}

/* The rate that two measurements agree on, or 0. */
static uint64_t measure(void)
{
    uint64_t before = 0;

    set_prescaler(MEASURE_EXPONENT);
    write_register(TTC_CONTROL, TTC_CONTROL_WAVE_DIS | TTC_CONTROL_RST);
    for (uint32_t i = 0; i < MEASURE_TRIES; i++) {
        uint64_t rate = measure_once();
        uint64_t difference = rate > before ? rate - before : before - rate;

        if (rate != 0 && difference <= rate / MEASURE_TOLERANCE) {
            return rate;
        }
        before = rate != 0 ? rate : before;
    }
    return 0;
}

static void set_limits(uint64_t frequency)
{
    uint64_t per_second = (ttc.rate * frequency) >> RATE_SHIFT;

    ttc.unit = (per_second + 500000) / 1000000;
    if (ttc.unit == 0) {
        ttc.unit = 1;
    }
    ttc.long_wait = frequency / LONG_PART;
    ttc.step_max = STEP_MAX;
    if (ttc.width == WIDTH_16 && frequency / SHORT_PART < STEP_MAX) {
        ttc.step_max = frequency / SHORT_PART;
    }
}

const char *chip_start(uintptr_t registers)
{
    ttc.registers = registers;
    ttc.rate = 0;
    ttc.armed = false;
    ttc.clock = ~0u;
    write_register(TTC_INT_ENABLE, 0);
    write_register(TTC_CONTROL, STOPPED);
    read_register(TTC_INT_STATUS);
    write_register(TTC_INTERVAL, WIDTH_32);
    ttc.width = read_register(TTC_INTERVAL);
    if (ttc.width != WIDTH_32 && ttc.width != WIDTH_16) {
        return "there is no triple timer counter at its address";
    }

    uint64_t rate = measure();

    write_register(TTC_CONTROL, STOPPED);
    read_register(TTC_INT_STATUS);
    /* The bound keeps what chip_arm computes below 2^64. */
    if (rate == 0 || rate >> 34 != 0) {
        return "its counter does not count, or not evenly";
    }
    ttc.rate = rate;
    set_limits(cpu_counter_frequency());
    write_register(TTC_INT_ENABLE, TTC_INT_INTERVAL);
    return NULL;
}

/* ---- The alarm ---- */

/* The counts of `ticks`, a little more. */
static uint64_t counts_of(uint64_t ticks)
{
    uint64_t counts = (ticks * ttc.rate) >> RATE_SHIFT;

    return counts + counts / MARGIN_PART + 1;
}

/* Interrupt after so many counts and up to the next unit, or as many as the counter can. */
static void run(uint64_t counts)
{
    uint64_t units_max = ttc.width / ttc.unit;
    uint64_t units = (counts + ttc.unit - 1) / ttc.unit;
    uint32_t exponent = 0;

    while (units > units_max && exponent < TTC_PRESCALER_MAX) {
        units = (units + 1) / 2;
        exponent++;
    }
    if (units > units_max) {
        units = units_max;
    }
    set_prescaler(exponent);
    write_register(TTC_INTERVAL, (uint32_t)(units * ttc.unit - 1));
    write_register(TTC_CONTROL, RUNS);
}

/* How many ticks to count now, if there are `ticks` to wait for. */
static uint64_t step(uint64_t ticks)
{
    if (ticks > ttc.long_wait) {
        ticks -= ticks / LONG_BEFORE;
    }
    return ticks < ttc.step_max ? ticks : ttc.step_max;
}

void chip_arm(uint64_t deadline, uint64_t now)
{
    if (ttc.rate == 0 || (ttc.armed && ttc.deadline == deadline)) {
        return;
    }
    if (ttc.armed) {
        write_register(TTC_CONTROL, STOPPED);
    }
    ttc.armed = true;
    ttc.deadline = deadline;
    run(counts_of(step(deadline > now ? deadline - now : 0)));
}

void chip_disarm(void)
{
    if (ttc.armed) {
        ttc.armed = false;
        write_register(TTC_CONTROL, STOPPED);
    }
}

bool chip_acknowledge(void)
{
    if (ttc.rate == 0) {
        return false;
    }
    ttc.armed = false;
    write_register(TTC_CONTROL, STOPPED);
    for (uint32_t i = 0; i < STATUS_READS; i++) {
        if ((read_register(TTC_INT_STATUS) & TTC_INT_INTERVAL) == 0) {
            return true;
        }
    }
    write_register(TTC_INT_ENABLE, 0);
    return false;
}
