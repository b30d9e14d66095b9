/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: vmm/vcpu.c
 * SOURCES: vmm/vgic.c vmm/vgic_lr.c vmm/vgic_registers.c vmm/vgic_v2.c
 * SOURCES: vmm/vgic_forward.c
 * SOURCES: vmm/vgic_v3.c vmm/vgic_redistributor.c
 * SOURCES: tests/unit/fake/fake_microkit.c
 * SOURCES: tests/unit/fake/fake_stats.c
 *
 * Interrupts of devices that are handed to the machine: when they are acknowledged, so that none is
 * lost and none storms, whatever the guest does to its interrupt controller.
 */

#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/gicv3.h"
#include "vmm/config.h"
#include "vmm/timer.h"
#include "vmm/vcpu.h"
#include "vmm/vgic.h"

#define LEVEL         96u
#define LEVEL_CHANNEL 20u
#define EDGE          97u
#define EDGE_CHANNEL  21u
#define OTHER         40u /* a virtual device's */

/* The devices, and the kernel that masks an interrupt until it is acknowledged. */
bool timer_asserted(uint8_t vcpu)
{
    (void)vcpu;
    return false;
}

static struct hardware {
    bool line;    /* a level: it is asserted */
    bool pending; /* an edge: it has come while it was masked */
    bool masked;
    unsigned acks; /* that have been seen */
} hardware[2];

static const struct vmm_forward_config forwards[2] = {
    {.channel = LEVEL_CHANNEL, .intid = LEVEL},
    {.channel = EDGE_CHANNEL, .intid = EDGE, .edge = true},
};

static uint32_t version;

seL4_Bool fault(microkit_child child, microkit_msginfo msginfo, microkit_msginfo *reply_msginfo)
{
    (void)reply_msginfo;
    assert_int_equal(microkit_msginfo_get_label(msginfo), seL4_Fault_VGICMaintenance);
    vgic_maintenance((uint8_t)child, (uint32_t)microkit_mr_get(0));
    return seL4_True;
}

/* ---- The guest ---- */

static void write_register(uint8_t vcpu, uint32_t offset, uint8_t width, uint64_t value)
{
    struct mmio_access access = {
        .offset = offset, .width = width, .write = true, .vcpu = vcpu, .value = value};

    (void)(version == 2 ? vgic_v2_access(NULL, &access) : vgic_v3_access(NULL, &access));
}

static void set_bit(uint32_t base, uint32_t intid)
{
    write_register(0, base + intid / 32 * 4, 4, 1u << (intid % 32));
}

static bool get_bit(uint32_t base, uint32_t intid)
{
    struct mmio_access access = {.offset = base + intid / 32 * 4, .width = 4};

    assert_true(version == 2 ? vgic_v2_access(NULL, &access) : vgic_v3_access(NULL, &access));
    return (access.value >> (intid % 32)) & 1;
}

static bool holds(uint8_t vcpu, uint32_t intid)
{
    return fake_find_lr(vcpu, intid) >= 0;
}

static void end(uint8_t vcpu, uint32_t intid)
{
    assert_true(holds(vcpu, intid));
    fake_eoi(vcpu, (unsigned)fake_find_lr(vcpu, intid));
}

static void open_distributor(void)
{
    write_register(0, GICD_CTLR, 4, 3);
    set_bit(GICD_ISENABLER, LEVEL);
    set_bit(GICD_ISENABLER, EDGE);
}

static void start_version(uint32_t gic_version, uint32_t vcpus)
{
    fake_reset();
    memset(hardware, 0, sizeof(hardware));
    version = gic_version;
    vcpu_init(vcpus);
    vgic_init(version, vcpus);
    assert_true(vgic_forward(&forwards[0]) && vgic_forward(&forwards[1]));
    for (uint8_t v = 0; v < vcpus; v++) {
        vcpu_power_on(v, 0x40000000, 0, 0);
    }
    open_distributor();
}

static void start(uint32_t vcpus)
{
    start_version(2, vcpus);
}

/* ---- The hardware ---- */

/* See what has been acknowledged. Only what is masked may be, and once. */
static void look(void)
{
    for (unsigned i = 0; i < 2; i++) {
        unsigned acks = fake.irq_acks[forwards[i].channel];

        assert_in_range(acks - hardware[i].acks, 0, hardware[i].masked ? 1 : 0);
        hardware[i].masked = hardware[i].masked && acks == hardware[i].acks;
        hardware[i].acks = acks;
    }
}

/* Notify the monitor of what has come and is not masked. Returns how many these were. */
static unsigned deliver(void)
{
    unsigned delivered = 0;

    look();
    for (unsigned i = 0; i < 2; i++) {
        if (!hardware[i].masked && (hardware[i].line || hardware[i].pending)) {
            hardware[i].masked = true;
            hardware[i].pending = false;
            assert_true(vgic_forward_notified(forwards[i].channel));
            delivered++;
        }
        look();
    }
    return delivered;
}

