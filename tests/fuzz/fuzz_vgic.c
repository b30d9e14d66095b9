/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: vmm/vgic.c vmm/vgic_lr.c vmm/vgic_registers.c vmm/vgic_v2.c
 * SOURCES: vmm/vgic_forward.c
 * SOURCES: vmm/vgic_v3.c vmm/vgic_redistributor.c vmm/mmio.c
 * SOURCES: tests/unit/fake/fake_stats.c
 *
 * A guest that accesses its interrupt controller's registers however it likes, on several vCPUs,
 * while devices raise interrupts. The input is the controller's version, how many vCPUs there are,
 * and a list of steps. Whatever the guest does, each access ends, an interrupt is in one list
 * register of a vCPU at most, and what is asked of the kernel is well-formed: of a forwarded
 * interrupt that it is acknowledged when it is masked, and not left masked by a reset.
 */

#include <microkit.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "input.h"
#include "lib/esr.h"
#include "lib/gicv3.h"
#include "vmm/config.h"
#include "vmm/mmio.h"
#include "vmm/timer.h"
#include "vmm/vcpu.h"
#include "vmm/vgic.h"

#define GICD_V2 0x08000000u
#define GICD_V3 0x10000000u
#define GICR    0x20000000u

#define INJECTIONS_MAX 4096u /* for one step: a bound on work, not on what is right */

enum lr_state { FREE = 0, PENDING, ACTIVE };

static struct {
    enum vcpu_state state;
    uint32_t exits;
    struct {
        enum lr_state state;
        uint16_t intid;
    } lr[VGIC_LIST_REGISTERS];
} vcpus[VMM_MAX_VCPUS];

/* Interrupts of devices that are handed to the machine: the last ones, a level and an edge. */
#define FORWARDED 2u
static bool masked[FORWARDED]; /* by the kernel */

static uint32_t vcpu_total;
static uint8_t exited; /* the vCPU whose exit is handled */
static uint32_t injections;
static uint64_t written; /* what an MSR writes */

/* ---- What the GIC asks of others ---- */

enum vcpu_state vcpu_state(uint8_t vcpu)
{
    return vcpus[vcpu].state;
}

/* Half of the vCPUs are on another core, and may run on while the monitor works. */
bool vcpu_may_run(uint8_t vcpu)
{
    return vcpus[vcpu].state == VCPU_ON && vcpu != exited && (vcpu & 1) != 0;
}

uint32_t vcpu_exit_count(uint8_t vcpu)
{
    return vcpus[vcpu].exits;
}

void vcpu_wake(uint8_t vcpu)
{
    (void)vcpu;
}

uint64_t vcpu_get_register(uint8_t vcpu, unsigned number)
{
    (void)vcpu;
    return number == VCPU_REGISTER_ZERO ? 0 : written;
}

void microkit_vcpu_arm_ack_vppi(microkit_child vcpu, seL4_Word irq)
{
    if (vcpu >= vcpu_total || irq != VGIC_VIRTUAL_TIMER) {
        abort();
    }
}

void microkit_irq_ack(microkit_channel ch)
{
    if (ch >= FORWARDED || !masked[ch]) {
        abort();
    }
    masked[ch] = false;
}

/* What goes where an interrupt has been taken back: each list register has one of its own. */
static bool is_placeholder(uint32_t irq, uint32_t index)
{
    return irq == GIC_MAX_INTID - VGIC_LIST_REGISTERS + index;
}

bool timer_asserted(uint8_t vcpu)
{
    return (vcpus[vcpu].exits & 1) != 0;
}

seL4_Error seL4_ARM_VCPU_InjectIRQ(seL4_CPtr vcpu, seL4_Uint16 irq, seL4_Uint8 priority,
                                   seL4_Uint8 group, seL4_Uint8 index)
{
    vcpu -= BASE_VCPU_CAP;
    if (vcpu >= vcpu_total || priority > 31 || group > 1 || index >= VGIC_LIST_REGISTERS ||
        (irq >= VGIC_MAX_INTID && !is_placeholder(irq, index)) || ++injections > INJECTIONS_MAX) {
        abort();
    }
    if (vcpus[vcpu].lr[index].state == ACTIVE) {
        return seL4_DeleteFirst;
    }
    for (unsigned i = 0; i < VGIC_LIST_REGISTERS; i++) {
        if (i != index && vcpus[vcpu].lr[i].state != FREE && vcpus[vcpu].lr[i].intid == irq) {
            abort();
        }
    }
    vcpus[vcpu].lr[index].state = PENDING;
    vcpus[vcpu].lr[index].intid = irq;
    return seL4_NoError;
}

/* ---- Steps ---- */

static void exit_begins(uint8_t vcpu)
{
    exited = vcpu;
    vcpus[vcpu].exits++;
}

static uint64_t window(uint32_t version, uint32_t which)
{
    if (version == 2) {
        return GICD_V2;
    }
    return which % 2 == 0 ? GICD_V3 : GICR;
}

