/* SPDX-License-Identifier: BSD-2-Clause */

#include "vgic.h"

#include <microkit.h>
#include <string.h>
#include "vcpu.h"

/* Register offsets (IHI 0048B, table 4-1). */
#define GICD_CTLR       0x000u
#define GICD_TYPER      0x004u
#define GICD_IIDR       0x008u
#define GICD_IGROUPR    0x080u
#define GICD_ISENABLER  0x100u
#define GICD_ICENABLER  0x180u
#define GICD_ISPENDR    0x200u
#define GICD_ICPENDR    0x280u
#define GICD_ISACTIVER  0x300u
#define GICD_ICACTIVER  0x380u
#define GICD_IPRIORITYR 0x400u
#define GICD_ITARGETSR  0x800u
#define GICD_ICFGR      0xc00u
#define GICD_NSACR      0xe00u
#define GICD_SGIR       0xf00u
#define GICD_CPENDSGIR  0xf10u
#define GICD_SPENDSGIR  0xf20u
#define GICD_RESERVED   0xf30u
#define GICD_ID         0xfd0u /* ICPIDR4 .. ICCIDR3 */

#define GICD_IIDR_GIC400       0x0200143bu
#define GICD_SGIR_LIST_SHIFT   16
#define GICD_SGIR_FILTER_SHIFT 24

#define WORDS          (VGIC_MAX_INTID / 32)
#define SGI_COUNT      16u
#define LR_PRIORITY(p) ((uint8_t)((p) >> 3)) /* a list register holds the upper five bits */

/* One bit per interrupt. Word 0, SGIs and PPIs, exists for each vCPU. */
struct bank {
    uint32_t group; /* 1: group 1 */
    uint32_t enabled;
    uint32_t latched; /* pending, apart from a level-sensitive line */
    uint32_t line;    /* the input's level */
    uint32_t active;  /* made active by a write to ISACTIVER */
    uint32_t placed;  /* in a list register */
    uint32_t edge;    /* 0: level-sensitive */
};

struct list_register {
    uint16_t intid; /* VGIC_NONE: free */
    uint8_t priority;
    bool abandoned; /* its end is no longer of interest to the distributor */
};

struct cpu {
    struct bank bank;
    uint32_t targeted[WORDS]; /* which SPIs may go to this vCPU; word 0 unused */
    uint8_t priority[32];
    uint8_t sgi_sources[SGI_COUNT]; /* bit n: pending, from vCPU n */
    struct list_register lr[VGIC_LIST_REGISTERS];
    unsigned placed_count;
};

static struct {
    uint32_t vcpu_count;
    uint32_t control;
    struct cpu cpu[VMM_MAX_VCPUS];
    struct bank bank[WORDS]; /* SPIs; word 0 unused */
    uint8_t priority[VGIC_MAX_INTID];
} gic;

static const uint8_t id_registers[] = {
    0x04, 0, 0, 0, 0x90, 0xb4, 0x2b, 0, 0x0d, 0xf0, 0x05, 0xb1,
};

static struct bank *bank_of(uint8_t vcpu, uint32_t word)
{
    return word == 0 ? &gic.cpu[vcpu].bank : &gic.bank[word];
}

static uint8_t *priority_of(uint8_t vcpu, uint32_t intid)
{
    return intid < VGIC_SPI_BASE ? &gic.cpu[vcpu].priority[intid] : &gic.priority[intid];
}

/* Pending in the distributor: latched, or a level-sensitive line that is high. */
static uint32_t pending_bits(const struct bank *bank)
{
    return bank->latched | (bank->line & ~bank->edge);
}

/* Those of a bank whose group is enabled. */
static uint32_t enabled_groups(const struct bank *bank)
{
    return ((gic.control & 1) ? ~bank->group : 0) | ((gic.control & 2) ? bank->group : 0);
}

/* What could be put into a list register of this vCPU now. */
static uint32_t candidates(uint8_t vcpu, uint32_t word)
{
    const struct bank *bank = bank_of(vcpu, word);
    uint32_t bits =
        pending_bits(bank) & bank->enabled & enabled_groups(bank) & ~bank->placed & ~bank->active;

    return word == 0 ? bits : bits & gic.cpu[vcpu].targeted[word];
}

