/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The ring between two PDs on two cores: how its ends sleep and wake each other. ring_reserve,
 * ring_commit, ring_peek, ring_release, ring_await_data, ring_await_space, ring_take_data_wanted
 * and ring_take_space_wanted (lib/ring.c), as their users call them: transmit and receive
 * (vmm/virtio/net_isolated.c), isolated_finish and isolated_await (switch/port_isolated.c).
 *
 * The producer has some records to send, in batches of any size. It sends no more than those, and
 * waits for no timer. In the end nothing moves. Then the consumer has had each record, in order and
 * whole, and no end is asleep with something to do.
 */

#define CORES 2
#include "memory.pml"

#ifndef RECORDS
#define RECORDS 4
#endif
#define SIZE 2 /* records that the ring has room for */

#define PRODUCER 0
#define CONSUMER 1

/* Words 0 and 1 are the records themselves. A record holds its number, from 1 on. */
#define RECORD(n)    ((n) % SIZE)
#define HEAD         2
#define TAIL         3
#define DATA_WANTED  4
#define SPACE_WANTED 5

byte notified = 0; /* bit e: end e has been notified */
byte received = 0;

/* microkit_notify */
inline notify(end)
{
    atomic {
        buffer_is_empty;
        notified = notified | BIT(end)
    }
}

inline wait()
{
    d_step { notified & BIT(me) -> notified = notified & ~BIT(me) }
}

/* ---- Asking to be woken: `again` becomes what the function returns ---- */

inline ring_await_data()
{
#ifdef BROKEN_LOOKS_BEFORE_ASKING_FOR_DATA
    peer = load(HEAD);
    store_release(DATA_WANTED, 1);
#else
    store_release(DATA_WANTED, 1);
#ifndef BROKEN_ASKS_FOR_DATA_WITHOUT_FENCE
    fence(); /* publish_before_looking */
#endif
    peer = load(HEAD);
#endif
    if
    :: peer == own -> again = false
    :: else ->
        store_release(DATA_WANTED, 0);
        again = true
    fi
}

inline ring_await_space()
{
    store_release(SPACE_WANTED, 1);
#ifndef BROKEN_ASKS_FOR_SPACE_WITHOUT_FENCE
    fence();
#endif
    peer = load(TAIL);
    if
    :: own - peer == SIZE -> again = false
    :: else ->
        store_release(SPACE_WANTED, 0);
        again = true
    fi
}

/* ---- Waking the other end ---- */

inline ring_take_data_wanted()
{
#ifndef BROKEN_WAKES_FOR_DATA_WITHOUT_FENCE
    fence();
#endif
    if
    :: load(DATA_WANTED) == 0
    :: else ->
        peer = load(TAIL);
        if
        :: own == peer /* the ring is empty */
        :: else ->
#ifdef BROKEN_CLEARS_BEHIND_NOTIFYING
            notify(CONSUMER);
            store_release(DATA_WANTED, 0)
#else
            store_release(DATA_WANTED, 0);
            notify(CONSUMER)
#endif
        fi
    fi
}

inline ring_take_space_wanted()
{
#ifndef BROKEN_WAKES_FOR_SPACE_WITHOUT_FENCE
    fence();
#endif
    if
    :: load(SPACE_WANTED) == 0
    :: else ->
        peer = load(HEAD);
        if
        :: peer - own == SIZE /* there is less room than it waits for */
        :: else ->
            store_release(SPACE_WANTED, 0);
            notify(PRODUCER)
        fi
    fi
}

/* ---- The ends ---- */

/* Records, until there is no room, or the batch is over. */
inline send_batch()
{
    do
    :: own < RECORDS ->
        if
        :: own - peer == SIZE -> peer = load(TAIL)
        :: else
        fi;
        if
        :: own - peer == SIZE ->
            blocked = true;
            break
        :: else
        fi;
        store(RECORD(own), own + 1); /* ring_reserve */
        own++;                       /* ring_commit */
#ifdef BROKEN_COMMITS_WITHOUT_RELEASE
        store(HEAD, own)
#else
        store_release(HEAD, own)
#endif
    :: true -> break
    od
}

proctype producer(byte me)
{
    byte own, peer;
    bool blocked, again;

    do
    :: own == RECORDS && !blocked -> break
    :: else ->
        blocked = false;
        send_batch();
        ring_take_data_wanted();
        if
        :: blocked ->
            ring_await_space();
            if
            :: again
            :: else -> wait()
            fi
        :: else
        fi
    od
}

inline receive_batch()
{
    do
    :: true ->
        if
        :: own == peer ->
#ifdef BROKEN_LOADS_RECORD_BEFORE_INDEX
            record = load(RECORD(own));
#endif
            peer = load(HEAD)
        :: else
        fi;
        if
        :: own == peer ->
            blocked = true;
            break
        :: else
        fi;
#ifndef BROKEN_LOADS_RECORD_BEFORE_INDEX
        record = load(RECORD(own));
#endif
        assert(record == own + 1);
        record = 0;
        own++; /* ring_release */
        received = own;
        store_release(TAIL, own)
    :: true -> break
    od
}

proctype consumer(byte me)
{
    byte own, peer, record;
    bool blocked, again;

    do
    :: true ->
        blocked = false;
        receive_batch();
        ring_take_space_wanted();
        if
        :: blocked ->
            ring_await_data();
            if
            :: again
            :: else -> wait()
            fi
        :: else
        fi
    od
}

init
{
    atomic {
        run store_buffer(PRODUCER);
        run store_buffer(CONSUMER);
        run producer(PRODUCER);
        run consumer(CONSUMER)
    };
    timeout; /* nothing moves any more */
    assert(received == RECORDS);
    assert(waits[PRODUCER] == 0 && waits[CONSUMER] == 0)
}
