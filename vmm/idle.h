/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A vCPU that waits for an interrupt is parked until there is one. One that may be waiting for what
 * another vCPU of its core is to do yields.
 *
 * A guest's vCPUs expect to run at once. Where several share a core, one that is preempted within a
 * spinlock leaves the others to spin for it. So they change places at better moments:
 *
 *   - at a WFE, with which a guest spins. Some emulators do not trap it;
 *   - at an interrupt of the vCPU's timer: in user mode it holds no lock of the kernel; with
 *     interrupts masked it may well be spinning for one.
 *
 * A vCPU that has yielded goes on when it gets another interrupt, when no other vCPU of the machine
 * is on on its core, or after a while. Where the timer's driver is in another domain that while
 * would be long. There only one in user mode yields, and one that spins lets it go on.
 */

#include <stdbool.h>
#include <stdint.h>
#include "config.h"

/* `core` says for each vCPU on which core it is. It is kept. */
void idle_init(const uint8_t core[VMM_MAX_VCPUS]);

/*
 * The vCPU has exited on a WFI, which no interrupt that it had seen wakes. Returns true if it is
 * parked now. Returns false if there has been an interrupt since: the caller has to resume it.
 */
bool idle_park(uint8_t vcpu);

/*
 * The vCPU has exited on a WFE. It yields if another one is on on its core. It goes on at `behind`,
 * which is behind the instruction.
 */
void idle_yield(uint8_t vcpu, uint64_t behind);

/* The vCPU is off. If no other one is on on its core, one that has yielded there goes on. */
void idle_left(uint8_t vcpu);

/* The vCPU's timer has interrupted it, and it has exited. It yields where that is a good moment. */
void idle_tick(uint8_t vcpu);
