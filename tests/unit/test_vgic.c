/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: vmm/vcpu.c
 * SOURCES: vmm/vgic.c vmm/vgic_lr.c vmm/vgic_registers.c vmm/vgic_v2.c
 * SOURCES: vmm/vgic_forward.c
 * SOURCES: vmm/vgic_v3.c vmm/vgic_redistributor.c
 * SOURCES: tests/unit/fake/fake_microkit.c
 * SOURCES: tests/unit/fake/fake_stats.c
 *
 * The virtual distributor: every register, priorities and list registers, level and edge, several
 * vCPUs, and a guest that writes noise.
 */

#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "vmm/config.h"
#include "vmm/timer.h"
#include "vmm/vcpu.h"
#include "vmm/vgic.h"

#define GICD_ICPIDR2 0xfe8

#define SPI   48u
#define TIMER VGIC_VIRTUAL_TIMER

/* Whether the virtual timers assert their interrupts. */
static bool timers_assert;

bool timer_asserted(uint8_t vcpu)
{
    (void)vcpu;
    return timers_assert;
}

/* The monitor's answer to a maintenance fault. */
seL4_Bool fault(microkit_child child, microkit_msginfo msginfo, microkit_msginfo *reply_msginfo)
{
    (void)reply_msginfo;
    assert_int_equal(microkit_msginfo_get_label(msginfo), seL4_Fault_VGICMaintenance);
    vgic_maintenance((uint8_t)child, (uint32_t)microkit_mr_get(0));
    return seL4_True;
}

static void write_reg(uint8_t vcpu, uint32_t offset, uint8_t width, uint32_t value)
{
    struct mmio_access access = {
        .offset = offset, .width = width, .write = true, .vcpu = vcpu, .value = value};

    assert_true(vgic_v2_access(NULL, &access));
}

static uint32_t read_reg(uint8_t vcpu, uint32_t offset, uint8_t width)
{
    struct mmio_access access = {.offset = offset, .width = width, .vcpu = vcpu, .value = ~0ull};

    assert_true(vgic_v2_access(NULL, &access));
    assert_true(width == 8 || access.value < (1ull << (8 * width)));
    return (uint32_t)access.value;
}

static void write32(uint32_t offset, uint32_t value)
{
    write_reg(0, offset, 4, value);
}

static uint32_t read32(uint32_t offset)
{
    return read_reg(0, offset, 4);
}

static void set_bit(uint32_t base, uint32_t intid)
{
    write32(base + intid / 32 * 4, 1u << (intid % 32));
}

static bool get_bit(uint32_t base, uint32_t intid)
{
    return (read32(base + intid / 32 * 4) >> (intid % 32)) & 1;
}

static void make_edge(uint32_t intid)
{
    uint32_t offset = GICD_ICFGR + intid / 16 * 4;

    write32(offset, read32(offset) | 2u << (intid % 16 * 2));
}

static void start(uint32_t vcpus)
{
    fake_reset();
    vcpu_init(vcpus);
    vgic_init(2, vcpus);
    /* What was in a line's memory from the case before. */
    for (uint32_t i = GIC_SPI_BASE; i < VGIC_MAX_INTID; i++) {
        vgic_set_level(i, false);
    }
    for (uint8_t v = 0; v < vcpus; v++) {
        vcpu_power_on(v, 0x40000000, 0, 0);
        fake.vcpu[v].vppi_acks = 0;
    }
    write32(GICD_CTLR, 1);
}

static void eoi(uint8_t vcpu, uint32_t intid)
{
    int index = fake_find_lr(vcpu, intid);

    assert_true(index >= 0);
    fake_eoi(vcpu, (unsigned)index);
}

/* The guest takes it, and has it active. */
static void take(uint8_t vcpu, uint32_t intid)
{
    int index = fake_find_lr(vcpu, intid);

    assert_true(index >= 0);
    fake_acknowledge(vcpu, (unsigned)index);
}

static bool has(uint8_t vcpu, uint32_t intid)
{
    return fake_find_lr(vcpu, intid) >= 0;
}

static void registers_after_reset(void **state)
{
    (void)state;
    start(4);
    vgic_reset();
    assert_int_equal(read32(GICD_CTLR), 0);
    assert_int_equal(read32(GICD_TYPER), 3 | 3 << 5);
    assert_int_equal(read32(GICD_IIDR), 0x0200143b);
    assert_int_equal(read32(GICD_ICPIDR2), 0x2b);
    assert_int_equal(read32(GICD_ISENABLER), 0xffff);
    assert_int_equal(read32(GICD_ISENABLER + 4), 0);
    assert_int_equal(read32(GICD_ICFGR), 0xaaaaaaaa);
    assert_int_equal(read32(GICD_ICFGR + 4), 0);
    assert_int_equal(read32(0xffc), 0xb1);
    assert_int_equal(read32(0xe00), 0); /* NSACR and other reserved ones */
    assert_int_equal(read32(GICD_SGIR), 0);
}

static void set_and_clear_registers_are_two_views(void **state)
{
    (void)state;
    start(1);
    write32(GICD_ISENABLER + 4, 0x00ff00ff);
    assert_int_equal(read32(GICD_ICENABLER + 4), 0x00ff00ff);
    write32(GICD_ICENABLER + 4, 0x0000000f);
    assert_int_equal(read32(GICD_ISENABLER + 4), 0x00ff00f0);
    write32(GICD_ICENABLER, 0xffffffff); /* SGIs cannot be disabled */
    assert_int_equal(read32(GICD_ISENABLER), 0xffff);
    write32(GICD_ISPENDR + 8, 0x80000001);
    assert_int_equal(read32(GICD_ICPENDR + 8), 0x80000001);
    write32(GICD_ICPENDR + 8, 1);
    assert_int_equal(read32(GICD_ISPENDR + 8), 0x80000000);
    write32(GICD_ISACTIVER + 12, 6);
    write32(GICD_ICACTIVER + 12, 2);
    assert_int_equal(read32(GICD_ISACTIVER + 12), 4);
    write32(GICD_IGROUPR + 4, 0x55);
    assert_int_equal(read32(GICD_IGROUPR + 4), 0x55);
    write32(GICD_ICFGR + 8, 0xffffffff);
    assert_int_equal(read32(GICD_ICFGR + 8), 0xaaaaaaaa);
    write32(GICD_ICFGR, 0);
    assert_int_equal(read32(GICD_ICFGR), 0xaaaaaaaa); /* SGIs are edge-triggered for good */
}

