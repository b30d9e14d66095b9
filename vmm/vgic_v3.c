/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The distributor of a GICv3 (Arm IHI 0069, 12.9), and the system registers of the CPU interface
 * that trap: those that send SGIs.
 */

#include <string.h>
#include "lib/esr.h"
#include "lib/gicv3.h"
#include "vcpu.h"
#include "vgic_internal.h"

#define INTID_BITS 10u

#define ICC_SGI1R_EL1  ISS_SYSREG(3, 0, 12, 11, 5)
#define ICC_ASGI1R_EL1 ISS_SYSREG(3, 0, 12, 11, 6)
#define ICC_SGI0R_EL1  ISS_SYSREG(3, 0, 12, 11, 7)
#define ICC_SRE_EL1    ISS_SYSREG(3, 0, 12, 12, 5)

_Static_assert(VMM_MAX_VCPUS <= 16, "a vCPU's number is Aff0, and has a bit in an SGI's targets");

/* GICD_IROUTER, by INTID; those of SGIs and PPIs are unused. */
static uint64_t router[VGIC_MAX_INTID];

/* After power-on all SPIs go to vCPU 0, of affinity 0, as vgic_reset has it. */
void vgic_v3_reset(void)
{
    memset(router, 0, sizeof(router));
    vgic_redistributors_reset();
}

/* ---- Shared with the redistributors ---- */

uint32_t vgic_v3_id_register(uint32_t offset, uint8_t part)
{
    /* GICD_PIDR4 to 7, 0 to 3, and CIDR0 to 3. */
    static const uint8_t registers[] = {
        0x44, 0, 0, 0, 0, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1,
    };
    uint32_t index = (offset - GIC_PIDR4) / 4;

    return index == 4 ? part : registers[index];
}

uint64_t vgic_v3_read_part(uint64_t value, const struct mmio_access *access)
{
    return access->width == 8 ? value : (uint32_t)(value >> (8 * (access->offset & 4)));
}

/* ---- GICD_IROUTER ---- */

static bool is_router(uint32_t offset)
{
    return offset >= GICD_IROUTER + 8 * GIC_SPI_BASE && offset < GICD_IROUTER + 8 * VGIC_MAX_INTID;
}

static void route(uint32_t intid, uint64_t value)
{
    vgic_lr_take_back(0, intid / 32, 1u << (intid % 32));
    router[intid] = value & (GIC_AFFINITY_MASK | GICD_IROUTER_ANY);
    for (uint8_t v = 0; v < vgic.vcpu_count; v++) {
        vgic_set_target(v, intid,
                        (value & GICD_IROUTER_ANY) != 0 || (value & GIC_AFFINITY_MASK) == v);
    }
    vgic_lr_fill_all();
}

static void access_router(struct mmio_access *access)
{
    uint32_t intid = ((uint32_t)access->offset - GICD_IROUTER) / 8;
    unsigned shift = 8 * (access->offset & 4);

    if (!access->write) {
        access->value = vgic_v3_read_part(router[intid], access);
    } else if (access->width == 8) {
        route(intid, access->value);
    } else {
        route(intid, (router[intid] & ~(0xffffffffull << shift)) | (access->value & 0xffffffff)
                                                                       << shift);
    }
}

/* ---- Others ---- */

static uint32_t read_word(uint32_t offset)
{
    switch (offset) {
    case GICD_CTLR:
        return vgic.control | GICD_CTLR_ARE | GICD_CTLR_DS;
    case GICD_TYPER:
        return (VGIC_WORDS - 1) | (INTID_BITS - 1) << GICD_TYPER_IDBITS_SHIFT | GICD_TYPER_A3V;
    case GICD_IIDR:
        return VGIC_V3_IIDR;
    default:
        return offset >= GIC_PIDR4 ? vgic_v3_id_register(offset, 0x92) : 0;
    }
}

static void access_word(struct mmio_access *access)
{
    uint32_t offset = (uint32_t)access->offset;

    if (!access->write) {
        access->value = read_word(offset);
    } else if (offset == GICD_CTLR) {
        vgic_write_control((uint32_t)access->value);
    }
}

bool vgic_v3_access(void *unused, struct mmio_access *access)
{
    uint32_t offset = (uint32_t)access->offset;
    uint32_t first = vgic_register_intid(offset);

    (void)unused;
    if (first != VGIC_NO_REGISTER) {
        /* With affinity routing, those of SGIs and PPIs are the redistributors'. */
        if (first < GIC_SPI_BASE || !vgic_register_access(access->vcpu, offset, access)) {
            access->value = 0;
        }
    } else if (is_router(offset) && access->width >= 4) {
        access_router(access);
    } else if (access->width == 4) {
        access_word(access);
    } else {
        access->value = 0;
    }
    return true;
}

/* ---- System registers ---- */

static bool is_group1(uint8_t vcpu, uint32_t intid)
{
    return (vgic_bank_of(vcpu, 0)->group >> intid) & 1;
}

/*
 * With one security state ICC_SGI1R_EL1 sends an SGI of whatever group it has at the target. The
 * others send those of group 0.
 */
static void send_sgi(uint8_t vcpu, uint64_t value, bool any_group)
{
    uint32_t others = ((1u << vgic.vcpu_count) - 1) & ~(1u << vcpu);
    uint32_t sgi = ICC_SGIR_INTID(value);
    uint32_t targets = 0;

    if (value & ICC_SGIR_OTHERS) {
        targets = others;
    } else if ((value & ICC_SGIR_CLUSTER_MASK) == 0) {
        targets = ICC_SGIR_TARGETS(value);
    }
    for (uint8_t v = 0; v < vgic.vcpu_count; v++) {
        if ((targets & (1u << v)) && (any_group || !is_group1(v, sgi))) {
            vgic_lr_join(v, sgi);
            vgic_bank_of(v, 0)->pending_latch |= 1u << sgi;
            vgic_lr_fill(v);
        }
    }
}

bool vgic_system_register(uint8_t vcpu, uint32_t iss, uint64_t *value)
{
    uint32_t which = iss & ISS_SYSREG_MASK;

    if (vgic.version != 3) {
        return false;
    }
    switch (which) {
    case ICC_SGI1R_EL1:
    case ICC_ASGI1R_EL1:
    case ICC_SGI0R_EL1:
        if (iss & ISS_READ) {
            return false;
        }
        send_sgi(vcpu, vcpu_get_register(vcpu, ISS_RT(iss)), which == ICC_SGI1R_EL1);
        return true;
    case ICC_SRE_EL1:
        *value = ICC_SRE_SRE | ICC_SRE_DFB | ICC_SRE_DIB;
        return true;
    default:
        return false;
    }
}
