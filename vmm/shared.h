/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Memory that several machines share, as this machine has it: the device of each region, by which
 * machines ring each other. The guests have the memory itself, and the monitors do not. What the
 * registers are: docs/shared.md.
 *
 * A device's registers are a page of memory, which the guest reads without an exit. The monitors of
 * the others have that page, too, read-only. So what is said between monitors is words in these
 * pages, each written by one monitor, and a notification:
 *
 *   - To ring, a monitor adds one to its word for that machine, and then notifies that machine's
 *     monitor, unless that one's page says that it is busy.
 *   - A monitor that is notified compares the others' words with what they were, and interrupts its
 *     guest if one has changed. It is busy from then until the guest has ended the interrupt. Then
 *     it compares the words again.
 *
 * So a guest that rings for ever has another one's monitor notified once for each interrupt that
 * the other guest ends. All the rest of what it does costs its own machine's time.
 */

#include <microkit.h>
#include <stdbool.h>
#include <stdint.h>
#include "config.h"

#define SHARED_SIZE 4096u /* of the registers */

/* Put the devices of all regions on the bus. Call vgic_init first. `config` is kept. */
void shared_init(const struct vmm_config *config);

/* The machine has stopped, or restarts. The others are told. */
void shared_reset(void);

/* Another monitor has notified. Returns false if that channel is none of the regions'. */
bool shared_notified(microkit_channel channel);

/* An event has been handled, in which the guest may have ended interrupts. */
void shared_settle(void);
