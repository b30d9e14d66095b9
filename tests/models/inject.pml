/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What a monitor does to a vCPU that is loaded on another core: sys_vcpu_inject, sys_vcpu_write,
 * sys_vcpu_ack_vppi and on_vcpu (syscall.c); vcpu_inject, vcpu_write_register,
 * vcpu_ack_vppi, vcpu_load, vcpu_unload, sync_vtimer_mask, vcpu_timer_interrupt,
 * vcpu_maintenance_interrupt and vcpu_disable_gich (vcpu.c), vcpu_enter and vcpu_leave
 * (vcpu_switch.h), serve and smp_deschedule (smp.c); and what the monitor does with list registers:
 * vgic_lr_fill, inject, preempt, record_replacement, may_be_replaced_ones and vgic_maintenance
 * (vmm/vgic_lr.c), vgic_raise_ppi (vmm/vgic.c).
 *
 * The vCPU is on core 1, the monitor on core 0. The vCPU's virtual timer expires, and the monitor
 * sends it IPIs and writes a register of it, at any times, a few times each. A PD and another vCPU
 * run on core 1 now and then. There is one list register, and an IPI has the higher priority. What
 * has to hold:
 *
 *   Each IPI is taken after it was sent, and each expiry of the timer after it happened. None is
 *   taken that was not injected.
 *   The timer's event is reported once for each acknowledgement.
 *   A register has what was last written to it, by the guest or by the monitor, whether it is one
 *   that stays in the core while PDs run or one that is switched each time.
 *   If nothing moves any more the vCPU computes, and nothing is left to do for it.
 *
 * How the lock is waited for is in lock.pml, how threads are stopped in stop.pml.
 */

#ifndef EXPIRIES
#define EXPIRIES 2 /* of the virtual timer */
#endif
#ifndef IPIS
#define IPIS 2
#endif
#ifndef WRITES
#define WRITES 1
#endif
#ifndef VISITS
#define VISITS 1 /* of another thread on core 1 */
#endif

#define NOBODY 0 /* of `current` and `loaded` */
#define VCPU   1
#define OTHER  2 /* vCPU */
#define PD     3

#define FREE    0 /* of a list register */
#define PENDING 1
#define ACTIVE  2
#define ENDED   3 /* and its end has not been reported */

#define NONE  0 /* of INTIDs */
#define TIMER 1
#define IPI   2

/* ---- Kernel and hardware ---- */

bit kernel_lock = 1; /* core 1 begins with it */
bit sgi = 0;         /* SMP_SGI is pending at core 1 */

mtype = { NO_CALL, INJECT, WRITE, ACK_VPPI };
mtype call = NO_CALL; /* core 1's cpu->call */
byte argument;
bit result;

bit queued = 1; /* the vCPU is in core 1's ready queue, */
bit inbox = 0;  /* or in its inbox */
mtype = { NO_FAULT, VPPI_EVENT, MAINTENANCE };
mtype fault = NO_FAULT; /* of the vCPU, which waits for the answer */

byte loaded = NOBODY;
bit vcpu_active = 0;
bit vcpu_ready = 0; /* it is the vCPU, if so */
bit gich_enabled = 0;
bit core_masked = 0; /* cpu->vtimer_masked: the timer's interrupt is active */
bit vcpu_masked = 0; /* vcpu->vtimer_masked */

/* The vCPU's registers, in the core and in struct vcpu. */
byte core_lr = FREE, core_intid = NONE, vcpu_lr = FREE, vcpu_intid = NONE;
bit core_register = 0, vcpu_register = 0;
bit core_sctlr = 0, vcpu_sctlr = 0; /* in the core only while the vCPU is active */

bit timer_on = 0; /* the virtual timer's condition holds: CNTV_CTL and CNTV_CVAL are switched */

