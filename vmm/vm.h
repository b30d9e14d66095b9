/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The life of the VM: off (or held before its first start), running, and, on the way from one run
 * to the next, first settling: a disk may still be writing into guest memory; then resetting: each
 * vCPU clears of itself what only it can (reset_program.h).
 */

#include <stdbool.h>
#include <stdint.h>
#include "config.h"
#include "guest_memory.h"

/*
 * Check what is to be booted and start it, unless it is to be held. Called once, after all devices
 * are there.
 */
void vm_init(const struct vmm_config *config);

const struct guest_memory *vm_memory(void);
bool vm_running(void);

/* The guest has asked for these; none of its vCPUs is resumed afterwards. */
void vm_power_off(void);
void vm_restart(void);

/* The guest cannot go on, because of `cause`. `pc` is where that vCPU is. */
void vm_crash(uint8_t vcpu, uint64_t pc, const char *cause);

/* PSCI CPU_ON: power a secondary on. It must be off. */
void vm_cpu_on(uint8_t vcpu, uint64_t entry, uint64_t context_id);
/* PSCI CPU_OFF. The last vCPU to go takes the VM with it. */
void vm_cpu_off(uint8_t vcpu);

/* A vCPU has made the call that ends its reset program; false if it does not run that. */
bool vm_reset_done(uint8_t vcpu);

/* A device's peer has notified: if the VM is settling, look whether it can go on. */
void vm_settle(void);

/* While the VM is off: look for the key that starts it. */
void vm_console_input(void);
