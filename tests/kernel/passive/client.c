/* SPDX-License-Identifier: BSD-2-Clause */

#include "passive.h"

#define TO_SERVER 1
#define TO_JUDGE  5

static void test_calls(void)
{
    uint64_t server_notified = shared->server_notified;

    check_equal("passive_init_by_priority", shared->init_order, 0x6973);

    microkit_mr_set(0, SERVE_ADD);
    microkit_mr_set(1, 40);
    microkit_mr_set(2, 1);
    microkit_ppcall(TO_SERVER, microkit_msginfo_new(0, 3));
    check_equal("passive_call", microkit_mr_get(0), 42);

    microkit_mr_set(0, SERVE_NEST);
    microkit_ppcall(TO_SERVER, microkit_msginfo_new(0, 1));
    check_equal("passive_nested_call", microkit_mr_get(0), 1003);
    check_equal("passive_not_notified", shared->server_notified, server_notified);
}

void init(void)
{
    test_calls();
    microkit_notify(TO_JUDGE);
}

/* The judge asks for another call, while limited is in the middle of one. */
void notified(microkit_channel ch)
{
    (void)ch;
    microkit_mr_set(0, SERVE_ADD);
    microkit_mr_set(1, 0);
    microkit_mr_set(2, 0);
    microkit_ppcall(TO_SERVER, microkit_msginfo_new(0, 3));
    check_equal("passive_second_caller_waits", shared->work, 0);
    check_equal("passive_second_caller_served", microkit_mr_get(0), 1);
    microkit_notify(TO_JUDGE);
}
