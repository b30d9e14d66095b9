/* SPDX-License-Identifier: BSD-2-Clause */

#include "entropy.h"

#include "cpu.h"

#define SAMPLES_PER_BYTE 8u
#define SCRATCH_SIZE     4096u
#define MULTIPLIER       0x9e3779b97f4a7c15ULL /* odd, 2^64 divided by the golden ratio */

/* A reversible step: no two states become one. The guest hashes what comes out. */
static uint64_t mix(uint64_t state, uint64_t sample)
{
    state = (state ^ sample) * MULTIPLIER;
    return state ^ (state >> 29);
}

/* Memory accesses at places that depend on what was measured take a time that is hard to tell. */
static uint64_t sample(uint64_t state)
{
    static volatile uint8_t scratch[SCRATCH_SIZE];

    scratch[state % SCRATCH_SIZE] += (uint8_t)(state >> 32);
    scratch[(state >> 16) % SCRATCH_SIZE] ^= (uint8_t)state;
    return cpu_counter();
}

void entropy_fill(void *seed, size_t size, const void *salt, size_t salt_size)
{
    static uint64_t state; /* never goes back: a restarted VM gets another seed */
    const uint8_t *salt_bytes = salt;
    uint8_t *bytes = seed;

    for (size_t i = 0; i < salt_size; i++) {
        state = mix(state, salt_bytes[i]);
    }
    for (size_t i = 0; i < size; i++) {
        for (unsigned k = 0; k < SAMPLES_PER_BYTE; k++) {
            state = mix(state, sample(state));
        }
        bytes[i] = (uint8_t)(state >> 32);
    }
}
