/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PROVES: lib/net_filter.c
 * WP: net_filter_address read_table set_tables
 * EVA:
 * COVERAGE: 98
 *
 * Any commands of the driver's, of any length that has been copied, and frames to any address.
 */

#include "prelude.h"
#include "lib/net_filter.h"

/*@ requires \valid_read(mac + (0 .. 5));
    assigns \result \from mac[0 .. 5];
 */
uint64_t net_filter_address(const uint8_t mac[6]);

#include "lib/net_filter.c"

/*@ requires \valid(table) && \valid(offset) && *offset <= length;
    requires \valid_read(data + (0 .. length - 1));
    requires \separated(table, offset, data + (0 .. length - 1));
    assigns *table, *offset;
    assigns \result \from data[0 .. length - 1];
    ensures \result != 0 ==> *offset <= length;
 */
static bool read_table(struct net_filter_table *table, const uint8_t *data, uint32_t length,
                       uint32_t *offset);

/*@ requires \valid(filter) && \valid_read(data + (0 .. length - 1));
    requires \separated(filter, data + (0 .. length - 1));
 */
static bool set_tables(struct net_filter *filter, const uint8_t *data, uint32_t length,
                       uint32_t total);

#define COPIED_MAX 1024u /* more than any list that fits: 4 + 32 * 6 bytes, twice */

static void prove(struct net_filter *filter, uint32_t length)
{
    uint8_t data[COPIED_MAX];

    make_any(data, sizeof(data));
    net_filter_command(filter, (uint8_t)any(), (uint8_t)any(), data, length, (uint32_t)any());
    net_filter_passes(filter, any(), (uint32_t)any());
}

int main(void)
{
    struct net_filter filter;
    uint8_t mac[6];

    make_any(mac, sizeof(mac));
    net_filter_reset(&filter, mac, any() == 0);
    for (uint32_t length = 0; length <= COPIED_MAX; length++) {
        prove(&filter, length);
    }
    return 0;
}