static void beyond_the_last_interrupt_is_nothing(void **state)
{
    (void)state;
    start(1);
    write32(GICD_ISENABLER + 16, ~0u);
    assert_int_equal(read32(GICD_ISENABLER + 16), 0);
    write32(GICD_ISENABLER + 0x7c, ~0u);
    assert_int_equal(read32(GICD_ISENABLER + 0x7c), 0);
    write_reg(0, GICD_IPRIORITYR + 1019, 1, 0xff);
    assert_int_equal(read_reg(0, GICD_IPRIORITYR + 1019, 1), 0);
    write_reg(0, GICD_ITARGETSR + 1019, 1, 0xff);
    assert_int_equal(read_reg(0, GICD_ITARGETSR + 1019, 1), 0);
    write32(GICD_ICFGR + 0xfc, ~0u);
    assert_int_equal(read32(GICD_ICFGR + 0xfc), 0);
    vgic_set_level(0, true); /* lines that do not exist */
    vgic_set_level(31, true);
    vgic_set_level(VGIC_MAX_INTID, true);
    vgic_set_level(UINT32_MAX, true);
    assert_false(vgic_pending(0));
}

static void byte_and_word_access_agree(void **state)
{
    (void)state;
    start(2);
    write32(GICD_IPRIORITYR + SPI, 0x20406080);
    assert_int_equal(read_reg(0, GICD_IPRIORITYR + SPI, 1), 0x80);
    assert_int_equal(read_reg(0, GICD_IPRIORITYR + SPI + 3, 1), 0x20);
    write_reg(0, GICD_IPRIORITYR + SPI + 1, 1, 0xff);
    assert_int_equal(read32(GICD_IPRIORITYR + SPI), 0x2040f880); /* five bits are kept */
    write_reg(0, GICD_ITARGETSR + SPI + 2, 1, 0xff);
    assert_int_equal(read32(GICD_ITARGETSR + SPI), 0x01030101);
}

static void other_widths_are_refused(void **state)
{
    struct mmio_access access = {.offset = GICD_CTLR, .width = 1};

    (void)state;
    start(1);
    assert_false(vgic_v2_access(NULL, &access));
    access.width = 2;
    assert_false(vgic_v2_access(NULL, &access));
    access.width = 8;
    assert_false(vgic_v2_access(NULL, &access));
    access.offset = GICD_IPRIORITYR;
    assert_false(vgic_v2_access(NULL, &access));
    access.width = 2;
    assert_false(vgic_v2_access(NULL, &access));
    access.offset = GICD_SGIR;
    access.width = 1;
    assert_false(vgic_v2_access(NULL, &access));
}

static void targets_of_one_and_of_many(void **state)
{
    (void)state;
    start(1);
    write32(GICD_ITARGETSR + SPI, 0);
    assert_int_equal(read32(GICD_ITARGETSR + SPI), 0);
    assert_int_equal(read32(GICD_ITARGETSR), 0);
    set_bit(GICD_ISENABLER, SPI);
    vgic_set_level(SPI, true);
    assert_true(fake_find_lr(0, SPI) >= 0); /* there is nobody else */

    start(4);
    assert_int_equal(read_reg(0, GICD_ITARGETSR, 4), 0x01010101);
    assert_int_equal(read_reg(3, GICD_ITARGETSR + 28, 4), 0x08080808);
    write_reg(2, GICD_ITARGETSR, 4, 0);
    assert_int_equal(read_reg(2, GICD_ITARGETSR, 4), 0x04040404);
}

static void an_interrupt_needs_all_its_switches(void **state)
{
    (void)state;
    start(1);
    write32(GICD_CTLR, 0);
    vgic_set_level(SPI, true);
    assert_true(get_bit(GICD_ISPENDR, SPI));
    assert_false(vgic_pending(0));
    set_bit(GICD_ISENABLER, SPI);
    assert_false(vgic_pending(0));
    write32(GICD_CTLR, 2); /* group 1 only, and it is in group 0 */
    assert_false(vgic_pending(0));
    write32(GICD_CTLR, 1);
    assert_true(vgic_pending(0));
    assert_int_equal(fake.vcpu[0].lr[0].intid, SPI);
    assert_int_equal(fake.vcpu[0].lr[0].group, 0);
    assert_true(get_bit(GICD_ISPENDR, SPI));
    assert_false(get_bit(GICD_ISACTIVER, SPI));
    take(0, SPI);
    assert_true(get_bit(GICD_ISPENDR, SPI)); /* its line is high */
    assert_true(get_bit(GICD_ISACTIVER, SPI));
    vgic_set_level(SPI, false);
    assert_false(get_bit(GICD_ISPENDR, SPI));
    assert_true(get_bit(GICD_ISACTIVER, SPI));
    eoi(0, SPI);
    assert_false(get_bit(GICD_ISACTIVER, SPI));
}

static void group_one_goes_out_as_such(void **state)
{
    (void)state;
    start(1);
    write32(GICD_CTLR, 3);
    write32(GICD_IGROUPR + 4, ~0u);
    set_bit(GICD_ISENABLER, SPI);
    vgic_set_level(SPI, true);
    assert_int_equal(fake.vcpu[0].lr[0].group, 1);
}

static void level_comes_again_while_it_is_high(void **state)
{
    (void)state;
    start(1);
    set_bit(GICD_ISENABLER, SPI);
    vgic_set_level(SPI, true);
    vgic_set_level(SPI, true);
    assert_int_equal(fake.vcpu[0].injections, 1);
    fake_acknowledge(0, 0);
    eoi(0, SPI);
    assert_int_equal(fake.vcpu[0].injections, 2);
    take(0, SPI);
    vgic_set_level(SPI, false);
    eoi(0, SPI);
    assert_int_equal(fake.vcpu[0].injections, 2);
    assert_false(vgic_pending(0));
    assert_false(get_bit(GICD_ISPENDR, SPI));
}

