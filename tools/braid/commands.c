/* SPDX-License-Identifier: BSD-2-Clause */
#include "commands.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "connection.h"
#include "names.h"
#include "states.h"

const struct command commands[] = {
    {"up", "[--port PORT] [--foreground] [--wait SECONDS] FILE",
     "build a system, start it, and keep its serial line",
     "FILE is a system's file, or the name of one in systems/. Without --port the system is built\n"
     "and runs in QEMU. PORT is the serial port of a board that runs it (/dev/ttyUSB0), or\n"
     "unix:PATH. --foreground stays, and Ctrl-C is `down`. The board has to answer within 60\n"
     "seconds, or the number that --wait gives; 0: any time.\n",
     command_up},
    {"ps", "[--json]", "list machines and their states",
     "--json prints an object a line, and the programs that write messages as well.\n", command_ps},
    {"stats", "[NAME] [--json | --openmetrics] [--watch [SECONDS]]",
     "what machines have done: time, exits, frames, disk operations",
     "NAME is a machine, or a switch: then its ports. Counted is from the board's start on. "
     "--watch\n"
     "prints rates each 2 seconds, or SECONDS, until Ctrl-C. --json prints an object for each set "
     "of\n"
     "counters. --openmetrics is for Prometheus and others that read its format.\n",
     command_stats},
    {"top", "[-n COUNT] [SECONDS]", "what machines do now, the busiest first; q leaves",
     "It measures for 2 seconds, or SECONDS, and goes on. BUSY% and MON% are of one processor: "
     "two\n"
     "busy vCPUs are 200. Network rates are in bit/s, those of disks in B/s. Without a terminal, "
     "and\n"
     "with -n, it prints tables one behind another, COUNT if that is given.\n",
     command_top},
    {"console", "[--linger SECONDS] NAME", "a machine's terminal; Ctrl-] leaves",
     "The last lines of output come first. Without a terminal, standard input is sent to the\n"
     "machine, and its output copied until all is sent and it was quiet for SECONDS (1).\n",
     command_console},
    {"logs", "[-f] [-n N] [NAME]", "what machines and programs have written, with times",
     "-f goes on with what comes. -n N begins with the last N lines.\n", command_logs},
    {"start", "NAME", "start a machine that is off", "", command_power},
    {"stop", "NAME", "ask a machine to power off", "", command_power},
    {"kill", "NAME", "take a machine's power away", "", command_power},
    {"restart", "NAME", "start a machine anew", "", command_power},
    {"pause", "NAME", "hold a machine where it is", "", command_power},
    {"resume", "NAME", "let a machine that is paused go on", "", command_power},
    {"events", "[--json] [-f]", "how machines' states have changed",
     "-f goes on with what comes.\n", command_events},
    {"down", "", "end a system, and all that belongs to it",
     "QEMU ends, and the logs are removed. A board goes on; its console speaks text again.\n",
     command_down},
    {"help", "[COMMAND]", "this, or a command's usage", "", command_help},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct command *command_find(const char *name)
{
    const struct command *command = commands;

    while (command->name != NULL && strcmp(command->name, name) != 0) {
        command++;
    }
    return command->name == NULL ? NULL : command;
}

int command_usage(const char *name)
{
    const struct command *command = command_find(name);

    fprintf(stderr, "usage: braid [-s SYSTEM] %s %s\n", name, command->arguments);
    return EXIT_USAGE;
}

static int ask(const char *system, const char *const *words, size_t count)
{
    int status = EXIT_FAILED;
    int fd = connection_open(system, words, count, &status);

    return fd < 0 ? status : connection_copy(fd);
}

int command_ps(int count, char **words)
{
    bool json = count == 2 && strcmp(words[1], "--json") == 0;
    const char *command[] = {"ps", json ? "json" : "text",
                             states_colour_wanted() ? "colour" : "plain"};
    int status = EXIT_NONE;

    if (count > 2 || (count == 2 && !json)) {
        return command_usage(words[0]);
    }
    if (!json) {
        printf("%-20s %-20s %s\n", "SYSTEM", "NAME", "STATE");
        fflush(stdout);
    }
    struct state_names running = state_list(true);
    if (connection_chosen != NULL || running.count <= 1) {
        const char *system = connection_system(false, &status);

        return system == NULL ? status : ask(system, command, 3);
    }
    for (size_t i = 0; i < running.count; i++) {
        int one = ask(running.items[i], command, 3);

        status = i == 0 || one != 0 ? one : status;
    }
    return status;
}

int command_power(int count, char **words)
{
    int status = EXIT_FAILED;

    if (count != 2 || words[1][0] == '-') {
        return command_usage(words[0]);
    }
    const char *system = connection_system(false, &status);
    return system == NULL ? status : ask(system, (const char *const *)words, 2);
}

int command_down(int count, char **words)
{
    static const char *const command[] = {"down"};
    int status = EXIT_FAILED;

    if (count != 1) {
        return command_usage(words[0]);
    }
    const char *system = connection_system(true, &status);
    if (system == NULL) {
        return status;
    }
    int directory = state_open(system);
    if (directory >= 0 && !state_running(directory)) {
        /* It has ended by itself, and left its logs. */
        state_remove(directory, system);
        close(directory);
        return 0;
    }
    return ask(system, command, 1);
}

static void list_commands(FILE *out)
{
    fprintf(out, "usage: braid [-s SYSTEM] COMMAND ...\n\n"
                 "Start a system of virtual machines, and use its machines.\n\n");
    for (const struct command *command = commands; command->name != NULL; command++) {
        fprintf(out, "  %-10s %s\n", command->name, command->purpose);
    }
    fprintf(out, "\n  -s NAME    the system, if several run\n  --version  print the version\n");
}

int command_help(int count, char **words)
{
    if (count == 1) {
        list_commands(stdout);
        return 0;
    }
    const struct command *command = count == 2 ? command_find(words[1]) : NULL;
    if (command == NULL) {
        list_commands(stderr);
        return EXIT_USAGE;
    }
    printf("usage: braid [-s SYSTEM] %s %s\n\n%s: %s\n%s", command->name, command->arguments,
           command->name, command->purpose, command->more);
    return 0;
}
