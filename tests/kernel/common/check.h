/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What the kernel tests' PDs share: reporting. A test's PDs map the board's UART at UART_ADDRESS,
 * so that reports are seen in a release build, too. A row of the test is a line "ok NAME" or "not
 * ok NAME: got ..., want ..."; the line "done" ends the run.
 */

#include <microkit.h>
#include <stdbool.h>
#include <stdint.h>

#define UART_ADDRESS 0x30000000ul

static inline void put(char c)
{
    volatile uint32_t *uart = (volatile uint32_t *)UART_ADDRESS;

    while (uart[6] & 0x20) { /* UARTFR.TXFF */
    }
    uart[0] = (uint8_t)c;
}

static inline void say(const char *text)
{
    while (*text) {
        put(*text++);
    }
}

static inline void say_number(uint64_t value)
{
    char digits[20];
    unsigned count = 0;

    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (count > 0) {
        put(digits[--count]);
    }
}

static inline void say_hex(uint64_t value)
{
    say("0x");
    for (int shift = 60; shift >= 0; shift -= 4) {
        if (shift == 0 || value >> shift != 0) {
            put("0123456789abcdef"[value >> shift & 0xf]);
        }
    }
}

/* One row. */
static inline void check_equal(const char *name, uint64_t got, uint64_t want)
{
    say(got == want ? "ok " : "not ok ");
    say(name);
    if (got != want) {
        say(": got ");
        say_hex(got);
        say(", want ");
        say_hex(want);
    }
    say("\n");
}

static inline void check(const char *name, bool good)
{
    check_equal(name, good, true);
}

/* One row: `got` lies between `low` and `high`. */
static inline void check_range(const char *name, uint64_t got, uint64_t low, uint64_t high)
{
    bool good = got >= low && got <= high;

    say(good ? "ok " : "not ok ");
    say(name);
    say(": ");
    say_number(got);
    if (!good) {
        say(", want ");
        say_number(low);
        say(" to ");
        say_number(high);
    }
    say("\n");
}

static inline void done(void)
{
    say("done\n");
}

/* The counter. How fast it runs depends on the processor: 62.5 MHz or, from Armv8.6 on, 1 GHz. */
static inline uint64_t now(void)
{
    uint64_t value;

    __asm__ volatile("isb\n mrs %0, cntpct_el0" : "=r"(value) : : "memory");
    return value;
}

static inline uint64_t ticks_in_millisecond(void)
{
    uint64_t frequency;

    __asm__("mrs %0, cntfrq_el0" : "=r"(frequency));
    return frequency / 1000;
}

static inline uint64_t microseconds(uint64_t ticks)
{
    return ticks * 1000 / ticks_in_millisecond();
}

/* How far the counter goes in `us` microseconds. */
static inline uint64_t ticks(uint64_t us)
{
    return us * ticks_in_millisecond() / 1000;
}

static inline void spin_for(uint64_t us)
{
    uint64_t begin = now();

    while (microseconds(now() - begin) < us) {
    }
}
