/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * How a core may sleep, and how it is woken: smp_wake and smp_interrupt (smp.c), idle and cpu_switch
 * (sched.c), sched_wake (sched.h), notification_raise (notification.h), ipc_receive (ipc.h),
 * trap_irq (trap.c) and irq_handle (irq.c).
 *
 * Threads notify each other and receive, in any order, and a device interrupts. They do so a few
 * times only, so that in the end nothing moves. Then nothing may be left to do: each notification
 * has been received by a thread that ran after it, and each core is in WFI.
 *
 * What a core does between taking the lock and freeing it is one step: lock.pml has that it is
 * alone in the kernel. The scheduler is any: whichever ready thread of a core runs next. SMP_SGI
 * has one pending bit for a core, as in a GICv3. A GICv2 has one for each sender, so that fewer
 * SGIs become one.
 */

#ifndef CORES
#define CORES 2
#endif
#ifndef NOTIFICATIONS
#define NOTIFICATIONS 4 /* that the threads send, all together */
#endif
#ifndef INTERRUPTS
#define INTERRUPTS 1 /* by a device whose interrupt is thread 0's */
#endif

/* One thread on each core, and one more, the last, on core 0. */
#define THREADS    (CORES + 1)
#define core_of(t) ((t) % CORES)
#define of_core(n) (BIT(n) | (n == 0 -> BIT(CORES) : 0))

#define BIT(n) (1 << (n))
#define ALL    (BIT(CORES) - 1)
#define NOBODY 255

byte sgi = 0;    /* bit n: SMP_SGI is pending at core n */
byte asleep = 0; /* bit n: core n is in WFI */
bit device = 0;  /* its interrupt is pending at core 0 */

/* Bit t: thread t's. */
byte receiving = 0;             /* its state is RECEIVING; otherwise it is READY */
byte queued = BIT(THREADS) - 1; /* it is its core's next, or in a ready queue */
byte inbox = 0;                 /* it is in its core's inbox */
byte pending = 0;               /* it has been notified since it last received */
byte received = 0;              /* its registers hold what was pending, and it has yet to run */

byte notifications_left = NOTIFICATIONS;
byte interrupts_left = INTERRUPTS;

#define interrupt_pending ((sgi & BIT(me)) || (me == 0 && device))

inline smp_wake(t)
{
    was_empty = (inbox & of_core(core_of(t))) == 0;
    inbox = inbox | BIT(t);
    if
#if defined(BROKEN_WAKES_WITHOUT_SGI)
    :: false
#elif defined(BROKEN_SGI_IF_ASLEEP)
    :: asleep & BIT(core_of(t)) -> sgi = sgi | BIT(core_of(t))
#else
    :: was_empty -> sgi = sgi | BIT(core_of(t))
#endif
    :: else
    fi;
    was_empty = false
}

/* notification_raise, and sched_wake if that wakes the thread. */
inline notify(t)
{
    if
    :: receiving & BIT(t) ->
        receiving = receiving & ~BIT(t);
        received = received | BIT(t);
        if
        :: core_of(t) == me -> queued = queued | BIT(t) /* sched_ready */
        :: else -> smp_wake(t)
        fi
    :: else -> pending = pending | BIT(t)
    fi
}

inline smp_interrupt()
{
#ifdef BROKEN_TAKES_ONE_FROM_THE_INBOX
    if
    :: inbox & BIT(me) ->
        queued = queued | BIT(me);
        inbox = inbox & ~BIT(me)
    :: me == 0 && (inbox & BIT(CORES)) ->
        queued = queued | BIT(CORES);
        inbox = inbox & ~BIT(CORES)
    :: else
    fi
#else
    queued = queued | (inbox & of_core(me));
    inbox = inbox & ~of_core(me)
#endif
}

/* One interrupt is acknowledged; which one is the GIC's choice. The others stay pending. */
inline irq_handle()
{
    if
    :: sgi & BIT(me) ->
        sgi = sgi & ~BIT(me);
        smp_interrupt()
    :: me == 0 && device ->
        device = 0;
        notify(0)
    :: else
    fi
}

inline ipc_receive(is_pending)
{
    if
    :: is_pending ->
        pending = pending & ~BIT(thread);
        received = received | BIT(thread)
    :: else -> /* sched_remove */
        receiving = receiving | BIT(thread);
        queued = queued & ~BIT(thread)
    fi
}

/* Which thread the core leaves the kernel for. NOBODY: it idles. */
inline cpu_switch()
{
    if
    :: queued & BIT(me) -> thread = me
    :: me == 0 && (queued & BIT(CORES)) -> thread = CORES
    :: else -> thread = NOBODY
    fi;
    if
    :: thread != NOBODY -> received = received & ~BIT(thread)
    :: else
    fi
}

/* The core has freed the lock, and takes it again for the interrupt that ends WFI. */
inline idle()
{
#ifdef BROKEN_INTERRUPTED_BEFORE_WFI
    if /* interrupts are not masked, and what they have done is not looked at before WFI */
    :: atomic { interrupt_pending -> irq_handle() }
    :: true
    fi;
#endif
    asleep = asleep | BIT(me);
    /* An interrupt that is pending ends WFI, masked or not, from before or not. */
    d_step { interrupt_pending -> asleep = asleep & ~BIT(me) };
    atomic {
        irq_handle();
        cpu_switch()
    }
}

/* The thread runs, until it comes into the kernel. */
inline run_thread()
{
    if
    :: atomic {
        interrupt_pending -> /* trap_irq */
        irq_handle();
        cpu_switch()
    }
    :: atomic {
        notifications_left > 0 -> /* sys_send, to another thread */
        notifications_left--;
        if
        :: to = (thread + 1) % THREADS
        :: to = (thread + 2) % THREADS
#if CORES > 2
        :: to = (thread + 3) % THREADS
#endif
        fi;
        notify(to);
        to = 0;
        cpu_switch()
    }
#ifdef BROKEN_LOOKS_BEFORE_THE_LOCK
    :: was_pending = (pending & BIT(thread)) != 0; /* sys_recv */
        atomic {
            ipc_receive(was_pending);
            was_pending = false;
            cpu_switch()
        }
#else
    :: atomic {
        true -> /* sys_recv */
        ipc_receive(pending & BIT(thread));
        cpu_switch()
    }
#endif
    fi
}

proctype core(byte me)
{
    bool was_empty, was_pending;
    byte thread, to;

    cpu_switch();
    do
    :: thread == NOBODY -> idle()
    :: else -> run_thread()
    od
}

active proctype devices()
{
    do
    :: d_step {
        interrupts_left > 0 && !device ->
        device = 1;
        interrupts_left--
    }
    od
}

init
{
    atomic {
        run core(0);
        run core(1);
#if CORES > 2
        run core(2)
#endif
    };
    timeout; /* nothing moves any more */
    assert(asleep == ALL);
    assert(inbox == 0 && queued == 0);
    assert(pending == 0 && received == 0 && device == 0)
}
