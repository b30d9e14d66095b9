/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: vmm/vgic.c vmm/vgic_lr.c vmm/vgic_registers.c vmm/vgic_v2.c
 * SOURCES: vmm/vgic_forward.c
 * SOURCES: vmm/vgic_v3.c vmm/vgic_redistributor.c vmm/vcpu.c
 * SOURCES: tests/unit/fake/fake_microkit.c
 * SOURCES: tests/unit/fake/fake_stats.c
 *
 * What a GICv3 has of its own: affinity routing, redistributors, SGIs by system registers, up to 16
 * vCPUs, and a guest that writes noise. What it shares with a GICv2 is in test_vgic.c.
 */

#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "lib/esr.h"
#include "lib/gicv3.h"
#include "vmm/config.h"
#include "vmm/timer.h"
#include "vmm/vcpu.h"
#include "vmm/vgic.h"

#define SPI   48u
#define TIMER VGIC_VIRTUAL_TIMER

#define SGI_FRAME GICR_FRAME_SIZE
#define PIDR2     0xffe8u

#define SGI1R  ISS_SYSREG(3, 0, 12, 11, 5)
#define ASGI1R ISS_SYSREG(3, 0, 12, 11, 6)
#define SGI0R  ISS_SYSREG(3, 0, 12, 11, 7)
#define SRE    ISS_SYSREG(3, 0, 12, 12, 5)

#define ALL_VCPUS 16u

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

/* ---- Accesses by vCPU 0: the distributor, and the redistributor of any vCPU ---- */

static uint64_t transfer(mmio_handler handler, uint64_t offset, uint8_t width, bool write,
                         uint64_t value)
{
    struct mmio_access access = {.offset = offset, .width = width, .write = write, .value = value};

    assert_true(handler(NULL, &access));
    return access.value;
}

static uint64_t gicd_read(uint64_t offset, uint8_t width)
{
    return transfer(vgic_v3_access, offset, width, false, ~0ull);
}

static void gicd_write(uint64_t offset, uint8_t width, uint64_t value)
{
    transfer(vgic_v3_access, offset, width, true, value);
}

static uint64_t gicr_read(uint32_t vcpu, uint64_t offset, uint8_t width)
{
    return transfer(vgic_redistributor_access, vcpu * GICR_SIZE + offset, width, false, ~0ull);
}

static void gicr_write(uint32_t vcpu, uint64_t offset, uint8_t width, uint64_t value)
{
    transfer(vgic_redistributor_access, vcpu * GICR_SIZE + offset, width, true, value);
}

/* ---- Others ---- */

static void start(uint32_t vcpus)
{
    fake_reset();
    vcpu_init(vcpus);
    vgic_init(3, vcpus);
    for (uint8_t v = 0; v < vcpus; v++) {
        vcpu_power_on(v, 0x40000000, 0, 0);
        fake.vcpu[v].vppi_acks = 0;
    }
}

/* What Linux does: all are of group 1, and enabled. */
static void start_like_linux(uint32_t vcpus)
{
    start(vcpus);
    for (uint32_t word = 1; word < 4; word++) {
        gicd_write(GICD_IGROUPR + 4 * word, 4, ~0u);
    }
    for (uint32_t v = 0; v < vcpus; v++) {
        gicr_write(v, GICR_WAKER, 4, 0);
        gicr_write(v, SGI_FRAME + GICD_IGROUPR, 4, ~0u);
        gicr_write(v, SGI_FRAME + GICD_ISENABLER, 4, 0xffff | 1u << TIMER);
    }
    gicd_write(GICD_CTLR, 4, GICD_CTLR_ARE | GICD_CTLR_GROUP1);
    gicd_write(GICD_ISENABLER + SPI / 32 * 4, 4, 1u << (SPI % 32));
}

static bool has(uint8_t vcpu, uint32_t intid)
{
    return fake_find_lr(vcpu, intid) >= 0;
}

static void eoi(uint8_t vcpu, uint32_t intid)
{
    int index = fake_find_lr(vcpu, intid);

    assert_true(index >= 0);
    fake_eoi(vcpu, (unsigned)index);
}

