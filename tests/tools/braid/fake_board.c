/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A board for tests of the command `braid`: the board's end of the control channel on a Unix
 * socket, with noise around, and damage if asked for.
 *
 *     fake_board SOCKET [DAMAGED [LATE [UPTIME [COUNTERS]]]]
 *
 * DAMAGED bytes of 1000 are changed on the way, both ways. Each hello is answered LATE ms late. The
 * board was started UPTIME ms before this. SIGUSR1 starts it anew, SIGUSR2 with another system,
 * whose first machine is `new0`.
 *
 * Machine 0, `vm0`, echoes its keys. Machine 1, `deaf`, reads nothing. Machine 2 has a name that
 * would control a terminal. `flood` writes all the time once it has got a key. `switch` writes
 * messages. It prints what it is told.
 *
 * If COUNTERS is `untold`, the states are not known in a session's first half second, and if it is
 * `mute`, never.
 *
 * What it has counted grows each time that it is asked, by two seconds. COUNTERS says how it
 * answers SETS and STATS (take_sets(), take_stats()); without it, as it should.
 */

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "lib/console_state.h"
#include "lib/control.h"
#include "lib/control_hello.h"
#include "lib/control_link.h"
#include "lib/stats.h"

#define CLIENTS    5u
#define ECHO_SIZE  2048u
#define SAID_SIZE  65536u
#define HISTORY    8192u /* as the console's */
#define FLOODING   3u
#define PROGRAM    4u
#define LINE_BYTES 256
#define LATE_MAX   16u

static struct {
    struct link link;
    struct control_hello hello;
    bool active;
    uint8_t states[CLIENTS];
    uint8_t told[CLIENTS];
    uint8_t said[SAID_SIZE]; /* by machine 0 */
    uint32_t total, shown;   /* of that, since the start and in this session */
    uint32_t lost, received, credit;
    uint64_t began; /* the session */
    bool flooding;
    bool line_sent;
} board;

static uint64_t started_at;
static volatile sig_atomic_t restart;
static const char *names[CLIENTS] = {"vm0", "deaf", "odd\x1b[31m\n", "flood", "switch"};
static unsigned damaged;
static uint64_t late_us;
static struct {
    uint64_t due;
    uint8_t token[LINK_TOKEN_SIZE];
} late[LATE_MAX];
static unsigned late_first, late_end; /* counted on, modulo LATE_MAX */
static uint8_t previous;
static const char *counters = "";

static bool is_mode(const char *mode)
{
    return strcmp(counters, mode) == 0;
}

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t board_time(void)
{
    return (now_us() - started_at) * 1000;
}

static uint8_t *put(uint8_t *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
    return at + bytes;
}

static void damage(uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if ((unsigned)rand() % 1000 < damaged) {
            bytes[i] ^= (uint8_t)(1 + rand() % 255);
        }
    }
}

static void say(const void *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        board.said[board.total++ % SAID_SIZE] = ((const uint8_t *)bytes)[i];
    }
}

static void start(uint64_t uptime_us)
{
    static const char text[] = "Linux\r\n\x1b[1mvm0\x1b[0m login: \r\n";

    memset(&board, 0, sizeof(board));
    memset(board.states, CONSOLE_RUNNING, sizeof(board.states));
    say(text, sizeof(text) - 1);
    started_at = now_us() - uptime_us;
    late_first = late_end;
}

static void note_restart(int number)
{
    restart = number;
}

static void begin(const uint8_t *token)
{
    memset(board.told, 0, sizeof(board.told));
    board.active = true;
    board.began = now_us();
    board.received = board.credit = 0;
    board.line_sent = false;
    board.lost = board.shown = board.total < HISTORY ? 0 : board.total - HISTORY;
    link_start(&board.link, LINK_BOARD, token, now_us());
    uint8_t *message = link_reserve(&board.link);
    uint8_t *at = put(message, CONTROL_WELCOME, 1);
    memcpy(at, token, LINK_TOKEN_SIZE);
    at = put(at + LINK_TOKEN_SIZE, CONTROL_VERSION, 2);
    link_commit(&board.link, (uint32_t)(put(put(at, CLIENTS, 2), board_time(), 8) - message));
    puts("session");
}

