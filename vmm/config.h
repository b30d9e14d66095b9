/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the generator tells a monitor about its one VM. */

#include <stdbool.h>
#include <stdint.h>
#include "lib/stats.h"

#define VMM_MAX_VCPUS       16 /* with a GICv3 */
#define VMM_MAX_VCPUS_GICV2 8  /* its distributor's registers have 8 bits for them */
#define VMM_SEED_SIZE       64 /* bytes */
#define VMM_KASLR_SEED_SIZE 8  /* bytes */
#define VMM_SECRET_SIZE     32 /* bytes */
#define VMM_MAX_INTERFACES  8
#define VMM_MAX_DISKS       4
#define VMM_PRIMECELL_CLOCK 24000000u /* Hz, of emulated PrimeCells */
#define VMM_WATCHDOG_MAX    300u      /* seconds */
#define VMM_MAX_FORWARDS    16        /* interrupts of devices that are handed to the machine */
#define VMM_MAX_SHARED      8         /* regions of shared memory */
#define VMM_MAX_SHARED_MACHINES                                                                    \
    32 /* that share one; of all regions, the others are no more than a monitor has channels for   \
        */

/* Bytes that are put into guest memory before the guest (re)starts. */
struct vmm_image {
    const void *data; /* in this PD, read-only; NULL: none */
    uint64_t size;
    uint64_t gpa;
};

struct vmm_interface_config {
    uint8_t channel; /* the switch */
    uint8_t mac[6];
    bool mac_fixed; /* the switch drops what the guest sends from other addresses */
    uint16_t mtu;
    bool vhost;       /* the switch works on the virtqueues; the rings below are unused */
    void *vhost_page; /* then: see lib/vhost.h */
    void *to_switch;  /* ring regions, records: see lib/net_port.h */
    void *from_switch;
    uint32_t ring_size; /* bytes of data in each */
    void *registers;    /* this device's register page, seen read-only by the guest */
    uint64_t gpa;       /* where the guest sees it */
    uint32_t intid;     /* SPI: 32.. */
};

struct vmm_console_config {
    bool present;
    uint8_t channel; /* the console multiplexer */
    void *output; /* ring region, a stream; without `present`, for the monitor's messages or NULL */
    void *input;  /* ring region, a stream */
    uint32_t output_size;
    uint32_t input_size;
    void *registers; /* the virtio-console's register page */
    uint64_t gpa;
    uint32_t intid;
    uint64_t pl011_gpa; /* the emulated PL011 for early messages */
    uint32_t pl011_intid;
};

struct vmm_clock_config {
    uint64_t gpa; /* where the guest sees it; 0: it has none */
    uint32_t intid;
    uint32_t build_date; /* seconds since 1970; the board's clock is not believed before it */
    const void *board; /* the board's PL031, read-only; NULL: there is none, or a machine has it */
};

/* An SP805 watchdog: watchdog.h. */
struct vmm_watchdog_config {
    uint64_t gpa; /* where the guest sees it; 0: it has none */
    uint32_t intid;
    uint32_t seconds; /* how long the guest may be silent: 1 .. VMM_WATCHDOG_MAX */
};

/* What becomes of the machine when it has crashed: crash.h. */
enum vmm_on_crash {
    VMM_ON_CRASH_HOLD,    /* it stays as it is until somebody starts it */
    VMM_ON_CRASH_STOP,    /* the same, and its vCPUs do not run on in a panic */
    VMM_ON_CRASH_RESTART, /* after a delay, and not for ever */
};

struct vmm_rng_config {
    void *registers; /* this device's register page, seen read-only by the guest */
    uint64_t gpa;    /* where the guest sees it; 0: it has none */
    uint32_t intid;  /* SPI: 32.. */
};

/* The power button. */
struct vmm_button_config {
    void *registers; /* this device's register page, seen read-only by the guest */
    uint64_t gpa;    /* where the guest sees it; 0: it has none */
    uint32_t intid;  /* SPI: 32.. */
};

struct vmm_disk_config {
    uint8_t channel; /* the disk multiplexer */
    const char *id;  /* the disk's answer to VIRTIO_BLK_T_GET_ID; the first 20 bytes count */
    void *requests;  /* ring regions, records: see block/protocol.h */
    void *replies;
    uint32_t request_ring_size; /* bytes of data */
    uint32_t reply_ring_size;
    void *registers;  /* this device's register page, seen read-only by the guest */
    uint64_t gpa;     /* where the guest sees it */
    uint32_t intid;   /* SPI: 32.. */
    bool noncoherent; /* the board's disk reads and writes memory past the caches */
};

