/* SPDX-License-Identifier: BSD-2-Clause */

#include "fake_vm.h"

#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "drivers/timer/protocol.h"
#include "lib/console_state.h"
#include "lib/log.h"
#include "lib/ring.h"
#include "vmm/config.h"
#include "vmm/console_port.h"
#include "vmm/idle.h"
#include "vmm/mmio.h"
#include "vmm/pace.h"
#include "vmm/pl011.h"
#include "vmm/throttle.h"
#include "vmm/timer.h"
#include "vmm/vcpu.h"
#include "vmm/vgic.h"
#include "vmm/virtio/virtio.h"
#include "vmm/vm.h"
#include "vmm/watchdog.h"

#define RING_SIZE 4096u

struct fake_vm fake_vm;

static _Alignas(4096) uint8_t ram[FAKE_VM_RAM_SIZE];
static _Alignas(4096) uint8_t reset_page[4096];
static _Alignas(4096) uint8_t output_region[RING_HEADER_SIZE + RING_SIZE];
static _Alignas(4096) uint8_t input_region[RING_HEADER_SIZE + RING_SIZE];
static struct ring console_reads, console_writes;

/* The head of an arm64 Image: magic "ARM\x64" at 56, an image size of 4 KiB at 16. */
static const uint8_t kernel[256] = {
    [0] = 0x11, [17] = 0x10, [56] = 'A', [57] = 'R', [58] = 'M', [59] = 0x64,
};
static const uint8_t no_kernel[sizeof(kernel)];
static const uint8_t secret[VMM_SECRET_SIZE] = {1, 2, 3};
static const uint8_t dtb[64] = {0xd0, 0x0d, 0xfe, 0xed, 0, 0, 0, 64};

#define TURN_US 2000u

#define CONFIG(equals, vcpus, held)                                                                \
    .name = "vm7", .start_held = (held), .vcpu_count = (vcpus), .has_others = true, .ram = ram,    \
    .ram_gpa = FAKE_VM_RAM_GPA, .ram_size = FAKE_VM_RAM_SIZE,                                      \
    .kernel = {kernel, sizeof(kernel), FAKE_VM_KERNEL_GPA},                                        \
    .dtb = {dtb, sizeof(dtb), FAKE_VM_DTB_GPA}, .gic_version = 2, .gicd_gpa = FAKE_VM_GICD_GPA,    \
    .secret = secret, .reset_page = reset_page, .stats = &fake_vm.stats,                           \
    .reset_gpa = FAKE_VM_RESET_GPA, .timer_channel = FAKE_VM_TIMER_CHANNEL, .budget_us = TURN_US,  \
    .period_us = TURN_US, .has_equals = (equals), .turn_channel = FAKE_VM_TURN_CHANNEL,            \
    .forward_count = 1,                                                                            \
    .forwards = {{.channel = FAKE_VM_FORWARD_CHANNEL, .intid = FAKE_VM_FORWARD_INTID}},            \
    .pvpanic_gpa = FAKE_VM_PVPANIC_GPA,                                                            \
    .watchdog = {.gpa = FAKE_VM_WATCHDOG_GPA,                                                      \
                 .intid = FAKE_VM_WATCHDOG_INTID,                                                  \
                 .seconds = FAKE_VM_WATCHDOG},                                                     \
    .console = {                                                                                   \
        .present = true,                                                                           \
        .channel = FAKE_VM_CONSOLE_CHANNEL,                                                        \
        .output = output_region,                                                                   \
        .input = input_region,                                                                     \
        .output_size = RING_SIZE,                                                                  \
        .input_size = RING_SIZE,                                                                   \
        .pl011_gpa = FAKE_VM_PL011_GPA,                                                            \
        .pl011_intid = 33,                                                                         \
    }

/* main.c's; the cases vary a copy of it. */
const struct vmm_config vmm_config = {CONFIG(true, 1, true)};

static bool device_access(void *unused, struct mmio_access *access)
{
    (void)unused;
    fake.counter += fake_vm.device_cost;
    if (fake_vm.device_notifies) {
        microkit_deferred_notify(FAKE_VM_TIMER_CHANNEL);
    }
    if (access->offset >= 0x800) {
        return false;
    }
    if (!access->write) {
        access->value = fake_vm.device_value;
        return true;
    }
    fake_vm.device_writes++;
    if (!fake_vm.device_ignores) {
        fake_vm.device_written = mmio_value(access);
    }
    return true;
}

void virtio_init(const struct vmm_config *config, const struct guest_memory *memory)
{
    (void)config;
    (void)memory;
    assert_true(mmio_attach_lazy(FAKE_VM_DEVICE_GPA, 0x1000, device_access, NULL));
}

void virtio_reset(void)
{
    fake_vm.virtio_resets++;
}

bool virtio_notified(microkit_channel channel)
{
    (void)channel;
    return true;
}

void virtio_resumed(void)
{
    fake_vm.resumed++;
}

void virtio_timer_expired(void)
{
    fake_vm.timer_expiries++;
}

bool virtio_input_press_power_button(void)
{
    fake_vm.presses += fake_vm.button_ready;
    return fake_vm.button_ready;
}

void virtio_idle(void)
{
    fake_vm.idled++;
}

bool virtio_quiesced(void)
{
    return !fake_vm.busy;
}

bool virtio_console_ready(void)
{
    return fake_vm.console_ready;
}

