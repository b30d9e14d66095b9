/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What PDs count, for whoever may look. Each PD that counts writes one memory region, which others
 * have read-only: sets of 64-bit words that lie one behind another. A set belongs to one machine,
 * one port of a switch or one disk. All words begin at 0 when the board starts, and what they say
 * never goes back. (STATS_RUNNING wraps at 2^59 ticks: 16 vCPUs and a counter of 1 GHz take a
 * year.)
 *
 * Each word is written by one thread, and read at any time: a word is right, and what two words say
 * may be some events apart.
 *
 * This file is the one list of what is counted: names, units, and what they mean. PDs count by the
 * structures, readers find each word by its number.
 */

#include <stddef.h>
#include <stdint.h>

enum stats_unit {
    STATS_COUNT,
    STATS_BYTES,
    STATS_TIME,    /* ticks of the counter */
    STATS_RUNNING, /* the same, of things of which some last while it is read: stats_running */
};

enum stats_kind { STATS_MACHINE = 1, STATS_PORT, STATS_DISK, STATS_KINDS };

/* FIELD(member, unit, what it says) */
#define STATS_MACHINE_FIELDS(FIELD)                                                                \
    FIELD(vcpu_time, STATS_RUNNING, "time that vCPUs were powered on, of all vCPUs")               \
    FIELD(busy_time, STATS_RUNNING, "time of that in which they ran, or could have")               \
    FIELD(monitor_time, STATS_TIME, "time from the beginning to the end of events in its monitor") \
    FIELD(exits_mmio, STATS_COUNT, "exits: accesses to emulated registers")                        \
    FIELD(exits_fetch, STATS_COUNT, "exits: instructions fetched from where none are")             \
    FIELD(exits_wfx, STATS_COUNT, "exits: WFI and WFE")                                            \
    FIELD(exits_hypercall, STATS_COUNT, "exits: SMC and HVC")                                      \
    FIELD(exits_sysreg, STATS_COUNT, "exits: system registers")                                    \
    FIELD(exits_timer, STATS_COUNT, "exits: the virtual timer")                                    \
    FIELD(exits_eoi, STATS_COUNT, "exits: ends of interrupts")                                     \
    FIELD(exits_other, STATS_COUNT, "exits: all others")                                           \
    FIELD(interrupts, STATS_COUNT, "interrupts that were put into list registers")                 \
    FIELD(starts, STATS_COUNT, "how often it started, the first time and resets included")         \
    FIELD(crashes, STATS_COUNT, "how often it could not go on, or its watchdog expired")

/* What leaves the machine is sent, what reaches it is received. Bytes are those of frames. */
#define STATS_PORT_FIELDS(FIELD)                                                                   \
    FIELD(sent_frames, STATS_COUNT, "frames taken from the port, dropped ones included")           \
    FIELD(sent_bytes, STATS_BYTES, "bytes of these")                                               \
    FIELD(received_frames, STATS_COUNT, "frames given to the port")                                \
    FIELD(received_bytes, STATS_BYTES, "bytes of these")                                           \
    FIELD(sent_dropped_short, STATS_COUNT, "sent and dropped: too short")                          \
    FIELD(sent_dropped_long, STATS_COUNT, "sent and dropped: too long")                            \
    FIELD(sent_dropped_header, STATS_COUNT, "sent and dropped: an invalid header or VLAN tag")     \
    FIELD(sent_dropped_source, STATS_COUNT, "sent and dropped: another's source address")          \
    FIELD(sent_dropped_vlan, STATS_COUNT, "sent and dropped: of a VLAN that it is not on")         \
    FIELD(sent_dropped_flood, STATS_COUNT, "sent and dropped: storm control")                      \
    FIELD(sent_dropped_filtered, STATS_COUNT, "sent and dropped: for its own side, or reserved")   \
    FIELD(sent_dropped_forbidden, STATS_COUNT, "sent and dropped: for one that it may not reach")  \
    FIELD(received_dropped_down, STATS_COUNT, "not received: nobody listens")                      \
    FIELD(received_dropped_full, STATS_COUNT, "not received: the receiver does not keep up")       \
    FIELD(received_dropped_limit, STATS_COUNT, "not received: beyond its rate")                    \
    FIELD(received_dropped_unsuited, STATS_COUNT, "not received: its buffers are too small")       \
    FIELD(received_dropped_conversion, STATS_COUNT, "not received: it lacks an offload")

