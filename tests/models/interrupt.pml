/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * How a guest learns of used buffers: the event index of the used ring, coalescing, the device's
 * interrupt, and the vCPU that goes idle meanwhile. virtqueue_publish and virtqueue_flush
 * (lib/virtqueue.c), start_coalescing, net_moderation_timer_expired (vmm/virtio/net_moderation.c),
 * take_interrupt and net_vhost_notified (net_vhost.c), virtio_device_interrupt (device.c),
 * virtio_mmio_show_interrupts and write_often (mmio.c), vgic_set_level (vmm/vgic.c), vgic_lr_fill
 * and vgic_maintenance (vmm/vgic_lr.c), idle_park (vmm/idle.c), vhost_finish
 * (switch/port_vhost.c). The driver does as Linux's virtio_mmio.c and virtio_net.c.
 *
 * The device uses a few buffers at any times, and one of another queue, whose driver always wants
 * an interrupt. The vCPU computes, or goes idle. The monitor handles
 * its exits, and is the device (`isolated`). With -DVHOST the switch is. All are on cores of their
 * own.
 *
 * The event index and the interrupt save each buffer, unless it may stay unsignalled. Then the
 * coalescing timer saves it, and it runs. So that timer expires a few times, and then it is stopped
 * until nothing moves any more.
 */

#define CORES 3
#include "memory.pml"

#ifndef BUFFERS
#define BUFFERS 2
#endif
#ifndef EXPIRIES
#define EXPIRIES 1 /* before the timer is stopped */
#endif
#ifndef KICKS
#define KICKS 1 /* for which the timer is set */
#endif

#define VCPU    0
#define MONITOR 1
#define SWITCH  2

#define ELEMENTS   0 /* the used ring: those that the device has written */
#define USED       1 /* its index */
#define USED_EVENT 2
#define STATUS     3 /* InterruptStatus, in the register page */
#define INTERRUPT  4 /* in the vhost page */
#define COALESCING 5

#define NEVER 255 /* a value of used_event that asks for nothing */

#define OFF         0 /* of the vCPU's exit */
#define WFI         1
#define ACKNOWLEDGE 2 /* InterruptACK */
#define MAINTENANCE 3

byte exit_of_vcpu = OFF; /* it waits for the answer */
bit parked = 0;
bit virq = 0; /* pending in its list register */
byte seen = 0; /* buffers that the driver has got back */

byte pushed = 0; /* next_used */
byte signalled = 0; /* signalled_used */
bit other_pushed = 0; /* the other queue's buffer */
bit other_seen = 0;

/* The monitor's. */
bit interrupts = 0;
bit line = 0;
bit in_lr = 0;
bit coalescing = 0; /* the timer runs */
byte kicks_left = KICKS;
byte expiries_left = EXPIRIES;

bit monitor_notified = 0;
bit switch_notified = 0;

/* ---- The guest ---- */

inline exits(why)
{
    atomic {
        buffer_is_empty;
        exit_of_vcpu = why
    };
    exit_of_vcpu == OFF && !parked
}

/* All that are used; then the driver asks for an interrupt, and looks once more (NAPI). */
inline look()
{
    do
    :: true ->
#ifdef BROKEN_DRIVER_READS_ELEMENTS_BEFORE_INDEX
        elements = load(ELEMENTS);
#endif
        used = load(USED);
        atomic {
#ifndef BROKEN_DRIVER_READS_ELEMENTS_BEFORE_INDEX
            elements = load(ELEMENTS);
#endif
            assert(elements >= used);
            elements = 0;
            seen = used;
            other_seen = other_pushed;
            store(USED_EVENT, used)
        };
#ifndef BROKEN_DRIVER_ENABLES_WITHOUT_FENCE
        fence();
#endif
        if
        :: load(USED) == used -> break
        :: else
        fi
    od
}

proctype vcpu(byte me)
{
    byte used, elements;

    do
    :: virq == 0 -> /* it has nothing to do, or it computes */
        if
        :: exits(WFI)
        :: true
        fi;
        virq
    :: else ->
        virq = 0;
        if
        :: load(STATUS) == 0
        :: else ->
#ifdef BROKEN_DRIVER_ACKNOWLEDGES_BEHIND_LOOKING
            look();
            exits(ACKNOWLEDGE)
#else
            exits(ACKNOWLEDGE);
            store(USED_EVENT, NEVER);
            exits(MAINTENANCE);
            look();
            goto done
#endif
        fi;
        exits(MAINTENANCE);
done:
        skip
    od
}

/* ---- The device ---- */

inline virtqueue_push()
{
    atomic {
        pushed++;
        store(ELEMENTS, pushed)
    }
}

inline virtqueue_publish()
{
#ifdef BROKEN_PUBLISHES_WITHOUT_RELEASE
    store(USED, pushed);
#else
    store_release(USED, pushed);
#endif
#ifdef BROKEN_COUNTS_PUBLISHED_AS_SIGNALLED
    signalled = pushed
#else
    skip
#endif
}

/* `wanted` becomes what it returns. */
inline virtqueue_flush()
{
    if
    :: pushed == signalled
    :: else ->
        atomic {
            old_used = signalled;
            signalled = pushed;
#ifdef BROKEN_PUBLISHES_WITHOUT_RELEASE
            store(USED, pushed)
#else
            store_release(USED, pushed)
#endif
        };
#ifndef BROKEN_ASKS_WITHOUT_FENCE
        fence();
#endif
        atomic {
            /* vring_need_event */
            wanted = load(USED_EVENT) >= old_used && load(USED_EVENT) < pushed;
            old_used = 0
        }
    fi
}

