/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Interrupts: each goes to a PD's channel, or to the kernel. */

struct cpu;

/* Learn whose they are. */
void irq_init(void);

/* Enable those of this core's PDs, and have them come to this core. */
void irq_init_cpu(struct cpu *cpu);

/* Acknowledge and handle the highest priority pending interrupt, if there is one. */
void irq_handle(struct cpu *cpu);
