/* SPDX-License-Identifier: BSD-2-Clause */

#include "fault.h"

#include "abort.h"
#include "exits.h"
#include "idle.h"
#include "lib/esr.h"
#include "lib/log.h"
#include "mmio.h"
#include "pl011.h"
#include "smccc.h"
#include "vcpu.h"
#include "vgic.h"
#include "vm.h"

#define INSTRUCTION_SIZE 4u
#define THUMB_SIZE       2u /* some of AArch32's, at EL0 */

static const char *const no_vectors = "a fault that the guest has no working vectors for";

static unsigned long long printable(uint64_t value)
{
    return value;
}

/* ---- Accesses ---- */

static uint64_t low_bits(uint64_t value, unsigned bytes)
{
    return bytes == 8 ? value : value & ((1ull << (8 * bytes)) - 1);
}

static uint64_t fetch_source(const struct mmio_access *access)
{
    return low_bits(vcpu_get_register(access->vcpu, access->source), access->width);
}

/* The value that a load writes to its register. */
static uint64_t loaded_value(uint32_t iss, const struct mmio_access *access)
{
    unsigned unused_bits = 64 - 8u * access->width;
    uint64_t value = access->value << unused_bits;

    value = (iss & ISS_SSE) ? (uint64_t)((int64_t)value >> unused_bits) : value >> unused_bits;
    return (iss & ISS_SF) ? value : (uint32_t)value;
}

/* Whether the fault status code says that stage 2 does not map the page or permit the access. */
static bool is_stage2_refusal(uint32_t iss)
{
    uint32_t type = FSC_TYPE(ISS_FSC(iss));

    return type == FSC_TRANSLATION || type == FSC_ACCESS_FLAG || type == FSC_PERMISSION;
}

static void abort_data(uint8_t vcpu, uint64_t pc, uint64_t gpa, uint32_t iss)
{
    int walk_level = (iss & ISS_S1PTW) ? FSC_LEVEL(ISS_FSC(iss)) : -1;

    if (!abort_inject_data(vcpu, gpa, (iss & ISS_WNR) != 0, walk_level)) {
        vm_crash(vcpu, pc, no_vectors);
    }
}

static void emulate(uint8_t vcpu, uint64_t pc, uint64_t gpa, uint32_t iss)
{
    struct mmio_access access = {
        .width = (uint8_t)(1u << ISS_SAS(iss)),
        .write = (iss & ISS_WNR) != 0,
        .vcpu = vcpu,
        .source = (uint8_t)ISS_SRT(iss),
    };

    if (access.write && access.source != VCPU_REGISTER_ZERO) {
        access.fetch = fetch_source;
    }
    if (!mmio_route(gpa, &access)) {
        log_limited("vCPU %u at 0x%llx: %u-byte %s 0x%llx: no device takes it", vcpu, printable(pc),
                    access.width, access.write ? "write to" : "read from", printable(gpa));
        abort_data(vcpu, pc, gpa, iss);
    } else if (access.write) {
        vcpu_resume(vcpu, pc + INSTRUCTION_SIZE);
    } else {
        vcpu_resume_with(vcpu, pc + INSTRUCTION_SIZE, access.source, loaded_value(iss, &access));
    }
}

static void handle_data_abort(uint8_t vcpu, uint64_t pc, uint64_t gpa, uint32_t iss)
{
    if ((iss & ISS_ISV) && !(iss & ISS_S1PTW) && is_stage2_refusal(iss)) {
        emulate(vcpu, pc, gpa, iss);
        return;
    }
    if ((iss & ISS_CM) && !(iss & ISS_S1PTW)) {
        vcpu_resume(vcpu, pc + INSTRUCTION_SIZE); /* there is nothing cached to maintain */
        return;
    }
    log_limited("vCPU %u at 0x%llx: %s 0x%llx %s", vcpu, printable(pc),
                (iss & ISS_WNR) ? "write to" : "read from", printable(gpa),
                (iss & ISS_S1PTW) ? "by a translation table walk: no memory is there"
                                  : "by an instruction that cannot be emulated");
    abort_data(vcpu, pc, gpa, iss);
}

static void handle_fetch_abort(uint8_t vcpu, uint64_t pc, uint64_t gpa, uint32_t iss)
{
    int walk_level = (iss & ISS_S1PTW) ? FSC_LEVEL(ISS_FSC(iss)) : -1;

    log_limited("vCPU %u at 0x%llx: instruction fetch from 0x%llx: no memory is there", vcpu,
                printable(pc), printable(gpa));
    if (!abort_inject_fetch(vcpu, gpa, walk_level)) {
        vm_crash(vcpu, pc, no_vectors);
    }
}

static void handle_vm_fault(uint8_t vcpu)
{
    uint64_t pc = microkit_mr_get(seL4_VMFault_IP);
    uint64_t gpa = microkit_mr_get(seL4_VMFault_Addr);
    uint32_t iss = (uint32_t)microkit_mr_get(seL4_VMFault_FSR) & ESR_ISS_MASK;

    if (microkit_mr_get(seL4_VMFault_PrefetchFault)) {
        exits_count(EXIT_FETCH, 0);
        handle_fetch_abort(vcpu, pc, gpa, iss);
    } else {
        exits_count(EXIT_MMIO, gpa);
        handle_data_abort(vcpu, pc, gpa, iss);
    }
}

/* ---- Trapped instructions ---- */

