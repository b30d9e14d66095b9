/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The CRC-32 of Ethernet (IEEE 802.3, 3.2.9) and of GPT (UEFI 2.10, 5.3.2), for few bytes: ~ of
 * what is left after all of them, if it was UINT32_MAX before.
 */

#include <stdint.h>

static inline uint32_t crc32_add(uint32_t crc, const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (unsigned bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (0xedb88320u & -(crc & 1u));
        }
    }
    return crc;
}
