/* SPDX-License-Identifier: BSD-2-Clause */

/* The registers of the virtual distributor (Arm IHI 0048B, 4.3). */

#include "vgic_internal.h"

#define GICD_IIDR_GIC400 0x0200143bu

/* GICD_ICPIDR4 to 7, 0 to 3, and GICD_ICCIDR0 to 3. */
static const uint8_t id_registers[] = {
    0x04, 0, 0, 0, 0x90, 0xb4, 0x2b, 0, 0x0d, 0xf0, 0x05, 0xb1,
};

/* ---- Registers of one bit per interrupt ---- */

/* `kind` is the offset of a register's first word. */
static uint32_t read_bits(uint8_t vcpu, uint32_t kind, uint32_t word)
{
    const struct vgic_bank *bank = vgic_bank_of(vcpu, word);

    switch (kind) {
    case GICD_IGROUPR:
        return bank->group;
    case GICD_ISENABLER:
    case GICD_ICENABLER:
        return bank->enabled;
    case GICD_ISPENDR:
    case GICD_ICPENDR:
        return vgic_pending_bits(bank);
    default:
        return bank->active | bank->in_lr;
    }
}

static void enable(uint8_t vcpu, struct vgic_bank *bank, uint32_t word, uint32_t bits)
{
    uint32_t timer = word == 0 ? (1u << VGIC_VIRTUAL_TIMER) & bits & bank->pending_latch : 0;

    bank->enabled |= bits;
    /* A timer event from before may be over. If it is not, the kernel reports it again. */
    if (timer) {
        bank->pending_latch &= ~timer;
        vgic_unmask_timer(vcpu);
    }
}

static void clear_pending(uint8_t vcpu, struct vgic_bank *bank, uint32_t word, uint32_t bits)
{
    if (word == 0) {
        bits &= ~0xffffu; /* SGIs have registers of their own */
        if (bits & (bank->pending_latch | bank->in_lr) & (1u << VGIC_VIRTUAL_TIMER)) {
            vgic_unmask_timer(vcpu);
        }
        vgic_lr_make_stale(vcpu, word, bits);
    } else {
        for (uint8_t v = 0; v < vgic.vcpu_count; v++) {
            vgic_lr_make_stale(v, word, bits);
        }
    }
    bank->pending_latch &= ~bits;
}

static void write_bits(uint8_t vcpu, uint32_t kind, uint32_t word, uint32_t bits)
{
    struct vgic_bank *bank = vgic_bank_of(vcpu, word);
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
        break; /* other interrupts may replace them in list registers */
    case GICD_ISPENDR:
        bank->pending_latch |= bits & no_sgi;
        break;
    case GICD_ICPENDR:
        clear_pending(vcpu, bank, word, bits);
        break; /* a level-sensitive line that is high is still pending */
    case GICD_ISACTIVER:
        bank->active |= bits & ~bank->in_lr;
        return;
    default:
        bank->active &= ~bits;
        break;
    }
    if (word == 0) {
        vgic_lr_fill(vcpu);
    } else {
        vgic_lr_fill_all();
    }
}

/* ---- Registers of one byte per interrupt ---- */

static uint8_t read_target(uint8_t vcpu, uint32_t intid)
{
    uint8_t targets = 0;

    if (vgic.vcpu_count == 1) {
        return 0; /* GICD_ITARGETSR reads as zero on a uniprocessor (4.3.12) */
    }
    if (intid < GIC_SPI_BASE) {
        return (uint8_t)(1u << vcpu);
    }
    for (uint8_t v = 0; v < vgic.vcpu_count; v++) {
        if (vgic.cpu[v].targeted[intid / 32] & (1u << (intid % 32))) {
            targets |= (uint8_t)(1u << v);
        }
    }
    return targets;
}

static void write_target(uint32_t intid, uint8_t targets)
{
    uint32_t bit = 1u << (intid % 32);

    if (vgic.vcpu_count == 1 || intid < GIC_SPI_BASE) {
        return;
    }
    for (uint8_t v = 0; v < vgic.vcpu_count; v++) {
        uint32_t *word = &vgic.cpu[v].targeted[intid / 32];

        *word = (targets & (1u << v)) ? *word | bit : *word & ~bit;
    }
}

static uint8_t read_byte(uint8_t vcpu, uint32_t offset)
{
    if (offset >= GICD_SPENDSGIR) {
        return vgic.cpu[vcpu].sgi_sources[offset - GICD_SPENDSGIR];
    }
    if (offset >= GICD_CPENDSGIR) {
        return vgic.cpu[vcpu].sgi_sources[offset - GICD_CPENDSGIR];
    }
    if (offset >= GICD_ITARGETSR) {
        uint32_t intid = offset - GICD_ITARGETSR;

        return intid < VGIC_MAX_INTID ? read_target(vcpu, intid) : 0;
    }
    offset -= GICD_IPRIORITYR;
    return offset < VGIC_MAX_INTID ? *vgic_priority_of(vcpu, offset) : 0;
}

static void set_sgi_sources(uint8_t vcpu, uint32_t sgi, uint8_t sources)
{
    struct vgic_cpu *cpu = &vgic.cpu[vcpu];

    cpu->sgi_sources[sgi] = sources;
    if (sources) {
        cpu->bank.pending_latch |= 1u << sgi;
    } else {
        cpu->bank.pending_latch &= ~(1u << sgi);
    }
}

