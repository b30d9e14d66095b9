/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* FP and SIMD registers. They are switched lazily: when another thread uses them. */

#include <stdint.h>

struct cpu;
struct thread;

struct fpu {
    uint64_t v[64]; /* v0 to v31, 16 bytes each */
    uint64_t fpcr;
    uint64_t fpsr;
} __attribute__((aligned(16)));

/* Save the owner's registers and load those of `thread`, which is or will be the current one. */
void fpu_set_owner(struct cpu *cpu, struct thread *thread);

/* Save the owner's registers, if there is an owner. There is none then. */
void fpu_release(struct cpu *cpu);

/* In fpu.S. */
void fpu_save(struct fpu *fpu);
void fpu_restore(const struct fpu *fpu);
