/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: console/console.c console/client.c console/view.c console/view_lines.c
 * SOURCES: console/view_raw.c console/keys.c console/escape.c console/session.c console/power.c
 * SOURCES: console/counters.c console/terminal_size.c lib/stats.c
 * SOURCES: lib/supervisor.c lib/log.c lib/token_bucket.c
 * SOURCES: lib/control_hello.c lib/control_link.c
 * SOURCES: lib/ring.c tests/unit/fake/fake_microkit.c
 *
 * The serial multiplexer from outside: what clients say and what is typed goes in, what the
 * terminal and the clients get comes out.
 */

#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "console/client.h"
#include "console/config.h"
#include "console/view.h"
#include "drivers/timer/protocol.h"
#include "lib/console_state.h"
#include "lib/ring.h"

#define MACHINES 12
#define CLIENTS  (MACHINES + 1)
#define LOG      MACHINES
#define CHANNEL  2 /* of the first client */

#include "tests/unit/fake/console_clients.h"

/* The tests have colours off at first; a test of its own turns them on. */
const struct console_config console_config = {
    UART_AND_TIMER,
    .monochrome = true,
    .client_count = CLIENTS,
    .clients =
        {
            {CLIENT(0, "vm0", false)},
            {CLIENT(1, "vm1", false)},
            {CLIENT(2, "db-main", false)},
            {CLIENT(3, "db-copy", false)},
            {CLIENT(4, "m4", false)},
            {CLIENT(5, "m5", false)},
            {CLIENT(6, "m6", false)},
            {CLIENT(7, "m7", false)},
            {CLIENT(8, "m8", false)},
            {CLIENT(9, "m9", false)},
            {CLIENT(10, "m10", false)},
            {CLIENT(11, "router", false)},
            {CLIENT(LOG, "net0", true)},
        },
};

static struct ring terminal_in, terminal_out; /* the UART driver's ends */
static struct ring say_ring[CLIENTS], hear_ring[CLIENTS];
static uint64_t deadline;
static char screen[1 << 20];
static size_t screen_length;

static microkit_msginfo timer(microkit_channel ch, microkit_msginfo msginfo)
{
    assert_int_equal(ch, TIMER);
    assert_int_equal(microkit_msginfo_get_label(msginfo), TIMER_SET);
    assert_int_equal(microkit_msginfo_get_count(msginfo), 1);
    deadline = fake.mr[0];
    return microkit_msginfo_new(0, 0);
}

/* Time passes; the timer driver notifies when it has been asked to. */
static void pass(unsigned milliseconds)
{
    uint64_t end = fake.counter + milliseconds * (fake.frequency / 1000);

    while (deadline <= end) {
        fake.counter = deadline > fake.counter ? deadline : fake.counter;
        deadline = TIMER_NEVER;
        notified(TIMER);
    }
    fake.counter = end;
}

/* What the UART driver takes: all there is. */
static const char *shown(void)
{
    char *start = screen + screen_length;

    for (;;) {
        uint32_t got = ring_read(&terminal_in, screen + screen_length,
                                 (uint32_t)(sizeof(screen) - 1 - screen_length));
        screen_length += got;
        if (ring_take_space_wanted(&terminal_in)) {
            notified(UART);
        } else if (got == 0) {
            break;
        }
    }
    screen[screen_length] = '\0';
    return start;
}

static void driver_faults(void)
{
    microkit_msginfo reply;

    microkit_mr_set(0, 0x201234);
    assert_false(
        fault(CONSOLE_DRIVER_CHILD, microkit_msginfo_new(seL4_Fault_UserException, 5), &reply));
}

static void say_bytes(int client, const void *bytes, uint32_t count)
{
    assert_int_equal(ring_write(&say_ring[client], bytes, count), count);
    if (ring_take_data_wanted(&say_ring[client])) {
        notified(CHANNEL + (microkit_channel)client);
    }
}

static void say(int client, const char *text)
{
    say_bytes(client, text, (uint32_t)strlen(text));
}

static void type_bytes(const char *bytes, uint32_t count)
{
    assert_int_equal(ring_write(&terminal_out, bytes, count), count);
    if (ring_take_data_wanted(&terminal_out)) {
        notified(UART);
    }
}

static void type(const char *text)
{
    type_bytes(text, (uint32_t)strlen(text));
}

/* What a client has got since. */
static const char *heard(int client)
{
    static char text[SIZE + 1];

    text[ring_read(&hear_ring[client], text, SIZE)] = '\0';
    return text;
}

static int setup(void **state)
{
    (void)state;
    fake_reset();
    fake.ppcall = timer;
    fake.counter = 1000000;
    deadline = TIMER_NEVER;
    memset(&uart_transmit, 0, sizeof(uart_transmit));
    memset(&uart_receive, 0, sizeof(uart_receive));
    memset(outputs, 0, sizeof(outputs));
    memset(inputs, 0, sizeof(inputs));
    ring_init(&terminal_in, &uart_transmit, SIZE);
    ring_init(&terminal_out, &uart_receive, SIZE);
    for (int i = 0; i < CLIENTS; i++) {
        ring_init(&say_ring[i], &outputs[i], SIZE);
        ring_init(&hear_ring[i], &inputs[i], SIZE);
    }
    screen_length = 0;
    init();
    assert_non_null(strstr(shown(), "12 machines"));
    return 0;
}

#define PREFIX "\035"

/* ---- All machines, line by line ---- */

static void lines_carry_their_prefix(void **state)
{
    (void)state;
    say(0, "one\r\ntwo\n");
    say(1, "three\r\n");
    say(LOG, "switch net0: up\n");
    assert_string_equal(shown(), "vm0| one\r\nvm0| two\r\nvm1| three\r\nnet0| switch net0: up\r\n");
}

static void empty_lines_stay(void **state)
{
    (void)state;
    say(0, "\r\n\r\n");
    assert_string_equal(shown(), "vm0| \r\nvm0| \r\n");
}

static void bytes_that_trickle_do_not_mix(void **state)
{
    (void)state;
    static const char *const a = "[    0.000000] Booting Linux on physical CPU 0x0\r\n";
    static const char *const b = "[    0.000001] Linux version 6.1.0-arm64 and so on\r\n";

    for (size_t i = 0; i < strlen(a) || i < strlen(b); i++) {
        if (i < strlen(a)) {
            say_bytes(0, a + i, 1);
        }
        if (i < strlen(b)) {
            say_bytes(1, b + i, 1);
        }
        pass(1);
    }
    char expected[200];
    snprintf(expected, sizeof(expected), "vm0| %svm1| %s", a, b);
    assert_string_equal(shown(), expected);
}

static void prompt_appears_after_a_pause(void **state)
{
    (void)state;
    say(0, "vm0:~# ");
    assert_string_equal(shown(), "");
    pass(110);
    assert_string_equal(shown(), "vm0| vm0:~# ");
    /* Now that the line is open, its echo comes at once. */
    say(0, "l");
    assert_string_equal(shown(), "l");
    say(0, "s\r\nbin etc\r\n");
    assert_string_equal(shown(), "s\r\nvm0| bin etc\r\n");
}

