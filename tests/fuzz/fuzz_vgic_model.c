/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: vmm/vgic.c vmm/vgic_lr.c vmm/vgic_registers.c vmm/vgic_v2.c
 * SOURCES: vmm/vgic_forward.c vmm/vgic_v3.c vmm/vgic_redistributor.c
 * SOURCES: tests/unit/fake/fake_stats.c
 *
 * The interrupt controller against a model of it: a record for each interrupt, as Arm's manuals
 * have it, without banks, list registers and anything that is taken back. The input is the version,
 * how many vCPUs there are, and a list of steps: accesses to registers, lines of devices, virtual
 * timers, SGIs, interrupts that are taken and ended, vCPUs that go off and come back, and a reset.
 * vCPUs wait while the monitor works, and the kernel knows what is active.
 *
 * What the guest reads is what the model says. What waits in a list register may be delivered to
 * that vCPU, and is the most urgent that may; nothing that may be delivered is forgotten. A
 * forwarded interrupt is masked as long as it is pending or active.
 *
 * Not compared is what Arm leaves open: an interrupt that the guest has deactivated by hand while
 * its CPU interface has it active. It is a ghost until that ends.
 */

#include <microkit.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "input.h"
#include "lib/esr.h"
#include "lib/gicv3.h"
#include "vmm/config.h"
#include "vmm/timer.h"
#include "vmm/vcpu.h"
#include "vmm/vgic.h"

#define VCPUS    3u
#define FORWARDS 2u
#define STEPS    256u /* of an input at most */
#define TIMER    VGIC_VIRTUAL_TIMER

enum lr_state { FREE = 0, PENDING, ACTIVE };

struct lr {
    enum lr_state state;
    uint16_t intid;
    uint8_t priority;
    uint8_t group;
    bool ghost; /* the model does not count it */
};

/* One interrupt; SGIs and PPIs have one for each vCPU. */
struct interrupt {
    bool group1, enabled, latch, line, active, edge;
    uint8_t priority;
    uint32_t targets; /* bit v: may go to vCPU v; SPIs */
    uint32_t senders; /* of an SGI of a GICv2 */
    uint64_t router;
};

static struct {
    uint32_t version;
    uint32_t vcpus;
    uint32_t control;
    uint32_t asleep;
    struct interrupt private[VCPUS][GIC_SPI_BASE];
    struct interrupt shared[VGIC_MAX_INTID]; /* from GIC_SPI_BASE on */
} model;

static struct {
    enum vcpu_state state;
    uint32_t exits;
    bool asserted; /* its virtual timer's output */
    bool masked;   /* the kernel does not report it */
    struct lr lr[VGIC_LIST_REGISTERS];
} vcpus[VCPUS];

static bool masked[FORWARDS]; /* by the kernel */
static uint64_t written;      /* what an MSR writes */

static void demand(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* ---- What the GIC asks of others ---- */

enum vcpu_state vcpu_state(uint8_t vcpu)
{
    return vcpus[vcpu].state;
}

bool vcpu_may_run(uint8_t vcpu)
{
    (void)vcpu;
    return false;
}

uint32_t vcpu_exit_count(uint8_t vcpu)
{
    return vcpus[vcpu].exits;
}

void vcpu_wake(uint8_t vcpu)
{
    demand(vcpus[vcpu].state == VCPU_ON);
}

uint64_t vcpu_get_register(uint8_t vcpu, unsigned number)
{
    (void)vcpu;
    (void)number;
    return written;
}

void microkit_vcpu_arm_ack_vppi(microkit_child vcpu, seL4_Word irq)
{
    demand(vcpu < model.vcpus && irq == TIMER);
    vcpus[vcpu].masked = false;
}

void microkit_irq_ack(microkit_channel ch)
{
    demand(ch < FORWARDS && masked[ch]);
    masked[ch] = false;
}

bool timer_asserted(uint8_t vcpu)
{
    return vcpus[vcpu].asserted;
}

seL4_Error seL4_ARM_VCPU_InjectIRQ(seL4_CPtr vcpu, seL4_Uint16 irq, seL4_Uint8 priority,
                                   seL4_Uint8 group, seL4_Uint8 index)
{
    struct lr *lr;

    vcpu -= BASE_VCPU_CAP;
    demand(vcpu < model.vcpus && priority <= 31 && group <= 1 && index < VGIC_LIST_REGISTERS);
    lr = &vcpus[vcpu].lr[index];
    if (lr->state == ACTIVE) {
        return seL4_DeleteFirst;
    }
    for (unsigned i = 0; i < VGIC_LIST_REGISTERS; i++) {
        demand(i == index || vcpus[vcpu].lr[i].state == FREE || vcpus[vcpu].lr[i].intid != irq);
    }
    *lr = (struct lr){.state = PENDING, .intid = irq, .priority = priority, .group = group};
    return seL4_NoError;
}

/* ---- The model ---- */

/* What is looked for is new ways through the controller, not through the model. That is quicker,
 * too. */
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)

