/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What a GICv3 (Arm IHI 0069) has beyond gicv2.h, with affinity routing and one security state.
 * Distributor and redistributor are registers in memory (12.8, 12.10), the CPU interface is system
 * registers (12.2). Definitions only.
 */

#include "lib/gicv2.h"

/* The distributor, offsets in bytes. What is below GICD_NSACR is as in a GICv2, for SPIs. */
#define GICD_SIZE    0x10000u
#define GICD_IROUTER 0x6000u /* 8 bytes for each INTID, the first for GIC_SPI_BASE */

#define GICD_CTLR_ARE (1u << 4) /* affinity routing */
#define GICD_CTLR_DS  (1u << 6) /* one security state */

#define GICD_TYPER_IDBITS_SHIFT 19         /* bits of an INTID, less one */
#define GICD_TYPER_A3V          (1u << 24) /* Aff3 may be other than zero */

#define GICD_IROUTER_ANY                                                                           \
    (1ull << 31) /* Interrupt_Routing_Mode: any processor, not the one named                       \
                  */

/* An affinity, as in MPIDR_EL1 and GICD_IROUTER: Aff3, Aff2, Aff1, Aff0. */
#define GIC_AFFINITY_MASK 0xff00ffffffull

/* A redistributor: two frames for each processor, one behind the other. */
#define GICR_FRAME_SIZE 0x10000u
#define GICR_SIZE       0x20000u

/* The first frame. */
#define GICR_CTLR  0x0000u
#define GICR_IIDR  0x0004u
#define GICR_TYPER 0x0008u /* 64 bits */
#define GICR_WAKER 0x0014u

#define GICR_TYPER_LAST            (1ull << 4) /* the last one of its region */
#define GICR_TYPER_PROCESSOR_SHIFT 8           /* a number of its own */
#define GICR_TYPER_AFFINITY_SHIFT  32          /* Aff3 to Aff0, 8 bits each */

#define GICR_WAKER_PROCESSOR_SLEEP (1u << 1)
#define GICR_WAKER_CHILDREN_ASLEEP (1u << 2)

/* The second frame is as the distributor from GICD_IGROUPR to GICD_ICFGR, for SGIs and PPIs. */

/* Identification registers, in the distributor and in both frames: PIDR4 to 7, 0 to 3, CIDR0 to 3.
 */
#define GIC_PIDR4 0xffd0u

/* A write of ICC_SGI1R_EL1, ICC_ASGI1R_EL1 or ICC_SGI0R_EL1. */
#define ICC_SGIR_INTID(sgir)   ((uint32_t)((sgir) >> 24 & 0xf))
#define ICC_SGIR_TARGETS(sgir) ((uint32_t)(0xffff & (sgir))) /* bit n: Aff0 is n, in the range */
#define ICC_SGIR_OTHERS        (1ull << 40)                  /* IRM: all but the sender */
#define ICC_SGIR_CLUSTER_MASK  0x00fff0ff00ff0000ull /* Aff3, the range of Aff0, Aff2, Aff1 */

/* ICC_SRE_EL1: the interface is system registers, and its interrupts cannot be bypassed. */
#define ICC_SRE_SRE (1u << 0)
#define ICC_SRE_DFB (1u << 1)
#define ICC_SRE_DIB (1u << 2)
