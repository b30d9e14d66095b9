/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the generator tells a switch. */

#include <stdbool.h>
#include <stdint.h>
#include "lib/stats.h"

#define SWITCH_MAX_PORTS 48
#define SWITCH_VLAN_NONE 0u /* the port is on no VLAN: frames pass as they are */
/* The driver of its uplink's card is its child PD of this number. */
#define SWITCH_DRIVER_CHILD 0u

enum switch_path { SWITCH_PATH_ISOLATED = 0, SWITCH_PATH_VHOST, SWITCH_PATH_UPLINK };

struct switch_port_config {
    const char *name; /* the VM's, or "uplink" */
    enum switch_path path;
    uint8_t channel;
    bool mac_fixed; /* frames from any other source address than `mac` are dropped */
    uint8_t mac[6];
    uint64_t may_reach;          /* bit p: frames from here may go to port p */
    uint16_t access_vlan;        /* 1..4094, or SWITCH_VLAN_NONE */
    const uint16_t *trunk_vlans; /* a trunk port's VLANs, ended by 0; NULL if not a trunk */
    uint32_t
        flood_limit;  /* uplink: storm control, frames for several ports per second; 0: no limit */
    void *vhost_page; /* vhost: see lib/vhost.h */
    void *ram;        /* vhost: the guest's RAM in this PD */
    uint64_t ram_gpa;
    uint64_t ram_size;
    void *from_port;    /* ring region: port -> switch (isolated, uplink) */
    void *to_port;      /* ring region: switch -> port (isolated, uplink) */
    uint32_t ring_size; /* bytes of data in each */

    /* Limits: port_limit.h. */
    uint64_t send_rate;    /* of what the port sends, bytes per second; 0: none */
    uint64_t receive_rate; /* of what it receives */
    uint32_t burst_us; /* what may pass at once: what the rate allows in so many us, 1 s at most */
    void *queue;       /* with a receive_rate: a ring region of the switch's own */
    uint32_t queue_size; /* bytes of data in it */
};

struct switch_config {
    const char *name;
    uint16_t mtu;         /* of all ports: NET_MTU_MIN .. NET_MTU_MAX of lib/net_port.h */
    uint32_t age_seconds; /* ageing time of learnt addresses; 0: they are kept */
    int16_t mirror_port;  /* gets a copy of every frame; -1: none */
    void *log;            /* ring region: switch -> console, a stream; NULL: none */
    uint32_t log_size;
    uint8_t log_channel;
    bool has_timer; /* false: no port has a limit, and the switch serves until nothing is left */
    uint8_t timer_channel;
    struct stats_port *stats; /* what is counted of each port, for others to read */
    uint8_t port_count;
    struct switch_port_config ports[SWITCH_MAX_PORTS];
};

extern const struct switch_config switch_config;
