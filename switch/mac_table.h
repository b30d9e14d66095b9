/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The MAC address table: which port an address was last seen on, for each VLAN (independent
 * learning, IEEE 802.1Q). Every port has a quota of entries of its own. A port that invents
 * addresses replaces its own entries, never those of another port.
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
 * An address is a number here: its six bytes in little-endian order, so the first on the wire is
 * the least significant. A static address, which the configuration gives, belongs to its port on
 * all VLANs.
 */

struct mac_table_entry {
    uint64_t key;       /* the address and, above it, the VLAN */
    uint64_t last_seen; /* in ticks */
    uint16_t next;      /* in its bucket or its port's list of free entries, plus one; 0: last */
    uint8_t port;
    bool is_static; /* from the configuration: never ages, never moves; on ANY_VLAN */
};

struct mac_table_share {
    uint16_t first; /* the port's entries are first .. first + quota - 1 */
    uint16_t quota;
    uint16_t used; /* this many of them have ever been used, in order */
    uint16_t hand; /* clock hand: the next entry to be replaced */
    uint16_t free; /* list of entries given back, plus one; 0: empty */
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

/* Reserve `quota` entries for `port`, or as many as are left. */
void mac_table_reserve(struct mac_table *table, uint8_t port, uint32_t quota);

/* Make `mac` a static address of `port`. Takes one of the port's entries; false: none is left. */
bool mac_table_add_static(struct mac_table *table, uint64_t mac, uint8_t port);

/* `mac` has been seen on `port` at `now`, in ticks. Returns false if it is a static address. */
bool mac_table_learn(struct mac_table *table, uint64_t mac, uint16_t vlan, uint8_t port,
                     uint64_t now);

/* The port of `mac`, or MAC_TABLE_NOT_FOUND. */
int mac_table_find(const struct mac_table *table, uint64_t mac, uint16_t vlan, uint64_t now);

/* How many addresses are held for `port`, aged ones included. */
uint32_t mac_table_count(const struct mac_table *table, uint8_t port);
