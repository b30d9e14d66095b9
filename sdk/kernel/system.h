/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The boot image: what the `microkit` tool writes and the kernel reads.
 *
 * An image is one flat binary, loaded where kernel.elf is linked to and entered at its first byte
 * with the MMU off, at EL2, on one core; the kernel starts the others. From low to high physical
 * addresses it holds
 *
 *   1. the kernel: the loadable segments of kernel.elf, its .bss included;
 *   2. the kernel window: this header, the tables it names, and the PDs' IPC buffers;
 *   3. the stage-2 translation tables, ready to use (the kernel never writes one);
 *   4. the PDs' program segments and prefilled memory regions, in place: nothing is copied at boot.
 *
 * The tool stores the physical address of struct system_header in the kernel's variable
 * `system_header_pa` (found by its ELF symbol). All addresses are physical unless they say
 * otherwise; all tables lie in the kernel window. The kernel maps 1 and 2 and its devices for
 * itself, and nothing else once it has zeroed the ranges in `zero`.
 *
 * The tool is trusted to have checked what it writes; the kernel checks magic, version and counts.
 */

#include <stdint.h>

#define SYSTEM_MAGIC   0x3130644961724200ULL /* "\0Braid01", little endian */
#define SYSTEM_VERSION 4u

/*
 * The board, as the kernel was built for it: its constant `system_board`, which the tool finds by
 * its symbol. So the tool has no table of boards.
 */
#define SYSTEM_MAX_DEVICES         8
#define SYSTEM_MAX_KEPT_INTERRUPTS 4

/* Registers that only the kernel touches. Both numbers are multiples of 4 KiB. */
struct system_device {
    char name[64]; /* for messages; NUL-terminated */
    uint64_t base;
    uint64_t size;
};

struct system_board {
    uint64_t memory_base; /* RAM that a system may use, from here */
    uint64_t memory_size; /* bytes, 4 KiB aligned */
    uint32_t interrupts;  /* INTIDs of the interrupt controller */
    uint32_t in_qemu;     /* 1: QEMU emulates the board, and messages may speak of its options */
    uint32_t kept_interrupts[SYSTEM_MAX_KEPT_INTERRUPTS]; /* the kernel's own; 0: none */
    struct system_device devices[SYSTEM_MAX_DEVICES];     /* size 0: none */
};

/*
 * Where every PD sees its IPC buffer: the last page of its 40-bit address space, as libmicrokit
 * knows. The tool fills in these symbols of libmicrokit: microkit_name (64 bytes, NUL-terminated),
 * microkit_passive (bool), and the masks of channel ids microkit_irqs, microkit_notifications,
 * microkit_pps and microkit_ioports (64 bits each; the last is zero).
 */
#define SYSTEM_IPC_BUFFER_VADDR 0xfffffff000ULL

#define SYSTEM_NAME_LENGTH   64
#define SYSTEM_MAX_CHANNELS  62  /* channel ids 0..61 */
#define SYSTEM_MAX_THREADS   255 /* PDs and vCPUs together */
#define SYSTEM_MAX_CHILDREN  64  /* ids 0..63, PDs and vCPUs separately */
#define SYSTEM_MAX_USER_CAPS 64  /* slots of <cspace>, of which 0 is never used */
#define SYSTEM_MAX_DOMAINS   16  /* numbers 0..15 */
#define SYSTEM_MAX_TURNS     99
#define SYSTEM_NONE          0xffffu

/* What a PD's channel id stands for. */
enum system_channel_kind {
    SYSTEM_CHANNEL_NONE = 0,
    SYSTEM_CHANNEL_PD,  /* `peer` is a thread index, `peer_channel` the id at the other end */
    SYSTEM_CHANNEL_IRQ, /* `peer` is a GIC interrupt id (INTID) */
};

#define SYSTEM_CHANNEL_MAY_NOTIFY 1u /* this end may notify the other */
#define SYSTEM_CHANNEL_MAY_CALL   2u /* this end may make protected calls to the other */
#define SYSTEM_IRQ_EDGE           4u /* edge-triggered; level-sensitive otherwise */

struct system_channel {
    uint8_t kind;
    uint8_t flags;
    uint8_t peer_channel;
    uint8_t reserved;
    uint16_t peer;
    uint16_t reserved2;
};