/* Of a real interrupt, none that has been put where one was taken back. */
static bool holds(const struct lr *lr)
{
    return lr->state != FREE && lr->intid < VGIC_MAX_INTID;
}

static struct interrupt *interrupt_of(uint32_t vcpu, uint32_t intid)
{
    return intid < GIC_SPI_BASE ? &model.private[vcpu][intid] : &model.shared[intid];
}

static bool is_sgi_of_v2(uint32_t intid)
{
    return model.version == 2 && intid < GIC_SGI_COUNT;
}

static bool is_pending(uint32_t vcpu, uint32_t intid)
{
    const struct interrupt *irq = interrupt_of(vcpu, intid);

    if (is_sgi_of_v2(intid)) {
        return irq->senders != 0;
    }
    if (intid == TIMER) {
        return irq->latch || vcpus[vcpu].asserted;
    }
    return irq->latch || (irq->line && !irq->edge);
}

/* Whether a list register has it active that the model does not count; of SPIs anybody's. */
static bool is_ghost(uint32_t vcpu, uint32_t intid)
{
    for (uint32_t v = 0; v < model.vcpus; v++) {
        for (uint32_t i = 0; i < VGIC_LIST_REGISTERS; i++) {
            const struct lr *lr = &vcpus[v].lr[i];

            if (holds(lr) && lr->ghost && lr->intid == intid &&
                (v == vcpu || intid >= GIC_SPI_BASE)) {
                return true;
            }
        }
    }
    return false;
}

static bool is_deliverable(uint32_t vcpu, uint32_t intid)
{
    const struct interrupt *irq = interrupt_of(vcpu, intid);

    return irq->enabled && !irq->active && is_pending(vcpu, intid) &&
           (model.control & (irq->group1 ? GICD_CTLR_GROUP1 : GICD_CTLR_GROUP0)) != 0 &&
           (intid < GIC_SPI_BASE || (irq->targets >> vcpu & 1) != 0);
}

/* It is taken: no longer pending, but for another sender or a level. */
static void consume(uint32_t vcpu, uint32_t intid)
{
    struct interrupt *irq = interrupt_of(vcpu, intid);

    irq->senders &= irq->senders - 1;
    irq->latch = false;
}

static void reset_private(uint32_t vcpu)
{
    memset(model.private[vcpu], 0, sizeof(model.private[vcpu]));
    for (uint32_t intid = 0; intid < GIC_SGI_COUNT; intid++) {
        model.private[vcpu][intid].edge = true;
        model.private[vcpu][intid].enabled = model.version == 2;
    }
}

static void reset_model(void)
{
    model.control = 0;
    model.asleep = (1u << model.vcpus) - 1;
    for (uint32_t v = 0; v < model.vcpus; v++) {
        reset_private(v);
    }
    for (uint32_t intid = GIC_SPI_BASE; intid < VGIC_MAX_INTID; intid++) {
        model.shared[intid] = (struct interrupt){.line = model.shared[intid].line, .targets = 1};
    }
}

/* The guest ends by hand what a list register has active. */
static void make_ghosts(uint32_t vcpu, uint32_t intid)
{
    for (uint32_t v = 0; v < model.vcpus; v++) {
        for (uint32_t i = 0; i < VGIC_LIST_REGISTERS; i++) {
            struct lr *lr = &vcpus[v].lr[i];

            if (holds(lr) && lr->intid == intid && (v == vcpu || intid >= GIC_SPI_BASE)) {
                lr->ghost = true;
            }
        }
    }
}

/* ---- Accesses ---- */

/*
 * `vcpu` is who accesses it, or whose redistributor is accessed. A GICv3's registers of SGIs and
 * PPIs are there.
 */
static uint64_t do_access(uint32_t vcpu, uint32_t offset, uint8_t width, bool write, uint64_t value)
{
    uint32_t first = offset < GICD_IPRIORITYR  ? (offset & 0x7f) * 8
                     : offset < GICD_ITARGETSR ? offset - GICD_IPRIORITYR
                                               : (offset - GICD_ICFGR) * 4;
    bool banked = offset >= GICD_IGROUPR && offset < GICD_NSACR && first < GIC_SPI_BASE;
    struct mmio_access access = {
        .offset = offset, .width = width, .write = write, .vcpu = (uint8_t)vcpu, .value = value};

    if (model.version == 2) {
        demand(vgic_v2_access(NULL, &access));
    } else if (banked) {
        access.offset += vcpu * GICR_SIZE + GICR_FRAME_SIZE;
        demand(vgic_redistributor_access(NULL, &access));
    } else {
        demand(vgic_v3_access(NULL, &access));
    }
    return access.value;
}