static void what_is_not_to_come_any_more_is_taken_back(void **state)
{
    (void)state;
    start(1);
    set_bit(GICD_ISENABLER, SPI);
    vgic_set_level(SPI, true);
    vgic_set_level(SPI, false); /* before the guest has taken it */
    assert_false(has(0, SPI));
    assert_false(vgic_pending(0));

    vgic_set_level(SPI, true);
    set_bit(GICD_ICENABLER, SPI);
    assert_false(has(0, SPI));
    assert_true(get_bit(GICD_ISPENDR, SPI));
    set_bit(GICD_ISENABLER, SPI);
    assert_true(has(0, SPI));

    write32(GICD_CTLR, 0);
    assert_false(has(0, SPI));
    write32(GICD_CTLR, 1);
    assert_true(has(0, SPI));
    write32(GICD_IGROUPR + 4, 1u << (SPI % 32)); /* a group that is not enabled */
    assert_false(has(0, SPI));
    write32(GICD_IGROUPR + 4, 0);
    assert_true(has(0, SPI));

    make_edge(SPI + 1);
    set_bit(GICD_ISENABLER, SPI + 1);
    set_bit(GICD_ISPENDR, SPI + 1);
    assert_true(has(0, SPI + 1));
    set_bit(GICD_ICPENDR, SPI + 1);
    assert_false(has(0, SPI + 1));
    set_bit(GICD_ISENABLER, SPI + 1);
    assert_false(has(0, SPI + 1));
}

/* A level that software has made pending stays so, whatever its line does (4.3.7). */
static void what_software_made_pending_stays(void **state)
{
    (void)state;
    start(1);
    set_bit(GICD_ISENABLER, SPI);
    set_bit(GICD_ISPENDR, SPI);
    vgic_set_level(SPI, true);
    vgic_set_level(SPI, false);
    assert_true(has(0, SPI));
    assert_true(get_bit(GICD_ISPENDR, SPI));
    take(0, SPI);
    assert_false(get_bit(GICD_ISPENDR, SPI));
}

static void what_is_active_is_not_taken_back(void **state)
{
    (void)state;
    start(1);
    set_bit(GICD_ISENABLER, SPI);
    vgic_set_level(SPI, true);
    take(0, SPI);
    set_bit(GICD_ICENABLER, SPI);
    write32(GICD_CTLR, 0);
    vgic_set_level(SPI, false);
    assert_true(get_bit(GICD_ISACTIVER, SPI));
    assert_int_equal(fake.vcpu[0].lr[fake_find_lr(0, SPI)].state, FAKE_LR_ACTIVE);
    set_bit(GICD_ICACTIVER, SPI); /* deactivated by hand */
    assert_false(get_bit(GICD_ISACTIVER, SPI));
    eoi(0, SPI);
    assert_false(vgic_pending(0));
}

/* The guest never sees the placeholder: its group is one that the guest does not enable. */
static void a_placeholder_is_of_the_group_that_is_not_enabled(void **state)
{
    (void)state;
    start(1);
    set_bit(GICD_ISENABLER, SPI);
    vgic_set_level(SPI, true);
    vgic_set_level(SPI, false);
    assert_in_range(fake.vcpu[0].lr[0].intid, VGIC_MAX_INTID, GIC_MAX_INTID - 1);
    assert_int_equal(fake.vcpu[0].lr[0].group, 1);
    assert_int_equal(fake.vcpu[0].lr[0].priority, 31);
    write32(GICD_CTLR, 2);
    assert_int_equal(fake.vcpu[0].lr[0].group, 0);
    write32(GICD_CTLR, 3); /* none is left: it is the last that such a guest would take */
    assert_int_equal(fake.vcpu[0].lr[0].priority, 31);
    fake_acknowledge(0, 0);
    vgic_set_level(SPI, true); /* it goes elsewhere then */
    assert_true(has(0, SPI));
    fake_eoi(0, 0);
    take(0, SPI);
    vgic_set_level(SPI, false);
    eoi(0, SPI);
    assert_false(vgic_pending(0));
}

/* The kernel may take a list register for active that is not: seL4 looks at a copy. */
static void a_list_register_that_the_kernel_refuses_is_passed_over(void **state)
{
    (void)state;
    start(1);
    set_bit(GICD_ISENABLER, SPI);
    fake.vcpu[0].lr[0].state = FAKE_LR_ACTIVE;
    vgic_set_level(SPI, true);
    assert_int_equal(fake_find_lr(0, SPI), 1);
    for (unsigned i = 0; i < FAKE_LIST_REGISTERS; i++) {
        fake.vcpu[0].lr[i].state = FAKE_LR_ACTIVE;
    }
    set_bit(GICD_ISENABLER, SPI + 1);
    vgic_set_level(SPI + 1, true);
    assert_false(has(0, SPI + 1));
    fake.vcpu[0].lr[2].state = FAKE_LR_FREE;
    vgic_maintenance(0, 2);
    assert_true(has(0, SPI + 1));
}

/* A WFI traps if no interrupt wakes it. So only those count that the vCPU cannot have seen. */
static void what_a_vcpu_has_seen_does_not_wake_it(void **state)
{
    (void)state;
    start(1);
    set_bit(GICD_ISENABLER, SPI);
    vcpu_exit_begins(0);
    vgic_set_level(SPI, true); /* by this very exit */
    assert_true(vgic_unseen(0));
    vcpu_exit_ends();
    vcpu_exit_begins(0); /* masked by the CPU interface, or active */
    assert_false(vgic_unseen(0));
    assert_true(vgic_pending(0));
    vcpu_exit_ends();

    set_bit(GICD_ISENABLER, SPI + 1);
    vgic_set_level(SPI + 1, true); /* while it runs: it may be at its WFI already */
    vcpu_exit_begins(0);
    assert_true(vgic_unseen(0));
    vcpu_exit_ends();
    vcpu_exit_begins(0);
    assert_false(vgic_unseen(0));
    vcpu_exit_ends();
}