/* MSR of `value`, from x5. */
static bool write_system_register(uint8_t vcpu, uint32_t which, uint64_t value)
{
    uint64_t unused;

    fake.vcpu[vcpu].context.x5 = value;
    return vgic_system_register(vcpu, which | 5u << 5, &unused);
}

static void send(uint8_t vcpu, uint64_t value)
{
    assert_true(write_system_register(vcpu, SGI1R, value));
}

/* The vCPUs that have this SGI in a list register, as bits; it is ended there. */
static uint32_t receivers(uint32_t vcpus, uint32_t sgi)
{
    uint32_t found = 0;

    for (uint8_t v = 0; v < vcpus; v++) {
        if (has(v, sgi)) {
            found |= 1u << v;
            eoi(v, sgi);
        }
    }
    return found;
}

/* ---- Registers ---- */

static void distributor_after_reset(void **state)
{
    (void)state;
    start(4);
    assert_int_equal(gicd_read(GICD_CTLR, 4), 0x50); /* ARE and DS are fixed */
    assert_int_equal(gicd_read(GICD_TYPER, 4), 3 | 9 << 19 | 1 << 24);
    assert_int_equal(gicd_read(GICD_IIDR, 4), 0x43b);
    assert_int_equal(gicd_read(PIDR2, 4), 0x3b);
    assert_int_equal(gicd_read(GIC_PIDR4, 4), 0x44);
    assert_int_equal(gicd_read(0xffe0, 4), 0x92);
    assert_int_equal(gicd_read(0xfffc, 4), 0xb1);
    assert_int_equal(gicd_read(GICD_ISENABLER + 4, 4), 0);
    assert_int_equal(gicd_read(GICD_ICFGR + 8, 4), 0);
    assert_int_equal(gicd_read(GICD_IROUTER + 8 * SPI, 8), 0);
    gicd_write(GICD_CTLR, 4, ~0u);
    assert_int_equal(gicd_read(GICD_CTLR, 4), 0x53);
    gicd_write(GICD_CTLR, 4, 0);
    assert_int_equal(gicd_read(GICD_CTLR, 4), 0x50);
}

static void redistributors_after_reset(void **state)
{
    (void)state;
    start(ALL_VCPUS);
    for (uint32_t v = 0; v < ALL_VCPUS; v++) {
        assert_int_equal(gicr_read(v, GICR_TYPER, 8),
                         (uint64_t)v << 32 | v << 8 | (v == ALL_VCPUS - 1 ? 0x10 : 0));
        assert_int_equal(gicr_read(v, GICR_TYPER + 4, 4), v); /* the affinity is the upper half */
        assert_int_equal(gicr_read(v, GICR_TYPER, 4), v << 8 | (v == ALL_VCPUS - 1 ? 0x10 : 0));
        assert_int_equal(fake.vcpu[v].reg[seL4_VCPUReg_VMPIDR_EL2], 1u << 31 | v);
        assert_int_equal(gicr_read(v, GICR_CTLR, 4), 0);
        assert_int_equal(gicr_read(v, GICR_IIDR, 4), 0x43b);
        assert_int_equal(gicr_read(v, GICR_WAKER, 4), 6);
        assert_int_equal(gicr_read(v, PIDR2, 4), 0x3b);
        assert_int_equal(gicr_read(v, 0xffe0, 4), 0x93);
        assert_int_equal(gicr_read(v, 0x70, 8), 0); /* PROPBASER: no LPIs */
        assert_int_equal(gicr_read(v, SGI_FRAME + GICD_ISENABLER, 4), 0);
        assert_int_equal(gicr_read(v, SGI_FRAME + GICD_ICFGR, 4), 0xaaaaaaaa);
        assert_int_equal(gicr_read(v, SGI_FRAME + GICD_ICFGR + 4, 4), 0);
    }
}