/* An interrupt of a device that is handed to the machine: vgic_forward.c. */
struct vmm_forward_config {
    uint8_t channel; /* on which the kernel notifies of it */
    bool edge;       /* as the hardware has it; otherwise it is level-sensitive */
    uint32_t intid;  /* the guest's SPI: 32.. */
};

/* Memory that machines share: shared.h. In the arrays a machine is at its number. */
struct vmm_shared_config {
    const char *name;    /* the first 31 bytes count */
    void *registers;     /* this device's register page, seen read-only by the guest */
    uint64_t gpa;        /* where the guest sees it */
    uint32_t intid;      /* SPI: 32.. */
    uint64_t memory_gpa; /* where the guest has the memory */
    uint64_t size;       /* of that, bytes */
    uint32_t machines;   /* how many share it, */
    uint32_t number;     /* and which of them this one is */
    uint32_t writers;    /* bit i: machine i may write */
    uint8_t channels[VMM_MAX_SHARED_MACHINES];  /* the others' monitors */
    const void *pages[VMM_MAX_SHARED_MACHINES]; /* their register pages, read-only */
};

struct vmm_config {
    const char *name;                 /* the VM's */
    bool start_held;                  /* do not start at boot */
    uint32_t vcpu_count;              /* ids 0 .. vcpu_count-1 */
    uint8_t vcpu_core[VMM_MAX_VCPUS]; /* which core each is on */
    bool has_others;                  /* other machines have vCPUs on this monitor's core */
    void *ram;                        /* where this PD sees the guest's RAM */
    uint64_t ram_gpa;
    uint64_t ram_size;
    /*
     * RAM is memory regions of this size; the last one may be smaller. Requests to a disk name them
     * (block/protocol.h). 0: there are no disks.
     */
    uint64_t ram_region_size;
    void *flash; /* where `kernel`, a firmware, is put, which the guest has at kernel.gpa and cannot
                  * write; NULL: it is a kernel, and is put into RAM */
    uint64_t flash_size;
    uint64_t variables_gpa; /* then: where the guest has read-only zeros besides */
    uint64_t variables_size;
    struct vmm_image kernel; /* entered with x0 = dtb.gpa; an arm64 Image at its first byte */
    uint64_t entry; /* another kernel's first instruction, guest-physical; 0: it is an Image */
    uint64_t kernel_memory; /* that another kernel needs from kernel.gpa on, bytes */
    struct vmm_image initrd;
    struct vmm_image dtb;
    uint32_t seed_offset; /* of /chosen/rng-seed in dtb: VMM_SEED_SIZE bytes; 0: there is none */
    uint32_t kaslr_seed_offset; /* of /chosen/kaslr-seed, likewise: VMM_KASLR_SEED_SIZE bytes */
    const uint8_t *secret;      /* of this machine alone, from the build: VMM_SECRET_SIZE bytes */
    uint32_t gic_version; /* 2 or 3, as the board's: the guest has its virtual CPU interface */
    uint64_t gicd_gpa;    /* the emulated distributor */
    uint64_t gicr_gpa;    /* version 3: the emulated redistributors, one for each vCPU */
    void *reset_page;     /* a page for vmm/reset_program.h, which the guest cannot write */
    uint64_t reset_gpa;   /* where the guest has that page */
    struct stats_machine *stats; /* what is counted, for others to read */
    uint8_t timer_channel;       /* the timer driver, drivers/timer/protocol.h */
    uint64_t *timer_word;        /* likewise, if the driver is in another domain; otherwise NULL */
    uint32_t timer_late_us;      /* then: how late the driver may be; all turns of the schedule */
    uint32_t away_us;            /* the least that other domains' turns take in between; 0: none */
    uint32_t stay_us;            /* the least that this domain's turns take in between */
    uint32_t budget_us;          /* of the vCPUs' processor time, in each period */
    uint32_t period_us;
    bool has_equals;      /* and some of those are of its priority */
    uint8_t turn_channel; /* turn/turn.c, if has_equals */
    struct vmm_console_config console;
    struct vmm_clock_config clock;
    enum vmm_on_crash on_crash;
    struct vmm_watchdog_config watchdog;
    uint64_t pvpanic_gpa; /* where the guest sees its pvpanic.h; 0: it has none */
    struct vmm_rng_config rng;
    struct vmm_button_config button;
    uint32_t interface_count;
    struct vmm_interface_config interfaces[VMM_MAX_INTERFACES];
    uint32_t disk_count;
    struct vmm_disk_config disks[VMM_MAX_DISKS];
    uint32_t forward_count;
    struct vmm_forward_config forwards[VMM_MAX_FORWARDS];
    uint32_t shared_count;
    struct vmm_shared_config shared[VMM_MAX_SHARED];
};

extern const struct vmm_config vmm_config;
