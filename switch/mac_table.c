/* SPDX-License-Identifier: BSD-2-Clause */

#include "mac_table.h"

#include <stddef.h>
#include <string.h>

#define BUCKET_BITS 12
#define ANY_VLAN    0xfffu /* no VLAN's number (IEEE 802.1Q, table 9-2) */

static uint64_t key_of(uint64_t mac, uint16_t vlan)
{
    return mac | (uint64_t)vlan << 48;
}
void mac_table_init(struct mac_table *table, uint64_t ageing_time, uint64_t seed)
{
    memset(table, 0, sizeof(*table));
    table->ageing_time = ageing_time;
    /* Any odd number will do; this one, 2^64 divided by the golden ratio, spreads well. */
    table->multiplier = (0x9e3779b97f4a7c15ULL ^ (seed << 1)) | 1;
}

void mac_table_reserve(struct mac_table *table, uint8_t port, uint32_t quota)
{
    uint32_t left = MAC_TABLE_ENTRIES - table->reserved;

    quota = quota < left ? quota : left;
    table->shares[port].first = (uint16_t)table->reserved;
    table->shares[port].quota = (uint16_t)quota;
    table->reserved += quota;
}

_Static_assert(MAC_TABLE_BUCKETS == 1u << BUCKET_BITS, "bucket_of takes so many bits");

static uint16_t *bucket_of(struct mac_table *table, uint64_t key)
{
    return &table->buckets[key * table->multiplier >> (64 - BUCKET_BITS)];
}

static struct mac_table_entry *find(const struct mac_table *table, uint64_t key)
{
    uint16_t at = *bucket_of((struct mac_table *)table, key);

    while (at != 0) {
        const struct mac_table_entry *entry = &table->entries[at - 1];

        if (entry->key == key) {
            return (struct mac_table_entry *)entry;
        }
        at = entry->next;
    }
    return NULL;
}

static void unlink_entry(struct mac_table *table, struct mac_table_entry *entry)
{
    uint16_t number = (uint16_t)(entry - table->entries + 1);
    uint16_t *link = bucket_of(table, entry->key);

    while (*link != number) {
        link = &table->entries[*link - 1].next;
    }
    *link = entry->next;
}

/* The next of the port's entries that may move, found behind the hand, or NULL: all are fixed. */
static struct mac_table_entry *recycle(struct mac_table *table, struct mac_table_share *share)
{
    for (uint32_t tries = 0; tries < share->quota; tries++) {
        struct mac_table_entry *entry = &table->entries[share->first + share->hand];

        share->hand = share->hand + 1u < share->quota ? (uint16_t)(share->hand + 1u) : 0;
        if (!entry->is_static) {
            unlink_entry(table, entry);
            return entry;
        }
    }
    return NULL;
}

static struct mac_table_entry *take_entry(struct mac_table *table, struct mac_table_share *share)
{
    if (share->free != 0) {
        struct mac_table_entry *entry = &table->entries[share->free - 1];

        share->free = entry->next;
        return entry;
    }
    if (share->used < share->quota) {
        return &table->entries[share->first + share->used++];
    }
    return recycle(table, share);
}

static bool insert(struct mac_table *table, uint64_t key, uint8_t port, uint64_t now,
                   bool is_static)
{
    struct mac_table_entry *entry = take_entry(table, &table->shares[port]);

    if (entry == NULL) {
        return false;
    }

    uint16_t *bucket = bucket_of(table, key);

    entry->key = key;
    entry->last_seen = now;
    entry->port = port;
    entry->is_static = is_static;
    entry->next = *bucket;
    *bucket = (uint16_t)(entry - table->entries + 1);
    return true;
}

static void remove_entry(struct mac_table *table, struct mac_table_entry *entry)
{
    struct mac_table_share *share = &table->shares[entry->port];

    unlink_entry(table, entry);
    entry->next = share->free;
    share->free = (uint16_t)(entry - table->entries + 1);
}

bool mac_table_add_static(struct mac_table *table, uint64_t mac, uint8_t port)
{
    struct mac_table_entry *entry = find(table, key_of(mac, ANY_VLAN));

    if (entry != NULL) {
        remove_entry(table, entry);
    }
    table->has_static = true;
    return insert(table, key_of(mac, ANY_VLAN), port, 0, true);
}

bool mac_table_learn(struct mac_table *table, uint64_t mac, uint16_t vlan, uint8_t port,
                     uint64_t now)
{
    uint64_t key = key_of(mac, vlan);
    struct mac_table_entry *entry = find(table, key);

    if (entry != NULL && entry->port == port) {
        entry->last_seen = now;
        return true;
    }
    if (table->has_static && find(table, key_of(mac, ANY_VLAN)) != NULL) {
        return false;
    }
    if (entry != NULL) {
        remove_entry(table, entry);
    }
    insert(table, key, port, now, false);
    return true;
}

int mac_table_find(const struct mac_table *table, uint64_t mac, uint16_t vlan, uint64_t now)
{
    const struct mac_table_entry *entry = NULL;

    if (table->has_static) {
        entry = find(table, key_of(mac, ANY_VLAN));
    }
    if (entry != NULL) {
        return entry->port;
    }
    entry = find(table, key_of(mac, vlan));
    if (entry == NULL || (table->ageing_time != 0 && now - entry->last_seen > table->ageing_time)) {
        return MAC_TABLE_NOT_FOUND;
    }
    return entry->port;
}

uint32_t mac_table_count(const struct mac_table *table, uint8_t port)
{
    const struct mac_table_share *share = &table->shares[port];
    uint32_t count = share->used;

    for (uint16_t at = share->free; at != 0; at = table->entries[at - 1].next) {
        count--;
    }
    return count;
}