static void level_cannot_be_cleared_by_hand(void **state)
{
    (void)state;
    start(1);
    vgic_set_level(SPI, true);
    set_bit(GICD_ICPENDR, SPI);
    assert_true(get_bit(GICD_ISPENDR, SPI));
}

static void edge_is_remembered_once(void **state)
{
    (void)state;
    start(1);
    make_edge(SPI);
    set_bit(GICD_ISENABLER, SPI);
    vgic_set_level(SPI, true);
    assert_int_equal(fake.vcpu[0].injections, 1);
    for (unsigned i = 0; i < 3; i++) {
        vgic_set_level(SPI, false);
        vgic_set_level(SPI, true);
    }
    eoi(0, SPI);
    assert_int_equal(fake.vcpu[0].injections, 2);
    vcpu_exit_begins(0); /* it does not run: what it has not taken is still one */
    vgic_set_level(SPI, false);
    vgic_set_level(SPI, true);
    vcpu_exit_ends();
    eoi(0, SPI);
    assert_false(vgic_pending(0));
}

static void edge_while_disabled_waits(void **state)
{
    (void)state;
    start(1);
    make_edge(SPI);
    vgic_set_level(SPI, true);
    vgic_set_level(SPI, false);
    assert_int_equal(fake.vcpu[0].injections, 0);
    set_bit(GICD_ISENABLER, SPI);
    assert_int_equal(fake.vcpu[0].injections, 1);
}

static void the_urgent_ones_get_the_list_registers(void **state)
{
    (void)state;
    start(1);
    write32(GICD_CTLR, 0);
    for (uint32_t i = 0; i < 8; i++) {
        write_reg(0, GICD_IPRIORITYR + 40 + i, 1, 0x80 - 8 * i); /* the last is the most urgent */
        set_bit(GICD_ISENABLER, 40 + i);
        vgic_set_level(40 + i, true);
    }
    write32(GICD_CTLR, 1);
    for (uint32_t i = 0; i < 8;
         i++) { /* the last list register is kept for a yet more urgent one */
        assert_int_equal(has(0, 40 + i), i >= 5);
    }
    assert_int_equal(fake.vcpu[0].lr[fake_find_lr(0, 47)].priority, (0x80 - 56) >> 3);
    take(0, 47);
    vgic_set_level(47, false);
    eoi(0, 47);
    assert_true(has(0, 44)); /* the next in line */
    assert_false(has(0, 43));
}

/* What the guest has active cannot make room. One list register is left for what is more urgent. */
static void an_urgent_one_does_not_wait_for_those_that_are_active(void **state)
{
    (void)state;
    start(1);
    for (uint32_t i = 40; i < 46; i++) {
        write_reg(0, GICD_IPRIORITYR + i, 1, i == 45 ? 0x20 : 0xa0);
        set_bit(GICD_ISENABLER, i);
    }
    for (uint32_t i = 40; i < 45; i++) {
        vgic_set_level(i, true);
        if (has(0, i)) {
            take(0, i);
        }
    }
    assert_false(has(0, 43));
    vgic_set_level(45, true);
    assert_true(has(0, 45));
}

static void a_more_urgent_one_takes_a_list_register_over(void **state)
{
    (void)state;
    start(1);
    for (uint32_t i = 40; i < 48; i++) {
        write_reg(0, GICD_IPRIORITYR + i, 1, 0xa0);
        set_bit(GICD_ISENABLER, i);
    }
    for (uint32_t i = 40; i < 43; i++) {
        make_edge(i);
        vgic_set_level(i, true);
    }
    vgic_set_level(44, true); /* as urgent as they are: it waits */
    assert_false(has(0, 44));
    write_reg(0, GICD_IPRIORITYR + 45, 1, 0x20);
    write_reg(0, GICD_IPRIORITYR + 46, 1, 0x20);
    vgic_set_level(45, true); /* gets the last one */
    vgic_set_level(46, true);
    assert_true(has(0, 45) && has(0, 46));
    for (uint32_t i = 45; i < 47; i++) {
        take(0, i);
        vgic_set_level(i, false);
        eoi(0, i);
    }
    for (uint32_t i = 40; i < 43; i++) { /* the one that made room is not lost */
        assert_true(has(0, i));
    }
}

/*
 * Four edges, each more urgent than the one before. SPI 40, the first, makes room for SPI 50, and
 * the next for SPI 51, while the vCPU runs.
 */
static void begin_replacing(void)
{
    start(1);
    for (uint32_t i = 40; i < 44; i++) {
        write_reg(0, GICD_IPRIORITYR + i, 1, 0xc0 - 8 * (i - 40));
        set_bit(GICD_ISENABLER, i);
        make_edge(i);
        vgic_set_level(i, true);
    }
    for (uint32_t i = 50; i < 52; i++) {
        write_reg(0, GICD_IPRIORITYR + i, 1, 0x20);
        set_bit(GICD_ISENABLER, i);
        make_edge(i);
    }
}

/* On another core a vCPU may end an interrupt while the monitor, which does not know, replaces it.
 */
static void the_end_of_what_was_replaced_is_not_the_new_ones(void **state)
{
    (void)state;
    begin_replacing();
    int index = fake_find_lr(0, 40);
    assert_true(index >= 0);
    fake.vcpu[0].lr[index].state = FAKE_LR_FREE; /* its end is on its way */
    vgic_set_level(50, true);
    assert_int_equal(fake_find_lr(0, 50), index);
    vcpu_exit_begins(0);
    vgic_maintenance(0, (uint32_t)index);
    vcpu_exit_ends();
    assert_int_equal(fake_find_lr(0, 50), index);
    vgic_set_level(51, true);
    assert_int_equal(fake_find_lr(0, 50), index); /* has not lost its list register */
    assert_true(fake_find_lr(0, 51) >= 0);
    vcpu_exit_begins(0);
    eoi(0, 50);
    vcpu_exit_ends();
    assert_true(fake_find_lr(0, 50) < 0);
}

