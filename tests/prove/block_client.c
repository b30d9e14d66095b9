/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PROVES: block/client.c
 * EVA:
 *
 * Requests with any bytes, of a client of any disk, from the check to the answer. The regions are
 * as many as the array of their sizes has, so that one more is an alarm.
 */

#include "prelude.h"
#include <microkit.h>

#include "any_ring.h"

#include "lib/log.h"

#define REGIONS 7u

#define block_copy_request block_copy_request_of_rings
#include "block/rings.h"
#undef block_copy_request

/* Assumption: what is copied is any value; block_rings.c proves the rest. */
/*@ assigns *request, \result \from *((char *)record);
    ensures \result == 0 || \result == 1;
    ensures \result != 0 ==> request->head.segment_count <= BLOCK_SEGMENTS_MAX;
 */
bool block_copy_request(struct block_request_copy *request, const void *record, uint32_t count);

/* Assumption: the count of leading zeros, as GCC has it. */
/*@ requires value != 0;
    assigns \result \from value;
    ensures 0 <= \result <= 63;
    ensures value >= 2 ==> \result <= 62;
 */
int __builtin_clzll(unsigned long long value);

#include "block/client.c"

/* Assumption: the log takes any text, and changes nothing of the multiplexer's. */
/*@ assigns \nothing; */
void log_printf(const char *format, ...);

/* Assumption: a call to the kernel. */
/*@ assigns \nothing; */
void microkit_notify(microkit_channel channel);

static uint64_t region_sizes[REGIONS];
const struct block_config block_config = {.region_sizes = region_sizes, .region_count = REGIONS};

/* Assumption: the clock, whatever it says. */
/*@ assigns \result \from \nothing; */
uint64_t cpu_counter(void);

/* Assumption: no clock stands still. */
/*@ assigns \result \from \nothing;
    ensures \result != 0;
 */
uint64_t cpu_counter_frequency(void);

/* Assumption: what a bucket holds decides on when a request goes, and on nothing else here. */
/*@ assigns *limit \from *config;
    ensures limit->exists == 0 || limit->exists == 1;
 */
void limit_init(struct limit *limit, const struct block_client_config *config);
/* Assumption: as above. */
/*@ assigns \result \from *limit;
    ensures \result == 0 || \result == 1;
 */
bool limit_is_open(struct limit *limit);
/* Assumption: as above. */
/*@ assigns \nothing; */
void limit_spend(struct limit *limit, uint32_t bytes);
/* Assumption: as above. */
/*@ assigns \result \from *limit; */
uint64_t limit_opens(const struct limit *limit);

/* Assumption: it takes the request or not; block/driver.c copies it. */
/*@ assigns \result \from *request, *flight;
    ensures \result == 0 || \result == 1;
 */
bool driver_send(const struct block_request_copy *request, const struct flight *flight);

/* A disk as info_is_valid() of block/driver.c lets it pass. */
static void any_disk(struct block_info *disk)
{
    static const uint32_t block_sizes[] = {512, 1024, 2048, 4096};

    make_any(disk, sizeof(*disk));
    disk->block_size = block_sizes[any() % 4];
    disk->segments_max = 2 + (uint32_t)any() % (BLOCK_SEGMENTS_MAX - 1);
    disk->physical_exponent = (uint8_t)(any() % 17);
}

static void prove(const struct block_info *disk, uint64_t sectors)
{
    static struct stats_disk stats;
    static uint8_t region[1]; /* of a ring; any_ring.h does not look at it */
    struct block_client_config config = {.name = "vm0 disk0"};
    struct client client;
    struct flight flight;
    uint64_t opens;

    make_any(&stats, sizeof(stats));
    config.read_only = any() == 0;
    config.first_region = (uint32_t)any();
    config.region_count = (uint32_t)any();
    config.requests = config.replies = region;
    client_init(&client, &config, &stats);
    client_ready(&client);
    client_open(&client, disk, any(), sectors);
    while (any()) {
        if (client_ready(&client)) {
            client_send(&client, (uint32_t)any());
        }
        client_is_held(&client, &opens);
        make_any(&flight, sizeof(flight));
        flight.writes = any() == 0;
        client_done(&client, &flight, (uint32_t)any());
        client_flush(&client);
    }
}

int main(void)
{
    struct block_info disk;

    make_any(region_sizes, sizeof(region_sizes));
    any_disk(&disk);
    prove(&disk, 0);
    prove(&disk, 1 + any() % UINT64_MAX);
    return 0;
}
