/* SPDX-License-Identifier: BSD-2-Clause */

/* The timer driver: one deadline for each client, the earliest in the chip. */

#include <microkit.h>
#include <stddef.h>
#include "chip.h"
#include "config.h"
#include "lib/cpu.h"
#include "lib/log.h"
#include "protocol.h"

/*
 * In ticks, hours: the chip is not armed further ahead than this. Far beyond it a comparison of
 * 64-bit counters may take the future for the past, and the interrupt would never cease.
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
        chip_disarm();
        return;
    }
    chip_arm(earliest > now && earliest - now > HORIZON ? now + HORIZON : earliest, now);
}

static bool has_word(uint32_t client)
{
    return client < timer_config.word_count && timer_config.words[client] != NULL;
}

/* What the client's word says now. The client may write it at any time. */
static uint64_t read_word(uint32_t client)
{
    return __atomic_load_n(timer_config.words[client], __ATOMIC_RELAXED);
}

static void set_deadline(uint32_t client, uint64_t deadline, uint64_t now)
{
    if (deadline <= now) {
        deadline = TIMER_NEVER;
        microkit_notify(client);
    }
    deadlines[client] = deadline;
}

static void notify_expired(uint64_t now)
{
    for (uint32_t i = 0; i < client_count(); i++) {
        if (deadlines[i] <= now) {
            set_deadline(i, has_word(i) ? read_word(i) : deadlines[i], now);
        }
    }
}

void init(void)
{
    log_init("timer", NULL, 0);
    for (uint32_t i = 0; i < MICROKIT_MAX_CHANNELS; i++) {
        deadlines[i] = TIMER_NEVER;
    }

    const char *cause = chip_start(timer_config.registers);

    if (cause != NULL) {
        log_printf("no timer, so nobody is woken: %s", cause);
    }
}

/*
 * Nobody counts interrupts for which no deadline has passed: a client can bring about as many as it
 * likes, by putting its deadline off when it is due, and must not have the others' timer given up.
 */
void notified(microkit_channel ch)
{
    if (ch < client_count() && has_word(ch)) {
        uint64_t now = cpu_counter();

        set_deadline(ch, read_word(ch), now);
        arm_earliest(now);
    }
    if (ch != timer_config.irq_channel) {
        return;
    }
    if (!chip_acknowledge()) {
        log_printf("the device's interrupt does not end: it stays off, and nobody is woken");
        return;
    }

    uint64_t now = cpu_counter();

    notify_expired(now);
    arm_earliest(now);
    microkit_deferred_irq_ack(ch);
}

microkit_msginfo protected(microkit_channel ch, microkit_msginfo msginfo)
{
    if (ch >= client_count() || has_word(ch) || microkit_msginfo_get_label(msginfo) != TIMER_SET ||
        microkit_msginfo_get_count(msginfo) != 1) {
        return microkit_msginfo_new(1, 0);
    }

    uint64_t now = cpu_counter();

    set_deadline(ch, microkit_mr_get(0), now);
    arm_earliest(now);
    return microkit_msginfo_new(0, 0);
}