/* If the vCPU has had another exit since, or is in one, no end is on its way. */
static void the_end_of_what_has_replaced_is_known(void **state)
{
    (void)state;
    begin_replacing();
    vgic_set_level(50, true);
    vcpu_exit_begins(0);
    vcpu_exit_ends();
    vcpu_exit_begins(0);
    eoi(0, 50);
    vcpu_exit_ends();
    assert_false(has(0, 50));
    vcpu_exit_begins(0);
    vgic_set_level(51, true);
    vcpu_exit_ends();
    vcpu_exit_begins(0);
    eoi(0, 51);
    vcpu_exit_ends();
    assert_false(has(0, 51));
}

/* The same for what has been taken back: the late report is not of what has come there since. */
static void the_end_of_what_was_taken_back_is_not_the_new_ones(void **state)
{
    (void)state;
    start(1);
    set_bit(GICD_ISENABLER, SPI);
    set_bit(GICD_ISENABLER, SPI + 1);
    vgic_set_level(SPI, true);
    fake.vcpu[0].lr[0].state = FAKE_LR_FREE; /* its end is on its way */
    vgic_set_level(SPI, false);
    vgic_set_level(SPI + 1, true);
    assert_int_equal(fake_find_lr(0, SPI + 1), 0);
    vcpu_exit_begins(0);
    vgic_maintenance(0, 0);
    vcpu_exit_ends();
    assert_int_equal(fake_find_lr(0, SPI + 1), 0);
    assert_true(vgic_pending(0));
    vcpu_exit_begins(0);
    eoi(0, SPI + 1);
    vcpu_exit_ends();
}

/* A reset empties all list registers, and nothing that was on its way comes any more. */
static void what_was_replaced_before_a_reset_does_not_matter(void **state)
{
    (void)state;
    begin_replacing();
    vgic_set_level(50, true);
    vgic_reset();
    vcpu_exit_begins(0);
    vgic_lr_cleared(0);
    vcpu_exit_ends();
    assert_false(vgic_pending(0));
}

static void what_is_being_handled_is_not_taken_over(void **state)
{
    (void)state;
    start(1);
    for (uint32_t i = 40; i < 45; i++) { /* five, one within another: more than there is room for */
        write_reg(0, GICD_IPRIORITYR + i, 1, 0xa0 - 0x10 * (i - 40));
        set_bit(GICD_ISENABLER, i);
    }
    for (uint32_t i = 40; i < 44; i++) {
        vgic_set_level(i, true);
        take(0, i);
    }
    vgic_set_level(44, true);
    assert_false(has(0, 44));
    assert_true(get_bit(GICD_ISPENDR, 44));
    eoi(0, 41);
    assert_true(fake_find_lr(0, 44) >= 0);
}

static void what_nobody_wants_makes_room(void **state)
{
    (void)state;
    start(1);
    for (uint32_t i = 40; i < 45; i++) {
        make_edge(i);
        write_reg(0, GICD_IPRIORITYR + i, 1, i < 43 ? 0 : 0xa0);
        set_bit(GICD_ISENABLER, i);
        vgic_set_level(i, true);
    }
    assert_false(has(0, 43));
    set_bit(GICD_ICENABLER, 40);
    assert_true(has(0, 43));
    assert_false(has(0, 40));
    assert_true(get_bit(GICD_ISPENDR, 40)); /* it waits for being enabled again */
    assert_false(has(0, 44));
    set_bit(GICD_ICPENDR, 41);
    assert_true(has(0, 44));
    assert_false(get_bit(GICD_ISPENDR, 41)); /* it is gone */
    assert_false(get_bit(GICD_ISACTIVER, 41));
}

static void no_interrupt_is_in_two_list_registers(void **state)
{
    unsigned copies = 0;

    (void)state;
    start(1);
    make_edge(SPI);
    set_bit(GICD_ISENABLER, SPI);
    vgic_set_level(SPI, true);
    set_bit(GICD_ICPENDR, SPI);
    set_bit(GICD_ISPENDR, SPI);
    for (unsigned i = 0; i < FAKE_LIST_REGISTERS; i++) {
        copies += fake.vcpu[0].lr[i].state != FAKE_LR_FREE && fake.vcpu[0].lr[i].intid == SPI;
    }
    assert_int_equal(copies, 1);
    eoi(0, SPI);
    assert_false(vgic_pending(0));

    set_bit(GICD_ISPENDR, SPI);
    fake_acknowledge(0, (unsigned)fake_find_lr(0, SPI));
    set_bit(GICD_ICPENDR, SPI);
    set_bit(GICD_ISPENDR, SPI); /* while it is being handled: it comes afterwards */
    assert_int_equal(fake.vcpu[0].lr[fake_find_lr(0, SPI)].state, FAKE_LR_ACTIVE);
    eoi(0, SPI);
    assert_true(fake_find_lr(0, SPI) >= 0);
    eoi(0, SPI);
    assert_false(vgic_pending(0));
}

static void more_than_fit_all_come_at_last(void **state)
{
    unsigned seen = 0;

    (void)state;
    start(1);
    for (uint32_t i = 32; i < VGIC_MAX_INTID; i++) {
        make_edge(i);
        set_bit(GICD_ISENABLER, i);
        vgic_set_level(i, true);
    }
    while (vgic_pending(0)) {
        for (unsigned i = 0; i < FAKE_LIST_REGISTERS; i++) {
            if (fake.vcpu[0].lr[i].state != FAKE_LR_FREE) {
                fake_eoi(0, i);
                seen++;
            }
        }
        assert_in_range(seen, 0, VGIC_MAX_INTID);
    }
    assert_int_equal(seen, VGIC_MAX_INTID - 32);
}

static void a_parked_vcpu_is_woken_and_a_stopped_one_is_not(void **state)
{
    (void)state;
    start(2);
    set_bit(GICD_ISENABLER, SPI);
    write_reg(0, GICD_ITARGETSR + SPI, 1, 2);
    fake.vcpu[1].running = false;
    vcpu_park(1);
    vgic_set_level(SPI, true);
    vcpu_start_woken();
    assert_true(fake.vcpu[1].running);
    assert_int_equal(vcpu_state(1), VCPU_ON);
    eoi(1, SPI);
    vgic_set_level(SPI, false);
    assert_false(has(1, SPI));

    vcpu_power_off(1);
    vgic_vcpu_off(1);
    vgic_set_level(SPI, true);
    assert_false(fake.vcpu[1].running);
    assert_int_equal(fake_find_lr(1, SPI), -1);
    vcpu_power_on(1, 0x40000000, 0, 0);
    vgic_vcpu_on(1);
    assert_true(fake_find_lr(1, SPI) >= 0);
}

