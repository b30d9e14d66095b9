/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Interrupts: each goes to a PD's channel, or to the kernel. */

struct cpu;

/* Enable those that the boot image gives to PDs. */
void irq_init(void);

/* Acknowledge and handle the highest priority pending interrupt, if there is one. */
void irq_handle(struct cpu *cpu);
