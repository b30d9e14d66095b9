/* SPDX-License-Identifier: BSD-2-Clause */

#include "net_switch.h"

#include <microkit.h>
#include <string.h>
#include "lib/net_port.h"

_Alignas(4096) uint8_t up[RING_HEADER_SIZE + SWITCH_RING];
_Alignas(4096) uint8_t down[RING_HEADER_SIZE + SWITCH_RING];
struct ring from_driver, to_driver;
uint8_t record[SWITCH_HEADER + 80000];

void switch_reset(void)
{
    memset(up, 0, sizeof(up));
    memset(down, 0, sizeof(down));
    ring_init(&from_driver, up, SWITCH_RING);
    ring_init(&to_driver, down, SWITCH_RING);
}

uint32_t accepts(void)
{
    uint32_t bits;

    memcpy(&bits, down + NET_PORT_ACCEPTS_OFFSET, sizeof(bits));
    return bits;
}

bool has_said(const char *part)
{
    return strstr(fake.debug, part) != NULL;
}

void make(uint32_t length, uint8_t seed)
{
    memset(record, 0, SWITCH_HEADER);
    for (uint32_t i = 0; i < length; i++) {
        record[SWITCH_HEADER + i] = (uint8_t)(i * 7 + seed);
    }
}

bool put(uint32_t count)
{
    void *room = ring_reserve(&to_driver, count);

    if (room == NULL) {
        return false;
    }
    memcpy(room, record, count);
    ring_commit(&to_driver);
    return true;
}

/* The next record is as `record` from `offset` on. */
static bool got_record(uint32_t length, uint32_t offset)
{
    uint32_t count;
    const uint8_t *from = ring_peek(&from_driver, &count);
    bool same;

    if (from == NULL) {
        return false;
    }
    same = count == SWITCH_HEADER + length &&
           memcmp(from + offset, record + offset, count - offset) == 0;
    ring_release(&from_driver);
    return same;
}

bool got(uint32_t length, uint8_t seed)
{
    make(length, seed);
    return got_record(length, SWITCH_HEADER);
}

bool got_with(uint32_t length, uint8_t seed, uint8_t flags)
{
    make(length, seed);
    record[0] = flags;
    return got_record(length, 0);
}

bool got_nothing(void)
{
    uint32_t count;

    return ring_peek(&from_driver, &count) == NULL;
}