#define timer_interrupt       (loaded == VCPU && timer_on && !core_masked)
#define maintenance_interrupt (loaded == VCPU && gich_enabled && core_lr == ENDED)
#define interrupt_pending     (sgi || timer_interrupt || maintenance_interrupt)
#define is_ready              (queued || inbox)

/* ---- What really is ---- */

bit truth = 0;    /* the value of both registers */
bit reported = 0; /* the timer's event, and it has not been acknowledged */
bit ipi_sent = 0; /* and not taken since */
byte injected = NONE; /* and not taken or replaced since */
byte expiries_left = EXPIRIES;
byte ipis_left = IPIS;
byte writes_left = WRITES;
byte visits_left = VISITS;

/* ---- vCPUs ---- */

inline save()
{
#ifndef BROKEN_SAVES_NO_LIST_REGISTER
    vcpu_lr = core_lr;
    vcpu_intid = core_intid;
#endif
    vcpu_register = core_register;
    core_lr = FREE; /* not so in hardware, but nobody looks */
    core_intid = NONE;
    core_register = 0
}

inline load()
{
    core_lr = vcpu_lr;
    core_intid = vcpu_intid;
    core_register = vcpu_register
}

inline vcpu_stop()
{
    vcpu_sctlr = core_sctlr;
    core_sctlr = 0;
    vcpu_active = false
}

inline vcpu_leave()
{
    vcpu_stop();
    vcpu_ready = true
}

inline vcpu_unload()
{
    if
    :: vcpu_active -> vcpu_stop()
    :: else
    fi;
    save();
    loaded = NOBODY;
    vcpu_ready = false
}

/* The other vCPU has no interrupt, and its timer is off. */
inline vcpu_load_other()
{
    if
    :: vcpu_active -> vcpu_stop()
    :: else
    fi;
    if
    :: loaded == VCPU -> save()
    :: else
    fi;
    vcpu_ready = false;
    loaded = OTHER;
    gich_enabled = true;
    core_masked = false
}

inline vcpu_enter()
{
    if
    :: vcpu_ready
    :: else -> /* vcpu_load */
        if
        :: loaded != VCPU ->
            load();
            loaded = VCPU
        :: else
        fi;
        gich_enabled = true;
        core_masked = vcpu_masked /* sync_vtimer_mask */
    fi;
    vcpu_ready = false;
    vcpu_active = true;
    core_sctlr = vcpu_sctlr
}

/* `result`: whether it did not refuse. */
inline vcpu_inject()
{
#ifdef BROKEN_INJECTS_INTO_WHAT_IS_SAVED
    if
    :: true ->
#else
    if
    :: loaded == VCPU ->
        result = core_lr != ACTIVE;
        if
        :: result ->
            core_lr = PENDING;
            core_intid = argument;
            injected = argument
        :: else
        fi
    :: else ->
#endif
        result = vcpu_lr != ACTIVE;
        if
        :: result ->
            vcpu_lr = PENDING;
            vcpu_intid = argument;
            injected = argument
        :: else
        fi
    fi
}

inline vcpu_write_register()
{
    vcpu_sctlr = argument;
    vcpu_register = argument;
    truth = argument;
    if
#ifdef BROKEN_WRITES_WHAT_IS_SAVED
    :: false
#else
    :: loaded == VCPU -> core_register = argument
#endif
    :: else
    fi
}

inline vcpu_ack_vppi()
{
    reported = false;
    vcpu_masked = false;
#ifndef BROKEN_ACKNOWLEDGES_WITHOUT_LOADING
    vcpu_ready = false
#endif
}

inline fault_raise(what)
{
    assert(fault == NO_FAULT);
    fault = what;
    queued = false;
    current = NOBODY;
    vcpu_unload() /* ipc_send: the monitor is on another core */
}

/* ---- Core 1 ---- */

inline smp_deschedule()
{
    if
    :: current == VCPU ->
        withdrawn = true;
        current = NOBODY;
        vcpu_leave()
    :: else
    fi
}

