/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * From the model to numbers: the protection domains, their memory regions, mappings, channels and
 * interrupts, and where everything is, in each PD and in each guest.
 */

#include "model.h"

/* What Microkit allows, and what the bundled kernel has tables for (sdk/kernel/system.h). */
#define THREADS_MAX     255 /* programs and vCPUs */
#define PROGRAMS_MAX    63
#define TURNS_MAX       3 /* priorities that several machines share on one core */
#define PROGRAMS_ALWAYS 6 /* timer, uart, console; with disks block and its driver; the card's */

#define COMMAND_LINE_SIZE 2048 /* Linux, arch/arm64/include/uapi/asm/setup.h */

/* The guest's addresses, which are those of QEMU's virt machine. See docs/architecture.md. */
#define GUEST_GICD           0x08000000ULL
#define GUEST_GICD_SIZE      0x10000ULL
#define GUEST_GICC           0x08010000ULL
#define GUEST_GICC_SIZE      0x2000ULL
#define GUEST_FLASH          0x00000000ULL /* a firmware */
#define GUEST_VARS           0x04000000ULL /* where it looks for its variables: there are none */
#define GUEST_VARS_SIZE      (256ULL << 10)
#define GUEST_RESET          0x08020000ULL /* the monitor's program */
#define GUEST_GICR           0x080a0000ULL
#define GUEST_GICR_SIZE      0x20000ULL /* for each vCPU */
#define GUEST_PL011          0x09000000ULL
#define GUEST_PL011_INTID    33u
#define GUEST_CLOCK          0x09010000ULL
#define GUEST_CLOCK_INTID    34u
#define GUEST_WATCHDOG       0x09020000ULL
#define GUEST_WATCHDOG_INTID 35u
#define GUEST_PVPANIC        0x09060000ULL
#define GUEST_VIRTIO         0x0a000000ULL
#define GUEST_VIRTIO_STRIDE  0x1000ULL
#define GUEST_VIRTIO_INTID   48u
/* Registers of shared memory, a page for each; the memory itself: the same in all machines. */
#define GUEST_SHARED_REGISTERS 0x0b000000ULL
#define GUEST_SHARED_INTID     80u
#define GUEST_SHARED           0x10000000ULL /* and up, to RAM */
#define GUEST_RAM              0x40000000ULL
#define GUEST_SPI_BASE         32u

/* Slots of a guest's virtio bus. A device keeps its slot when others come or go. */
#define SLOT_CONSOLE   0u
#define SLOT_INTERFACE 1u
#define SLOT_DISK      16u
#define SLOT_RNG       (SLOT_DISK + VMM_MAX_DISKS)
#define SLOT_BUTTON    (SLOT_RNG + 1u)
#define SLOTS          (SLOT_BUTTON + 1u)

/* Of all that a machine shares, the other machines, each counted as often as it has a part. */
#define SHARED_OTHERS_MAX 31

struct region {
    const char *name;
    uint64_t size;
    uint64_t page_size;
    bool fixed; /* at `address`: a device's registers */
    uint64_t address;
    const struct image *prefill; /* NULL: zeroed */
    const char *purpose;         /* for people */
};

struct map {
    const struct region *region;
    uint64_t vaddr;
    const char *perms;
    bool cached;
};

struct irq {
    unsigned irq;
    unsigned channel;
    bool edge;
};

/* A variable that the SDK's tool sets to a region's physical address. */
struct setvar {
    const char *symbol;
    const struct region *region;
};

/* Two PDs' views of a pair of rings (vhost: of a page), and the channel that goes with it. */
struct link {
    uint64_t ring_up;   /* bytes of data, from client to server */
    uint64_t ring_down; /* from server to client; 0: there is no such ring */
    unsigned client_channel;
    unsigned server_channel;
    uint64_t client_up; /* addresses in the client */
    uint64_t client_down;
    uint64_t server_up; /* addresses in the server */
    uint64_t server_down;
};

/* Counters (lib/stats.h), where the PD that counts has them, and where the console does. */
struct stats_layout {
    uint64_t writer;
    uint64_t console;
};

/* An emulated virtio device. */
struct device {
    uint64_t registers; /* in the monitor */
    uint64_t gpa;
    unsigned intid;
};

/* A device that is handed to the machine, in the guest. */
struct device_layout {
    uint64_t page; /* its pages */
    uint64_t gpa;  /* its registers */
    unsigned first_intid;
};

