/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What becomes of a frame: IEEE 802.1Q's relay, with permissions. */

#include <stdint.h>
#include "port.h"
#include "table.h"

struct forward {
    struct port *ports;
    struct port *mirror;    /* gets a copy of every frame; NULL: none */
    uint64_t live;          /* ports that work */
    uint64_t touched;       /* ports that were sent something since somebody cleared this */
    uint64_t fixed;         /* ports with a fixed address */
    uint64_t vlan_aware;    /* ports where a tag means a VLAN */
    uint64_t members[4096]; /* the ports on each VLAN; on SWITCH_VLAN_NONE: those on none */
    struct table table;
};

/*
 * Decide on a frame from `from`, and copy it to all that shall have it. `now` is in ticks. What
 * that took beyond the copying is added to the frame's `work`.
 */
void forward_frame(struct forward *forward, struct port *from, struct frame *frame, uint64_t now);

/* A cause in words. */
const char *forward_drop_name(enum drop cause);
