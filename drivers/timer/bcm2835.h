/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Registers of the system timer of BCM2835 and its successors (BCM2711 ARM Peripherals, chapter
 * 10). Of the four compare registers the graphics processor has 0 and 2.
 */

#define BCM2835_CS      0x00u /* a bit for each compare register that matched; writing 1 clears it */
#define BCM2835_CLO     0x04u /* the counter's lower half */
#define BCM2835_C(n)    (0x0cu + 4u * (n))
#define BCM2835_CS_M(n) (1u << (n))

#define BCM2835_HERTZ 1000000u