/* How the machine is, as far as its monitor has said so. */
static uint8_t state_of(unsigned client)
{
    bool told = !is_mode("mute") && (!is_mode("untold") || now_us() - board.began >= 500000);

    return told ? board.states[client] : CONSOLE_UNTOLD;
}

/* ---- From the host ---- */

static void take_input(const uint8_t *message, uint32_t length)
{
    if (message[1] == FLOODING) {
        board.flooding = true;
    }
    if (message[1] != 0) {
        return;
    }
    for (uint32_t i = 2; i < length; i++) {
        if (board.received == board.credit) {
            puts("beyond the credit");
            return;
        }
        board.received++;
        say(message + i, 1);
    }
}

static uint8_t *list(uint8_t *at, const uint8_t *end, unsigned first)
{
    for (unsigned i = first; i < CLIENTS && i < first + 2; i++) {
        size_t length = strlen(names[i]);

        if ((size_t)(end - at) < length + 4) {
            break;
        }
        at = put(at, i, 1);
        at = put(at, i == PROGRAM ? CONTROL_LOG : CONTROL_MACHINE, 1);
        at = put(put(at, state_of(i), 1), length, 1);
        memcpy(at, names[i], length);
        at += length;
    }
    return at;
}

static uint8_t power(uint8_t client, uint8_t verb)
{
    static const uint8_t states[] = {
        [CONTROL_START] = CONSOLE_RUNNING, [CONTROL_STOP] = CONSOLE_OFF,
        [CONTROL_KILL] = CONSOLE_OFF,      [CONTROL_RESTART] = CONSOLE_RUNNING,
        [CONTROL_PAUSE] = CONSOLE_PAUSED,  [CONTROL_RESUME] = CONSOLE_RUNNING};

    printf("power %u %u\n", client, verb);
    if (verb == CONTROL_RESUME && board.states[client] != CONSOLE_PAUSED) {
        return CONTROL_NOT_NOW;
    }
    board.states[client] = states[verb];
    return CONTROL_OK;
}

/* ---- Counters ---- */

#define SETS       6u
#define SETS_ROOM  2u  /* sets in an answer */
#define WORDS_ROOM 40u /* bytes of an answer to STATS */
#define SECOND     UINT64_C(1000000000)
#define SLOW_US    1000000u
#define HIGHEST    UINT64_MAX

struct word {
    uint64_t base, step;
};

static const struct word vm0_words[STATS_MACHINE_WORDS] = {{100 * SECOND, 4 * SECOND},
                                                           {25 * SECOND, 3 * SECOND},
                                                           {SECOND + SECOND / 5, SECOND / 10},
                                                           {1000, 200},
                                                           {0, 0},
                                                           {200, 20},
                                                           {34, 0},
                                                           {0, 0},
                                                           {0, 0},
                                                           {0, 0},
                                                           {0, 0},
                                                           {555, 10},
                                                           {2, 0},
                                                           {1, 0}};
/* Whatever a monitor writes comes through. */
static const struct word deaf_words[STATS_MACHINE_WORDS] = {
    {HIGHEST, 0}, {HIGHEST, 0}, {HIGHEST, 0}, {HIGHEST, 0}, {HIGHEST, 0},
    {HIGHEST, 0}, {HIGHEST, 0}, {HIGHEST, 0}, {HIGHEST, 0}, {HIGHEST, 0},
    {HIGHEST, 0}, {HIGHEST, 0}, {HIGHEST, 0}, {HIGHEST, 0}};
static const struct word port_words[STATS_PORT_WORDS] = {
    {100, 50}, {12345, 250000}, {90, 25}, {999, 125}, [4] = {3, 2}, [8] = {1, 0}, [13] = {7, 0}};
static const struct word uplink_words[STATS_PORT_WORDS] = {{5, 0}, {320, 0}};
static const struct word disk_words[STATS_DISK_WORDS] = {{60, 10},
                                                         {61440, 40960},
                                                         {30, 4},
                                                         {3000000, 0},
                                                         {9, 1},
                                                         {0, 0},
                                                         {1, 0},
                                                         {99 * 20000, 15 * 20000},
                                                         [8 + 7] = {98, 15},
                                                         [8 + 9] = {1, 0}};
static const struct word late_words[STATS_DISK_WORDS] = {
    {2, 0}, {8192, 0}, [7] = {30 * SECOND, 0}, [8 + 47] = {2, 0}};

