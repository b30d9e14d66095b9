/* SPDX-License-Identifier: BSD-2-Clause */

#include "checksum.h"

#include <stdbool.h>

typedef uint16_t __attribute__((may_alias)) half;
typedef uint64_t __attribute__((may_alias)) word;
typedef unsigned __int128 wide;

#define LINE 64u /* bytes that are added without a look at what is left */

uint32_t checksum_fold(uint64_t sum)
{
    sum = (sum & UINT32_MAX) + (sum >> 32);
    sum = (sum & UINT32_MAX) + (sum >> 32);
    sum = (sum & 0xffffu) + (sum >> 16);
    sum = (sum & 0xffffu) + (sum >> 16);
    return (uint32_t)sum;
}

static uint32_t swap16(uint32_t value)
{
    return (value >> 8 & 0xffu) | (value & 0xffu) << 8;
}

/*
 * Add so many lines (at least one), which begin at a multiple of 8. No carry is lost: 2^32 words
 * fit. C has no word for the processor's carry flag, with which a word takes less than two
 * instructions, and otherwise three.
 */
static inline wide add_lines(wide sum, const uint8_t *bytes, uint32_t lines)
{
#ifdef __aarch64__
    uint64_t low = (uint64_t)sum;
    uint64_t a;
    uint64_t b;
    uint64_t c;
    uint64_t d;

    __asm__ volatile("adds   xzr, xzr, xzr\n" /* no carry */
                     "1: ldp %[a], %[b], [%[bytes]]\n"
                     "   ldp %[c], %[d], [%[bytes], #16]\n"
                     "   adcs %[low], %[low], %[a]\n"
                     "   adcs %[low], %[low], %[b]\n"
                     "   adcs %[low], %[low], %[c]\n"
                     "   adcs %[low], %[low], %[d]\n"
                     "   ldp %[a], %[b], [%[bytes], #32]\n"
                     "   ldp %[c], %[d], [%[bytes], #48]\n"
                     "   adcs %[low], %[low], %[a]\n"
                     "   adcs %[low], %[low], %[b]\n"
                     "   adcs %[low], %[low], %[c]\n"
                     "   adcs %[low], %[low], %[d]\n"
                     "   add %[bytes], %[bytes], #64\n" /* these leave the flags alone */
                     "   sub %w[lines], %w[lines], #1\n"
                     "   cbnz %w[lines], 1b\n"
                     "   adc %[a], xzr, xzr\n"
                     : [low] "+&r"(low), [bytes] "+&r"(bytes), [lines] "+&r"(lines), [a] "=&r"(a),
                       [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d)
                     :
                     : "cc", "memory");
    return (sum >> 64 << 64) + low + ((wide)a << 64);
#else
    for (; lines > 0; lines--, bytes += LINE) {
        const word *from = (const word *)(const void *)bytes;

        sum = sum + from[0] + from[1] + from[2] + from[3];
        sum = sum + from[4] + from[5] + from[6] + from[7];
    }
    return sum;
#endif
}

/* In 64 bits, with the carry added: that is the same sum (RFC 1071, 2.A). */
static uint64_t fold_wide(wide sum)
{
    uint64_t low = (uint64_t)sum;
    uint64_t all = low + (uint64_t)(sum >> 64);

    return all + (all < low ? 1 : 0);
}

/*
 * It adds little-endian words, as the processor likes it, and swaps the sum: that comes to the same
 * (RFC 1071, 2.B), and likewise if the memory begins at an odd address.
 */
uint32_t checksum_sum(const void *bytes, uint32_t count)
{
    const uint8_t *at = bytes;
    bool odd = ((uintptr_t)at & 1u) != 0;
    wide sum = 0;
    uint32_t folded;

    if (odd && count > 0) {
        sum = (wide)*at++ << 8;
        count--;
    }
    while (((uintptr_t)at & 7u) != 0 && count >= 2) {
        sum += *(const half *)at;
        at += 2;
        count -= 2;
    }
    if (count >= LINE) {
        sum = add_lines(sum, at, count / LINE);
        at += count - count % LINE;
        count %= LINE;
    }
    for (; count >= 8; count -= 8, at += 8) {
        sum += *(const word *)at;
    }
    for (; count >= 2; count -= 2, at += 2) {
        sum += *(const half *)at;
    }
    if (count > 0) {
        sum += *at;
    }
    folded = checksum_fold(fold_wide(sum));
    return odd ? folded : swap16(folded);
}
