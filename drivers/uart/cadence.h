/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Registers of the Cadence UART in Zynq 7000 and Zynq UltraScale+ (AMD UG1087, module UART). */

#define CADENCE_CONTROL      0x00u
#define CADENCE_MODE         0x04u
#define CADENCE_INT_ENABLE   0x08u /* write 1 to enable, */
#define CADENCE_INT_DISABLE  0x0cu /* or to disable */
#define CADENCE_INT_STATUS   0x14u /* write 1 to clear */
#define CADENCE_BAUD_GEN     0x18u
#define CADENCE_RX_TIMEOUT   0x1cu /* in units of 4 bits; 0: off */
#define CADENCE_RX_TRIGGER   0x20u
#define CADENCE_STATUS       0x2cu
#define CADENCE_FIFO         0x30u
#define CADENCE_BAUD_DIVIDER 0x34u

#define CADENCE_CONTROL_RXRES  (1u << 0) /* empties the FIFO; clears itself, as the next does */
#define CADENCE_CONTROL_TXRES  (1u << 1)
#define CADENCE_CONTROL_RXEN   (1u << 2)
#define CADENCE_CONTROL_RXDIS  (1u << 3) /* wins against RXEN */
#define CADENCE_CONTROL_TXEN   (1u << 4)
#define CADENCE_CONTROL_TXDIS  (1u << 5)
#define CADENCE_CONTROL_RSTTO  (1u << 6) /* restarts the receive timeout */
#define CADENCE_CONTROL_STPBRK (1u << 8)

#define CADENCE_MODE_CLKS     (1u << 0) /* an eighth of the reference clock */
#define CADENCE_MODE_PAR_NONE (4u << 3) /* the rest 0: 8 data bits, 1 stop bit, no loopback */

#define CADENCE_INT_RTRIG   (1u << 0) /* the receive FIFO holds as many as RX_TRIGGER says */
#define CADENCE_INT_TEMPTY  (1u << 3)
#define CADENCE_INT_FRAME   (1u << 6)
#define CADENCE_INT_PARE    (1u << 7)
#define CADENCE_INT_TIMEOUT (1u << 8)
#define CADENCE_INT_ALL     0x3fffu

#define CADENCE_STATUS_REMPTY  (1u << 1)
#define CADENCE_STATUS_TEMPTY  (1u << 3)
#define CADENCE_STATUS_TFUL    (1u << 4)
#define CADENCE_STATUS_TACTIVE (1u << 11)

/* The baud rate is the reference clock / (BAUD_GEN * (BAUD_DIVIDER + 1)). After a reset: */
#define CADENCE_BAUD_GEN_RESET     0x28bu
#define CADENCE_BAUD_DIVIDER_RESET 0xfu
