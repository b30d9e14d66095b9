/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * How a device learns of frames to send: the event index of the available ring, transmit polling,
 * and what a vCPU that goes idle does for it. virtqueue_enable_kicks_delayed (lib/virtqueue.c),
 * tx_moderation_enable_kicks (lib/tx_moderation.h), set_polling, note_frames,
 * net_moderation_kicked, net_moderation_transmitted, net_moderation_timer_expired and
 * net_moderation_poll (vmm/virtio/net_moderation.c), net_work, net_timer_expired and net_idle
 * (vmm/virtio/net.c), transmit (net_isolated.c), idle_park (vmm/idle.c), next_device_expiry
 * (vmm/timer.c), notify_at_end and notify_before_answer (lib/notify.h), vhost_await
 * (switch/port_vhost.c), serve (switch/switch.c). The driver does as Linux's virtio_ring.c.
 *
 * vCPU 0 sends a few frames and goes idle at times. vCPU 1 only goes idle. The monitor has the
 * timer, and handles exits. The data path is `isolated`, where the monitor takes the frames, or
 * with -DVHOST the switch does. All are on cores of their own.
 *
 * The event index alone saves each frame, unless the queue is polled. Polled, up to
 * POLLING_KICK_DELAY frames wait. They are found when a vCPU goes idle. The polling timer saves
 * what is left, but not more: frames that no vCPU has gone idle behind, while one is running. So
 * the timer expires a few times, and then it is stopped until nothing moves any more.
 */

#define CORES 4
#include "memory.pml"

#ifndef FRAMES
#define FRAMES 3
#endif
#ifndef EXPIRIES
#define EXPIRIES 1 /* before the timer is stopped */
#endif
#ifndef WAKES
#define WAKES 1 /* of vCPUs that are parked, by whatever it may be */
#endif
#define POLLING_KICK_DELAY 1 /* TX_POLLING_KICK_DELAY */

#define VCPUS   2 /* their cores are 0 and 1 */
#define MONITOR 2
#define SWITCH  3

#ifdef VHOST
#define DEVICE SWITCH
#else
#define DEVICE MONITOR
#endif

#define ELEMENTS    0 /* the available ring: those that the driver has written */
#define AVAIL       1 /* its index */
#define AVAIL_EVENT 2
#define POLLING     3 /* in the vhost page */

#define OFF  0 /* of a vCPU's exit */
#define KICK 1
#define WFI  2

byte exit[VCPUS]; /* it waits for the answer */
byte parked = 0;  /* bit v */
byte wakes_left = WAKES;

bit polling = 0; /* the monitor's: struct net_moderation */
bit coalescing = 0;
byte available = 0;
byte expiries_left = EXPIRIES;
#define polling_timer_runs (polling && parked != BIT(VCPUS) - 1) /* next_device_expiry */

bit notified = 0; /* the switch */
bit deferred = 0; /* a notification of it: microkit_have_signal */

byte taken = 0; /* frames that the device has seen */
byte offered = 0;

/* ---- The guest ---- */

inline exits(why)
{
    atomic {
        buffer_is_empty;
        exit[me] = why
    };
    exit[me] == OFF && !(parked & BIT(me))
}

inline send_frame()
{
    new++;
    store(ELEMENTS, new);
    atomic {
#ifdef BROKEN_DRIVER_OFFERS_WITHOUT_RELEASE
        store(AVAIL, new);
#else
        store_release(AVAIL, new);
#endif
        offered = new
    };
#ifndef BROKEN_DRIVER_ASKS_WITHOUT_FENCE
    fence();
#endif
    if
    :: load(AVAIL_EVENT) == new - 1 -> exits(KICK) /* vring_need_event, one frame at a time */
    :: else
    fi
}

proctype vcpu(byte me)
{
    byte new;

    do
    :: me == 0 && new < FRAMES -> send_frame()
    :: exits(WFI)
    :: break /* it computes for good */
    od
}

/* Something else wakes a vCPU. */
active proctype world()
{
    do
    :: d_step {
        wakes_left > 0 && (parked & BIT(0)) ->
        wakes_left--;
        parked = parked & ~BIT(0)
    }
    :: d_step {
        wakes_left > 0 && (parked & BIT(1)) ->
        wakes_left--;
        parked = parked & ~BIT(1)
    }
    od
}

/* ---- Taking frames ---- */

/* All that there are: virtqueue_pop until VIRTQUEUE_EMPTY. */
inline take_frames()
{
#ifdef BROKEN_READS_ELEMENTS_BEFORE_INDEX
    elements = load(ELEMENTS);
    seen = load(AVAIL);
#else
    seen = load(AVAIL);
#endif
    atomic {
#ifndef BROKEN_READS_ELEMENTS_BEFORE_INDEX
        elements = load(ELEMENTS);
#endif
        assert(elements >= seen);
        elements = 0;
        taken = seen
    }
}

#ifdef VHOST
#define is_polled load(POLLING)
#else
#define is_polled polling
#endif

inline ask()
{
    atomic {
        delay = is_polled;
        store(AVAIL_EVENT, seen + (delay -> POLLING_KICK_DELAY : 0));
        delay = 0
    }
}

