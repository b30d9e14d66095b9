/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What the timer's driver asks of the chip: one interrupt at one time. timer.c is the class, and
 * keeps the clients' deadlines; each other file of this directory is a chip, of which one is
 * linked. Time is CNTPCT_EL0, whatever the chip itself counts.
 */

#include <stdbool.h>
#include <stdint.h>

/*
 * Set the chip up, disarmed. `registers` is where its page is mapped, 0 for a chip without
 * registers in memory. Returns NULL, or the cause for which there is no timer: a sentence without a
 * full stop. Then the others may be called all the same, and do nothing.
 */
const char *chip_start(uintptr_t registers);

/*
 * Interrupt once CNTPCT_EL0 has reached `deadline`, at once if that has passed. It is no more than
 * 2^40 ticks later than `now`, which has just been read. This replaces what the chip was armed for.
 * It may interrupt earlier, because its counter does not reach so far, or counts in other steps:
 * the class looks at the clock, and arms it again.
 */
void chip_arm(uint64_t deadline, uint64_t now);

/* Do not interrupt. An interrupt that was raised before may still come. */
void chip_disarm(void);

/*
 * The chip has interrupted. It stops doing so at the latest with the chip_arm or chip_disarm that
 * follows. Returns false if its interrupt does not end.
 */
bool chip_acknowledge(void);
