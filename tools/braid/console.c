/* SPDX-License-Identifier: BSD-2-Clause */

/* `braid console`: a machine's terminal. */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include "bytes.h"
#include "commands.h"
#include "connection.h"
#include "wire.h"

#define LEAVE       0x1d  /* Ctrl-] */
#define WAITING_MAX 65536 /* bytes for a machine that does not read: further keys are lost */

struct console {
    int fd;
    bool terminal;
    bool input_ended;
    bool left;
    int status; /* exit status, or -1 */
    struct bytes in, out;
};

static struct termios before;
static volatile sig_atomic_t resized;

static void restore(void)
{
    tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
}

static void end(int number)
{
    restore();
    _exit(128 + number);
}

static void resize(int number)
{
    (void)number;
    resized = 1;
}

static void make_raw(void)
{
    struct termios raw;

    tcgetattr(STDIN_FILENO, &before);
    atexit(restore);
    signal(SIGTERM, end);
    signal(SIGHUP, end);
    struct sigaction action = {.sa_handler = resize};
    sigaction(SIGWINCH, &action, NULL);
    raw = before;
    cfmakeraw(&raw);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

static void send_size(struct console *console)
{
    struct winsize size;

    resized = 0;
    if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0) {
        uint8_t bytes[] = {(uint8_t)size.ws_col, (uint8_t)(size.ws_col >> 8), (uint8_t)size.ws_row,
                           (uint8_t)(size.ws_row >> 8)};

        wire_add(&console->out, WIRE_SIZE, bytes, sizeof(bytes));
    }
}

static void take_keys(struct console *console)
{
    uint8_t keys[WIRE_LENGTH_MAX];
    ssize_t count = read(STDIN_FILENO, keys, sizeof(keys));

    if (count < 0 && (errno == EINTR || errno == EAGAIN)) {
        return;
    }
    if (count <= 0) {
        console->input_ended = true;
        wire_add(&console->out, WIRE_END, "", 0);
        console->left = console->terminal;
        return;
    }
    const uint8_t *leave = console->terminal ? memchr(keys, LEAVE, (size_t)count) : NULL;
    size_t sent = leave == NULL ? (size_t)count : (size_t)(leave - keys);
    console->left = leave != NULL;
    if (sent > 0 && console->out.count < WAITING_MAX) {
        wire_add(&console->out, WIRE_INPUT, keys, sent);
    }
}

static void take_packets(struct console *console)
{
    const uint8_t *data;
    size_t length;
    int kind;

    while ((kind = wire_peek(&console->in, &data, &length)) > 0) {
        if (kind == WIRE_TEXT && !write_all(STDOUT_FILENO, data, length)) {
            console->status = EXIT_FAILED;
        } else if (kind == WIRE_ERROR) {
            write_all(STDERR_FILENO, data, length);
        } else if (kind == WIRE_EXIT && length == 1) {
            console->status = data[0];
        }
        bytes_take(&console->in, WIRE_HEADER + length);
    }
}

static void receive(struct console *console)
{
    uint8_t bytes[4096];
    ssize_t count = read(console->fd, bytes, sizeof(bytes));

    if (count > 0) {
        bytes_add(&console->in, bytes, (size_t)count);
        take_packets(console);
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
        fprintf(stderr, "\r\nbraid: the background process has gone\r\n");
        console->status = EXIT_FAILED;
    }
}

static int copy(struct console *console)
{
    while (console->status < 0 && !console->left) {
        /* A script's input waits in its pipe. A terminal's keys are looked at, for Ctrl-]. */
        bool listen = !console->input_ended && (console->terminal || console->out.count == 0);
        struct pollfd polls[] = {
            {.fd = console->fd, .events = (short)(POLLIN | (console->out.count > 0 ? POLLOUT : 0))},
            {.fd = listen ? STDIN_FILENO : -1, .events = POLLIN}};

        if (resized) {
            send_size(console);
            polls[0].events |= POLLOUT;
        }
        if (poll(polls, 2, -1) < 0) {
            continue;
        }
        if ((polls[0].revents & (POLLIN | POLLHUP)) != 0) {
            receive(console);
        }
        if (polls[1].revents != 0) {
            take_keys(console);
        }
        if (console->out.count > 0) {
            ssize_t written = write(console->fd, console->out.data, console->out.count);

            bytes_take(&console->out, written > 0 ? (size_t)written : 0);
        }
    }
    return console->status < 0 ? 0 : console->status;
}

int command_console(int count, char **words)
{
    static const struct option options[] = {{"linger", required_argument, NULL, 'l'},
                                            {NULL, 0, NULL, 0}};
    struct console console = {.terminal = isatty(STDIN_FILENO) == 1, .status = -1};
    double linger = 1;
    char milliseconds[24];
    char *end_of_number = "";
    int option;

    while ((option = getopt_long(count, words, "", options, NULL)) >= 0) {
        linger = option == 'l' ? strtod(optarg, &end_of_number) : -1;
        if (!(linger >= 0 && linger <= 86400) || *end_of_number != '\0') {
            return command_usage(words[0]);
        }
    }
    if (optind != count - 1) {
        return command_usage(words[0]);
    }
    const char *system = connection_system(false, &console.status);
    if (system == NULL) {
        return console.status;
    }
    snprintf(milliseconds, sizeof(milliseconds), "%u", (unsigned)(linger * 1000));
    const char *command[] = {"console", words[optind], console.terminal ? "terminal" : "script",
                             milliseconds};
    console.fd = connection_open(system, command, 4, &console.status);
    if (console.fd < 0) {
        return console.status;
    }
    fcntl(console.fd, F_SETFL, O_NONBLOCK);
    signal(SIGPIPE, SIG_IGN);
    if (console.terminal) {
        make_raw();
        send_size(&console);
        fprintf(stderr, "[%s: Ctrl-] leaves]\r\n", words[optind]);
    }
    int status = copy(&console);
    if (console.left) {
        fprintf(stderr, "\r\n");
    }
    return status;
}