static void one_of_several_targets_gets_it(void **state)
{
    (void)state;
    start(4);
    set_bit(GICD_ISENABLER, SPI);
    write_reg(0, GICD_ITARGETSR + SPI, 1, 0x0e);
    vgic_set_level(SPI, true);
    assert_int_equal(fake.vcpu[0].injections, 0);
    assert_int_equal(fake.vcpu[1].injections + fake.vcpu[2].injections + fake.vcpu[3].injections,
                     1);
}

static void what_an_offline_vcpu_held_goes_to_another(void **state)
{
    (void)state;
    start(2);
    set_bit(GICD_ISENABLER, SPI);
    write_reg(0, GICD_ITARGETSR + SPI, 1, 2);
    make_edge(SPI);
    vgic_set_level(SPI, true);
    take(1, SPI);
    write_reg(0, GICD_ITARGETSR + SPI, 1, 1);
    assert_int_equal(fake.vcpu[0].injections, 0);
    vcpu_power_off(1);
    vgic_vcpu_off(1);
    assert_true(has(0, SPI));
    /* The copy that was left behind ends without a trace. */
    vcpu_power_on(1, 0x40000000, 0, 0);
    eoi(1, SPI);
    assert_false(vgic_pending(1));
    assert_true(vgic_pending(0));
    eoi(0, SPI);
    assert_false(vgic_pending(0));
}

static void another_vcpu_gets_what_is_given_to_it(void **state)
{
    (void)state;
    start(2);
    set_bit(GICD_ISENABLER, SPI);
    make_edge(SPI);
    write_reg(0, GICD_ITARGETSR + SPI, 1, 2);
    vgic_set_level(SPI, true);
    write_reg(0, GICD_ITARGETSR + SPI, 1, 1); /* while it waits */
    assert_false(has(1, SPI));
    take(0, SPI);
    write_reg(0, GICD_ITARGETSR + SPI, 1, 2); /* while it is active, and comes again */
    vgic_set_level(SPI, false);
    vgic_set_level(SPI, true);
    assert_false(has(1, SPI));
    eoi(0, SPI);
    assert_true(has(1, SPI));
    assert_false(has(0, SPI));
}

static void sgi_filters(void **state)
{
    (void)state;
    start(4);
    write_reg(1, GICD_SGIR, 4, 0u << 24 | 0x0d << 16 | 3); /* a list: 0, 2, 3 */
    assert_true(fake_find_lr(0, 3) >= 0);
    assert_true(fake_find_lr(1, 3) < 0);
    assert_true(fake_find_lr(2, 3) >= 0);
    assert_true(fake_find_lr(3, 3) >= 0);
    write_reg(1, GICD_SGIR, 4, 1u << 24 | 4); /* all others */
    assert_true(fake_find_lr(0, 4) >= 0);
    assert_true(fake_find_lr(1, 4) < 0);
    write_reg(1, GICD_SGIR, 4, 2u << 24 | 5); /* myself */
    assert_true(fake_find_lr(1, 5) >= 0);
    assert_true(fake_find_lr(0, 5) < 0);
    write_reg(1, GICD_SGIR, 4, 3u << 24 | 0xff << 16 | 6); /* reserved */
    write_reg(1, GICD_SGIR, 4, 0u << 24 | 0xf0 << 16 | 7); /* vCPUs that do not exist */
    for (uint8_t v = 0; v < 4; v++) {
        assert_true(fake_find_lr(v, 6) < 0);
        assert_true(fake_find_lr(v, 7) < 0);
    }
}

static void an_sgi_of_two_senders_comes_twice(void **state)
{
    (void)state;
    start(3);
    write_reg(1, GICD_SGIR, 4, 0x01 << 16 | 2);
    write_reg(2, GICD_SGIR, 4, 0x01 << 16 | 2);
    write_reg(2, GICD_SGIR, 4, 0x01 << 16 | 2); /* not a third */
    assert_int_equal(fake.vcpu[0].injections, 1);
    eoi(0, 2);
    assert_int_equal(fake.vcpu[0].injections, 2);
    eoi(0, 2);
    assert_int_equal(fake.vcpu[0].injections, 2);
    assert_false(vgic_pending(0));
}

static void an_sgi_waits_as_its_registers_say(void **state)
{
    (void)state;
    start(3);
    write_reg(1, GICD_SGIR, 4, 0x01 << 16 | 2);
    write_reg(2, GICD_SGIR, 4, 0x01 << 16 | 2);
    write_reg(0, GICD_SGIR, 4, 2u << 24 | 2);
    assert_int_equal(read_reg(0, GICD_SPENDSGIR + 2, 1), 7);
    assert_true(get_bit(GICD_ISPENDR, 2));
    assert_false(get_bit(GICD_ISACTIVER, 2));
    write_reg(0, GICD_CPENDSGIR + 2, 1, 3);
    assert_int_equal(read_reg(0, GICD_SPENDSGIR + 2, 1), 4);
    take(0, 2);
    assert_int_equal(read_reg(0, GICD_SPENDSGIR + 2, 1), 0);
    assert_false(get_bit(GICD_ISPENDR, 2));
    assert_true(get_bit(GICD_ISACTIVER, 2));
    eoi(0, 2);
    assert_false(vgic_pending(0));
}

static void sgi_pending_registers(void **state)
{
    (void)state;
    start(2);
    write32(GICD_CTLR, 0);
    write_reg(0, GICD_SPENDSGIR + 9, 1, 0x83); /* bits of vCPUs that do not exist are dropped */
    assert_int_equal(read_reg(0, GICD_CPENDSGIR + 9, 1), 3);
    assert_int_equal(read_reg(1, GICD_CPENDSGIR + 9, 1), 0); /* banked */
    assert_true(get_bit(GICD_ISPENDR, 9));
    write32(GICD_ICPENDR, ~0u);
    assert_true(get_bit(GICD_ISPENDR, 9));
    write_reg(0, GICD_CPENDSGIR + 8, 4, 0x0000ff00);
    assert_false(get_bit(GICD_ISPENDR, 9));
    write32(GICD_CTLR, 1);
    assert_false(vgic_pending(0));
}

