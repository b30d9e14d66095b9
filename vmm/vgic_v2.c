/* SPDX-License-Identifier: BSD-2-Clause */

/* The distributor of a GICv2 (Arm IHI 0048B, 4.3), and SGIs, of which it knows the senders. */

#include <string.h>
#include "vgic_internal.h"

#define GICD_IIDR_GIC400 0x0200143bu

/* GICD_ICPIDR4 to 7, 0 to 3, and GICD_ICCIDR0 to 3. */
static const uint8_t id_registers[] = {
    0x04, 0, 0, 0, 0x90, 0xb4, 0x2b, 0, 0x0d, 0xf0, 0x05, 0xb1,
};

/* Of each vCPU, for each SGI. Bit n: pending, from vCPU n. */
static uint8_t sgi_senders[VMM_MAX_VCPUS_GICV2][GIC_SGI_COUNT];

void vgic_v2_reset(void)
{
    memset(sgi_senders, 0, sizeof(sgi_senders));
}

/* ---- SGIs ---- */

bool vgic_v2_take_sgi(uint8_t vcpu, uint32_t sgi, uint8_t *sender)
{
    uint8_t *senders = &sgi_senders[vcpu][sgi];

    *sender = *senders ? (uint8_t)__builtin_ctz(*senders) : vcpu;
    *senders &= (uint8_t)(*senders - 1);
    return *senders != 0;
}

void vgic_v2_return_sgi(uint8_t vcpu, uint32_t sgi, uint8_t sender)
{
    sgi_senders[vcpu][sgi] |= (uint8_t)(1u << sender);
}

static void set_senders(uint8_t vcpu, uint32_t sgi, uint8_t senders)
{
    struct vgic_bank *bank = vgic_bank_of(vcpu, 0);

    sgi_senders[vcpu][sgi] = senders;
    if (senders) {
        bank->pending_latch |= 1u << sgi;
    } else {
        bank->pending_latch &= ~(1u << sgi);
    }
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
            vgic_lr_join(v, sgi);
            set_senders(v, sgi, sgi_senders[v][sgi] | (uint8_t)(1u << vcpu));
            vgic_lr_fill(v);
        }
    }
}

/* ---- Registers of one byte per interrupt: GICD_ITARGETSR, CPENDSGIR and SPENDSGIR ---- */

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
        if (vgic_is_target(v, intid)) {
            targets |= (uint8_t)(1u << v);
        }
    }
    return targets;
}

static void write_target(uint32_t intid, uint8_t targets)
{
    if (vgic.vcpu_count == 1 || intid < GIC_SPI_BASE) {
        return;
    }
    for (uint8_t v = 0; v < vgic.vcpu_count; v++) {
        vgic_set_target(v, intid, (targets & (1u << v)) != 0);
    }
}

static uint8_t read_byte(uint8_t vcpu, uint32_t offset)
{
    if (offset >= GICD_SPENDSGIR) {
        return sgi_senders[vcpu][offset - GICD_SPENDSGIR];
    }
    if (offset >= GICD_CPENDSGIR) {
        return sgi_senders[vcpu][offset - GICD_CPENDSGIR];
    }
    return read_target(vcpu, offset - GICD_ITARGETSR);
}

static void write_byte(uint8_t vcpu, uint32_t offset, uint8_t value)
{
    uint8_t everyone = (uint8_t)((1u << vgic.vcpu_count) - 1);

    if (offset >= GICD_SPENDSGIR) {
        uint32_t sgi = offset - GICD_SPENDSGIR;

        set_senders(vcpu, sgi, sgi_senders[vcpu][sgi] | (value & everyone));
    } else if (offset >= GICD_CPENDSGIR) {
        uint32_t sgi = offset - GICD_CPENDSGIR;

        set_senders(vcpu, sgi, sgi_senders[vcpu][sgi] & (uint8_t)~value);
    } else {
        write_target(offset - GICD_ITARGETSR, value);
    }
}

static bool is_byte_register(uint32_t offset)
{
    return (offset >= GICD_ITARGETSR && offset < GICD_ICFGR) ||
           (offset >= GICD_CPENDSGIR && offset < GICD_RESERVED);
}

/* The INTID that a register of one byte is about. */
static uint32_t intid_of_byte(uint32_t offset)
{
    if (offset >= GICD_SPENDSGIR) {
        return offset - GICD_SPENDSGIR;
    }
    return offset >= GICD_CPENDSGIR ? offset - GICD_CPENDSGIR : offset - GICD_ITARGETSR;
}

static void access_bytes(struct mmio_access *access)
{
    uint32_t offset = (uint32_t)access->offset;
    uint32_t intid = intid_of_byte(offset);
    uint64_t value = 0;

    if (intid >= VGIC_MAX_INTID) {
        access->value = 0;
        return;
    }
    vgic_lr_take_back(access->vcpu, intid / 32, ((1u << access->width) - 1) << (intid % 32));
    for (uint32_t i = 0; i < access->width; i++) {
        if (access->write) {
            write_byte(access->vcpu, offset + i, (uint8_t)(access->value >> (8 * i)));
        } else {
            value |= (uint64_t)read_byte(access->vcpu, offset + i) << (8 * i);
        }
    }
    if (!access->write) {
        access->value = value;
    }
    vgic_lr_refill(access->vcpu, intid / 32);
}

/* ---- Others ---- */

static uint32_t read_word(uint32_t offset)
{
    switch (offset) {
    case GICD_CTLR:
        return vgic.control;
    case GICD_TYPER:
        return (VGIC_WORDS - 1) | (vgic.vcpu_count - 1) << GICD_TYPER_CPUS_SHIFT;
    case GICD_IIDR:
        return GICD_IIDR_GIC400;
    default:
        /* Others are reserved, or write-only. */
        return offset >= GICD_ICPIDR4 ? id_registers[(offset - GICD_ICPIDR4) / 4] : 0;
    }
}

static void write_word(uint8_t vcpu, uint32_t offset, uint32_t value)
{
    if (offset == GICD_CTLR) {
        vgic_write_control(value);
    } else if (offset == GICD_SGIR) {
        send_sgi(vcpu, value);
    }
}

bool vgic_v2_access(void *unused, struct mmio_access *access)
{
    uint32_t offset = (uint32_t)access->offset;

    (void)unused;
    if (vgic_register_intid(offset) != VGIC_NO_REGISTER) {
        return vgic_register_access(access->vcpu, offset, access);
    }
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
        access->value = read_word(offset);
    }
    return true;
}