static void a_redistributor_wakes_up_when_it_is_told(void **state)
{
    (void)state;
    start(3);
    gicr_write(1, GICR_WAKER, 4, ~GICR_WAKER_PROCESSOR_SLEEP);
    assert_int_equal(gicr_read(1, GICR_WAKER, 4), 0);
    assert_int_equal(gicr_read(0, GICR_WAKER, 4), 6);
    assert_int_equal(gicr_read(2, GICR_WAKER, 4), 6);
    gicr_write(1, GICR_WAKER, 4, GICR_WAKER_PROCESSOR_SLEEP);
    assert_int_equal(gicr_read(1, GICR_WAKER, 4), 6);
}

static void private_interrupts_are_the_redistributors(void **state)
{
    (void)state;
    start(2);
    gicr_write(1, SGI_FRAME + GICD_ISENABLER, 4, ~0u);
    assert_int_equal(gicr_read(1, SGI_FRAME + GICD_ICENABLER, 4), ~0u);
    assert_int_equal(gicr_read(0, SGI_FRAME + GICD_ISENABLER, 4), 0);
    gicr_write(1, SGI_FRAME + GICD_ICENABLER, 4, 0x0000ff0f); /* SGIs can be disabled, too */
    assert_int_equal(gicr_read(1, SGI_FRAME + GICD_ISENABLER, 4), 0xffff00f0);
    gicr_write(1, SGI_FRAME + GICD_IPRIORITYR + 28, 4, 0xff604020);
    assert_int_equal(gicr_read(1, SGI_FRAME + GICD_IPRIORITYR + 31, 1), 0xf8);
    gicr_write(1, SGI_FRAME + GICD_IPRIORITYR + 30, 1, 0x88);
    assert_int_equal(gicr_read(1, SGI_FRAME + GICD_IPRIORITYR + 28, 4), 0xf8884020);
    gicr_write(1, SGI_FRAME + GICD_ICFGR, 4, 0);
    assert_int_equal(gicr_read(1, SGI_FRAME + GICD_ICFGR, 4), 0xaaaaaaaa);

    /* The distributor has nothing of them, and a redistributor nothing of SPIs. */
    gicd_write(GICD_ISENABLER, 4, ~0u);
    gicd_write(GICD_IPRIORITYR, 4, ~0u);
    gicd_write(GICD_ISPENDR, 4, ~0u);
    assert_int_equal(gicd_read(GICD_ISENABLER, 4), 0);
    assert_int_equal(gicd_read(GICD_IPRIORITYR + 28, 4), 0);
    assert_int_equal(gicd_read(GICD_ISPENDR, 4), 0);
    assert_int_equal(gicd_read(GICD_ICFGR, 4), 0);
    assert_int_equal(gicr_read(0, SGI_FRAME + GICD_ISENABLER, 4), 0);
    gicr_write(0, SGI_FRAME + GICD_ISENABLER + 4, 4, ~0u);
    gicr_write(0, SGI_FRAME + GICD_IPRIORITYR + SPI, 4, ~0u);
    gicr_write(0, SGI_FRAME + GICD_ICFGR + 12, 4, ~0u);
    assert_int_equal(gicd_read(GICD_ISENABLER + 4, 4), 0);
    assert_int_equal(gicd_read(GICD_IPRIORITYR + SPI, 4), 0);
    assert_int_equal(gicd_read(GICD_ICFGR + 12, 4), 0);
}

static void what_affinity_routing_replaces_is_reserved(void **state)
{
    static const uint32_t gone[] = {GICD_ITARGETSR + SPI,
                                    0xd00,
                                    GICD_NSACR,
                                    GICD_SGIR,
                                    GICD_CPENDSGIR,
                                    GICD_SPENDSGIR,
                                    GICD_ICPIDR4,
                                    0x10,
                                    0x40,
                                    0x48,
                                    0xffc,
                                    0x6000,
                                    0x60f8,
                                    0x7ff8};

    (void)state;
    start_like_linux(2);
    for (unsigned i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) {
        gicd_write(gone[i], 4, ~0u);
        assert_int_equal(gicd_read(gone[i], 4), 0);
        assert_int_equal(gicd_read(gone[i], 1), 0);
    }
    assert_false(vgic_pending(0));
    assert_false(vgic_pending(1));
}