static void whole_line_waits_for_a_busy_line_but_not_for_a_silent_one(void **state)
{
    (void)state;
    say(0, "prompt# ");
    pass(110);
    assert_string_equal(shown(), "vm0| prompt# ");
    say(0, "x");
    say(1, "line\n");
    assert_string_equal(shown(), "x");
    pass(110);
    assert_string_equal(shown(), "\r\nvm1| line\r\n");
    /* What was interrupted is shown from its start. */
    say(0, "y\r\n");
    assert_string_equal(shown(), "vm0| prompt# xy\r\n");
}

static void line_that_never_ends_gives_way(void **state)
{
    (void)state;
    say(0, "....");
    pass(110);
    say(1, "line\n");
    for (int i = 0; i < 50; i++) {
        say(0, ".");
        pass(20);
    }
    const char *text = shown();
    const char *line = strstr(text, "\r\nvm1| line\r\n");
    assert_non_null(line);
    assert_true(line - text < 40);
}

static void long_line_is_shown_as_several(void **state)
{
    (void)state;
    char bytes[1500];

    memset(bytes, 'x', sizeof(bytes));
    say_bytes(0, bytes, sizeof(bytes));
    say(0, "\n");
    const char *text = shown();
    size_t count = 0, lines = 0;
    for (const char *at = text; *at != '\0'; at++) {
        count += *at == 'x';
        lines += *at == '\n';
    }
    assert_int_equal(count, 1500);
    assert_int_equal(lines, 3);
}

static void carriage_return_draws_the_line_again(void **state)
{
    (void)state;
    say(0, "10%\r20%\r30%\r\r\n");
    assert_string_equal(shown(), "vm0| 10%\rvm0| 20%\rvm0| 30%\r\n");
    say(0, "1\r2");
    pass(110);
    say(1, "other\n");
    pass(110);
    assert_string_equal(shown(), "vm0| 1\rvm0| 2\r\nvm1| other\r\n");
}

static void sequences_do_not_leave_their_line(void **state)
{
    (void)state;
    say(0,
        "a\033[2J\033[Hb\033]0;title\007c\033[6nd\033(0e\033[?1049hf\033[1;31mg\033[Kh\033[1Ki\n");
    assert_string_equal(shown(), "vm0| abcdef\033[1;31mg\033[Khi\033[0m\r\n");
    say(0, "\033]0;never ended\n");
    say(0, "fine\n");
    assert_string_equal(shown(), "vm0| \r\nvm0| fine\r\n");
}

/* Backspaces must not reach the prefix: a machine could take another's name. */
static void prefix_cannot_be_overwritten(void **state)
{
    (void)state;
    say(0, "\b\b\b\b\bvm1| x\n");
    assert_string_equal(shown(), "vm0| vm1| x\r\n");
    say(0, "ab\b\b\b\b\bcd\n");
    assert_string_equal(shown(), "vm0| ab\b\bcd\r\n");
    say(0, "\xcc\x80\xcc\x80\xcc\x80\b\b\bcd\n"); /* characters of no width */
    assert_string_equal(shown(), "vm0| \xcc\x80\xcc\x80\xcc\x80"
                                 "cd\r\n");
}

/* ---- What else could reach a prefix: a terminal's view ---- */

/*
 * A terminal, as far as the view of all may need one: 40 columns, UTF-8, wraps, and forgives what
 * some forgive: it takes control characters (C1) in either form, and encodings that are longer than
 * they must be. It remembers which bytes were written as part of a prefix.
 */
#define COLUMNS 40
#define ROWS    200

static struct {
    uint32_t cell[ROWS][COLUMNS];
    bool begun[ROWS]; /* by a line feed */
    int row, column;
    bool wraps; /* the next character goes to the next row */
} term;

static void term_put(uint32_t character)
{
    if (term.wraps) {
        term.row++;
        term.column = 0;
        term.wraps = false;
    }
    assert_in_range(term.row, 0, ROWS - 1);
    term.cell[term.row][term.column] = character;
    if (term.column == COLUMNS - 1) {
        term.wraps = true;
    } else {
        term.column++;
    }
}

/* Any control sequence but what the filter lets pass is a failure. */
static const char *term_sequence(const char *at)
{
    at += strspn(at, "0123456789;:");
    if (*at == 'K') {
        term.wraps = false;
        for (int i = term.column; i < COLUMNS; i++) {
            term.cell[term.row][i] = 0;
        }
    } else if (*at != 'm') {
        fail_msg("a sequence that ends in '%c' reaches the terminal", *at);
    }
    return at + 1;
}

static const char *term_character(const char *at)
{
    uint8_t first = (uint8_t)*at++;
    uint32_t character = first;

    if (first >= 0xc0) {
        int more = first >= 0xfc   ? 5
                   : first >= 0xf8 ? 4
                   : first >= 0xf0 ? 3
                   : first >= 0xe0 ? 2
                                   : 1;

        character = first & (0x3fu >> more);
        for (; more > 0; more--) {
            assert_in_range((uint8_t)*at, 0x80, 0xbf);
            character = character << 6 | ((uint8_t)*at++ & 0x3f);
        }
        assert_true(character >= 0xa0);
    } else {
        assert_true(first < 0x80);
    }
    term_put(character);
    return at;
}

static void term_show(const char *at)
{
    while (*at != '\0') {
        if (at[0] == '\033') {
            assert_int_equal(at[1], '[');
            at = term_sequence(at + 2);
        } else if (*at == '\r') {
            term.column = 0;
            term.wraps = false;
            at++;
        } else if (*at == '\n') {
            term.begun[++term.row] = true;
            assert_in_range(term.row, 0, ROWS - 2);
            at++;
        } else if (*at == '\b') {
            term.column -= term.column > 0;
            term.wraps = false;
            at++;
        } else if (*at == '\t') {
            term.column = (term.column / 8 + 1) * 8;
            term.column = term.column < COLUMNS ? term.column : COLUMNS - 1;
            term.wraps = false;
            at++;
        } else {
            at = term_character(at);
        }
    }
}

/* A row begins with this prefix. */
static bool term_row_has(int row, const char *prefix)
{
    for (int i = 0; prefix[i] != '\0'; i++) {
        if (term.cell[row][i] != (uint8_t)prefix[i]) {
            return false;
        }
    }
    return true;
}

static void term_clear(void)
{
    memset(&term, 0, sizeof(term));
}

static void control_characters_of_8_bits_are_taken_out(void **state)
{
    (void)state;
    /* U+009B is CSI, U+0085 goes to the next line, U+008D to the one before, U+0090 begins a
     * string. */
    say(0, "a\xc2\x9b"
           "2Kb\xc2\x85"
           "c\xc2\x8d"
           "d\xc2\x90gone\xc2\x9c"
           "e\xc2\x9d"
           "0;t\007f\xc2\x9b"
           "31mg\xc2\x9b"
           "1;1Hh\n");
    assert_string_equal(shown(), "vm0| abcdef\033[31mgh\033[0m\r\n");
    for (int c = 0x80; c < 0xa0; c++) {
        char text[] = {'x', (char)c, 'y', '\n', '\0'};

        say(0, text); /* alone it is no character of UTF-8 at all */
        assert_string_equal(shown(), "vm0| x?y\r\n");
    }
}

