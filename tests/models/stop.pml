/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * How a thread that runs on another core is stopped, and how its registers are read and written:
 * execute, tcb_read, tcb_write, tcb_suspend, sys_tcb_resume and sys_vcpu_read (syscall.c), serve,
 * smp_call, smp_deschedule and smp_enter (smp.c), vcpu_load and vcpu_unload (vcpu.c), ipc_send
 * (ipc.c), and the ways in and out (vectors.S). How the lock is waited for is in lock.pml.
 *
 * On each core there is a parent, which may have a child on the next core. Parents do to their
 * children whatever they can, in any order. A child makes a system call and a fault in turns, or
 * computes until an interrupt comes. It has a register, and a system register that stays in the
 * core while other threads run: it is a PD and a vCPU at once. What has to hold:
 *
 *   A child that is stopped executes nothing, and nothing is done for it.
 *   Each system call is done once. Each fault is handled once. One that was dropped comes again.
 *   What a parent reads is what the child has last had.
 *   If nothing moves any more, each core is in WFI and no thread is ready, or a child computes.
 *
 * What a core does with the lock is one step, up to a call to another core. The scheduler is any.
 * PARENTS=2 has two cores call each other. That makes ten million states: it is for trying by hand.
 */

#ifndef CORES
#define CORES 2
#endif
#ifndef PARENTS
#define PARENTS 1 /* with children. The others only come into the kernel. */
#endif

#define BIT(n) (1 << (n))
#define ALL    (BIT(CORES) - 1)
#define NOBODY 255

#define CALL  1 /* of the program's three instructions the numbers of the two that trap */
#define FAULT 2

#define child_of(core) ((core + 1) % CORES) /* the core of a parent's child */

bit kernel_lock = 1; /* the boot core begins with it */
byte sgi = 0;        /* bit n: SMP_SGI is pending at core n */
byte asleep = 0;     /* bit n: core n is in WFI */
byte computing = 0;  /* bit n: core n's child is running, and will not trap */

mtype = { NONE, READ, WRITE, SUSPEND, VCPU_READ };
mtype call[CORES] = NONE; /* cpu->call, of core n's child */
bit answer;

/* Bit n: core n's parent's, or core n's child's. */
byte parents_queued = ALL; /* it is next, or in a ready queue */
byte parents_inbox = 0;
byte parents_receiving = 0;
byte serving = 0; /* reply_to != NULL: its child's fault has been received */
byte queued = 0;
byte inbox = 0;
byte faulted = 0; /* SENDING or WAITING */
byte pc[CORES];   /* in `regs`, and so is this: */
byte saved = 0;   /* the register */
byte core_sys = 0; /* the system register in the core, if it is loaded */
byte vcpu_sys = 0; /* and in struct vcpu */
byte loaded = 0;

/* What really is. */
byte truth = 0; /* the value of both registers */
byte stopped = 0;
byte call_done = ALL;
byte fault_done = ALL;

#define put(mask, n, value) mask = (mask & ~BIT(n)) | ((value) << (n))
#define get(mask, n)        (((mask) >> (n)) & 1)
#define is_ready(n)         ((queued | inbox) & BIT(n))

/* ---- Wake ---- */

inline send_sgi_if_empty(n)
{
    if
    :: (inbox | parents_inbox) & BIT(n)
    :: else -> sgi = sgi | BIT(n)
    fi
}

inline wake_child(n)
{
    send_sgi_if_empty(n);
    inbox = inbox | BIT(n)
}

inline wake_parent(n)
{
    send_sgi_if_empty(n);
    parents_inbox = parents_inbox | BIT(n)
}

inline irq_handle()
{
    if
    :: sgi & BIT(me) -> /* smp_interrupt */
        sgi = sgi & ~BIT(me);
        queued = queued | (inbox & BIT(me));
        inbox = inbox & ~BIT(me);
        parents_queued = parents_queued | (parents_inbox & BIT(me));
        parents_inbox = parents_inbox & ~BIT(me)
    :: else
    fi
}

/* ---- What is asked of the child's core ---- */

inline vcpu_unload(n)
{
    if
    :: loaded & BIT(n) ->
        put(vcpu_sys, n, get(core_sys, n));
        loaded = loaded & ~BIT(n)
    :: else
    fi
}

inline thread_suspend(n)
{
    queued = queued & ~BIT(n);
    inbox = inbox & ~BIT(n);
    if
    :: faulted & BIT(n) -> /* ipc_cancel */
        faulted = faulted & ~BIT(n);
        serving = serving & ~BIT((n + CORES - 1) % CORES)
    :: else
    fi
}

inline smp_deschedule()
{
    if
    :: current == me + CORES ->
        if
#ifndef BROKEN_PC_STAYS_BEHIND_THE_CALL
        :: in_call ->
            pc[me]--;
            in_call = false
#endif
        :: else
        fi;
        withdrawn = true;
        current = NOBODY
    :: else
    fi
}

