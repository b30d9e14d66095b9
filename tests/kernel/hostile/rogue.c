/* SPDX-License-Identifier: BSD-2-Clause */

#include "hostile.h"

struct shared *shared;

/*
 * Each call's number and arguments are taken from values of which some are right and most are
 * nearly so; the message registers hold anything.
 */

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t any(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static uint64_t any_of(const uint64_t *values, unsigned count)
{
    return values[any() % count];
}

static uint64_t one_capability(void)
{
    static const uint64_t values[] = {
        0,   1,   2,   3,   4,   5,   6,   7,    9,    10,   71,      72,         73,          74,
        135, 136, 137, 138, 147, 199, 201, 202,  205,  265,  266,     268,        329,         330,
        332, 393, 394, 457, 458, 585, 586, 1023, 1024, 4095, 0x10000, 0x7fffffff, 0x100000001, ~0ul,
    };

    if (any() % 4 == 0) {
        return (any() % 4 == 0 ? any() % 64 : any() % 8) << 58 | (any() % 4 == 0 ? any() >> 6 : 0);
    }
    return any() % 8 == 0 ? any() : any_of(values, sizeof values / sizeof values[0]);
}

/* But not its own thread, which it has in benchmark configs: it would stop itself for good. */
static uint64_t any_capability(void)
{
    uint64_t cap;

    do {
        cap = one_capability();
    } while (cap == TCB_CAP);
    return cap;
}

static uint64_t any_argument(void)
{
    /* clang-format off */
    static const uint64_t values[] = {
        0, 1, 2, 3, 4, 5, 7, 10, 24, 25, 26, 27, 30, 31, 32, 35, 36, 37, 40, 74, 119, 120, 121, 127,
        128, 255, 256, 1020, 1023, 1024, 0x1f, 0x3c5, 0x3c9, 0x1a000, 0x200000, 0x40000000,
        0x70000000, 0x7fffffff, 0x80000000, 0x100000000, 0x300000000, 0x400000000, 0xfffffff000,
        0xffffffffff, 0x10000000000, 0x4000000000000000, 0x8000000000000000, 0xffffffffffffffff,
    };
    /* clang-format on */

    return any() % 6 == 0 ? any() : any_of(values, sizeof values / sizeof values[0]);
}

static void call(uint64_t number, const uint64_t *argument)
{
    register uint64_t x0 __asm__("x0") = argument[0];
    register uint64_t x1 __asm__("x1") = argument[1];
    register uint64_t x2 __asm__("x2") = argument[2];
    register uint64_t x3 __asm__("x3") = argument[3];
    register uint64_t x4 __asm__("x4") = argument[4];
    register uint64_t x5 __asm__("x5") = argument[5];
    register uint64_t x6 __asm__("x6") = argument[6];
    register uint64_t x7 __asm__("x7") = number;

    /* Resumed by keeper, it has no more of its registers than a call leaves. */
    __asm__ volatile("svc #0"
                     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4), "+r"(x5), "+r"(x6),
                       "+r"(x7)
                     :
                     : "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18",
                       "x30", "cc", "memory");
}

static uint64_t any_number(void)
{
    uint64_t number;

    do {
        number = any() % 4 == 0 ? any_argument() : any() % (seL4_SysCount + 1);
    } while (number == seL4_SysDebugPutChar || number == seL4_SysDebugHalt);
    return number;
}

void init(void)
{
    for (uint64_t i = 0; i < CALLS; i++) {
        uint64_t argument[7] = {any_capability()};

        for (unsigned j = 1; j < 7; j++) {
            argument[j] = any_argument();
        }
        if (any() % 4 == 0) {
            argument[3] = any_capability(); /* NBSendRecv's */
            argument[2] = any_capability(); /* SchedContext's and TCBSetPriority's */
        }
        if (any() % 2 == 0) {
            argument[0] = any() % 2 == 0 ? 1 : 266 + any() % 70;
        }
        for (unsigned j = 0; j < seL4_MsgMaxLength; j++) {
            seL4_SetMR((int)j, any() % 3 == 0 ? any() : any_argument());
        }
        shared->calls++;
        call(any_number(), argument);
        shared->returns++;
    }
    check("hostile_calls_survived", shared->returns == CALLS);

    /* And all is as it was: a call to somebody who was called before with anything. */
    microkit_mr_set(0, 1234);
    microkit_msginfo reply = microkit_ppcall(0, microkit_msginfo_new(99, 1));
    check_equal("hostile_server_answers", microkit_msginfo_get_label(reply), 99);
    check_equal("hostile_server_words", microkit_mr_get(0), 1234);
}

void notified(microkit_channel ch)
{
    (void)ch;
}

seL4_Bool fault(microkit_child child, microkit_msginfo msginfo, microkit_msginfo *reply_msginfo)
{
    (void)child;
    (void)msginfo;
    (void)reply_msginfo;
    return false;
}
