/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Microkit's API on the host, for unit tests of PD code.
 *
 * A test compiles PD sources with -Itests/unit/fake before any SDK's include path, links
 * tests/unit/fake/fake_microkit.c, calls fake_reset() before each case, drives the PD through its
 * entry points (init, notified, fault ...) and looks at `fake` for what the PD has done.
 *
 * - notify, irq_ack and their deferred forms are counted for each channel; a deferred one counts
 *   in its own array and is flushed by nobody. A test that is to see each of them sets
 * fake.on_notify.
 * - microkit_ppcall goes to fake.ppcall (settable), which finds its message registers in fake.mr
 *   and leaves its reply's there. Without one the call is answered with label 0 and no registers.
 * - A vCPU has TCB registers (`context`), vCPU registers (`reg`), list registers and a state.
 *   fake_fault() hands a fault with its message registers to the PD's fault() and remembers that
 *   the vCPU is stopped in it; a restart of a vCPU that is running is an error of the PD's and
 *   fails the test, as does an injection into a list register that is in use.
 *   fake_eoi() ends the interrupt in a list register, and calls fault() as the kernel would.
 * - A child PD has TCB registers as well. A test calls fault() for it, and init() of the PD that
 *   begins anew with fake.again set.
 * - microkit_dbg_* collect into fake.debug.
 * - lib/cpu.h's clock reads fake.counter (CNTPCT, which advances only when a test says so) and
 *   fake.frequency; cache maintenance is counted in fake.flushed_bytes and
 *   fake.forgotten_bytes.
 */

#include <sel4/sel4.h>
#include <stdbool.h>
#include <stddef.h>

typedef unsigned int microkit_channel;
typedef unsigned int microkit_child;
typedef seL4_MessageInfo_t microkit_msginfo;

#define BASE_TCB_CAP    202
#define BASE_VM_TCB_CAP 266
#define BASE_VCPU_CAP   330

#define MICROKIT_MAX_CHANNELS   62
#define MICROKIT_MAX_CHANNEL_ID (MICROKIT_MAX_CHANNELS - 1)
#define MICROKIT_PD_NAME_LENGTH 64

/* What a PD defines. */
void init(void);
void notified(microkit_channel ch);
microkit_msginfo protected(microkit_channel ch, microkit_msginfo msginfo);
seL4_Bool fault(microkit_child child, microkit_msginfo msginfo, microkit_msginfo *reply_msginfo);

extern char microkit_name[MICROKIT_PD_NAME_LENGTH];
extern seL4_Bool microkit_have_signal; /* something is deferred; fake_reset clears it */
extern seL4_CPtr microkit_signal_cap;
extern seL4_MessageInfo_t microkit_signal_msg;

void microkit_dbg_putc(int c);
void microkit_dbg_puts(const char *s);
void microkit_dbg_put8(seL4_Uint8 x);
void microkit_dbg_put32(seL4_Uint32 x);

void microkit_notify(microkit_channel ch);
void microkit_irq_ack(microkit_channel ch);
void microkit_deferred_notify(microkit_channel ch);
void microkit_deferred_irq_ack(microkit_channel ch);
void microkit_pd_restart(microkit_child pd, seL4_Word entry_point);
void microkit_pd_stop(microkit_child pd);
microkit_msginfo microkit_ppcall(microkit_channel ch, microkit_msginfo msginfo);
microkit_msginfo microkit_msginfo_new(seL4_Word label, seL4_Uint16 count);
seL4_Word microkit_msginfo_get_label(microkit_msginfo msginfo);
seL4_Word microkit_msginfo_get_count(microkit_msginfo msginfo);
void microkit_mr_set(seL4_Uint8 mr, seL4_Word value);
seL4_Word microkit_mr_get(seL4_Uint8 mr);

void microkit_vcpu_restart(microkit_child vcpu, seL4_Word entry_point);
void microkit_vcpu_stop(microkit_child vcpu);
void microkit_vcpu_arm_inject_irq(microkit_child vcpu, seL4_Uint16 irq, seL4_Uint8 priority,
                                  seL4_Uint8 group, seL4_Uint8 index);
