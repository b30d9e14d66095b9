/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What guests of our own have of a machine: a UART, a clock, and virtio-mmio devices. They run with
 * the MMU off, where all of memory is device memory: what they write is in memory at once and in
 * order.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UART    0x09000000UL
#define UART_FR 0x18

/* Virtio 1.2, 4.2.2 */
enum virtio_mmio {
    MAGIC = 0x000,
    DEVICE_ID = 0x008,
    DEVICE_FEATURES = 0x010,
    DEVICE_FEATURES_SEL = 0x014,
    DRIVER_FEATURES = 0x020,
    DRIVER_FEATURES_SEL = 0x024,
    QUEUE_SEL = 0x030,
    QUEUE_SIZE_MAX = 0x034,
    QUEUE_SIZE = 0x038,
    QUEUE_READY = 0x044,
    QUEUE_NOTIFY = 0x050,
    INTERRUPT_ACK = 0x064,
    STATUS = 0x070,
    QUEUE_DESC = 0x080,
    QUEUE_DRIVER = 0x090,
    QUEUE_DEVICE = 0x0a0,
    CONFIG = 0x100,
};

/* PSCI (Arm DEN 0022) */
#define PSCI_CPU_OFF       0x84000002u
#define PSCI_SYSTEM_OFF    0x84000008u
#define PSCI_SYSTEM_RESET  0x84000009u
#define PSCI_CPU_ON        0xc4000003u
#define PSCI_AFFINITY_INFO 0xc4000004u
#define PSCI_OFF           1
#define PSCI_ALREADY_ON    (-4)
#define PSCI_ON_PENDING    (-5)

#define VIRTIO_MAGIC 0x74726976u

#define ACKNOWLEDGE 1u
#define DRIVER      2u
#define DRIVER_OK   4u
#define FEATURES_OK 8u
#define NEEDS_RESET 64u

#define F_NEXT     1u
#define F_WRITE    2u
#define F_INDIRECT 4u

#define FEATURE_VERSION_1     32
#define FEATURE_INDIRECT_DESC 28

#ifndef QUEUE_SIZE_USED
#define QUEUE_SIZE_USED 16u
#endif

struct descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags;
    uint16_t next;
};

struct avail {
    uint16_t flags;
    uint16_t index;
    uint16_t ring[QUEUE_SIZE_USED];
    uint16_t used_event;
};

struct used {
    uint16_t flags;
    uint16_t index;
    struct {
        uint32_t id;
        uint32_t length;
    } ring[QUEUE_SIZE_USED];
    uint16_t avail_event;
};

/* What start.S has saved of the interrupted code. */
struct saved {
    uint64_t x[18];
    uint64_t x18, x30, elr, spsr;
};

static inline void write8(uintptr_t address, uint8_t value)
{
    __asm__ volatile("strb %w0, [%1]" ::"r"(value), "r"(address) : "memory");
}

static inline void write16(uintptr_t address, uint16_t value)
{
    __asm__ volatile("strh %w0, [%1]" ::"r"(value), "r"(address) : "memory");
}

static inline void write32(uintptr_t address, uint32_t value)
{
    __asm__ volatile("str %w0, [%1]" ::"r"(value), "r"(address) : "memory");
}

static inline void write64(uintptr_t address, uint64_t value)
{
    __asm__ volatile("str %0, [%1]" ::"r"(value), "r"(address) : "memory");
}

static inline uint8_t read8(uintptr_t address)
{
    uint32_t value;

    __asm__ volatile("ldrb %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return (uint8_t)value;
}

static inline uint32_t read32(uintptr_t address)
{
    uint32_t value;

    __asm__ volatile("ldr %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline uint64_t now(void)
{
    uint64_t ticks;

    __asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(ticks)::"memory");
    return ticks;
}

static inline uint64_t milliseconds(unsigned count)
{
    uint64_t frequency;

    __asm__("mrs %0, cntfrq_el0" : "=r"(frequency));
    return frequency * count / 1000;
}

static inline void put(char c)
{
    while ((read32(UART + UART_FR) & 0x20) != 0) {
    }
    write8(UART, (uint8_t)c);
}

static inline void print(const char *text)
{
    for (; *text != '\0'; text++) {
        put(*text);
    }
}

static inline void print_number(unsigned number)
{
    unsigned unit = 1;

    while (number / unit >= 10) {
        unit *= 10;
    }
    for (; unit > 0; unit /= 10) {
        put((char)('0' + number / unit % 10));
    }
}

static inline void wait(unsigned count)
{
    for (uint64_t end = now() + milliseconds(count); now() < end;) {
    }
}

static inline uint64_t smc(uint64_t function, uint64_t a, uint64_t b, uint64_t c)
{
    register uint64_t x0 __asm__("x0") = function;
    register uint64_t x1 __asm__("x1") = a;
    register uint64_t x2 __asm__("x2") = b;
    register uint64_t x3 __asm__("x3") = c;

    __asm__ volatile("smc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"memory");
    return x0;
}

static inline uint64_t hvc(uint64_t function, uint64_t a, uint64_t b, uint64_t c)
{
    register uint64_t x0 __asm__("x0") = function;
    register uint64_t x1 __asm__("x1") = a;
    register uint64_t x2 __asm__("x2") = b;
    register uint64_t x3 __asm__("x3") = c;

    __asm__ volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"memory");
    return x0;
}

/* ---- The boot arguments ---- */

/* What stands behind `name` in the device tree; NULL: it is not there. */
static inline const char *argument(const char *device_tree, const char *name)
{
    /* Its size, big endian (Devicetree specification, 5.2). */
    uint32_t size = __builtin_bswap32(*(const uint32_t *)(device_tree + 4));

    for (uint32_t i = 0; i < size; i++) {
        uint32_t n = 0;

        while (name[n] != '\0' && i + n < size && device_tree[i + n] == name[n]) {
            n++;
        }
        if (name[n] == '\0') {
            return device_tree + i + n;
        }
    }
    return NULL;
}

static inline unsigned number(const char **text)
{
    unsigned value = 0;

    for (; **text >= '0' && **text <= '9'; (*text)++) {
        value = value * 10 + (unsigned)(**text - '0');
    }
    return value;
}

/* These are 0 if there is none. */
static inline unsigned number_of(const char *device_tree, const char *name)
{
    const char *text = argument(device_tree, name);

    return text == NULL ? 0 : number(&text);
}

/* Whether a text is in the device tree: among the boot arguments, say. */
static inline bool has_argument(const char *device_tree, const char *name)
{
    return argument(device_tree, name) != NULL;
}