static const struct {
    uint8_t kind, client, number, of_switch, words;
    const struct word *of;
} sets[SETS] = {
    {STATS_MACHINE, 0, 0, CONTROL_NOBODY, STATS_MACHINE_WORDS, vm0_words},
    {STATS_MACHINE, 1, 0, CONTROL_NOBODY, STATS_MACHINE_WORDS, deaf_words},
    {STATS_PORT, 0, 0, PROGRAM, STATS_PORT_WORDS, port_words},
    {STATS_PORT, PROGRAM, 0, PROGRAM, STATS_PORT_WORDS, uplink_words},
    {STATS_DISK, 0, 0, CONTROL_NOBODY, STATS_DISK_WORDS, disk_words},
    {STATS_DISK, 1, 0, CONTROL_NOBODY, STATS_DISK_WORDS, late_words},
};

static unsigned polls; /* how often all was asked for, less one */

static uint8_t *put_leb128(uint8_t *at, uint64_t value)
{
    do {
        *at++ = (uint8_t)(value % 128 + (value >= 128 ? 128 : 0));
        value /= 128;
    } while (value > 0);
    return at;
}

static uint8_t *put_set(uint8_t *at, unsigned number, unsigned client)
{
    unsigned kind = is_mode("newer") && number == 1 ? 9 : sets[number % SETS].kind;
    unsigned words = sets[number % SETS].words + (is_mode("newer") ? 3u : 0u);

    at = put(put(put(at, number, 2), kind, 1), client, 1);
    at = put(put(at, number / SETS, 1), sets[number % SETS].of_switch, 1);
    return put(at, words, 1);
}

static uint8_t *take_sets(uint8_t *at, uint8_t *status, unsigned first)
{
    unsigned count = is_mode("none") ? 0 : is_mode("endless") ? 1u << 16 : SETS;

    if (first == 0) {
        puts("poll");
        polls += 1;
    }
    if (is_mode("old")) {
        *status = CONTROL_UNKNOWN;
        return at;
    }
    for (unsigned i = first; i < count && i < first + SETS_ROOM; i++) {
        unsigned number = is_mode("gap") && i == 3 ? 4 : is_mode("again") && i == 3 ? 2 : i;

        at = put_set(at, number, is_mode("nobody") ? 77 : sets[i % SETS].client);
    }
    if (is_mode("twice") && first == 2) {
        at = put_set(at, 4, 0);
        put(at - 5, STATS_MACHINE, 1);
        put(at - 2, CONTROL_NOBODY, 1);
    }
    return is_mode("cut") && first == 2 ? at - 1 : at;
}

/* Words that are as they should not be. */
static uint8_t *put_wrong(uint8_t *at)
{
    static const uint8_t overlong[] = {0x81, 0x80, 0x00};
    static const uint8_t overflow[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02};
    static const uint8_t unending[] = {0x81, 0x80};

    if (is_mode("overlong")) {
        memcpy(at, overlong, sizeof(overlong));
        at += sizeof(overlong);
    } else if (is_mode("overflow")) {
        memcpy(at, overflow, sizeof(overflow));
        at += sizeof(overflow);
    } else if (is_mode("unending")) {
        memcpy(at, unending, sizeof(unending));
        at += sizeof(unending);
    } else if (is_mode("many")) {
        memset(at, 1, 200);
        at += 200;
    }
    return at;
}

static uint8_t *take_stats(uint8_t *at, uint8_t *status, unsigned set, unsigned first)
{
    uint8_t *end = at + WORDS_ROOM;

    if (is_mode("refusing") || set >= SETS) {
        *status = CONTROL_UNKNOWN;
        return at;
    }
    if (is_mode("timeless")) {
        return at + 7;
    }
    at = put(at, 10 * SECOND + (polls - 1) * 2 * SECOND, 8);
    if (is_mode("empty")) {
        return at;
    }
    if (set == 2 && put_wrong(at) != at) {
        return put_wrong(at);
    }
    for (unsigned i = first; i < sets[set].words + 3u && at + 10 <= end; i++) {
        const struct word *word = &sets[set].of[i];

        if (i < sets[set].words) {
            at = put_leb128(at, word->base + word->step * (polls - 1));
        } else if (is_mode("newer")) {
            at = put_leb128(at, 12345);
        }
    }
    return at;
}