void microkit_vcpu_arm_ack_vppi(microkit_child vcpu, seL4_Word irq);
seL4_Word microkit_vcpu_arm_read_reg(microkit_child vcpu, seL4_Word reg);
void microkit_vcpu_arm_write_reg(microkit_child vcpu, seL4_Word reg, seL4_Word value);

/* ---- The fake itself ---- */

#define FAKE_VCPUS          16
#define FAKE_LIST_REGISTERS 4
#define FAKE_DEBUG_SIZE     65536
#define FAKE_MRS            64
#define FAKE_LOST           0xdeadbeef /* what a call leaves in registers beyond its answer */

enum fake_lr_state { FAKE_LR_FREE = 0, FAKE_LR_PENDING, FAKE_LR_ACTIVE };

struct fake_lr {
    enum fake_lr_state state;
    uint16_t intid;
    uint8_t priority; /* 0..31 */
    uint8_t group;
};

struct fake_vcpu {
    seL4_UserContext context;
    seL4_Word reg[seL4_VCPUReg_Num];
    bool running;
    struct fake_lr lr[FAKE_LIST_REGISTERS];
    unsigned restarts; /* by microkit_vcpu_restart or WriteRegisters */
    unsigned replies;  /* faults that were answered, which resumes as well */
    unsigned stops;
    unsigned injections; /* interrupts put into a list register */
    unsigned vppi_acks;
    unsigned tcb_reads;      /* calls of ReadRegisters, */
    unsigned tcb_read_words; /* and the registers they fetched */
    unsigned tcb_writes;
    unsigned tcb_write_words;
    unsigned reg_reads;
    unsigned reg_writes;
};

struct fake {
    unsigned notifies[MICROKIT_MAX_CHANNELS];
    unsigned deferred_notifies[MICROKIT_MAX_CHANNELS];
    unsigned irq_acks[MICROKIT_MAX_CHANNELS];
    unsigned deferred_irq_acks[MICROKIT_MAX_CHANNELS];
    void (*on_notify)(microkit_channel ch); /* NULL: nothing; deferred ones, too */
    unsigned ppcalls[MICROKIT_MAX_CHANNELS];
    microkit_msginfo (*ppcall)(microkit_channel ch, microkit_msginfo msginfo);
    seL4_Word mr[FAKE_MRS];
    struct fake_vcpu vcpu[FAKE_VCPUS];
    unsigned yields;
    seL4_UserContext pd_context[64]; /* of children, as read and written */
    unsigned pd_restarts[64];
    bool again; /* what supervised_again returns */
    unsigned pd_stops[64];
    char debug[FAKE_DEBUG_SIZE]; /* NUL-terminated; what does not fit is dropped */
    size_t debug_length;
    uint64_t counter;
    uint64_t frequency;
    uint64_t flushed_bytes;
    void (*on_flush)(const void *start, size_t size); /* NULL: nothing */
    uint64_t flushed_per_tick;                        /* 0: it takes no time */
    uint64_t forgotten_bytes;                         /* of the instruction cache, */
    const void *forgotten_at;                         /* last from here on */
};

extern struct fake fake;

/* All zero, frequency 62.5 MHz, every vCPU stopped. */
void fake_reset(void);

/* All notifications of a channel so far, deferred or not. */
unsigned fake_notified(microkit_channel ch);

/*
 * The vCPU faults: its message has `count` registers `mrs`. Calls the PD's fault() and returns
 * what that returned, or true if the vCPU was restarted so that a deferred notification can go out
 * with the next wait.
 */
seL4_Bool fake_fault(microkit_child vcpu, seL4_Word label, seL4_Word count, const seL4_Word *mrs);

/* The list register that holds `intid` on this vCPU, or -1. */
int fake_find_lr(microkit_child vcpu, unsigned intid);

/* The guest takes the interrupt in that list register, and ends it (a maintenance fault). */
void fake_acknowledge(microkit_child vcpu, unsigned index);
void fake_eoi(microkit_child vcpu, unsigned index);