/* An interrupt of such a device. */
struct forward_layout {
    unsigned channel;
    unsigned intid;
    bool edge;
};

/* Memory that the machine shares. What belongs to another machine is at that one's number. */
struct shared_layout {
    struct device device;
    unsigned number; /* this machine's */
    unsigned channels[VMM_MAX_SHARED_MACHINES];
    uint64_t pages[VMM_MAX_SHARED_MACHINES]; /* registers, in this machine's monitor */
};

struct guest_image {
    const struct image *image;
    uint64_t vaddr; /* in the monitor, if the SDK prefills regions */
    uint64_t gpa;
};

struct vm_layout {
    unsigned timer_channel;
    uint64_t timer_word;        /* in the monitor; 0: it calls the timer's driver */
    uint64_t driver_timer_word; /* in the driver */
    bool has_others;            /* on its monitor's core, in its domain */
    bool has_equals;            /* others of its priority among them; then: */
    unsigned turn_channel;
    uint64_t ram;     /* in the monitor */
    uint64_t ram_gpa; /* in the guest */
    uint64_t reset;   /* the page at GUEST_RESET, in the monitor */
    uint64_t flash;   /* what is at GUEST_FLASH, in the monitor; 0: nothing */
    uint64_t flash_size;
    struct LIST(struct map) maps; /* the guest's; RAM's come first: */
    size_t ram_map_count;
    struct guest_image kernel;
    struct guest_image initramfs;
    uint64_t dtb_gpa;
    struct buffer dtb;
    uint64_t clock; /* the board's clock, in the monitor; 0: it does not see it */
    struct stats_layout stats;
    struct link console;
    struct device console_device;
    struct device rng;
    struct device button; /* the power button; all zero: there is none */
    struct link interfaces[VMM_MAX_INTERFACES];
    struct device interface_devices[VMM_MAX_INTERFACES];
    uint64_t switch_ram[VMM_MAX_INTERFACES]; /* vhost: the RAM in the switch */
    uint64_t waiting[VMM_MAX_INTERFACES];    /* in the switch: what waits to be received; 0: none */
    size_t first_data_region; /* the first piece of RAM among the disk's data regions */
    size_t data_region_count;
    struct link slices[VMM_MAX_DISKS];
    struct device slice_devices[VMM_MAX_DISKS];
    struct device_layout devices[VM_DEVICES_MAX];
    struct LIST(struct forward_layout) forwards;
    struct shared_layout shared[VMM_MAX_SHARED];
    unsigned shared_channel_count;
};

/* The PDs of the board's disk, and what a disk reads and writes: block/protocol.h. */
struct disk_layout {
    struct pd *block; /* NULL: no machine has a disk */
    struct pd *driver;
    struct link link; /* block is the client, the driver the server */
    struct link block_log;
    struct link driver_log;
    uint64_t registers;                              /* in the driver */
    uint64_t dma;                                    /* in the driver */
    uint64_t buffer;                                 /* in block */
    struct stats_layout stats;                       /* of each client */
    struct LIST(const struct region *) data_regions; /* the first one is block's buffer */
};

/* The driver of the board's network card. */
struct uplink_layout {
    struct pd *driver; /* NULL: no switch has an uplink */
    struct link link;  /* the driver is the client, the switch the server */
    struct link log;
    uint64_t registers;
    uint64_t dma;
    uint64_t rings; /* uncached; 0: the chip wants none */
};

/* The PD that tells when a core's machines of one priority have had a turn: turn/turn.c. */
struct turn_layout {
    struct pd *pd;
    bool has_timer;
    unsigned timer_channel;
    unsigned client_count;
};

struct pd {
    const char *name;
    const char *kind; /* the directory of its sources */
    const char *chip; /* a driver's: its own file among them; NULL otherwise */
    unsigned priority;
    unsigned core;
    unsigned domain;
    uint64_t stack_size;
    uint64_t budget; /* microseconds of each `period`; 0: any */
    uint64_t period;
    struct LIST(struct map) maps;
    struct LIST(struct irq) irqs;
    struct LIST(struct setvar) setvars;
    const struct vm *vm;           /* a monitor's; NULL otherwise */
    const struct network *network; /* a switch's; NULL otherwise */
    const struct pd *parent;       /* handles its faults; NULL: Microkit's monitor does */
    unsigned child_id;             /* its number among the parent's children */
    uint64_t next_vaddr;
    uint64_t next_ram; /* where a switch has the next machine's memory */
};