static void encodings_that_are_none_are_taken_out(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\xc0\x9b", /* ESC, longer than it must be, */
        "\xc1\x9b",
        "\xe0\x80\x9b",
        "\xf0\x80\x80\x9b",
        "\xf8\x80\x80\x80\x9b",
        "\xfc\x80\x80\x80\x80\x9b",
        "\xe0\x82\x9b", /* U+009B likewise */
        "\xf0\x80\x82\x9b",
        "\xed\xa0\x80", /* a surrogate */
        "\xed\xbf\xbf",
        "\xf4\x90\x80\x80", /* beyond the last */
        "\xf5\x80\x80\x80",
        "\xfe",
        "\xff",
        "\xe4", /* another character set's */
        "\xe2\x82",
        "\xf0\x9f\x98",
        "\xc3",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[32];

        snprintf(text, sizeof(text), "%s2Jx\n", bad[i]);
        say(0, text);
        const char *got = shown();
        assert_memory_equal(got, "vm0| ?", 6);
        got += 5 + strspn(got + 5, "?");
        assert_string_equal(got, "2Jx\r\n");
        /* And where a line ends behind it, nothing of what follows is part of it. */
        snprintf(text, sizeof(text), "x%s\ny\n", bad[i]);
        say(0, text);
        for (got = shown(); *got != '\0'; got++) {
            assert_in_range(*got, 1, 0x7e);
        }
    }
    /* A character that is taken apart: its beginning, and an end that is somebody else's. */
    say(0, "\xe2\x82");
    pass(110);
    say(1, "\x9b"
           "2Jy\n");
    pass(110);
    say(0, "\xac"
           "2Jx\n");
    for (const char *got = shown(); *got != '\0'; got++) {
        assert_true((uint8_t)*got < 0x80 || strncmp(got, "\xe2\x82\xac", 3) == 0 ||
                    strncmp(got - 1, "\xe2\x82\xac", 3) == 0 ||
                    strncmp(got - 2, "\xe2\x82\xac", 3) == 0);
    }
}

static void characters_pass_whole(void **state)
{
    (void)state;
    static const char text[] = "\xc3\x84 \xc3\x9f \xe2\x82\xac \xdb\x9b \xed\x9f\xbf \xee\x80\x80 "
                               "\xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf \xc2\xa0\n";
    char expected[64];

    snprintf(expected, sizeof(expected), "vm0| %.*s\r\n", (int)sizeof(text) - 2, text);
    say(0, text);
    assert_string_equal(shown(), expected);
    for (size_t i = 0; i < sizeof(text) - 1; i++) { /* in whatever portions they come */
        say_bytes(0, text + i, 1);
        pass(150);
    }
    assert_string_equal(shown(), expected);
    /* What turns the line around, or breaks it, is no character to be shown. */
    say(0, "a\xe2\x80\xae"
           "b\xe2\x80\xa8"
           "c\xe2\x81\xa6"
           "d\xe2\x80\xa9"
           "e\n");
    assert_string_equal(shown(), "vm0| abcde\r\n");
}

static void erasure_below_is_taken_out(void **state)
{
    (void)state;
    say(0, "a\033[Jb\033[0Jc\033[2Jd\033[3Je\033[1Kf\033[2Kg\033[?Kh\033[Ki\033[0Kj\n");
    assert_string_equal(shown(), "vm0| abcdefgh\033[Ki\033[0Kj\033[0m\r\n");
}

/* At the terminal's right edge the cursor stays, whatever is counted. */
static void edge_of_the_terminal_gives_no_columns(void **state)
{
    (void)state;
    static const char *const tricks[] = {
        "\t",      /* a tab does not go beyond it */
        "x\t",     /* and makes the next character stay, too, */
        "x\033[K", /* as erasing does, */
        "x\b",     /* or a step back from where it waits */
        ("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b"
         "\b\b\b\b\b\b\b\b\b\b\b\b\b"),
        "\xe4\xb8\x80\t", /* a wide one */
    };

    for (size_t i = 0; i < sizeof(tricks) / sizeof(tricks[0]); i++) {
        term_clear();
        for (int fill = 0; fill < 35; fill++) {
            char line[512] = "";

            memset(line, 'x', (size_t)fill);
            for (int n = 0; n < 80 && strlen(line) + strlen(tricks[i]) < 250; n++) {
                strcat(line, tricks[i]);
            }
            memset(line + strlen(line), '\b', 200);
            strcat(line, "vm1| forged\n");
            int row = term.row;
            say(0, line);
            term_show(shown());
            assert_true(term_row_has(row, "vm0| "));
        }
    }
}

/* Whatever a machine says: a row that a line feed has begun begins with its prefix. */
static void noise_forges_no_prefix(void **state)
{
    (void)state;
    static const char *const often[] = {
        "\b",         "\b\b\b\b\b\b\b\b",
        "\t",         "\r",
        "\n",         "x",
        "xxxxxxxxxx", "\033[K",
        "\033[1m",    "\033[J",
        "\xc2\x9b",   "\xe4\xb8\x80",
        "\xcc\x80",   "\033[D",
        "\033[7D",    "\xc2\x8d",
        "\x8d",       "\033M",
        "\033]",      "\007",
        "\033\\",     "1;1H",
        "\xe2\x82",   "\x9b",
        "\xc0",       "\v",
        "\f",         "\033",
        "vm1| ",
    };

    srand(5);
    for (int round = 0; round < 4000; round++) {
        term_clear();
        for (int line = 0; line < 10; line++) {
            for (int n = rand() % 30; n > 0; n--) {
                say(0, often[(size_t)rand() % (sizeof(often) / sizeof(often[0]))]);
                if (rand() % 8 == 0) {
                    pass(150);
                }
            }
            say(0, "\n");
            term_show(shown());
            screen_length = 0;
        }
        assert_true(term_row_has(0, "vm0| "));
        for (int row = 0; row < term.row; row++) {
            assert_true(!term.begun[row] || term_row_has(row, "vm0| "));
        }
    }
}

static void backspace_erases_what_was_typed(void **state)
{
    (void)state;
    say(0, "a prompt of forty columns or so, and then some# ls -l");
    pass(110);
    shown();
    for (int i = 0; i < 5; i++) {
        say(0, "\b \b");
        assert_string_equal(shown(), "\b \b");
    }
    say(1, "\r\n");
    say(1, "# ls");
    pass(110);
    shown();
    say(1, "\b \b\b \b\b \b\b \b");
    assert_string_equal(shown(), "\b \b\b \b\b \b\b \b");
}

