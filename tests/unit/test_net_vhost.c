/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: vmm/virtio/net.c vmm/virtio/net_control.c vmm/virtio/net_features.c
 * SOURCES: vmm/virtio/net_isolated.c vmm/virtio/net_moderation.c vmm/virtio/net_vhost.c
 * SOURCES: vmm/virtio/device.c vmm/virtio/mmio.c lib/net_filter.c
 * SOURCES: lib/checksum.c
 * SOURCES: lib/net_header.c lib/net_buffers.c lib/virtqueue.c lib/offload.c lib/ring.c
 * SOURCES: tests/unit/fake/virtio_driver.c tests/unit/fake/virtio_bus.c
 * SOURCES: tests/unit/fake/fake_microkit.c
 *
 * The monitor's side of a card whose data queues the switch works on: what it calls and when, and
 * what it makes of what the switch writes into the page.
 */

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_net.h>
#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/net_port.h"
#include "lib/vhost.h"
#include "tests/unit/fake/virtio_bus.h"
#include "vmm/virtio/net.h"

#define RAM_GPA  0x40000000ull
#define RAM_SIZE 0x100000ull
#define DEVICE   0x0a000000ull
#define INTID    48u
#define CHANNEL  7u
#define SIZE     64u
#define FEATURES                                                                                   \
    (VIRTIO_FEATURE(VIRTIO_F_VERSION_1) | VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_VQ) |                   \
     VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_RX))

static uint32_t registers[1024] __attribute__((aligned(4096)));
static struct vhost_page page __attribute__((aligned(4096)));
static const struct vmm_interface_config config = {
    .channel = CHANNEL,
    .mac = {0x02, 0, 0, 0, 0, 1},
    .mtu = 1500,
    .vhost = true,
    .vhost_page = &page,
    .registers = registers,
    .gpa = DEVICE,
    .intid = INTID,
};

static struct guest_memory memory;
static struct virtio_device *device;
static struct driver_queue rx, tx, control;

/* What the switch has been asked, and answers. */
static struct {
    unsigned calls[VHOST_COMMAND + 1];
    uint64_t words[VHOST_COMMAND + 1][5];
    uint64_t queues[VHOST_QUEUES][5];
    uint64_t refuses; /* this label */
} at_switch;

static microkit_msginfo answer(microkit_channel channel, microkit_msginfo info)
{
    uint64_t label = microkit_msginfo_get_label(info);

    assert_int_equal(channel, CHANNEL);
    assert_in_range(label, VHOST_START, VHOST_COMMAND);
    at_switch.calls[label]++;
    memcpy(at_switch.words[label], fake.mr, sizeof(at_switch.words[label]));
    if (label == VHOST_QUEUE) {
        assert_in_range(fake.mr[0], 0, VHOST_QUEUES - 1);
        memcpy(at_switch.queues[fake.mr[0]], fake.mr, sizeof(at_switch.queues[0]));
    }
    return microkit_msginfo_new(label == at_switch.refuses ? VHOST_REFUSED : VHOST_OK, 0);
}

static int setup(void **state)
{
    (void)state;
    fake_reset();
    fake.ppcall = answer;
    if (device == NULL) {
        memory = (struct guest_memory){aligned_alloc(4096, RAM_SIZE), RAM_GPA, RAM_SIZE};
        device = virtio_net_init(0, &config, &memory);
    }
    memset(memory.base, 0, RAM_SIZE);
    bus_write(DEVICE + VIRTIO_MMIO_STATUS, 0);
    memset(&at_switch, 0, sizeof(at_switch));
    memset(&page, 0, sizeof(page));
    bus_clear();
    return 0;
}

static void begin(void)
{
    bus_negotiate(DEVICE, FEATURES);
    driver_queue_init(&rx, &memory, RAM_GPA + 0x10000, SIZE);
    driver_queue_init(&tx, &memory, RAM_GPA + 0x20000, SIZE);
    driver_queue_init(&control, &memory, RAM_GPA + 0x30000, SIZE);
    assert_int_equal(bus_enable_queue(DEVICE, VHOST_RX, &rx), 1);
    assert_int_equal(bus_enable_queue(DEVICE, VHOST_TX, &tx), 1);
    assert_int_equal(bus_enable_queue(DEVICE, 2, &control), 1);
    bus_driver_ok(DEVICE);
}

