/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What a guest leaves in a vCPU that no hypervisor call writes: interrupts in list registers, FP
 * and SIMD registers, PAR_EL1, CSSELR_EL1, and lines in the instruction cache. So a vCPU that has
 * run before runs a small program of ours first, whenever it is powered on. It ends whatever the
 * CPU interface holds (IHI 0048B, chapter 5), clears the rest, and calls.
 *
 * The program has a page of its own, which guests can read and execute but not write.
 */

#include <stdint.h>

#define RESET_PROGRAM_SIZE 4096u

/*
 * Write the program: `page` is where we see the page that guests see at `gpa`; `cpu_interface` is
 * the guest-physical address of GICC. All are multiples of 4 KiB. Before any vCPU runs.
 */
void reset_program_init(void *page, uint64_t gpa, uint64_t cpu_interface);

/* Where the program begins, guest-physical. */
uint64_t reset_program_entry(void);

/* What x0 has to be for this vCPU. */
uint64_t reset_program_argument(uint8_t vcpu);
