/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A GICv3 with affinity routing: the distributor, a redistributor for each core, and the interfaces
 * (Arm IHI 0069). All interrupts are of group 1. What is written is right with one security state
 * and with two, as the non-secure side sees it.
 */

#include "gic.h"

#if BOARD_GIC_VERSION == 3

#include "cpu.h"
#include "smp.h"
#include "uart.h"

#define ICC_PMR_EL1     s3_0_c4_c6_0
#define ICC_BPR1_EL1    s3_0_c12_c12_3
#define ICC_CTLR_EL1    s3_0_c12_c12_4
#define ICC_SRE_EL1     s3_0_c12_c12_5
#define ICC_IGRPEN1_EL1 s3_0_c12_c12_7
#define ICC_SRE_EL2     s3_4_c12_c9_5

#define ICC_CTLR_EOI_MODE 2u

/* GICD_CTLR (12.9.4): group 1, by either side's bits, and affinity routing. */
#define CTLR_GROUP1 3u
#define CTLR_RWP    (1u << 31)

/* How often a register is read until the controller has taken a write. */
#define PATIENCE 1000000u

/* The redistributor of each core, its first frame. */
static uint64_t redistributors[CONFIG_MAX_NUM_NODES];

static const uint64_t core_ids[] = {BOARD_CORE_IDS};

uint64_t gic_registers_of(uint32_t intid)
{
    uint32_t core = IS_SMP ? this_cpu()->core : 0;

    return intid >= GIC_SPI_BASE ? BOARD_GICD : redistributors[core] + GICR_FRAME_SIZE;
}

static void await_clear(uint64_t registers, uint32_t offset, uint32_t bits)
{
    for (uint32_t i = 0; i < PATIENCE; i++) {
        if ((device_read32(registers, offset) & bits) == 0) {
            return;
        }
    }
    panic("the GIC does not answer at 0x%x", registers + offset);
}

void gic_init(void)
{
    uint32_t count = gic_intid_count();

    device_write32(BOARD_GICD, GICD_CTLR, 0);
    await_clear(BOARD_GICD, GICD_CTLR, CTLR_RWP);
    for (uint32_t intid = GIC_SPI_BASE; intid < count; intid += 32) {
        device_write32(BOARD_GICD, bit_word(GICD_IGROUPR, intid), ~0u);
    }
    gic_reset(BOARD_GICD, GIC_SPI_BASE, count);
    device_write32(BOARD_GICD, GICD_CTLR, GICD_CTLR_ARE | CTLR_GROUP1);
    await_clear(BOARD_GICD, GICD_CTLR, CTLR_RWP);
    for (uint32_t intid = GIC_SPI_BASE; intid < count; intid++) {
        gic_set_target(intid, 0);
    }
}

/* GICR_TYPER's affinity has Aff3 beside Aff2; MPIDR_EL1 has not. */
static uint64_t affinity_of(uint64_t frame)
{
    uint32_t affinity = device_read32(frame, GICR_TYPER + 4);

    return (affinity & 0xffffff) | (uint64_t)(affinity >> 24) << 32;
}

static uint64_t find_redistributor(void)
{
    uint64_t affinity = read_sysreg(mpidr_el1) & GIC_AFFINITY_MASK;
    uint64_t frame = BOARD_GICR;

    for (uint32_t i = 0; i < CONFIG_MAX_NUM_NODES; i++, frame += GICR_SIZE) {
        if (affinity_of(frame) == affinity) {
            return frame;
        }
        if (device_read32(frame, GICR_TYPER) & GICR_TYPER_LAST) {
            break;
        }
    }
    panic("core 0x%x has no redistributor at 0x%x", affinity, (uint64_t)BOARD_GICR);
}

static void init_private(uint64_t frame)
{
    uint64_t interrupts = frame + GICR_FRAME_SIZE;

    device_write32(frame, GICR_WAKER,
                   device_read32(frame, GICR_WAKER) & ~GICR_WAKER_PROCESSOR_SLEEP);
    await_clear(frame, GICR_WAKER, GICR_WAKER_CHILDREN_ASLEEP);
    device_write32(interrupts, GICD_IGROUPR, ~0u);
    gic_reset(interrupts, 0, GIC_SPI_BASE);
    await_clear(frame, GICR_CTLR, 1u << 3); /* RWP */
}

static void init_interfaces(void)
{
    /* A guest's accesses to ICC_SRE_EL1, which is no vCPU's own, trap: Enable is 0. */
    write_sysreg(ICC_SRE_EL2, ICC_SRE_SRE | ICC_SRE_DFB | 1u << 2);
    isb();
    write_sysreg(ICC_SRE_EL1, ICC_SRE_SRE | ICC_SRE_DFB | 1u << 2);
    isb();
    write_sysreg(ICC_PMR_EL1, 0xf0);
    write_sysreg(ICC_BPR1_EL1, 0);
    write_sysreg(ICC_CTLR_EL1, ICC_CTLR_EOI_MODE);
    write_sysreg(ICC_IGRPEN1_EL1, 1);
    isb();
}

void gic_init_cpu(uint32_t core)
{
    redistributors[core] = find_redistributor();
    init_private(redistributors[core]);
    init_interfaces();
    gic_init_virtual();
}

void gic_set_target(uint32_t intid, uint32_t core)
{
    if (intid >= GIC_SPI_BASE) {
        uint32_t router = GICD_IROUTER + 8 * intid;

        device_write32(BOARD_GICD, router, (uint32_t)core_ids[core]);
        device_write32(BOARD_GICD, router + 4, (uint32_t)(core_ids[core] >> 32));
    }
}

void gic_send_sgi(uint32_t intid, uint32_t core)
{
    uint64_t affinity = core_ids[core]; /* its Aff0 is below 16 */
    uint64_t cluster = (affinity >> 8 & 0xff) << 16 | (affinity >> 16 & 0xff) << 32 |
                       (affinity >> 32 & 0xff) << 48;

    dsb();
    write_sysreg(ICC_SGI1R_EL1, cluster | (uint64_t)intid << 24 | 1ul << (affinity & 0xf));
    isb();
}

#endif