static void private_registers_are_banked(void **state)
{
    (void)state;
    start(2);
    write_reg(1, GICD_ISENABLER, 4, 1u << TIMER);
    assert_int_equal(read_reg(0, GICD_ISENABLER, 4), 0xffff);
    assert_int_equal(read_reg(1, GICD_ISENABLER, 4), 0xffff | 1u << TIMER);
    write_reg(1, GICD_IPRIORITYR + TIMER, 1, 0x40);
    assert_int_equal(read_reg(0, GICD_IPRIORITYR + TIMER, 1), 0);
    assert_true(vgic_timer_enabled(1));
    assert_false(vgic_timer_enabled(0));
}

static void timer_is_acknowledged_when_it_has_been_handled(void **state)
{
    (void)state;
    start(1);
    set_bit(GICD_ISENABLER, TIMER);
    vgic_raise_timer(0);
    assert_true(fake_find_lr(0, TIMER) >= 0);
    assert_int_equal(fake.vcpu[0].vppi_acks, 0);
    eoi(0, TIMER);
    assert_int_equal(fake.vcpu[0].vppi_acks, 1);
    assert_false(vgic_pending(0));
}

static void timer_that_fired_while_disabled_is_asked_anew(void **state)
{
    (void)state;
    start(1);
    timers_assert = true;
    vgic_raise_timer(0);
    assert_false(vgic_pending(0));
    assert_true(get_bit(GICD_ISPENDR, TIMER));
    timers_assert = false; /* the guest moves it on */
    assert_false(get_bit(GICD_ISPENDR, TIMER));
    set_bit(GICD_ISENABLER, TIMER);
    assert_int_equal(fake.vcpu[0].injections, 0);
    assert_int_equal(fake.vcpu[0].vppi_acks, 1); /* the kernel reports the next one */

    set_bit(GICD_ICENABLER, TIMER);
    timers_assert = true;
    vgic_raise_timer(0);
    set_bit(GICD_ICPENDR, TIMER); /* the timer still asserts it */
    assert_int_equal(fake.vcpu[0].vppi_acks, 1);
    set_bit(GICD_ISENABLER, TIMER);
    assert_true(has(0, TIMER));
    timers_assert = false;
    set_bit(GICD_ICENABLER, TIMER); /* after it was moved on, while it waits */
    assert_false(has(0, TIMER));
    set_bit(GICD_ISENABLER, TIMER);
    assert_false(has(0, TIMER));
    assert_int_equal(fake.vcpu[0].vppi_acks, 2);
}

/*
 * Its interrupt waits, or is active, when its line falls, and then leaves its list register by
 * hand. Nobody else would tell the kernel to report the timer again.
 */
static void timer_that_is_taken_back_can_come_again(void **state)
{
    (void)state;
    start(1);
    set_bit(GICD_ISENABLER, TIMER);
    timers_assert = true;
    vgic_raise_timer(0);
    timers_assert = false;
    set_bit(GICD_ISENABLER, TIMER + 1); /* the monitor finds that it was moved on */
    assert_int_equal(fake.vcpu[0].vppi_acks, 0);
    write_reg(0, GICD_IPRIORITYR + TIMER, 1, 0x80); /* takes it back */
    assert_false(has(0, TIMER));
    assert_int_equal(fake.vcpu[0].vppi_acks, 1);

    timers_assert = true;
    vgic_raise_timer(0);
    take(0, TIMER);
    timers_assert = false;
    assert_false(get_bit(GICD_ISPENDR, TIMER));
    set_bit(GICD_ICACTIVER, TIMER); /* as a kernel does at its start, that kexec has started */
    assert_int_equal(fake.vcpu[0].vppi_acks, 2);
}

/* The same, but the timer has expired again by then. */
static void timer_that_is_taken_back_has_come_again(void **state)
{
    (void)state;
    start(1);
    set_bit(GICD_ISENABLER, TIMER);
    timers_assert = true;
    vgic_raise_timer(0);
    timers_assert = false;
    set_bit(GICD_ISENABLER, TIMER + 1);
    timers_assert = true;
    write_reg(0, GICD_IPRIORITYR + TIMER, 1, 0x80);
    assert_true(has(0, TIMER));
    assert_true(get_bit(GICD_ISPENDR, TIMER));
    timers_assert = false;
}

/* One that has expired does not expire again before its interrupt has ended. */
static void a_timer_that_is_handled_does_not_end_a_wait(void **state)
{
    (void)state;
    start(1);
    assert_false(vgic_timer_enabled(0));
    set_bit(GICD_ISENABLER, TIMER);
    assert_true(vgic_timer_enabled(0));
    vgic_raise_timer(0);
    assert_false(vgic_timer_enabled(0));
    take(0, TIMER);
    assert_false(vgic_timer_enabled(0));
    eoi(0, TIMER);
    assert_true(vgic_timer_enabled(0));
}

static void software_can_make_active(void **state)
{
    (void)state;
    start(1);
    set_bit(GICD_ISENABLER, SPI);
    set_bit(GICD_ISACTIVER, SPI);
    vgic_set_level(SPI, true);
    assert_false(vgic_pending(0));
    set_bit(GICD_ICACTIVER, SPI);
    assert_true(vgic_pending(0));
}

static void maintenance_of_nothing_is_ignored(void **state)
{
    (void)state;
    start(1);
    set_bit(GICD_ISENABLER, SPI);
    vgic_set_level(SPI, true);
    vgic_maintenance(0, 1);
    vgic_maintenance(0, 4);
    vgic_maintenance(0, UINT32_MAX);
    assert_true(vgic_pending(0));
    assert_int_equal(fake.vcpu[0].injections, 1);
}