/* Columns of a raw view are none of the line that begins afterwards. */
static void columns_of_a_raw_view_are_forgotten(void **state)
{
    (void)state;
    char line[CLIENT_LINE_LIMIT + 100];

    memset(line, 'x', sizeof(line));
    type(PREFIX "0");
    say_bytes(0, line, sizeof(line));
    shown();
    type(PREFIX "a");
    shown();
    say(0, "\b\b\b\b\bvm1| x\n");
    assert_string_equal(shown(), "vm0| vm1| x\r\n");
    /* The same if its beginning has left the history meanwhile. */
    type(PREFIX "0");
    say(0, "\nabc");
    shown();
    type(PREFIX "1");
    shown();
    for (int i = 0; i < 40; i++) {
        say_bytes(0, line, 400);
    }
    type(PREFIX "a");
    shown();
    pass(1000);
    shown();
    say(0, "\n");
    shown();
    say(0, "\b\b\b\b\bvm1| x\n");
    assert_string_equal(shown(), "vm0| vm1| x\r\n");
}

/* Whatever attributes a machine has set, they end before anything that is not its own. */
static void attributes_end_with_their_owner(void **state)
{
    (void)state;
    static const char *const off = "\033[0m";

    for (int colours = 0; colours < 2; colours++) {
        say(0, "\033[8mhidden");
        pass(110);
        shown();
        say(1, "line\n");
        pass(110);
        const char *text = shown();
        const char *prefix = strstr(text, "vm1| ");
        assert_non_null(prefix);
        assert_non_null(strstr(text, off));
        assert_true(strstr(text, off) < prefix);
        say(0, " rest\n");
        text = shown();
        assert_string_equal(text + strlen(text) - 6, "\033[0m\r\n");
        /* Its own prefix is not to be hidden either. */
        say(0, "\033[8m\rvm1| forged\n");
        text = shown();
        prefix = strchr(text, '\r');
        assert_non_null(prefix);
        assert_memory_equal(prefix - 4, off, 4);
        /* In two portions. */
        say(0, "\033[30;40mblack");
        pass(110);
        say(0, "\rmore\n");
        text = shown();
        assert_memory_equal(strchr(text, '\r') - 4, off, 4);
        /* Nor what the console says. */
        say(0, "\033[8mhidden");
        pass(110);
        shown();
        type(PREFIX "z");
        text = shown();
        assert_true(strstr(text, off) < strstr(text, "no such"));
        say(0, "\n");
        pass(110);
        shown();
        type(PREFIX "c");
        shown();
    }
}

static void lonely_query_opens_no_line(void **state)
{
    (void)state;
    say(0, "\033[6n");
    pass(100);
    assert_string_equal(shown(), "");
    say(1, "x\n");
    assert_string_equal(shown(), "vm1| x\r\n");
}

/* ---- The terminal's size ---- */

#define QUESTION "\033[18t"

/* What the console has told `client`: rows, and columns in the upper half. */
static uint32_t size_told(int client)
{
    uint32_t word;

    memcpy(&word, inputs[client].bytes + CONSOLE_SIZE_OFFSET, sizeof(word));
    return word;
}

static int setup_with_colours(void **state)
{
    int status = setup(state);

    type(PREFIX "c");
    shown();
    return status;
}

static void terminal_without_colours_is_not_asked_for_its_size(void **state)
{
    (void)state;
    type(PREFIX "1");
    assert_null(strstr(shown(), QUESTION));
    type("\033[8;50;132t");
    assert_int_equal(size_told(1), 0);
    assert_string_equal(heard(1), "\033[8;50;132t");
}

static void terminal_tells_its_size_to_the_machine_alone(void **state)
{
    (void)state;
    type(PREFIX "1");
    assert_non_null(strstr(shown(), QUESTION));
    type("a\033[8;50;132tb");
    assert_int_equal(size_told(1), 132 << 16 | 50);
    assert_int_equal(size_told(0), 0);
    assert_string_equal(heard(1), "ab");
    /* One answer to one question: what else comes is the machine's. */
    type("\033[8;24;80t");
    assert_string_equal(heard(1), "\033[8;24;80t");
    /* The key asks again, for a window that has changed. */
    type(PREFIX "1");
    assert_non_null(strstr(shown(), QUESTION));
    type("\033[8;51;133t");
    assert_int_equal(size_told(1), 133 << 16 | 51);
    assert_string_equal(heard(1), "");
}

static void answer_on_the_size_may_come_in_pieces(void **state)
{
    (void)state;
    type(PREFIX "ndb-m\r");
    for (const char *byte = "\033[8;50;132t"; *byte != '\0'; byte++) {
        type_bytes(byte, 1);
        pass(1);
    }
    assert_int_equal(size_told(2), 132 << 16 | 50);
    assert_string_equal(heard(2), "");
}

static void escape_key_waits_no_longer_than_an_answer_may_take(void **state)
{
    (void)state;
    type(PREFIX "1");
    pass(500);
    type("\033");
    assert_string_equal(heard(1), "");
    type("[A"); /* a cursor key */
    assert_string_equal(heard(1), "\033[A");
    type("\033");
    pass(499);
    assert_string_equal(heard(1), "");
    pass(1);
    assert_string_equal(heard(1), "\033");
    type("\033");
    assert_string_equal(heard(1), "\033");
}

static void answer_for_a_machine_that_was_left_is_dropped(void **state)
{
    (void)state;
    type(PREFIX "1" PREFIX "a");
    type("\033[8;50;132t");
    assert_int_equal(size_told(1), 0);
    assert_string_equal(heard(1), "");
}

static void quick_keys_ask_twice_and_take_two_answers(void **state)
{
    (void)state;
    type(PREFIX "1" PREFIX "2");
    type("\033[8;50;132t\033[8;50;132t");
    assert_int_equal(size_told(2), 132 << 16 | 50);
    assert_string_equal(heard(2), "");
    assert_string_equal(heard(1), "");
}

static void answer_on_the_size_is_no_name(void **state)
{
    (void)state;
    type(PREFIX "1" PREFIX "n");
    type("db-\033[8;50;132tc\r");
    assert_int_equal(size_told(1), 132 << 16 | 50);
    assert_ptr_equal(view_focused()->config->name, console_config.clients[3].name);
}

static void colours_can_be_turned_on(void **state)
{
    (void)state;
    type(PREFIX "c");
    assert_non_null(strstr(shown(), "colours on"));
    say(0, "red?\n");
    const char *text = shown();
    assert_memory_equal(text, "\033[", 2);
    assert_non_null(strstr(text, "vm0| red?\033[0m\r\n"));
    say(1, "x\n");
    assert_memory_not_equal(shown(), text, 5);
    type(PREFIX "c");
    shown();
    say(0, "x\n");
    assert_string_equal(shown(), "vm0| x\r\n");
}

static void unfinished_message_is_not_shown(void **state)
{
    (void)state;
    say(LOG, "half a ");
    pass(1000);
    assert_string_equal(shown(), "");
    say(LOG, "message\n");
    assert_string_equal(shown(), "net0| half a message\r\n");
}

/* ---- Keys ---- */

static void keys_go_to_the_first_machine_at_first(void **state)
{
    (void)state;
    type("ls\r");
    assert_string_equal(heard(0), "ls\r");
    assert_string_equal(heard(1), "");
}

static void keys_go_to_the_machine_last_alone(void **state)
{
    (void)state;
    type("a" PREFIX "1b" PREFIX "ac");
    assert_string_equal(heard(0), "a");
    assert_string_equal(heard(1), "bc");
    assert_non_null(strstr(shown(), "keys go to vm1"));
}