static void undefined(uint8_t vcpu)
{
    uint64_t pc = vcpu_get_pc(vcpu);

    if (!abort_inject_undefined(vcpu)) {
        vm_crash(vcpu, pc, no_vectors);
    }
}

/*
 * A WFI ends when an interrupt is there. If the guest masks interrupts it goes on at the WFI
 * itself, which does not trap again then. If it does not mask them it takes the interrupt first,
 * and has to return to what is behind the WFI.
 */
static void handle_wfx(uint8_t vcpu, uint64_t esr)
{
    struct vcpu_frame frame = vcpu_get_frame(vcpu);
    uint64_t behind = frame.pc + ((esr & ESR_IL) ? INSTRUCTION_SIZE : THUMB_SIZE);

    if (esr & ISS_WFX_WFE) {
        idle_yield(vcpu, behind);
        return;
    }
    if (!(frame.pstate & PSTATE_I)) {
        vcpu_set(vcpu, behind, VCPU_REGISTER_ZERO, 0);
    }
    if (!idle_park(vcpu)) {
        vcpu_resume(vcpu, behind);
    }
}

static void handle_smc(uint8_t vcpu, uint32_t iss)
{
    if (vm_reset_done(vcpu)) {
        return;
    }
    if ((iss & ISS_IMM16_MASK) != 0) {
        log_limited("vCPU %u at 0x%llx: SMC #0x%x is none of ours", vcpu,
                    printable(vcpu_get_pc(vcpu)), iss & ISS_IMM16_MASK);
        undefined(vcpu);
        return;
    }
    smccc_call(vcpu, vcpu_get_pc(vcpu) + INSTRUCTION_SIZE);
}

/* Debug and performance registers, which a kernel may trap: they are RAZ/WI. */
static bool is_debug_register(uint32_t iss)
{
    uint32_t crn = ISS_CRN(iss), crm = ISS_CRM(iss);

    if (ISS_OP0(iss) == 2) {
        return true;
    }
    return ISS_OP0(iss) == 3 &&
           ((crn == 9 && crm >= 12 && crm <= 14) || (ISS_OP1(iss) == 3 && crn == 14 && crm >= 8));
}

static void handle_system_register(uint8_t vcpu, uint32_t iss)
{
    uint64_t pc = vcpu_get_pc(vcpu);
    uint64_t value = 0;

    if (!vgic_system_register(vcpu, iss, &value) && !is_debug_register(iss)) {
        log_limited("vCPU %u at 0x%llx: %s of the system register S%u_%u_C%u_C%u_%u", vcpu,
                    printable(pc), (iss & ISS_READ) ? "read" : "write", ISS_OP0(iss), ISS_OP1(iss),
                    ISS_CRN(iss), ISS_CRM(iss), ISS_OP2(iss));
        undefined(vcpu);
    } else if (iss & ISS_READ) {
        vcpu_resume_with(vcpu, pc + INSTRUCTION_SIZE, ISS_RT(iss), value);
    } else {
        vcpu_resume(vcpu, pc + INSTRUCTION_SIZE);
    }
}

static void handle_vcpu_fault(uint8_t vcpu)
{
    uint64_t esr = microkit_mr_get(seL4_VCPUFault_HSR);
    uint32_t iss = (uint32_t)esr & ESR_ISS_MASK;

    switch (ESR_EC(esr)) {
    case EC_WFX:
        exits_count(EXIT_WFX, 0);
        handle_wfx(vcpu, esr);
        return;
    case EC_SMC64:
        exits_count(EXIT_HYPERCALL, 0);
        handle_smc(vcpu, iss);
        return;
    case EC_SYS64:
        exits_count(EXIT_SYSREG, 0);
        handle_system_register(vcpu, iss);
        return;
    default:
        exits_count(EXIT_OTHER, 0);
        log_limited("vCPU %u at 0x%llx: trap of class 0x%x", vcpu, printable(vcpu_get_pc(vcpu)),
                    (unsigned)ESR_EC(esr));
        undefined(vcpu);
        return;
    }
}

void fault_handle(uint8_t vcpu, microkit_msginfo info)
{
    if (vcpu_state(vcpu) == VCPU_OFF) {
        return;
    }
    switch (microkit_msginfo_get_label(info)) {
    case seL4_Fault_VMFault:
        handle_vm_fault(vcpu);
        return;
    case seL4_Fault_VGICMaintenance:
        exits_count(EXIT_EOI, 0);
        vgic_maintenance(vcpu, (uint32_t)microkit_mr_get(seL4_VGICMaintenance_IDX));
        return;
    case seL4_Fault_VPPIEvent:
        exits_count(EXIT_TIMER, 0);
        vgic_raise_timer(vcpu);
        pl011_flush();
        idle_tick(vcpu);
        return;
    case seL4_Fault_VCPUFault:
        handle_vcpu_fault(vcpu);
        return;
    case seL4_Fault_UnknownSyscall: /* HVC: the address of the instruction is reported */
        exits_count(EXIT_HYPERCALL, 0);
        smccc_call(vcpu, microkit_mr_get(seL4_UnknownSyscall_FaultIP) + INSTRUCTION_SIZE);
        return;
    case seL4_Fault_UserException:
        exits_count(EXIT_OTHER, 0);
        undefined(vcpu);
        return;
    default:
        vm_crash(vcpu, vcpu_get_pc(vcpu), "a fault of an unknown kind");
        return;
    }
}