static uint32_t highest_candidate(uint8_t vcpu)
{
    uint32_t best = VGIC_NONE;
    unsigned best_priority = 0x100;

    for (uint32_t word = 0; word < WORDS; word++) {
        for (uint32_t bits = candidates(vcpu, word); bits; bits &= bits - 1) {
            uint32_t intid = word * 32 + (uint32_t)__builtin_ctz(bits);
            uint8_t priority = *priority_of(vcpu, intid);

            if (priority < best_priority) {
                best = intid;
                best_priority = priority;
            }
        }
    }
    return best;
}

/* What is offered is no longer pending, unless its line stays high or another vCPU sent it too. */
static void consume(uint8_t vcpu, uint32_t intid)
{
    struct bank *bank = bank_of(vcpu, intid / 32);
    uint32_t bit = 1u << (intid % 32);

    if (intid < SGI_COUNT) {
        uint8_t *sources = &gic.cpu[vcpu].sgi_sources[intid];

        *sources &= (uint8_t)(*sources - 1);
        if (*sources != 0) {
            return;
        }
    }
    bank->latched &= ~bit;
}

static bool is_group1(uint8_t vcpu, uint32_t intid)
{
    return (bank_of(vcpu, intid / 32)->group >> (intid % 32)) & 1;
}

/* Note that `intid` is in that list register now. */
static void place(uint8_t vcpu, uint32_t intid, uint32_t index)
{
    struct cpu *cpu = &gic.cpu[vcpu];

    consume(vcpu, intid);
    bank_of(vcpu, intid / 32)->placed |= 1u << (intid % 32);
    cpu->lr[index] =
        (struct list_register){.intid = (uint16_t)intid, .priority = *priority_of(vcpu, intid)};
    cpu->placed_count++;
}

/* What was in that list register waits in the distributor again. */
static void displace(uint8_t vcpu, uint32_t index)
{
    struct cpu *cpu = &gic.cpu[vcpu];
    uint32_t intid = cpu->lr[index].intid;
    uint32_t bit = 1u << (intid % 32);

    cpu->placed_count--;
    if (cpu->lr[index].abandoned) {
        return;
    }
    bank_of(vcpu, intid / 32)->placed &= ~bit;
    bank_of(vcpu, intid / 32)->latched |= bit;
    if (intid < SGI_COUNT) {
        cpu->sgi_sources[intid] |= (uint8_t)(1u << vcpu);
    }
}

static uint32_t register_of(const struct cpu *cpu, uint32_t intid)
{
    uint32_t index = 0;

    while (index < VGIC_LIST_REGISTERS && cpu->lr[index].intid != intid) {
        index++;
    }
    return index;
}

/* How urgent the interrupt in a list register is: its priority, or more if nobody wants it. */
static unsigned urgency(uint8_t vcpu, const struct list_register *lr)
{
    const struct bank *bank = bank_of(vcpu, lr->intid / 32);
    uint32_t wanted = bank->enabled & enabled_groups(bank);

    return lr->abandoned || !((wanted >> (lr->intid % 32)) & 1) ? UINT8_MAX
                                                                : LR_PRIORITY(lr->priority);
}

static uint32_t least_urgent_register(uint8_t vcpu)
{
    const struct list_register *lr = gic.cpu[vcpu].lr;
    uint32_t least = 0;

    for (uint32_t i = 1; i < VGIC_LIST_REGISTERS; i++) {
        if (urgency(vcpu, &lr[i]) > urgency(vcpu, &lr[least])) {
            least = i;
        }
    }
    return least;
}

/* Put an interrupt into a list register that is not empty; false if the guest is handling that. */
static bool overwrite(uint8_t vcpu, uint32_t intid, uint32_t index)
{
    return seL4_ARM_VCPU_InjectIRQ(BASE_VCPU_CAP + vcpu, (seL4_Uint16)intid,
                                   LR_PRIORITY(*priority_of(vcpu, intid)), is_group1(vcpu, intid),
                                   (seL4_Uint8)index) == seL4_NoError;
}