static void raise_level(bool asserted)
{
    hardware[0].line = asserted;
    deliver();
}

static void raise_edge(void)
{
    hardware[1].pending = true;
    deliver();
}

/* ---- Cases ---- */

static void only_what_can_be_is_forwarded(void **state)
{
    static const struct vmm_forward_config bad[] = {
        {.channel = 30, .intid = 31},
        {.channel = 30, .intid = VGIC_MAX_INTID},
        {.channel = 30, .intid = UINT32_MAX},
        {.channel = 30, .intid = LEVEL},
        {.channel = LEVEL_CHANNEL, .intid = 98},
    };

    (void)state;
    start(1);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(vgic_forward(&bad[i]));
    }
    for (uint8_t i = 2; i < VMM_MAX_FORWARDS; i++) {
        assert_true(vgic_forward(
            &(struct vmm_forward_config){.channel = (uint8_t)(30 + i), .intid = 98u + i}));
    }
    assert_false(vgic_forward(&(struct vmm_forward_config){.channel = 60, .intid = 127}));
    assert_false(vgic_forward_notified(30));
    assert_false(vgic_forward_notified(60));
    assert_true(vgic_forward_notified(32));
    assert_true(get_bit(GICD_ISPENDR, 100));
    vgic_init(2, 1); /* nothing is left of them */
    assert_false(vgic_forward_notified(LEVEL_CHANNEL));
}

static void it_is_acknowledged_when_the_guest_ends_it(void **state)
{
    (void)state;
    for (version = 2; version <= 3; version++) {
        start_version(version, 1);
        raise_level(true);
        assert_true(holds(0, LEVEL));
        fake_acknowledge(0, (unsigned)fake_find_lr(0, LEVEL));
        look();
        assert_true(hardware[0].masked);
        raise_level(false); /* the driver has had the device take it back */
        end(0, LEVEL);
        assert_int_equal(deliver(), 0);
        assert_false(hardware[0].masked);
        assert_false(get_bit(GICD_ISPENDR, LEVEL));
        raise_level(true);
        assert_true(holds(0, LEVEL));
    }
}

/* A device that never stops: each interrupt takes an end of the guest's. */
static void a_level_that_stays_comes_once_for_each_end(void **state)
{
    (void)state;
    start(1);
    raise_level(true);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(deliver(), 0);
        assert_int_equal(fake.irq_acks[LEVEL_CHANNEL], i);
        assert_int_equal(fake.vcpu[0].injections, i + 1);
        end(0, LEVEL);
        assert_int_equal(deliver(), 1);
    }
}

static void an_edge_is_kept_until_its_end(void **state)
{
    (void)state;
    start(1);
    raise_edge();
    fake_acknowledge(0, (unsigned)fake_find_lr(0, EDGE));
    raise_edge(); /* while the first is handled */
    raise_edge();
    assert_int_equal(fake.vcpu[0].injections, 1);
    end(0, EDGE);
    assert_int_equal(deliver(), 1);
    end(0, EDGE);
    assert_int_equal(deliver(), 0);
    assert_int_equal(fake.vcpu[0].injections, 2);
    assert_false(hardware[1].masked);
}

static void what_is_disabled_does_not_storm(void **state)
{
    (void)state;
    start(1);
    set_bit(GICD_ICENABLER, LEVEL);
    set_bit(GICD_ICENABLER, EDGE);
    raise_level(true);
    raise_edge();
    assert_int_equal(fake.vcpu[0].injections, 0);
    assert_true(hardware[0].masked && hardware[1].masked);
    assert_int_equal(fake.irq_acks[LEVEL_CHANNEL] + fake.irq_acks[EDGE_CHANNEL], 0);
}

/* A driver masks its interrupt, serves the device and unmasks: there is no interrupt then. */
static void a_level_is_looked_at_again_when_it_is_enabled(void **state)
{
    (void)state;
    start(1);
    set_bit(GICD_ICENABLER, LEVEL);
    raise_level(true);
    hardware[0].line = false;
    set_bit(GICD_ISENABLER, LEVEL);
    assert_int_equal(deliver(), 0);
    assert_int_equal(fake.vcpu[0].injections, 0);
    set_bit(GICD_ICENABLER, LEVEL);
    raise_level(true);
    set_bit(GICD_ISENABLER, LEVEL);
    assert_int_equal(deliver(), 1);
    assert_true(holds(0, LEVEL));
}

static void an_edge_waits_until_it_is_enabled(void **state)
{
    (void)state;
    start(1);
    set_bit(GICD_ICENABLER, EDGE);
    raise_edge();
    set_bit(GICD_ISENABLER, EDGE);
    assert_int_equal(deliver(), 0);
    assert_true(holds(0, EDGE));
}