static void test_queues_are_handed_over(void **state)
{
    (void)state;
    begin();
    assert_true(virtio_device_running(device));
    assert_int_equal(at_switch.calls[VHOST_START], 1);
    assert_int_equal(at_switch.words[VHOST_START][0], FEATURES);
    assert_int_equal(at_switch.words[VHOST_ACCEPTS][0] & NET_PORT_UP, NET_PORT_UP);
    assert_int_equal(at_switch.calls[VHOST_QUEUE], 2);
    const uint64_t wanted[] = {VHOST_TX, SIZE, tx.desc_gpa, tx.avail_gpa, tx.used_gpa};
    assert_memory_equal(at_switch.queues[VHOST_TX], wanted, sizeof(wanted));
    assert_int_equal(fake_notified(CHANNEL), 1);
    bus_kick(DEVICE, VHOST_TX);
    assert_int_equal(at_switch.calls[VHOST_QUEUE], 2); /* once is enough */
    assert_int_equal(fake_notified(CHANNEL), 2);
}

static void test_refusal_stops_the_card(void **state)
{
    (void)state;
    at_switch.refuses = VHOST_QUEUE;
    begin();
    assert_false(virtio_device_running(device));
    assert_true(bus_said("net0: the switch refuses its queues"));
    assert_int_equal(at_switch.calls[VHOST_STOP], 1);
}

static void test_reset_stops_first(void **state)
{
    (void)state;
    begin();
    page.interrupt = 1;
    bus_write(DEVICE + VIRTIO_MMIO_STATUS, 0);
    assert_int_equal(at_switch.calls[VHOST_STOP], 1);
    assert_int_equal(page.interrupt, 0);
    device->ops->notified(device); /* late */
    assert_false(bus.level[INTID]);
    bus_write(DEVICE + VIRTIO_MMIO_STATUS, 0);
    assert_int_equal(at_switch.calls[VHOST_STOP], 1);
    begin();
    assert_int_equal(at_switch.calls[VHOST_START], 2);
    assert_int_equal(at_switch.calls[VHOST_QUEUE], 4);
}

static void test_queue_taken_back(void **state)
{
    (void)state;
    begin();
    bus_write(DEVICE + VIRTIO_MMIO_QUEUE_SEL, VHOST_TX);
    bus_write(DEVICE + VIRTIO_MMIO_QUEUE_READY, 0);
    assert_int_equal(at_switch.calls[VHOST_DROP], 1);
    assert_int_equal(at_switch.words[VHOST_DROP][0], VHOST_TX);
    assert_int_equal(bus_enable_queue(DEVICE, VHOST_TX, &tx), 1);
    assert_int_equal(at_switch.calls[VHOST_QUEUE], 3);
}

static void test_interrupt_is_taken_once(void **state)
{
    (void)state;
    begin();
    device->ops->notified(device);
    assert_false(bus.level[INTID]);
    page.interrupt = 1;
    device->ops->notified(device);
    assert_true(bus.level[INTID]);
    assert_int_equal(page.interrupt, 0);
}

static void test_failure_names_device_and_cause(void **state)
{
    (void)state;
    begin();
    memset(page.cause, 'x', sizeof(page.cause)); /* without an end */
    memcpy(page.cause, "a loop", 6);
    page.failed = 1;
    device->ops->notified(device);
    assert_false(virtio_device_running(device));
    assert_true(bus_said("net0: a loop"));
    assert_int_equal(at_switch.calls[VHOST_STOP], 1);
    assert_int_equal(page.failed, 0);
}

static void guest_sends(void)
{
    driver_add(&tx, &(struct driver_buffer){RAM_GPA + 0x40000, 100}, 1, 0);
}

/* While the queue is busy the monitor polls it in place of kicks, and notifies the switch. */
static void test_busy_queue_is_polled(void **state)
{
    (void)state;
    begin();
    fake.counter += 10 * fake.frequency;
    guest_sends();
    bus_kick(DEVICE, VHOST_TX);
    assert_int_equal(page.polling, 0);
    guest_sends();
    bus_kick(DEVICE, VHOST_TX);
    assert_int_equal(page.polling, 1);
    unsigned before = fake_notified(CHANNEL);
    device->ops->idle(device);
    virtio_devices_run();
    assert_int_equal(fake_notified(CHANNEL), before); /* for nothing */
    guest_sends();
    device->ops->idle(device);
    virtio_devices_run();
    assert_int_equal(fake_notified(CHANNEL), before + 1);
    device->ops->timer_expired(device);
    assert_int_equal(page.polling, 1);
    assert_int_equal(fake_notified(CHANNEL), before + 2);
    fake.counter += fake.frequency;
    device->ops->timer_expired(device);
    assert_int_equal(page.polling, 0);
    assert_int_equal(fake_notified(CHANNEL), before + 3); /* kicks are wanted again */
    guest_sends();
    bus_kick(DEVICE, VHOST_TX);
    guest_sends();
    bus_kick(DEVICE, VHOST_TX);
    assert_int_equal(page.polling, 1);
    bus_write(DEVICE + VIRTIO_MMIO_STATUS, 0);
    assert_int_equal(page.polling, 0);
}

