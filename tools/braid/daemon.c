/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE

#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "bytes.h"
#include "clients.h"
#include "counters.h"
#include "line.h"
#include "log_file.h"
#include "machines.h"
#include "session.h"
#include "state_directory.h"

#define TAIL_MAX 1024u /* bytes of what QEMU or the board has said last */
#define RETRY_US 2000u /* while the line takes no more bytes */
#define LOOK_US  1000000u

/* In front of the clients' descriptors. */
enum { POLL_LINE, POLL_ERRORS, POLL_SOCKET, POLL_SIGNALS, POLL_CLIENTS };

static struct line line;
static struct log_file qemu_log, line_log;
static struct bytes qemu_tail, line_tail;
static int listener, signals;
static bool ending; /* by a signal */
static bool line_ended;
static bool gave_up; /* the board has not answered */
static bool removed; /* the directory, by somebody else */
static uint64_t looked_at;

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void keep_tail(struct bytes *tail, const uint8_t *bytes, size_t count)
{
    bytes_add(tail, bytes, count);
    if (tail->count > TAIL_MAX) {
        bytes_take(tail, tail->count - TAIL_MAX);
    }
}

/* ---- The line ---- */

static void receive(uint64_t now)
{
    uint8_t bytes[4096];
    ssize_t count;

    while ((count = line_read(&line, bytes, sizeof(bytes))) > 0) {
        if (!session_open()) {
            /* A loader's messages, or the kernel's. */
            keep_tail(&line_tail, bytes, (size_t)count);
            log_file_add(&line_log, bytes, (size_t)count);
        }
        session_take(bytes, (size_t)count, now);
    }
    line_ended |= count < 0;
}

static void receive_errors(void)
{
    uint8_t bytes[1024];
    ssize_t count = line.errors < 0 ? 0 : read(line.errors, bytes, sizeof(bytes));

    if (count > 0) {
        keep_tail(&qemu_tail, bytes, (size_t)count);
        log_file_add(&qemu_log, bytes, (size_t)count);
    } else if (line.errors >= 0 && (count == 0 || errno != EAGAIN)) {
        close(line.errors);
        line.errors = -1;
    }
}

static void transmit(uint64_t now)
{
    uint8_t bytes[256];
    size_t room, count;

    line_write(&line, NULL, 0);
    while ((room = line_room(&line)) > 0 &&
           (count = session_transmit(bytes, room < sizeof(bytes) ? room : sizeof(bytes), now)) >
               0) {
        line_write(&line, bytes, count);
    }
}

/* ---- What was said last ---- */

static void add_tail(struct bytes *text, const char *who, const struct bytes *tail)
{
    size_t first = 0;

    if (tail->count == 0) {
        return;
    }
    bytes_print(text, "%s has said last:\n", who);
    while (first < tail->count) {
        const uint8_t *at = tail->data + first;
        const uint8_t *newline = memchr(at, '\n', tail->count - first);
        size_t length = newline == NULL ? tail->count - first : (size_t)(newline - at);
        size_t shown = length > 0 && at[length - 1] == '\r' ? length - 1 : length;

        bytes_print(text, "    ");
        bytes_add_escaped(text, at, shown);
        bytes_print(text, "\n");
        first += length + 1;
    }
}

/* ---- Waiting ---- */

static int wait_ms(uint64_t now)
{
    uint64_t deadline = session_deadline();
    uint64_t other = clients_deadline(now);

    if (deadline <= now) {
        deadline = now + RETRY_US; /* what is due waits for the line */
    }
    deadline = other < deadline ? other : deadline;
    if (deadline <= now) {
        return 0;
    }
    /* Of what is due while the line is full, only the line knows when it can go on. */
    uint64_t wait = line_room(&line) == 0 ? RETRY_US : deadline - now;
    return wait > 1000000 ? 1000 : (int)((wait + 999) / 1000);
}

static void wait_for_something(struct pollfd *polls, uint64_t now)
{
    polls[POLL_LINE] = (struct pollfd){.fd = line.fd, .events = POLLIN};
    polls[POLL_ERRORS] = (struct pollfd){.fd = line.errors, .events = POLLIN};
    polls[POLL_SOCKET] = (struct pollfd){.fd = listener, .events = POLLIN};
    polls[POLL_SIGNALS] = (struct pollfd){.fd = signals, .events = POLLIN};
    clients_poll(polls + POLL_CLIENTS);
    if (poll(polls, POLL_CLIENTS + CLIENTS_MAX, wait_ms(now)) < 0) {
        for (unsigned i = 0; i < POLL_CLIENTS + CLIENTS_MAX; i++) {
            polls[i].revents = 0;
        }
    }
}

static void take_connections(void)
{
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        clients_add(fd, false, false);
    }
}

static void take_signal(void)
{
    struct signalfd_siginfo info;

    if (read(signals, &info, sizeof(info)) == sizeof(info)) {
        ending = true;
    }
}