static void write_byte(uint8_t vcpu, uint32_t offset, uint8_t value)
{
    uint8_t everyone = (uint8_t)((1u << vgic.vcpu_count) - 1);

    if (offset >= GICD_SPENDSGIR) {
        uint32_t sgi = offset - GICD_SPENDSGIR;

        set_sgi_sources(vcpu, sgi, vgic.cpu[vcpu].sgi_sources[sgi] | (value & everyone));
    } else if (offset >= GICD_CPENDSGIR) {
        uint32_t sgi = offset - GICD_CPENDSGIR;

        set_sgi_sources(vcpu, sgi, vgic.cpu[vcpu].sgi_sources[sgi] & (uint8_t)~value);
    } else if (offset >= GICD_ITARGETSR) {
        if (offset - GICD_ITARGETSR < VGIC_MAX_INTID) {
            write_target(offset - GICD_ITARGETSR, value);
        }
    } else if (offset - GICD_IPRIORITYR < VGIC_MAX_INTID) {
        /* As many bits of priority as a list register holds. */
        *vgic_priority_of(vcpu, offset - GICD_IPRIORITYR) = value & 0xf8;
    }
}

/* ---- Registers of two bits per interrupt, and others ---- */

/* GICD_ICFGR: the upper bit is the trigger, the lower one is reserved. `first` is an INTID. */
static uint32_t read_config(uint8_t vcpu, uint32_t first)
{
    uint32_t edge = vgic_bank_of(vcpu, first / 32)->edge >> (first % 32);
    uint32_t value = 0;

    for (uint32_t i = 0; i < 16; i++) {
        value |= ((edge >> i) & 1) << (2 * i + 1);
    }
    return value;
}

static void write_config(uint32_t first, uint32_t value)
{
    struct vgic_bank *bank = &vgic.bank[first / 32];

    if (first < GIC_SPI_BASE) {
        return; /* those of SGIs and PPIs are fixed */
    }
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t bit = 1u << (first % 32 + i);

        bank->edge = ((value >> (2 * i + 1)) & 1) ? bank->edge | bit : bank->edge & ~bit;
    }
    vgic_lr_fill_all();
}

static void send_sgi(uint8_t vcpu, uint32_t value)
{
    uint32_t everyone = (1u << vgic.vcpu_count) - 1;
    uint32_t sgi = GICD_SGIR_INTID(value);
    uint32_t targets;

    switch (GICD_SGIR_FILTER(value)) {
    case GICD_SGIR_FILTER_LIST:
        targets = GICD_SGIR_TARGETS(value) & everyone;
        break;
    case GICD_SGIR_FILTER_OTHERS:
        targets = everyone & ~(1u << vcpu);
        break;
    case GICD_SGIR_FILTER_SELF:
        targets = 1u << vcpu;
        break;
    default:
        return; /* reserved */
    }
    for (uint8_t v = 0; v < vgic.vcpu_count; v++) {
        if (targets & (1u << v)) {
            set_sgi_sources(v, sgi, vgic.cpu[v].sgi_sources[sgi] | (uint8_t)(1u << vcpu));
            vgic_lr_fill(v);
        }
    }
}

static uint32_t read_word(uint8_t vcpu, uint32_t offset)
{
    switch (offset) {
    case GICD_CTLR:
        return vgic.control;
    case GICD_TYPER:
        return (VGIC_WORDS - 1) | (vgic.vcpu_count - 1) << GICD_TYPER_CPUS_SHIFT;
    case GICD_IIDR:
        return GICD_IIDR_GIC400;
    default:
        break;
    }
    if (offset >= GICD_ICPIDR4) {
        return id_registers[(offset - GICD_ICPIDR4) / 4];
    }
    if (offset >= GICD_ICFGR && offset < GICD_NSACR) {
        uint32_t first = (offset - GICD_ICFGR) * 4;

        return first < VGIC_MAX_INTID ? read_config(vcpu, first) : 0;
    }
    if (offset >= GICD_IGROUPR && offset < GICD_IPRIORITYR) {
        uint32_t word = (offset & 0x7f) / 4;

        return word < VGIC_WORDS ? read_bits(vcpu, offset & ~0x7fu, word) : 0;
    }
    return 0; /* reserved, or write-only */
}

static void write_word(uint8_t vcpu, uint32_t offset, uint32_t value)
{
    if (offset == GICD_CTLR) {
        vgic.control = value & (GICD_CTLR_GROUP0 | GICD_CTLR_GROUP1);
        vgic_lr_fill_all();
    } else if (offset == GICD_SGIR) {
        send_sgi(vcpu, value);
    } else if (offset >= GICD_ICFGR && offset < GICD_NSACR) {
        uint32_t first = (offset - GICD_ICFGR) * 4;

        if (first < VGIC_MAX_INTID) {
            write_config(first, value);
        }
    } else if (offset >= GICD_IGROUPR && offset < GICD_IPRIORITYR) {
        uint32_t word = (offset & 0x7f) / 4;

        if (word < VGIC_WORDS) {
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
        vgic_lr_fill_all();
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
