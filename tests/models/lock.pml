/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The kernel's lock, and calls from core to core: try_lock, serve, smp_lock, smp_unlock and
 * smp_call (smp.c), lock_kernel and unlock_kernel (vectors.S).
 *
 * Cores run a thread, come into the kernel, perhaps have another core execute something, and leave
 * it again, for ever. At most one of them is in the kernel, a call is executed once and before
 * smp_call returns, and there is no state in which none of them can go on.
 *
 * A statement is a step of the hardware; between two steps of a core the others may make theirs.
 * Memory is sequentially consistent: whether the barriers in the C code suffice is not what this
 * model is for.
 */

#ifndef CORES
#define CORES 2
#endif

#define NOBODY 255
#define BIT(n) (1 << (n))
#define ALL    (BIT(CORES) - 1)

bit kernel_lock = 1; /* the boot core begins with it */
byte holder = 0;     /* who is in the kernel */
byte monitors = 0;   /* bit n: core n's exclusive monitor watches kernel_lock */
byte events = 0;     /* bit n: core n's event register */
byte sgi = 0;        /* bit n: SMP_SGI is pending at core n */
byte call = 0;       /* bit n: core n's cpu->call is not NULL */
byte executed = 0;   /* bit n: what was asked of core n has been executed */

/* A store to kernel_lock clears the other cores' monitors, which is an event for them. */
inline store_lock(value)
{
    kernel_lock = value;
    events = events | (monitors & ~BIT(me));
    monitors = monitors & BIT(me)
}

inline wfe()
{
    d_step { events & BIT(me) -> events = events & ~BIT(me) }
}

/* `served` is whether there was a call. */
inline serve()
{
    if
    :: call & BIT(me) ->
        d_step {
            assert(holder != NOBODY && holder != me); /* it runs under the caller's lock */
            assert(!(executed & BIT(me)));
            executed = executed | BIT(me)
        };
        call = call & ~BIT(me);
        served = true;
        if
        :: true
        :: monitors = monitors & ~BIT(me) /* any store may clear its own core's: no event */
        fi
    :: else
    fi
}

/* try_lock: ldaxr sees whether the lock is free; stxr takes it, and may fail for no reason. */
inline smp_lock()
{
    do
    :: d_step { kernel_lock == 0 -> monitors = monitors | BIT(me) }; /* ldaxr */
        if
#ifdef BROKEN_NOT_EXCLUSIVE
        :: d_step {
            true ->
#else
        :: d_step {
            monitors & BIT(me) ->
#endif
            store_lock(1);
            monitors = monitors & ~BIT(me);
            assert(holder == NOBODY); /* mutual exclusion */
            holder = me
        };
            break
        :: monitors = monitors & ~BIT(me);
#ifdef BROKEN_WFE_AFTER_FAILURE
            serve();
            wfe()
#endif
        fi
    :: d_step { kernel_lock == 1 -> monitors = monitors | BIT(me) }; /* ldaxr */
#ifdef BROKEN_WAITS_WITHOUT_SERVING
        skip;
#else
        serve();
#endif
#ifdef BROKEN_WFE_AFTER_SERVING
        served = false;
#endif
        if
        :: served -> served = false
        :: else -> wfe()
        fi
    od
}

inline smp_unlock()
{
    d_step {
        holder = NOBODY;
        store_lock(0)
    }
}

inline smp_call(other)
{
    call = call | BIT(other);
#ifndef BROKEN_CALL_WITHOUT_SEV
    events = ALL; /* sev */
#endif
#ifndef BROKEN_CALL_WITHOUT_SGI
    sgi = sgi | BIT(other);
#endif
    d_step {
        (call & BIT(other)) == 0 ->
        assert(executed & BIT(other));
        executed = executed & ~BIT(other)
    }
}

proctype core(byte me)
{
    bool served;

    if
    :: me == 0 /* smp_start */
    :: else -> smp_lock()
    fi;
    do
    :: if /* in the kernel */
        :: true
        :: smp_call((me + 1) % CORES)
#if CORES > 2
        :: smp_call((me + 2) % CORES)
#endif
        fi;
        sgi = sgi & ~BIT(me); /* if it has come for this interrupt */
        smp_unlock();
        if
        :: true /* its thread makes a system call */
        :: true ->
end_waits: /* its thread computes, or it is in WFI */
            (sgi & BIT(me))
        fi;
        smp_lock()
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
    }
}
