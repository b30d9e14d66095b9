/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The redistributors of a GICv3 (Arm IHI 0069, 12.11), one for each vCPU. A vCPU may access those
 * of others. In the first frame is what there is to know of the redistributor. In the second frame
 * are the vCPU's SGIs and PPIs. There are no LPIs, so the registers about these read as zero.
 */

#include "lib/gicv3.h"
#include "vgic_internal.h"

/* Bit v: GICR_WAKER.ProcessorSleep of vCPU v. The guest asks for it, and nothing follows from it.
 */
static uint32_t asleep;

void vgic_redistributors_reset(void)
{
    asleep = (1u << vgic.vcpu_count) - 1;
}

void vgic_redistributor_off(uint8_t vcpu)
{
    asleep |= 1u << vcpu;
}

/* ---- The first frame ---- */

/* Aff3 to Aff1 are zero, and Aff0 is the vCPU's number: as VMPIDR_EL2 in vcpu.c. */
static uint64_t type(uint8_t vcpu)
{
    return (uint64_t)vcpu << GICR_TYPER_AFFINITY_SHIFT |
           (uint64_t)vcpu << GICR_TYPER_PROCESSOR_SHIFT |
           (vcpu + 1u == vgic.vcpu_count ? GICR_TYPER_LAST : 0);
}

static uint32_t read_word(uint8_t vcpu, uint32_t offset)
{
    switch (offset) {
    case GICR_IIDR:
        return VGIC_V3_IIDR;
    case GICR_WAKER:
        return (asleep >> vcpu) & 1 ? GICR_WAKER_PROCESSOR_SLEEP | GICR_WAKER_CHILDREN_ASLEEP : 0;
    default:
        return offset >= GIC_PIDR4 ? vgic_v3_id_register(offset, 0x93) : 0;
    }
}

static void access_control(uint8_t vcpu, uint32_t offset, struct mmio_access *access)
{
    if (!access->write) {
        access->value = read_word(vcpu, offset);
    } else if (offset == GICR_WAKER) {
        asleep = (access->value & GICR_WAKER_PROCESSOR_SLEEP) ? asleep | 1u << vcpu
                                                              : asleep & ~(1u << vcpu);
    }
}

static void access_first_frame(uint8_t vcpu, uint32_t offset, struct mmio_access *access)
{
    if ((offset & ~4u) == GICR_TYPER && access->width >= 4) {
        access->value = vgic_v3_read_part(type(vcpu), access);
    } else if (access->width == 4) {
        access_control(vcpu, offset, access);
    } else {
        access->value = 0;
    }
}

/* ---- The second frame ---- */

static void access_second_frame(uint8_t vcpu, uint32_t offset, struct mmio_access *access)
{
    bool is_private = vgic_register_intid(offset) < GIC_SPI_BASE;

    if (!is_private || !vgic_register_access(vcpu, offset, access)) {
        access->value = 0;
    }
}

bool vgic_redistributor_access(void *unused, struct mmio_access *access)
{
    uint32_t offset = (uint32_t)access->offset % GICR_SIZE;
    uint8_t vcpu = (uint8_t)(access->offset / GICR_SIZE);

    (void)unused;
    if (access->offset >= (uint64_t)vgic.vcpu_count * GICR_SIZE) {
        return false;
    }
    if (offset < GICR_FRAME_SIZE) {
        access_first_frame(vcpu, offset, access);
    } else {
        access_second_frame(vcpu, offset - GICR_FRAME_SIZE, access);
    }
    return true;
}
