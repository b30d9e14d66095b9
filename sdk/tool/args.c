/* SPDX-License-Identifier: BSD-2-Clause */
#include "args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "array.h"
#include "diag.h"
#include "sdk.h"
#include "tools/memory.h"

static __attribute__((noreturn)) void help(const char *sdk)
{
    printf("usage: microkit [-h] [-o OUTPUT] [-r REPORT] [--image-type {binary,elf}] "
           "[--override-kernel KERNEL] [--capdl-json FILE] [--viper-output DIR] "
           "--board BOARD --config CONFIG [--search-path [DIR ...]] system\n"
           "\n"
           "Makes a boot image from a system description and the programs that it names.\n"
           "\n"
           "positional arguments:\n"
           "  system                    the system description, an XML file\n"
           "\n"
           "options:\n"
           "  -h, --help                show this and exit\n"
           "  -o, --output OUTPUT       the image (loader.img)\n"
           "  -r, --report REPORT       what lies where, as text (report.txt)\n"
           "  --image-type TYPE         binary (the default) or elf\n"
           "  --override-kernel KERNEL  a kernel other than the SDK's\n"
           "  --capdl-json FILE         not written, with a warning: Microkit describes\n"
           "  --viper-output DIR        capabilities there, and here are none\n"
           "  --board BOARD             one of: %s\n"
           "  --config CONFIG           as the board has it, for example debug or release\n"
           "  --search-path [DIR ...]   where programs and prefill files are; the current "
           "directory is too\n",
           sdk_boards(sdk));
    exit(EXIT_SUCCESS);
}

/* The words of the command line, as they are consumed. */
struct words {
    char **words;
    int count;
    int next;
    const char *inline_value; /* of --option=value */
};

static const char *value(struct words *words, const char *option)
{
    const char *text = words->inline_value;

    if (text) {
        words->inline_value = NULL;
        return text;
    }
    if (words->next == words->count) {
        diag_fatal("argument %s: expected one parameter", option);
    }
    return words->words[words->next++];
}

static void read_search(struct words *words, struct args *args, size_t *search_count)
{
    if (words->inline_value) {
        *ARRAY_ADD(args->search, *search_count) = value(words, "--search-path");
    }
    while (words->next < words->count && words->words[words->next][0] != '-') {
        *ARRAY_ADD(args->search, *search_count) = words->words[words->next++];
    }
}

static enum image_type read_type(const char *text)
{
    if (strcmp(text, "binary") == 0) {
        return IMAGE_BINARY;
    }
    if (strcmp(text, "elf") == 0) {
        return IMAGE_ELF;
    }
    diag_fatal("argument --image-type: '%s' is not possible for AArch64: it may be binary or elf",
               text);
}

/* Splits --option=value. */
static const char *option_name(struct words *words, const char *word)
{
    const char *equals = strchr(word, '=');

    words->inline_value = NULL;
    if (strncmp(word, "--", 2) != 0 || !equals) {
        return word;
    }
    words->inline_value = equals + 1;
    return memory_copy(word, (size_t)(equals - word));
}

static bool is(const char *option, const char *name, const char *other)
{
    return strcmp(option, name) == 0 || (other && strcmp(option, other) == 0);
}

static void read_word(struct words *words, struct args *args, size_t *search_count, const char *sdk)
{
    const char *word = words->words[words->next++];
    const char *option = option_name(words, word);

    if (is(option, "--help", "-h")) {
        help(sdk);
    } else if (is(option, "--output", "-o")) {
        args->output = value(words, option);
    } else if (is(option, "--report", "-r")) {
        args->report = value(words, option);
    } else if (is(option, "--board", NULL)) {
        args->board = value(words, option);
    } else if (is(option, "--config", NULL)) {
        args->config = value(words, option);
    } else if (is(option, "--image-type", NULL)) {
        args->type = read_type(value(words, option));
    } else if (is(option, "--override-kernel", NULL)) {
        args->kernel = value(words, option);
    } else if (is(option, "--search-path", NULL)) {
        read_search(words, args, search_count);
    } else if (is(option, "--capdl-json", "--viper-output")) {
        diag_warn_line("argument %s: '%s' is not written: this kernel has no capabilities to "
                       "describe",
                       option, value(words, option));
    } else if (word[0] == '-' && word[1]) {
        diag_fatal("unrecognized argument '%s': microkit --help lists them", word);
    } else if (args->system) {
        diag_fatal("unrecognized argument '%s': the system is already '%s'", word, args->system);
    } else {
        args->system = word;
    }
    if (words->inline_value) {
        diag_fatal("argument %s: it takes no parameter", option);
    }
}

struct args args_read(int count, char **words_of_line, const char *sdk)
{
    struct args args = {.output = "loader.img", .report = "report.txt", .type = IMAGE_BINARY};
    struct words words = {.words = words_of_line, .count = count, .next = 1};
    size_t search_count = 0;

    while (words.next < words.count) {
        read_word(&words, &args, &search_count, sdk);
    }
    *ARRAY_ADD(args.search, search_count) = ".";
    *ARRAY_ADD(args.search, search_count) = NULL;

    if (!args.board || !args.config || !args.system) {
        diag_fatal("the following arguments are required:%s%s%s", args.board ? "" : " --board",
                   args.config ? "" : " --config", args.system ? "" : " system");
    }
    if (!sdk_has_board(sdk, args.board)) {
        diag_fatal("argument --board: unknown board '%s': this SDK has %s", args.board,
                   sdk_boards(sdk));
    }
    if (!sdk_has_config(sdk, args.board, args.config)) {
        diag_fatal("argument --config: unknown configuration '%s': board '%s' has %s", args.config,
                   args.board, sdk_configs(sdk, args.board));
    }
    return args;
}
