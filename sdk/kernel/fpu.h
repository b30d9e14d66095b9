/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* FP and SIMD registers, switched when somebody else uses them. */

#include <stdint.h>

struct cpu;
struct thread;

struct fpu {
    uint64_t v[64]; /* v0 to v31, 16 bytes each */
    uint64_t fpcr;
    uint64_t fpsr;
} __attribute__((aligned(16)));

/* Give the registers to `thread`, which is or will be the current one; fpu_switch (cpu.h) says
 * when. */
void fpu_set_owner(struct cpu *cpu, struct thread *thread);

/* In fpu.S. */
void fpu_save(struct fpu *fpu);
void fpu_restore(const struct fpu *fpu);