struct channel_end {
    const struct pd *pd;
    unsigned id;
    bool calls; /* makes protected calls to the other end */
};

struct channel {
    struct channel_end ends[2];
};

struct layout {
    const struct system *system;
    struct LIST(struct region *) regions;
    struct LIST(struct pd *) pds;
    struct LIST(struct channel) channels;
    struct pd *timer;
    uint64_t timer_registers; /* 0: it has none in memory */
    struct pd *uart;
    struct pd *console;
    struct pd *switches[MEMBERS_MAX]; /* by the networks' indices; NULL: nobody is on it */
    struct pd *monitors[MEMBERS_MAX];
    struct LIST(struct turn_layout) turns;
    struct vm_layout *vms;     /* by the VMs' indices */
    size_t timer_client_count; /* on the timer's channels from 0 */
    unsigned console_timer_channel;
    unsigned switch_timer_channel;          /* of a switch */
    unsigned block_timer_channel;           /* of block, if a disk has a limit */
    struct link uart_link;                  /* console is the client */
    uint64_t uart_registers;                /* in the driver */
    struct link log_links[MEMBERS_MAX];     /* of the switches */
    struct stats_layout stats[MEMBERS_MAX]; /* likewise: of each port */
    struct disk_layout disk;
    struct uplink_layout uplink;
    const struct region *clock; /* the board's; NULL: monitors do not read it */
    unsigned disk_client_count;
    uint64_t memory_needed;     /* of the board, in bytes */
    uint64_t guest_memory_used; /* of the board's guest_memory, in bytes */
};

/*
 * Whether other machines of this one's priority and domain have a vCPU on the core of this one's
 * monitor. For what the monitor does these lose time, so it owes them a turn.
 */
bool layout_has_equals(const struct system *system, const struct vm *vm);

/* Whether it is the first of those that share a turn: of one priority, their monitors on one core.
 */
bool layout_begins_turn(const struct system *system, const struct vm *vm);

/* How long all turns of domains are together, microseconds; 0: there are none. */
uint64_t layout_schedule_us(const struct system *system);

/*
 * The least that turns of this domain (`own`), or of others, take together without one of the other
 * kind in between, microseconds; 0: there are none, or no others.
 */
uint64_t layout_run_us(const struct system *system, unsigned domain, bool own);

/* How many turns there are. */
size_t layout_turn_count(const struct system *system);

/* Whether a machine's disk has a limit. */
bool disk_is_limited(const struct system *system);

/* Lay out a system. No error must have been found in it. */
struct layout *layout_make(const struct system *system);

/* Where a machine's files are in its RAM, guest-physical. */
struct guest_places {
    uint64_t kernel;
    uint64_t initramfs;
    uint64_t dtb; /* it has 2 MiB, and begins at a multiple of that */
};

/* False: initramfs and device tree find no room beside the kernel. */
bool layout_guest(const struct system *system, const struct vm *vm, struct guest_places *places);

/* The least memory that holds a VM's kernel, an Image, initramfs and device tree. */
uint64_t guest_memory_needed(const struct vm *vm);

/*
 * Where the guest has its RAM. If a device of the machine's masters the bus, it is where the device
 * sees it: in the board's guest_memory, behind that of earlier such machines.
 */
uint64_t layout_ram_gpa(const struct system *system, const struct vm *vm);

/*
 * Whether the machine has an emulated clock: not if it is handed the board's, or whatever else the
 * board has where that one would be.
 */
bool layout_has_clock(const struct vm *vm);

/* Whether the guest has a virtual device of its own in so many bytes from there. */
bool layout_guest_has(const struct vm *vm, uint64_t gpa, uint64_t size);

/* How much read-only memory at GUEST_FLASH a machine has for its firmware, bytes; 0: it has none.
 */
uint64_t layout_flash_size(const struct vm *vm);

/* Memory for images and queues, in bytes. With the board's `reserved` it is all but guests' RAM. */
uint64_t layout_overhead(const struct system *system);

/* The kernel's command line. */
const char *layout_bootargs(const struct vm *vm);

/* A number of bytes for people, rounded up to MiB. */
const char *layout_mebibytes(uint64_t bytes);