static void access_register(uint32_t version, uint8_t vcpu, struct input *input)
{
    uint32_t kind = (uint32_t)take(input, 1);
    uint64_t gpa = window(version, kind >> 3) + take(input, 3);
    struct mmio_access access = {.width = (uint8_t)(1u << (kind & 3)),
                                 .write = (kind & 4) != 0,
                                 .vcpu = vcpu,
                                 .value = 0xa5a5a5a5a5a5a5a5};

    exit_begins(vcpu);
    if (access.write) {
        access.value = take(input, 8);
    }
    if (kind & 0x80) { /* more often a register that exists */
        gpa &= ~0xf003ull;
    }
    if (mmio_route(gpa, &access) && !access.write && access.width < 8 &&
        access.value >> (8 * access.width) != 0) {
        abort();
    }
}

static void access_system_register(uint8_t vcpu, struct input *input)
{
    uint32_t op2 = (uint32_t)take(input, 1);
    uint64_t value = 0;

    written = take(input, 8);
    exit_begins(vcpu);
    vgic_system_register(vcpu, ISS_SYSREG(3, 0, 12, 11 + (op2 >> 7), op2 & 7) | (op2 >> 3 & 1),
                         &value);
}

/* The guest takes an interrupt, which is no exit, or ends one. */
static void use_list_register(uint8_t vcpu, uint32_t index, bool end)
{
    if (vcpus[vcpu].lr[index].state == FREE) {
        return;
    }
    if (!end) {
        vcpus[vcpu].lr[index].state = ACTIVE;
        return;
    }
    vcpus[vcpu].lr[index].state = FREE;
    exit_begins(vcpu);
    vgic_maintenance(vcpu, index);
}

static void switch_power(uint8_t vcpu)
{
    uint16_t intids[VGIC_LIST_REGISTERS];

    exit_begins(vcpu);
    if (vcpus[vcpu].state != VCPU_OFF) {
        vcpus[vcpu].state = VCPU_OFF;
        vgic_vcpu_off(vcpu);
        return;
    }
    vgic_lr_intids(vcpu, intids); /* what the reset program ends */
    for (unsigned i = 0; i < VGIC_LIST_REGISTERS; i++) {
        if (vcpus[vcpu].lr[i].state != FREE && vcpus[vcpu].lr[i].intid < VGIC_MAX_INTID &&
            intids[0] == VGIC_NONE) {
            abort();
        }
        vcpus[vcpu].lr[i].state = FREE;
    }
    vgic_lr_cleared(vcpu);
    if (vgic_pending(vcpu)) {
        abort();
    }
    vcpus[vcpu].state = VCPU_ON;
    vgic_vcpu_on(vcpu);
}

/* Such a device interrupts. */
static void interrupt(microkit_channel channel)
{
    if (!masked[channel]) {
        masked[channel] = true;
        if (!vgic_forward_notified(channel)) {
            abort();
        }
    }
}

static void step(uint32_t version, struct input *input)
{
    uint32_t what = (uint32_t)take(input, 1);
    uint8_t vcpu = (uint8_t)((what >> 4) % vcpu_total);

    injections = 0;
    exited = VCPU_NONE;
    switch (what & 0xf) {
    case 0:
        exit_begins(vcpu);
        vgic_raise_timer(vcpu);
        break;
    case 1:
        vgic_set_level((uint32_t)take(input, 1), true);
        break;
    case 2:
        vgic_set_level((uint32_t)take(input, 1), false);
        break;
    case 3:
        switch_power(vcpu);
        break;
    case 4:
    case 5:
        use_list_register(vcpu, (uint32_t)take(input, 1) % VGIC_LIST_REGISTERS, what & 1);
        break;
    case 6:
        vgic_maintenance(vcpu, (uint32_t)take(input, 1) % 8 + VGIC_LIST_REGISTERS);
        break;
    case 7:
        (void)vgic_timer_enabled(vcpu);
        interrupt(vcpu % FORWARDED);
        break;
    case 8:
    case 9:
    case 10:
        access_system_register(vcpu, input);
        break;
    default:
        access_register(version, vcpu, input);
    }
}

/* The bus is laid out once. It has both versions' registers; there is one GIC. */
static void attach(void)
{
    static bool attached;

    if (!attached) {
        attached = mmio_attach(GICD_V2, VGIC_V2_SIZE, vgic_v2_access, NULL) &&
                   mmio_attach(GICD_V3, GICD_SIZE, vgic_v3_access, NULL) &&
                   mmio_attach(GICR, VMM_MAX_VCPUS * GICR_SIZE, vgic_redistributor_access, NULL);
        if (!attached) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    uint32_t version = 2 + (take(&input, 1) & 1);

    attach();
    vcpu_total = 1 + (uint32_t)take(&input, 1) % vgic_max_vcpus(version);
    memset(vcpus, 0, sizeof(vcpus));
    for (uint32_t v = 0; v < vcpu_total; v++) {
        vcpus[v].state = VCPU_ON;
    }
    for (uint32_t intid = GIC_SPI_BASE; intid < VGIC_MAX_INTID; intid++) {
        vgic_set_level(intid, false);
    }
    vgic_init(version, vcpu_total);
    for (uint8_t i = 0; i < FORWARDED; i++) {
        masked[i] = false;
        if (!vgic_forward(&(struct vmm_forward_config){
                .channel = i, .edge = i != 0, .intid = VGIC_MAX_INTID - 1 - i})) {
            abort();
        }
    }
    while (input.left > 0) {
        step(version, &input);
    }
    vgic_reset();
    if (masked[0] || masked[1]) {
        abort();
    }
    return 0;
}
