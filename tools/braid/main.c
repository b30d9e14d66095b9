/* SPDX-License-Identifier: BSD-2-Clause */

/* braid: start a system, and use its machines through the control channel (docs/braid.md). */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "bytes.h"
#include "commands.h"
#include "connection.h"
#include "names.h"

#define VERSION "braid 0.1"

static int unknown(const char *name)
{
    const char *names[32];
    struct bytes text = {0};
    size_t count = 0;

    for (const struct command *command = commands; command->name != NULL; command++) {
        names[count++] = command->name;
    }
    names_explain(&text, "command", name, names, count);
    fprintf(stderr, "braid: ");
    fwrite(text.data, 1, text.count, stderr);
    bytes_free(&text);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    int first = 1;

    /* Whoever started this may ignore it. */
    signal(SIGPIPE, SIG_DFL);
    if (first + 1 < argc && strcmp(argv[first], "-s") == 0) {
        connection_chosen = argv[first + 1];
        first += 2;
    }
    if (first >= argc) {
        char *words[] = {"help", ""};

        command_help(2, words);
        return EXIT_USAGE;
    }
    if (strcmp(argv[first], "--version") == 0) {
        puts(VERSION);
        return 0;
    }
    if (strcmp(argv[first], "--help") == 0 || strcmp(argv[first], "-h") == 0) {
        return command_help(1, argv + first);
    }
    const struct command *command = command_find(argv[first]);
    if (command == NULL) {
        return unknown(argv[first]);
    }
    if (argc > first + 1 && strcmp(argv[first + 1], "--help") == 0) {
        return command_help(2, (char *[]){"help", argv[first], NULL});
    }
    return command->run(argc - first, argv + first);
}