/*
 * All list registers are taken: an interrupt more urgent than one of them takes its place, unless
 * the guest is handling that one. The kernel does not always know that it is; the interrupt in
 * question is then handled once too often, which does no harm.
 */
static bool take_over(uint8_t vcpu, uint32_t intid)
{
    uint32_t index = least_urgent_register(vcpu);

    if (urgency(vcpu, &gic.cpu[vcpu].lr[index]) <= LR_PRIORITY(*priority_of(vcpu, intid)) ||
        !overwrite(vcpu, intid, index)) {
        return false;
    }
    displace(vcpu, index);
    place(vcpu, intid, index);
    return true;
}

/*
 * An interrupt that was abandoned in a list register is wanted again: there, because two copies
 * are not allowed. If the guest is handling it, it stays pending here and comes again afterwards.
 */
static void readopt(uint8_t vcpu, uint32_t intid, uint32_t index)
{
    if (overwrite(vcpu, intid, index)) {
        displace(vcpu, index);
        place(vcpu, intid, index);
    } else {
        gic.cpu[vcpu].lr[index].abandoned = false;
        bank_of(vcpu, intid / 32)->placed |= 1u << (intid % 32);
    }
}

static bool give_register(uint8_t vcpu, uint32_t intid)
{
    struct cpu *cpu = &gic.cpu[vcpu];
    uint32_t index = register_of(cpu, intid);

    if (index < VGIC_LIST_REGISTERS) {
        readopt(vcpu, intid, index);
        return true;
    }
    if (cpu->placed_count == VGIC_LIST_REGISTERS) {
        return take_over(vcpu, intid);
    }
    index = register_of(cpu, VGIC_NONE);
    microkit_vcpu_arm_inject_irq(vcpu, (seL4_Uint16)intid, LR_PRIORITY(*priority_of(vcpu, intid)),
                                 is_group1(vcpu, intid), (seL4_Uint8)index);
    place(vcpu, intid, index);
    return true;
}

/* Give this vCPU's list registers to the most urgent of what waits, and wake it if it sleeps. */
static void offer(uint8_t vcpu)
{
    uint32_t intid;

    if (vcpu_state(vcpu) == VCPU_OFF || vcpu_state(vcpu) == VCPU_RESETTING) {
        return;
    }
    do {
        intid = highest_candidate(vcpu);
    } while (intid != VGIC_NONE && give_register(vcpu, intid));
    if (gic.cpu[vcpu].placed_count != 0) {
        vcpu_wake(vcpu);
    }
}

static void offer_all(void)
{
    for (uint8_t v = 0; v < gic.vcpu_count; v++) {
        offer(v);
    }
}

/* The kernel masks the timer when it reports it; from now on it may report it again. */
static void rearm_timer(uint8_t vcpu)
{
    microkit_vcpu_arm_ack_vppi(vcpu, VGIC_VIRTUAL_TIMER);
}

static void reset_cpu(uint8_t vcpu)
{
    struct cpu *cpu = &gic.cpu[vcpu];
    uint32_t spi_targets = gic.vcpu_count == 1 || vcpu == 0 ? UINT32_MAX : 0;

    cpu->bank = (struct bank){.enabled = 0xffff, .edge = 0xffff}; /* SGIs are always enabled */
    memset(cpu->priority, 0, sizeof(cpu->priority));
    memset(cpu->sgi_sources, 0, sizeof(cpu->sgi_sources));
    for (uint32_t word = 1; word < WORDS; word++) {
        cpu->targeted[word] = spi_targets;
    }
    for (uint32_t i = 0; i < VGIC_LIST_REGISTERS; i++) {
        cpu->lr[i].abandoned = true;
    }
    rearm_timer(vcpu);
}

void vgic_init(uint32_t vcpu_count)
{
    gic.vcpu_count = vcpu_count;
    for (uint8_t v = 0; v < vcpu_count; v++) {
        for (uint32_t i = 0; i < VGIC_LIST_REGISTERS; i++) {
            gic.cpu[v].lr[i].intid = VGIC_NONE;
        }
        gic.cpu[v].placed_count = 0;
    }
    memset(gic.bank, 0, sizeof(gic.bank));
    vgic_reset();
}