static microkit_msginfo timer_call(microkit_channel ch, microkit_msginfo msginfo)
{
    assert_int_equal(ch, FAKE_VM_TIMER_CHANNEL);
    assert_int_equal(microkit_msginfo_get_label(msginfo), TIMER_SET);
    assert_int_equal(microkit_msginfo_get_count(msginfo), 1);
    fake_vm.timer_deadline = microkit_mr_get(0);
    fake_vm.timer_calls++;
    return microkit_msginfo_new(0, 0);
}

static void open_rings(void)
{
    memset(output_region, 0, sizeof(output_region));
    memset(input_region, 0, sizeof(input_region));
    ring_init(&console_reads, output_region, RING_SIZE);
    ring_init(&console_writes, input_region, RING_SIZE);
    ring_await_data(&console_reads);
}

static void start(struct vmm_config wanted)
{
    static struct vmm_config config;
    static bool laid_out;

    fake_reset();
    fake.ppcall = timer_call;
    fake.counter = 1000000;
    if (!laid_out) {
        laid_out = true;
        open_rings();
        init();
        fake_reset();
        fake.ppcall = timer_call;
        fake.counter = 1000000;
    }
    memset(&fake_vm, 0, sizeof(fake_vm));
    memset(ram, 0, sizeof(ram));
    fake_vm.ram = ram;
    fake_vm.reset_page = reset_page;
    open_rings();
    config = wanted;
    console_port_init(&config.console);
    log_init("vmm vm7", console_port_output(), config.console.channel);
    vcpu_init(config.vcpu_count);
    idle_init(config.vcpu_core);
    vgic_init(config.gic_version, config.vcpu_count);
    assert_true(vgic_forward(&config.forwards[0]));
    timer_init(&config);
    throttle_init(&config);
    pace_init(true, config.has_equals);
    pace_begin(fake.counter);
    pl011_init(config.console.pl011_intid);
    watchdog_init(&config.watchdog);
    vm_init(&config);
}

void fake_vm_start(uint32_t vcpus, bool held)
{
    start((struct vmm_config){CONFIG(true, vcpus, held)});
}

void fake_vm_start_limited(uint32_t vcpus, uint32_t budget_us, uint32_t period_us)
{
    struct vmm_config config = {CONFIG(true, vcpus, false)};

    config.budget_us = budget_us;
    config.period_us = period_us;
    start(config);
}

void fake_vm_start_with(uint32_t vcpus, enum vmm_on_crash policy)
{
    struct vmm_config config = {CONFIG(true, vcpus, false)};

    config.on_crash = policy;
    start(config);
}

void fake_vm_start_without_equals(uint32_t vcpus, bool held)
{
    start((struct vmm_config){CONFIG(false, vcpus, held)});
}

void fake_vm_start_gicv3(uint32_t vcpus)
{
    struct vmm_config config = {CONFIG(true, vcpus, false)};

    config.gic_version = 3;
    start(config);
}

void fake_vm_start_in_domain(uint32_t vcpus, bool alone, uint32_t schedule_us)
{
    struct vmm_config config = {CONFIG(false, vcpus, false)};

    config.has_others = !alone;
    config.timer_word = &fake_vm.timer_deadline;
    config.timer_late_us = schedule_us;
    start(config);
}

void fake_vm_start_in_domain_limited(uint32_t budget_us, uint32_t period_us)
{
    struct vmm_config config = {CONFIG(false, 1, false)};

    config.has_others = false;
    config.budget_us = budget_us;
    config.period_us = period_us;
    config.timer_word = &fake_vm.timer_deadline;
    config.timer_late_us = 10000;
    start(config);
}

void fake_vm_start_without_kernel(void)
{
    struct vmm_config config = {CONFIG(true, 1, false)};

    config.kernel.data = no_kernel;
    start(config);
}

const char *fake_vm_output(void)
{
    static char text[RING_SIZE + 1];

    text[ring_read(&console_reads, text, RING_SIZE)] = '\0';
    ring_await_data(&console_reads);
    return text;
}

uint32_t fake_vm_console_state(void)
{
    return *(uint32_t *)(void *)(output_region + CONSOLE_STATE_OFFSET);
}

void fake_vm_command(uint8_t verb)
{
    uint32_t *word = (uint32_t *)(void *)(input_region + CONSOLE_COMMAND_OFFSET);

    *word = ((*word >> 8) + 1) << 8 | verb;
    notified(FAKE_VM_CONSOLE_CHANNEL);
}

void fake_vm_type(const char *keys)
{
    ring_write(&console_writes, keys, (uint32_t)strlen(keys));
    if (ring_take_data_wanted(&console_writes)) {
        notified(FAKE_VM_CONSOLE_CHANNEL);
    }
}

bool fake_vm_data_abort(uint8_t vcpu, uint64_t gpa, uint32_t iss)
{
    seL4_Word mrs[] = {fake.vcpu[vcpu].context.pc, gpa, 0, 0x24u << 26 | 1u << 25 | iss};

    return fake_fault(vcpu, seL4_Fault_VMFault, 4, mrs);
}

bool fake_vm_trap(uint8_t vcpu, uint32_t class, uint32_t iss)
{
    seL4_Word mr = (seL4_Word) class << 26 | 1u << 25 | iss;

    return fake_fault(vcpu, seL4_Fault_VCPUFault, 1, &mr);
}

uint64_t fake_vm_smc(uint8_t vcpu, uint64_t x0, uint64_t x1, uint64_t x2, uint64_t x3)
{
    seL4_UserContext *context = &fake.vcpu[vcpu].context;

    context->x0 = x0;
    context->x1 = x1;
    context->x2 = x2;
    context->x3 = x3;
    fake_vm_trap(vcpu, 0x17, 0);
    return context->x0;
}
