/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: console/terminal_size.c
 *
 * Which bytes are a terminal's answer on its size.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "console/terminal_size.h"

/* The bytes stand at the end of their memory, so that a look behind them is seen. */
static enum terminal_size_state parse(const char *text, struct terminal_size *size)
{
    uint32_t length = (uint32_t)strlen(text);
    uint8_t *bytes = malloc(length > 0 ? length : 1);

    assert_non_null(bytes);
    memcpy(bytes, text, length);
    enum terminal_size_state state = terminal_size_parse(bytes, length, size);
    free(bytes);
    return state;
}

static void an_answer_is_taken(void **state)
{
    (void)state;
    struct terminal_size size;

    assert_int_equal(parse("\033[8;24;80t", &size), TERMINAL_SIZE_WHOLE);
    assert_int_equal(size.rows, 24);
    assert_int_equal(size.columns, 80);
    assert_int_equal(size.length, 10);
    assert_int_equal(parse("\033[8;9999;0001tx", &size), TERMINAL_SIZE_WHOLE);
    assert_int_equal(size.rows, 9999);
    assert_int_equal(size.columns, 1);
    assert_int_equal(size.length, 14);
}

static void the_beginning_of_an_answer_is_waited_for(void **state)
{
    (void)state;
    static const char answer[] = "\033[8;1234;5678t";
    char text[sizeof(answer)];
    struct terminal_size size;

    for (size_t length = 0; length < sizeof(answer) - 1; length++) {
        memcpy(text, answer, length);
        text[length] = '\0';
        assert_int_equal(parse(text, &size), TERMINAL_SIZE_PART);
    }
}

static void all_else_is_keys(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "x",
        "\033\033",
        "\033O",
        "\033[A",
        "\033[24;80R",
        "\033[9;24;80t",
        "\033[88;24;80t",
        "\033[8t",
        "\033[8;24t",
        "\033[8;24;80;1t",
        "\033[8;24;80R",
        "\033[8;;80t",
        "\033[8;24;t",
        "\033[8;0;80t",
        "\033[8;24;0000t",
        "\033[8;-1;80t",
        "\033[8;12345",
        "\033[8;24;12345",
        "\033[8;24 ;80t",
        "\033[8;24;80\035",
    };
    struct terminal_size size = {1, 2, 3};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        assert_int_equal(parse(keys[i], &size), TERMINAL_SIZE_NONE);
    }
    assert_int_equal(size.columns, 1);
    assert_int_equal(size.rows, 2);
    assert_int_equal(size.length, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_taken),
        cmocka_unit_test(the_beginning_of_an_answer_is_waited_for),
        cmocka_unit_test(all_else_is_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