inline serve()
{
    if
    :: call[me] == READ ->
        smp_deschedule();
        answer = get(saved, me)
    :: call[me] == WRITE ->
        smp_deschedule();
        pc[me] = 0
    :: call[me] == SUSPEND ->
#ifndef BROKEN_STOPS_WHAT_STAYS_CURRENT
        smp_deschedule();
#endif
        thread_suspend(me);
        vcpu_unload(me)
    :: call[me] == VCPU_READ ->
        smp_deschedule();
        answer = get(core_sys, me)
    fi;
    call[me] = NONE
}

/* ---- The ways in ---- */

inline smp_lock()
{
    do
    :: atomic { kernel_lock == 0 -> kernel_lock = 1 };
        break
#ifndef BROKEN_WAITS_WITHOUT_SERVING
    :: atomic { call[me] != NONE -> serve() }
#endif
    od
}

inline save_all()
{
    d_step {
        pc[me] = core_pc;
        put(saved, me, core_reg);
        in_registers = false
    }
}

inline smp_enter(is_call)
{
    withdrawn = false;
    in_call = is_call;
    smp_lock();
    in_call = false
}

/* ---- The ways out ---- */

/* Another thread, or the same: `next` is any that is ready. */
inline cpu_switch()
{
    previous = current;
    if
    :: parents_queued & BIT(me) -> current = me
    :: queued & BIT(me) -> current = me + CORES
    :: else -> current = NOBODY
    fi;
    if
    :: previous == me + CORES && current != previous && in_registers -> save_all()
    :: else
    fi;
    previous = NOBODY;
    if
    :: current == me + CORES && !(loaded & BIT(me)) -> /* vcpu_load */
        put(core_sys, me, get(vcpu_sys, me));
        loaded = loaded | BIT(me)
    :: else
    fi;
    kernel_lock = 0
}

/* ---- A parent ---- */

/* The parent has the other core do it, and holds the lock meanwhile. */
inline smp_call(what)
{
    atomic {
        call[child_of(me)] = what;
#ifndef BROKEN_CALLS_WITHOUT_SGI
        sgi = sgi | BIT(child_of(me));
#endif
    };
    call[child_of(me)] == NONE
}

#ifdef BROKEN_READS_WHAT_MAY_RUN
#define must_call(n) false
#else
#define must_call(n) is_ready(n)
#endif

/* TCB_ReadRegisters */
inline parent_reads()
{
    if
    :: must_call(child_of(me)) -> smp_call(READ)
    :: else -> answer = get(saved, child_of(me))
    fi;
    atomic {
        assert(answer == get(truth, child_of(me)));
        answer = 0
    }
}

inline parent_reads_vcpu()
{
    if
#ifdef BROKEN_READS_WHAT_IS_LOADED
    :: false
#else
    :: loaded & BIT(child_of(me)) -> smp_call(VCPU_READ)
#endif
    :: else -> answer = get(vcpu_sys, child_of(me))
    fi;
    atomic {
        assert(answer == get(truth, child_of(me)));
        answer = 0
    }
}

inline parent_suspends()
{
    if
    :: is_ready(child_of(me)) -> smp_call(SUSPEND)
    :: else -> atomic { thread_suspend(child_of(me)) }
    fi;
    stopped = stopped | BIT(child_of(me))
}

inline parent_resumes()
{
    atomic {
        if
        :: is_ready(child_of(me))
        :: else ->
            thread_suspend(child_of(me));
            stopped = stopped & ~BIT(child_of(me));
            wake_child(child_of(me))
        fi
    }
}

/* TCB_WriteRegisters: it begins anew. */
inline parent_restarts()
{
    if
    :: is_ready(child_of(me)) -> smp_call(WRITE)
    :: else ->
        atomic {
            thread_suspend(child_of(me));
            pc[child_of(me)] = 0;
            stopped = stopped & ~BIT(child_of(me));
            wake_child(child_of(me))
        }
    fi;
    d_step {
        call_done = call_done | BIT(child_of(me));
        fault_done = fault_done | BIT(child_of(me))
    }
}

/* It answers the fault that it has received, and has the child go on behind it. */
inline parent_answers()
{
    atomic {
        assert(faulted & BIT(child_of(me)));
        assert(get(saved, child_of(me)) == get(truth, child_of(me)));
        assert(!(fault_done & BIT(child_of(me))));
        fault_done = fault_done | BIT(child_of(me));
        pc[child_of(me)] = 0;
        faulted = faulted & ~BIT(child_of(me));
        serving = serving & ~BIT(me);
        wake_child(child_of(me))
    }
}

