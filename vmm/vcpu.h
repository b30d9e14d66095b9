/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The guest's processors: their registers, and whether they run.
 *
 * A vCPU is in one of these states:
 *
 *   off         it is stopped, as before PSCI CPU_ON;
 *   resetting   it runs the reset program (reset_program.h), and gets no interrupts;
 *   on          it runs, or has exited and waits for the answer to its fault message;
 *   parked      it is stopped on a WFI until something wakes it;
 *   throttled   it could run, but has to wait: see throttle.h.
 *
 * Registers are fetched and written in the order of seL4_UserContext, from the first up to the one
 * that is wanted, because the kernel moves a prefix: x0 costs four words, x28 thirty-four.
 */

#include <stdbool.h>
#include <stdint.h>
#include "config.h"

#define VCPU_REGISTER_ZERO 31u /* xzr in a load or store's syndrome */

/* PSTATE in an SPSR (Arm DDI 0487, C5.2.19). */
#define PSTATE_MODE_MASK 0x0fu
#define PSTATE_MODE_EL0T 0x00u
#define PSTATE_MODE_EL1T 0x04u
#define PSTATE_MODE_EL1H 0x05u
#define PSTATE_AARCH32   (1u << 4)
#define PSTATE_DAIF      (0xfu << 6)
#define PSTATE_I         (1u << 7)
#define PSTATE_SSBS      (1u << 12)
#define PSTATE_PAN       (1u << 22)
#define PSTATE_DIT       (1u << 24)
#define PSTATE_TCO       (1u << 25)
#define PSTATE_NZCV      (0xfu << 28)

enum vcpu_state { VCPU_OFF = 0, VCPU_RESETTING, VCPU_ON, VCPU_PARKED, VCPU_THROTTLED };

/* What an exception changes; see abort.c. */
struct vcpu_frame {
    uint64_t pc;
    uint64_t pstate;
};

/* `count` vCPUs, all off; 1 .. VMM_MAX_VCPUS. */
void vcpu_init(uint32_t count);

uint32_t vcpu_count(void);
enum vcpu_state vcpu_state(uint8_t vcpu);

/*
 * Power on: registers as after reset, EL1 with the MMU off and interrupts masked, at `entry` with
 * `x0`. The virtual counter reads CNTPCT - `counter_offset`.
 */
void vcpu_power_on(uint8_t vcpu, uint64_t entry, uint64_t x0, uint64_t counter_offset);
void vcpu_power_off(uint8_t vcpu);

/* The virtual counter of a vCPU that does not run reads CNTPCT - `counter_offset` from now on. */
void vcpu_set_counter_offset(uint8_t vcpu, uint64_t counter_offset);

/* Power on likewise, but for the program that is to run before the guest's. */
void vcpu_reset(uint8_t vcpu, uint64_t entry, uint64_t x0);

/* Park a vCPU that has exited, on a WFI most often. */
void vcpu_park(uint8_t vcpu);

/*
 * Let a parked vCPU go on. Nothing happens to one that is not parked. The next vcpu_start_woken
 * starts it, and returns whether there was one to start.
 */
void vcpu_wake(uint8_t vcpu);
bool vcpu_start_woken(void);

/*
 * An exit of this vCPU is handled from now on, up to vcpu_exit_ends. That returns whether the vCPU
 * is to be answered, which lets it go on. It is not if it has been parked, stopped or throttled.
 * The answer comes last, behind vcpu_start_woken: a microkernel puts the thread that is resumed
 * last in front, and a vCPU that wakes another often holds a lock that the other one wants.
 */
void vcpu_exit_begins(uint8_t vcpu);
bool vcpu_exit_ends(void);

/*
 * A vCPU whose exit has ended, and that waits, goes on. Either vcpu_settle is called, which writes
 * its registers, and its fault message is answered. Or vcpu_restart is, which does it all. Then the
 * monitor answers nothing, and can send a notification with its next wait.
 */
void vcpu_settle(uint8_t vcpu);
void vcpu_restart(uint8_t vcpu);

/*
 * Whether this vCPU may be running, on another core: it is on, and not in the exit that is handled.
 * A message of its next exit may be on its way.
 */
bool vcpu_may_run(uint8_t vcpu);

/* How many of its exits have begun to be handled; free-running. */
uint32_t vcpu_exit_count(uint8_t vcpu);

#define VCPU_NONE UINT8_MAX /* in place of a vCPU's number */

/* Stop a vCPU that is on, or do not answer its exit, until vcpu_unthrottle. */
void vcpu_throttle(uint8_t vcpu);
void vcpu_unthrottle(uint8_t vcpu);

/* The value of x0 .. x30 of a vCPU that has exited; 0 for VCPU_REGISTER_ZERO. */
uint64_t vcpu_get_register(uint8_t vcpu, unsigned number);
uint64_t vcpu_get_pc(uint8_t vcpu);

/* x0 .. x[count-1], count <= 9. */
void vcpu_get_arguments(uint8_t vcpu, uint64_t *arguments, unsigned count);
struct vcpu_frame vcpu_get_frame(uint8_t vcpu);

/* Change PC and x`number`, no more. A write of VCPU_REGISTER_ZERO is dropped. */
void vcpu_set(uint8_t vcpu, uint64_t pc, unsigned number, uint64_t value);

/* Go on where the vCPU is. One whose exit is being handled does so at the end of that. */
void vcpu_continue(uint8_t vcpu);
/* ... at `pc`. */
void vcpu_resume(uint8_t vcpu, uint64_t pc);
/* ... with x`number` changed, as vcpu_set. */
void vcpu_resume_with(uint8_t vcpu, uint64_t pc, unsigned number, uint64_t value);
/* ... with x0 .. x[count-1] changed, count <= 9. */
void vcpu_resume_with_arguments(uint8_t vcpu, uint64_t pc, const uint64_t *arguments,
                                unsigned count);
/* ... with another PSTATE. */
void vcpu_resume_frame(uint8_t vcpu, struct vcpu_frame frame);
