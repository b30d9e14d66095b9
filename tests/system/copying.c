/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * lib/memory.S against the plainest loops there are. A program of its own, run by test_copying.py
 * on the emulated processor without anything below it; it prints what is wrong and, last, "done".
 */

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ROOM  512u
#define LARGE 9000u

/* Volatile, so that the compiler makes no calls of these loops. */
static volatile uint8_t before[ROOM], expected[ROOM], area[ROOM];
static uint8_t source[LARGE + 64], target[LARGE + 64];

static unsigned wrong;

static void complain(const char *what, unsigned to, unsigned from, unsigned count)
{
    if (wrong++ < 10) {
        printf("%s: to +%u from +%u, %u bytes\n", what, to, from, count);
    }
}

static void start(unsigned seed)
{
    for (unsigned i = 0; i < ROOM; i++) {
        before[i] = (uint8_t)(i * 7 + seed);
        area[i] = before[i];
        expected[i] = before[i];
    }
}

static int differs(void)
{
    for (unsigned i = 0; i < ROOM; i++) {
        if (area[i] != expected[i]) {
            return 1;
        }
    }
    return 0;
}

static void copy(unsigned to, unsigned from, unsigned count)
{
    start(count);
    for (unsigned i = 0; i < count; i++) {
        expected[to + i] = before[from + i];
    }

    void *end = (uint8_t *)area + to;
    void *result = to < from + count && from < to + count
                       ? memmove(end, (uint8_t *)area + from, count)
                       : memcpy(end, (uint8_t *)area + from, count);

    if (differs() || result != end) {
        complain("copy", to, from, count);
    }
}

static void fill(unsigned to, unsigned count, int byte)
{
    start(count);
    for (unsigned i = 0; i < count; i++) {
        expected[to + i] = (uint8_t)byte;
    }

    void *end = (uint8_t *)area + to;

    if (memset(end, byte, count) != end || differs()) {
        complain("fill", to, 0, count);
    }
}

static void copy_large(unsigned to, unsigned from, unsigned count)
{
    for (unsigned i = 0; i < sizeof(target); i++) {
        ((volatile uint8_t *)target)[i] = 0;
        ((volatile uint8_t *)source)[i] = (uint8_t)(i * 31 + i / 251 + 1);
    }
    memcpy(target + to, source + from, count);
    for (unsigned i = 0; i < sizeof(target); i++) {
        uint8_t want = i >= to && i < to + count ? source[i - to + from] : 0;

        if (target[i] != want) {
            complain("large copy", to, from, count);
            return;
        }
    }
}

int main(void)
{
    for (unsigned count = 0; count <= 200; count++) {
        for (unsigned to = 0; to < 17; to++) {
            for (unsigned from = 0; from < 17; from += 1 + count / 70) {
                copy(16 + to, 272 + from, count); /* apart */
            }
        }
    }
    for (unsigned count = 0; count <= 150; count++) {
        for (unsigned distance = 0; distance <= 80; distance++) {
            copy(100 + distance, 100, count); /* overlapping, both ways */
            copy(100, 100 + distance, count);
        }
    }
    for (unsigned count = 0; count <= 300; count++) {
        for (unsigned to = 0; to < 17; to++) {
            fill(32 + to, count, (int)(count * 3 + 0x5a00));
        }
    }
    for (unsigned i = 0; i < 800; i++) {
        copy_large(i * 5 % 17, i * 3 % 19, LARGE - i);
    }
    printf("%u wrong\ndone\n", wrong);
    return wrong != 0;
}
