/* SPDX-License-Identifier: BSD-2-Clause */

/* See microkit.h beside this. */

#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "lib/cpu.h"

struct fake fake;
char microkit_name[MICROKIT_PD_NAME_LENGTH] = "test";
seL4_Bool microkit_have_signal;
seL4_CPtr microkit_signal_cap;
seL4_MessageInfo_t microkit_signal_msg;

/* A test links only what it tests: these stand in for entry points that it does not have. */
__attribute__((weak)) seL4_Bool fault(microkit_child child, microkit_msginfo msginfo,
                                      microkit_msginfo *reply_msginfo)
{
    (void)msginfo;
    (void)reply_msginfo;
    fail_msg("vCPU %u faulted in a test without fault()", child);
    return seL4_False;
}

void fake_reset(void)
{
    memset(&fake, 0, sizeof(fake));
    microkit_have_signal = seL4_False;
    fake.frequency = 62500000;
}

void seL4_Yield(void)
{
    fake.yields++;
}

static void check_channel(microkit_channel ch)
{
    if (ch > MICROKIT_MAX_CHANNEL_ID) {
        fail_msg("channel %u does not exist", ch);
    }
}

static struct fake_vcpu *vcpu_of(seL4_Word number)
{
    if (number >= FAKE_VCPUS) {
        fail_msg("vCPU %lu does not exist", (unsigned long)number);
    }
    return &fake.vcpu[number];
}

unsigned fake_notified(microkit_channel ch)
{
    check_channel(ch);
    return fake.notifies[ch] + fake.deferred_notifies[ch];
}

seL4_Bool fake_fault(microkit_child vcpu, seL4_Word label, seL4_Word count, const seL4_Word *mrs)
{
    struct fake_vcpu *v = vcpu_of(vcpu);
    microkit_msginfo reply = {{0}};
    unsigned ended = v->stops + v->restarts;
    bool ran = v->running;
    seL4_Bool answered;

    v->running = false;
    for (seL4_Word i = 0; i < count; i++) {
        fake.mr[i] = mrs[i];
    }
    answered = fault(vcpu, microkit_msginfo_new(label, (seL4_Uint16)count), &reply);
    if (answered) {
        if (microkit_have_signal) { /* Microkit 2.0.1 */
            fail_msg("what is deferred is not sent with an answer");
        }
        if (v->running) {
            fail_msg("vCPU %u was restarted and its fault answered, too", vcpu);
        }
        v->running = true;
        v->replies++;
    } else if (ran && v->stops + v->restarts == ended) {
        fail_msg("the fault of vCPU %u was neither answered nor withdrawn", vcpu);
    } else if (microkit_have_signal && v->running) {
        microkit_have_signal = seL4_False; /* it is sent with the next wait */
        return seL4_True;
    }
    return answered;
}

int fake_find_lr(microkit_child vcpu, unsigned intid)
{
    const struct fake_vcpu *v = vcpu_of(vcpu);

    for (int i = 0; i < FAKE_LIST_REGISTERS; i++) {
        if (v->lr[i].state != FAKE_LR_FREE && v->lr[i].intid == intid) {
            return i;
        }
    }
    return -1;
}

void fake_acknowledge(microkit_child vcpu, unsigned index)
{
    struct fake_lr *lr = &vcpu_of(vcpu)->lr[index];

    if (lr->state != FAKE_LR_PENDING) {
        fail_msg("list register %u is not pending", index);
    }
    lr->state = FAKE_LR_ACTIVE;
}

void fake_eoi(microkit_child vcpu, unsigned index)
{
    struct fake_vcpu *v = vcpu_of(vcpu);
    seL4_Word mr = index;

    if (v->lr[index].state == FAKE_LR_FREE) {
        fail_msg("list register %u is free", index);
    }
    v->lr[index].state = FAKE_LR_FREE;
    fake_fault(vcpu, seL4_Fault_VGICMaintenance, 1, &mr);
}

void microkit_dbg_putc(int c)
{
    if (fake.debug_length + 1 < sizeof(fake.debug)) {
        fake.debug[fake.debug_length++] = (char)c;
        fake.debug[fake.debug_length] = '\0';
    }
}

void microkit_dbg_puts(const char *s)
{
    while (*s) {
        microkit_dbg_putc(*s++);
    }
}

void microkit_dbg_put32(seL4_Uint32 x)
{
    char digits[16];

    snprintf(digits, sizeof(digits), "%u", x);
    microkit_dbg_puts(digits);
}

