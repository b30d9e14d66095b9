/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PROVES: switch/forward.c switch/frame.h
 * ONLY: validate validate_offloads requests_offload reject pop_tag classify learn_source
 * ONLY: frame_is_tagged frame_seems_tagged frame_ethertype frame_shift_offsets frame_source
 * EVA:
 * COVERAGE: 98
 *
 * The way of any frame in, of any length and with any header and tag, from a port of any kind. What
 * the port and the VLANs are is the configuration's.
 */

#include "prelude.h"
#include "lib/net_port.h"

#include "lib/log.h"

#include "lib/offload.c"

#include "switch/mac_table.h"

/* Assumption: the log takes any text, and changes nothing of the switch's. */
/*@ assigns \nothing; */
void log_limited(const char *format, ...);

/* Assumption: tests/unit/test_mac_table.c; what it learns decides on nothing here. */
/*@ assigns \result \from mac, vlan, port, now;
    ensures \result == 0 || \result == 1;
 */
bool mac_table_learn(struct mac_table *table, uint64_t mac, uint16_t vlan, uint8_t port,
                     uint64_t now);

#include "switch/forward.c"

static struct forward forward;
static struct port from;
static struct frame frame;

int main(void)
{
    static struct switch_port_config config;
    static struct stats_port stats;
    uint16_t priority;
    uint16_t vlan;

    config.name = "vm0";
    config.mac_fixed = any() == 0;
    make_any(&stats, sizeof(stats));
    make_any(forward.members, sizeof(forward.members));
    from.config = &config;
    from.stats = &stats;
    from.index = (uint8_t)(any() % 64);
    from.trunk = any() == 0;
    from.vlan_aware = any() == 0;
    from.native = (uint16_t)any() & VID_MASK;
    from.mtu = (uint16_t)any();
    from.mac = any();
    make_any(&frame.head, sizeof(frame.head));
    frame.length = (uint32_t)any();
    frame.error = any() == 0 ? NULL : "the port rejects it";
    if (validate(&from, &frame) && classify(&forward, &from, &frame, &vlan, &priority)) {
        learn_source(&forward, &from, &frame, vlan, any());
    }
    return 0;
}