static void what_is_cleared_by_hand_can_come_again(void **state)
{
    (void)state;
    start(1);
    set_bit(GICD_ICENABLER, EDGE);
    set_bit(GICD_ICENABLER, LEVEL);
    raise_edge();
    raise_level(true);
    set_bit(GICD_ICPENDR, EDGE);
    set_bit(GICD_ICPENDR, LEVEL);
    look();
    assert_false(hardware[1].masked || hardware[0].masked);
    assert_false(get_bit(GICD_ISPENDR, EDGE));
    assert_int_equal(deliver(), 1); /* the level, which is there */
    assert_true(get_bit(GICD_ISPENDR, LEVEL));
}

static void what_is_cleared_in_a_list_register_is_acknowledged_once(void **state)
{
    (void)state;
    start(1);
    raise_edge();
    set_bit(GICD_ICPENDR, EDGE);
    look();
    assert_false(hardware[1].masked);
    assert_false(holds(0, EDGE));
    raise_edge();
    assert_true(holds(0, EDGE));
    end(0, EDGE);
    look();
    assert_false(hardware[1].masked);
}

static void what_the_guest_makes_pending_is_no_hardwares(void **state)
{
    (void)state;
    start(1);
    set_bit(GICD_ISPENDR, LEVEL);
    end(0, LEVEL);
    look(); /* fails if that was acknowledged */
    assert_int_equal(fake.irq_acks[LEVEL_CHANNEL], 0);
    set_bit(GICD_ISPENDR, LEVEL); /* and one that comes meanwhile is */
    raise_level(true);
    hardware[0].line = false;
    end(0, LEVEL);
    end(0, LEVEL);
    look();
    assert_false(hardware[0].masked);
}

/* What the guest has made pending and what comes are one, as on hardware. */
static void what_the_guest_makes_pending_is_joined(void **state)
{
    (void)state;
    start(1);
    vcpu_exit_begins(0); /* it waits: what it has not taken can be taken back */
    set_bit(GICD_ISPENDR, EDGE);
    raise_edge();
    (void)vcpu_exit_ends();
    end(0, EDGE);
    look();
    assert_false(hardware[1].masked);
    assert_false(holds(0, EDGE));
}

static void a_reset_lets_it_come_once(void **state)
{
    (void)state;
    start(1);
    raise_level(true);
    raise_edge();
    fake_acknowledge(0, (unsigned)fake_find_lr(0, LEVEL));
    vgic_reset();
    look();
    assert_false(hardware[0].masked || hardware[1].masked);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(deliver(), i == 0); /* the machine is off, and the device goes on */
    }
    vcpu_power_off(0);
    for (unsigned i = 0; i < FAKE_LIST_REGISTERS; i++) {
        fake.vcpu[0].lr[i].state = FAKE_LR_FREE; /* by the reset program */
    }
    vgic_lr_cleared(0);
    look();
    vcpu_power_on(0, 0x40000000, 0, 0);
    open_distributor(); /* of the next guest */
    deliver();
    assert_true(holds(0, LEVEL));
    assert_false(holds(0, EDGE));
    hardware[0].line = false;
    end(0, LEVEL);
    deliver();
    assert_false(hardware[0].masked);
}

static void another_vcpu_takes_what_an_offline_one_held(void **state)
{
    (void)state;
    start(2);
    write_register(0, GICD_ITARGETSR + LEVEL, 1, 3);
    raise_level(true);
    assert_true(holds(0, LEVEL));
    vcpu_power_off(0);
    vgic_vcpu_off(0);
    look();
    assert_true(hardware[0].masked && holds(1, LEVEL));
    hardware[0].line = false;
    end(1, LEVEL);
    look();
    assert_false(hardware[0].masked);
}

static void what_is_replaced_is_acknowledged_at_its_own_end(void **state)
{
    (void)state;
    start(1);
    write_register(0, GICD_IPRIORITYR + LEVEL, 1, 0xf0);
    raise_level(true);
    for (uint32_t i = 0; i < VGIC_LIST_REGISTERS; i++) {
        write_register(0, GICD_IPRIORITYR + OTHER + i, 1, 0x80 - 8 * i);
        set_bit(GICD_ISENABLER, OTHER + i);
        vgic_set_level(OTHER + i, true);
    }
    assert_false(holds(0, LEVEL));
    for (uint32_t i = VGIC_LIST_REGISTERS; i-- > 0;) {
        fake_acknowledge(0, (unsigned)fake_find_lr(0, OTHER + i));
        vgic_set_level(OTHER + i, false);
        end(0, OTHER + i);
        look();
        assert_true(hardware[0].masked);
    }
    hardware[0].line = false;
    end(0, LEVEL);
    look();
    assert_false(hardware[0].masked);
}

