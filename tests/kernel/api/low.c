/* SPDX-License-Identifier: BSD-2-Clause */

#include "api.h"

#define TO_MIDDLE  1
#define TO_HIGH    2
#define TO_LOWEST  3
#define TO_LOWEST2 4
#define NO_NOTIFY  5
#define TO_MIDDLE2 6
#define TO_ITSELF  7
#define ITS_OWN    8

static unsigned phase;

static void test_names(void)
{
    bool same = true;
    const char *want = "low";

    for (unsigned i = 0; i < 4; i++) {
        same = same && microkit_name[i] == want[i];
    }
    check("microkit_name", same);
    check_equal("masks_notifications", microkit_notifications,
                1 << TO_MIDDLE | 1 << TO_HIGH | 1 << TO_LOWEST | 1 << TO_LOWEST2 | 1 << TO_MIDDLE2 |
                    1 << TO_ITSELF | 1 << ITS_OWN);
    check_equal("masks_pps", microkit_pps, 1 << TO_MIDDLE | 1 << TO_HIGH);
    check_equal("masks_irqs", microkit_irqs, 0);
}

static void test_msginfo(void)
{
    microkit_msginfo info = microkit_msginfo_new(0xfffffffffffff, 120);

    check_equal("msginfo_label", microkit_msginfo_get_label(info), 0xfffffffffffff);
    check_equal("msginfo_count", microkit_msginfo_get_count(info), 120);
}

/* A higher PD runs before microkit_notify has returned. */
static void test_preemption(void)
{
    uint64_t before = shared->middle_notified;

    microkit_notify(TO_MIDDLE);
    check_equal("notify_higher_runs_at_once", shared->middle_notified, before + 1);
    check_equal("notify_channel_id", shared->middle_channels, 1 << 11);
    microkit_notify(TO_MIDDLE2);
    check_equal("notify_second_channel", shared->middle_channels, 1 << 11 | 1 << 14);
}

/* High notifies middle three times before middle can run: the first wakes it, the rest are one. */
static void test_coalescing(void)
{
    uint64_t before = shared->middle_notified;

    microkit_notify(TO_HIGH);
    check_equal("notify_coalesces", shared->middle_notified, before + 2);
}

static void test_call(void)
{
    for (unsigned i = 0; i < 120; i++) {
        microkit_mr_set((uint8_t)i, 1000 + i);
    }
    microkit_msginfo reply = microkit_ppcall(TO_MIDDLE, microkit_msginfo_new(0xabcdef, 64));
    bool good = true;

    for (unsigned i = 0; i < 64; i++) {
        good = good && microkit_mr_get((uint8_t)i) == 1001 + i;
    }
    check("call_words", good);
    check_equal("call_words_beyond_count", microkit_mr_get(64), 1064);
    check_equal("call_label", microkit_msginfo_get_label(reply), 0xabcdf0);
    check_equal("call_count", microkit_msginfo_get_count(reply), 64);

    reply = microkit_ppcall(TO_MIDDLE, microkit_msginfo_new(1, 120));
    check_equal("call_longest", microkit_mr_get(119), 1120);
    check_equal("call_longest_count", microkit_msginfo_get_count(reply), 120);

    reply = microkit_ppcall(TO_MIDDLE, microkit_msginfo_new(5, 0));
    check_equal("call_empty", microkit_msginfo_get_label(reply), 6);

    microkit_mr_set(0, CALL_COUNT);
    microkit_ppcall(TO_MIDDLE, seL4_MessageInfo_new(0, 7, 3, 127));
    check_equal("call_count_is_limited", microkit_mr_get(0), 120);
    check_equal("call_channel_id", microkit_mr_get(1), 11);

    microkit_mr_set(0, CALL_NEST);
    reply = microkit_ppcall(TO_MIDDLE, microkit_msginfo_new(0, 1));
    check_equal("call_nested", microkit_mr_get(0), 162);
    check_equal("call_nested_label", microkit_msginfo_get_label(reply), 77);
}

static void test_deferred(void)
{
    microkit_mr_set(0, CALL_DEFER);
    microkit_ppcall(TO_MIDDLE, microkit_msginfo_new(0, 1));
    check_equal("call_with_deferred_notify", microkit_mr_get(0), 0);
    /* Some SDKs do not send what is deferred with a reply, but with the receive after that. */
    microkit_notify(TO_MIDDLE);
    /* notified(TO_MIDDLE2) follows. */
}

