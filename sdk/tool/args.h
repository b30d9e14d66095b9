/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The command line. */

#include <stdbool.h>
#include "image.h"

struct args {
    const char *system;
    const char *board;
    const char *config;
    const char *output;  /* loader.img by default */
    const char *report;  /* report.txt by default */
    const char *kernel;  /* --override-kernel, or NULL */
    const char **search; /* directories, NULL-terminated; the current one is last */
    enum image_type type;
};

/* Reads the command line of a tool that belongs to `sdk`. Prints help and exits with status 0 if it
 * is wanted; ends the tool with a message if something is wrong. */
struct args args_read(int count, char **words, const char *sdk);
