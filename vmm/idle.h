/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Idle is idle: a vCPU that waits for an interrupt is not resumed until there is one. */

#include <stdbool.h>
#include <stdint.h>

/*
 * The vCPU has faulted and waits for an interrupt. Returns true if it is parked now; false if it
 * has an interrupt already and is to be resumed.
 */
bool idle_park(uint8_t vcpu);

/*
 * The vCPU has faulted, at `pc`, on a WFE: it spins for something that another vCPU is to do.
 * It goes on behind the instruction: at once if no other vCPU could do anything; otherwise when one
 * has gone idle, or an interrupt comes, or after a hundred microseconds.
 */
void idle_pause(uint8_t vcpu, uint64_t pc);