void vgic_reset(void)
{
    gic.control = 0;
    memset(gic.priority, 0, sizeof(gic.priority));
    for (uint32_t word = 1; word < WORDS; word++) {
        /* The lines are the devices' affair. */
        gic.bank[word] = (struct bank){.line = gic.bank[word].line};
    }
    for (uint8_t v = 0; v < gic.vcpu_count; v++) {
        reset_cpu(v);
    }
}

/* Offer an SPI to those that may have it, until one has taken it. */
static void offer_spi(uint32_t intid)
{
    uint32_t word = intid / 32, bit = 1u << (intid % 32);

    for (uint8_t v = 0; v < gic.vcpu_count; v++) {
        if (gic.cpu[v].targeted[word] & bit) {
            offer(v);
            if (gic.bank[word].placed & bit) {
                return;
            }
        }
    }
}

void vgic_set_level(uint32_t intid, bool asserted)
{
    struct bank *bank;
    uint32_t bit = 1u << (intid % 32);

    if (intid < VGIC_SPI_BASE || intid >= VGIC_MAX_INTID) {
        return;
    }
    bank = &gic.bank[intid / 32];
    if (((bank->line & bit) != 0) == asserted) {
        return;
    }
    if (!asserted) {
        bank->line &= ~bit;
        return;
    }
    bank->line |= bit;
    bank->latched |= bank->edge & bit;
    offer_spi(intid);
}

void vgic_raise_ppi(uint8_t vcpu, uint32_t intid)
{
    gic.cpu[vcpu].bank.latched |= 1u << intid;
    offer(vcpu);
}

void vgic_maintenance(uint8_t vcpu, uint32_t list_register)
{
    struct cpu *cpu = &gic.cpu[vcpu];
    struct list_register *lr;
    uint32_t intid;

    if (list_register >= VGIC_LIST_REGISTERS || cpu->lr[list_register].intid == VGIC_NONE) {
        return;
    }
    lr = &cpu->lr[list_register];
    intid = lr->intid;
    lr->intid = VGIC_NONE;
    cpu->placed_count--;
    if (!lr->abandoned) {
        bank_of(vcpu, intid / 32)->placed &= ~(1u << (intid % 32));
        if (intid == VGIC_VIRTUAL_TIMER) {
            rearm_timer(vcpu);
        }
    }
    offer(vcpu);
}

bool vgic_pending(uint8_t vcpu)
{
    return gic.cpu[vcpu].placed_count != 0;
}

bool vgic_timer_enabled(uint8_t vcpu)
{
    const struct bank *bank = &gic.cpu[vcpu].bank;
    uint32_t bit = 1u << VGIC_VIRTUAL_TIMER;
    uint32_t group_enable = (bank->group & bit) ? 2 : 1;

    return (gic.control & group_enable) && (bank->enabled & bit) && !(bank->active & bit);
}

void vgic_vcpu_on(uint8_t vcpu)
{
    offer(vcpu);
}

void vgic_vcpu_off(uint8_t vcpu)
{
    struct cpu *cpu = &gic.cpu[vcpu];

    for (uint32_t i = 0; i < VGIC_LIST_REGISTERS; i++) {
        struct list_register *lr = &cpu->lr[i];
        uint32_t bit = 1u << (lr->intid % 32);

        if (lr->intid >= VGIC_SPI_BASE && lr->intid != VGIC_NONE && !lr->abandoned) {
            gic.bank[lr->intid / 32].placed &= ~bit;
            gic.bank[lr->intid / 32].latched |= bit;
            lr->abandoned = true;
        }
    }
    offer_all();
}

