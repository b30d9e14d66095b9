/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: vmm/virtio/input.c vmm/virtio/device.c vmm/virtio/mmio.c lib/virtqueue.c
 * SOURCES: tests/unit/fake/virtio_driver.c tests/unit/fake/virtio_bus.c
 * SOURCES: tests/unit/fake/fake_microkit.c
 *
 * The power button and its driver, polite or hostile.
 */

#include <linux/input-event-codes.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_input.h>
#include <linux/virtio_mmio.h>
#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "tests/unit/fake/virtio_bus.h"
#include "vmm/virtio/input.h"
#include "vmm/virtio/mmio.h"

#define RAM_GPA     0x40000000ull
#define RAM_SIZE    0x100000ull
#define DEVICE      0x0a015000ull
#define INTID       69u
#define SIZE        8u
#define STATUS_GPA  (RAM_GPA + 0x10000)
#define DATA        (RAM_GPA + 0x20000)
#define TABLES      (RAM_GPA + 0x40000)
#define PLAIN       VIRTIO_FEATURE(VIRTIO_F_VERSION_1)
#define INDIRECT    VIRTIO_FEATURE(VIRTIO_RING_F_INDIRECT_DESC)
#define EVENT_IDX   VIRTIO_FEATURE(VIRTIO_RING_F_EVENT_IDX)
#define CONFIG      (DEVICE + VIRTIO_MMIO_CONFIG)
#define EVENT_BYTES sizeof(struct virtio_input_event)

static uint32_t page[1024] __attribute__((aligned(4096)));
static const struct vmm_button_config config = {.registers = page, .gpa = DEVICE, .intid = INTID};
static struct guest_memory memory;
static struct driver_queue events, status;

static const struct virtio_input_event pressed[] = {{EV_KEY, KEY_POWER, 1},
                                                    {EV_SYN, SYN_REPORT, 0},
                                                    {EV_KEY, KEY_POWER, 0},
                                                    {EV_SYN, SYN_REPORT, 0}};

static void begin(uint64_t features)
{
    assert_true(bus_negotiate(DEVICE, features) & VIRTIO_CONFIG_S_FEATURES_OK);
    driver_queue_init(&events, &memory, RAM_GPA, SIZE);
    driver_queue_init(&status, &memory, STATUS_GPA, SIZE);
    assert_int_equal(bus_enable_queue(DEVICE, 0, &events), 1);
    assert_int_equal(bus_enable_queue(DEVICE, 1, &status), 1);
    bus_driver_ok(DEVICE);
}

static int set_up(void **state)
{
    (void)state;
    fake_reset();
    if (memory.base == NULL) {
        memory = (struct guest_memory){aligned_alloc(4096, RAM_SIZE), RAM_GPA, RAM_SIZE};
        assert_false(virtio_input_press_power_button()); /* there is none yet */
        bus_clear();
        virtio_input_init(&config, "vm7", &memory);
    }
    memset(memory.base, 0, RAM_SIZE);
    virtio_devices_reset();
    bus_clear();
    begin(PLAIN | INDIRECT);
    return 0;
}

static uint8_t *data(uint32_t at)
{
    return driver_memory(&memory, DATA + at);
}

static bool is_zero(const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Offer `count` buffers for an event each, one behind the other. */
static void offer(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        driver_add(&events, &(struct driver_buffer){DATA + i * EVENT_BYTES, EVENT_BYTES}, 0, 1);
    }
}

static void expect_press_in(unsigned first)
{
    uint32_t head, written;

    assert_memory_equal(data((uint32_t)(first * EVENT_BYTES)), pressed, sizeof(pressed));
    for (unsigned i = 0; i < 4; i++) {
        assert_true(driver_take(&events, &head, &written));
        assert_int_equal(written, EVENT_BYTES);
    }
}

/* ---- What it is ---- */

static uint32_t select_answer(uint32_t select, uint32_t subsel)
{
    bus_write_width(CONFIG, 1, select);
    bus_write_width(CONFIG + 1, 1, subsel);
    assert_int_equal(bus_read(CONFIG, 1), select);
    assert_int_equal(bus_read(CONFIG + 1, 1), subsel);
    return (uint32_t)bus_read(CONFIG + 2, 1);
}