inline serve()
{
    if
    :: call == INJECT -> vcpu_inject()
    :: call == WRITE ->
#ifndef BROKEN_WRITES_WHAT_RUNS
        smp_deschedule();
#endif
        vcpu_write_register()
    :: call == ACK_VPPI ->
#ifndef BROKEN_ACKNOWLEDGES_WHAT_RUNS
        smp_deschedule();
#endif
        vcpu_ack_vppi()
    fi;
    call = NO_CALL
}

inline smp_lock()
{
    do
    :: atomic { kernel_lock == 0 -> kernel_lock = 1 };
        break
    :: atomic { call != NO_CALL -> serve() }
    od
}

/* One interrupt is acknowledged; which one is the GIC's choice. */
inline irq_handle()
{
    if
    :: sgi -> /* smp_interrupt */
        sgi = false;
        queued = queued || inbox;
        inbox = false
    :: timer_interrupt -> /* vcpu_timer_interrupt */
        core_masked = true;
        if
        :: vcpu_active ->
            vcpu_masked = true;
            assert(!reported);
            reported = true;
            fault_raise(VPPI_EVENT)
        :: else ->
#ifndef BROKEN_KEEPS_MASK_OF_WHAT_DID_NOT_RUN
            vcpu_ready = false
#else
            skip
#endif
        fi
    :: maintenance_interrupt -> /* vcpu_maintenance_interrupt */
        if
        :: vcpu_active ->
            core_lr = FREE;
            core_intid = NONE;
            fault_raise(MAINTENANCE)
        :: else -> /* vcpu_disable_gich */
            gich_enabled = false;
#ifndef BROKEN_RUNS_WITHOUT_GICH
            vcpu_ready = false
#endif
        fi
    :: else
    fi
}

/* The scheduler is any. If the vCPU just goes on, this is not called (vectors.S). */
inline cpu_switch()
{
    if
    :: queued && current == VCPU
    :: queued && current != VCPU ->
        current = VCPU;
        vcpu_enter()
    :: visits_left > 0 ->
        visits_left--;
        if
        :: vcpu_active -> vcpu_leave()
        :: else
        fi;
        current = PD
    :: visits_left > 0 ->
        visits_left--;
        current = OTHER;
        vcpu_load_other()
    :: !queued -> /* idle */
        if
        :: vcpu_active -> vcpu_leave()
        :: else
        fi;
        current = NOBODY;
        gich_enabled = false;
        vcpu_ready = false
    fi;
    kernel_lock = 0
}

inline come_in()
{
    smp_lock();
    atomic {
        irq_handle();
        withdrawn = false
    }
}

/* It runs, until it comes into the kernel. */
inline run_vcpu()
{
    do
    :: interrupt_pending -> break
    :: true -> break        /* some exit that the kernel handles */
    :: core_lr != ACTIVE -> /* it computes */
        interrupt_pending || (gich_enabled && core_lr == PENDING)
    :: atomic {
        gich_enabled && core_lr == PENDING ->
        core_lr = ACTIVE;
        assert(injected == core_intid);
        injected = NONE;
        if
        :: core_intid == TIMER -> timer_on = false
        :: core_intid == IPI -> ipi_sent = false
        fi
    }
    :: atomic { core_lr == ACTIVE -> core_lr = ENDED }
    :: d_step {
        expiries_left > 0 && !timer_on ->
        expiries_left--;
        timer_on = true
    }
    :: d_step {
        writes_left > 0 ->
        writes_left--;
        assert(core_register == truth && core_sctlr == truth);
        core_register = 1 - core_register;
        core_sctlr = core_register;
        truth = core_register
    }
    od;
    come_in()
}

active proctype core_1()
{
    byte current = NOBODY;
    bool withdrawn;

    do
    :: atomic { cpu_switch() };
        if
        :: current == VCPU -> run_vcpu()
        :: current == NOBODY ->
            interrupt_pending; /* WFI */
            come_in()
        :: else -> come_in() /* it does not run for long */
        fi
    od
}