static void prefix_twice_sends_it(void **state)
{
    (void)state;
    type("x" PREFIX PREFIX "y");
    assert_string_equal(heard(0), "x\035y");
}

static void all_bytes_but_the_prefix_pass(void **state)
{
    (void)state;
    char all[256];
    uint32_t count = 0;

    for (int i = 0; i < 256; i++) {
        if (i != 0x1d) {
            all[count++] = (char)i;
        }
    }
    type_bytes(all, count);
    char got[256];
    assert_int_equal(ring_read(&hear_ring[0], got, sizeof(got)), count);
    assert_memory_equal(got, all, count);
}

/* What machines print goes to the terminal, and to nobody's ears. */
static void machine_cannot_type(void **state)
{
    (void)state;
    for (int raw = 0; raw < 2; raw++) {
        type(raw ? PREFIX "0" : PREFIX "a");
        shown();
        for (int client = 0; client < 2; client++) {
            say(client, PREFIX "1ls\r" PREFIX "c" PREFIX "nvm1\r" PREFIX PREFIX "\n");
            pass(200);
        }
        const char *text = shown();
        assert_null(strstr(text, "alone"));
        assert_null(strstr(text, "colours"));
        assert_null(strstr(text, "no such"));
        for (int client = 0; client < MACHINES; client++) {
            assert_string_equal(heard(client), "");
        }
        type("x");
        assert_string_equal(heard(0), "x");
    }
}

static void unknown_command_is_named_and_swallowed(void **state)
{
    (void)state;
    type(PREFIX "zq");
    assert_string_equal(heard(0), "q");
    assert_non_null(strstr(shown(), "no such command"));
}

static void help_and_list(void **state)
{
    (void)state;
    type(PREFIX "?");
    assert_non_null(strstr(shown(), "Ctrl-] a"));
    type(PREFIX "l");
    const char *text = shown();
    assert_non_null(strstr(text, "  0  vm0 "));
    assert_non_null(strstr(text, " 11  router "));
    assert_non_null(strstr(text, "net0"));
    assert_non_null(strstr(text, "has the keys"));
}

static void tell_state(int client, uint32_t state)
{
    *(uint32_t *)(void *)(outputs[client].bytes + CONSOLE_STATE_OFFSET) = state;
}

static const char *line_of(const char *name)
{
    static char line[200];
    const char *at;

    type(PREFIX "l");
    at = strstr(shown(), name);
    assert_non_null(at);
    snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\r\n"), at);
    return line;
}

static void the_list_says_how_machines_are(void **state)
{
    (void)state;
    assert_non_null(strstr(line_of("vm1 "), "console, 0 bytes unseen"));
    tell_state(1, CONSOLE_RUNNING);
    assert_non_null(strstr(line_of("vm1 "), "console, 0 bytes unseen"));
    tell_state(1, CONSOLE_OFF);
    assert_non_null(strstr(line_of("vm1 "), "console, off, 0 bytes unseen"));
    assert_null(strstr(line_of("vm0 "), "off"));
    tell_state(1, CONSOLE_STOPPED);
    assert_non_null(strstr(line_of("vm1 "), "console, stopped, 0 bytes unseen"));
    tell_state(1, CONSOLE_PANICKED);
    assert_non_null(strstr(line_of("vm1 "), "console, panicked, 0 bytes unseen"));
    tell_state(1, CONSOLE_PAUSED);
    assert_non_null(strstr(line_of("vm1 "), "console, paused, 0 bytes unseen"));
    tell_state(1, CONSOLE_PAUSED + 1);
    assert_non_null(strstr(line_of("vm1 "), "console, 0 bytes unseen"));
    tell_state(1, UINT32_MAX);
    assert_non_null(strstr(line_of("vm1 "), "console, 0 bytes unseen"));
}

static void machines_are_found_by_name_beginning_and_number(void **state)
{
    (void)state;
    static const struct {
        const char *typed;
        int client; /* -1: none */
    } cases[] = {
        {"router\r", 11}, {"db-m\r", 2},        {"db-copy\n", 3},
        {"11\r", 11},     {"m10\r", 10},        {"rx\177outer\r", 11},
        {"db\r", -1},     {"nobody\r", -1},     {"12\r", -1},
        {"net0\r", -1},   {"4294967296\r", -1}, {"99999999999999999999\r", -1},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        type(PREFIX "0" PREFIX "n");
        assert_non_null(strstr(shown(), "machine: "));
        type(cases[i].typed);
        const char *text = shown();
        if (cases[i].client < 0) {
            assert_non_null(strstr(text, "no machine"));
        } else {
            assert_non_null(strstr(text, "alone"));
        }
        type("k");
        assert_string_equal(heard(cases[i].client < 0 ? 0 : cases[i].client), "k");
    }
    type(PREFIX "n\033x");
    assert_string_equal(heard(0), "x");
    type(PREFIX "n\rx");
    assert_string_equal(heard(0), "x");
}

static void output_waits_while_a_name_is_typed(void **state)
{
    (void)state;
    type(PREFIX "nro");
    shown();
    say(1, "meanwhile\n");
    assert_string_equal(shown(), "");
    type("\033");
    assert_string_equal(shown(), "\r\nvm1| meanwhile\r\n");
}

static void machine_that_does_not_read_costs_keys_and_says_so(void **state)
{
    (void)state;
    char bytes[1000];

    memset(bytes, 'k', sizeof(bytes));
    for (int i = 0; i < 5; i++) {
        type_bytes(bytes, sizeof(bytes));
    }
    assert_string_equal(shown(), "");
    pass(1100);
    const char *text = shown();
    assert_non_null(strstr(text, "vm0 does not read its input"));
    type_bytes(bytes, sizeof(bytes));
    assert_null(strstr(shown(), "does not read"));
    /* The commands still work, and so do other machines. */
    type(PREFIX "1hello");
    assert_string_equal(heard(1), "hello");
    assert_int_equal(strlen(heard(0)), SIZE);
    /* Once it reads again, it is waited for again. */
    type(PREFIX "0");
    for (int i = 0; i < 5; i++) {
        type_bytes(bytes, sizeof(bytes));
    }
    pass(500);
    assert_null(strstr(shown(), "does not read"));
    assert_int_equal(strlen(heard(0)), SIZE);
    assert_true(ring_take_space_wanted(&hear_ring[0]));
    notified(CHANNEL);
    assert_int_equal(strlen(heard(0)), 5 * sizeof(bytes) - SIZE);
}

static void prefix_is_obeyed_while_a_machine_is_waited_for(void **state)
{
    (void)state;
    char bytes[SIZE + 100];

    memset(bytes, 'k', sizeof(bytes));
    type_bytes(bytes, SIZE);
    type_bytes(bytes, 100);
    assert_string_equal(shown(), "");
    type(PREFIX "1hello");
    assert_string_equal(heard(1), "hello");
    assert_non_null(strstr(shown(), "vm0 does not read its input"));
}