static const uint8_t *answer(void)
{
    return (const uint8_t *)page + VIRTIO_MMIO_CONFIG + offsetof(struct virtio_input_config, u);
}

static void it_is_a_power_button(void **state)
{
    (void)state;
    assert_int_equal(page[VIRTIO_MMIO_DEVICE_ID / 4], VIRTIO_ID_INPUT);
    assert_int_equal(select_answer(VIRTIO_INPUT_CFG_ID_NAME, 0), 18);
    assert_memory_equal(answer(), "Braid power button", 18);
    assert_int_equal(select_answer(VIRTIO_INPUT_CFG_ID_SERIAL, 0), 3);
    assert_memory_equal(answer(), "vm7", 4); /* and nothing is left of the name */
    assert_int_equal(select_answer(VIRTIO_INPUT_CFG_ID_DEVIDS, 0),
                     sizeof(struct virtio_input_devids));
    assert_int_equal(answer()[0], 6); /* BUS_VIRTUAL */
}

static void it_has_one_key(void **state)
{
    (void)state;
    for (uint32_t type = 0; type < 256; type++) {
        uint32_t size = select_answer(VIRTIO_INPUT_CFG_EV_BITS, type);

        assert_int_equal(size, type == EV_KEY ? KEY_POWER / 8 + 1 : 0);
        for (uint32_t code = 0; code < 56 * 8; code++) {
            assert_int_equal(answer()[code / 8] >> code % 8 & 1,
                             type == EV_KEY && code == KEY_POWER);
        }
    }
}

static void what_is_not_there_has_no_size(void **state)
{
    (void)state;
    for (uint32_t select = 0; select < 256; select++) {
        for (uint32_t subsel = 0; subsel < 256; subsel++) {
            uint32_t size = select_answer(select, subsel);

            if ((select != VIRTIO_INPUT_CFG_EV_BITS || subsel != EV_KEY) &&
                select != VIRTIO_INPUT_CFG_ID_NAME && select != VIRTIO_INPUT_CFG_ID_SERIAL &&
                select != VIRTIO_INPUT_CFG_ID_DEVIDS) {
                assert_int_equal(size, 0);
                assert_true(is_zero(answer(), 56));
            }
        }
    }
    assert_int_equal(bus.rises[INTID], 0); /* an answer is no change of the configuration */
    assert_int_equal(page[VIRTIO_MMIO_CONFIG_GENERATION / 4], 0);
}

/* Both selectors at once, which a driver may do; and nothing else is writable. */
static void selectors_alone_are_writable(void **state)
{
    (void)state;
    bus_write_width(CONFIG, 2, VIRTIO_INPUT_CFG_EV_BITS | EV_KEY << 8);
    assert_int_equal(bus_read(CONFIG + 2, 1), KEY_POWER / 8 + 1);
    assert_int_equal(bus.message_count, 0);
    bus_write_width(CONFIG, 4, 0);
    bus_write_width(CONFIG, 8, 0);
    for (uint32_t offset = 2; offset < 256; offset += 2) {
        bus_write_width(CONFIG + offset, 1, 0xff);
        bus_write_width(CONFIG + offset, 2, 0xffff);
    }
    assert_int_equal(bus.message_count, 2 + 2 * 127);
    assert_int_equal(bus_read(CONFIG, 4),
                     VIRTIO_INPUT_CFG_EV_BITS | EV_KEY << 8 | (KEY_POWER / 8 + 1) << 16);
}

static void a_reset_selects_nothing(void **state)
{
    (void)state;
    assert_int_not_equal(select_answer(VIRTIO_INPUT_CFG_ID_NAME, 0), 0);
    bus_write(DEVICE + VIRTIO_MMIO_STATUS, 0);
    assert_true(is_zero((uint8_t *)page + VIRTIO_MMIO_CONFIG, VIRTIO_CONFIG_SIZE_MAX));
}

/* ---- A press ---- */

