/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: block/driver.c lib/ring.c lib/log.c lib/token_bucket.c lib/supervisor.c
 * SOURCES: tests/unit/fake/fake_microkit.c
 *
 * A disk's driver that faults: what was in flight is sent again, one request after the other, and
 * nothing is answered while the device may still be at work. The test plays the driver.
 */

#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "block/config.h"
#include "block/driver.h"
#include "lib/log.h"
#include "lib/supervisor.h"

struct block_config config __asm__("block_config");

static _Alignas(4096) uint8_t to_driver[RING_HEADER_SIZE + BLOCK_REQUEST_RING];
static _Alignas(4096) uint8_t from_driver[RING_HEADER_SIZE + BLOCK_REPLY_RING];

static struct ring requests, replies; /* the driver's ends */
static struct block_info disk;
static struct block_info told; /* what driver_take says */
static struct flight flight;
static uint32_t status;

/* ---- The driver ---- */

static void start(void)
{
    ring_init(&requests, to_driver, BLOCK_REQUEST_RING);
    ring_init(&replies, from_driver, BLOCK_REPLY_RING);
    block_send_info(&replies, &disk);
}

/* The id of the next request, whose sector is to be that one. */
static uint32_t asked(uint64_t sector)
{
    struct block_request_copy request;
    uint32_t count;
    const void *record = ring_peek(&requests, &count);

    assert_non_null(record);
    assert_true(block_copy_request(&request, record, count));
    ring_release(&requests);
    assert_int_equal(request.head.sector, sector);
    assert_int_equal(request.head.op, BLOCK_WRITE);
    assert_int_equal(request.head.segment_count, 2);
    assert_int_equal(request.segments[1].offset, sector);
    return request.head.id;
}

static void asked_nothing(void)
{
    uint32_t count;

    assert_null(ring_peek(&requests, &count));
}

static void answer(uint32_t id)
{
    block_send_done(&replies, id, BLOCK_OK);
}

static void fault_at(uint64_t address)
{
    microkit_mr_set(seL4_VMFault_IP, 0x201234);
    microkit_mr_set(seL4_VMFault_Addr, address);
    driver_fault(microkit_msginfo_new(seL4_Fault_VMFault, seL4_VMFault_Length));
}

/* ---- The multiplexer ---- */

static bool send(uint64_t sector)
{
    struct block_request_copy request = {
        .head = {.op = BLOCK_WRITE, .segment_count = 2, .sector = sector, .sector_count = 2},
        .segments = {{1, 512, 0}, {1, 512, sector}}};
    struct flight one = {.owner = 3, .id = (uint32_t)sector + 1000, .op = BLOCK_WRITE};

    return driver_send(&request, &one);
}

static enum driver_event take(void)
{
    return driver_take(&told, &flight, &status);
}

static void ends(uint64_t sector, uint32_t with)
{
    assert_int_equal(take(), DRIVER_DONE);
    assert_int_equal(flight.owner, 3);
    assert_int_equal(flight.id, sector + 1000);
    assert_int_equal(status, with);
}

static void nothing_ends(void)
{
    assert_int_equal(take(), DRIVER_NOTHING);
}

static int prepare(void **state)
{
    (void)state;
    fake_reset();
    memset(to_driver, 0, sizeof(to_driver));
    memset(from_driver, 0, sizeof(from_driver));
    config = (struct block_config){
        .driver_channel = 60,
        .requests = to_driver,
        .replies = from_driver,
        .request_ring_size = BLOCK_REQUEST_RING,
        .reply_ring_size = BLOCK_REPLY_RING,
    };
    disk = (struct block_info){.kind = BLOCK_REPLY_INFO,
                               .sectors = 1000,
                               .block_size = 512,
                               .segments_max = 16,
                               .segment_bytes_max = 4096};
    log_init("block", NULL, 0);
    fake.pd_context[0].sp = 0x7ff0;
    driver_init();
    return 0;
}

static int set_up(void **state)
{
    prepare(state);
    start();
    assert_int_equal(take(), DRIVER_INFO);
    assert_memory_equal(&told, &disk, sizeof(disk));
    return 0;
}

/* ---- Cases ---- */

