/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A monitor that has been taken over, in place of a machine's own. It never waits. With PESTER it
 * makes the programs work that it has channels to: it calls the timer driver, and notifies all
 * others.
 */

#include <microkit.h>

#define TIMER_CHANNEL 0 /* as the generator numbers them; calling another would be a fault */
#define CHANNELS      62

void init(void)
{
    for (;;) {
#ifdef PESTER
        microkit_mr_set(0, 0);
        microkit_ppcall(TIMER_CHANNEL, microkit_msginfo_new(1, 1));
        for (microkit_channel ch = 1; ch < CHANNELS; ch++) {
            if (microkit_notifications >> ch & 1) {
                microkit_notify(ch);
            }
        }
#endif
    }
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
    return seL4_False;
}
