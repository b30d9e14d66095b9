/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A guest may end with interrupts in its list registers: a panic in an interrupt handler, say. No
 * hypervisor call takes them out again, and the next guest on this vCPU would get them. So before
 * that each vCPU runs a small program of ours in guest memory, which ends whatever its CPU
 * interface holds (IHI 0048B, chapter 5), puts the interface back to its reset state, and calls.
 */

#include <stdint.h>
#include "guest_memory.h"

/*
 * Put the program and what it must know of `vcpu` into guest memory. Returns the entry point in
 * `entry` and the value for x0. The same program may serve several vCPUs at once.
 */
uint64_t gic_drain_prepare(const struct guest_memory *memory, uint8_t vcpu, uint64_t cpu_interface,
                           uint64_t *entry);