/* The registers of one bit for each interrupt, in the order of their offsets. */
enum { GROUP, SET_ENABLE, CLEAR_ENABLE, SET_PENDING, CLEAR_PENDING, SET_ACTIVE, CLEAR_ACTIVE };

#define BIT_REGISTER(kind, word) (GICD_IGROUPR + 0x80u * (kind) + 4 * (word))

/* Returns what the bit reads as, or -1 if that is open. */
static int bit_of(uint32_t vcpu, uint32_t kind, uint32_t intid)
{
    const struct interrupt *irq = interrupt_of(vcpu, intid);

    switch (kind) {
    case GROUP:
        return irq->group1;
    case SET_ENABLE:
    case CLEAR_ENABLE:
        return irq->enabled;
    case SET_PENDING:
    case CLEAR_PENDING:
        /* The timer's line is what the kernel reports, which is not while it is active. */
        if (is_ghost(vcpu, intid) ||
            (intid == TIMER && (irq->active || vcpus[vcpu].state != VCPU_ON))) {
            return -1;
        }
        return is_pending(vcpu, intid);
    default:
        return is_ghost(vcpu, intid) ? -1 : irq->active;
    }
}

static void check_bits(uint32_t vcpu, uint32_t kind, uint32_t word)
{
    uint32_t value = (uint32_t)do_access(vcpu, BIT_REGISTER(kind, word), 4, false, ~0ull);

    for (uint32_t i = 0; i < 32; i++) {
        int bit = bit_of(vcpu, kind, 32 * word + i);

        demand(bit < 0 || (value >> i & 1) == (uint32_t)bit);
    }
}

static void forget_forwarded(uint32_t intid)
{
    if (intid == VGIC_MAX_INTID - 1 && masked[0]) {
        model.shared[intid].latch = false; /* a level: comes again if it is high */
    }
}

static void write_bit(uint32_t vcpu, uint32_t kind, uint32_t intid, bool set)
{
    struct interrupt *irq = interrupt_of(vcpu, intid);

    if (kind == GROUP) {
        irq->group1 = set;
    }
    if (!set || (is_sgi_of_v2(intid) && kind < SET_ACTIVE)) {
        return;
    }
    switch (kind) {
    case SET_ENABLE:
        irq->enabled = true;
        forget_forwarded(intid);
        break;
    case CLEAR_ENABLE:
        irq->enabled = false;
        break;
    case SET_PENDING:
        irq->latch = true;
        break;
    case CLEAR_PENDING:
        irq->latch = false;
        break;
    case SET_ACTIVE:
        irq->active = true;
        break;
    case CLEAR_ACTIVE:
        irq->active = false;
        make_ghosts(vcpu, intid);
        break;
    default:
        break;
    }
}

static void write_bits(uint32_t vcpu, uint32_t kind, uint32_t word, uint32_t value)
{
    for (uint32_t i = 0; i < 32; i++) {
        write_bit(vcpu, kind, 32 * word + i, (value >> i & 1) != 0);
    }
    do_access(vcpu, BIT_REGISTER(kind, word), 4, true, value);
}

static void check_priorities(uint32_t vcpu, uint32_t first, uint8_t width)
{
    uint64_t value = do_access(vcpu, GICD_IPRIORITYR + first, width, false, ~0ull);

    for (uint32_t i = 0; i < width; i++) {
        demand((value >> (8 * i) & 0xff) == interrupt_of(vcpu, first + i)->priority);
    }
    demand(value >> (8 * width) == 0);
}

static void write_priorities(uint32_t vcpu, uint32_t first, uint8_t width, uint32_t value)
{
    for (uint32_t i = 0; i < width; i++) {
        interrupt_of(vcpu, first + i)->priority = (uint8_t)(value >> (8 * i)) & 0xf8;
    }
    do_access(vcpu, GICD_IPRIORITYR + first, width, true, value);
}

static void check_config(uint32_t vcpu, uint32_t first)
{
    uint32_t value = 0;

    for (uint32_t i = 0; i < 16; i++) {
        value |= interrupt_of(vcpu, first + i)->edge ? 2u << (2 * i) : 0;
    }
    demand(do_access(vcpu, GICD_ICFGR + first / 4, 4, false, ~0ull) == value);
}