static void other_widths_read_as_zero(void **state)
{
    static const uint8_t wrong[] = {1, 2, 8};

    (void)state;
    start(1);
    for (unsigned i = 0; i < sizeof(wrong); i++) {
        gicd_write(GICD_CTLR, wrong[i], 3);
        assert_int_equal(gicd_read(GICD_CTLR, wrong[i]), 0);
        gicd_write(GICD_ISENABLER + 8, wrong[i], ~0ull);
        assert_int_equal(gicd_read(GICD_ISENABLER + 8, wrong[i]), 0);
        gicr_write(0, SGI_FRAME + GICD_ISENABLER, wrong[i], ~0ull);
        assert_int_equal(gicr_read(0, SGI_FRAME + GICD_ISENABLER, wrong[i]), 0);
        assert_int_equal(gicr_read(0, GICR_CTLR, wrong[i]), 0);
    }
    gicr_write(0, GICR_WAKER, 2, 0);
    gicr_write(0, GICR_WAKER, 1, 0);
    for (unsigned i = 0; i < 2; i++) {
        gicd_write(GICD_IROUTER + 8 * SPI, wrong[i], 1);
        assert_int_equal(gicd_read(GICD_IROUTER + 8 * SPI, wrong[i]), 0);
        assert_int_equal(gicr_read(0, GICR_TYPER, wrong[i]), 0);
    }
    assert_int_equal(gicd_read(GICD_CTLR, 4), 0x50);
    assert_int_equal(gicd_read(GICD_ISENABLER + 8, 4), 0);
    assert_int_equal(gicd_read(GICD_IROUTER + 8 * SPI, 8), 0);
    assert_int_equal(gicr_read(0, SGI_FRAME + GICD_ISENABLER, 4), 0);
    assert_int_equal(gicr_read(0, GICR_WAKER, 4), 6);
}

static void beyond_the_last_redistributor_is_nothing(void **state)
{
    struct mmio_access access = {.offset = 3 * GICR_SIZE, .width = 4};

    (void)state;
    start(3);
    assert_false(vgic_redistributor_access(NULL, &access));
    access.offset = UINT64_MAX & ~3ull;
    assert_false(vgic_redistributor_access(NULL, &access));
    access.offset = 255ull * GICR_SIZE;
    assert_false(vgic_redistributor_access(NULL, &access));
}

/* ---- Routing ---- */

static void routes_are_kept_as_written(void **state)
{
    (void)state;
    start(2);
    gicd_write(GICD_IROUTER + 8 * SPI, 8, ~0ull);
    assert_int_equal(gicd_read(GICD_IROUTER + 8 * SPI, 8), 0xff80ffffffull);
    assert_int_equal(gicd_read(GICD_IROUTER + 8 * SPI, 4), 0x80ffffff);
    assert_int_equal(gicd_read(GICD_IROUTER + 8 * SPI + 4, 4), 0xff);
    gicd_write(GICD_IROUTER + 8 * SPI, 4, 0xdead00000001ull); /* the width says what counts */
    assert_int_equal(gicd_read(GICD_IROUTER + 8 * SPI, 8), 0xff00000001ull);
    gicd_write(GICD_IROUTER + 8 * SPI + 4, 4, 0);
    assert_int_equal(gicd_read(GICD_IROUTER + 8 * SPI, 8), 1);
    assert_int_equal(gicd_read(GICD_IROUTER + 8 * SPI + 8, 8), 0);
    gicd_write(GICD_IROUTER + 8 * 127, 8, 1);
    assert_int_equal(gicd_read(GICD_IROUTER + 8 * 127, 8), 1);
    gicd_write(GICD_IROUTER + 8 * 128, 8, 1);
    assert_int_equal(gicd_read(GICD_IROUTER + 8 * 128, 8), 0);
}

