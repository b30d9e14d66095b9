/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A guest that crashes, in the way that its boot arguments name:
 *
 *     crasher.hang      it starts its watchdog, a second vCPU if it has one, and loops on both with
 *                       interrupts masked;
 *     crasher.loop      it loops likewise, without a watchdog;
 *     crasher.panic     it says by pvpanic that it has panicked, again and again;
 *     crasher.vectors   it has an exception, and no vectors.
 */

#include "guest.h"

#define WATCHDOG    0x09020000UL
#define WDOGLOAD    0x000
#define WDOGCONTROL 0x008
#define PVPANIC     0x09060000UL

void on_abort(struct saved *saved)
{
    saved->elr += 4;
}

void on_interrupt(void)
{
}

/* In start.S. It is hidden so that its address is taken from here, and not from a table. */
void second_start(void) __attribute__((visibility("hidden")));

static void loop(void)
{
    for (;;) {
    }
}

void hostile(const char *device_tree)
{
    print("crasher: begins\r\n");
    bool hangs = has_argument(device_tree, "crasher.hang");
    if (hangs || has_argument(device_tree, "crasher.loop")) {
        (void)smc(PSCI_CPU_ON, 1, (uintptr_t)second_start, (uintptr_t)loop);
        if (hangs) {
            write32(WATCHDOG + WDOGLOAD, ~0u);
            write32(WATCHDOG + WDOGCONTROL, 3);
        }
        loop();
    }
    if (has_argument(device_tree, "crasher.panic")) {
        for (;;) {
            write8(PVPANIC, 1);
        }
    }
    __asm__ volatile("msr vbar_el1, %0; isb; brk #0" ::"r"(0UL));
}