static void write_config(uint32_t vcpu, uint32_t first, uint32_t value)
{
    for (uint32_t i = 0; i < 16 && first >= GIC_SPI_BASE; i++) {
        interrupt_of(vcpu, first + i)->edge = (value >> (2 * i + 1) & 1) != 0;
    }
    do_access(vcpu, GICD_ICFGR + first / 4, 4, true, value);
}

/* GICD_ITARGETSR, or GICD_IROUTER. */
static void check_targets(uint32_t vcpu, uint32_t intid)
{
    const struct interrupt *irq = interrupt_of(vcpu, intid);
    uint64_t expected = intid < GIC_SPI_BASE ? 1u << vcpu : irq->targets;

    if (model.version == 2) {
        demand(do_access(vcpu, GICD_ITARGETSR + intid, 1, false, ~0ull) ==
               (model.vcpus == 1 ? 0 : expected));
    } else if (intid >= GIC_SPI_BASE) {
        demand(do_access(vcpu, GICD_IROUTER + 8 * intid, 8, false, 0) == irq->router);
    }
}

static void write_targets(uint32_t vcpu, uint32_t intid, uint32_t value)
{
    struct interrupt *irq = interrupt_of(vcpu, intid);
    uint32_t everyone = (1u << model.vcpus) - 1;

    if (model.version == 2) {
        if (model.vcpus > 1 && intid >= GIC_SPI_BASE) {
            irq->targets = value & everyone;
        }
        do_access(vcpu, GICD_ITARGETSR + intid, 1, true, value & 0xff);
    } else if (intid >= GIC_SPI_BASE) {
        irq->router = value & (GICD_IROUTER_ANY | GIC_AFFINITY_MASK);
        irq->targets = (irq->router & GICD_IROUTER_ANY) ? everyone
                       : irq->router < model.vcpus      ? 1u << irq->router
                                                        : 0;
        do_access(vcpu, GICD_IROUTER + 8 * intid, 8, true, value);
    }
}

/* GICD_CPENDSGIR and GICD_SPENDSGIR; both read alike. */
static void check_senders(uint32_t vcpu, uint32_t sgi)
{
    if (model.version == 2 && !is_ghost(vcpu, sgi)) {
        demand(do_access(vcpu, GICD_CPENDSGIR + sgi, 1, false, ~0ull) ==
               model.private[vcpu][sgi].senders);
        demand(do_access(vcpu, GICD_SPENDSGIR + sgi, 1, false, ~0ull) ==
               model.private[vcpu][sgi].senders);
    }
}

static void write_senders(uint32_t vcpu, uint32_t sgi, bool set, uint32_t value)
{
    uint32_t *senders = &model.private[vcpu][sgi].senders;

    if (model.version == 2) {
        *senders = set ? *senders | (value & ((1u << model.vcpus) - 1)) : *senders & ~value;
        do_access(vcpu, (set ? GICD_SPENDSGIR : GICD_CPENDSGIR) + sgi, 1, true, value & 0xff);
    }
}

static void check_others(uint32_t vcpu)
{
    uint32_t fixed = model.version == 3 ? GICD_CTLR_ARE | GICD_CTLR_DS : 0;
    struct mmio_access waker = {.offset = vcpu * GICR_SIZE + GICR_WAKER, .width = 4};

    demand(do_access(vcpu, GICD_CTLR, 4, false, ~0ull) == (model.control | fixed));
    demand((do_access(vcpu, GICD_TYPER, 4, false, ~0ull) & 0x1f) == VGIC_MAX_INTID / 32 - 1);
    if (model.version == 3) {
        demand(vgic_redistributor_access(NULL, &waker));
        demand(waker.value == ((model.asleep >> vcpu & 1) ? 6 : 0));
    }
}

static void write_control(uint32_t vcpu, uint32_t value)
{
    model.control = value & (GICD_CTLR_GROUP0 | GICD_CTLR_GROUP1);
    do_access(vcpu, GICD_CTLR, 4, true, value);
}

static void write_waker(uint32_t vcpu, bool sleep)
{
    struct mmio_access access = {.offset = vcpu * GICR_SIZE + GICR_WAKER,
                                 .width = 4,
                                 .write = true,
                                 .value = sleep ? GICR_WAKER_PROCESSOR_SLEEP : 0};

    if (model.version == 3) {
        model.asleep = sleep ? model.asleep | 1u << vcpu : model.asleep & ~(1u << vcpu);
        demand(vgic_redistributor_access(NULL, &access));
    }
}

