/* SPDX-License-Identifier: BSD-2-Clause */

#include "debug.h"

#include "cpu.h"

#define MDSCR_SS   BIT(0)
#define MDSCR_TDCC BIT(12)
#define MDSCR_KDE  BIT(13)
#define MDSCR_MDE  BIT(15)
#define OSLSR_OSLM BIT(3) /* there is an OS lock; it is open */

#define BREAKPOINTS_SHIFT 12 /* in ID_AA64DFR0_EL1: one less than there are */
#define WATCHPOINTS_SHIFT 20

#define DEBUG_REGISTER(crm, op2) ISS_SYSREG(2u, 0u, 0u, crm, op2)
#define MDSCR_EL1                DEBUG_REGISTER(2u, 2u)
#define OSLSR_EL1                ISS_SYSREG(2u, 0u, 1u, 1u, 4u)
#define CRM_MASK                 ISS_SYSREG(0u, 0u, 0u, 0xfu, 0u)
#define BVR_OP2                  4u

/* The registers of the last number that there is, and of all below. */
#define EACH_FROM_LAST(X)                                                                          \
    X(15) X(14) X(13) X(12) X(11) X(10) X(9) X(8) X(7) X(6) X(5) X(4) X(3) X(2) X(1) X(0)

#define MOVE(n, action, type, value)                                                               \
    case n:                                                                                        \
        action(dbg##type##vr##n##_el1, debug->reg[n][value]);                                      \
        action(dbg##type##cr##n##_el1, debug->reg[n][(value) + 1]);                                \
        __attribute__((fallthrough));
#define READ(hardware, word) (word) = read_sysreg(hardware)
#define SAVE_BREAKPOINT(n)   MOVE(n, READ, b, DEBUG_BVR)
#define SAVE_WATCHPOINT(n)   MOVE(n, READ, w, DEBUG_WVR)
#define LOAD_BREAKPOINT(n)   MOVE(n, write_sysreg, b, DEBUG_BVR)
#define LOAD_WATCHPOINT(n)   MOVE(n, write_sysreg, w, DEBUG_WVR)
#define MOVE_ALL(shift, X)                                                                         \
    switch (last(shift)) {                                                                         \
        EACH_FROM_LAST(X)                                                                          \
    default:                                                                                       \
        break;                                                                                     \
    }

static unsigned last(unsigned shift)
{
    return read_sysreg(id_aa64dfr0_el1) >> shift & 0xf;
}

/* Whether debug exceptions other than that of BRK are enabled. */
static bool is_enabled(uint64_t mdscr)
{
    return (mdscr & (MDSCR_MDE | MDSCR_SS)) != 0;
}

static void trap_accesses(bool trap)
{
    uint64_t mdcr = read_sysreg(mdcr_el2) & ~MDCR_TDA;

    write_sysreg(mdcr_el2, trap ? mdcr | MDCR_TDA : mdcr);
}

/* ---- Between memory and the core ---- */

static void save(struct debug *debug)
{
    MOVE_ALL(BREAKPOINTS_SHIFT, SAVE_BREAKPOINT)
    MOVE_ALL(WATCHPOINTS_SHIFT, SAVE_WATCHPOINT)
    write_sysreg(mdccint_el1, 0);
    trap_accesses(true);
    debug->active = is_enabled(debug->mdscr);
}

static void load(const struct debug *debug)
{
    MOVE_ALL(BREAKPOINTS_SHIFT, LOAD_BREAKPOINT)
    MOVE_ALL(WATCHPOINTS_SHIFT, LOAD_WATCHPOINT)
    trap_accesses(false);
}

void debug_init_cpu(void)
{
    write_sysreg(mdscr_el1, 0);
    write_sysreg(oslar_el1, 0);
    write_sysreg(osdlr_el1, 0);
}

bool debug_suspend(struct cpu *cpu)
{
    struct thread *thread = cpu->vcpu_loaded;

    if (thread == NULL || !thread->vcpu.debug.active || (cpu->off & OFF_DEBUG)) {
        return false;
    }
    thread->vcpu.debug.mdscr = read_sysreg(mdscr_el1);
    thread->vcpu.debug.exit_pc = thread->regs.pc;
    write_sysreg(mdscr_el1, 0);
    cpu->off |= OFF_DEBUG;
    cpu->vcpu_ready = NULL;
    return true;
}

/* An instruction that was emulated meanwhile is a step. */
void debug_resume(struct cpu *cpu)
{
    struct thread *thread = cpu->vcpu_loaded;

    if (thread->regs.pc != thread->vcpu.debug.exit_pc) {
        thread->regs.spsr &= ~SPSR_SS;
    }
    write_sysreg(mdscr_el1, thread->vcpu.debug.mdscr);
}

void debug_switch(struct cpu *cpu, struct thread *from, struct thread *to)
{
    if (from != NULL && from->vcpu.debug.active) {
        (void)debug_suspend(cpu);
        save(&from->vcpu.debug);
    }
    cpu->off &= (uint8_t)~OFF_DEBUG;
    if (to != NULL && to->vcpu.debug.active) {
        load(&to->vcpu.debug);
        cpu->off |= OFF_DEBUG; /* not yet */
    }
}

/* ---- Trapped accesses ---- */

bool debug_access(struct cpu *cpu, uint64_t esr, uint64_t *value)
{
    struct debug *debug = &cpu->current->vcpu.debug;
    unsigned reg = esr & ISS_SYSREG_MASK;
    unsigned kind = ISS_OP2(esr) - BVR_OP2;
    unsigned number = ISS_CRM(esr);
    bool is_read = esr & ISS_READ;

    if (reg == OSLSR_EL1) {
        *value = OSLSR_OSLM;
    } else if (reg == MDSCR_EL1 && is_read) {
        *value = debug->mdscr;
    } else if (reg == MDSCR_EL1) {
        debug->mdscr = *value & (MDSCR_SS | MDSCR_TDCC | MDSCR_KDE | MDSCR_MDE);
        if (is_enabled(debug->mdscr)) {
            debug->active = true;
            load(debug);
            write_sysreg(mdscr_el1, debug->mdscr);
            cpu->has_untrapped = true;
        }
    } else if ((reg & ~CRM_MASK) == DEBUG_REGISTER(0u, BVR_OP2 + kind) && kind < DEBUG_KINDS &&
               number <= last(kind < DEBUG_WVR ? BREAKPOINTS_SHIFT : WATCHPOINTS_SHIFT)) {
        uint64_t *word = &debug->reg[number][kind];

        *(is_read ? value : word) = *(is_read ? word : value);
    } else {
        return false;
    }
    return true;
}
