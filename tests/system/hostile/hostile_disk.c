/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A guest that asks its disk for what it may not have, and says on its UART how each request was
 * answered, as hostile.c does:
 *
 *     disk: ok NAME
 *     disk: BAD NAME: answer N
 *     disk: done, N bad
 *
 * After that it floods the disk for good, with as many and as large requests as the queue holds.
 */

#include "guest.h"

#define BUS       0x0a010000UL /* where the disks' pages begin */
#define BUS_PAGES 4
#define ID_BLOCK  2u
#define RAM       0x40000000UL
#define RAM_END   (RAM + (32UL << 20))
#define NOWHERE   0x0b000000UL
#define GICD      0x08000000UL

/* Virtio 1.2, 5.2.6 */
#define T_IN        0u
#define T_OUT       1u
#define T_FLUSH     4u
#define T_DISCARD   11u
#define S_OK        0u
#define S_IOERR     1u
#define S_UNSUPP    2u
#define S_NONE      0xffu /* no answer */
#define F_FLUSH     (1u << 9)
#define F_DISCARD   (1u << 13)
#define PATTERN     0x5au
#define FLOOD_BYTES (256u << 10)

struct header {
    uint32_t type;
    uint32_t reserved;
    uint64_t sector;
};

static volatile struct descriptor table[QUEUE_SIZE_USED] __attribute__((aligned(4096)));
static volatile struct avail avail __attribute__((aligned(4096)));
static volatile struct used used __attribute__((aligned(4096)));
static volatile struct header header;
static volatile uint8_t status_byte;
static volatile uint8_t data[1 << 20] __attribute__((aligned(4096)));

static uintptr_t disk;
static uint64_t capacity; /* sectors */
static uint32_t features; /* of those below 32: what the disk has, an SD card less than others */
static unsigned bad;

void on_abort(struct saved *saved)
{
    saved->elr += 4;
}

void on_interrupt(void)
{
}

static void set_address(enum virtio_mmio where, uint64_t address)
{
    write32(disk + where, (uint32_t)address);
    write32(disk + where + 4, (uint32_t)(address >> 32));
}

/* The reset is over when the register says so; returns whether that came to pass. */
static bool reset(void)
{
    uint64_t end = now() + milliseconds(5000);

    write32(disk + STATUS, 0);
    while (read32(disk + STATUS) != 0) {
        if (now() > end) {
            return false;
        }
    }
    return true;
}