static void check_all(void)
{
    for (uint32_t v = 0; v < model.vcpus; v++) {
        if (model.version == 2 && vcpus[v].state != VCPU_ON) {
            continue; /* a GICv2's are banked by who reads */
        }
        for (uint32_t kind = GROUP; kind <= CLEAR_ACTIVE; kind++) {
            for (uint32_t word = 0; word < (v == 0 ? VGIC_MAX_INTID / 32 : 1); word++) {
                check_bits(v, kind, word);
            }
        }
        for (uint32_t intid = 0; intid < VGIC_MAX_INTID; intid += 4) {
            check_priorities(v, intid, 4);
            check_targets(v, intid);
        }
        for (uint32_t intid = 0; intid < VGIC_MAX_INTID; intid += 16) {
            check_config(v, intid);
        }
        for (uint32_t sgi = 0; sgi < GIC_SGI_COUNT; sgi++) {
            check_senders(v, sgi);
        }
        check_others(v);
    }
}

/* ---- SGIs ---- */

static void send_sgi_v2(uint32_t vcpu, uint32_t value)
{
    uint32_t everyone = (1u << model.vcpus) - 1;
    uint32_t filter = value >> 24 & 3;
    uint32_t targets = filter == 0   ? value >> 16 & everyone
                       : filter == 1 ? everyone & ~(1u << vcpu)
                       : filter == 2 ? 1u << vcpu
                                     : 0;

    for (uint32_t v = 0; v < model.vcpus; v++) {
        model.private[v][value & 0xf].senders |= (targets >> v & 1) << vcpu;
    }
    do_access(vcpu, GICD_SGIR, 4, true, value);
}

/* `which` is the register: ICC_SGI1R_EL1, ICC_ASGI1R_EL1, ICC_SGI0R_EL1. */
static void send_sgi_v3(uint32_t vcpu, uint32_t which, uint32_t value)
{
    uint32_t sgi = value >> 24 & 0xf;
    bool others = (value & 0x8000) != 0, elsewhere = (value & 0x4000) != 0;
    uint64_t nothing = 0;

    written = (uint64_t)sgi << 24 | (value & 0xff) | (uint64_t)others << 40 |
              (elsewhere ? 1ull << 16 : 0);
    for (uint32_t v = 0; v < model.vcpus; v++) {
        struct interrupt *irq = &model.private[v][sgi];
        bool is_target = others ? v != vcpu : !elsewhere && (value >> v & 1) != 0;

        if (is_target && (which == 0 || !irq->group1)) {
            irq->latch = true;
        }
    }
    demand(vgic_system_register((uint8_t)vcpu, ISS_SYSREG(3, 0, 12, 11, 5 + which), &nothing));
}

/* ---- The CPU interface ---- */

/* The guest takes an interrupt that waits. That is no exit. */
static void acknowledge(uint32_t vcpu, uint32_t index)
{
    struct lr *lr = &vcpus[vcpu].lr[index];

    if (holds(lr) && lr->state == PENDING) {
        lr->state = ACTIVE;
        consume(vcpu, lr->intid);
        interrupt_of(vcpu, lr->intid)->active = true;
    }
}

/* What a ghost has left is read, and believed. */
static void believe(uint32_t vcpu, uint32_t intid)
{
    struct interrupt *irq = interrupt_of(vcpu, intid);
    uint32_t word = intid / 32, bit = 1u << (intid % 32);

    if (is_ghost(vcpu, intid)) {
        return;
    }
    irq->active = (do_access(vcpu, BIT_REGISTER(SET_ACTIVE, word), 4, false, 0) & bit) != 0;
    irq->latch = (do_access(vcpu, BIT_REGISTER(SET_PENDING, word), 4, false, 0) & bit) != 0 &&
                 !(irq->line && !irq->edge) && (intid != TIMER || !vcpus[vcpu].asserted);
    if (is_sgi_of_v2(intid)) {
        irq->senders = (uint32_t)do_access(vcpu, GICD_SPENDSGIR + intid, 1, false, 0);
    }
}

static void end(uint32_t vcpu, uint32_t index)
{
    struct lr before = vcpus[vcpu].lr[index];

    if (before.state != ACTIVE) {
        return;
    }
    vcpus[vcpu].lr[index].state = FREE;
    if (!before.ghost) {
        interrupt_of(vcpu, before.intid)->active = false;
    }
    vcpus[vcpu].exits++;
    vgic_maintenance((uint8_t)vcpu, index);
    if (before.ghost) {
        believe(vcpu, before.intid);
    }
}

/* ---- Power ---- */

/*
 * Its SPIs go to others, active or not. What else it has stays, in a GICv2, until it comes back; in
 * a GICv3 all is reset with the redistributor.
 */
