/* SPDX-License-Identifier: BSD-2-Clause */

#include "mmu.h"

#include <sel4/syscall.h>
#include "arch.h"
#include "board.h"
#include "cpu.h"
#include "gic.h"
#include "uart.h"

/* Descriptors of VMSAv8-64, 4 KiB granule (Arm DDI 0487, D8.3). */
#define DESC_TABLE  3ul
#define DESC_PAGE   3ul
#define DESC_BLOCK  1ul
#define DESC_NORMAL (0ul << 2) /* MAIR_EL2 attribute 0 */
#define DESC_DEVICE (1ul << 2) /* attribute 1 */
#define DESC_RES1   BIT(6)
#define DESC_RO     BIT(7)
#define DESC_INNER  (3ul << 8)
#define DESC_AF     BIT(10)
#define DESC_XN     BIT(54)

#define DESC_COMMON (DESC_RES1 | DESC_AF)
#define MAP_RX      (DESC_COMMON | DESC_NORMAL | DESC_INNER | DESC_RO)
#define MAP_RO      (MAP_RX | DESC_XN)
#define MAP_RW      (DESC_COMMON | DESC_NORMAL | DESC_INNER | DESC_XN)
#define MAP_DEVICE  (DESC_COMMON | DESC_DEVICE | DESC_XN)

#define PAGE_SIZE  4096ul
#define PAGE_SHIFT 12
#define LINE_SIZE  BIT(CONFIG_L1_CACHE_LINE_SIZE_BITS)
#define L2_SHIFT   21
#define L1_SHIFT   30
#define ENTRIES    512u

#define L3_TABLES 16u                 /* 32 MiB of program and window */
#define SCRATCH   (256ul << L1_SHIFT) /* where memory is mapped for zero_within and mmu_maintain */

typedef uint64_t table[ENTRIES] __attribute__((aligned(4096)));

table mmu_l1;            /* start.S knows it */
static table l2_devices; /* the GiB of the devices */
static table l2_kernel;  /* the GiB of the program */
static table l2_scratch, l3_scratch;
static table l3[L3_TABLES];
static unsigned l3_used;

extern char kernel_start[], kernel_rodata[], kernel_data[], kernel_end[];

static void map_page(uint64_t address, uint64_t attributes)
{
    uint64_t *entry = &l2_kernel[address >> L2_SHIFT & (ENTRIES - 1)];

    if (address >> L1_SHIFT != BOARD_LOAD_ADDRESS >> L1_SHIFT) {
        panic("the kernel window at 0x%x is too far from the kernel", address);
    }
    if (*entry == 0) {
        if (l3_used == L3_TABLES) {
            panic("the kernel window at 0x%x is too large", address);
        }
        *entry = (uint64_t)l3[l3_used++] | DESC_TABLE;
    }
    uint64_t *pages = (uint64_t *)(*entry & ~(PAGE_SIZE - 1));
    pages[address >> PAGE_SHIFT & (ENTRIES - 1)] = address | attributes | DESC_PAGE;
}

static void map_pages(uint64_t start, uint64_t end, uint64_t attributes)
{
    for (uint64_t address = start & ~(PAGE_SIZE - 1); address < end; address += PAGE_SIZE) {
        map_page(address, attributes);
    }
}

static void map_device(uint64_t address)
{
    uint64_t block = address & ~(BIT(L2_SHIFT) - 1);

    if (address >> L1_SHIFT != BOARD_GICD >> L1_SHIFT) {
        panic("the device at 0x%x is too far from the others", address);
    }
    l2_devices[address >> L2_SHIFT & (ENTRIES - 1)] = block | MAP_DEVICE | DESC_BLOCK;
}

static void flush_translations(void)
{
    __asm__ volatile("dsb ishst\n"
                     "tlbi alle2is\n"
                     "dsb ish\n"
                     "isb" ::
                         : "memory");
}

/* All but the lowest page of each core's stack. */
static void map_data(void)
{
    uint64_t start = (uint64_t)kernel_data;

    for (uint32_t core = 0; core < CONFIG_MAX_NUM_NODES; core++) {
        uint64_t guard = (uint64_t)cpu_of_core(core) - CPU_STACK_SIZE;

        map_pages(start, guard, MAP_RW);
        start = guard + PAGE_SIZE;
    }
    map_pages(start, (uint64_t)kernel_end, MAP_RW);
}

void mmu_init(uint64_t system_pa)
{
    mmu_l1[BOARD_GICD >> L1_SHIFT] = (uint64_t)l2_devices | DESC_TABLE;
    mmu_l1[BOARD_LOAD_ADDRESS >> L1_SHIFT] = (uint64_t)l2_kernel | DESC_TABLE;
    mmu_l1[SCRATCH >> L1_SHIFT] = (uint64_t)l2_scratch | DESC_TABLE;
    l2_scratch[0] = (uint64_t)l3_scratch | DESC_TABLE;
    map_device(BOARD_GICD);
#if BOARD_GIC_VERSION == 2
    map_device(BOARD_GICC);
    map_device(BOARD_GICH);
#else
    for (uint32_t core = 0; core < CONFIG_MAX_NUM_NODES; core++) {
        map_device(BOARD_GICR + core * GICR_SIZE);
    }
#endif
    map_device(BOARD_UART);
    map_pages((uint64_t)kernel_start, (uint64_t)kernel_rodata, MAP_RX);
    map_pages((uint64_t)kernel_rodata, (uint64_t)kernel_data, MAP_RO);
    map_data();
    map_page(system_pa & ~(PAGE_SIZE - 1), MAP_RO);

    write_sysreg(mair_el2, MAIR_EL2);
    write_sysreg(tcr_el2, TCR_EL2);
    write_sysreg(ttbr0_el2, (uint64_t)mmu_l1);
    __asm__ volatile("ic ialluis\n"
                     "tlbi alle1is\n" ::
                         : "memory");
    flush_translations();
    write_sysreg(sctlr_el2, SCTLR_EL2_ON);
    isb();
}