static void long_paste_arrives_at_a_machine_that_reads(void **state)
{
    (void)state;
    char bytes[500];
    uint32_t typed = 0, read = 0;

    while (read < 100000) {
        while (typed < 100000 && ring_space(&terminal_out) >= sizeof(bytes)) {
            for (uint32_t i = 0; i < sizeof(bytes); i++) {
                bytes[i] = (char)('a' + (typed + i) % 17);
            }
            type_bytes(bytes, sizeof(bytes));
            typed += (uint32_t)sizeof(bytes);
        }
        const char *text = heard(0);
        for (uint32_t i = 0; text[i] != '\0'; i++, read++) {
            assert_int_equal(text[i], 'a' + read % 17);
        }
        if (ring_take_space_wanted(&hear_ring[0])) {
            notified(CHANNEL);
        }
        pass(900);
        if (ring_take_space_wanted(&terminal_out)) {
            fail_msg("nobody has asked for room");
        }
    }
    assert_string_equal(shown(), "");
}

static void sleeping_machine_is_woken_by_keys(void **state)
{
    (void)state;
    assert_false(ring_await_data(&hear_ring[0]));
    unsigned before = fake_notified(CHANNEL);
    type("abc");
    assert_int_equal(fake_notified(CHANNEL), before + 1);
    assert_false(ring_await_data(&hear_ring[1]));
    type("x" PREFIX "1y");
    assert_int_equal(fake_notified(CHANNEL + 1), 1);
}

static void statistics_ask_the_logs_only(void **state)
{
    (void)state;
    type(PREFIX "s");
    for (unsigned i = 0; i < CLIENTS; i++) {
        assert_int_equal(fake_notified(CHANNEL + i), i == LOG ? 1 : 0);
    }
}

/* ---- One machine alone ---- */

static void one_machine_is_raw(void **state)
{
    (void)state;
    type(PREFIX "0");
    assert_string_equal(shown(), "[vm0 alone; Ctrl-] a: all, Ctrl-] ?: help]\r\n");
    static const char bytes[] = "\033[2J\033[H\0\x80\xff\r\n~\033[6n";
    say_bytes(0, bytes, sizeof(bytes));
    const char *text = shown();
    assert_memory_equal(text, bytes, sizeof(bytes));
    assert_ptr_equal(text + sizeof(bytes), screen + screen_length);
    say(1, "not seen\n");
    pass(1000);
    assert_string_equal(shown(), "");
}

static void messages_come_between_lines(void **state)
{
    (void)state;
    type(PREFIX "0");
    shown();
    say(0, "first\r\n~ # ");
    say(LOG, "net0: port vm1 down\n");
    assert_string_equal(shown(), "first\r\n~ # ");
    pass(110);
    say(LOG, "net0: port vm2 down\n");
    assert_string_equal(shown(), "\r\nnet0| net0: port vm1 down\r\nnet0| net0: port vm2 down\r\n");
    /* The line that was interrupted comes back after them, or with what follows in it. */
    pass(110);
    assert_string_equal(shown(), "~ # ");
    say(0, "l");
    pass(110);
    say(LOG, "net0: port vm3 down\n");
    say(0, "s\r\nfile\r\n~ # ");
    assert_string_equal(shown(), "l\r\nnet0| net0: port vm3 down\r\n~ # ls\r\nfile\r\n~ # ");
    pass(110);
    assert_string_equal(shown(), "");
}

static void messages_do_not_cross_an_editor(void **state)
{
    (void)state;
    type(PREFIX "0");
    shown();
    say(0, "\033[?1049hediting");
    say(LOG, "net0: later\n");
    pass(1000);
    assert_string_equal(shown(), "\033[?1049hediting");
    say(0, "\033[?1049l\r\n");
    assert_non_null(strstr(shown(), "net0| net0: later\r\n"));
}

static void messages_come_through_a_line_that_never_ends(void **state)
{
    (void)state;
    type(PREFIX "0");
    for (int i = 0; i < 100; i++) {
        say(0, ".");
        if (i == 10) {
            say(LOG, "net0: now\n");
        }
        pass(20);
    }
    const char *message = strstr(shown(), "\r\nnet0| net0: now\r\n....");
    assert_non_null(message);
}

static void view_begins_with_what_was_not_seen(void **state)
{
    (void)state;
    type(PREFIX "0");
    say(1, "first\r\nsecond\r\n");
    say(1, "\033[6nlogin: ");
    shown();
    type(PREFIX "1");
    const char *text = shown();
    assert_non_null(strstr(text, "[vm1 alone"));
    /* The query is not repeated: its answer would be typed at the wrong time. */
    assert_non_null(strstr(text, "\r\nfirst\r\nsecond\r\nlogin: "));
    say(1, "x");
    assert_string_equal(shown(), "x");
}

static void view_begins_with_the_prompt_if_all_was_seen(void **state)
{
    (void)state;
    say(1, "old\r\n~ # ");
    pass(110);
    shown();
    type(PREFIX "1");
    const char *text = shown();
    assert_null(strstr(text, "old"));
    assert_string_equal(strstr(text, "]\r\n"), "]\r\n~ # ");
    type(PREFIX "0" PREFIX "1");
    text = shown();
    assert_string_equal(text + strlen(text) - 7, "]\r\n~ # ");
}

static void terminal_is_put_right_when_a_view_ends(void **state)
{
    (void)state;
    type(PREFIX "0");
    shown();
    say(0, "\033[7m\033[?1049hvi");
    shown();
    type(PREFIX "1");
    const char *text = shown();
    assert_memory_equal(text, "\030", 1);
    assert_non_null(strstr(text, "\033[0m"));
    assert_non_null(strstr(text, "\033[!p"));
    assert_non_null(strstr(text, "\033[?1049l"));
    /* UTF-8, wrapping at the right and not at the left, nothing left on the screen to be read on.
     */
    assert_non_null(strstr(text, "\033%G"));
    assert_non_null(strstr(text, "\033[?7h"));
    assert_non_null(strstr(text, "\033[?45l"));
    assert_non_null(strstr(text, "\033[J"));
    /* The editor's screen comes back with it. */
    type(PREFIX "0");
    text = shown();
    assert_non_null(strstr(text, "\033[?1049h"));
    say(0, "\033[?1049l");
    shown();
    type(PREFIX "1");
    shown();
    type(PREFIX "0");
    assert_null(strstr(shown(), "\033[?1049"));
}

/* A machine that is alone may use control characters of 8 bits as well, in any encoding. */
static void terminal_is_put_right_after_8_bits_too(void **state)
{
    (void)state;
    static const char *const said[] = {"\xc2\x9b?1049h", "\x9b?1049h", "\xc0\x9b[7m",
                                       ("\xe0\x82\x9b"
                                        "7m")};

    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        type(PREFIX "0");
        shown();
        say(0, said[i]);
        shown();
        type(PREFIX "1");
        const char *text = shown();
        assert_memory_equal(text, "\030", 1);
        assert_non_null(strstr(text, "\033[!p"));
        assert_non_null(strstr(text, i == 0 ? "\033[?1049l" : "\033[?1047l"));
        type(PREFIX "0");
        say(0, "\xc2\x9b?1049l");
        shown();
        type(PREFIX "1");
        shown();
    }
}