/* Whether a request is not to be answered. It may be one that is answered late. */
static bool is_ignored(const uint8_t *request)
{
    return (is_mode("silent") && request[3] == CONTROL_SETS) ||
           (is_mode("wordless") && request[3] == CONTROL_STATS);
}

static bool is_slow(const uint8_t *request)
{
    static uint64_t since;

    if (!is_mode("slow") || request[3] != CONTROL_SETS) {
        return false;
    }
    since = since == 0 ? now_us() : since;
    if (now_us() - since < SLOW_US) {
        return true;
    }
    since = 0;
    return false;
}

static bool take_request(const uint8_t *request, uint32_t length)
{
    if (is_ignored(request)) {
        return true;
    }
    if (is_slow(request)) {
        return false;
    }
    uint8_t *answer = link_reserve(&board.link);

    if (answer == NULL) {
        return false;
    }
    uint8_t *status =
        put(put(answer, CONTROL_ANSWER, 1), (uint64_t)request[1] | request[2] << 8, 2);
    uint8_t *at = put(status, CONTROL_OK, 1);
    uint8_t client = request[4];
    if (request[3] == CONTROL_LIST && length == 5) {
        at = list(at, answer + LINK_MESSAGE_MAX, client);
    } else if (request[3] == CONTROL_SETS && length == 7) {
        at = take_sets(at, status, request[5] | (unsigned)request[6] << 8);
    } else if (request[3] == CONTROL_STATS && length == 8) {
        at = take_stats(at, status, request[5] | (unsigned)request[6] << 8, request[7]);
    } else if (client >= PROGRAM) {
        *status = CONTROL_NO_CLIENT;
    } else if (request[3] == CONTROL_POWER && length == 6) {
        *status = power(client, request[5]);
        at = put(at, board.states[client], 1);
    } else if (request[3] == CONTROL_SIZE && length == 9) {
        printf("size %d %dx%d\n", client, request[5] | request[6] << 8,
               request[7] | request[8] << 8);
    } else {
        *status = CONTROL_UNKNOWN;
    }
    link_commit(&board.link, (uint32_t)(at - answer));
    return true;
}

static void take_messages(void)
{
    const uint8_t *message;
    uint32_t length;

    while (board.active && (message = link_peek(&board.link, &length)) != NULL) {
        if (message[0] == CONTROL_BYE) {
            board.active = false;
            puts("bye");
        } else if (message[0] == CONTROL_INPUT) {
            take_input(message, length);
        } else if (message[0] == CONTROL_REQUEST && !take_request(message, length)) {
            return;
        }
        link_release(&board.link);
    }
}

static void begin_what_is_due(void)
{
    for (; late_first != late_end && now_us() >= late[late_first % LATE_MAX].due; late_first++) {
        begin(late[late_first % LATE_MAX].token);
    }
}

static void take_bytes(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (previous == 0 || !board.active) {
            if (previous == 0 || bytes[i] == 0x1d) {
                control_hello_start(&board.hello);
            }
        }
        previous = bytes[i];
        if (control_hello_take(&board.hello, bytes[i]) == CONTROL_HELLO_WHOLE) {
            late[late_end % LATE_MAX].due = now_us() + late_us;
            memcpy(late[late_end++ % LATE_MAX].token, board.hello.token, LINK_TOKEN_SIZE);
            begin_what_is_due();
        } else if (board.active) {
            link_receive(&board.link, &bytes[i], 1, now_us());
        }
    }
    take_messages();
}

/* ---- To the host ---- */

static void send_text(uint8_t client, const char *text)
{
    uint8_t *message = link_reserve(&board.link);

    if (message != NULL) {
        uint8_t *at = put(put(message, CONTROL_OUTPUT, 1), client, 1);

        memcpy(at, text, strlen(text));
        link_commit(&board.link, (uint32_t)(2 + strlen(text)));
    }
}

static void send_said(void)
{
    uint32_t size = link_size_wanted(&board.link) - 2;
    uint32_t left = board.total - board.shown;
    uint8_t *message = left == 0 ? NULL : link_reserve(&board.link);

    if (message == NULL) {
        return;
    }
    if (board.lost > 0) {
        uint8_t *at = put(put(message, CONTROL_LOST, 1), 0, 1);

        link_commit(&board.link, (uint32_t)(put(at, board.lost, 4) - message));
        board.lost = 0;
        return;
    }
    size = size < left ? size : left;
    uint8_t *at = put(put(message, CONTROL_OUTPUT, 1), 0, 1);
    for (uint32_t i = 0; i < size; i++) {
        *at++ = board.said[board.shown++ % SAID_SIZE];
    }
    link_commit(&board.link, (uint32_t)(at - message));
}