void mmu_map_window(const struct system_header *system)
{
    const struct system_thread *table = (const struct system_thread *)system->threads;

    map_pages((uint64_t)system, system->window_end, MAP_RO);
    flush_translations();
    for (uint32_t i = 0; i < system->thread_count; i++) {
        uint64_t buffer = table[i].ipc_buffer;

        if (table[i].kind != SYSTEM_THREAD_PD) {
            continue;
        }
        if (buffer < (uint64_t)system || buffer >= system->window_end || buffer % PAGE_SIZE != 0) {
            panic("the boot image is bad: PD '%s': IPC buffer at 0x%x", table[i].name, buffer);
        }
        map_page(buffer, MAP_RW);
    }
    flush_translations();
}

static bool is_zero(uint64_t page)
{
    for (const uint64_t *w = (const uint64_t *)page; w < (const uint64_t *)(page + PAGE_SIZE);
         w += 16) {
        if ((w[0] | w[1] | w[2] | w[3] | w[4] | w[5] | w[6] | w[7] | w[8] | w[9] | w[10] | w[11] |
             w[12] | w[13] | w[14] | w[15]) != 0) {
            return false;
        }
    }
    return true;
}

/*
 * A page that is zero is not written. Under emulation it then takes none of the host's memory, and
 * a system of large machines starts at once.
 */
static void zero_page(uint64_t page)
{
    uint64_t block = 4ul << (read_sysreg(dczid_el0) & 0xf);
    uint64_t line = 4ul << (read_sysreg(ctr_el0) >> 16 & 0xf);

    if (!is_zero(page)) {
        for (uint64_t at = page; at < page + PAGE_SIZE; at += block) {
            __asm__ volatile("dc zva, %0" : : "r"(at) : "memory");
        }
    }
    /* Clean it: a guest begins with its caches off. */
    for (uint64_t at = page; at < page + PAGE_SIZE; at += line) {
        __asm__ volatile("dc cvac, %0" : : "r"(at) : "memory");
    }
}

/*
 * Zero pages within one table's 2 MiB. Only these are mapped meanwhile. Beside them there may be a
 * device, firmware's memory, or nothing, which the processor must not read speculatively.
 */
static void zero_within(uint64_t base, uint64_t size)
{
    uint64_t *pages = &l3_scratch[base >> PAGE_SHIFT & (ENTRIES - 1)];
    uint64_t virtual = SCRATCH | (base & (BIT(L2_SHIFT) - 1));

    for (uint64_t at = 0; at < size; at += PAGE_SIZE) {
        pages[at >> PAGE_SHIFT] = (base + at) | MAP_RW | DESC_PAGE;
    }
    flush_translations();
    for (uint64_t at = 0; at < size; at += PAGE_SIZE) {
        zero_page(virtual + at);
        pages[at >> PAGE_SHIFT] = 0;
    }
    dsb();
    flush_translations();
}

void mmu_zero(uint64_t base, uint64_t size)
{
    uint64_t end = base + size;

    if (end < base || end > SCRATCH || (base | size) % PAGE_SIZE != 0 ||
        (read_sysreg(dczid_el0) & BIT(4))) {
        panic("cannot zero 0x%x bytes at 0x%x", size, base);
    }
    while (base < end) {
        uint64_t limit = (base | (BIT(L2_SHIFT) - 1)) + 1;
        uint64_t part = (limit < end ? limit : end) - base;

        zero_within(base, part);
        base += part;
    }
}

static void maintain_line(uint64_t line, uint64_t operation)
{
    switch (operation) {
    case seL4_internal_vspace_clean_invalidate:
        __asm__ volatile("dc civac, %0" : : "r"(line) : "memory");
        break;
    case seL4_internal_vspace_unify:
        __asm__ volatile("dc cvau, %0" : : "r"(line) : "memory");
        break;
    default:
        __asm__ volatile("dc cvac, %0" : : "r"(line) : "memory");
        break;
    }
}

/* The page is mapped as a device meanwhile: maintenance goes by its address, and none reads it. */
void mmu_maintain(uint64_t vttbr, uint64_t start, uint64_t end, uint64_t operation)
{
    uint64_t callers = read_sysreg(vttbr_el2);
    uint64_t guests = read_sysreg(par_el1);
    uint64_t first = start & (PAGE_SIZE - 1);
    uint64_t last = (end - 1) & (PAGE_SIZE - 1);

    write_sysreg(vttbr_el2, vttbr);
    isb();
    __asm__ volatile("at s12e1r, %0\n isb" : : "r"(start) : "memory");
    uint64_t par = read_sysreg(par_el1);
    write_sysreg(par_el1, guests);
    write_sysreg(vttbr_el2, callers);
    isb();
    if (par & PAR_F) {
        return;
    }
    l3_scratch[0] = (par & PAR_PA) | MAP_DEVICE | DESC_PAGE;
    flush_translations();
    for (uint64_t line = first & ~(LINE_SIZE - 1); line <= last; line += LINE_SIZE) {
        maintain_line(SCRATCH | line, operation);
    }
    dsb();
    l3_scratch[0] = 0;
    if (operation == seL4_internal_vspace_unify) {
        __asm__ volatile("ic ialluis" ::: "memory"); /* by address it would be this one's */
    }
    flush_translations();
}
