/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE

#include "screen.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include "columns.h"
#include "connection.h"

/* Xterm's private modes: the alternate page (1049), the cursor (25), and wrapping lines (7). */
#define ENTER "\x1b[?1049h\x1b[?25l\x1b[?7l"
#define LEAVE "\x1b[?7h\x1b[?25h\x1b[?1049l"
#define HOME  "\x1b[H"
#define REST  "\x1b[K" /* of the line */
#define BELOW "\x1b[J"

#define COLUMNS 80
#define ROWS    24

static struct termios before;
static volatile sig_atomic_t entered, resized;
static bool has_keys; /* standard input is a terminal */

bool screen_there(void)
{
    const char *kind = getenv("TERM");

    return isatty(STDOUT_FILENO) == 1 && (kind == NULL || strcmp(kind, "dumb") != 0);
}

/* A signal may come at any time, also in here. */
static void restore(void)
{
    static const char leave[] = LEAVE;

    if (entered) {
        entered = 0;
        (void)!write(STDOUT_FILENO, leave, sizeof(leave) - 1);
        if (has_keys) {
            tcsetattr(STDIN_FILENO, TCSANOW, &before);
        }
    }
}

/* Die by the signal, so that a shell sees what it was. */
static void end(int number)
{
    restore();
    signal(number, SIG_DFL);
    raise(number);
}

static void resize(int number)
{
    (void)number;
    resized = 1;
}

static void take_signals(void)
{
    static const int ends[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGABRT};
    struct sigaction action = {.sa_handler = end};
    sigset_t set;

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        sigaction(ends[i], &action, NULL);
    }
    /* It comes only while screen_wait() waits, so none is missed. */
    action.sa_handler = resize;
    sigaction(SIGWINCH, &action, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGWINCH);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

void screen_enter(void)
{
    has_keys = tcgetattr(STDIN_FILENO, &before) == 0;
    atexit(restore);
    take_signals();
    entered = 1;
    if (has_keys) {
        struct termios keys = before;

        keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        keys.c_cc[VMIN] = 1;
        keys.c_cc[VTIME] = 0;
        keys.c_cc[VSUSP] = _POSIX_VDISABLE; /* it would leave the shell on this page */
        tcsetattr(STDIN_FILENO, TCSADRAIN, &keys);
    }
    write_all(STDOUT_FILENO, ENTER, strlen(ENTER));
}

void screen_leave(void)
{
    restore();
}

void screen_draw(const struct bytes *text)
{
    struct winsize size = {0};
    struct bytes out = {0};
    size_t at = 0;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) {
        size.ws_col = COLUMNS;
        size.ws_row = ROWS;
    }
    bytes_print(&out, HOME);
    for (unsigned row = 0; row < size.ws_row && at < text->count; row++) {
        const uint8_t *line = text->data + at;
        const uint8_t *newline = memchr(line, '\n', text->count - at);
        size_t length = newline == NULL ? text->count - at : (size_t)(newline - line);

        bytes_print(&out, row == 0 ? "" : "\n");
        columns_cut(&out, line, length, size.ws_col);
        /* Behind a line that fills it, the terminal would take this for the last column. */
        bytes_print(&out, columns_of(line, length) < size.ws_col ? REST : "");
        at += length + 1;
    }
    bytes_print(&out, "%s", at >= text->count ? BELOW : "");
    write_all(STDOUT_FILENO, out.data, out.count);
    bytes_free(&out);
}

uint64_t screen_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void screen_sleep(uint64_t until)
{
    uint64_t now = screen_now();
    uint64_t left = until > now ? until - now : 0;

    nanosleep(&(struct timespec){.tv_sec = (time_t)(left / 1000),
                                 .tv_nsec = (long)(left % 1000) * 1000000},
              NULL);
}

/* Whether a key says that it is enough, or no more keys can come. */
static bool wants_to_quit(void)
{
    char keys[64];
    ssize_t count = read(STDIN_FILENO, keys, sizeof(keys));

    return count <= 0 || memchr(keys, 'q', (size_t)count) != NULL ||
           memchr(keys, 'Q', (size_t)count) != NULL;
}

enum screen_event screen_wait(int fd, uint64_t until)
{
    struct pollfd polls[] = {{.fd = fd, .events = POLLIN},
                             {.fd = has_keys ? STDIN_FILENO : -1, .events = POLLIN}};
    sigset_t none;

    sigemptyset(&none);
    for (;;) {
        uint64_t now = screen_now();
        uint64_t left = until > now ? until - now : 0;
        struct timespec limit = {.tv_sec = (time_t)(left / 1000),
                                 .tv_nsec = (long)(left % 1000) * 1000000};
        int count = ppoll(polls, 2, until == UINT64_MAX ? NULL : &limit, &none);

        if (resized) {
            resized = 0;
            return SCREEN_SIZE;
        }
        if (count == 0) {
            return SCREEN_TIME;
        }
        if (count > 0 && polls[1].revents != 0 && wants_to_quit()) {
            return SCREEN_QUIT;
        }
        if (count > 0 && polls[0].revents != 0) {
            return SCREEN_READY;
        }
    }
}