static void an_spi_goes_where_its_route_leads(void **state)
{
    (void)state;
    start_like_linux(ALL_VCPUS);
    gicd_write(GICD_IROUTER + 8 * SPI, 8, 15);
    vgic_set_level(SPI, true);
    assert_true(has(15, SPI));
    assert_int_equal(fake.vcpu[15].lr[0].group, 1);
    assert_false(vgic_pending(0));
    fake_acknowledge(15, (unsigned)fake_find_lr(15, SPI));
    vgic_set_level(SPI, false);
    eoi(15, SPI);

    gicd_write(GICD_IROUTER + 8 * SPI, 8, 16); /* there is none of these */
    vgic_set_level(SPI, true);
    gicd_write(GICD_IROUTER + 8 * SPI, 8, 0x100);
    gicd_write(GICD_IROUTER + 8 * SPI, 8, 0x100000000ull);
    for (uint8_t v = 0; v < ALL_VCPUS; v++) {
        assert_false(vgic_pending(v));
    }
    gicd_write(GICD_IROUTER + 8 * SPI, 8, 9); /* it is still pending */
    assert_true(has(9, SPI));
}

static void one_of_all_gets_what_goes_to_any(void **state)
{
    unsigned injections = 0;

    (void)state;
    start_like_linux(4);
    vcpu_power_off(0);
    vgic_vcpu_off(0);
    gicd_write(GICD_IROUTER + 8 * SPI, 8, GICD_IROUTER_ANY | 0xff000000ffull);
    vgic_set_level(SPI, true);
    for (uint8_t v = 0; v < 4; v++) {
        injections += fake.vcpu[v].injections;
    }
    assert_int_equal(injections, 1);
    assert_true(has(1, SPI));
    vcpu_power_off(1);
    vgic_vcpu_off(1);
    assert_true(has(2, SPI)); /* it is not lost with that vCPU */
}

/* ---- SGIs ---- */

static void sgis_go_to_the_target_list(void **state)
{
    (void)state;
    start_like_linux(ALL_VCPUS);
    send(3, 0x8421 | 7u << 24);
    assert_int_equal(receivers(ALL_VCPUS, 7), 0x8421);
    send(3, 0xffff | 15u << 24); /* the sender is one of them */
    assert_int_equal(receivers(ALL_VCPUS, 15), 0xffff);
    send(3, 0);
    assert_int_equal(receivers(ALL_VCPUS, 0), 0);

    start_like_linux(3);
    send(1, 0xffff);
    assert_int_equal(receivers(FAKE_VCPUS, 0), 0x7);
}

static void sgis_to_all_others(void **state)
{
    (void)state;
    start_like_linux(12);
    send(11, ICC_SGIR_OTHERS | 3u << 24);
    assert_int_equal(receivers(12, 3), 0x7ff);
    send(0, ICC_SGIR_OTHERS | ICC_SGIR_CLUSTER_MASK | 0x1 | 3u << 24); /* the rest is ignored */
    assert_int_equal(receivers(12, 3), 0xffe);
    start_like_linux(1);
    send(0, ICC_SGIR_OTHERS);
    assert_int_equal(receivers(1, 0), 0);
}

static void sgis_to_other_clusters_reach_nobody(void **state)
{
    (void)state;
    start_like_linux(ALL_VCPUS);
    for (unsigned bit = 0; bit < 64; bit++) {
        if ((ICC_SGIR_CLUSTER_MASK >> bit) & 1) {
            send(0, 0xffff | 1ull << bit);
            assert_int_equal(receivers(ALL_VCPUS, 0), 0);
        }
    }
    send(0, 0xffff | 0xff000e00f0000000ull); /* reserved bits */
    assert_int_equal(receivers(ALL_VCPUS, 0), 0xffff);
}

static void each_register_sends_its_groups(void **state)
{
    (void)state;
    start_like_linux(2);
    gicd_write(GICD_CTLR, 4, GICD_CTLR_GROUP0 | GICD_CTLR_GROUP1);
    gicr_write(1, SGI_FRAME + GICD_IGROUPR, 4, ~1u); /* SGI 0 is of group 0, SGI 1 of group 1 */
    assert_true(write_system_register(0, SGI0R, 2 | 1u << 24));
    assert_true(write_system_register(0, ASGI1R, 2 | 1u << 24));
    assert_int_equal(receivers(2, 1), 0);
    assert_true(write_system_register(0, SGI0R, 2));
    assert_int_equal(fake.vcpu[1].lr[0].group, 0);
    assert_int_equal(receivers(2, 0), 2);
    assert_true(write_system_register(0, ASGI1R, 2));
    assert_int_equal(receivers(2, 0), 2);
    send(0, 2);
    assert_int_equal(receivers(2, 0), 2);
    send(0, 2 | 1u << 24);
    assert_int_equal(receivers(2, 1), 2);
}