static void a_press_is_told_whole(void **state)
{
    (void)state;
    offer(8);
    assert_false(bus.level[INTID]);
    assert_true(virtio_input_press_power_button());
    assert_true(bus.level[INTID]);
    expect_press_in(0);
    assert_true(virtio_input_press_power_button());
    expect_press_in(4);
    assert_false(virtio_input_press_power_button());
    assert_int_equal(driver_used_idx(&events), 8);
    offer(4);
    assert_true(virtio_input_press_power_button());
    expect_press_in(0);
}

/* What does not fit is refused, and is not made up for. */
static void a_press_without_buffers_is_refused(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        assert_false(virtio_input_press_power_button());
        assert_false(bus.level[INTID]);
        assert_int_equal(driver_used_idx(&events), 0);
        offer(1);
        bus_kick(DEVICE, 0);
    }
    assert_int_equal(driver_used_idx(&events), 0);
    assert_true(virtio_input_press_power_button());
    assert_int_equal(driver_used_idx(&events), 4);
    assert_int_equal(bus.message_count, 0);
}

static void a_press_without_a_driver_is_refused(void **state)
{
    (void)state;
    offer(4);
    bus_write(DEVICE + VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
                                               VIRTIO_CONFIG_S_FEATURES_OK |
                                               VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_FAILED);
    assert_false(virtio_input_press_power_button());
    bus_write(DEVICE + VIRTIO_MMIO_STATUS, 0);
    assert_false(virtio_input_press_power_button());
    bus_negotiate(DEVICE, PLAIN);
    assert_false(virtio_input_press_power_button());
    bus_driver_ok(DEVICE); /* but no queue */
    assert_false(virtio_input_press_power_button());
    assert_true(is_zero(data(0), 64));
    assert_false(bus.level[INTID]);
}

/* An idle machine has no exits for it: the driver need not tell of buffers, nor is it told of any.
 */
static void waiting_buffers_cost_nothing(void **state)
{
    (void)state;
    bus_kick(DEVICE, 0);
    assert_int_equal(driver_used_flags(&events), VRING_USED_F_NO_NOTIFY);
    begin(PLAIN | EVENT_IDX);
    offer(4);
    bus_kick(DEVICE, 0);
    assert_int_equal(driver_avail_event(&events), 0);
    assert_true(virtio_input_press_power_button());
    offer(4);
    assert_int_equal(driver_avail_event(&events), 0);
    assert_true(virtio_input_press_power_button());
}

static void events_in_pieces_of_any_size(void **state)
{
    (void)state;
    struct driver_buffer buffers[] = {{DATA, 3}, {DATA + 100, 1}, {DATA + 200, 5}, {DATA + 300, 9}};
    const uint8_t *first = (const uint8_t *)&pressed[0];

    driver_add_indirect(&events, TABLES, buffers, 1, 3); /* what is readable is left alone */
    offer(3);
    assert_true(virtio_input_press_power_button());
    assert_true(is_zero(data(100 + 1), 99));
    assert_memory_equal(data(100), first, 1);
    assert_memory_equal(data(200), first + 1, 5);
    assert_memory_equal(data(300), first + 6, 2);
    assert_true(is_zero(data(302), 64)); /* never beyond the event */
}

static void what_the_driver_sends_is_taken(void **state)
{
    (void)state;
    uint32_t head, written;

    for (unsigned i = 0; i < 8; i++) {
        driver_add(&status, &(struct driver_buffer){DATA, EVENT_BYTES}, i % 2, 1 - i % 2);
    }
    bus_kick(DEVICE, 1);
    for (unsigned i = 0; i < 8; i++) {
        assert_true(driver_take(&status, &head, &written));
        assert_int_equal(written, 0);
    }
    assert_true(is_zero(data(0), 64));
}

static void a_turn_is_bounded(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        driver_add(&status, &(struct driver_buffer){DATA, EVENT_BYTES}, 1, 0);
    }
    bus.turn = fake.frequency; /* a turn is enough for an event */
    bus_kick(DEVICE, 1);
    assert_true(bus.pauses);
    assert_int_equal(driver_used_idx(&status), 4);
    bus.pauses = false;
    bus.elapsed = 0;
    virtio_devices_run();
    assert_int_equal(driver_used_idx(&status), 8);
}

/* ---- A hostile driver ---- */

