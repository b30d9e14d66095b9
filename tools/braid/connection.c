/* SPDX-License-Identifier: BSD-2-Clause */
#include "connection.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "commands.h"
#include "names.h"
#include "wire.h"

const char *connection_chosen;

bool write_all(int fd, const void *bytes, size_t count)
{
    const uint8_t *at = bytes;

    while (count > 0) {
        ssize_t written = write(fd, at, count);

        if (written < 0 && errno == EAGAIN) {
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
        } else if (written < 0 && errno != EINTR) {
            return false;
        } else if (written > 0) {
            at += written;
            count -= (size_t)written;
        }
    }
    return true;
}

int connection_none(const char *system)
{
    int directory = system == NULL ? -1 : state_open(system);
    int fd = directory < 0 ? -1 : openat(directory, "ended", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    char text[8192];
    ssize_t count = fd < 0 ? 0 : read(fd, text, sizeof(text));

    if (system == NULL) {
        fprintf(stderr, "braid: no system runs; `braid up FILE` starts one\n");
    } else if (count > 0) {
        fprintf(stderr,
                "braid: the system has ended by itself; `braid up` starts it again, "
                "`braid -s %s logs` has its output\n",
                system);
        fwrite(text, 1, (size_t)count, stderr);
    } else {
        fprintf(stderr, "braid: the system %s does not run\n", system);
    }
    if (fd >= 0) {
        close(fd);
    }
    if (directory >= 0) {
        close(directory);
    }
    return EXIT_NONE;
}

static void explain(const char *text, const struct state_names *names)
{
    fprintf(stderr, "braid: %s", text);
    for (size_t i = 0; i < names->count; i++) {
        fprintf(stderr, "%s%s", i == 0 ? " " : ", ", names->items[i]);
    }
    fprintf(stderr, "; choose one with -s NAME\n");
}

/* The one that was chosen by its name. */
static const char *chosen(int *status)
{
    struct state_names all = state_list(false);

    for (size_t i = 0; i < all.count; i++) {
        if (strcmp(all.items[i], connection_chosen) == 0) {
            return connection_chosen;
        }
    }
    struct bytes text = {0};
    struct state_names running = state_list(true);
    names_explain(&text, "system", connection_chosen, (const char *const *)running.items,
                  running.count);
    fprintf(stderr, "braid: ");
    fwrite(text.data, 1, text.count, stderr);
    *status = running.count == 0 ? EXIT_NONE : EXIT_FAILED;
    return NULL;
}

const char *connection_system(bool ended, int *status)
{
    if (connection_chosen != NULL) {
        return chosen(status);
    }
    struct state_names running = state_list(true);
    if (running.count == 1) {
        return running.items[0];
    }
    if (running.count > 1) {
        explain("several systems run:", &running);
        *status = EXIT_FAILED;
        return NULL;
    }
    struct state_names all = state_list(false);
    if (all.count == 1 && ended) {
        return all.items[0];
    }
    *status = connection_none(all.count == 1 ? all.items[0] : NULL);
    return NULL;
}

int connection_open(const char *system, const char *const *words, size_t count, int *status)
{
    int directory = state_open(system);
    int fd = directory < 0 ? -1 : state_connect(directory);
    struct bytes command = {0};
    struct bytes packet = {0};

    if (directory >= 0) {
        close(directory);
    }
    if (fd < 0) {
        *status = connection_none(system);
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        bytes_add(&command, words[i], strlen(words[i]) + 1);
    }
    if (command.count > WIRE_LENGTH_MAX) {
        fprintf(stderr, "braid: the name is too long\n");
        *status = EXIT_FAILED;
        close(fd);
        return -1;
    }
    wire_add(&packet, WIRE_COMMAND, command.data, command.count);
    write_all(fd, packet.data, packet.count);
    bytes_free(&packet);
    bytes_free(&command);
    return fd;
}

/* Returns the exit status if this is the last packet, otherwise -1. */
static int take(int kind, const uint8_t *data, size_t length)
{
    if (kind == WIRE_TEXT && !write_all(STDOUT_FILENO, data, length)) {
        return EXIT_FAILED;
    }
    if (kind == WIRE_ERROR) {
        write_all(STDERR_FILENO, data, length);
    }
    return kind == WIRE_EXIT && length == 1 ? data[0] : -1;
}

int connection_copy(int fd)
{
    struct bytes in = {0};
    uint8_t bytes[4096];
    int status = -1;
    ssize_t got;

    while ((got = read(fd, bytes, sizeof(bytes))) > 0 || (got < 0 && errno == EINTR)) {
        const uint8_t *data;
        size_t length;
        int kind;

        bytes_add(&in, bytes, got > 0 ? (size_t)got : 0);
        while ((kind = wire_peek(&in, &data, &length)) > 0) {
            int last = take(kind, data, length);

            status = last >= 0 ? last : status;
            bytes_take(&in, WIRE_HEADER + length);
        }
    }
    bytes_free(&in);
    close(fd);
    if (status < 0) {
        fprintf(stderr, "braid: the background process has gone; `braid ps` says whether one is "
                        "there\n");
        return EXIT_FAILED;
    }
    return status;
}
