/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Which port an address was last seen on, for each VLAN. Every port has entries of its own and
 * gives up only those: however many addresses a port invents, what is known of the others stays.
 */

#include <stdbool.h>
#include <stdint.h>
#include "config.h"

#define MAC_TABLE_QUOTA        64u   /* addresses learnt from a VM's port */
#define MAC_TABLE_QUOTA_UPLINK 1024u /* and from the world outside */
#define MAC_TABLE_ENTRIES      8192u
#define MAC_TABLE_BUCKETS      4096u
#define MAC_TABLE_NOT_FOUND    (-1)
#define MAC_GROUP              1u /* the bit of an address that makes it a group's */

/*
 * An address is a number here: its six bytes as they lie in memory, the first the least
 * significant. An address that the configuration gives to a port belongs to it on all VLANs.
 */

struct mac_table_entry {
    uint64_t key;       /* the address and, above it, the VLAN */
    uint64_t last_seen; /* in ticks */
    uint16_t next;      /* in its bucket or its port's list of free entries, plus one; 0: last */
    uint8_t port;
    bool is_static; /* given by the configuration: never ages, never moves; on ANY_VLAN */
};

struct mac_table_share {
    uint16_t first; /* the port's entries are first .. first + quota - 1 */
    uint16_t quota;
    uint16_t used; /* so many of them have ever been used, in order */
    uint16_t hand; /* the next to be used again */
    uint16_t free; /* given back, plus one; 0: none */
};

struct mac_table {
    uint64_t ageing_time; /* in ticks; 0: never forgets */
    uint64_t multiplier;
    uint32_t reserved;
    bool has_static;
    struct mac_table_share shares[SWITCH_MAX_PORTS];
    uint16_t buckets[MAC_TABLE_BUCKETS]; /* entry plus one; 0: empty */
    struct mac_table_entry entries[MAC_TABLE_ENTRIES];
};

/* `seed` makes it hard to guess which addresses share a bucket. */
void mac_table_init(struct mac_table *table, uint64_t ageing_time, uint64_t seed);

/* Give `port` entries of its own; fewer than `quota` if there are not so many left. */
void mac_table_reserve(struct mac_table *table, uint8_t port, uint32_t quota);

/* Make `mac` the address of `port` for good. Takes an entry; false if none is left. */
bool mac_table_add_static(struct mac_table *table, uint64_t mac, uint8_t port);

/* `mac` has been seen on `port` at `now`. Returns false if it belongs to a port for good. */
bool mac_table_learn(struct mac_table *table, uint64_t mac, uint16_t vlan, uint8_t port,
                     uint64_t now);

/* The port of `mac`, or MAC_TABLE_NOT_FOUND. */
int mac_table_find(const struct mac_table *table, uint64_t mac, uint16_t vlan, uint64_t now);

/* How many addresses are held for `port`, aged ones included. */
uint32_t mac_table_count(const struct mac_table *table, uint8_t port);
