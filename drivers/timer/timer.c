/* SPDX-License-Identifier: BSD-2-Clause */

/* The timer driver: one deadline for each client, the earliest in the hardware. */

#include <microkit.h>
#include "cntp.h"
#include "config.h"
#include "lib/cpu.h"
#include "protocol.h"

/*
 * In ticks, hours: no deadline is put into the hardware further ahead than this. Far beyond it a
 * comparison of 64-bit counters may take the future for the past, and the interrupt would never
 * cease.
 */
#define HORIZON (1ULL << 40)

static uint64_t deadlines[MICROKIT_MAX_CHANNELS];

static uint32_t client_count(void)
{
    return timer_config.client_count < MICROKIT_MAX_CHANNELS ? timer_config.client_count
                                                             : MICROKIT_MAX_CHANNELS;
}

static void arm_earliest(uint64_t now)
{
    uint64_t earliest = TIMER_NEVER;

    for (uint32_t i = 0; i < client_count(); i++) {
        if (deadlines[i] < earliest) {
            earliest = deadlines[i];
        }
    }
    if (earliest == TIMER_NEVER) {
        cntp_disarm();
        return;
    }
    cntp_arm(earliest > now && earliest - now > HORIZON ? now + HORIZON : earliest);
}

static void notify_expired(uint64_t now)
{
    for (uint32_t i = 0; i < client_count(); i++) {
        if (deadlines[i] <= now) {
            deadlines[i] = TIMER_NEVER;
            microkit_notify(i);
        }
    }
}

void init(void)
{
    for (uint32_t i = 0; i < MICROKIT_MAX_CHANNELS; i++) {
        deadlines[i] = TIMER_NEVER;
    }
    cntp_disarm();
}

void notified(microkit_channel ch)
{
    if (ch != timer_config.irq_channel) {
        return;
    }

    uint64_t now = cpu_counter();

    notify_expired(now);
    arm_earliest(now);
    microkit_deferred_irq_ack(ch);
}

microkit_msginfo protected(microkit_channel ch, microkit_msginfo msginfo)
{
    if (ch >= client_count() || microkit_msginfo_get_label(msginfo) != TIMER_SET ||
        microkit_msginfo_get_count(msginfo) != 1) {
        return microkit_msginfo_new(1, 0);
    }

    uint64_t now = cpu_counter();
    uint64_t deadline = microkit_mr_get(0);

    if (deadline <= now) {
        deadline = TIMER_NEVER;
        microkit_notify(ch);
    }
    deadlines[ch] = deadline;
    arm_earliest(now);
    return microkit_msginfo_new(0, 0);
}
