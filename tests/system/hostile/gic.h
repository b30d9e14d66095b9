/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A guest's interrupt controller: a GICv3 if the processor has its system registers. */

#include "guest.h"

#define GICD 0x08000000UL
#define GICC 0x08010000UL /* a GICv2's */
#define GICR 0x080a0000UL /* a GICv3's, vCPU 0's */

/* A kernel may trap each read of what it asks. */
static inline bool is_gicv3(void)
{
    static uint64_t features; /* not 0, once it has been read */

    if (features == 0) {
        __asm__("mrs %0, id_aa64pfr0_el1" : "=r"(features));
    }
    return (features >> 24 & 0xf) != 0;
}

/* Interrupts of this priority and below do not come; 0: none comes. */
static inline void set_priority_mask(uint64_t priority)
{
    if (is_gicv3()) {
        __asm__ volatile("msr s3_0_c4_c6_0, %0; isb" ::"r"(priority)); /* ICC_PMR */
    } else {
        write32(GICC + 4, (uint32_t)priority);
    }
}

static inline void open_interface(void)
{
    set_priority_mask(0xff);
    if (is_gicv3()) {
        __asm__ volatile("msr s3_0_c12_c12_7, %0; isb" ::"r"(1UL)); /* ICC_IGRPEN1 */
    } else {
        write32(GICC, 7); /* both groups, and both are acknowledged in one way */
    }
}

/* The interrupt that is pending becomes active; returns its INTID, with a GICv2's sender. */
static inline uint32_t take_interrupt(void)
{
    uint64_t id;

    if (!is_gicv3()) {
        return read32(GICC + 0xc); /* GICC_IAR */
    }
    __asm__ volatile("mrs %0, s3_0_c12_c12_0" : "=r"(id)); /* ICC_IAR1_EL1 */
    return (uint32_t)id;
}

static inline void end_interrupt(uint32_t id)
{
    if (is_gicv3()) {
        __asm__ volatile("msr s3_0_c12_c12_1, %0" ::"r"((uint64_t)id)); /* ICC_EOIR1_EL1 */
    } else if ((id & 0x3ff) < 1020) {
        write32(GICC + 0x10, id); /* GICC_EOIR */
    }
}