static bool start(void)
{
    if (!reset()) {
        return false;
    }
    avail.index = 0;
    used.index = 0;
    write32(disk + STATUS, ACKNOWLEDGE | DRIVER);
    write32(disk + DEVICE_FEATURES_SEL, 0);
    features = read32(disk + DEVICE_FEATURES) & (F_FLUSH | F_DISCARD);
    write32(disk + DRIVER_FEATURES_SEL, 0);
    write32(disk + DRIVER_FEATURES, features);
    write32(disk + DRIVER_FEATURES_SEL, 1);
    write32(disk + DRIVER_FEATURES, 1u << (FEATURE_VERSION_1 - 32));
    write32(disk + STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK);
    write32(disk + QUEUE_SEL, 0);
    write32(disk + QUEUE_SIZE, QUEUE_SIZE_USED);
    set_address(QUEUE_DESC, (uintptr_t)table);
    set_address(QUEUE_DRIVER, (uintptr_t)&avail);
    set_address(QUEUE_DEVICE, (uintptr_t)&used);
    write32(disk + QUEUE_READY, 1);
    write32(disk + STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
    return true;
}

static void describe(unsigned slot, uint64_t address, uint32_t length, uint16_t flags)
{
    table[slot].address = address;
    table[slot].length = length;
    table[slot].flags = flags;
    table[slot].next = (uint16_t)(slot + 1);
}

static void offer(uint16_t head)
{
    avail.ring[avail.index % QUEUE_SIZE_USED] = head;
    __asm__ volatile("dmb sy" ::: "memory");
    avail.index++;
    __asm__ volatile("dmb sy" ::: "memory");
    write32(disk + QUEUE_NOTIFY, 0);
}

/* Offer the chain at 0 and wait; returns the status byte, or S_NONE. */
static unsigned answer(void)
{
    uint64_t end = now() + milliseconds(5000);
    uint16_t before = used.index;

    status_byte = S_NONE;
    offer(0);
    while (used.index == before && now() < end && (read32(disk + STATUS) & NEEDS_RESET) == 0) {
    }
    return status_byte;
}

static unsigned ask_at(uint64_t header_address, uint32_t type, uint64_t sector, uint64_t address,
                       uint32_t length, uint64_t status_address)
{
    header.type = type;
    header.sector = sector;
    describe(0, header_address, sizeof(header), F_NEXT);
    describe(1, address, length, F_NEXT | (type == T_IN ? F_WRITE : 0));
    describe(2, status_address, 1, F_WRITE);
    if (length == 0) {
        table[0].next = 2;
    }
    return answer();
}

static unsigned ask(uint32_t type, uint64_t sector, uint64_t address, uint32_t length)
{
    return ask_at((uintptr_t)&header, type, sector, address, length, (uintptr_t)&status_byte);
}

static unsigned transfer(uint32_t type, uint64_t sector, uint32_t length)
{
    return ask(type, sector, (uintptr_t)data, length);
}

static unsigned with(uint32_t feature, unsigned expected)
{
    return (features & feature) != 0 ? expected : S_UNSUPP;
}

static void check(const char *name, unsigned expected, unsigned got)
{
    print(got == expected ? "disk: ok " : "disk: BAD ");
    print(name);
    if (got != expected) {
        bad++;
        print(": answer ");
        print_number(got);
    }
    print("\r\n");
}

static bool find_disk(void)
{
    for (unsigned i = 0; i < BUS_PAGES; i++) {
        disk = BUS + i * 0x1000;
        if (read32(disk + MAGIC) == VIRTIO_MAGIC && read32(disk + DEVICE_ID) == ID_BLOCK) {
            capacity = read32(disk + CONFIG) | (uint64_t)read32(disk + CONFIG + 4) << 32;
            return true;
        }
    }
    return false;
}

static void beyond_the_end(void)
{
    static volatile struct {
        uint64_t sector;
        uint32_t count;
        uint32_t flags;
    } range;

    for (unsigned i = 0; i < 4096; i++) {
        data[i] = PATTERN;
    }
    check("read at the end", S_IOERR, transfer(T_IN, capacity, 512));
    check("read across the end", S_IOERR, transfer(T_IN, capacity - 1, 1024));
    check("read far beyond", S_IOERR, transfer(T_IN, 1ULL << 63, 512));
    check("read at the last number", S_IOERR, transfer(T_IN, UINT64_MAX, 512));
    check("read where bytes wrap", S_IOERR, transfer(T_IN, 1ULL << 55, 512));
    for (unsigned i = 0; i < 4096; i++) {
        if (data[i] != PATTERN) {
            check("nothing was read", 1, 0);
            break;
        }
    }
    check("write at the end", S_IOERR, transfer(T_OUT, capacity, 512));
    check("write across the end", S_IOERR, transfer(T_OUT, capacity - 1, 1024));
    check("write far beyond", S_IOERR, transfer(T_OUT, 1ULL << 40, 512));
    range.sector = capacity - 1;
    range.count = 2;
    range.flags = 0;
    check("discard across the end", with(F_DISCARD, S_IOERR),
          ask(T_DISCARD, 0, (uintptr_t)&range, sizeof(range)));
    check("the last sector", S_OK, transfer(T_IN, capacity - 1, 512));
}

static void wrong_lengths(void)
{
    check("one byte too many", S_IOERR, transfer(T_IN, 0, 513));
    check("one byte too few", S_IOERR, transfer(T_OUT, 0, 511));
    check("a single byte", S_IOERR, transfer(T_OUT, 0, 1));
    check("no data", S_IOERR, transfer(T_IN, 0, 0));
    check("an unknown kind", S_UNSUPP, transfer(77, 0, 512));
}

static void memory_that_is_not_there(void)
{
    static const uint64_t places[] = {
        0,    RAM - 512,  RAM_END - 256,    RAM_END,     NOWHERE,
        GICD, 1ULL << 40, UINT64_MAX - 511, RAM_END + 1, RAM + (1ULL << 32)};

    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        check("read into memory that is not there", S_IOERR, ask(T_IN, 0, places[i], 512));
        check("write from memory that is not there", S_IOERR, ask(T_OUT, 0, places[i], 512));
    }
    check("a header that is not there", S_IOERR,
          ask_at(NOWHERE, T_IN, 0, (uintptr_t)data, 512, (uintptr_t)&status_byte));
    check("a status that is not there", S_NONE,
          ask_at((uintptr_t)&header, T_IN, 0, (uintptr_t)data, 512, NOWHERE));
    check("the device has stopped", 1, (read32(disk + STATUS) & NEEDS_RESET) != 0);
    check("and works after a reset", S_OK, start() ? transfer(T_IN, 0, 512) : S_NONE);
}

/* Four large reads at a time, of three descriptors each. */
static void flood(void)
{
    header.type = T_IN;
    header.sector = 0;
    for (unsigned i = 0; i < 4; i++) {
        describe(3 * i, (uintptr_t)&header, sizeof(header), F_NEXT);
        describe(3 * i + 1, (uintptr_t)data + i * FLOOD_BYTES, FLOOD_BYTES, F_NEXT | F_WRITE);
        describe(3 * i + 2, (uintptr_t)&status_byte, 1, F_WRITE);
        offer((uint16_t)(3 * i));
    }
}

static void reset_with_requests_in_flight(void)
{
    bool quiet = true;

    for (unsigned round = 0; round < 20; round++) {
        flood();
        quiet = reset() && quiet;
        for (unsigned i = 0; i < sizeof(data); i += 512) {
            data[i] = PATTERN;
        }
        wait(10);
        for (unsigned i = 0; i < sizeof(data); i += 512) {
            quiet = data[i] == PATTERN && quiet;
        }
        quiet = start() && quiet;
    }
    check("nothing is read after a reset", 1, quiet);
    check("and the disk works", S_OK, transfer(T_IN, 0, 512));
}

void hostile(void)
{
    if (!find_disk() || !start()) {
        print("disk: BAD no disk\r\n");
        return;
    }
    print((features & F_FLUSH) != 0 ? "disk: it flushes\r\n" : "disk: it does not flush\r\n");
    print((features & F_DISCARD) != 0 ? "disk: it discards\r\n" : "disk: it does not discard\r\n");
    check("a write", S_OK, transfer(T_OUT, 0, 4096));
    check("a read", S_OK, transfer(T_IN, 0, 4096));
    check("a flush", with(F_FLUSH, S_OK), transfer(T_FLUSH, 0, 0));
    beyond_the_end();
    wrong_lengths();
    memory_that_is_not_there();
    reset_with_requests_in_flight();
    print("disk: done, ");
    print_number(bad);
    print(" bad\r\n");
    for (;;) {
        uint16_t before = used.index;

        flood();
        while ((uint16_t)(used.index - before) < 4) {
        }
    }
}