/* ---- The monitor ---- */

inline enter()
{
    atomic { kernel_lock == 0 -> kernel_lock = 1 }
}

inline leave()
{
    kernel_lock = 0
}

inline smp_call(what)
{
    atomic {
        call = what;
        sgi = true
    };
    call == NO_CALL
}

/* on_vcpu */
inline sys_vcpu_inject(intid)
{
    enter();
    argument = intid;
    if
    :: loaded == VCPU -> smp_call(INJECT)
    :: else -> atomic { vcpu_inject() }
    fi;
    leave()
}

inline sys_vcpu_write(value)
{
    enter();
    argument = value;
    if
    :: loaded == VCPU -> smp_call(WRITE)
    :: else -> atomic { vcpu_write_register() }
    fi;
    leave()
}

inline sys_vcpu_ack_vppi()
{
    enter();
    if
    :: loaded == VCPU -> smp_call(ACK_VPPI)
    :: else -> atomic { vcpu_ack_vppi() }
    fi;
    leave()
}

inline record(intid)
{
    lr = intid;
    if
    :: intid == IPI -> ipi_pending = false
    :: else -> timer_pending = false
    fi
}

/* overwrite: `result` is whether the kernel has not refused. */
inline vgic_lr_fill()
{
    if
    :: lr == NONE && ipi_pending ->
        sys_vcpu_inject(IPI);
        assert(result);
        record(IPI)
    :: lr == NONE && !ipi_pending && timer_pending ->
        sys_vcpu_inject(TIMER);
        assert(result);
        record(TIMER)
    :: lr == TIMER && ipi_pending -> /* preempt */
        sys_vcpu_inject(IPI);
        if
        :: result ->
            timer_pending = true; /* return_to_distributor */
            record(IPI);
            replaced = !in_exit /* vcpu_may_run */
        :: else
        fi
    :: else
    fi
}

inline vgic_maintenance()
{
    if
#ifndef BROKEN_TAKES_OLD_END_FOR_NEW
    :: may_be_replaced_ones -> /* whose end it is cannot be told */
        sys_vcpu_inject(IPI);
        assert(result)
#endif
    :: else ->
        lr = NONE;
        vgic_lr_fill()
    fi
}

active proctype monitor()
{
    byte lr = NONE;
    bool ipi_pending, timer_pending; /* in the distributor */
    bool in_exit;
    bool may_be_replaced_ones; /* it is the first exit since */
    bool due; /* the timer's event is to be acknowledged: at any time, not at its end only */
    bool replaced; /* what was in the list register, since the last exit, while the vCPU may run */

    do
    :: fault != NO_FAULT ->
        in_exit = true;
        may_be_replaced_ones = replaced;
        if
        :: fault == VPPI_EVENT ->
            due = true;
            timer_pending = true; /* vgic_raise_ppi */
            vgic_lr_fill()
        :: fault == MAINTENANCE -> vgic_maintenance()
        fi;
        replaced = false;
        in_exit = false;
        may_be_replaced_ones = false;
        enter(); /* the answer */
        atomic {
            fault = NO_FAULT;
            inbox = true; /* smp_wake */
            sgi = true
        };
        leave()
    :: atomic {
        ipis_left > 0 ->
        ipis_left--;
        ipi_sent = true;
        ipi_pending = true
    };
        vgic_lr_fill()
    :: atomic { writes_left > 0 -> writes_left-- };
        if
        :: sys_vcpu_write(0)
        :: sys_vcpu_write(1)
        fi
    :: atomic { due -> due = false };
        sys_vcpu_ack_vppi()
    od
}

init
{
    timeout; /* nothing moves any more */
    assert(kernel_lock == 0 && fault == NO_FAULT && call == NO_CALL && !inbox);
    assert(loaded == VCPU && vcpu_active && core_lr == FREE);
    assert(!ipi_sent && !timer_on && !reported);
    assert(core_register == truth && core_sctlr == truth)
}