void microkit_dbg_put8(seL4_Uint8 x)
{
    microkit_dbg_put32(x);
}

void microkit_notify(microkit_channel ch)
{
    check_channel(ch);
    fake.notifies[ch]++;
    if (fake.on_notify != NULL) {
        fake.on_notify(ch);
    }
}

void seL4_Send(seL4_CPtr dest, seL4_MessageInfo_t message)
{
    (void)dest;
    (void)message;
}

void microkit_deferred_notify(microkit_channel ch)
{
    check_channel(ch);
    microkit_have_signal = seL4_True;
    fake.deferred_notifies[ch]++;
    if (fake.on_notify != NULL) {
        fake.on_notify(ch);
    }
}

void microkit_irq_ack(microkit_channel ch)
{
    check_channel(ch);
    fake.irq_acks[ch]++;
}

void microkit_deferred_irq_ack(microkit_channel ch)
{
    check_channel(ch);
    microkit_have_signal = seL4_True;
    fake.deferred_irq_acks[ch]++;
}

bool supervised_again(void)
{
    return fake.again;
}

void microkit_pd_restart(microkit_child pd, seL4_Word entry_point)
{
    (void)entry_point;
    fake.pd_restarts[pd]++;
}

void microkit_pd_stop(microkit_child pd)
{
    fake.pd_stops[pd]++;
}

microkit_msginfo microkit_ppcall(microkit_channel ch, microkit_msginfo msginfo)
{
    microkit_msginfo reply;

    check_channel(ch);
    fake.ppcalls[ch]++;
    reply = fake.ppcall ? fake.ppcall(ch, msginfo) : microkit_msginfo_new(0, 0);
    for (seL4_Uint8 mr = (seL4_Uint8)microkit_msginfo_get_count(reply); mr < FAKE_MRS; mr++) {
        microkit_mr_set(mr, FAKE_LOST); /* what an earlier message has left is gone */
    }
    return reply;
}

microkit_msginfo microkit_msginfo_new(seL4_Word label, seL4_Uint16 count)
{
    return seL4_MessageInfo_new(label, 0, 0, count);
}

seL4_Word microkit_msginfo_get_label(microkit_msginfo msginfo)
{
    return seL4_MessageInfo_get_label(msginfo);
}

seL4_Word microkit_msginfo_get_count(microkit_msginfo msginfo)
{
    return seL4_MessageInfo_get_length(msginfo);
}

static seL4_Word *message_register(seL4_Uint8 mr)
{
    if (mr >= FAKE_MRS) {
        fail_msg("message register %d does not exist", mr);
    }
    return &fake.mr[mr];
}

void microkit_mr_set(seL4_Uint8 mr, seL4_Word value)
{
    *message_register(mr) = value;
}

seL4_Word microkit_mr_get(seL4_Uint8 mr)
{
    return *message_register(mr);
}

static bool is_child(seL4_CPtr tcb)
{
    return tcb >= BASE_TCB_CAP && tcb < BASE_VM_TCB_CAP;
}

seL4_Error seL4_TCB_ReadRegisters(seL4_CPtr tcb, seL4_Bool suspend_source, seL4_Uint8 arch_flags,
                                  seL4_Word count, seL4_UserContext *context)
{
    if (is_child(tcb)) {
        memcpy(context, &fake.pd_context[tcb - BASE_TCB_CAP], count * sizeof(seL4_Word));
        return seL4_NoError;
    }

    struct fake_vcpu *v = vcpu_of(tcb - BASE_VM_TCB_CAP);

    (void)arch_flags;
    if (count > sizeof(*context) / sizeof(seL4_Word)) {
        return seL4_RangeError;
    }
    if (suspend_source) {
        v->running = false;
    }
    memcpy(context, &v->context, count * sizeof(seL4_Word));
    v->tcb_reads++;
    v->tcb_read_words += (unsigned)count;
    return seL4_NoError;
}