static void a_fault_is_logged_and_the_driver_begins_anew(void **state)
{
    (void)state;

    fake.pd_context[0].sp = 0x1230; /* wherever it was */
    fault_at(0xbad0);
    assert_int_equal(fake.pd_restarts[0], 1);
    assert_int_equal(fake.pd_context[0].pc, 0x200000);
    assert_int_equal(fake.pd_context[0].sp, 0x7ff0);
    assert_non_null(
        strstr(fake.debug, "the disk's driver has faulted: an access to 0xbad0 at 0x201234"));
}

static void what_was_in_flight_is_sent_again_one_by_one(void **state)
{
    (void)state;

    for (uint64_t sector = 1; sector <= 3; sector++) {
        assert_true(send(sector));
    }
    asked(1);
    answer(asked(2)); /* before the fault; nobody has looked yet */
    fault_at(0);
    assert_non_null(strstr(fake.debug, "2 requests are sent again"));
    start();
    assert_false(send(4)); /* new ones wait */
    ends(2, BLOCK_OK);
    nothing_ends();
    for (uint64_t sector = 1; sector <= 3; sector += 2) {
        uint32_t id = asked(sector);

        asked_nothing();
        answer(id);
        ends(sector, BLOCK_OK);
        nothing_ends();
    }
    assert_true(send(4));
    answer(asked(4));
    ends(4, BLOCK_OK);
}

static void a_request_that_makes_it_fault_is_found(void **state)
{
    (void)state;

    for (uint64_t sector = 1; sector <= 3; sector++) {
        assert_true(send(sector));
    }
    fault_at(0);
    start();
    nothing_ends();
    /* Slots are tried in the order of their numbers. */
    answer(asked(1));
    ends(1, BLOCK_OK);
    nothing_ends();
    asked(2);
    fault_at(0);
    assert_non_null(strstr(fake.debug, "it was at one request alone"));
    nothing_ends(); /* the device may still be at work for it */
    start();
    ends(2, BLOCK_IO_ERROR);
    nothing_ends();
    answer(asked(3));
    ends(3, BLOCK_OK);
    nothing_ends();
    assert_true(send(4));
}

/* It is answered once, as it has ended: nobody is to blame. */
static void a_request_alone_that_is_answered_before_the_fault(void **state)
{
    (void)state;

    assert_true(send(1));
    fault_at(0);
    start();
    nothing_ends();
    answer(asked(1));
    fault_at(0);
    assert_null(strstr(fake.debug, "it was at one request alone"));
    ends(1, BLOCK_OK);
    nothing_ends();
    start();
    nothing_ends();
    assert_true(send(2));
    answer(asked(2));
    ends(2, BLOCK_OK);
    nothing_ends();
}

/* Its stack begins where it was seen in its event loop, wherever it is when it faults. */
static void the_stack_is_the_event_loops(void **state)
{
    prepare(state);

    fake.pd_context[0].sp = 0x8008; /* when it says something for the first time */
    start();
    assert_int_equal(take(), DRIVER_INFO);
    fake.pd_context[0].sp = 0x9000;
    assert_true(send(1));
    nothing_ends();
    fault_at(0);
    assert_int_equal(fake.pd_context[0].sp, 0x8000);
}

static void the_place_of_an_unknown_system_call_is_said(void **state)
{
    (void)state;

    microkit_mr_set(0, 0x111);
    microkit_mr_set(seL4_UnknownSyscall_FaultIP, 0x201238);
    driver_fault(microkit_msginfo_new(seL4_Fault_UnknownSyscall, seL4_UnknownSyscall_Length));
    assert_non_null(strstr(fake.debug, "has faulted: kind 2 at 0x201238"));
}

static void answers_to_what_waits_are_ignored(void **state)
{
    uint32_t id;
    (void)state;

    assert_true(send(1));
    assert_true(send(2));
    asked(1);
    id = asked(2);
    fault_at(0);
    start();
    answer(id); /* the second one has not been sent again yet */
    nothing_ends();
    assert_non_null(strstr(fake.debug, "answers what it was not asked"));
    answer(asked(1));
    ends(1, BLOCK_OK);
    nothing_ends();
    answer(asked(2));
    ends(2, BLOCK_OK);
}