void vgic_occupants(uint8_t vcpu, uint16_t intids[VGIC_LIST_REGISTERS])
{
    const struct list_register *lr = gic.cpu[vcpu].lr;
    uint8_t priority[VGIC_LIST_REGISTERS] = {0};
    uint32_t count = 0;

    for (uint32_t i = 0; i < VGIC_LIST_REGISTERS; i++) {
        uint32_t at = count;

        if (lr[i].intid == VGIC_NONE) {
            continue;
        }
        for (; at > 0 && priority[at - 1] > lr[i].priority; at--) {
            priority[at] = priority[at - 1];
            intids[at] = intids[at - 1];
        }
        priority[at] = lr[i].priority;
        intids[at] = lr[i].intid;
        count++;
    }
    for (; count < VGIC_LIST_REGISTERS; count++) {
        intids[count] = VGIC_NONE;
    }
}

void vgic_forget_occupants(uint8_t vcpu)
{
    for (uint32_t i = 0; i < VGIC_LIST_REGISTERS; i++) {
        vgic_maintenance(vcpu, i); /* most have been reported by now */
    }
}

/* ---- Registers of one bit per interrupt ---- */

static uint32_t read_bits(uint8_t vcpu, uint32_t kind, uint32_t word)
{
    const struct bank *bank = bank_of(vcpu, word);

    switch (kind) {
    case GICD_IGROUPR:
        return bank->group;
    case GICD_ISENABLER:
    case GICD_ICENABLER:
        return bank->enabled;
    case GICD_ISPENDR:
    case GICD_ICPENDR:
        return pending_bits(bank);
    default:
        return bank->active | bank->placed;
    }
}

static void enable(uint8_t vcpu, struct bank *bank, uint32_t word, uint32_t bits)
{
    uint32_t timer = word == 0 ? (1u << VGIC_VIRTUAL_TIMER) & bits & bank->latched : 0;

    bank->enabled |= bits;
    /* A timer event from before may be over by now; if not, the kernel will report it again. */
    if (timer) {
        bank->latched &= ~timer;
        rearm_timer(vcpu);
    }
}

/* The guest does not want these any more: their list registers are for whoever comes. */
static void abandon(uint8_t vcpu, struct bank *bank, uint32_t word, uint32_t bits)
{
    struct cpu *cpu = &gic.cpu[vcpu];

    for (uint32_t i = 0; i < VGIC_LIST_REGISTERS; i++) {
        struct list_register *lr = &cpu->lr[i];
        uint32_t bit = 1u << (lr->intid % 32);

        if (lr->intid / 32 == word && !lr->abandoned && (bits & bit)) {
            lr->abandoned = true;
            bank->placed &= ~bit;
        }
    }
}

static void clear_pending(uint8_t vcpu, struct bank *bank, uint32_t word, uint32_t bits)
{
    if (word == 0) {
        bits &= ~0xffffu; /* SGIs have registers of their own */
        if (bits & (bank->latched | bank->placed) & (1u << VGIC_VIRTUAL_TIMER)) {
            rearm_timer(vcpu);
        }
        abandon(vcpu, bank, word, bits);
    } else {
        for (uint8_t v = 0; v < gic.vcpu_count; v++) {
            abandon(v, bank, word, bits);
        }
    }
    bank->latched &= ~bits;
}

static void write_bits(uint8_t vcpu, uint32_t kind, uint32_t word, uint32_t bits)
{
    struct bank *bank = bank_of(vcpu, word);
    uint32_t no_sgi = word == 0 ? ~0xffffu : ~0u;

    switch (kind) {
    case GICD_IGROUPR:
        bank->group = bits;
        break;
    case GICD_ISENABLER:
        enable(vcpu, bank, word, bits);
        break;
    case GICD_ICENABLER:
        bank->enabled &= ~(bits & no_sgi);
        break; /* others may have their list registers */
    case GICD_ISPENDR:
        bank->latched |= bits & no_sgi;
        break;
    case GICD_ICPENDR:
        clear_pending(vcpu, bank, word, bits);
        break; /* a line that is high is pending still */
    case GICD_ISACTIVER:
        bank->active |= bits & ~bank->placed;
        return;
    default:
        bank->active &= ~bits;
        break;
    }
    if (word == 0) {
        offer(vcpu);
    } else {
        offer_all();
    }
}

/* ---- Registers of one byte per interrupt ---- */

