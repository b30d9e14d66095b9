/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* An SD memory card, as its host sees it (SD Physical Layer Simplified Specification 6.00). */

#include <stdbool.h>
#include <stdint.h>

#define SD_GO_IDLE_STATE        0u
#define SD_ALL_SEND_CID         2u
#define SD_SEND_RELATIVE_ADDR   3u
#define SD_SWITCH_FUNC          6u
#define SD_SELECT_CARD          7u
#define SD_SEND_IF_COND         8u
#define SD_SEND_CSD             9u
#define SD_STOP_TRANSMISSION    12u
#define SD_SET_BLOCKLEN         16u
#define SD_READ_MULTIPLE_BLOCK  18u
#define SD_WRITE_MULTIPLE_BLOCK 25u
#define SD_APP_CMD              55u
#define SD_APP_SET_BUS_WIDTH    6u /* behind SD_APP_CMD, as the next two */
#define SD_APP_SEND_OP_COND     41u
#define SD_APP_SEND_SCR         51u

#define SD_IF_COND      0x1aau /* 2.7 to 3.6 V, and a pattern that the card sends back */
#define SD_IF_COND_MASK 0xfffu
#define SD_OCR_VOLTAGES 0x00ff8000u /* 2.7 to 3.6 V */
#define SD_OCR_HIGH     (1u << 30) /* the host's: it knows block addresses; the card's: it has them */
#define SD_OCR_READY    (1u << 31)
#define SD_BUS_WIDTH_4  2u
#define SD_SWITCH_CHECK 0x00fffff1u /* function group 1: high speed */
#define SD_SWITCH_SET   0x80fffff1u
#define SD_SWITCH_BYTES 64u
#define SD_SCR_BYTES    8u
#define SD_STATUS_RANGE (1u << 31)
#define SD_STATUS_ERRORS                                                                           \
    0xfdf98000u /* 4.10.1: all that mean an error, SD_STATUS_RANGE among them */
#define SD_RELATIVE_ADDR 0xffff0000u /* of the response to SD_SEND_RELATIVE_ADDR */

/* Whether the SCR says that the card has four data lines, and SD_SWITCH_FUNC (5.6). */
static inline bool sd_scr_has_4_bits(const uint8_t scr[SD_SCR_BYTES])
{
    return (scr[1] & 4u) != 0;
}

static inline bool sd_scr_has_switch(const uint8_t scr[SD_SCR_BYTES])
{
    return (scr[0] & 0xfu) != 0;
}

/* Whether an answer to SD_SWITCH_CHECK offers high speed; whether it is chosen (4.3.10.4). */
static inline bool sd_switch_offers_high_speed(const uint8_t status[SD_SWITCH_BYTES])
{
    return (status[13] & 2u) != 0;
}

static inline bool sd_switch_has_high_speed(const uint8_t status[SD_SWITCH_BYTES])
{
    return (status[16] & 0xfu) == 1;
}

/*
 * Bits of the CSD, `count` below 32 of them from bit `low` on, in a response of a host controller.
 * That has no checksum, so that its bit 0 is the CSD's bit 8.
 */
static inline uint32_t sd_csd_bits(const uint32_t response[4], uint32_t low, uint32_t count)
{
    uint32_t at = low - 8;
    uint64_t bits = response[at / 32];

    if (at / 32 < 3) {
        bits |= (uint64_t)response[at / 32 + 1] << 32;
    }
    return (uint32_t)(bits >> at % 32) & ((1u << count) - 1);
}

/* The card's size in sectors of 512 bytes, or 0 if the CSD is none of version 1 or 2 (5.3). */
static inline uint64_t sd_csd_sectors(const uint32_t response[4])
{
    uint32_t block_exponent = sd_csd_bits(response, 80, 4);

    switch (sd_csd_bits(response, 126, 2)) {
    case 0:
        if (block_exponent < 9 || block_exponent > 11) {
            return 0;
        }
        return (uint64_t)(sd_csd_bits(response, 62, 12) + 1)
               << (sd_csd_bits(response, 47, 3) + 2 + block_exponent - 9);
    case 1:
        return (uint64_t)(sd_csd_bits(response, 48, 22) + 1) << 10;
    default:
        return 0;
    }
}

/* Whether the card says that nobody may write it, for ever or for now. */
static inline bool sd_csd_is_protected(const uint32_t response[4])
{
    return sd_csd_bits(response, 12, 2) != 0;
}
