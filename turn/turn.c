/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Tells a monitor when the machines of its machine's priority have had their turn.
 *
 * A microkernel charges a thread for what it does itself. What a monitor does for its guest is
 * nobody's turn, so a guest that exits all the time would have more of the core than an equal that
 * computes. The monitor therefore holds its vCPUs for a turn once it has worked for as long as a
 * turn lasts (vmm/throttle.h). Only the scheduler knows when a turn is over, and whether anybody
 * wants it. This PD has the vCPUs' priority: when it yields, each equal that is ready runs for a
 * time slice before it runs again; where none is ready, it goes on at once.
 *
 * A client asks by a notification, and has its answer by one. Clients that ask while another waits
 * share its turn. Microkit hands notifications over one by one and does not say which is the last,
 * so the timer driver is asked for one more: by then all that came with the first are known.
 *
 * It trusts nobody. A client can only make itself wait, and others for no longer than it takes to
 * ask the timer driver.
 */

#include <microkit.h>
#include "config.h"
#include "drivers/timer/protocol.h"

static uint64_t waiting; /* bit c: the client on channel c */

/* Have the timer driver notify this PD at once. */
static void ask_for_one_more(void)
{
    microkit_mr_set(0, 0);
    microkit_ppcall(turn_config.timer_channel, microkit_msginfo_new(TIMER_SET, 1));
}

static void pass_on(void)
{
    uint64_t clients = waiting;

    waiting = 0;
    seL4_Yield();
    for (; clients != 0; clients &= clients - 1) {
        microkit_notify((microkit_channel)__builtin_ctzll(clients));
    }
}

void init(void)
{
}

void notified(microkit_channel ch)
{
    if (ch == turn_config.timer_channel) {
        pass_on();
    } else if (ch < turn_config.client_count) {
        if (waiting == 0) {
            ask_for_one_more();
        }
        waiting |= 1ull << ch;
    }
}