static void power_off(uint32_t vcpu)
{
    bool back[VGIC_LIST_REGISTERS] = {false};

    for (uint32_t i = 0; i < VGIC_LIST_REGISTERS; i++) {
        struct lr *lr = &vcpus[vcpu].lr[i];

        if (!holds(lr)) {
            continue;
        }
        if (lr->intid >= GIC_SPI_BASE) {
            back[i] = lr->ghost;
            if (!lr->ghost) {
                model.shared[lr->intid].latch = true;
                model.shared[lr->intid].active = false;
            }
            lr->state = FREE; /* a ghost for good */
        }
    }
    if (model.version == 3) {
        reset_private(vcpu);
        model.asleep |= 1u << vcpu;
    }
    vcpus[vcpu].state = VCPU_OFF;
    vgic_vcpu_off((uint8_t)vcpu);
    for (uint32_t i = 0; i < VGIC_LIST_REGISTERS; i++) {
        if (back[i]) {
            believe(0, vcpus[vcpu].lr[i].intid);
        }
    }
}

/* The reset program ends all that is in list registers. */
static void run_reset_program(uint32_t vcpu)
{
    vcpus[vcpu].state = VCPU_RESETTING;
    for (uint32_t i = 0; i < VGIC_LIST_REGISTERS; i++) {
        struct lr *lr = &vcpus[vcpu].lr[i];

        if (lr->state == FREE) {
            continue;
        }
        if (model.version == 2 && holds(lr) && !lr->ghost) {
            if (lr->state == PENDING) {
                consume(vcpu, lr->intid);
            }
            interrupt_of(vcpu, lr->intid)->active = false;
        }
        *lr = (struct lr){0};
        vcpus[vcpu].exits++;
        vgic_maintenance((uint8_t)vcpu, i);
    }
    vcpus[vcpu].state = VCPU_OFF;
    vgic_lr_cleared((uint8_t)vcpu);
    demand(!vgic_pending((uint8_t)vcpu));
}

static void power_on(uint32_t vcpu)
{
    run_reset_program(vcpu);
    vcpus[vcpu].asserted = false;
    vcpus[vcpu].state = VCPU_ON;
    vgic_vcpu_on((uint8_t)vcpu);
}

/* As the machine does: all go off, the controller is reset, and the first one comes back. */
static void reset_machine(void)
{
    for (uint32_t v = 0; v < model.vcpus; v++) {
        vcpus[v].state = VCPU_OFF;
        vcpus[v].asserted = false;
    }
    reset_model();
    vgic_reset();
    for (uint32_t v = 0; v < model.vcpus; v++) {
        for (uint32_t i = 0; i < VGIC_LIST_REGISTERS; i++) {
            vcpus[v].lr[i].ghost = true;
        }
        run_reset_program(v);
    }
    vcpus[0].state = VCPU_ON;
}

/* ---- What holds after each step ---- */

/* The kernel reports a timer that interrupts a vCPU that runs. */
static void report_timers(void)
{
    for (uint8_t v = 0; v < model.vcpus; v++) {
        if (vcpus[v].state == VCPU_ON && vcpus[v].asserted && !vcpus[v].masked) {
            vcpus[v].masked = true;
            vcpus[v].exits++;
            vgic_raise_timer(v);
        }
    }
}

static bool waits_somewhere(uint32_t vcpu, uint32_t intid)
{
    for (uint32_t v = 0; v < model.vcpus; v++) {
        for (uint32_t i = 0; i < VGIC_LIST_REGISTERS; i++) {
            if (holds(&vcpus[v].lr[i]) && vcpus[v].lr[i].intid == intid &&
                (v == vcpu || intid >= GIC_SPI_BASE)) {
                return true;
            }
        }
    }
    return false;
}

static unsigned in_use(uint32_t vcpu)
{
    unsigned count = 0;

    for (uint32_t i = 0; i < VGIC_LIST_REGISTERS; i++) {
        count += holds(&vcpus[vcpu].lr[i]);
    }
    return count;
}

/* Whether another vCPU that may get it has no room. It is offered one when that one ends something.
 */
static bool waits_for_another(uint32_t vcpu, uint32_t intid)
{
    for (uint32_t v = 0; v < model.vcpus && intid >= GIC_SPI_BASE; v++) {
        if (v != vcpu && vcpus[v].state == VCPU_ON && is_deliverable(v, intid) &&
            in_use(v) >= VGIC_LIST_REGISTERS - 1) {
            return true;
        }
    }
    return false;
}

/* The most urgent that this vCPU should be offered and is not; 0x100 if there is none. */
static unsigned most_urgent_outside(uint32_t vcpu)
{
    unsigned best = 0x100;

    for (uint32_t intid = 0; intid < VGIC_MAX_INTID; intid++) {
        if (is_deliverable(vcpu, intid) && !waits_somewhere(vcpu, intid) &&
            !waits_for_another(vcpu, intid) && interrupt_of(vcpu, intid)->priority < best) {
            best = interrupt_of(vcpu, intid)->priority;
        }
    }
    return best;
}