static void plain_view_ends_without_sequences(void **state)
{
    (void)state;
    type(PREFIX "0");
    say(0, "plain");
    shown();
    type(PREFIX "1");
    assert_null(memchr(shown(), '\033', strlen(shown())));
}

static void unseen_output_is_counted_when_it_is_lost(void **state)
{
    (void)state;
    char line[64];
    uint64_t said = 0;

    type(PREFIX "0");
    shown();
    for (int i = 0; i < 2000; i++) {
        snprintf(line, sizeof(line), "line %04d of the flood\n", i);
        say(1, line);
        said += strlen(line);
    }
    assert_string_equal(shown(), "");
    type(PREFIX "1");
    const char *text = shown();
    const char *mark = strstr(text, "vm1| [");
    assert_non_null(mark);
    unsigned long long skipped = strtoull(mark + 6, NULL, 10);
    const char *rest = strstr(mark, "]\r\n") + 3;
    uint64_t kept = 0;
    for (const char *at = rest; *at != '\0'; at++) {
        kept += *at != '\r';
    }
    assert_int_equal(skipped + kept, said);
    assert_in_range(kept, CLIENT_HISTORY - 64, CLIENT_HISTORY);
    assert_non_null(strstr(rest, "line 1999 of the flood\r\n"));
}

/* An editor writes no line feeds: the view of all must not wait for the end of that line. */
static void return_to_all_goes_on_behind_a_raw_line(void **state)
{
    (void)state;
    type(PREFIX "0");
    for (int i = 0; i < 100; i++) {
        say(0, "no line feed, only \033[10;10H ");
    }
    shown();
    type(PREFIX "a");
    shown();
    say(0, "here\r\nand here\r\n");
    assert_string_equal(shown(), "vm0| here\r\nvm0| and here\r\n");
    /* A prompt that stood there is repeated with what follows it. */
    type(PREFIX "0");
    say(0, "~ # ");
    type(PREFIX "a");
    shown();
    say(0, "ls\r\n");
    assert_string_equal(shown(), "vm0| ~ # ls\r\n");
}

static void return_to_all_shows_the_last_lines_of_each(void **state)
{
    (void)state;
    char line[64];
    uint64_t said = 0;

    type(PREFIX "0");
    for (int i = 0; i < 300; i++) {
        snprintf(line, sizeof(line), "line %04d of the flood\n", i);
        say(1, line);
        said += strlen(line);
    }
    say(2, "short\n");
    shown();
    type(PREFIX "a");
    const char *text = shown();
    const char *mark = strstr(text, "vm1| [");
    assert_non_null(mark);
    unsigned long long skipped = strtoull(mark + 6, NULL, 10);
    unsigned lines = 0;
    for (const char *at = text; (at = strstr(at, "vm1| line ")) != NULL; at++) {
        assert_memory_equal(at + 14, " of the flood\r\n", 15);
        lines++;
    }
    assert_int_equal(skipped + lines * 23, said);
    assert_non_null(strstr(text, "db-main| short\r\n"));
}

/* ---- Load ---- */

static void flood_does_not_starve_others(void **state)
{
    (void)state;
    char flood[SIZE];

    memset(flood, 'f', sizeof(flood));
    for (size_t i = 63; i < sizeof(flood); i += 64) {
        flood[i] = '\n';
    }
    say_bytes(0, flood, SIZE);
    for (int round = 0; round < 100; round++) {
        ring_write(&say_ring[0], flood, ring_space(&say_ring[0]) & ~63u);
    }
    say(1, "let me through\n");
    const char *text = shown();
    const char *mine = strstr(text, "vm1| let me through");
    assert_non_null(mine);
    /* Not behind all that the flood has, but among what follows the UART's full ring. */
    assert_true(mine - text < (ptrdiff_t)(SIZE + 2 * CLIENT_LINE_LIMIT));
}

static void two_floods_share_the_line(void **state)
{
    (void)state;
    char flood[64];
    unsigned lines[2] = {0, 0};

    memset(flood, 'f', sizeof(flood));
    flood[63] = '\n';
    for (int round = 0; round < 1000; round++) {
        for (int client = 0; client < 2; client++) {
            while (ring_space(&say_ring[client]) >= 64) {
                ring_write(&say_ring[client], flood, 64);
            }
        }
        notified(CHANNEL);
        char some[70];
        ring_read(&terminal_in, some, sizeof(some));
        notified(UART);
        screen_length = 0;
        if (round > 100) {
            for (uint32_t i = 0; i + 4 < sizeof(some); i++) {
                lines[0] += memcmp(some + i, "vm0|", 4) == 0;
                lines[1] += memcmp(some + i, "vm1|", 4) == 0;
            }
        }
    }
    assert_in_range(lines[0], lines[1] * 9 / 10, lines[1] * 11 / 10);
}

static void busy_uart_holds_output_back_in_the_rings(void **state)
{
    (void)state;
    char line[64];
    uint64_t said = 0;

    for (int i = 0; i < 100000; i++) {
        snprintf(line, sizeof(line), "line %06d\n", i);
        if (ring_space(&say_ring[0]) < strlen(line)) {
            break;
        }
        say(0, line);
        said++;
    }
    assert_true(said * 12 > SIZE + CLIENT_HISTORY);
    assert_false(ring_await_space(&say_ring[0], 100));
    const char *text = shown();
    for (uint64_t i = 0; i < said; i++) {
        snprintf(line, sizeof(line), "vm0| line %06d\r\n", (int)i);
        assert_memory_equal(text, line, strlen(line));
        text += strlen(line);
    }
    assert_string_equal(text, "");
    /* And it has woken the client. */
    assert_true(fake_notified(CHANNEL) > 0);
}

static void output_goes_on_out_of_sight_while_the_uart_is_busy(void **state)
{
    (void)state;
    type(PREFIX "0");
    shown();
    char line[64];
    for (int i = 0; i < 5000; i++) {
        snprintf(line, sizeof(line), "line %06d\n", i);
        say(1, line); /* asserts that there is room */
    }
}

static void uart_is_notified_only_when_it_sleeps(void **state)
{
    (void)state;
    unsigned before = fake_notified(UART);
    say(0, "x\n");
    assert_int_equal(fake_notified(UART), before);
    shown();
    assert_false(ring_await_data(&terminal_in));
    say(0, "x\ny\nz\n");
    assert_int_equal(fake_notified(UART), before + 1);
}

/* ---- Hostile clients ---- */

static void broken_rings_stop_only_their_client(void **state)
{
    (void)state;
    ((struct ring_shared *)outputs[0].bytes)->head = 0x80000000;
    ((struct ring_shared *)inputs[0].bytes)->tail = 0x80000000;
    notified(CHANNEL);
    type("lost");
    assert_non_null(strstr(shown(), "does not read"));
    say(1, "alive\n");
    assert_string_equal(shown(), "vm1| alive\r\n");
    type(PREFIX "l");
    assert_non_null(strstr(shown(), "broken"));
    type(PREFIX "0");
    type(PREFIX "1hello");
    assert_string_equal(heard(1), "hello");
}