static void an_sgi_of_two_senders_comes_once(void **state)
{
    (void)state;
    start_like_linux(3);
    gicr_write(0, SGI_FRAME + GICD_ICENABLER, 4, 1u << 2);
    send(1, 1 | 2u << 24);
    send(2, 1 | 2u << 24);
    assert_int_equal(fake.vcpu[0].injections, 0);
    assert_int_equal(gicr_read(0, SGI_FRAME + GICD_ISPENDR, 4), 1u << 2);
    gicr_write(0, SGI_FRAME + GICD_ISENABLER, 4, 1u << 2);
    assert_int_equal(receivers(3, 2), 1);
    assert_int_equal(receivers(3, 2), 0);
}

static void sgis_are_pended_and_withdrawn_by_hand(void **state)
{
    (void)state;
    start_like_linux(2);
    gicr_write(1, SGI_FRAME + GICD_ICENABLER, 4, 0xffff);
    gicr_write(1, SGI_FRAME + GICD_ISPENDR, 4, 0x30);
    gicr_write(1, SGI_FRAME + GICD_ICPENDR, 4, 0x10);
    assert_int_equal(gicr_read(1, SGI_FRAME + GICD_ISPENDR, 4), 0x20);
    gicr_write(1, SGI_FRAME + GICD_ISENABLER, 4, 0xffff);
    assert_int_equal(receivers(2, 5), 2);
    assert_int_equal(receivers(2, 4), 0);
}

/* An SGI that made room for a more urgent one is pending again, on a vCPU beyond the eighth, too.
 */
static void an_sgi_that_was_replaced_comes_back_once(void **state)
{
    (void)state;
    start_like_linux(ALL_VCPUS);
    gicr_write(15, SGI_FRAME + GICD_IPRIORITYR, 4, 0xa0a0a0a0);
    gicr_write(15, SGI_FRAME + GICD_IPRIORITYR + 4, 4, 0x1020);
    for (uint64_t sgi = 0; sgi < 4; sgi++) {
        send(0, 0x8000 | sgi << 24);
    }
    send(0, 0x8000 | 4u << 24);
    send(0, 0x8000 | 5u << 24);
    assert_true(has(15, 5));
    assert_int_equal(gicr_read(15, SGI_FRAME + GICD_ISPENDR, 4), 0x3f);
    for (unsigned i = 0; i < 6; i++) {
        static const uint8_t order[] = {5, 4, 0, 1, 2, 3};

        assert_int_equal(receivers(ALL_VCPUS, order[i]), 0x8000);
    }
    assert_false(vgic_pending(15));
    assert_int_equal(gicr_read(15, SGI_FRAME + GICD_ISPENDR, 4), 0);
}

static void other_system_registers_are_not_the_gics(void **state)
{
    uint64_t value = 0;

    (void)state;
    start_like_linux(2);
    assert_true(vgic_system_register(0, SRE | ISS_READ, &value));
    assert_int_equal(value, 7);
    assert_true(write_system_register(0, SRE, 0));
    assert_false(vgic_system_register(0, SGI1R | ISS_READ, &value)); /* they are write-only */
    assert_false(vgic_system_register(0, ASGI1R | ISS_READ, &value));
    assert_false(vgic_system_register(0, SGI0R | ISS_READ, &value));
    assert_false(write_system_register(0, ISS_SYSREG(3, 0, 12, 11, 1), 0xffff));
    assert_false(write_system_register(0, ISS_SYSREG(3, 4, 12, 11, 5), 0xffff));
    assert_false(write_system_register(0, ISS_SYSREG(2, 0, 12, 11, 5), 0xffff));
    assert_int_equal(receivers(2, 0), 0);
    assert_true(vgic_system_register(0, SGI1R | VCPU_REGISTER_ZERO << 5, &value));
    assert_int_equal(receivers(2, 0), 0);

    vgic_init(2, 2); /* a GICv2 has none of them */
    assert_false(write_system_register(0, SGI1R, 3));
    assert_false(vgic_system_register(0, SRE | ISS_READ, &value));
}

