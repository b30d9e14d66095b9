/* SPDX-License-Identifier: BSD-2-Clause */
#include "sample.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "commands.h"
#include "connection.h"
#include "lib/control.h"
#include "wire.h"

static void *grow(void *items, size_t count, size_t size)
{
    /* Doubled whenever it is full. */
    if ((count & (count - 1)) != 0) {
        return items;
    }
    items = realloc(items, (count == 0 ? 1 : 2 * count) * size);
    if (items == NULL) {
        fputs("braid: no memory\n", stderr);
        exit(EXIT_FAILED);
    }
    return items;
}

/* ---- Reading ---- */

/* The next number of a line. False: there is none. */
static bool take_number(const char **at, uint64_t *number)
{
    char *end;

    *number = strtoull(*at, &end, 10);
    bool taken = end != *at;
    *at = end;
    return taken;
}

static bool has_name(const struct sample *sample, const char *name)
{
    for (size_t i = 0; i < sample->client_count; i++) {
        if (strcmp(sample->clients[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* The board may give two machines one name, or none. */
static char *make_name(const struct sample *sample, unsigned number, const char *name)
{
    struct bytes text = {0};

    bytes_print(&text, "%s", name);
    if (name[0] == '\0' || has_name(sample, name)) {
        bytes_print(&text, "(client %u)", number);
    }
    bytes_add(&text, "", 1);
    return (char *)text.data;
}

/* client NUMBER KIND STATE NAME */
static bool take_client(struct sample *sample, const char *line)
{
    struct sample_client client = {0};
    char kind[16];
    int name = 0;

    if (sscanf(line, "client %u %15s %15s%n", &client.number, kind, client.state, &name) != 3 ||
        line[name] != ' ') {
        return false;
    }
    client.machine = strcmp(kind, "machine") == 0;
    client.name = make_name(sample, client.number, line + name + 1);
    sample->clients = grow(sample->clients, sample->client_count, sizeof(client));
    sample->clients[sample->client_count++] = client;
    return true;
}

/* set KIND CLIENT NUMBER SWITCH TIME WORD ... */
static bool take_set(struct sample *sample, const char *line)
{
    const char *at = line + strlen("set");
    struct counter_set set = {0};
    uint64_t head[4];

    for (size_t i = 0; i < 4; i++) {
        if (!take_number(&at, &head[i]) || head[i] > UINT8_MAX) {
            return false;
        }
    }
    set.kind = (uint8_t)head[0];
    set.client = (uint8_t)head[1];
    set.number = (uint8_t)head[2];
    set.of_switch = (uint8_t)head[3];
    if (!take_number(&at, &set.time)) {
        return false;
    }
    while (set.have < stats_words(set.kind) && take_number(&at, &set.word[set.have])) {
        set.have++;
    }
    bool sensible = sample_client(sample, set.client) != NULL &&
                    (set.kind != STATS_PORT || sample_client(sample, set.of_switch) != NULL);
    if (set.have > 0 && sensible) {
        sample->sets = grow(sample->sets, sample->count, sizeof(set));
        sample->sets[sample->count++] = set;
    }
    return sensible;
}

static bool take_lines(struct sample *sample, struct bytes *text)
{
    char *rest;

    bytes_add(text, "", 1);
    for (char *line = (char *)text->data; (rest = strchr(line, '\n')) != NULL; line = rest + 1) {
        *rest = '\0';
        bool taken =
            strncmp(line, "set ", 4) == 0 ? take_set(sample, line) : take_client(sample, line);
        if (!taken) {
            return false;
        }
    }
    return true;
}

/* What the background process says, until it is done. Returns the exit status, or -1. */
static int receive(int fd, void (*wait)(int fd), struct bytes *text, struct bytes *why)
{
    struct bytes in = {0};
    uint8_t bytes[4096];
    int status = -1;

    while (status < 0) {
        const uint8_t *data;
        size_t length;
        int kind;

        if (wait != NULL) {
            wait(fd);
        }
        ssize_t got = read(fd, bytes, sizeof(bytes));
        if (got == 0 || (got < 0 && errno != EINTR)) {
            break;
        }
        bytes_add(&in, bytes, got > 0 ? (size_t)got : 0);
        while ((kind = wire_peek(&in, &data, &length)) > 0) {
            if (kind == WIRE_COUNTERS) {
                bytes_add(text, data, length);
            } else if (kind == WIRE_ERROR) {
                bytes_add(why, data, length);
            } else if (kind == WIRE_EXIT && length == 1) {
                status = data[0];
            }
            bytes_take(&in, WIRE_HEADER + length);
        }
    }
    bytes_free(&in);
    return status;
}

int sample_take(struct sample *sample, const char *system, void (*wait)(int fd), struct bytes *why)
{
    static const char *const command[] = {"counters"};
    struct bytes text = {0};
    int status = EXIT_FAILED;
    int fd = connection_open(system, command, 1, &status);

    memset(sample, 0, sizeof(*sample));
    sample->system = system;
    if (fd < 0) {
        return status;
    }
    status = receive(fd, wait, &text, why);
    close(fd);
    if (status < 0) {
        bytes_print(why, "braid: %s: the background process has gone\n", system);
        status = EXIT_FAILED;
    } else if (status == 0 && !take_lines(sample, &text)) {
        bytes_print(why,
                    "braid: %s: the background process is another version's: `braid down`, "
                    "and up again\n",
                    system);
        status = EXIT_FAILED;
    }
    if (status != 0) {
        sample_free(sample);
    }
    bytes_free(&text);
    return status;
}

void sample_free(struct sample *sample)
{
    for (size_t i = 0; i < sample->client_count; i++) {
        free(sample->clients[i].name);
    }
    free(sample->clients);
    free(sample->sets);
    memset(sample, 0, sizeof(*sample));
}

/* ---- What is in one ---- */

const struct sample_client *sample_client(const struct sample *sample, unsigned number)
{
    for (size_t i = 0; i < sample->client_count; i++) {
        if (sample->clients[i].number == number) {
            return &sample->clients[i];
        }
    }
    return NULL;
}

const struct counter_set *sample_before(const struct sample *before, const struct sample *now,
                                        const struct counter_set *set)
{
    const struct sample_client *client = sample_client(now, set->client);
    const struct sample_client *then = sample_client(before, set->client);

    if (then == NULL || strcmp(then->name, client->name) != 0) {
        return NULL;
    }
    for (size_t i = 0; i < before->count; i++) {
        if (counter_set_same(&before->sets[i], set)) {
            /* The time goes back if the board was started anew. */
            return before->sets[i].time < set->time ? &before->sets[i] : NULL;
        }
    }
    return NULL;
}

bool sample_is_of(const struct sample *sample, const struct counter_set *set, const char *name)
{
    const struct sample_client *client = sample_client(sample, set->client);
    const struct sample_client *its_switch =
        set->kind == STATS_PORT ? sample_client(sample, set->of_switch) : NULL;

    return name == NULL || strcmp(client->name, name) == 0 ||
           (its_switch != NULL && strcmp(its_switch->name, name) == 0);
}

/* ---- Systems ---- */

size_t sample_systems(const char ***systems, int *status)
{
    static const char *one[1];
    struct state_names running = {0};

    if (connection_chosen == NULL) {
        running = state_list(true);
    }
    if (running.count > 1) {
        *systems = (const char **)running.items;
        return running.count;
    }
    one[0] = connection_system(false, status);
    *systems = one;
    return one[0] == NULL ? 0 : 1;
}
