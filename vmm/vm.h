/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The life of the VM: it is off (or held before its first start), or running, or starting:
 *
 *   quiescing: a disk may still be writing into guest memory; lasts until the disk has answered;
 *   resetting: each vCPU that has run clears the state that only it can clear (reset_program.h);
 *   loading: memory is zeroed, unless it is fresh, and the images are copied, in pieces (pace.h).
 *
 * While it is starting, devices are as after reset, and vCPUs are off, except those that reset. No
 * code of the guest's runs. Notifications change nothing but what is waited for. Keys stay in the
 * console's ring for the guest to come.
 */

#include <stdbool.h>
#include <stdint.h>
#include "config.h"
#include "lib/guest_memory.h"

/* Who wants what is done. */
enum vm_by { VM_BY_GUEST, VM_BY_PERSON, VM_BY_POLICY /* for crashes: crash.h */ };

/*
 * Check what is to be booted and start it, unless it is to be held. Called once, after all devices
 * are there.
 */
void vm_init(const struct vmm_config *config);

const struct guest_memory *vm_memory(void);
bool vm_running(void);

/*
 * Start it, if it is off and can boot; power it off; both, one after the other. No vCPU is resumed
 * after the last two, if it was the guest in an exit that wanted them.
 */
void vm_start(enum vm_by by);
void vm_stop(enum vm_by by);
void vm_restart(enum vm_by by);

/*
 * Pause a machine: its vCPUs stop, and its time stands still (freeze.h). One that is starting is
 * paused in front of its guest's first instructions. Let one go on
 * that is paused. It may also be stopped or restarted.
 */
void vm_pause(void);
void vm_resume(void);

/*
 * A crash: the guest cannot go on, because of `cause`. `pc` is that vCPU's. What becomes of the
 * machine is the policy's (crash.h). The other crashes, a panic and the watchdog, are
 * vm_check_crash's. What a guest asks of PSCI is none.
 */
void vm_crash(uint8_t vcpu, uint64_t pc, const char *cause);

/* PSCI CPU_ON: power a secondary on. It must be off. */
void vm_cpu_on(uint8_t vcpu, uint64_t entry, uint64_t context_id);
/* PSCI CPU_OFF. The last vCPU to go takes the VM with it. */
void vm_cpu_off(uint8_t vcpu);

/* A vCPU has made the call that ends its reset program; false if it does not run that. */
bool vm_reset_done(uint8_t vcpu);

/* A device's peer has notified. If the VM is quiescing, go on if all devices have quiesced. */
void vm_check_quiesced(void);

/* A pause is over (pace.h). If the VM is loading, go on with that. */
void vm_load(void);

/*
 * The console's input is the monitor's while the VM is not running: Enter starts it if it is off.
 * Enter restarts one whose kernel has panicked (panic.h). Returns false if it is the guest's.
 */
bool vm_console_input(void);

/*
 * The timer driver has notified. The kernel may have panicked for good, the watchdog may have
 * expired, or the delay may be over with which a machine is restarted that has crashed.
 */
void vm_check_crash(void);