/* A capability of <cspace>: what the PD may do with another one, or with itself. */
enum system_cap_kind {
    SYSTEM_CAP_NONE = 0,
    SYSTEM_CAP_TCB,    /* the thread */
    SYSTEM_CAP_SC,     /* the scheduling context */
    SYSTEM_CAP_VSPACE, /* the address space */
};

struct system_cap {
    uint8_t kind;
    uint8_t thread; /* a PD's index; 0 of SYSTEM_CAP_NONE */
};

enum system_thread_kind { SYSTEM_THREAD_PD = 0, SYSTEM_THREAD_VCPU };

#define SYSTEM_THREAD_PASSIVE 1u /* gives its scheduling context up after init */
#define SYSTEM_THREAD_SMC     2u /* may ask the kernel for SMC calls */
#define SYSTEM_THREAD_NO_FPU  4u /* its FP and SIMD instructions are faults */

/* A PD's thread, or one vCPU of a VM. The index in the table is the thread's number. */
struct system_thread {
    char name[SYSTEM_NAME_LENGTH]; /* NUL-terminated; a vCPU's is "VM" or "VM:ID" */
    uint8_t kind;
    uint8_t flags;
    uint8_t priority; /* 0 (lowest) .. 254 */
    uint8_t child_id; /* what the parent's fault() gets; a vCPU's id otherwise */
    uint16_t parent;  /* thread index, or SYSTEM_NONE */
    uint16_t vmid;    /* 1..255, one per address space; vCPUs of a VM share it */
    uint64_t budget_us;
    uint64_t period_us;
    uint64_t stage2_root; /* 8 KiB aligned: 40-bit input, 4 KiB granule, two level-1 tables */
    /* PDs only: */
    uint64_t entry;            /* virtual address */
    uint64_t stack_top;        /* virtual address */
    uint64_t ipc_buffer;       /* physical address, in the kernel window, 4 KiB aligned */
    uint64_t ipc_buffer_vaddr; /* where the PD sees it: SYSTEM_IPC_BUFFER_VADDR */
    uint16_t child_pds[SYSTEM_MAX_CHILDREN];   /* child id -> thread index, or SYSTEM_NONE */
    uint16_t child_vcpus[SYSTEM_MAX_CHILDREN]; /* vCPU id -> thread index, or SYSTEM_NONE */
    struct system_channel channels[SYSTEM_MAX_CHANNELS];
    struct system_cap user_caps[SYSTEM_MAX_USER_CAPS]; /* by slot */
    /* Of all threads: */
    uint32_t core;   /* on which it runs: 0 .. core_count - 1 */
    uint32_t domain; /* in whose turns it runs: 0 .. SYSTEM_MAX_DOMAINS - 1; 0 if there are none */
};

/* A turn of a domain: only its threads run. The turns come in the order of their table, again and
 * again. */
#define SYSTEM_MAX_TURN_US    1000000000000ull /* 11 days: in ticks of any timer it fits */
#define SYSTEM_MAX_TURN_TICKS ((1ull << 56) - 1)

struct system_turn {
    uint64_t duration; /* microseconds or ticks of the counter, not 0 */
    uint32_t in_ticks; /* 1: ticks */
    uint32_t domain;
};

/* Memory that must read as zero before the first PD runs: size in bytes, both 4 KiB aligned. No
 * range touches the image, whose file has zeros of its own. */
struct system_range {
    uint64_t base;
    uint64_t size;
};

struct system_header {
    uint64_t magic;
    uint32_t version;
    uint32_t thread_count;
    uint32_t zero_count;
    uint32_t core_count; /* that the kernel starts: the highest that has a thread, and 1 */
    uint64_t window_end; /* first address beyond the kernel window, 4 KiB aligned */
    uint64_t image_end;  /* first address beyond the image, 4 KiB aligned */
    uint64_t threads;    /* address of struct system_thread[thread_count] */
    uint64_t zero;       /* address of struct system_range[zero_count] */
    uint64_t turns;      /* address of struct system_turn[turn_count] */
    uint32_t turn_count; /* 0: no domains; else core_count is 1 */
    uint32_t reserved;
};
