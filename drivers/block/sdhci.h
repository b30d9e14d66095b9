/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Registers of an SD host controller (SD Host Controller Simplified Specification 3.00, chapter 2),
 * as words of 32 bits: narrower registers of the specification share one.
 */

#include <stdint.h>

#define SDHCI_BLOCK             0x04u /* size; from bit 16 on the count */
#define SDHCI_ARGUMENT          0x08u
#define SDHCI_COMMAND           0x0cu /* transfer mode; from bit 16 on the command: it begins */
#define SDHCI_RESPONSE(n)       (0x10u + 4u * (n))
#define SDHCI_PRESENT           0x24u
#define SDHCI_HOST              0x28u /* host control 1; from bit 8 on power */
#define SDHCI_CLOCK             0x2cu /* clock; from bit 16 on timeout; from bit 24 on reset */
#define SDHCI_INT_STATUS        0x30u /* write 1 to clear */
#define SDHCI_INT_STATUS_ENABLE 0x34u
#define SDHCI_INT_SIGNAL_ENABLE 0x38u
#define SDHCI_CAPABILITIES      0x40u
#define SDHCI_ADMA_ADDRESS      0x58u
#define SDHCI_ADMA_ADDRESS_HIGH 0x5cu
#define SDHCI_VERSION           0xfcu

#define SDHCI_BLOCK_OF(size, count) ((size) | (count) << 16)

#define SDHCI_MODE_DMA         (1u << 0)
#define SDHCI_MODE_BLOCK_COUNT (1u << 1)
#define SDHCI_MODE_AUTO_CMD12  (1u << 2)
#define SDHCI_MODE_READ        (1u << 4)
#define SDHCI_MODE_MULTI       (1u << 5)

#define SDHCI_COMMAND_RESPONSE_136  (1u << 16)
#define SDHCI_COMMAND_RESPONSE_48   (2u << 16)
#define SDHCI_COMMAND_RESPONSE_BUSY (3u << 16)
#define SDHCI_COMMAND_CHECK_CRC     (1u << 19)
#define SDHCI_COMMAND_CHECK_INDEX   (1u << 20)
#define SDHCI_COMMAND_DATA          (1u << 21)
#define SDHCI_COMMAND_ABORT         (3u << 22)
#define SDHCI_COMMAND_INDEX(n)      ((n) << 24)

#define SDHCI_PRESENT_CMD_INHIBIT   (1u << 0)
#define SDHCI_PRESENT_DAT_INHIBIT   (1u << 1)
#define SDHCI_PRESENT_INSERTED      (1u << 16)
#define SDHCI_PRESENT_STABLE        (1u << 17)
#define SDHCI_PRESENT_WRITE_ENABLED (1u << 19) /* the level of the slot's switch */

#define SDHCI_HOST_4_BITS     (1u << 1)
#define SDHCI_HOST_HIGH_SPEED (1u << 2)
#define SDHCI_HOST_ADMA2_32   (2u << 3)
#define SDHCI_HOST_POWER_ON   (1u << 8)
#define SDHCI_HOST_POWER_3V0  (6u << 9)
#define SDHCI_HOST_POWER_3V3  (7u << 9)

#define SDHCI_CLOCK_INTERNAL      (1u << 0)
#define SDHCI_CLOCK_STABLE        (1u << 1)
#define SDHCI_CLOCK_CARD          (1u << 2)
#define SDHCI_CLOCK_DIVISOR(half) (((half)&0xffu) << 8 | (half) >> 8 << 6) /* by twice this */
#define SDHCI_CLOCK_TIMEOUT_MAX   (0xeu << 16) /* 2^27 ticks of the timeout's clock */
#define SDHCI_CLOCK_RESET_ALL     (1u << 24)
#define SDHCI_CLOCK_RESET_CMD     (1u << 25)
#define SDHCI_CLOCK_RESET_DAT     (1u << 26)

#define SDHCI_INT_COMMAND         (1u << 0) /* the command's response is there */
#define SDHCI_INT_TRANSFER        (1u << 1) /* the data has been transferred, and the card is ready */
#define SDHCI_INT_ERROR           (1u << 15)
#define SDHCI_INT_COMMAND_TIMEOUT (1u << 16)
#define SDHCI_INT_DATA_TIMEOUT    (1u << 20)
#define SDHCI_INT_ERRORS          0x03ff0000u

#define SDHCI_CAPABILITIES_BASE_MHZ(word, version)                                                 \
    ((word) >> 8 & ((version) >= SDHCI_VERSION_3 ? 0xffu : 0x3fu))
#define SDHCI_CAPABILITIES_ADMA2      (1u << 19)
#define SDHCI_CAPABILITIES_HIGH_SPEED (1u << 21)
#define SDHCI_CAPABILITIES_3V3        (1u << 24)
#define SDHCI_CAPABILITIES_3V0        (1u << 25)

#define SDHCI_VERSION_OF(word) ((word) >> 16 & 0xffu)
#define SDHCI_VERSION_3        2u

#define SDHCI_HALF_DIVISOR_MAX   0x3ffu
#define SDHCI_HALF_DIVISOR_MAX_2 0x80u /* before version 3, which knows powers of two alone */

/* A descriptor of ADMA2 with addresses of 32 bits (1.13.4). They and lengths are multiples of 4. */
struct sdhci_adma2 {
    uint16_t attributes;
    uint16_t length; /* bytes; 0: 65536 */
    uint32_t address;
};

#define SDHCI_ADMA2_VALID      (1u << 0)
#define SDHCI_ADMA2_END        (1u << 1)
#define SDHCI_ADMA2_TRANSFER   (2u << 4)
#define SDHCI_ADMA2_LENGTH_MAX 65536u
#define SDHCI_ADMA2_ALIGNMENT  4u
