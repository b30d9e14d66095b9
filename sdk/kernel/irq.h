/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Interrupts: whose they are. */

struct cpu;

/* Enable those that the boot image gives to PDs. */
void irq_init(void);

/* Take the one interrupt that is due, if one is. */
void irq_handle(struct cpu *cpu);
