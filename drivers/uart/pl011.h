/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Registers of the PrimeCell UART (Arm DDI 0183G, chapter 3). */

#include <stdint.h>

#define UARTDR    0x000u
#define UARTFR    0x018u
#define UARTLCR_H 0x02cu
#define UARTCR    0x030u
#define UARTIFLS  0x034u
#define UARTIMSC  0x038u
#define UARTICR   0x044u

#define UARTDR_FE (1u << 8)
#define UARTDR_PE (1u << 9)
#define UARTDR_BE (1u << 10)

#define UARTFR_BUSY (1u << 3)
#define UARTFR_RXFE (1u << 4) /* receive FIFO empty */
#define UARTFR_TXFF (1u << 5) /* transmit FIFO full */

#define UARTLCR_H_FEN    (1u << 4) /* FIFOs on */
#define UARTLCR_H_WLEN_8 (3u << 5)

#define UARTCR_UARTEN (1u << 0)
#define UARTCR_TXE    (1u << 8)
#define UARTCR_RXE    (1u << 9)

#define UARTIFLS_TX_1_4 (1u << 0) /* interrupt when a quarter is left to send, */
#define UARTIFLS_RX_1_2 (2u << 3) /* or half is received */

#define UART_INT_RX  (1u << 4)
#define UART_INT_TX  (1u << 5)
#define UART_INT_RT  (1u << 6) /* something received, and then silence */
#define UART_INT_ALL 0x7ffu
