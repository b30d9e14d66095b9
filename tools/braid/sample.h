/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the PDs of a system had counted at one time, as the background process tells it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "bytes.h"
#include "counter_set.h"

struct sample_client {
    unsigned number;
    bool machine; /* else a program that writes messages */
    char state[16];
    char *name; /* escaped; no two of a system have the same */
};

struct sample {
    const char *system;
    struct sample_client *clients;
    size_t client_count;
    struct counter_set *sets;
    size_t count;
};

/*
 * Ask for one. Returns the exit status; if it is not 0, the sample is empty, and the message for
 * standard error is in `why` or has been written there. `wait` is called before each wait for the
 * descriptor, or is NULL.
 */
int sample_take(struct sample *sample, const char *system, void (*wait)(int fd), struct bytes *why);
void sample_free(struct sample *sample);

/* A client, or NULL. */
const struct sample_client *sample_client(const struct sample *sample, unsigned number);

/* The same set in an earlier sample, or NULL: then nothing is known of what has happened since. */
const struct counter_set *sample_before(const struct sample *before, const struct sample *now,
                                        const struct counter_set *set);

/* Whether a set belongs to a machine, a driver or a switch of that name. NULL: any. */
bool sample_is_of(const struct sample *sample, const struct counter_set *set, const char *name);

/*
 * The systems that a command is about: the chosen one (-s), or all that run. Returns their number;
 * 0: there is none, after a message, with the exit status in `*status`.
 */
size_t sample_systems(const char ***systems, int *status);