/* ---- The virtual timer, and power ---- */

static void the_timer_is_each_redistributors_own(void **state)
{
    (void)state;
    start_like_linux(12);
    assert_true(vgic_timer_enabled(11));
    gicr_write(11, SGI_FRAME + GICD_ICENABLER, 4, 1u << TIMER);
    assert_false(vgic_timer_enabled(11));
    assert_true(vgic_timer_enabled(10));
    vgic_raise_timer(10);
    assert_true(has(10, TIMER));
    eoi(10, TIMER);
    assert_int_equal(fake.vcpu[10].vppi_acks, 1);

    /* vCPU 0 withdraws it from another one: the kernel reports it again if it still holds. */
    vgic_raise_timer(10);
    gicr_write(10, SGI_FRAME + GICD_ICPENDR, 4, 1u << TIMER);
    assert_int_equal(fake.vcpu[10].vppi_acks, 2);
    assert_int_equal(fake.vcpu[0].vppi_acks, 0);
}

static void a_redistributor_goes_off_with_its_vcpu(void **state)
{
    uint16_t intids[VGIC_LIST_REGISTERS];

    (void)state;
    start_like_linux(3);
    gicr_write(1, SGI_FRAME + GICD_IPRIORITYR, 4, ~0u);
    send(0, 2 | 1u << 24);
    vgic_raise_timer(1);
    gicr_write(1, SGI_FRAME + GICD_ICENABLER, 4, 1u << 2);
    send(0, 2 | 2u << 24);
    gicr_write(1, SGI_FRAME + GICD_ISACTIVER, 4, 1u << 3);
    fake.vcpu[1].vppi_acks = 0;
    vcpu_power_off(1);
    vgic_vcpu_off(1);
    assert_int_equal(fake.vcpu[1].vppi_acks, 1);
    assert_int_equal(gicr_read(1, GICR_WAKER, 4), 6);
    for (uint32_t offset = GICD_IGROUPR; offset < GICD_IPRIORITYR; offset += 0x80) {
        assert_int_equal(gicr_read(1, SGI_FRAME + offset, 4), 0);
    }
    assert_int_equal(gicr_read(2, SGI_FRAME + GICD_ISENABLER, 4), 0xffff | 1u << TIMER);
    assert_int_equal(gicr_read(1, SGI_FRAME + GICD_IPRIORITYR, 4), 0);

    /* Before it is on again, others may set its redistributor up. */
    gicr_write(1, SGI_FRAME + GICD_ISENABLER, 4, 0xffff);
    gicr_write(1, SGI_FRAME + GICD_IGROUPR, 4, 0xffff);
    vgic_lr_intids(1, intids);
    assert_int_not_equal(intids[1], VGIC_NONE); /* what the reset program has to end */
    vgic_lr_cleared(1);
    for (unsigned i = 0; i < FAKE_LIST_REGISTERS; i++) {
        fake.vcpu[1].lr[i].state = FAKE_LR_FREE;
    }
    send(0, 2 | 6u << 24);
    assert_false(vgic_pending(1));
    vcpu_power_on(1, 0x40000000, 0, 0);
    vgic_vcpu_on(1);
    assert_int_equal(receivers(3, 6), 2);
    assert_int_equal(receivers(3, 1) | receivers(3, 2), 0);
}