/* Something that a guest does, and devices at the same time. */
static void make_noise(uint32_t vcpus)
{
    uint8_t vcpu = (uint8_t)((unsigned)rand() % vcpus);
    unsigned index = (unsigned)rand() % FAKE_LIST_REGISTERS;

    switch (rand() % 8) {
    case 0:
        raise_level(rand() & 1);
        break;
    case 1:
        raise_edge();
        break;
    case 2:
    case 3:
        if (fake.vcpu[vcpu].lr[index].state != FAKE_LR_FREE) {
            fake_eoi(vcpu, index);
        }
        break;
    case 4:
        if (fake.vcpu[vcpu].lr[index].state == FAKE_LR_PENDING) {
            fake_acknowledge(vcpu, index);
        }
        break;
    case 5:
        vgic_set_level(OTHER + (unsigned)rand() % 4, rand() & 1);
        break;
    case 6: /* one of the registers of a bit for each interrupt, of the bank that counts */
        write_register(vcpu, GICD_IGROUPR + (unsigned)rand() % 8 * 0x80 + LEVEL / 8, 4,
                       (uint64_t)rand());
        break;
    default:
        write_register(vcpu, (unsigned)rand() % 0xf00 & ~3u, 4, (uint64_t)rand());
        write_register(vcpu, GICD_IROUTER + 8 * ((unsigned)rand() % 2 + LEVEL), 8,
                       (unsigned)rand() % 6);
    }
}

/* A guest that behaves takes what there is, and leaves nothing behind. */
static void behave(uint32_t vcpus)
{
    hardware[0].line = false;
    for (uint32_t intid = GIC_SPI_BASE; intid < VGIC_MAX_INTID; intid += 32) {
        write_register(0, GICD_ICACTIVER + intid / 8, 4, UINT32_MAX);
        write_register(0, GICD_ICENABLER + intid / 8, 4, UINT32_MAX);
    }
    for (uint32_t intid = GIC_SPI_BASE; version == 2 && intid < VGIC_MAX_INTID; intid += 4) {
        write_register(0, GICD_ITARGETSR + intid, 4, 0x01010101);
    }
    for (uint32_t intid = GIC_SPI_BASE; version == 3 && intid < VGIC_MAX_INTID; intid++) {
        write_register(0, GICD_IROUTER + 8 * intid, 8, 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        vgic_set_level(OTHER + i, false);
    }
    open_distributor();
    for (unsigned turn = 0; turn < 100; turn++) {
        deliver();
        for (unsigned i = 0; i < vcpus * FAKE_LIST_REGISTERS; i++) {
            struct fake_lr *lr = &fake.vcpu[i / FAKE_LIST_REGISTERS].lr[i % FAKE_LIST_REGISTERS];

            if (lr->state != FAKE_LR_FREE) {
                fake_eoi(i / FAKE_LIST_REGISTERS, i % FAKE_LIST_REGISTERS);
            }
            look();
        }
    }
}

/*
 * Whatever a guest does: what is not masked is never acknowledged, and when it behaves again, no
 * interrupt is lost.
 */
static void noise_loses_nothing(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 24; round++) {
        uint32_t vcpus = 1 + round / 2 % 4;

        srand(round);
        start_version(2 + round % 2, vcpus);
        for (unsigned i = 0; i < 5000; i++) {
            make_noise(vcpus);
            deliver();
        }
        behave(vcpus);
        assert_false(hardware[0].masked || hardware[1].masked);
        raise_edge();
        raise_level(true);
        assert_true(holds(0, EDGE) && holds(0, LEVEL));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_can_be_is_forwarded),
        cmocka_unit_test(it_is_acknowledged_when_the_guest_ends_it),
        cmocka_unit_test(a_level_that_stays_comes_once_for_each_end),
        cmocka_unit_test(an_edge_is_kept_until_its_end),
        cmocka_unit_test(what_is_disabled_does_not_storm),
        cmocka_unit_test(a_level_is_looked_at_again_when_it_is_enabled),
        cmocka_unit_test(an_edge_waits_until_it_is_enabled),
        cmocka_unit_test(what_is_cleared_by_hand_can_come_again),
        cmocka_unit_test(what_is_cleared_in_a_list_register_is_acknowledged_once),
        cmocka_unit_test(what_the_guest_makes_pending_is_no_hardwares),
        cmocka_unit_test(what_the_guest_makes_pending_is_joined),
        cmocka_unit_test(a_reset_lets_it_come_once),
        cmocka_unit_test(another_vcpu_takes_what_an_offline_one_held),
        cmocka_unit_test(what_is_replaced_is_acknowledged_at_its_own_end),
        cmocka_unit_test(noise_loses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
