/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Tells a monitor when a turn is over: when each vCPU of its machine's priority that was ready has
 * had a time slice.
 *
 * A microkernel charges a thread for what the thread does itself. It charges no vCPU for what a
 * monitor does for its guest. So a guest that exits all the time would have more of the core than
 * an equal that computes. The monitor therefore throttles its machine for a turn once it has worked
 * for as long as a time slice (vmm/throttle.h). Only the scheduler knows when a turn is over, and
 * whether an equal is ready at all. This PD has the priority of the vCPUs. When it yields, each
 * equal that is ready runs for a time slice before this PD runs again. Where none is ready, it goes
 * on at once. On a board with several cores there is one for each core and priority that needs it:
 * a monitor asks the one on its own core, whose time it has taken.
 *
 * A client asks with a notification, and is answered with one. Clients that ask while another waits
 * share its turn. Microkit hands notifications over one by one, and does not say which is the last.
 * So this PD asks the timer driver for one more: when that comes, all that came with the first have
 * been handed over.
 *
 * Where the timer's driver is in another domain, it would answer too late. There a client has a
 * turn of its own, and waits for those before.
 *
 * It trusts nobody. A client can make itself wait. It can make others wait for no longer than a
 * call of the timer driver takes, or, without that, for its own turn.
 */

#include <microkit.h>
#include "config.h"
#include "drivers/timer/protocol.h"

static uint64_t waiting; /* bit c: the client on channel c */

/* Have the timer driver notify this PD at once. */
static void request_notification(void)
{
    microkit_mr_set(0, 0);
    microkit_ppcall(turn_config.timer_channel, microkit_msginfo_new(TIMER_SET, 1));
}

static void yield_to_equals(void)
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
    if (turn_config.has_timer && ch == turn_config.timer_channel) {
        yield_to_equals();
    } else if (ch < turn_config.client_count) {
        if (turn_config.has_timer && waiting == 0) {
            request_notification();
        }
        waiting |= 1ull << ch;
        if (!turn_config.has_timer) {
            yield_to_equals();
        }
    }
}