inline parent_receives()
{
    atomic {
        if
        :: faulted & BIT(child_of(me)) -> serving = serving | BIT(me)
        :: else ->
            parents_receiving = parents_receiving | BIT(me);
            parents_queued = parents_queued & ~BIT(me)
        fi
    }
}

inline run_parent()
{
    if
    :: sgi & BIT(me) -> /* trap_irq */
        smp_enter(false);
        atomic { irq_handle() }
    :: true ->
        smp_enter(true);
        if
        :: me >= PARENTS
        :: me >= PARENTS -> parent_receives()
        :: me < PARENTS && (serving & BIT(me)) -> parent_answers()
        :: me < PARENTS && !(serving & BIT(me)) -> parent_receives()
        :: me < PARENTS -> parent_reads()
        :: me < PARENTS -> parent_reads_vcpu()
        :: me < PARENTS -> parent_suspends()
        :: me < PARENTS -> parent_resumes()
        :: me < PARENTS -> parent_restarts()
        fi
    fi
}

/* ---- A child ---- */

inline child_computes()
{
    d_step {
        assert(!(stopped & BIT(me)));
        assert(call_done & fault_done & BIT(me));
        call_done = call_done & ~BIT(me);
        fault_done = fault_done & ~BIT(me);
        truth = truth ^ BIT(me);
        core_reg = 1 - core_reg;
        core_sys = core_sys ^ BIT(me);
        core_pc = CALL
    };
    goto execute
}

/* fault_raise, ipc_send: the parent is on another core. */
inline child_faults()
{
    atomic {
        assert(!(stopped & BIT(me)));
        queued = queued & ~BIT(me);
        faulted = faulted | BIT(me);
        vcpu_unload(me);
        if
        :: parents_receiving & BIT((me + CORES - 1) % CORES) ->
            parents_receiving = parents_receiving & ~BIT((me + CORES - 1) % CORES);
            serving = serving | BIT((me + CORES - 1) % CORES);
            wake_parent((me + CORES - 1) % CORES)
        :: else
        fi
    }
}

/* A system call that wakes nobody. */
inline child_is_served()
{
    d_step {
        assert(!(stopped & BIT(me)));
        assert(!(call_done & BIT(me)));
        call_done = call_done | BIT(me)
    }
}

#ifdef BROKEN_HANDLES_WHAT_WAS_WITHDRAWN
#define is_dropped false
#else
#define is_dropped withdrawn
#endif

/* The kernel has freed the lock; the thread's registers are loaded only then. */
inline run_child()
{
    if
    :: d_step {
        !in_registers ->
        core_pc = pc[me];
        core_reg = get(saved, me);
        in_registers = true
    }
    :: else
    fi;
    if
    :: sgi & BIT(me) -> /* lower_irq, trap_irq */
        save_all();
        smp_enter(false);
        atomic { irq_handle() }
    :: core_pc == 0 -> child_computes()
    :: core_pc == 0 ->
        computing = computing | BIT(me);
        d_step { sgi & BIT(me) -> computing = computing & ~BIT(me) };
        save_all();
        smp_enter(false);
        atomic { irq_handle() }
    :: core_pc == CALL -> /* lower_sync: the pc is behind it */
        core_pc = CALL + 1;
        if
        :: atomic { kernel_lock == 0 -> kernel_lock = 1 }; /* lock_kernel */
            child_is_served()
        :: kernel_lock == 1 -> /* call_contended */
#ifndef BROKEN_WAITS_WITH_REGISTERS
            save_all();
#endif
            smp_enter(true);
            if
            :: is_dropped
            :: else -> child_is_served()
            fi
        fi
    :: core_pc == FAULT -> /* lower_sync: exception, trap_sync */
        save_all();
        smp_enter(false);
        if
        :: is_dropped
        :: else -> child_faults()
        fi
    fi;
    withdrawn = false
}

/* ---- Cores ---- */

inline idle()
{
    asleep = asleep | BIT(me);
    d_step { sgi & BIT(me) -> asleep = asleep & ~BIT(me) }; /* WFI */
    smp_lock();
    atomic { irq_handle() }
}

proctype core(byte me)
{
    byte current = NOBODY, previous = NOBODY;
    bool withdrawn, in_call;
    bool in_registers; /* the child's are in the core; those in `regs` may be old */
    byte core_pc;
    bit core_reg;

    if
    :: me == 0
    :: else -> smp_lock()
    fi;
    do
    :: atomic { cpu_switch() };
execute:
        if
        :: current == NOBODY -> idle()
        :: current == me -> run_parent()
        :: current == me + CORES ->
            run_child()
        fi
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
    assert((asleep | computing) == ALL && kernel_lock == 0);
    assert(inbox == 0 && queued == computing);
    /* A parent may be ready behind a child that computes: there is no time slice here. */
    assert(parents_inbox == 0 && (parents_queued & ~computing) == 0)
}
