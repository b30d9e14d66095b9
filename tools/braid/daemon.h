/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The background process of one system: it has the line, and serves the commands. */

#include <stdbool.h>

struct daemon {
    const char *system; /* its name */
    int directory;      /* its state */
    const char *run;    /* the command that starts QEMU; NULL: there is a port */
    const char *port;
    int starter; /* the connection of the command `up`, which waits for what becomes of it */
    bool foreground;
    unsigned patience; /* seconds until the board has to have answered; 0: any time */
};

/* Returns the exit status. */
int daemon_run(const struct daemon *daemon);
