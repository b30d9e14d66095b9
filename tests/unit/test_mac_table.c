/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: switch/mac_table.c
 *
 * The table of addresses: learning, ageing, moving, and ports that try to fill it.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "switch/mac_table.h"

#define PORTS 8
#define QUOTA 16
#define AGE   1000

static struct mac_table table;

static int setup(void **state)
{
    (void)state;
    mac_table_init(&table, AGE, 12345);
    for (uint8_t i = 0; i < PORTS; i++) {
        mac_table_reserve(&table, i, QUOTA);
    }
    return 0;
}

static uint64_t mac(uint32_t n)
{
    return 0x52 | (uint64_t)n << 16;
}

static void nothing_is_known_at_first(void **state)
{
    (void)state;
    assert_int_equal(mac_table_find(&table, mac(1), 0, 0), MAC_TABLE_NOT_FOUND);
    assert_int_equal(mac_table_find(&table, 0, 0, 0), MAC_TABLE_NOT_FOUND);
}

static void address_is_learnt_per_vlan(void **state)
{
    (void)state;
    assert_true(mac_table_learn(&table, mac(1), 10, 3, 0));
    assert_true(mac_table_learn(&table, mac(1), 20, 4, 0));
    assert_int_equal(mac_table_find(&table, mac(1), 10, 1), 3);
    assert_int_equal(mac_table_find(&table, mac(1), 20, 1), 4);
    assert_int_equal(mac_table_find(&table, mac(1), 0, 1), MAC_TABLE_NOT_FOUND);
    assert_int_equal(mac_table_find(&table, mac(2), 10, 1), MAC_TABLE_NOT_FOUND);
}

static void address_is_forgotten_unless_it_is_seen(void **state)
{
    (void)state;
    mac_table_learn(&table, mac(1), 0, 3, 500);
    assert_int_equal(mac_table_find(&table, mac(1), 0, 500 + AGE), 3);
    assert_int_equal(mac_table_find(&table, mac(1), 0, 501 + AGE), MAC_TABLE_NOT_FOUND);
    mac_table_learn(&table, mac(1), 0, 3, 501 + AGE);
    assert_int_equal(mac_table_find(&table, mac(1), 0, 501 + AGE), 3);
    mac_table_learn(&table, mac(1), 0, 3, 1000 + AGE);
    assert_int_equal(mac_table_find(&table, mac(1), 0, 1000 + 2 * AGE), 3);
    assert_int_equal(mac_table_count(&table, 3), 1);
}

static void age_of_zero_never_forgets(void **state)
{
    (void)state;
    mac_table_init(&table, 0, 1);
    mac_table_reserve(&table, 0, QUOTA);
    mac_table_learn(&table, mac(1), 0, 0, 1);
    assert_int_equal(mac_table_find(&table, mac(1), 0, UINT64_MAX), 0);
}

static void address_moves_with_its_machine(void **state)
{
    (void)state;
    mac_table_learn(&table, mac(1), 0, 3, 0);
    mac_table_learn(&table, mac(1), 0, 5, 1);
    assert_int_equal(mac_table_find(&table, mac(1), 0, 1), 5);
    assert_int_equal(mac_table_count(&table, 3), 0);
    assert_int_equal(mac_table_count(&table, 5), 1);
}

static void fixed_address_stays(void **state)
{
    (void)state;
    mac_table_learn(&table, mac(1), 7, 6, 0);
    assert_true(mac_table_add_static(&table, mac(1), 2));
    assert_int_equal(mac_table_find(&table, mac(1), 7, 0), 2);
    assert_int_equal(mac_table_find(&table, mac(1), 8, AGE * 5), 2);
    assert_false(mac_table_learn(&table, mac(1), 8, 3, 0));
    assert_int_equal(mac_table_find(&table, mac(1), 8, 0), 2);
    for (uint32_t i = 0; i < 1000; i++) {
        mac_table_learn(&table, mac(100 + i), 0, 2, i);
    }
    assert_int_equal(mac_table_find(&table, mac(1), 0, 0), 2);
    assert_int_equal(mac_table_count(&table, 2), QUOTA);
}