seL4_Error seL4_TCB_WriteRegisters(seL4_CPtr tcb, seL4_Bool resume_target, seL4_Uint8 arch_flags,
                                   seL4_Word count, seL4_UserContext *context)
{
    if (is_child(tcb)) {
        memcpy(&fake.pd_context[tcb - BASE_TCB_CAP], context, count * sizeof(seL4_Word));
        fake.pd_restarts[tcb - BASE_TCB_CAP] += resume_target;
        return seL4_NoError;
    }

    struct fake_vcpu *v = vcpu_of(tcb - BASE_VM_TCB_CAP);

    (void)arch_flags;
    if (count > sizeof(*context) / sizeof(seL4_Word)) {
        return seL4_RangeError;
    }
    if (v->running) {
        fail_msg("registers written while vCPU %d runs", (int)(v - fake.vcpu));
    }
    memcpy(&v->context, context, count * sizeof(seL4_Word));
    v->tcb_writes++;
    v->tcb_write_words += (unsigned)count;
    if (resume_target) {
        v->running = true;
        v->restarts++;
    }
    return seL4_NoError;
}

seL4_Error seL4_TCB_Suspend(seL4_CPtr tcb)
{
    struct fake_vcpu *v = vcpu_of(tcb - BASE_VM_TCB_CAP);

    v->running = false;
    v->stops++;
    return seL4_NoError;
}

void microkit_vcpu_restart(microkit_child vcpu, seL4_Word entry_point)
{
    seL4_UserContext context = {.pc = entry_point};

    seL4_TCB_WriteRegisters(BASE_VM_TCB_CAP + vcpu, seL4_True, 0, 1, &context);
}

void microkit_vcpu_stop(microkit_child vcpu)
{
    seL4_TCB_Suspend(BASE_VM_TCB_CAP + vcpu);
}

seL4_Error seL4_ARM_VCPU_InjectIRQ(seL4_CPtr vcpu, seL4_Uint16 irq, seL4_Uint8 priority,
                                   seL4_Uint8 group, seL4_Uint8 index)
{
    struct fake_vcpu *v = vcpu_of(vcpu - BASE_VCPU_CAP);

    if (irq > 1023 || priority > 31 || group > 1 || index >= FAKE_LIST_REGISTERS) {
        return seL4_RangeError;
    }
    if (v->lr[index].state == FAKE_LR_ACTIVE) {
        return seL4_DeleteFirst;
    }
    v->lr[index] = (struct fake_lr){
        .state = FAKE_LR_PENDING, .intid = irq, .priority = priority, .group = group};
    v->injections++;
    return seL4_NoError;
}

void microkit_vcpu_arm_inject_irq(microkit_child vcpu, seL4_Uint16 irq, seL4_Uint8 priority,
                                  seL4_Uint8 group, seL4_Uint8 index)
{
    if (index < FAKE_LIST_REGISTERS && vcpu_of(vcpu)->lr[index].state != FAKE_LR_FREE) {
        fail_msg("list register %u of vCPU %u is in use", index, vcpu);
    }
    if (seL4_ARM_VCPU_InjectIRQ(BASE_VCPU_CAP + vcpu, irq, priority, group, index)) {
        fail_msg("bad injection: irq %u priority %u group %u index %u", irq, priority, group,
                 index);
    }
}

void microkit_vcpu_arm_ack_vppi(microkit_child vcpu, seL4_Word irq)
{
    if (irq != 27) {
        fail_msg("ack of VPPI %lu", (unsigned long)irq);
    }
    vcpu_of(vcpu)->vppi_acks++;
}

seL4_Word microkit_vcpu_arm_read_reg(microkit_child vcpu, seL4_Word reg)
{
    struct fake_vcpu *v = vcpu_of(vcpu);

    if (reg >= seL4_VCPUReg_Num) {
        fail_msg("vCPU register %lu does not exist", (unsigned long)reg);
    }
    v->reg_reads++;
    return v->reg[reg];
}

void microkit_vcpu_arm_write_reg(microkit_child vcpu, seL4_Word reg, seL4_Word value)
{
    struct fake_vcpu *v = vcpu_of(vcpu);

    if (reg >= seL4_VCPUReg_Num) {
        fail_msg("vCPU register %lu does not exist", (unsigned long)reg);
    }
    v->reg_writes++;
    v->reg[reg] = value;
}

uint64_t cpu_counter(void)
{
    return fake.counter;
}

uint64_t cpu_counter_frequency(void)
{
    return fake.frequency;
}

void cpu_clean_and_invalidate_dcache(const void *start, size_t size)
{
    if (fake.on_flush != NULL) {
        fake.on_flush(start, size);
    }
    fake.flushed_bytes += size;
    if (fake.flushed_per_tick != 0) {
        fake.counter += size / fake.flushed_per_tick;
    }
}

void cpu_invalidate_icache(const void *start, size_t size)
{
    fake.forgotten_at = start;
    fake.forgotten_bytes += size;
}
