/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* WFI and WFE: a vCPU that waits for an interrupt is parked until there is one. */

#include <stdbool.h>
#include <stdint.h>

/*
 * The vCPU has faulted, and waits for an interrupt. Returns true if it is parked now. Returns false
 * if it has an interrupt already: the caller has to resume it.
 */
bool idle_park(uint8_t vcpu);

/*
 * The vCPU has faulted, at `pc`, on a WFE: it spins for something that another vCPU is to do. It
 * yields to the others. It goes on behind the instruction: at once if no other vCPU is on;
 * otherwise when one has gone idle, when an interrupt comes, or after 100 microseconds.
 */
void idle_yield(uint8_t vcpu, uint64_t pc);