/* tx_moderation_enable_kicks. `again` becomes what it returns. */
inline virtqueue_enable_kicks_delayed()
{
#ifdef BROKEN_LOOKS_BEFORE_ASKING
    again = load(AVAIL) != seen;
    ask()
#else
    ask();
#ifndef BROKEN_ASKS_WITHOUT_FENCE
    fence();
#endif
#ifdef BROKEN_ASKS_WITHOUT_LOOKING
    again = false
#else
    again = load(AVAIL) != seen
#endif
#endif
}

/* ---- The monitor ---- */

inline set_polling(value)
{
    if
    :: polling != value ->
        polling = value;
#ifdef VHOST
        store_release(POLLING, value)
#endif
    :: else
    fi
}

/* Whether the queue is busy is a matter of time: it may be. */
inline note_frames(now_available)
{
    available = now_available;
    if
    :: true -> set_polling(true)
    :: true -> set_polling(false)
    fi
}

#ifdef VHOST

inline notify_switch()
{
    atomic {
        buffer_is_empty;
        notified = true
    }
}

/* Another device may have deferred a notification: then this one goes at once. */
inline notify_at_end()
{
    if
    :: atomic { !deferred -> deferred = true }
    :: notify_switch()
    fi
}

inline net_moderation_kicked()
{
    atomic {
        now_available = load(AVAIL);
        if
        :: now_available != available ->
            note_frames(now_available);
            coalescing = true
        :: else
        fi;
        now_available = 0
    }
}

inline net_work()
{
#ifdef BROKEN_NOTIFIES_BEFORE_ITS_STATE
    notify_at_end();
    net_moderation_kicked()
#else
    net_moderation_kicked();
    notify_at_end()
#endif
}

inline work_expired()
{
    notify_switch()
}

#else

/* transmit */
inline net_work()
{
    do
    :: now_available = load(AVAIL);
        take_frames();
        atomic { /* net_moderation_transmitted */
            if
            :: now_available != available ->
                note_frames(now_available);
                coalescing = true
            :: else
            fi;
            now_available = 0
        };
        virtqueue_enable_kicks_delayed();
        if
        :: again
        :: else -> break
        fi
    od
}

inline work_expired()
{
    net_work()
}

#endif

/* A timer of the devices has expired: net_moderation_timer_expired. */
inline timer_expired()
{
#ifdef BROKEN_ENDS_POLLING_WITHOUT_LOOKING
    work_expired();
#endif
    atomic {
        expiries_left--;
        coalescing = false;
        if
        :: polling -> set_polling(true)
        :: true -> set_polling(false)
        fi
    };
#ifdef BROKEN_ENDS_POLLING_WITHOUT_LOOKING
    skip
#else
    work_expired()
#endif
}

inline virtio_idle()
{
    if
#ifdef BROKEN_PARKS_WITHOUT_LOOKING
    :: false
#else
    :: polling && load(AVAIL) != available -> net_work() /* net_moderation_poll */
#endif
    :: else
    fi
}

/* Before the answer, or with the next wait. */
inline send_deferred()
{
#ifdef VHOST
    if
    :: deferred ->
        atomic {
            buffer_is_empty;
            notified = true;
            deferred = false
        }
    :: else
    fi
#else
    skip
#endif
}

inline fault(v)
{
    if
    :: exit[v] == KICK ->
        net_work();
#ifndef BROKEN_ANSWERS_WITHOUT_DEFERRED
        send_deferred(); /* notify_before_answer */
#endif
        atomic {
            buffer_is_empty;
            exit[v] = OFF
        }
    :: exit[v] == WFI ->
        virtio_idle();
        atomic { /* idle_park; the vCPU is stopped, nothing answers it */
            parked = parked | BIT(v);
            exit[v] = OFF
        };
        send_deferred()
    fi
}

proctype monitor(byte me)
{
    byte now_available, elements, seen, delay;
    bool again;

    do
    :: exit[0] != OFF -> fault(0)
    :: exit[1] != OFF -> fault(1)
    :: expiries_left > 0 && (coalescing || polling_timer_runs) ->
        timer_expired()
    od
}

/* ---- The switch ---- */

#ifdef VHOST
proctype switch(byte me)
{
    byte elements, seen, delay;
    bool again;

    do
    :: d_step { notified -> notified = false };
        do
        :: take_frames();
            virtqueue_enable_kicks_delayed(); /* vhost_await */
            if
            :: again
            :: else -> break
            fi
        od
    od
}
#endif

init
{
    atomic {
        run store_buffer(0);
        run store_buffer(MONITOR);
        run vcpu(0);
        run vcpu(1);
        run monitor(MONITOR);
#ifdef VHOST
        run store_buffer(SWITCH);
        run switch(SWITCH)
#endif
    };
    timeout; /* nothing moves any more but, perhaps, the timer */
    assert(taken == offered || (polling_timer_runs && offered - taken <= POLLING_KICK_DELAY));
    if
    :: taken != offered ->
        expiries_left = 1;
        timeout;
        assert(taken == offered)
    :: else
    fi
}
