/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the tests and measurements of disks do in a guest, past its page cache:
 *
 *     disktool verify DEVICE SECONDS SEED   write at random for so long, then read back every block
 *     disktool bench DEVICE SECONDS         how fast it is, in four ways, a line each:
 *                                           NAME BYTES OPERATIONS MICROSECONDS
 *
 * verify ends in a line "verified N blocks, N bad" and exits 0 if none was.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLOCK      4096u
#define RUN_MAX    32u /* blocks in one request of verify */
#define LARGE      (1u << 20)
#define BLOCKS_MAX (1u << 20)

static uint64_t state;
static uint32_t generations[BLOCKS_MAX]; /* how often each block was written */
static uint8_t *buffer;
static uint64_t blocks;
static int device;

static uint64_t microseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t mix(uint64_t x) /* splitmix64 */
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static uint64_t random_below(uint64_t bound)
{
    state = mix(state);
    return state % bound;
}

static void fail(const char *what)
{
    printf("disktool: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void open_device(const char *path)
{
    device = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
    if (device < 0) {
        fail(path);
    }
    blocks = (uint64_t)lseek(device, 0, SEEK_END) / BLOCK;
    if (blocks > BLOCKS_MAX) {
        blocks = BLOCKS_MAX;
    }
    buffer = aligned_alloc(BLOCK, LARGE);
    if (blocks < LARGE / BLOCK || buffer == NULL) {
        printf("disktool: %s is too small\n", path);
        exit(2);
    }
}

/* ---- verify ---- */

static void stamp(uint64_t *words, uint64_t seed, uint64_t block, uint32_t generation)
{
    uint64_t word = mix(seed ^ mix(block << 32 | generation));

    for (unsigned i = 0; i < BLOCK / sizeof(*words); i++) {
        words[i] = word + i;
    }
}

/* How many of the `count` blocks in the buffer are not what was written there last. */
static unsigned count_bad(uint64_t seed, uint64_t first, uint64_t count)
{
    uint64_t expected[BLOCK / sizeof(uint64_t)];
    unsigned bad = 0;

    for (uint64_t i = 0; i < count; i++) {
        if (generations[first + i] == 0) {
            continue;
        }
        stamp(expected, seed, first + i, generations[first + i]);
        if (memcmp(expected, buffer + i * BLOCK, BLOCK) != 0) {
            bad++;
            printf("block %llu is not what was written\n", (unsigned long long)(first + i));
        }
    }
    return bad;
}

static void write_run(uint64_t seed, uint64_t first, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        stamp((uint64_t *)(void *)(buffer + i * BLOCK), seed, first + i, ++generations[first + i]);
    }
    if (pwrite(device, buffer, count * BLOCK, (off_t)(first * BLOCK)) != (ssize_t)(count * BLOCK)) {
        fail("write");
    }
}

static unsigned read_run(uint64_t seed, uint64_t first, uint64_t count)
{
    if (pread(device, buffer, count * BLOCK, (off_t)(first * BLOCK)) != (ssize_t)(count * BLOCK)) {
        fail("read");
    }
    return count_bad(seed, first, count);
}

static int verify(unsigned seconds, uint64_t seed)
{
    uint64_t end = microseconds() + seconds * 1000000ull;
    uint64_t verified = 0;
    unsigned bad = 0;

    state = seed;
    while (microseconds() < end) {
        uint64_t count = 1 + random_below(RUN_MAX);
        uint64_t first = random_below(blocks - count + 1);

        if (random_below(4) == 0) {
            bad += read_run(seed, first, count);
        } else {
            write_run(seed, first, count);
        }
    }
    if (fsync(device) != 0) {
        fail("flush");
    }
    for (uint64_t first = 0; first < blocks; first += RUN_MAX) {
        uint64_t count = blocks - first < RUN_MAX ? blocks - first : RUN_MAX;

        bad += read_run(seed, first, count);
        for (uint64_t i = 0; i < count; i++) {
            verified += generations[first + i] != 0;
        }
    }
    printf("verified %llu blocks, %u bad\n", (unsigned long long)verified, bad);
    return bad != 0;
}

/* ---- bench ---- */

static void measure(const char *name, unsigned seconds, uint32_t size, bool at_random, bool writes)
{
    uint64_t slots = blocks * BLOCK / size;
    uint64_t begin = microseconds(), end = begin + seconds * 1000000ull;
    uint64_t operations = 0, now;

    do {
        uint64_t slot = at_random ? random_below(slots) : operations % slots;
        off_t where = (off_t)(slot * size);
        ssize_t done =
            writes ? pwrite(device, buffer, size, where) : pread(device, buffer, size, where);

        if (done != (ssize_t)size) {
            fail(name);
        }
        operations++;
        now = microseconds();
    } while (now < end);
    printf("%s %llu %llu %llu\n", name, (unsigned long long)(operations * size),
           (unsigned long long)operations, (unsigned long long)(now - begin));
}

static int bench(unsigned seconds)
{
    memset(buffer, 0x5a, LARGE);
    measure("sequential_write", seconds, LARGE, false, true);
    measure("sequential_read", seconds, LARGE, false, false);
    measure("random_write", seconds, BLOCK, true, true);
    measure("random_read", seconds, BLOCK, true, false);
    return 0;
}

int main(int count, char **words)
{
    if (count == 5 && strcmp(words[1], "verify") == 0) {
        open_device(words[2]);
        return verify((unsigned)atoi(words[3]), strtoull(words[4], NULL, 0));
    }
    if (count == 4 && strcmp(words[1], "bench") == 0) {
        open_device(words[2]);
        return bench((unsigned)atoi(words[3]));
    }
    printf("usage: disktool verify DEVICE SECONDS SEED | disktool bench DEVICE SECONDS\n");
    return 2;
}