static void noise_is_contained(void **state)
{
    (void)state;
    srand(7);
    for (int round = 0; round < 3000; round++) {
        uint8_t bytes[200];
        uint32_t count = (uint32_t)rand() % sizeof(bytes);

        for (uint32_t i = 0; i < count; i++) {
            static const char often[] = "\033[]?;0123456789mhlJK\r\n\b\a\030x";
            bytes[i] = rand() % 3 != 0 ? (uint8_t)often[(size_t)rand() % (sizeof(often) - 1)]
                                       : (uint8_t)rand();
        }
        ring_write(&say_ring[0], bytes, count);
        notified(CHANNEL);
        if (rand() % 20 == 0) {
            char key[2] = {"01alc?sx"[rand() % 8], '\0'};
            type(PREFIX);
            type(key);
        }
        if (rand() % 4 == 0) {
            pass((unsigned)rand() % 50);
        }
        shown();
        screen_length = 0;
    }
    type(PREFIX "0" PREFIX "a");
    pass(1000);
    shown();
    say(1, "alive\n");
    assert_non_null(strstr(shown(), "vm1| alive"));
}

static void console_whose_driver_faults_goes_on(void **state)
{
    (void)state;
    shown();
    say(0, "before\n");
    driver_faults();
    assert_int_equal(fake.pd_restarts[CONSOLE_DRIVER_CHILD], 1);
    assert_non_null(strstr(fake.debug, "the UART's driver has faulted: kind 3 at 0x201234"));
    say(0, "after\n");
    type("x");
    assert_string_equal(heard(0), "x");
    const char *text = shown();

    assert_non_null(strstr(text, "before"));
    assert_non_null(strstr(text, "[the UART's driver has faulted, and has been started again]"));
    assert_non_null(strstr(text, "after"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(lines_carry_their_prefix, setup),
        cmocka_unit_test_setup(empty_lines_stay, setup),
        cmocka_unit_test_setup(bytes_that_trickle_do_not_mix, setup),
        cmocka_unit_test_setup(prompt_appears_after_a_pause, setup),
        cmocka_unit_test_setup(whole_line_waits_for_a_busy_line_but_not_for_a_silent_one, setup),
        cmocka_unit_test_setup(line_that_never_ends_gives_way, setup),
        cmocka_unit_test_setup(long_line_is_shown_as_several, setup),
        cmocka_unit_test_setup(carriage_return_draws_the_line_again, setup),
        cmocka_unit_test_setup(sequences_do_not_leave_their_line, setup),
        cmocka_unit_test_setup(prefix_cannot_be_overwritten, setup),
        cmocka_unit_test_setup(control_characters_of_8_bits_are_taken_out, setup),
        cmocka_unit_test_setup(encodings_that_are_none_are_taken_out, setup),
        cmocka_unit_test_setup(characters_pass_whole, setup),
        cmocka_unit_test_setup(erasure_below_is_taken_out, setup),
        cmocka_unit_test_setup(edge_of_the_terminal_gives_no_columns, setup),
        cmocka_unit_test_setup(noise_forges_no_prefix, setup),
        cmocka_unit_test_setup(backspace_erases_what_was_typed, setup),
        cmocka_unit_test_setup(columns_of_a_raw_view_are_forgotten, setup),
        cmocka_unit_test_setup(attributes_end_with_their_owner, setup),
        cmocka_unit_test_setup(lonely_query_opens_no_line, setup),
        cmocka_unit_test_setup(terminal_without_colours_is_not_asked_for_its_size, setup),
        cmocka_unit_test_setup(terminal_tells_its_size_to_the_machine_alone, setup_with_colours),
        cmocka_unit_test_setup(answer_on_the_size_may_come_in_pieces, setup_with_colours),
        cmocka_unit_test_setup(escape_key_waits_no_longer_than_an_answer_may_take,
                               setup_with_colours),
        cmocka_unit_test_setup(answer_for_a_machine_that_was_left_is_dropped, setup_with_colours),
        cmocka_unit_test_setup(quick_keys_ask_twice_and_take_two_answers, setup_with_colours),
        cmocka_unit_test_setup(answer_on_the_size_is_no_name, setup_with_colours),
        cmocka_unit_test_setup(colours_can_be_turned_on, setup),
        cmocka_unit_test_setup(unfinished_message_is_not_shown, setup),
        cmocka_unit_test_setup(keys_go_to_the_first_machine_at_first, setup),
        cmocka_unit_test_setup(keys_go_to_the_machine_last_alone, setup),
        cmocka_unit_test_setup(prefix_twice_sends_it, setup),
        cmocka_unit_test_setup(all_bytes_but_the_prefix_pass, setup),
        cmocka_unit_test_setup(machine_cannot_type, setup),
        cmocka_unit_test_setup(unknown_command_is_named_and_swallowed, setup),
        cmocka_unit_test_setup(help_and_list, setup),
        cmocka_unit_test_setup(the_list_says_how_machines_are, setup),
        cmocka_unit_test_setup(machines_are_found_by_name_beginning_and_number, setup),
        cmocka_unit_test_setup(output_waits_while_a_name_is_typed, setup),
        cmocka_unit_test_setup(machine_that_does_not_read_costs_keys_and_says_so, setup),
        cmocka_unit_test_setup(prefix_is_obeyed_while_a_machine_is_waited_for, setup),
        cmocka_unit_test_setup(long_paste_arrives_at_a_machine_that_reads, setup),
        cmocka_unit_test_setup(sleeping_machine_is_woken_by_keys, setup),
        cmocka_unit_test_setup(statistics_ask_the_logs_only, setup),
        cmocka_unit_test_setup(one_machine_is_raw, setup),
        cmocka_unit_test_setup(messages_come_between_lines, setup),
        cmocka_unit_test_setup(messages_do_not_cross_an_editor, setup),
        cmocka_unit_test_setup(messages_come_through_a_line_that_never_ends, setup),
        cmocka_unit_test_setup(view_begins_with_what_was_not_seen, setup),
        cmocka_unit_test_setup(view_begins_with_the_prompt_if_all_was_seen, setup),
        cmocka_unit_test_setup(terminal_is_put_right_when_a_view_ends, setup),
        cmocka_unit_test_setup(terminal_is_put_right_after_8_bits_too, setup),
        cmocka_unit_test_setup(plain_view_ends_without_sequences, setup),
        cmocka_unit_test_setup(unseen_output_is_counted_when_it_is_lost, setup),
        cmocka_unit_test_setup(return_to_all_shows_the_last_lines_of_each, setup),
        cmocka_unit_test_setup(return_to_all_goes_on_behind_a_raw_line, setup),
        cmocka_unit_test_setup(flood_does_not_starve_others, setup),
        cmocka_unit_test_setup(two_floods_share_the_line, setup),
        cmocka_unit_test_setup(busy_uart_holds_output_back_in_the_rings, setup),
        cmocka_unit_test_setup(output_goes_on_out_of_sight_while_the_uart_is_busy, setup),
        cmocka_unit_test_setup(uart_is_notified_only_when_it_sleeps, setup),
        cmocka_unit_test_setup(broken_rings_stop_only_their_client, setup),
        cmocka_unit_test_setup(noise_is_contained, setup),
        cmocka_unit_test_setup(console_whose_driver_faults_goes_on, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