/* What leaves the board is kicked for: the card sends it while the guest runs. */
static void test_what_goes_outside_is_not_polled(void **state)
{
    (void)state;
    begin();
    page.outside = 1;
    fake.counter += 10 * fake.frequency;
    for (unsigned i = 0; i < 3; i++) {
        guest_sends();
        bus_kick(DEVICE, VHOST_TX);
        assert_int_equal(page.polling, 0);
    }
    page.outside = 0;
    guest_sends();
    bus_kick(DEVICE, VHOST_TX);
    assert_int_equal(page.polling, 1);
    page.outside = 1;
    guest_sends();
    bus_kick(DEVICE, VHOST_TX);
    assert_int_equal(page.polling, 0);
    page.outside = 0;
}

static struct {
    uint32_t polling;
    uint32_t coalescing;
} read_by_switch;

/* The switch may be on another core, and look at the page at once. */
static void read_page(microkit_channel channel)
{
    assert_int_equal(channel, CHANNEL);
    read_by_switch.polling = page.polling;
    read_by_switch.coalescing = page.coalescing;
}

static void test_switch_is_notified_of_what_the_page_says(void **state)
{
    (void)state;
    begin();
    fake.on_notify = read_page;
    fake.counter += fake.frequency;
    guest_sends();
    bus_kick(DEVICE, VHOST_TX);
    assert_int_equal(read_by_switch.coalescing, 1);
    assert_int_equal(read_by_switch.polling, 0);
    guest_sends();
    bus_kick(DEVICE, VHOST_TX);
    assert_int_equal(read_by_switch.polling, 1);
    fake.counter += fake.frequency;
    guest_sends();
    bus_kick(DEVICE, VHOST_TX);
    assert_int_equal(read_by_switch.polling, 0); /* it has to ask for kicks again */
}

static void test_coalescing_ends_with_a_kick(void **state)
{
    (void)state;
    begin();
    fake.counter += fake.frequency;
    assert_int_equal(page.coalescing, 0); /* nothing has been sent */
    guest_sends();
    bus_kick(DEVICE, VHOST_TX);
    assert_int_equal(page.coalescing, 1);
    assert_int_equal(bus.coalescing_timers, 1);
    unsigned before = fake_notified(CHANNEL);
    device->ops->timer_expired(device);
    assert_int_equal(page.coalescing, 0);
    assert_int_equal(fake_notified(CHANNEL), before + 1);
    device->ops->timer_expired(device);
    assert_int_equal(fake_notified(CHANNEL), before + 1);
    guest_sends();
    bus_kick(DEVICE, VHOST_TX);
    assert_int_equal(page.coalescing, 1);
    bus_write(DEVICE + VIRTIO_MMIO_STATUS, 0);
    assert_int_equal(page.coalescing, 0);
}

static void test_filter_commands_are_passed_on(void **state)
{
    (void)state;
    static const uint8_t command[3] = {VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 1};
    const struct driver_buffer buffers[2] = {{RAM_GPA + 0x40000, 3}, {RAM_GPA + 0x41000, 1}};

    begin();
    memcpy(driver_memory(&memory, RAM_GPA + 0x40000), command, sizeof(command));
    driver_add(&control, buffers, 1, 1);
    bus_kick(DEVICE, 2);
    assert_int_equal(at_switch.calls[VHOST_COMMAND], 1);
    assert_int_equal(at_switch.words[VHOST_COMMAND][1], VIRTIO_NET_CTRL_RX_PROMISC);
    assert_int_equal(at_switch.words[VHOST_COMMAND][2], 1);
    assert_int_equal(page.command[0], 1);
    assert_int_equal(at_switch.words[VHOST_ACCEPTS][0] & NET_PORT_PROMISC, NET_PORT_PROMISC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_queues_are_handed_over, setup),
        cmocka_unit_test_setup(test_refusal_stops_the_card, setup),
        cmocka_unit_test_setup(test_reset_stops_first, setup),
        cmocka_unit_test_setup(test_queue_taken_back, setup),
        cmocka_unit_test_setup(test_interrupt_is_taken_once, setup),
        cmocka_unit_test_setup(test_failure_names_device_and_cause, setup),
        cmocka_unit_test_setup(test_switch_is_notified_of_what_the_page_says, setup),
        cmocka_unit_test_setup(test_coalescing_ends_with_a_kick, setup),
        cmocka_unit_test_setup(test_busy_queue_is_polled, setup),
        cmocka_unit_test_setup(test_what_goes_outside_is_not_polled, setup),
        cmocka_unit_test_setup(test_filter_commands_are_passed_on, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