static uint8_t read_target(uint8_t vcpu, uint32_t intid)
{
    uint8_t targets = 0;

    if (gic.vcpu_count == 1) {
        return 0; /* reads as zero where there is one processor (4.3.12) */
    }
    if (intid < VGIC_SPI_BASE) {
        return (uint8_t)(1u << vcpu);
    }
    for (uint8_t v = 0; v < gic.vcpu_count; v++) {
        if (gic.cpu[v].targeted[intid / 32] & (1u << (intid % 32))) {
            targets |= (uint8_t)(1u << v);
        }
    }
    return targets;
}

static void write_target(uint32_t intid, uint8_t targets)
{
    uint32_t bit = 1u << (intid % 32);

    if (gic.vcpu_count == 1 || intid < VGIC_SPI_BASE) {
        return;
    }
    for (uint8_t v = 0; v < gic.vcpu_count; v++) {
        uint32_t *word = &gic.cpu[v].targeted[intid / 32];

        *word = (targets & (1u << v)) ? *word | bit : *word & ~bit;
    }
}

static uint8_t read_byte(uint8_t vcpu, uint32_t offset)
{
    if (offset >= GICD_SPENDSGIR) {
        return gic.cpu[vcpu].sgi_sources[offset - GICD_SPENDSGIR];
    }
    if (offset >= GICD_CPENDSGIR) {
        return gic.cpu[vcpu].sgi_sources[offset - GICD_CPENDSGIR];
    }
    if (offset >= GICD_ITARGETSR) {
        uint32_t intid = offset - GICD_ITARGETSR;

        return intid < VGIC_MAX_INTID ? read_target(vcpu, intid) : 0;
    }
    offset -= GICD_IPRIORITYR;
    return offset < VGIC_MAX_INTID ? *priority_of(vcpu, offset) : 0;
}

static void set_sgi_sources(uint8_t vcpu, uint32_t sgi, uint8_t sources)
{
    struct cpu *cpu = &gic.cpu[vcpu];

    cpu->sgi_sources[sgi] = sources;
    if (sources) {
        cpu->bank.latched |= 1u << sgi;
    } else {
        cpu->bank.latched &= ~(1u << sgi);
    }
}

static void write_byte(uint8_t vcpu, uint32_t offset, uint8_t value)
{
    uint8_t everyone = (uint8_t)((1u << gic.vcpu_count) - 1);

    if (offset >= GICD_SPENDSGIR) {
        uint32_t sgi = offset - GICD_SPENDSGIR;

        set_sgi_sources(vcpu, sgi, gic.cpu[vcpu].sgi_sources[sgi] | (value & everyone));
    } else if (offset >= GICD_CPENDSGIR) {
        uint32_t sgi = offset - GICD_CPENDSGIR;

        set_sgi_sources(vcpu, sgi, gic.cpu[vcpu].sgi_sources[sgi] & (uint8_t)~value);
    } else if (offset >= GICD_ITARGETSR) {
        if (offset - GICD_ITARGETSR < VGIC_MAX_INTID) {
            write_target(offset - GICD_ITARGETSR, value);
        }
    } else if (offset - GICD_IPRIORITYR < VGIC_MAX_INTID) {
        /* As many priorities as a list register can tell apart. */
        *priority_of(vcpu, offset - GICD_IPRIORITYR) = value & 0xf8;
    }
}

/* ---- The others ---- */

/* Two bits per interrupt; the upper one is the trigger, the lower one is reserved. */
static uint32_t read_config(uint8_t vcpu, uint32_t first)
{
    uint32_t edge = bank_of(vcpu, first / 32)->edge >> (first % 32);
    uint32_t value = 0;

    for (uint32_t i = 0; i < 16; i++) {
        value |= ((edge >> i) & 1) << (2 * i + 1);
    }
    return value;
}

static void write_config(uint32_t first, uint32_t value)
{
    struct bank *bank = &gic.bank[first / 32];

    if (first < VGIC_SPI_BASE) {
        return; /* fixed */
    }
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t bit = 1u << (first % 32 + i);

        bank->edge = ((value >> (2 * i + 1)) & 1) ? bank->edge | bit : bank->edge & ~bit;
    }
    offer_all();
}

