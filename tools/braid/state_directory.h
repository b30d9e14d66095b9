/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The directory of a system that runs, or has run: $XDG_RUNTIME_DIR/braid/NAME, or
 * /tmp/braid-UID/NAME. Only its user may enter it. The background process holds a lock on `lock` in
 * it as long as it lives; without that the directory is stale.
 */

#include <stdbool.h>
#include <stddef.h>
#include "bytes.h"

#define STATE_NAME_MAX 64u

struct state_names {
    char **items;
    size_t count;
};

/* Whether it may be a system's name: letters, digits, '_', '-', '.', none of these in front. */
bool state_name_valid(const char *name);

/* The directory of all systems, for messages. */
const char *state_base(void);

/* These return a descriptor, or -1 after a message on standard error. */
int state_open(const char *name); /* of one that is there */
int state_make(const char *name); /* of one that is there or is made; files in it stay */

/* Take the lock. Returns its descriptor, or -1 if the system runs. */
int state_lock(int directory);

bool state_running(int directory);

/* Remove all files that braid makes, and the directory. */
void state_remove(int directory, const char *name);

/*
 * The systems that run, or all that have a directory, in the order of their names.
 */
struct state_names state_list(bool running);

/* A socket at which the background process listens, or a connection to it; -1: errno says why. */
int state_listen(int directory);
int state_connect(int directory);
