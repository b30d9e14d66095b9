/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The Microkit interface: what a protection domain (PD) is written against. */

/* A PD has one thread: thread-local variables are global ones. */
#define __thread

#include <sel4/sel4.h>

typedef unsigned int microkit_channel;
typedef unsigned int microkit_child;
typedef unsigned int microkit_ioport;
typedef seL4_MessageInfo_t microkit_msginfo;

/* The numbers of a PD's capabilities. */
#define MONITOR_EP                   5 /* a passive PD says here that it is initialised */
#define TCB_CAP                      6 /* its own thread; only in benchmark configs */
#define ARM_SMC_CAP                  7 /* only for a PD that may make SMC calls */
#define BASE_OUTPUT_NOTIFICATION_CAP 10
#define BASE_ENDPOINT_CAP            74
#define BASE_IRQ_CAP                 138
#define BASE_TCB_CAP                 202
#define BASE_VM_TCB_CAP              266
#define BASE_VCPU_CAP                330
#define BASE_IOPORT_CAP              394
#define BASE_USER_CAPS               458

#define PD_ROOT_CAP_BITS 6
#define PD_ROOT_CAP_SIZE (1ULL << PD_ROOT_CAP_BITS)

#define MICROKIT_MAX_USER_CAPS  128
#define MICROKIT_MAX_CHANNELS   62
#define MICROKIT_MAX_CHANNEL_ID (MICROKIT_MAX_CHANNELS - 1)
#define MICROKIT_MAX_IOPORT_ID  MICROKIT_MAX_CHANNELS
#define MICROKIT_PD_NAME_LENGTH 64

/* What the PD's author writes; init and notified must be there. */

void init(void);
void notified(microkit_channel ch);

/* Serves a protected call on channel `ch`; its words are in the message registers. */
microkit_msginfo protected(microkit_channel ch, microkit_msginfo msginfo);

/*
 * A child PD or vCPU has faulted; the label of `msginfo` says how. Returns true to have it resumed
 * with *reply_msginfo.
 */
seL4_Bool fault(microkit_child child, microkit_msginfo msginfo, microkit_msginfo *reply_msginfo);

extern char microkit_name[MICROKIT_PD_NAME_LENGTH];

/* A deferred signal or acknowledgement: it goes with the next receive. */
extern seL4_Bool microkit_have_signal;
extern seL4_CPtr microkit_signal_cap;
extern seL4_MessageInfo_t microkit_signal_msg;

/* Which channel ids are valid for what; the microkit tool fills them in. */
extern seL4_Word microkit_irqs;
extern seL4_Word microkit_notifications;
extern seL4_Word microkit_pps;
extern seL4_Word microkit_ioports;

/* The debug console; silent in a release build. */
void microkit_dbg_putc(int c);
void microkit_dbg_puts(const char *s);
void microkit_dbg_put8(seL4_Uint8 x);
void microkit_dbg_put32(seL4_Uint32 x);

/* Stops this PD with a fault whose address is the error. */
static inline void microkit_internal_crash(seL4_Error err)
{
    volatile int *address = (volatile int *)(seL4_Word)err;

    asm volatile("" : "+r"(address));
    *address = 0;
}

/* Says which call was given a channel that it cannot use. */
void microkit_internal_bad_channel(const char *call, microkit_channel ch);

/* Says which call failed, for which child, and stops this PD. */
void microkit_internal_failed(const char *call, microkit_child child, seL4_Error err);

static inline seL4_Bool microkit_internal_valid(seL4_Word mask, microkit_channel ch)
{
    return ch <= MICROKIT_MAX_CHANNEL_ID && (mask >> ch & 1) != 0;
}

/* Raises channel `ch` at its other end. */
static inline void microkit_notify(microkit_channel ch)
{
    if (!microkit_internal_valid(microkit_notifications, ch)) {
        microkit_internal_bad_channel("microkit_notify", ch);
        return;
    }
    seL4_Signal(BASE_OUTPUT_NOTIFICATION_CAP + ch);
}

/* Lets the interrupt of channel `ch` come again. */
static inline void microkit_irq_ack(microkit_channel ch)
{
    if (!microkit_internal_valid(microkit_irqs, ch)) {
        microkit_internal_bad_channel("microkit_irq_ack", ch);
        return;
    }
    seL4_IRQHandler_Ack(BASE_IRQ_CAP + ch);
}

/* The same two, done by the kernel together with the PD's next receive. Only the last one holds. */
static inline void microkit_deferred_notify(microkit_channel ch)
{
    if (!microkit_internal_valid(microkit_notifications, ch)) {
        microkit_internal_bad_channel("microkit_deferred_notify", ch);
        return;
    }
    microkit_have_signal = seL4_True;
    microkit_signal_msg = seL4_MessageInfo_new(0, 0, 0, 0);
    microkit_signal_cap = BASE_OUTPUT_NOTIFICATION_CAP + ch;
}

static inline void microkit_deferred_irq_ack(microkit_channel ch)
{
    if (!microkit_internal_valid(microkit_irqs, ch)) {
        microkit_internal_bad_channel("microkit_deferred_irq_ack", ch);
        return;
    }
    microkit_have_signal = seL4_True;
    microkit_signal_msg = seL4_MessageInfo_new(IRQAckIRQ, 0, 0, 0);
    microkit_signal_cap = BASE_IRQ_CAP + ch;
}