static void test_bad_channels(void)
{
    uint64_t before = shared->middle_notified;

    microkit_notify(NO_NOTIFY);
    microkit_notify(62);
    microkit_notify(0xffffffff);
    microkit_irq_ack(TO_MIDDLE);
    microkit_deferred_notify(60);
    microkit_deferred_irq_ack(TO_MIDDLE);
    microkit_msginfo reply = microkit_ppcall(TO_LOWEST, microkit_msginfo_new(3, 0));
    check_equal("bad_channels_do_nothing", shared->middle_notified, before);
    check_equal("bad_ppcall_is_empty", microkit_msginfo_get_label(reply), 0);
    check("bad_deferred_is_none", !microkit_have_signal);
}

#define CAP_VSPACE 3

/* A PD has a capability for its own address space, to maintain caches with. */
static void test_caches(void)
{
    static uint64_t line[8] __attribute__((aligned(64)));
    seL4_Word start = (seL4_Word)line, end = start + sizeof line;

    check_equal("cache_clean", seL4_ARM_VSpace_Clean_Data(CAP_VSPACE, start, end), seL4_NoError);
    check_equal("cache_clean_part", seL4_ARM_VSpace_Clean_Data(CAP_VSPACE, start + 3, start + 4),
                seL4_NoError);
    line[1] = 5;
    check_equal("cache_invalidate", seL4_ARM_VSpace_Invalidate_Data(CAP_VSPACE, start, end),
                seL4_NoError);
    check_equal("cache_clean_and_invalidate",
                seL4_ARM_VSpace_CleanInvalidate_Data(CAP_VSPACE, start, end), seL4_NoError);
    check_equal("cache_loses_nothing", line[1], 5);
    check_equal("cache_unify", seL4_ARM_VSpace_Unify_Instruction(CAP_VSPACE, start, end),
                seL4_NoError);
    check_equal("cache_of_nothing", seL4_ARM_VSpace_Clean_Data(CAP_VSPACE, start, start),
                seL4_InvalidArgument);
    check_equal("cache_backwards", seL4_ARM_VSpace_Unify_Instruction(CAP_VSPACE, end, start),
                seL4_InvalidArgument);
    check_equal("cache_beyond_all", seL4_ARM_VSpace_Clean_Data(CAP_VSPACE, start, 1ul << 48),
                seL4_IllegalOperation);
    check_equal("cache_of_no_address_space", seL4_ARM_VSpace_Clean_Data(9, start, end),
                seL4_InvalidCapability);
}

static void test_debug_output(void)
{
    microkit_dbg_puts("debug:");
    microkit_dbg_put8(255);
    microkit_dbg_putc(':');
    microkit_dbg_put32(4294967295u);
    microkit_dbg_putc(':');
    microkit_dbg_put32(0);
    microkit_dbg_puts("\n");
}

void init(void)
{
#ifdef TEST_HALT
    seL4_DebugHalt();
    say("it has gone on\n");
#endif
    shared->after_init = shared->after_init << 8 | 'w';
}

void notified(microkit_channel ch)
{
    switch (phase++) {
    case 0: /* lowest has finished init */
        check_equal("init_by_priority", shared->after_init, 0x686d776c);
        test_names();
        test_msginfo();
        test_preemption();
        test_coalescing();
        test_call();
        test_bad_channels();
        test_caches();
        test_debug_output();
        test_deferred();
        break;
    case 1:
        check_equal("deferred_notify_arrives", ch, TO_MIDDLE2);
        /* Both are raised before lowest runs, in the other order, and one of them twice. */
        microkit_notify(TO_LOWEST2);
        microkit_notify(TO_LOWEST);
        microkit_notify(TO_LOWEST2);
        check_equal("notify_lower_runs_later", shared->lowest_notified, 0);
        break;
    case 2:
        check_equal("notify_several_at_once", shared->lowest_order, 0 << 8 | 61);
        check_equal("notify_several_count", shared->lowest_notified, 2);
        /* With the next receive: it has not happened yet. */
        microkit_deferred_notify(TO_LOWEST2);
        check("deferred_is_pending", microkit_have_signal);
        break;
    case 3:
        check_equal("deferred_notify_with_receive", shared->lowest_notified, 3);
        check("deferred_is_sent", !microkit_have_signal);
        microkit_notify(TO_ITSELF);
        break;
    case 4:
        check_equal("notify_itself", ch, ITS_OWN);
        microkit_deferred_notify(ITS_OWN);
        break;
    case 5:
        check_equal("deferred_notify_itself", ch, TO_ITSELF);
        done();
        break;
    }
}
