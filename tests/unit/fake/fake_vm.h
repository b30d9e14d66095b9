/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A whole monitor on the host, but for its virtio devices: link vmm's sources and main.c with
 * fake_vm.c and fake_microkit.c. The guest's bus is laid out once for the process; fake_vm_start
 * begins each case with fresh memory, vCPUs and rings.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "vmm/config.h"

#define FAKE_VM_RAM_GPA 0x40000000u
#ifndef FAKE_VM_RAM_SIZE /* a fuzzer's machine is quicker to start with less */
#define FAKE_VM_RAM_SIZE 0x400000u
#endif
#define FAKE_VM_KERNEL_GPA   (FAKE_VM_RAM_GPA + (FAKE_VM_RAM_SIZE / 2 & ~0x1fffffu))
#define FAKE_VM_DTB_GPA      (FAKE_VM_RAM_GPA + FAKE_VM_RAM_SIZE / 4 * 3)
#define FAKE_VM_GICD_GPA     0x08000000u
#define FAKE_VM_RESET_GPA    0x08020000u
#define FAKE_VM_PL011_GPA    0x09000000u
#define FAKE_VM_WATCHDOG_GPA 0x09020000u
#define FAKE_VM_PVPANIC_GPA  0x09060000u
#define FAKE_VM_DEVICE_GPA   0x0a000000u /* remembers what is written to it */

#define FAKE_VM_TIMER_CHANNEL   3u
#define FAKE_VM_CONSOLE_CHANNEL 4u
#define FAKE_VM_TURN_CHANNEL    5u
#define FAKE_VM_FORWARD_CHANNEL 6u
#define FAKE_VM_FORWARD_INTID   50u /* level-sensitive */
#define FAKE_VM_WATCHDOG_INTID  35u
#define FAKE_VM_WATCHDOG        10u /* seconds */

struct fake_vm {
    uint8_t *ram;
    uint8_t *reset_page;
    unsigned virtio_resets;
    unsigned resumed;
    unsigned timer_expiries;
    unsigned idled;
    bool button_ready;       /* whether the guest listens to its power button, */
    unsigned presses;        /* and how often it was pressed then */
    bool console_ready;      /* what virtio_console_ready says, */
    bool busy;               /* and what virtio_quiesced denies */
    uint64_t device_written; /* the last value written to the device, */
    unsigned device_writes;
    uint64_t device_value;   /* and what it reads as */
    bool device_ignores;     /* it does not look at what is written */
    bool device_notifies;    /* each access defers a notification of the timer driver */
    uint64_t device_cost;    /* how long an access takes, in ticks */
    uint64_t timer_deadline; /* what the timer driver was last told, */
    unsigned timer_calls;
    struct stats_machine stats;
};

extern struct fake_vm fake_vm;

void fake_vm_start(uint32_t vcpus, bool held);

/* The same, of a machine that has so many microseconds in each period. */
void fake_vm_start_limited(uint32_t vcpus, uint32_t budget_us, uint32_t period_us);

/* The same with that policy for crashes. */
void fake_vm_start_with(uint32_t vcpus, enum vmm_on_crash policy);

/* The same among machines of other priorities. */
void fake_vm_start_without_equals(uint32_t vcpus, bool held);

/* The same with a GICv3. The bus has a GICv2's distributor all the same. */
void fake_vm_start_gicv3(uint32_t vcpus);

/*
 * The same in a domain, whose schedule takes so long; `alone`: no other machine is in it. The
 * monitor's word is fake_vm.timer_deadline.
 */
void fake_vm_start_in_domain(uint32_t vcpus, bool alone, uint32_t schedule_us);

/* The same alone in a domain whose schedule takes 10 ms, with a limit. */
void fake_vm_start_in_domain_limited(uint32_t budget_us, uint32_t period_us);

/* The same with a kernel that is not an arm64 Image. */
void fake_vm_start_without_kernel(void);

/* What the VM's console has been sent since the last call; at most 4 KiB. */
const char *fake_vm_output(void);

/* What the monitor has told the console of the machine: lib/console_state.h. */
uint32_t fake_vm_console_state(void);

/* The console multiplexer gives a command (enum control_verb), and notifies. */
void fake_vm_command(uint8_t verb);

/* Keys for the VM's console, and the notification of it. */
void fake_vm_type(const char *keys);

/* An exit: vCPU `vcpu` faults with these registers; PC and x0 .. x30 are in fake.vcpu[vcpu]. */
bool fake_vm_data_abort(uint8_t vcpu, uint64_t gpa, uint32_t iss);
bool fake_vm_trap(uint8_t vcpu, uint32_t class, uint32_t iss);

/* SMC #0 with these registers; returns x0 afterwards. */
uint64_t fake_vm_smc(uint8_t vcpu, uint64_t x0, uint64_t x1, uint64_t x2, uint64_t x3);
