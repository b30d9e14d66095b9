/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A ring of records as ring.c proves it: a record that is read has as many bytes as it says, and
 * any of them may change at any time; room for one that is written has as many as were asked for.
 * Room ends where RECORD does, so that one byte more is an alarm.
 */

#include "lib/ring.h"

#define RECORD 8192u /* more than any record under proof */

static uint8_t reserved[RECORD];

/* Assumption: lib/ring.h. */
void *ring_reserve(struct ring *ring, uint32_t count)
{
    (void)ring;
    return any() && count <= RECORD ? reserved + (RECORD - count) : NULL;
}

/* Assumption: lib/ring.h. */
void ring_commit(struct ring *ring)
{
    (void)ring;
}

/* Assumption: lib/ring.h. */
bool ring_await_space(struct ring *ring, uint32_t count)
{
    (void)ring;
    (void)count;
    return any() == 0;
}

/* Assumption: lib/ring.h. */
uint32_t ring_space(struct ring *ring)
{
    (void)ring;
    return (uint32_t)any();
}

/* Assumption: lib/ring.h. */
const void *ring_peek(struct ring *ring, uint32_t *count)
{
    (void)ring;
    *count = (uint32_t)any() % (RECORD + 1);
    return any() ? reserved + (RECORD - *count) : NULL;
}

/* Assumption: lib/ring.h. */
void ring_release(struct ring *ring)
{
    (void)ring;
}

/* Assumption: lib/ring.h. */
void ring_init(struct ring *ring, void *region, uint32_t size)
{
    (void)region;
    ring->size = size;
}

/* Assumption: lib/ring.h. */
bool ring_broken(const struct ring *ring)
{
    (void)ring;
    return any() == 0;
}

/* Assumption: lib/ring.h. */
bool ring_await_data(struct ring *ring)
{
    (void)ring;
    return any() == 0;
}

/* Assumption: lib/ring.h. */
bool ring_take_data_wanted(struct ring *ring)
{
    (void)ring;
    return any() == 0;
}

/* Assumption: lib/ring.h. */
bool ring_take_space_wanted(struct ring *ring)
{
    (void)ring;
    return any() == 0;
}