static void give_up(const struct daemon *daemon)
{
    struct bytes text = {0};

    bytes_print(&text,
                "the board has not answered within %u s. Does the system have this version's "
                "console? `braid up --wait 0` waits as long as it takes\n",
                daemon->patience);
    receive_errors();
    add_tail(&text, "QEMU", &qemu_tail);
    add_tail(&text, "The board", &line_tail);
    bytes_add(&text, "", 1);
    clients_fail((char *)text.data);
    bytes_free(&text);
    gave_up = true;
}

/* Without its socket nobody can reach this process, or end the system. */
static void look_for_socket(const struct daemon *daemon, uint64_t now)
{
    struct stat status;

    if (now - looked_at >= LOOK_US) {
        looked_at = now;
        removed = fstatat(daemon->directory, "socket", &status, AT_SYMLINK_NOFOLLOW) != 0 &&
                  errno == ENOENT;
    }
}

/* Until the system is to end, or has. */
static void serve(const struct daemon *daemon)
{
    struct pollfd polls[POLL_CLIENTS + CLIENTS_MAX];
    uint64_t patience = now_us() + daemon->patience * UINT64_C(1000000);
    bool was_open = daemon->patience == 0;

    while (!ending && !line_ended && !gave_up && !removed && !clients_want_end()) {
        uint64_t now = now_us();

        counters_step(now);
        session_step(now);
        transmit(now);
        wait_for_something(polls, now);
        now = now_us();
        receive(now);
        receive_errors();
        if (polls[POLL_SIGNALS].revents != 0) {
            take_signal();
        }
        if (polls[POLL_SOCKET].revents != 0) {
            take_connections();
        }
        clients_serve(polls + POLL_CLIENTS, now);
        was_open |= session_open();
        look_for_socket(daemon, now);
        if (!was_open && now >= patience) {
            give_up(daemon);
        }
    }
}

/* ---- The end ---- */

/* QEMU, or the port, has gone, or the board does not answer. What is known of that stays in the
 * directory. */
static void tell_end(const struct daemon *daemon)
{
    struct bytes text = {0};
    int status = 0;

    if (gave_up) {
        bytes_print(&text, "%s: the board has not answered within %u s\n", daemon->system,
                    daemon->patience);
        add_tail(&text, "QEMU", &qemu_tail);
    } else if (line.qemu == 0) {
        bytes_print(&text, "%s: %s was closed at its other end\n", daemon->system, daemon->port);
    } else {
        /* It has closed the line, and ends. */
        for (int i = 0; i < 100 && waitpid(line.qemu, &status, WNOHANG) == 0; i++) {
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        }
        line.qemu = 0;
        receive_errors();
        bytes_print(&text, "%s: ", daemon->system);
        line_describe_end(status, &text);
        bytes_print(&text, "\n");
        add_tail(&text, "QEMU", &qemu_tail);
    }
    add_tail(&text, "The board", &line_tail);
    int fd = openat(daemon->directory, "ended", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0) {
        (void)!write(fd, text.data, text.count);
        close(fd);
    }
    bytes_add(&text, "", 1);
    clients_end((char *)text.data, 1);
    bytes_free(&text);
}

static void end(const struct daemon *daemon)
{
    bool by_itself = line_ended || gave_up;

    /* Who comes now finds what is left, and not a process that is about to go. */
    close(listener);
    unlinkat(daemon->directory, "socket", 0);
    if (by_itself) {
        tell_end(daemon);
    } else {
        session_end();
        if (line.qemu == 0) {
            transmit(now_us());
            nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
            transmit(now_us());
        }
    }
    line_close(&line);
    machines_close();
    log_file_close(&qemu_log);
    log_file_close(&line_log);
    if (!by_itself) {
        state_remove(daemon->directory, daemon->system);
        clients_end("the system has ended\n", 1);
    }
}

/* ---- The beginning ---- */

static void write_pid(int directory)
{
    int fd = openat(directory, "pid", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd >= 0) {
        dprintf(fd, "%d\n", (int)getpid());
        close(fd);
    }
}

static void take_signals(void)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static bool open_line(const struct daemon *daemon, struct bytes *why)
{
    if (listener < 0) {
        bytes_print(why, "the socket for commands cannot be made in %s/%s: %s\n", state_base(),
                    daemon->system, strerror(errno));
        return false;
    }
    return daemon->run != NULL ? line_start(&line, daemon->run, why)
                               : line_open(&line, daemon->port, why);
}

int daemon_run(const struct daemon *daemon)
{
    struct bytes why = {0};

    take_signals();
    write_pid(daemon->directory);
    clients_init(daemon->system);
    machines_init(daemon->directory);
    log_file_open(&qemu_log, daemon->directory, "qemu.out");
    log_file_open(&line_log, daemon->directory, "line.out");
    clients_add(daemon->starter, true, daemon->foreground);
    listener = state_listen(daemon->directory);
    if (!open_line(daemon, &why)) {
        bytes_add(&why, "", 1);
        clients_fail((char *)why.data);
        clients_end("", 1);
        state_remove(daemon->directory, daemon->system);
        return 1;
    }
    if (daemon->run == NULL && strncmp(daemon->port, "unix:", 5) != 0) {
        session_expect_loader(now_us());
    }
    session_begin(now_us());
    serve(daemon);
    end(daemon);
    return 0;
}
