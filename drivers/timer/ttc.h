/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Registers of the first counter of a Cadence triple timer counter, as in Zynq 7000 (16 bits) and
 * Zynq UltraScale+ (32 bits; AMD UG1087, module TTC).
 */

#define TTC_CLOCK      0x00u
#define TTC_CONTROL    0x0cu
#define TTC_VALUE      0x18u
#define TTC_INTERVAL   0x24u
#define TTC_INT_STATUS 0x54u /* reading clears it */
#define TTC_INT_ENABLE 0x60u

/* The prescaler divides the bus's clock by 2 to the power of its value + 1. */
#define TTC_CLOCK_PS_EN   (1u << 0)
#define TTC_CLOCK_PS(ps)  ((uint32_t)(ps) << 1)
#define TTC_PRESCALER_MAX 16u /* of the exponent */

#define TTC_CONTROL_DIS      (1u << 0)
#define TTC_CONTROL_INT      (1u << 1) /* counts from 0 to the interval, and again */
#define TTC_CONTROL_RST      (1u << 4) /* from 0; clears itself */
#define TTC_CONTROL_WAVE_DIS (1u << 5) /* no waveform at a pin */

#define TTC_INT_INTERVAL (1u << 0)
