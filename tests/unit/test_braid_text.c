/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the command `braid` makes of text that is not trusted, of wrong names, and of packets.
 *
 * SOURCES: tools/braid/bytes.c tools/braid/names.c tools/braid/wire.c
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "tools/braid/bytes.h"
#include "tools/braid/names.h"
#include "tools/braid/wire.h"

static void expect(struct bytes *text, const char *wanted)
{
    assert_int_equal(text->count, strlen(wanted));
    assert_memory_equal(text->data, wanted, text->count);
    bytes_free(text);
}

static void expect_escaped(const char *text, const char *wanted)
{
    struct bytes out = {0};

    bytes_add_escaped(&out, text, strlen(text));
    expect(&out, wanted);
}

static void test_escape(void **state)
{
    (void)state;
    expect_escaped("plain \t text", "plain \t text");
    expect_escaped("\x1b[31m\r\n\x7f", "\\x1b[31m\\x0d\\x0a\\x7f");
    expect_escaped("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80",
                   "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80");
    expect_escaped("\xc2\x9b"
                   "31m",
                   "\\xc2\\x9b31m");                            /* CSI in one character */
    expect_escaped("\xe2\x80\xae", "\\xe2\\x80\\xae");          /* turns the text's direction */
    expect_escaped("\xc0\x9b", "\\xc0\\x9b");                   /* too long a form */
    expect_escaped("\xed\xa0\x80", "\\xed\\xa0\\x80");          /* half of a pair */
    expect_escaped("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"); /* behind the last one */
    expect_escaped("\xe2\x82", "\\xe2\\x82");                   /* cut */
    expect_escaped("\\x1b", "\\x1b");                           /* escaped before */
}

static void test_json(void **state)
{
    static const char text[] = "a\"b\\c\n\0\xff\xc3\xa4";
    struct bytes out = {0};

    (void)state;
    bytes_add_json(&out, text, sizeof(text) - 1);
    expect(&out, "\"a\\\"b\\\\c\\u000a\\u0000\\ufffd\xc3\xa4\"");
}

static void test_names(void **state)
{
    static const char *const names[] = {"vm0", "router", "vm1"};
    struct bytes out = {0};

    (void)state;
    assert_string_equal(names_closest("ruoter", names, 3), "router");
    assert_string_equal(names_closest("VM0", names, 3), "vm0");
    assert_null(names_closest("database", names, 3));
    assert_null(names_closest("", names, 0));
    names_explain(&out, "machine", "rooter\n", names, 3);
    expect(&out, "no machine 'rooter\\x0a': there are vm0, router, vm1; did you mean 'router'?\n");
    names_explain(&out, "machine", "x", names, 0);
    expect(&out, "no machine 'x': there is none\n");
}

static void test_packets(void **state)
{
    uint8_t sent[WIRE_LENGTH_MAX + 5];
    struct bytes wire = {0};
    const uint8_t *data;
    size_t length;

    (void)state;
    memset(sent, 'x', sizeof(sent));
    wire_add(&wire, WIRE_INPUT, sent, sizeof(sent));
    wire_add(&wire, WIRE_END, "", 0);
    assert_int_equal(wire_peek(&wire, &data, &length), WIRE_INPUT);
    assert_int_equal(length, WIRE_LENGTH_MAX);
    bytes_take(&wire, WIRE_HEADER + length);
    assert_int_equal(wire_peek(&wire, &data, &length), WIRE_INPUT);
    assert_int_equal(length, 5);
    bytes_take(&wire, WIRE_HEADER + length);
    assert_int_equal(wire_peek(&wire, &data, &length), WIRE_END);
    assert_int_equal(length, 0);
    bytes_take(&wire, WIRE_HEADER + length);
    assert_int_equal(wire_peek(&wire, &data, &length), 0);
    bytes_add(&wire, "\x05\x01", 2);
    assert_int_equal(wire_peek(&wire, &data, &length), 0);
    bytes_add(&wire, "\x00", 1);
    assert_int_equal(wire_peek(&wire, &data, &length), 0);
    bytes_take(&wire, 3);
    bytes_add(&wire, "\x05\xff\xff", 3);
    assert_int_equal(wire_peek(&wire, &data, &length), -1);
    bytes_take(&wire, 3);
    bytes_add(&wire, "\x09\x00\x00", 3);
    assert_int_equal(wire_peek(&wire, &data, &length), -1);
    bytes_free(&wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escape),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_packets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
