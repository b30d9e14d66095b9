/* SPDX-License-Identifier: BSD-2-Clause */

#include "table.h"

#include <stddef.h>
#include <string.h>

#define BUCKET_BITS 12
#define ANY_VLAN    0xfffu /* no VLAN's number (IEEE 802.1Q, table 9-2) */

static uint64_t key_of(uint64_t mac, uint16_t vlan)
{
    return mac | (uint64_t)vlan << 48;
}
void table_init(struct table *table, uint64_t age, uint64_t seed)
{
    memset(table, 0, sizeof(*table));
    table->age = age;
    /* Any odd number will do; this one, 2^64 divided by the golden ratio, spreads well. */
    table->multiplier = (0x9e3779b97f4a7c15ULL ^ (seed << 1)) | 1;
}

void table_allot(struct table *table, uint8_t port, uint32_t quota)
{
    uint32_t left = TABLE_ENTRIES - table->allotted;

    quota = quota < left ? quota : left;
    table->shares[port].first = (uint16_t)table->allotted;
    table->shares[port].quota = (uint16_t)quota;
    table->allotted += quota;
}

_Static_assert(TABLE_BUCKETS == 1u << BUCKET_BITS, "bucket_of takes so many bits");

static uint16_t *bucket_of(struct table *table, uint64_t key)
{
    return &table->buckets[key * table->multiplier >> (64 - BUCKET_BITS)];
}

static struct table_entry *find(const struct table *table, uint64_t key)
{
    uint16_t at = *bucket_of((struct table *)table, key);

    while (at != 0) {
        const struct table_entry *entry = &table->entries[at - 1];

        if (entry->key == key) {
            return (struct table_entry *)entry;
        }
        at = entry->next;
    }
    return NULL;
}

static void unlink_entry(struct table *table, struct table_entry *entry)
{
    uint16_t number = (uint16_t)(entry - table->entries + 1);
    uint16_t *link = bucket_of(table, entry->key);

    while (*link != number) {
        link = &table->entries[*link - 1].next;
    }
    *link = entry->next;
}

/* The next of the port's entries that may move, found behind the hand, or NULL: all are fixed. */
static struct table_entry *recycle(struct table *table, struct table_share *share)
{
    for (uint32_t tries = 0; tries < share->quota; tries++) {
        struct table_entry *entry = &table->entries[share->first + share->hand];

        share->hand = share->hand + 1u < share->quota ? (uint16_t)(share->hand + 1u) : 0;
        if (!entry->fixed) {
            unlink_entry(table, entry);
            return entry;
        }
    }
    return NULL;
}

static struct table_entry *take_entry(struct table *table, struct table_share *share)
{
    if (share->free != 0) {
        struct table_entry *entry = &table->entries[share->free - 1];

        share->free = entry->next;
        return entry;
    }
    if (share->used < share->quota) {
        return &table->entries[share->first + share->used++];
    }
    return recycle(table, share);
}

static bool insert(struct table *table, uint64_t key, uint8_t port, uint64_t now, bool fixed)
{
    struct table_entry *entry = take_entry(table, &table->shares[port]);

    if (entry == NULL) {
        return false;
    }

    uint16_t *bucket = bucket_of(table, key);

    entry->key = key;
    entry->seen = now;
    entry->port = port;
    entry->fixed = fixed;
    entry->next = *bucket;
    *bucket = (uint16_t)(entry - table->entries + 1);
    return true;
}

static void remove_entry(struct table *table, struct table_entry *entry)
{
    struct table_share *share = &table->shares[entry->port];

    unlink_entry(table, entry);
    entry->next = share->free;
    share->free = (uint16_t)(entry - table->entries + 1);
}

bool table_fix(struct table *table, uint64_t mac, uint8_t port)
{
    struct table_entry *entry = find(table, key_of(mac, ANY_VLAN));

    if (entry != NULL) {
        remove_entry(table, entry);
    }
    table->has_fixed = true;
    return insert(table, key_of(mac, ANY_VLAN), port, 0, true);
}

bool table_learn(struct table *table, uint64_t mac, uint16_t vlan, uint8_t port, uint64_t now)
{
    uint64_t key = key_of(mac, vlan);
    struct table_entry *entry = find(table, key);

    if (entry != NULL && entry->port == port) {
        entry->seen = now;
        return true;
    }
    if (table->has_fixed && find(table, key_of(mac, ANY_VLAN)) != NULL) {
        return false;
    }
    if (entry != NULL) {
        remove_entry(table, entry);
    }
    insert(table, key, port, now, false);
    return true;
}

int table_find(const struct table *table, uint64_t mac, uint16_t vlan, uint64_t now)
{
    const struct table_entry *entry = NULL;

    if (table->has_fixed) {
        entry = find(table, key_of(mac, ANY_VLAN));
    }
    if (entry != NULL) {
        return entry->port;
    }
    entry = find(table, key_of(mac, vlan));
    if (entry == NULL || (table->age != 0 && now - entry->seen > table->age)) {
        return TABLE_NOT_FOUND;
    }
    return entry->port;
}

uint32_t table_count(const struct table *table, uint8_t port)
{
    const struct table_share *share = &table->shares[port];
    uint32_t count = share->used;

    for (uint16_t at = share->free; at != 0; at = table->entries[at - 1].next) {
        count--;
    }
    return count;
}
