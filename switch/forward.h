/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What becomes of a frame: IEEE 802.1Q's relay, with a list of ports that each port may reach. */

#include <stdint.h>
#include "mac_table.h"
#include "port.h"

struct forward {
    struct port *ports;
    struct port *mirror; /* gets a copy of every frame; NULL: none */
    uint64_t up;         /* ports that are up */
    uint64_t sent_to;    /* ports that a frame was for since somebody cleared this */
    uint64_t receivers;  /* that the last frame has gone to */
    uint64_t uplinks;
    uint64_t static_ports;  /* ports whose address the configuration gives */
    uint64_t vlan_aware;    /* ports where a tag means a VLAN */
    uint64_t members[4096]; /* the ports on each VLAN; on SWITCH_VLAN_NONE: those on none */
    struct mac_table table;
};

/*
 * Decide which ports get a frame from `from`, and copy it to each of them. `now` is in ticks. Work
 * beyond the copying is added to the frame's `work`. The caller counts the frame as sent by `from`;
 * what is joined to it is counted here.
 */
void forward_frame(struct forward *forward, struct port *from, struct frame *frame, uint64_t now);

/* A cause in words. */
const char *forward_drop_name(enum drop cause);