static void another_disk_is_of_no_use(void **state)
{
    (void)state;

    assert_true(send(1));
    fault_at(0);
    disk.sectors--;
    start();
    ends(1, BLOCK_IO_ERROR);
    nothing_ends();
    assert_true(send(2));
    ends(2, BLOCK_IO_ERROR);
    nothing_ends();
    asked_nothing();
}

/* The device may not even have been reset. */
static void a_disk_that_does_not_start_again_keeps_what_it_has(void **state)
{
    (void)state;

    assert_true(send(1));
    fault_at(0);
    start();
    nothing_ends();
    asked(1);
    fault_at(0); /* at that one alone */
    disk = (struct block_info){.kind = BLOCK_REPLY_INFO};
    start();
    nothing_ends();
    assert_non_null(strstr(fake.debug, "1 requests stay unanswered"));
    assert_true(send(2));
    ends(2, BLOCK_IO_ERROR);
    nothing_ends();
    asked_nothing();
}

static void a_driver_that_goes_on_faulting_is_given_up(void **state)
{
    (void)state;

    assert_true(send(1));
    for (unsigned i = 0; i < SUPERVISOR_RESTARTS; i++) {
        fault_at(0);
        ring_init(&requests, to_driver, BLOCK_REQUEST_RING); /* it faults before it says anything */
    }
    assert_int_equal(fake.pd_restarts[0], SUPERVISOR_RESTARTS);
    fault_at(0);
    assert_int_equal(fake.pd_restarts[0], SUPERVISOR_RESTARTS);
    assert_non_null(
        strstr(fake.debug, "is given up: it has been started again 5 times in 10 minutes"));
    assert_non_null(strstr(fake.debug, "1 requests stay unanswered"));
    nothing_ends();
    assert_true(send(2));
    ends(2, BLOCK_IO_ERROR);
    nothing_ends();
}

static void faults_that_are_far_apart_are_forgiven(void **state)
{
    (void)state;

    for (unsigned i = 0; i < 20; i++) {
        fault_at(0);
        start();
        nothing_ends();
        fake.counter += SUPERVISOR_SECONDS * fake.frequency / SUPERVISOR_RESTARTS;
    }
    assert_int_equal(fake.pd_restarts[0], 20);
}

static void a_driver_that_never_says_anything(void **state)
{
    prepare(state);

    for (unsigned i = 0; i <= SUPERVISOR_RESTARTS; i++) {
        nothing_ends();
        fault_at(0);
    }
    assert_int_equal(take(), DRIVER_INFO);
    assert_int_equal(told.kind, BLOCK_REPLY_INFO);
    assert_int_equal(told.sectors, 0);
    nothing_ends();
}

static void a_driver_that_faults_before_it_has_said_anything(void **state)
{
    prepare(state);

    fault_at(0);
    start();
    assert_int_equal(take(), DRIVER_INFO);
    assert_int_equal(told.sectors, disk.sectors);
    nothing_ends();
    assert_true(send(1));
    answer(asked(1));
    ends(1, BLOCK_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_fault_is_logged_and_the_driver_begins_anew, set_up),
        cmocka_unit_test_setup(what_was_in_flight_is_sent_again_one_by_one, set_up),
        cmocka_unit_test_setup(a_request_that_makes_it_fault_is_found, set_up),
        cmocka_unit_test_setup(a_request_alone_that_is_answered_before_the_fault, set_up),
        cmocka_unit_test(the_stack_is_the_event_loops),
        cmocka_unit_test_setup(the_place_of_an_unknown_system_call_is_said, set_up),
        cmocka_unit_test_setup(answers_to_what_waits_are_ignored, set_up),
        cmocka_unit_test_setup(another_disk_is_of_no_use, set_up),
        cmocka_unit_test_setup(a_disk_that_does_not_start_again_keeps_what_it_has, set_up),
        cmocka_unit_test_setup(a_driver_that_goes_on_faulting_is_given_up, set_up),
        cmocka_unit_test_setup(faults_that_are_far_apart_are_forgiven, set_up),
        cmocka_unit_test(a_driver_that_never_says_anything),
        cmocka_unit_test(a_driver_that_faults_before_it_has_said_anything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
