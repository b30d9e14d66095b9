/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What both monitors need: guest routines, exits one after the other. */

#include "tests/kernel/common/check.h"

#define INPUT_CAP   1
#define REPLY_CAP   4
#define BADGE_FAULT (1ull << 62)

#define GUEST_RAM     0x40000000ul
#define GUEST_RESULTS 0x4000f000ul
#define EC_SMC        0x17
#define USER_WORDS    (sizeof(seL4_UserContext) / sizeof(seL4_Word))

extern const char guest_begin[], guest_end[];
extern const char guest_exits[], guest_wfe[], guest_quiet[], guest_physical_timer[], guest_poison[];
extern const char guest_timer[], guest_ticks[], guest_timer_masked[], guest_sleep[],
    guest_interrupts[];
extern const char guest_acknowledge[];
extern const char guest_registers[], guest_fpu[], guest_write[], guest_count[];
extern const char guest_pstate[], guest_user32[], guest_walk[];

static volatile uint64_t *const results = (volatile uint64_t *)GUEST_RESULTS;

/* The event that has come last. */
static uint64_t event_badge;
static uint64_t event_label;

static inline void copy_guest(void)
{
    volatile char *to = (volatile char *)GUEST_RAM;

    /* cppcheck-suppress comparePointers ; two symbols of one section */
    for (const char *from = guest_begin; from < guest_end; from++) {
        *to++ = *from;
    }
}

static inline uint64_t guest_address(const char *routine)
{
    return GUEST_RAM + (uint64_t)(routine - guest_begin);
}

static inline void clear_results(void)
{
    for (unsigned i = 0; i < 64; i++) {
        results[i] = 0;
    }
}

/* Receive whatever comes next: a PD may, between the events that libmicrokit receives for it. */
static inline void wait_event(void)
{
    event_label = seL4_MessageInfo_get_label(seL4_Recv(INPUT_CAP, &event_badge, REPLY_CAP));
}

static inline void start_with(microkit_child vcpu, const char *routine, uint64_t x0, uint64_t x1)
{
    seL4_UserContext context = {0};

    context.pc = guest_address(routine);
    context.spsr = 0x3c5; /* EL1h, interrupts masked */
    context.x0 = x0;
    context.x1 = x1;
    seL4_TCB_WriteRegisters(BASE_VM_TCB_CAP + vcpu, true, 0, USER_WORDS, &context);
}

static inline void start(microkit_child vcpu, const char *routine)
{
    start_with(vcpu, routine, 0, 0);
}

static inline seL4_UserContext registers(microkit_child vcpu)
{
    seL4_UserContext context = {0};

    seL4_TCB_ReadRegisters(BASE_VM_TCB_CAP + vcpu, false, 0, USER_WORDS, &context);
    return context;
}

static inline uint64_t guest_pc(microkit_child vcpu)
{
    seL4_UserContext context = {0};

    seL4_TCB_ReadRegisters(BASE_VM_TCB_CAP + vcpu, false, 0, 1, &context);
    return context.pc;
}

/* Go on behind the instruction that has exited. */
static inline void next(microkit_child vcpu)
{
    microkit_vcpu_restart(vcpu, guest_pc(vcpu) + 4);
}

/* For whoever finds a row that is not ok: what the last event was. */
static inline void say_event(void)
{
    say("event ");
    say_hex(event_badge);
    for (unsigned i = 0; i < 4; i++) {
        say(i == 0 ? " label " : " ");
        say_hex(i == 0 ? event_label : microkit_mr_get((uint8_t)(i - 1)));
    }
    say("\n");
}

/* Whether the last event is `smc #number` of that vCPU. */
static inline bool is_smc(microkit_child vcpu, uint64_t number)
{
    uint64_t hsr = microkit_mr_get(seL4_VCPUFault_HSR);

    return event_badge == (BADGE_FAULT | vcpu) && event_label == seL4_Fault_VCPUFault &&
           hsr >> 26 == EC_SMC && (hsr & 0xffff) == number;
}