/* Calls protected() at the other end of channel `ch` and waits for its answer. */
static inline microkit_msginfo microkit_ppcall(microkit_channel ch, microkit_msginfo msginfo)
{
    if (!microkit_internal_valid(microkit_pps, ch)) {
        microkit_internal_bad_channel("microkit_ppcall", ch);
        return seL4_MessageInfo_new(0, 0, 0, 0);
    }
    return seL4_Call(BASE_ENDPOINT_CAP + ch, msginfo);
}

static inline microkit_msginfo microkit_msginfo_new(seL4_Word label, seL4_Uint16 count)
{
    return seL4_MessageInfo_new(label, 0, 0, count);
}

static inline seL4_Word microkit_msginfo_get_label(microkit_msginfo msginfo)
{
    return seL4_MessageInfo_get_label(msginfo);
}

static inline seL4_Word microkit_msginfo_get_count(microkit_msginfo msginfo)
{
    return seL4_MessageInfo_get_length(msginfo);
}

static inline void microkit_mr_set(seL4_Uint8 mr, seL4_Word value)
{
    seL4_SetMR(mr, value);
}

static inline seL4_Word microkit_mr_get(seL4_Uint8 mr)
{
    return seL4_GetMR(mr);
}

/* Child PDs. Restart goes on at `entry_point` with all else as it was. */

static inline void microkit_pd_restart(microkit_child pd, seL4_Word entry_point)
{
    seL4_UserContext ctxt = {0};

    ctxt.pc = entry_point;
    seL4_Error err = seL4_TCB_WriteRegisters(BASE_TCB_CAP + pd, seL4_True, 0, 1, &ctxt);
    if (err != seL4_NoError) {
        microkit_internal_failed("microkit_pd_restart", pd, err);
    }
}

static inline void microkit_pd_stop(microkit_child pd)
{
    seL4_Error err = seL4_TCB_Suspend(BASE_TCB_CAP + pd);

    if (err != seL4_NoError) {
        microkit_internal_failed("microkit_pd_stop", pd, err);
    }
}

static inline void microkit_pd_resume(microkit_child pd)
{
    seL4_Error err = seL4_TCB_Resume(BASE_TCB_CAP + pd);

    if (err != seL4_NoError) {
        microkit_internal_failed("microkit_pd_resume", pd, err);
    }
}

/* Virtual CPUs. */

static inline void microkit_vcpu_restart(microkit_child vcpu, seL4_Word entry_point)
{
    seL4_UserContext ctxt = {0};

    ctxt.pc = entry_point;
    seL4_Error err = seL4_TCB_WriteRegisters(BASE_VM_TCB_CAP + vcpu, seL4_True, 0, 1, &ctxt);
    if (err != seL4_NoError) {
        microkit_internal_failed("microkit_vcpu_restart", vcpu, err);
    }
}

static inline void microkit_vcpu_stop(microkit_child vcpu)
{
    seL4_Error err = seL4_TCB_Suspend(BASE_VM_TCB_CAP + vcpu);

    if (err != seL4_NoError) {
        microkit_internal_failed("microkit_vcpu_stop", vcpu, err);
    }
}

static inline void microkit_vcpu_arm_inject_irq(microkit_child vcpu, seL4_Uint16 irq,
                                                seL4_Uint8 priority, seL4_Uint8 group,
                                                seL4_Uint8 index)
{
    seL4_Error err = seL4_ARM_VCPU_InjectIRQ(BASE_VCPU_CAP + vcpu, irq, priority, group, index);

    if (err != seL4_NoError) {
        microkit_internal_failed("microkit_vcpu_arm_inject_irq", vcpu, err);
    }
}

static inline void microkit_vcpu_arm_ack_vppi(microkit_child vcpu, seL4_Word irq)
{
    seL4_Error err = seL4_ARM_VCPU_AckVPPI(BASE_VCPU_CAP + vcpu, irq);

    if (err != seL4_NoError) {
        microkit_internal_failed("microkit_vcpu_arm_ack_vppi", vcpu, err);
    }
}

static inline seL4_Word microkit_vcpu_arm_read_reg(microkit_child vcpu, seL4_Word reg)
{
    seL4_ARM_VCPU_ReadRegs_t ret = seL4_ARM_VCPU_ReadRegs(BASE_VCPU_CAP + vcpu, (seL4_VCPUReg)reg);

    if (ret.error != seL4_NoError) {
        microkit_internal_failed("microkit_vcpu_arm_read_reg", vcpu, (seL4_Error)ret.error);
    }
    return ret.value;
}

static inline void microkit_vcpu_arm_write_reg(microkit_child vcpu, seL4_Word reg, seL4_Word value)
{
    seL4_Error err = seL4_ARM_VCPU_WriteRegs(BASE_VCPU_CAP + vcpu, (seL4_VCPUReg)reg, value);

    if (err != seL4_NoError) {
        microkit_internal_failed("microkit_vcpu_arm_write_reg", vcpu, err);
    }
}

/* Asks the firmware; `args` and `response` may be the same. */
static inline void microkit_arm_smc_call(seL4_ARM_SMCContext *args, seL4_ARM_SMCContext *response)
{
    seL4_Error err = seL4_ARM_SMC_Call(ARM_SMC_CAP, args, response);

    if (err != seL4_NoError) {
        microkit_internal_failed("microkit_arm_smc_call", 0, err);
    }
}

/* The capability in slot `slot` of the <cspace> element, or seL4_CapNull. */
static inline seL4_CPtr microkit_cspace_root_slot_to_cptr(seL4_Word slot)
{
    if (slot == 0 || slot >= PD_ROOT_CAP_SIZE) {
        return seL4_CapNull;
    }
    return slot << (seL4_WordBits - PD_ROOT_CAP_BITS);
}