static void expect_needs_reset(void)
{
    uint32_t head, written;

    assert_true(page[VIRTIO_MMIO_STATUS / 4] & VIRTIO_CONFIG_S_NEEDS_RESET);
    assert_true(bus_said("power button"));
    assert_false(driver_take(&events, &head, &written));
    assert_false(virtio_input_press_power_button());
    begin(PLAIN | INDIRECT); /* a reset mends it */
    assert_int_equal(page[VIRTIO_MMIO_STATUS / 4] & VIRTIO_CONFIG_S_NEEDS_RESET, 0);
    offer(4);
    assert_true(virtio_input_press_power_button());
    begin(PLAIN | INDIRECT);
}

static void nonsense_stops_the_device(void **state)
{
    (void)state;
    struct driver_buffer many[SIZE + 1];
    static const struct driver_buffer elsewhere[] = {{0, 8},
                                                     {RAM_GPA - 1, 8},
                                                     {RAM_GPA + RAM_SIZE - 7, 8},
                                                     {UINT64_MAX - 7, 8},
                                                     {DATA, UINT32_MAX}};

    for (unsigned good = 0; good < 4; good++) { /* events that may have been written before */
        for (unsigned i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++) {
            offer(good);
            driver_add(&events, &elsewhere[i], 0, 1);
            assert_false(virtio_input_press_power_button());
            expect_needs_reset();
        }
        offer(good);
        driver_add(&events, &(struct driver_buffer){DATA, 7}, 0, 1); /* too small */
        assert_false(virtio_input_press_power_button());
        expect_needs_reset();
        offer(good);
        driver_add(&events, &(struct driver_buffer){DATA, 8}, 1, 0); /* not writable */
        assert_false(virtio_input_press_power_button());
        expect_needs_reset();
        offer(good);
        driver_offer(&events, SIZE); /* no such descriptor */
        assert_false(virtio_input_press_power_button());
        expect_needs_reset();
    }
    driver_set_desc(&events, 0, DATA, 8, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 0); /* a loop */
    driver_offer(&events, 0);
    assert_false(virtio_input_press_power_button());
    expect_needs_reset();
    for (unsigned i = 0; i < SIZE + 1; i++) { /* more descriptors than the queue has */
        many[i] = (struct driver_buffer){DATA, 1};
    }
    driver_add_indirect(&events, TABLES, many, 0, SIZE + 1);
    assert_false(virtio_input_press_power_button());
    expect_needs_reset();
    driver_add(&status, &elsewhere[0], 1, 0);
    bus_kick(DEVICE, 1);
    expect_needs_reset();
}

static void an_index_far_ahead_is_no_press(void **state)
{
    (void)state;
    *driver_avail_idx(&events) = SIZE + 1;
    assert_false(virtio_input_press_power_button());
    expect_needs_reset();
}

/* One buffer for all events, or the device's own rings: the driver harms itself. */
static void the_same_buffers_again(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        driver_offer(&events, driver_add(&events, &(struct driver_buffer){RAM_GPA, 0x4000}, 0, 1));
        (void)virtio_input_press_power_button();
        begin(PLAIN | INDIRECT);
    }
    driver_set_desc(&events, 0, DATA, EVENT_BYTES, VRING_DESC_F_WRITE, 0);
    for (unsigned i = 0; i < 4; i++) {
        driver_offer(&events, 0);
    }
    assert_true(virtio_input_press_power_button());
    assert_memory_equal(data(0), &pressed[3], EVENT_BYTES);
    assert_true(is_zero(data(EVENT_BYTES), 64));
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_a_power_button),
        TEST(it_has_one_key),
        TEST(what_is_not_there_has_no_size),
        TEST(selectors_alone_are_writable),
        TEST(a_reset_selects_nothing),
        TEST(a_press_is_told_whole),
        TEST(a_press_without_buffers_is_refused),
        TEST(a_press_without_a_driver_is_refused),
        TEST(waiting_buffers_cost_nothing),
        TEST(events_in_pieces_of_any_size),
        TEST(what_the_driver_sends_is_taken),
        TEST(a_turn_is_bounded),
        TEST(nonsense_stops_the_device),
        TEST(an_index_far_ahead_is_no_press),
        TEST(the_same_buffers_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