/*
 * A request's time in flight, from the multiplexer to the driver and back, is counted in classes:
 * they begin at 0, 1, 2, 3, 4, 6, 8, 12 ... microseconds, two for each power of two. The last one
 * is all that takes longer.
 */
#define STATS_LATENCIES 48u

#define STATS_DISK_FIELDS(FIELD)                                                                   \
    FIELD(reads, STATS_COUNT, "requests to read that have ended")                                  \
    FIELD(read_bytes, STATS_BYTES, "bytes of these")                                               \
    FIELD(writes, STATS_COUNT, "requests to write that have ended")                                \
    FIELD(written_bytes, STATS_BYTES, "bytes of these")                                            \
    FIELD(flushes, STATS_COUNT, "flushes that have ended")                                         \
    FIELD(discards, STATS_COUNT, "requests to discard or to write zeroes that have ended")         \
    FIELD(errors, STATS_COUNT, "requests of any kind that were answered with an error")            \
    FIELD(flight_time, STATS_TIME, "time of requests in flight, of all that have ended")

#define STATS_WORD(member, unit, text) uint64_t member;

struct stats_machine {
    STATS_MACHINE_FIELDS(STATS_WORD)
};

struct stats_port {
    STATS_PORT_FIELDS(STATS_WORD)
};

struct stats_disk {
    STATS_DISK_FIELDS(STATS_WORD)
    uint64_t latency[STATS_LATENCIES]; /* requests of each class */
};

#define STATS_MACHINE_WORDS (sizeof(struct stats_machine) / 8)
#define STATS_PORT_WORDS    (sizeof(struct stats_port) / 8)
#define STATS_DISK_WORDS    (sizeof(struct stats_disk) / 8)

/* ---- For who writes ---- */

/* NOLINTNEXTLINE(readability-non-const-parameter): it is written */
static inline void stats_set(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static inline void stats_add(uint64_t *word, uint64_t value)
{
    stats_set(word, *word + value);
}

/*
 * STATS_RUNNING: the lowest bits count what lasts now, 31 at most; above them is the sum of what is
 * over, less the beginnings of what lasts. So one word says both.
 */
#define STATS_RUNNING_BITS 5u

static inline void stats_begin(uint64_t *word, uint64_t now)
{
    stats_set(word, *word - (now << STATS_RUNNING_BITS) + 1);
}

static inline void stats_end(uint64_t *word, uint64_t now)
{
    stats_set(word, *word + (now << STATS_RUNNING_BITS) - 1);
}

/* The class of a time in flight. */
static inline uint32_t stats_latency_class(uint64_t microseconds)
{
    uint32_t power, class;

    if (microseconds < 2) {
        return (uint32_t)microseconds;
    }
    power = 63u - (uint32_t)__builtin_clzll(microseconds);
    class = 2 * power + (uint32_t)(microseconds >> (power - 1) & 1);
    return class < STATS_LATENCIES ? class : STATS_LATENCIES - 1;
}

/* ---- For who reads ---- */

struct stats_field {
    const char *name;
    const char *text; /* what it says */
    enum stats_unit unit;
};

/* How many words a set of that kind has; 0: there is no such kind. */
uint32_t stats_words(unsigned kind);

/* One of them, or NULL. Those behind a disk's named ones are its classes. */
const struct stats_field *stats_field(unsigned kind, uint32_t word);

/* More is a time before the first beginning: `now` is that of another core, or too old. */
#define STATS_RUNNING_MAX (UINT64_MAX >> (STATS_RUNNING_BITS + 1))

/* The ticks that a STATS_RUNNING says at `now`. */
static inline uint64_t stats_running(uint64_t word, uint64_t now)
{
    uint64_t lasting = word & ((1u << STATS_RUNNING_BITS) - 1);

    return ((word & ~((1ull << STATS_RUNNING_BITS) - 1)) +
            ((now * lasting) << STATS_RUNNING_BITS)) >>
           STATS_RUNNING_BITS;
}

/* The upper bound of a class, in microseconds: what is in it took less. 0: it has none. */
uint64_t stats_latency_bound(uint32_t class);
