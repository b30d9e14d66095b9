/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Uses shared memory in a Linux guest, by UIO (docs/shared.md):
 *
 *     uio request PEER COUNT    sends requests to a bare-metal guest (bare/sharer.c), one after the
 *                               other, and says "N answers, mean T ns"
 *     uio write                 writes to the memory at 64 KiB less 4
 *     uio mprotect              maps the memory to read, and then makes it writable
 */

#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define NUMBER   0x008
#define DOORBELL 0x024
#define STATE    0x028
#define SIZE     0x10000
#define BYTES    64

enum { REQUEST = 1, ANSWER };

struct message {
    uint32_t number;
    uint32_t to;
    uint32_t what;
    uint32_t unused[13];
    uint8_t bytes[BYTES];
};

static int device;
static volatile uint32_t *registers;
static struct message *messages;

static void map(int protection)
{
    long page = sysconf(_SC_PAGESIZE);
    void *memory;

    device = open("/dev/uio0", O_RDWR);
    if (device < 0) {
        err(1, "/dev/uio0");
    }
    memory = mmap(NULL, SIZE, protection, MAP_SHARED, device, page);
    registers = mmap(NULL, (size_t)page, PROT_READ | PROT_WRITE, MAP_SHARED, device, 0);
    if (memory == MAP_FAILED || registers == MAP_FAILED) {
        err(1, "mmap");
    }
    messages = memory;
}

static void wait_for_doorbell(void)
{
    uint32_t count = 1;

    if (write(device, &count, sizeof(count)) != sizeof(count)) {
        err(1, "write");
    }
    if (read(device, &count, sizeof(count)) != sizeof(count)) {
        err(1, "read");
    }
}

static void request(uint32_t peer, uint8_t first)
{
    struct message *mine = &messages[registers[NUMBER / 4]];
    const struct message *answer = &messages[peer];
    uint32_t before = __atomic_load_n(&answer->number, __ATOMIC_ACQUIRE);

    for (unsigned i = 0; i < BYTES; i++) {
        mine->bytes[i] = (uint8_t)(first + i);
    }
    mine->to = peer;
    mine->what = REQUEST;
    __atomic_fetch_add(&mine->number, 1, __ATOMIC_SEQ_CST);
    __asm__ volatile("dmb ish" ::: "memory");
    registers[DOORBELL / 4] = peer;
    while (__atomic_load_n(&answer->number, __ATOMIC_ACQUIRE) == before) {
        wait_for_doorbell();
    }
    if (answer->what != ANSWER || memcmp((const void *)answer->bytes, mine->bytes, BYTES) != 0) {
        errx(1, "another answer");
    }
}

static uint64_t nanoseconds(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "request") == 0) {
        unsigned count = (unsigned)atoi(argv[3]);
        uint64_t begin;

        map(PROT_READ | PROT_WRITE);
        registers[STATE / 4] = 7;
        begin = nanoseconds();
        for (unsigned i = 0; i < count; i++) {
            request((uint32_t)atoi(argv[2]), (uint8_t)i);
        }
        printf("%u answers, mean %llu ns\n", count,
               (unsigned long long)(nanoseconds() - begin) / (count == 0 ? 1 : count));
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "write") == 0) {
        map(PROT_READ | PROT_WRITE);
        *(volatile uint32_t *)((uint8_t *)messages + SIZE - 4) = 1;
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "mprotect") == 0) {
        map(PROT_READ);
        if (mprotect(messages, SIZE, PROT_READ | PROT_WRITE) != 0) {
            err(1, "mprotect");
        }
        return 0;
    }
    errx(2, "usage: uio request PEER COUNT, uio write, or uio mprotect");
}