static void reset_leaves_list_registers_to_be_emptied(void **state)
{
    uint16_t intids[VGIC_LIST_REGISTERS];

    (void)state;
    start(1);
    for (uint32_t i = 0; i < 3; i++) {
        set_bit(GICD_ISENABLER, 40 + i);
        write_reg(0, GICD_IPRIORITYR + 40 + i, 1, 0x80 - 8 * i);
        vgic_set_level(40 + i, true);
    }
    vgic_reset();
    assert_true(vgic_pending(0));
    vgic_lr_intids(0, intids);
    assert_int_equal(intids[0], 42);
    assert_int_equal(intids[1], 41);
    assert_int_equal(intids[2], 40);
    assert_int_equal(intids[3], VGIC_NONE);
    eoi(0, 41); /* the program that empties them ends one: it does not come back */
    assert_int_equal(fake.vcpu[0].injections, 3);
    vgic_lr_cleared(0);
    assert_false(vgic_pending(0));
    vgic_maintenance(0, 0); /* a late report */
    assert_false(vgic_pending(0));
    vgic_lr_intids(0, intids);
    assert_int_equal(intids[0], VGIC_NONE);
}

static void no_duplicates(uint8_t vcpu)
{
    const struct fake_lr *lr = fake.vcpu[vcpu].lr;

    for (unsigned a = 0; a < FAKE_LIST_REGISTERS; a++) {
        for (unsigned b = 0; b < a; b++) {
            if (lr[a].state != FAKE_LR_FREE && lr[b].state != FAKE_LR_FREE) {
                assert_int_not_equal(lr[a].intid, lr[b].intid);
            }
        }
    }
}

/* Whatever is written: no list register is used twice, and no injection is malformed (the fake
 * checks both). */
static void noise_is_survived(void **state)
{
    (void)state;
    for (unsigned vcpus = 1; vcpus <= VMM_MAX_VCPUS_GICV2; vcpus += 3) {
        srand(vcpus);
        start(vcpus);
        for (unsigned i = 0; i < 200000; i++) {
            uint8_t width = (uint8_t)(1u << (rand() % 4));
            struct mmio_access access = {
                .offset = (uint64_t)(rand() % 4096) & ~(uint64_t)(width - 1u),
                .width = width,
                .write = rand() % 4 != 0,
                .vcpu = (uint8_t)((unsigned)rand() % vcpus),
                .value = (uint64_t)rand() << 32 ^ (uint64_t)rand(),
            };
            uint8_t vcpu = (uint8_t)((unsigned)rand() % vcpus);
            unsigned index = (unsigned)rand() % FAKE_LIST_REGISTERS;

            vgic_v2_access(NULL, &access);
            vgic_set_level((uint32_t)rand() % 140, rand() & 1);
            if (fake.vcpu[vcpu].lr[index].state != FAKE_LR_FREE) {
                fake_eoi(vcpu, index);
            }
            if (rand() % 16 == 0) {
                vgic_raise_timer(vcpu);
            }
            no_duplicates(vcpu);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registers_after_reset),
        cmocka_unit_test(set_and_clear_registers_are_two_views),
        cmocka_unit_test(beyond_the_last_interrupt_is_nothing),
        cmocka_unit_test(byte_and_word_access_agree),
        cmocka_unit_test(other_widths_are_refused),
        cmocka_unit_test(targets_of_one_and_of_many),
        cmocka_unit_test(an_interrupt_needs_all_its_switches),
        cmocka_unit_test(group_one_goes_out_as_such),
        cmocka_unit_test(level_comes_again_while_it_is_high),
        cmocka_unit_test(what_is_not_to_come_any_more_is_taken_back),
        cmocka_unit_test(what_software_made_pending_stays),
        cmocka_unit_test(what_is_active_is_not_taken_back),
        cmocka_unit_test(a_placeholder_is_of_the_group_that_is_not_enabled),
        cmocka_unit_test(a_list_register_that_the_kernel_refuses_is_passed_over),
        cmocka_unit_test(what_a_vcpu_has_seen_does_not_wake_it),
        cmocka_unit_test(level_cannot_be_cleared_by_hand),
        cmocka_unit_test(edge_is_remembered_once),
        cmocka_unit_test(edge_while_disabled_waits),
        cmocka_unit_test(the_urgent_ones_get_the_list_registers),
        cmocka_unit_test(an_urgent_one_does_not_wait_for_those_that_are_active),
        cmocka_unit_test(a_more_urgent_one_takes_a_list_register_over),
        cmocka_unit_test(the_end_of_what_was_replaced_is_not_the_new_ones),
        cmocka_unit_test(the_end_of_what_has_replaced_is_known),
        cmocka_unit_test(the_end_of_what_was_taken_back_is_not_the_new_ones),
        cmocka_unit_test(what_was_replaced_before_a_reset_does_not_matter),
        cmocka_unit_test(what_is_being_handled_is_not_taken_over),
        cmocka_unit_test(what_nobody_wants_makes_room),
        cmocka_unit_test(no_interrupt_is_in_two_list_registers),
        cmocka_unit_test(more_than_fit_all_come_at_last),
        cmocka_unit_test(a_parked_vcpu_is_woken_and_a_stopped_one_is_not),
        cmocka_unit_test(one_of_several_targets_gets_it),
        cmocka_unit_test(what_an_offline_vcpu_held_goes_to_another),
        cmocka_unit_test(another_vcpu_gets_what_is_given_to_it),
        cmocka_unit_test(sgi_filters),
        cmocka_unit_test(an_sgi_of_two_senders_comes_twice),
        cmocka_unit_test(an_sgi_waits_as_its_registers_say),
        cmocka_unit_test(sgi_pending_registers),
        cmocka_unit_test(private_registers_are_banked),
        cmocka_unit_test(timer_is_acknowledged_when_it_has_been_handled),
        cmocka_unit_test(timer_that_fired_while_disabled_is_asked_anew),
        cmocka_unit_test(timer_that_is_taken_back_can_come_again),
        cmocka_unit_test(timer_that_is_taken_back_has_come_again),
        cmocka_unit_test(a_timer_that_is_handled_does_not_end_a_wait),
        cmocka_unit_test(software_can_make_active),
        cmocka_unit_test(maintenance_of_nothing_is_ignored),
        cmocka_unit_test(reset_leaves_list_registers_to_be_emptied),
        cmocka_unit_test(noise_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