static void send_news(void)
{
    for (uint8_t i = 0; i < PROGRAM; i++) {
        uint8_t *message = board.told[i] == state_of(i) ? NULL : link_reserve(&board.link);

        if (message != NULL) {
            uint8_t *at = put(put(message, CONTROL_EVENT, 1), board_time(), 8);

            board.told[i] = state_of(i);
            link_commit(&board.link, (uint32_t)(put(put(at, i, 1), board.told[i], 1) - message));
        }
    }
    uint32_t unseen = board.total - board.shown;
    uint32_t credit = board.received + ECHO_SIZE - (unseen < ECHO_SIZE ? unseen : ECHO_SIZE);
    bool more = credit - board.credit >= ECHO_SIZE / 4 && credit - board.credit <= ECHO_SIZE;
    uint8_t *message = !more ? NULL : link_reserve(&board.link);
    if (message != NULL) {
        board.credit = credit;
        uint8_t *at = put(put(message, CONTROL_CREDIT, 1), 0, 1);
        link_commit(&board.link, (uint32_t)(put(at, credit, 4) - message));
    }
    message = board.told[FLOODING] == 0 || board.line_sent ? NULL : link_reserve(&board.link);
    if (message != NULL) {
        uint8_t *at = put(put(message, CONTROL_LINE, 1), 1000, 8);

        at = put(at, PROGRAM, 1);
        memcpy(at, "port 3\x1b[2J is up", 16);
        link_commit(&board.link, (uint32_t)(at + 16 - message));
        /* One key is enough for `flood`. */
        message = link_reserve(&board.link);
        if (message != NULL) {
            at = put(put(message, CONTROL_CREDIT, 1), FLOODING, 1);
            link_commit(&board.link, (uint32_t)(put(at, 1, 4) - message));
        }
        board.line_sent = true;
    }
}

static void send_all(void)
{
    send_news();
    send_said();
    if (board.flooding) {
        send_text(FLOODING, "flood flood flood flood flood flood flood flood flood flood\r\n");
    }
}

static void transmit(int fd)
{
    uint8_t bytes[LINE_BYTES];
    uint32_t count;

    for (unsigned i = 0;
         i < 64 && (count = link_transmit(&board.link, bytes, sizeof(bytes), now_us())) > 0; i++) {
        damage(bytes, count);
        if (write(fd, bytes, count) != (ssize_t)count) {
            exit(0);
        }
        send_all();
    }
}

static void serve(int fd)
{
    uint8_t bytes[LINE_BYTES];

    for (;;) {
        poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 2);
        ssize_t count = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (count == 0) {
            puts("closed");
            return;
        }
        if (count > 0) {
            damage(bytes, (size_t)count);
            take_bytes(bytes, (size_t)count);
        }
        if (restart != 0) {
            names[0] = restart == SIGUSR2 ? "new0" : names[0];
            restart = 0;
            start(0);
        }
        begin_what_is_due();
        if (board.active) {
            take_messages();
            send_all();
            transmit(fd);
        }
    }
}

int main(int argc, char **argv)
{
    static const char noise[] = "U-Boot 2023\r\n\0\x05\xff\0noise that\0is no frame\r\n";
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (argc < 2 || strlen(argv[1]) >= sizeof(address.sun_path)) {
        return 2;
    }
    damaged = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    late_us = argc > 3 ? strtoull(argv[3], NULL, 10) * 1000 : 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    counters = argc > 5 ? argv[5] : counters;
    start(argc > 4 ? strtoull(argv[4], NULL, 10) * 1000 : 0);
    signal(SIGUSR1, note_restart);
    signal(SIGUSR2, note_restart);
    strcpy(address.sun_path, argv[1]);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, 1) != 0) {
        return 1;
    }
    puts("ready");
    int fd = accept(listener, NULL, NULL);
    if (write(fd, noise, sizeof(noise)) < 0) {
        return 1;
    }
    serve(fd);
    return 0;
}