/* ---- The monitor ---- */

/* By an injection; then vcpu_start_woken. */
inline vgic_lr_fill()
{
    atomic {
        buffer_is_empty;
        if
        :: line && !in_lr ->
            in_lr = true;
            virq = true;
            parked = false
        :: else
        fi
    }
}

inline virtio_device_interrupt()
{
    if
    :: !interrupts ->
        atomic {
            interrupts = true;
            store(STATUS, 1)
        };
        fence();
        line = true;
        vgic_lr_fill()
    :: else
    fi
}

inline answer()
{
    atomic {
        buffer_is_empty;
        exit_of_vcpu = OFF
    }
}

inline fault()
{
    if
    :: exit_of_vcpu == WFI ->
        atomic { /* idle_park */
            if
#ifdef BROKEN_PARKS_WITHOUT_LOOKING
            :: false
#else
            :: in_lr /* vgic_pending */
#endif
            :: else -> parked = true
            fi;
            exit_of_vcpu = OFF
        }
    :: exit_of_vcpu == ACKNOWLEDGE ->
        atomic {
            interrupts = false;
            line = false;
            store(STATUS, 0)
        };
        answer()
    :: exit_of_vcpu == MAINTENANCE ->
        in_lr = false;
#ifndef BROKEN_FORGETS_LEVEL
        vgic_lr_fill();
#endif
        answer()
    fi
}

#ifdef VHOST

/* The guest has kicked: net_moderation_kicked. */
inline kick()
{
    atomic {
        kicks_left--;
        coalescing = true;
        store_release(COALESCING, 1)
    };
    notify_switch()
}

inline notify_switch()
{
    atomic {
        buffer_is_empty;
        switch_notified = true
    }
}

inline end_coalescing()
{
    atomic {
        coalescing = false;
        store_release(COALESCING, 0)
    }
}

inline timer_expired()
{
#ifdef BROKEN_ENDS_COALESCING_BEHIND_NOTIFYING
    notify_switch();
    end_coalescing()
#else
    end_coalescing();
#ifndef BROKEN_ENDS_COALESCING_WITHOUT_NOTIFYING
    notify_switch()
#endif
#endif
}

inline net_vhost_notified()
{
    atomic { /* take_interrupt: an exchange */
        buffer_is_empty;
        wanted = word[INTERRUPT];
#ifndef BROKEN_TAKES_WITHOUT_CLEARING
        word[INTERRUPT] = 0
#endif
    };
    if
    :: wanted ->
        wanted = false;
        virtio_device_interrupt()
    :: else
    fi
}

proctype monitor(byte me)
{
    bool wanted;

    do
    :: exit_of_vcpu != OFF -> fault()
    :: kicks_left > 0 -> kick()
    :: atomic { expiries_left > 0 && coalescing -> expiries_left-- };
        timer_expired()
    :: atomic { monitor_notified -> monitor_notified = false };
        net_vhost_notified()
    od
}

/* A port is served: buffers have been used, or it is time to signal them. */
inline vhost_finish()
{
    if
    :: load(COALESCING) -> /* signals_sent */
        if
        :: true -> virtqueue_publish()
        :: true
        fi
    :: load(COALESCING) == 0 -> virtqueue_flush()
    :: true -> virtqueue_flush() /* frames are received, or many are sent */
    fi;
    ask_for_interrupt()
}

inline ask_for_interrupt()
{
    if
    :: wanted ->
        atomic { /* an exchange */
            buffer_is_empty;
            was_wanted = word[INTERRUPT];
            word[INTERRUPT] = 1
        };
        if
        :: !was_wanted ->
            atomic {
                buffer_is_empty;
                monitor_notified = true
            }
        :: else
        fi;
        was_wanted = false;
        wanted = false
    :: else
    fi
}

proctype switch(byte me)
{
    byte old_used;
    bool wanted, was_wanted;

    do
    :: pushed < BUFFERS ->
        virtqueue_push();
        vhost_finish()
    :: atomic { !other_pushed -> other_pushed = true; wanted = true };
        ask_for_interrupt()
    :: atomic { switch_notified -> switch_notified = false };
        vhost_finish()
    od
}

#else

/* Buffers have been used, and are signalled, or may stay unsignalled while the timer runs. */
inline used_batch()
{
    virtqueue_push();
    if
    :: true ->
        coalescing = true; /* start_coalescing */
        if
        :: true -> virtqueue_publish()
        :: true
        fi
    :: true -> signal()
    fi
}

inline signal()
{
    virtqueue_flush();
    if
    :: wanted ->
        wanted = false;
        virtio_device_interrupt()
    :: else
    fi
}

proctype monitor(byte me)
{
    byte old_used;
    bool wanted;

    do
    :: exit_of_vcpu != OFF -> fault()
    :: pushed < BUFFERS -> used_batch()
    :: atomic { !other_pushed -> other_pushed = true };
        virtio_device_interrupt()
    :: atomic {
        expiries_left > 0 && coalescing ->
        expiries_left--;
        coalescing = false
    };
        signal()
    od
}

#endif

init
{
    atomic {
        run store_buffer(VCPU);
        run store_buffer(MONITOR);
        run vcpu(VCPU);
        run monitor(MONITOR);
#ifdef VHOST
        run store_buffer(SWITCH);
        run switch(SWITCH)
#endif
    };
    timeout; /* nothing moves any more but, perhaps, the timer */
    assert(pushed == BUFFERS && (seen == pushed || coalescing));
    assert(other_pushed && other_seen);
    if
    :: coalescing ->
        expiries_left = 1;
        timeout;
        assert(seen == pushed)
    :: else
    fi
}