static void check_lr(uint32_t vcpu, const struct lr *lr)
{
    const struct interrupt *irq = interrupt_of(vcpu, lr->intid);

    /* Nobody says that a timer's line has fallen. */
    demand(is_deliverable(vcpu, lr->intid) || lr->intid == TIMER);
    demand(lr->priority == irq->priority >> 3 && lr->group == irq->group1);
    for (uint32_t v = vcpu + 1; v < model.vcpus && lr->intid >= GIC_SPI_BASE; v++) {
        for (uint32_t i = 0; i < VGIC_LIST_REGISTERS; i++) {
            const struct lr *other = &vcpus[v].lr[i];

            demand(!holds(other) || other->intid != lr->intid || other->ghost);
        }
    }
}

static void check_vcpu(uint32_t vcpu)
{
    unsigned best = most_urgent_outside(vcpu);
    unsigned waiting = 0, active = 0;

    for (uint32_t i = 0; i < VGIC_LIST_REGISTERS; i++) {
        const struct lr *lr = &vcpus[vcpu].lr[i];

        if (holds(lr) && lr->state == PENDING) {
            waiting++;
            check_lr(vcpu, lr);
        } else if (holds(lr)) {
            active++;
        }
    }
    demand(vgic_pending((uint8_t)vcpu) == (waiting + active != 0));
    if (best == 0x100) {
        return;
    }
    demand(waiting + active >= VGIC_LIST_REGISTERS - 1); /* the last is for a more urgent one */
    for (uint32_t i = 0; i < VGIC_LIST_REGISTERS && active == 0; i++) {
        const struct lr *lr = &vcpus[vcpu].lr[i];

        demand(!holds(lr) || lr->priority <= best >> 3);
    }
}

static void check(void)
{
    for (uint32_t v = 0; v < model.vcpus; v++) {
        if (vcpus[v].state == VCPU_ON) {
            check_vcpu(v);
        }
    }
    for (uint32_t i = 0; i < FORWARDS; i++) {
        uint32_t intid = VGIC_MAX_INTID - 1 - i;
        const struct interrupt *irq = &model.shared[intid];

        demand(!masked[i] || irq->latch || irq->active || is_ghost(0, intid));
    }
}

#pragma clang attribute pop

/* ---- Steps ---- */

/* Few, so that steps meet: of each kind some, and those that are forwarded. */
static uint32_t take_intid(struct input *input)
{
    static const uint8_t often[] = {0,  1,  15, 16, 26, TIMER, 31,  32,
                                    33, 34, 35, 36, 63, 64,    126, 127};
    uint32_t byte = (uint32_t)take(input, 1);

    return byte < 128 ? often[byte % sizeof(often)] : byte - 128;
}

static uint32_t take_bits(struct input *input, uint32_t *word)
{
    uint32_t intid = take_intid(input);
    uint32_t count = (uint32_t)take(input, 1);

    *word = intid / 32;
    if (count < 0xc0) {
        return 1u << (intid % 32);
    }
    return count < 0xe0 ? UINT32_MAX : (uint32_t)take(input, 4);
}

static void guest_reads(uint32_t vcpu, struct input *input)
{
    uint32_t kind = (uint32_t)take(input, 1) % 13;
    uint32_t intid = take_intid(input);

    switch (kind) {
    default:
        check_bits(vcpu, kind, intid / 32);
        break;
    case 7:
        check_priorities(vcpu, intid, 1);
        break;
    case 8:
        check_priorities(vcpu, intid & ~3u, 4);
        break;
    case 9:
        check_config(vcpu, intid & ~15u);
        break;
    case 10:
        check_targets(vcpu, intid);
        break;
    case 11:
        check_senders(vcpu, intid % GIC_SGI_COUNT);
        break;
    case 12:
        check_others(vcpu);
        break;
    }
}

static void guest_writes(uint32_t vcpu, struct input *input)
{
    uint32_t kind = (uint32_t)take(input, 1) % 15;
    uint32_t word, value;

    if (kind <= CLEAR_ACTIVE) {
        value = take_bits(input, &word);
        write_bits(vcpu, kind, word, value);
        return;
    }
    word = take_intid(input);
    value = (uint32_t)take(input, 4);
    switch (kind) {
    case 7:
        write_priorities(vcpu, word, 1, value & 0xff);
        break;
    case 8:
        write_priorities(vcpu, word & ~3u, 4, value);
        break;
    case 9:
        write_config(vcpu, word & ~15u, value);
        break;
    case 10:
        write_targets(vcpu, word, value);
        break;
    case 11:
    case 12:
        write_senders(vcpu, word % GIC_SGI_COUNT, kind == 11, value & 0xff);
        break;
    case 13:
        write_control(vcpu, value);
        break;
    default:
        write_waker(vcpu, (value & 1) != 0);
        break;
    }
}