static void reset_is_power_on(void **state)
{
    (void)state;
    start_like_linux(4);
    gicd_write(GICD_IROUTER + 8 * SPI, 8, 3);
    vgic_reset();
    assert_int_equal(gicd_read(GICD_CTLR, 4), 0x50);
    assert_int_equal(gicd_read(GICD_IROUTER + 8 * SPI, 8), 0);
    assert_int_equal(gicd_read(GICD_ISENABLER + 4, 4), 0);
    for (uint32_t v = 0; v < 4; v++) {
        assert_int_equal(gicr_read(v, GICR_WAKER, 4), 6);
        assert_int_equal(gicr_read(v, SGI_FRAME + GICD_ISENABLER, 4), 0);
        assert_int_equal(gicr_read(v, SGI_FRAME + GICD_IGROUPR, 4), 0);
    }
}

static void each_version_has_its_own_limit(void **state)
{
    (void)state;
    assert_int_equal(vgic_max_vcpus(2), 8);
    assert_int_equal(vgic_max_vcpus(3), 16);
    assert_int_equal(vgic_max_vcpus(0), 0);
    assert_int_equal(vgic_max_vcpus(4), 0);
}

/* ---- Noise ---- */

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

static uint64_t noise(void)
{
    return (uint64_t)rand() << 33 ^ (uint64_t)rand() << 11 ^ (uint64_t)rand();
}

static void make_noise(uint32_t vcpus)
{
    bool distributor = rand() % 2 != 0;
    uint64_t size = distributor ? GICD_SIZE : (uint64_t)vcpus * GICR_SIZE;
    uint8_t width = (uint8_t)(1u << (rand() % 4));
    struct mmio_access access = {
        .offset = (noise() % size) & (rand() % 4 == 0 ? ~0ull : ~0xf000ull) & ~(width - 1ull),
        .width = width,
        .write = rand() % 4 != 0,
        .vcpu = (uint8_t)((unsigned)rand() % vcpus),
        .value = noise(),
    };

    assert_true((distributor ? vgic_v3_access : vgic_redistributor_access)(NULL, &access));
    write_system_register((uint8_t)((unsigned)rand() % vcpus),
                          ISS_SYSREG(3, 0, 12, 11, (unsigned)rand() % 8),
                          noise() & (rand() % 2 == 0 ? ~0ull : ~ICC_SGIR_CLUSTER_MASK));
}

/* Every access has an answer, no list register is used twice, and no injection is malformed. */
static void noise_is_survived(void **state)
{
    (void)state;
    for (unsigned vcpus = 1; vcpus <= ALL_VCPUS; vcpus += 5) {
        srand(vcpus);
        start(vcpus);
        for (unsigned i = 0; i < 100000; i++) {
            uint8_t vcpu = (uint8_t)((unsigned)rand() % vcpus);
            unsigned index = (unsigned)rand() % FAKE_LIST_REGISTERS;

            make_noise(vcpus);
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
        cmocka_unit_test(distributor_after_reset),
        cmocka_unit_test(redistributors_after_reset),
        cmocka_unit_test(a_redistributor_wakes_up_when_it_is_told),
        cmocka_unit_test(private_interrupts_are_the_redistributors),
        cmocka_unit_test(what_affinity_routing_replaces_is_reserved),
        cmocka_unit_test(other_widths_read_as_zero),
        cmocka_unit_test(beyond_the_last_redistributor_is_nothing),
        cmocka_unit_test(routes_are_kept_as_written),
        cmocka_unit_test(an_spi_goes_where_its_route_leads),
        cmocka_unit_test(one_of_all_gets_what_goes_to_any),
        cmocka_unit_test(sgis_go_to_the_target_list),
        cmocka_unit_test(sgis_to_all_others),
        cmocka_unit_test(sgis_to_other_clusters_reach_nobody),
        cmocka_unit_test(each_register_sends_its_groups),
        cmocka_unit_test(an_sgi_of_two_senders_comes_once),
        cmocka_unit_test(sgis_are_pended_and_withdrawn_by_hand),
        cmocka_unit_test(an_sgi_that_was_replaced_comes_back_once),
        cmocka_unit_test(other_system_registers_are_not_the_gics),
        cmocka_unit_test(the_timer_is_each_redistributors_own),
        cmocka_unit_test(a_redistributor_goes_off_with_its_vcpu),
        cmocka_unit_test(reset_is_power_on),
        cmocka_unit_test(each_version_has_its_own_limit),
        cmocka_unit_test(noise_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
