/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Which port an address was last seen on, for each VLAN. Every port has entries of its own and
 * gives up only those: however many addresses a port invents, what is known of the others stays.
 */

#include <stdbool.h>
#include <stdint.h>
#include "config.h"

#define TABLE_QUOTA        64u   /* addresses learnt from a VM's port */
#define TABLE_QUOTA_UPLINK 1024u /* and from the world outside */
#define TABLE_ENTRIES      8192u
#define TABLE_BUCKETS      4096u
#define TABLE_NOT_FOUND    (-1)
#define TABLE_MAC_GROUP    1u /* the bit of an address that makes it a group's */

/*
 * An address is a number here: its six bytes as they lie in memory, the first the least
 * significant. An address that the configuration gives to a port belongs to it on all VLANs.
 */

struct table_entry {
    uint64_t key;  /* the address and, above it, the VLAN */
    uint64_t seen; /* in ticks */
    uint16_t next; /* in its bucket or its port's list of free entries, plus one; 0: last */
    uint8_t port;
    bool fixed; /* given by the configuration: never ages, never moves; on ANY_VLAN */
};

struct table_share {
    uint16_t first; /* the port's entries are first .. first + quota - 1 */
    uint16_t quota;
    uint16_t used; /* so many of them have ever been used, in order */
    uint16_t hand; /* the next to be used again */
    uint16_t free; /* given back, plus one; 0: none */
};

struct table {
    uint64_t age; /* in ticks; 0: never forgets */
    uint64_t multiplier;
    uint32_t allotted;
    bool has_fixed;
    struct table_share shares[SWITCH_MAX_PORTS];
    uint16_t buckets[TABLE_BUCKETS]; /* entry plus one; 0: empty */
    struct table_entry entries[TABLE_ENTRIES];
};

/* `seed` makes it hard to guess which addresses share a bucket. */
void table_init(struct table *table, uint64_t age, uint64_t seed);

/* Give `port` entries of its own; fewer than `quota` if there are not so many left. */
void table_allot(struct table *table, uint8_t port, uint32_t quota);

/* Make `mac` the address of `port` for good. Takes an entry; false if none is left. */
bool table_fix(struct table *table, uint64_t mac, uint8_t port);

/* `mac` has been seen on `port` at `now`. Returns false if it belongs to a port for good. */
bool table_learn(struct table *table, uint64_t mac, uint16_t vlan, uint8_t port, uint64_t now);

/* The port of `mac`, or TABLE_NOT_FOUND. */
int table_find(const struct table *table, uint64_t mac, uint16_t vlan, uint64_t now);

/* How many addresses are held for `port`, aged ones included. */
uint32_t table_count(const struct table *table, uint8_t port);