static void device_drives(struct input *input, bool level)
{
    uint32_t intid = take_intid(input);
    struct interrupt *irq = &model.shared[intid];

    if (intid >= GIC_SPI_BASE && intid < VGIC_MAX_INTID - FORWARDS) {
        irq->latch = irq->latch || (irq->edge && level && !irq->line);
        irq->line = level;
        vgic_set_level(intid, level);
    }
}

static void device_pulses(struct input *input)
{
    uint32_t intid = take_intid(input);

    if (intid >= GIC_SPI_BASE) {
        model.shared[intid].latch = true;
        vgic_pulse(intid);
    }
}

/* A device that is handed to the machine interrupts. */
static void forwarded_interrupts(uint32_t channel)
{
    if (!masked[channel]) {
        masked[channel] = true;
        model.shared[VGIC_MAX_INTID - 1 - channel].latch = true;
        demand(vgic_forward_notified(channel));
    }
}

static void step(struct input *input)
{
    uint32_t what = (uint32_t)take(input, 1);
    uint32_t vcpu = (what >> 4) % model.vcpus;

    if ((what & 0xf) == 15) {
        if (take(input, 1) % 8 == 0) {
            reset_machine();
        } else if (vcpus[vcpu].state == VCPU_OFF) {
            power_on(vcpu);
        } else if (vcpu != 0) {
            power_off(vcpu);
        }
        return;
    }
    vcpu = vcpus[vcpu].state == VCPU_ON ? vcpu : 0;
    vcpus[vcpu].exits++;
    switch (what & 0xf) {
    case 0:
    case 1:
        guest_reads(vcpu, input);
        break;
    case 2:
    case 3:
    case 4:
    case 5:
        guest_writes(vcpu, input);
        break;
    case 6:
    case 7:
        acknowledge(vcpu, (uint32_t)take(input, 1) % VGIC_LIST_REGISTERS);
        break;
    case 8:
        end(vcpu, (uint32_t)take(input, 1) % VGIC_LIST_REGISTERS);
        break;
    case 9:
        device_drives(input, true);
        break;
    case 10:
        device_drives(input, false);
        break;
    case 11:
        device_pulses(input);
        break;
    case 12:
        forwarded_interrupts((what >> 4) % FORWARDS);
        break;
    case 13:
        vcpus[vcpu].asserted = (take(input, 1) & 1) != 0;
        break;
    default:
        if (model.version == 2) {
            send_sgi_v2(vcpu, (uint32_t)take(input, 4));
        } else {
            send_sgi_v3(vcpu, (what >> 4) % 3, (uint32_t)take(input, 4));
        }
    }
}

/* What a kernel does at its start, and an input would seldom find by itself. */
static void bring_up(uint32_t kind)
{
    for (uint32_t word = 0; word < VGIC_MAX_INTID / 32; word++) {
        write_bits(0, SET_ENABLE, word, UINT32_MAX);
    }
    for (uint32_t intid = GIC_SPI_BASE; intid < VGIC_MAX_INTID && (kind & 0x40) != 0; intid++) {
        write_targets(0, intid, model.version == 2 ? 7 : GICD_IROUTER_ANY);
    }
    write_control(0, kind >> 4 & 3);
    for (uint8_t v = 1; v < model.vcpus; v++) {
        power_on(v);
        write_bits(v, SET_ENABLE, 0, UINT32_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    uint32_t kind = (uint32_t)take(&input, 1);

    memset(&model, 0, sizeof(model));
    memset(vcpus, 0, sizeof(vcpus));
    memset(masked, 0, sizeof(masked));
    model.version = 2 + (kind & 1);
    model.vcpus = 1 + (kind >> 1 & 7) % VCPUS;
    vgic_init(model.version, model.vcpus);
    reset_model();
    for (uint8_t i = 0; i < FORWARDS; i++) {
        demand(vgic_forward(&(struct vmm_forward_config){
            .channel = i, .edge = i != 0, .intid = VGIC_MAX_INTID - 1 - i}));
    }
    vcpus[0].state = VCPU_ON;
    if (kind & 0x80) {
        bring_up(kind);
    }
    for (unsigned steps = 0; input.left > 0 && steps < STEPS; steps++) {
        step(&input);
        report_timers();
        check();
    }
    check_all();
    check();
    reset_machine();
    check_all();
    demand(!masked[0] && !masked[1]);
    return 0;
}