static void send_sgi(uint8_t vcpu, uint32_t value)
{
    uint32_t everyone = (1u << gic.vcpu_count) - 1;
    uint32_t sgi = value & 0xf;
    uint32_t targets;

    switch ((value >> GICD_SGIR_FILTER_SHIFT) & 3) {
    case 0:
        targets = (value >> GICD_SGIR_LIST_SHIFT) & everyone & 0xff;
        break;
    case 1:
        targets = everyone & ~(1u << vcpu);
        break;
    case 2:
        targets = 1u << vcpu;
        break;
    default:
        return; /* reserved */
    }
    for (uint8_t v = 0; v < gic.vcpu_count; v++) {
        if (targets & (1u << v)) {
            set_sgi_sources(v, sgi, gic.cpu[v].sgi_sources[sgi] | (uint8_t)(1u << vcpu));
            offer(v);
        }
    }
}

static uint32_t read_word(uint8_t vcpu, uint32_t offset)
{
    switch (offset) {
    case GICD_CTLR:
        return gic.control;
    case GICD_TYPER:
        return (WORDS - 1) | (gic.vcpu_count - 1) << 5;
    case GICD_IIDR:
        return GICD_IIDR_GIC400;
    default:
        break;
    }
    if (offset >= GICD_ID) {
        return id_registers[(offset - GICD_ID) / 4];
    }
    if (offset >= GICD_ICFGR && offset < GICD_NSACR) {
        uint32_t first = (offset - GICD_ICFGR) * 4;

        return first < VGIC_MAX_INTID ? read_config(vcpu, first) : 0;
    }
    if (offset >= GICD_IGROUPR && offset < GICD_IPRIORITYR) {
        uint32_t word = (offset & 0x7f) / 4;

        return word < WORDS ? read_bits(vcpu, offset & ~0x7fu, word) : 0;
    }
    return 0; /* reserved, or write-only */
}

static void write_word(uint8_t vcpu, uint32_t offset, uint32_t value)
{
    if (offset == GICD_CTLR) {
        gic.control = value & 3;
        offer_all();
    } else if (offset == GICD_SGIR) {
        send_sgi(vcpu, value);
    } else if (offset >= GICD_ICFGR && offset < GICD_NSACR) {
        uint32_t first = (offset - GICD_ICFGR) * 4;

        if (first < VGIC_MAX_INTID) {
            write_config(first, value);
        }
    } else if (offset >= GICD_IGROUPR && offset < GICD_IPRIORITYR) {
        uint32_t word = (offset & 0x7f) / 4;

        if (word < WORDS) {
            write_bits(vcpu, offset & ~0x7fu, word, value);
        }
    }
}

static bool is_byte_register(uint32_t offset)
{
    return (offset >= GICD_IPRIORITYR && offset < GICD_ICFGR) ||
           (offset >= GICD_CPENDSGIR && offset < GICD_RESERVED);
}

static void access_bytes(struct mmio_access *access)
{
    uint32_t offset = (uint32_t)access->offset;

    if (access->write) {
        for (uint32_t i = 0; i < access->width; i++) {
            write_byte(access->vcpu, offset + i, (uint8_t)(access->value >> (8 * i)));
        }
        offer_all();
        return;
    }
    access->value = 0;
    for (uint32_t i = 0; i < access->width; i++) {
        access->value |= (uint64_t)read_byte(access->vcpu, offset + i) << (8 * i);
    }
}

bool vgic_access(void *unused, struct mmio_access *access)
{
    uint32_t offset = (uint32_t)access->offset;

    (void)unused;
    if (is_byte_register(offset) && (access->width == 1 || access->width == 4)) {
        access_bytes(access);
        return true;
    }
    if (access->width != 4) {
        return false; /* 4.1.4 */
    }
    if (access->write) {
        write_word(access->vcpu, offset, (uint32_t)access->value);
    } else {
        access->value = read_word(access->vcpu, offset);
    }
    return true;
}