static void flood_of_addresses_costs_only_its_port(void **state)
{
    (void)state;
    for (uint8_t port = 1; port < PORTS; port++) {
        for (uint32_t i = 0; i < QUOTA; i++) {
            mac_table_learn(&table, mac(port * 100u + i), 0, port, 0);
        }
    }
    for (uint32_t i = 0; i < 200000; i++) {
        mac_table_learn(&table, mac(10000 + i), (uint16_t)(i % 4095), 0, 1);
    }
    for (uint8_t port = 1; port < PORTS; port++) {
        for (uint32_t i = 0; i < QUOTA; i++) {
            assert_int_equal(mac_table_find(&table, mac(port * 100u + i), 0, 1), port);
        }
    }
    assert_int_equal(mac_table_count(&table, 0), QUOTA);
    /* The last ones are those that are known. */
    for (uint32_t i = 200000 - QUOTA; i < 200000; i++) {
        assert_int_equal(mac_table_find(&table, mac(10000 + i), (uint16_t)(i % 4095), 1), 0);
    }
}

static void port_without_a_share_learns_nothing(void **state)
{
    (void)state;
    assert_true(mac_table_learn(&table, mac(1), 0, PORTS, 0));
    assert_int_equal(mac_table_find(&table, mac(1), 0, 0), MAC_TABLE_NOT_FOUND);
    assert_false(mac_table_add_static(&table, mac(2), PORTS));
}

static void shares_end_with_the_table(void **state)
{
    (void)state;
    mac_table_init(&table, AGE, 1);
    mac_table_reserve(&table, 0, MAC_TABLE_ENTRIES - 3);
    mac_table_reserve(&table, 1, 100);
    mac_table_reserve(&table, 2, 100);
    for (uint32_t i = 0; i < 10; i++) {
        mac_table_learn(&table, mac(i), 0, 1, 0);
        mac_table_learn(&table, mac(100 + i), 0, 2, 0);
    }
    assert_int_equal(mac_table_count(&table, 1), 3);
    assert_int_equal(mac_table_count(&table, 2), 0);
}

struct known {
    bool known;
    uint8_t port;
    uint64_t seen;
};

/* Few enough addresses that no port's share runs out: then the table is a plain map. */
static void random_moves_follow_the_model(void **state)
{
    (void)state;
    struct known model[QUOTA] = {{false, 0, 0}};
    uint64_t now = 0;

    srand(3);
    for (int round = 0; round < 200000; round++) {
        uint32_t n = (uint32_t)rand() % QUOTA;
        uint8_t port = (uint8_t)(rand() % PORTS);

        now += (uint64_t)(rand() % 100);
        if (rand() % 2 == 0) {
            mac_table_learn(&table, mac(n), (uint16_t)(n % 3), port, now);
            model[n] = (struct known){true, port, now};
        } else {
            int expected =
                model[n].known && now - model[n].seen <= AGE ? model[n].port : MAC_TABLE_NOT_FOUND;
            assert_int_equal(mac_table_find(&table, mac(n), (uint16_t)(n % 3), now), expected);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_is_known_at_first, setup),
        cmocka_unit_test_setup(address_is_learnt_per_vlan, setup),
        cmocka_unit_test_setup(address_is_forgotten_unless_it_is_seen, setup),
        cmocka_unit_test_setup(age_of_zero_never_forgets, setup),
        cmocka_unit_test_setup(address_moves_with_its_machine, setup),
        cmocka_unit_test_setup(fixed_address_stays, setup),
        cmocka_unit_test_setup(flood_of_addresses_costs_only_its_port, setup),
        cmocka_unit_test_setup(port_without_a_share_learns_nothing, setup),
        cmocka_unit_test_setup(shares_end_with_the_table, setup),
        cmocka_unit_test_setup(random_moves_follow_the_model, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
