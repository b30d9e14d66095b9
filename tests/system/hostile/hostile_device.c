/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A guest that does what a guest must not to a device that it was given, a clock (PL031), and to
 * that device's interrupt. It says on its UART how each of that ended, as hostile.c does, and goes
 * on for good with what keeps its monitor busiest: an interrupt that comes again at each end.
 * Nothing but the handler runs then. So until that, the handler disables it after some.
 */

#include "gic.h"
#include "guest.h"

#define INTID 96u /* the first of a machine's devices */

/* Arm DDI 0224, 3.3 */
#define RTC      0x09010000UL
#define RTC_DR   0x00
#define RTC_MR   0x04
#define RTC_IMSC 0x10
#define RTC_ICR  0x1c

#define WORD (INTID / 32 * 4) /* in registers of a bit for each interrupt */
#define BIT  (1u << (INTID % 32))

#define ISENABLER 0x100
#define ICENABLER 0x180
#define ISPENDR   0x200
#define ICPENDR   0x280
#define ISACTIVER 0x300
#define ICACTIVER 0x380
#define ICFGR     0xc00

#define PATIENCE 20000u /* milliseconds */

static volatile uint32_t interrupts, others, aborts;
static volatile uint32_t limit = UINT32_MAX; /* of `interrupts`: then it is disabled */
static volatile uint32_t held;               /* what has been taken and not ended; 0: nothing */
static volatile bool holds, takes_back;
static unsigned bad;

void on_abort(struct saved *saved);
void on_interrupt(void);
void hostile(const char *device_tree);

void on_abort(struct saved *saved)
{
    aborts++;
    saved->elr += 4;
}

void on_interrupt(void)
{
    uint32_t id = take_interrupt();

    if ((id & 0x3ff) != INTID) {
        others += (id & 0x3ff) < 1020;
        end_interrupt(id);
        return;
    }
    interrupts++;
    if (takes_back) {
        write32(RTC + RTC_ICR, 1);
    }
    if (interrupts >= limit) {
        write32(GICD + ICENABLER + WORD, BIT);
    }
    if (holds) {
        held = id;
    } else {
        end_interrupt(id);
    }
}

static void check(const char *step, bool as_expected, const char *why)
{
    print(as_expected ? "hostile: ok " : "hostile: BAD ");
    print(step);
    if (!as_expected) {
        bad++;
        print(": ");
        print(why);
    }
    print("\r\n");
}

/* The alarm is now, and what it asserts it never takes back by itself. */
static void ring(void)
{
    write32(RTC + RTC_IMSC, 1);
    write32(RTC + RTC_MR, read32(RTC + RTC_DR) + 1);
}

/* So many are to come, and no more. */
static void allow(uint32_t count)
{
    limit = interrupts + count;
    write32(GICD + ISENABLER + WORD, BIT);
}

/* Whether all that were allowed come. */
static bool come(void)
{
    for (uint64_t end = now() + milliseconds(PATIENCE); now() < end;) {
        if (interrupts >= limit) {
            return true;
        }
    }
    return false;
}

static void storm(void)
{
    allow(10000);
    ring();
    check("an alarm that is never taken back", come(), "it does not come again at its end");
}

/* All that the distributor can be told of it, with the alarm ringing. */
static void tell_the_distributor(void)
{
    static const uint32_t registers[] = {ISENABLER, ICENABLER, ISPENDR,
                                         ICPENDR,   ISACTIVER, ICACTIVER};
    uint32_t state = 1;
    bool all_come = true;

    for (unsigned burst = 0; burst < 200 && all_come; burst++) {
        __asm__ volatile("msr daifset, #2" ::: "memory");
        for (unsigned i = 0; i < 100; i++) {
            state = state * 1664525u + 1013904223u;
            write32(GICD + registers[(state >> 16) % 6] + WORD, BIT);
            if ((state >> 24) % 16 == 0) {
                write32(GICD + ICFGR + INTID / 16 * 4, state);
            }
        }
        write32(GICD + ICACTIVER + WORD, BIT);
        allow(5);
        __asm__ volatile("msr daifclr, #2" ::: "memory");
        all_come = come();
    }
    check("all that the distributor can be told", all_come, "the interrupt is lost");
}

static void never_end(void)
{
    uint32_t before;

    holds = true;
    allow(1);
    check("an interrupt is taken", come(), "none comes");
    before = interrupts;
    allow(1000);
    wait(3000);
    check("an interrupt that is not ended", interrupts == before, "it comes all the same");
    holds = false;
    end_interrupt(held);
    check("an interrupt that is ended late", come(), "it is lost");
}

static void take_back(void)
{
    uint32_t before;

    takes_back = true;
    allow(1000);
    wait(200);
    before = interrupts;
    wait(1000);
    check("an alarm that was taken back", interrupts == before, "it goes on");
    allow(1);
    ring();
    check("an alarm that rings anew", come(), "it is lost");
    takes_back = false;
}

static void odd_accesses(void)
{
    static uint8_t bytes[16] __attribute__((aligned(16)));

    aborts = 0;
    for (uintptr_t offset = 0; offset < 0x1000; offset += 16) {
        (void)read32(RTC + offset);
        (void)read8(RTC + offset + 3);
    }
    __asm__ volatile("ldp x0, x1, [%0]; stp x0, x1, [%1]" ::"r"(RTC + 0xfe0), "r"(bytes)
                     : "x0", "x1", "memory");
    aborts = 0;
    (void)read32(RTC + 0x1000);
    check("the page behind the device", aborts == 1, "something is there");
}

void hostile(const char *device_tree)
{
    (void)device_tree;
    print("hostile: begins\r\n");
    write32(GICD + 0x80 + WORD, is_gicv3() ? BIT : 0); /* GICD_IGROUPR */
    write32(GICD, 3);
    open_interface();
    __asm__ volatile("msr daifclr, #2" ::: "memory");
    odd_accesses();
    storm();
    tell_the_distributor();
    never_end();
    take_back();
    check("no other interrupts", others == 0, "some came");
    print("hostile: done, ");
    print_number(bad);
    print(" bad\r\n");
    allow(UINT32_MAX / 2);
    ring();
    for (;;) {
        write32(GICD + ICPENDR + WORD, BIT);
        write32(GICD + ISENABLER + WORD, BIT);
    }
}
