/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The GICv2's register map (Arm IHI 0048B): for the kernel, which drives one, and for monitors,
 * which emulate one. Definitions only.
 */

/* INTIDs (2.2.1): SGIs are 0..15, PPIs 16..31, SPIs from 32 on. */
#define GIC_SGI_COUNT      16u
#define GIC_SPI_BASE       32u
#define GIC_MAX_INTID      1020u /* 1020 to 1023 are no interrupts */
#define GIC_INTID_SPURIOUS 1023u

/* The distributor, offsets in bytes (table 4-1). */
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
#define GICD_ICPIDR4    0xfd0u /* the first of the identification registers, to ICCIDR3 */

#define GICD_CTLR_GROUP0 (1u << 0) /* 4.3.1: forward pending interrupts of that group */
#define GICD_CTLR_GROUP1 (1u << 1)

#define GICD_TYPER_LINES(typer) (0x1f & (typer)) /* 4.3.2: INTIDs, in 32s, less one */
#define GICD_TYPER_CPUS_SHIFT   5                /* CPU interfaces, less one */
#define GICD_SGIR_INTID(sgir)   (0xf & (sgir))   /* 4.3.15 */
#define GICD_SGIR_TARGETS(sgir) ((sgir) >> 16 & 0xff)
#define GICD_SGIR_FILTER(sgir)  ((sgir) >> 24 & 3)
#define GICD_SGIR_FILTER_LIST   0u /* to those in the list */
#define GICD_SGIR_FILTER_OTHERS 1u /* to all but the sender */
#define GICD_SGIR_FILTER_SELF   2u

/* The CPU interface (table 4-2). GICV, which a guest has in its place, is alike (5.4). */
#define GICC_CTLR 0x0000u
#define GICC_PMR  0x0004u
#define GICC_BPR  0x0008u
#define GICC_IAR  0x000cu
#define GICC_EOIR 0x0010u
#define GICC_DIR  0x1000u

#define GICC_IAR_INTID(iar) (0x3ff & (iar)) /* 4.4.4; above it an SGI's sender */
#define GICC_CTLR_ENABLE    (1u << 0)       /* 4.4.1 */
#define GICC_CTLR_EOI_MODE  (1u << 9)
