/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The commands. Each gets its own words, itself the first, and returns the exit status. */

#define EXIT_FAILED 1
#define EXIT_USAGE  2
#define EXIT_NONE   3 /* no system runs */

struct command {
    const char *name;
    const char *arguments; /* for its usage */
    const char *purpose;   /* in one line */
    const char *more;      /* what `help COMMAND` says besides; may be "" */
    int (*run)(int count, char **words);
};

extern const struct command commands[]; /* ended by one without a name */

const struct command *command_find(const char *name);

/* Say how the command is used. Returns EXIT_USAGE. */
int command_usage(const char *name);

int command_up(int count, char **words);
int command_ps(int count, char **words);
int command_stats(int count, char **words);
int command_top(int count, char **words);
int command_console(int count, char **words);
int command_logs(int count, char **words);
int command_power(int count, char **words);
int command_events(int count, char **words);
int command_down(int count, char **words);
int command_help(int count, char **words);
