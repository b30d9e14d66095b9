/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The reset program clears state of a vCPU that no system call of the kernel writes: interrupts in
 * list registers, FP and SIMD registers, PAR_EL1, CSSELR_EL1, and lines in the instruction cache.
 * It also clears the system registers of EL1 that are to be zero. Of those seL4 writes a copy only,
 * which is not used, while the vCPU is loaded on another core than the monitor's. A vCPU that has
 * run before runs the program first whenever it is powered on. The program ends all interrupts in
 * the CPU interface (IHI 0048B, chapter 5; IHI 0069, 12.2), clears the rest, and makes an SMC
 * (vm_reset_done).
 *
 * The program has a page of its own, which guests can read and execute but not write.
 */

#include <stdint.h>

#define RESET_PROGRAM_SIZE 4096u

/*
 * Write the program into `page`, which is mapped here, and in the guest at `gpa`. `cpu_interface`
 * is the guest-physical address of GICC, for a `gic_version` of 2. All are multiples of 4 KiB. Call
 * this before a vCPU runs.
 */
void reset_program_init(void *page, uint64_t gpa, uint32_t gic_version, uint64_t cpu_interface);

/* Where the program begins, guest-physical. */
uint64_t reset_program_entry(void);

/* The value of x0 that the program wants for this vCPU: the INTIDs in its list registers. */
uint64_t reset_program_argument(uint8_t vcpu);
