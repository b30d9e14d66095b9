/* SPDX-License-Identifier: BSD-2-Clause */

/* braid-gen: from a system file and a board file, everything that is derived from them. */

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "check.h"
#include "check_shared.h"
#include "diagnostics.h"
#include "emit.h"
#include "image.h"
#include "read.h"
#include "source_date.h"

#define EXIT_USAGE 2

static const char usage[] =
    "usage: braid-gen SYSTEM.yaml --board BOARD.yaml --output DIR [options]\n"
    "       braid-gen --describe SYSTEM.yaml...\n"
    "       braid-gen --cores SYSTEM.yaml...\n"
    "       braid-gen --packages SYSTEM.yaml...\n"
    "       braid-gen --shared SYSTEM.yaml...\n"
    "       braid-gen --describe-boards BOARD.yaml...\n"
    "       braid-gen --kernel-header BOARD.yaml\n"
    "       braid-gen --reference\n"
    "\n"
    "  --board FILE       the board's file\n"
    "  --output DIR       where to write; nothing is written if there are errors\n"
    "  --kernel FILE      the arm64 Image of machines that name none\n"
    "  --initrd FILE      the initramfs of machines that name neither\n"
    "  --search DIR       a further place to look for files that machines name\n"
    "  --memory SIZE      the board's memory, if it is not what its file says: 1G\n"
    "  --prefill          the SDK fills memory regions from files (Microkit 2.2 and later)\n"
    "  --sdk-cores N      how many cores the SDK's config starts; 0: it has none for several\n"
    "  --sdk-bundled      the SDK is the bundled one, not an official one\n"
    "  --describe         print each system's name and description\n"
    "  --cores            print how many cores each system uses\n"
    "  --packages         print the packages' files that each system names\n"
    "  --shared           print `shared` for each system in which machines with kernels of the "
    "distribution's\n"
    "                     share memory\n"
    "  --describe-boards  print each board's name and description\n"
    "  --kernel-header    print the header that the bundled kernel is built with for a board\n"
    "  --reference        print the reference of all keys, in Markdown\n";

enum {
    OPTION_BOARD = 256,
    OPTION_OUTPUT,
    OPTION_KERNEL,
    OPTION_INITRD,
    OPTION_SEARCH,
    OPTION_PREFILL,
    OPTION_MEMORY,
    OPTION_SDK_CORES,
    OPTION_SDK_BUNDLED,
    OPTION_DESCRIBE,
    OPTION_CORES,
    OPTION_PACKAGES,
    OPTION_SHARED,
    OPTION_DESCRIBE_BOARDS,
    OPTION_KERNEL_HEADER,
    OPTION_REFERENCE,
    OPTION_HELP
};

static const struct option option_table[] = {
    {"board", required_argument, NULL, OPTION_BOARD},
    {"output", required_argument, NULL, OPTION_OUTPUT},
    {"kernel", required_argument, NULL, OPTION_KERNEL},
    {"initrd", required_argument, NULL, OPTION_INITRD},
    {"search", required_argument, NULL, OPTION_SEARCH},
    {"memory", required_argument, NULL, OPTION_MEMORY},
    {"prefill", no_argument, NULL, OPTION_PREFILL},
    {"sdk-cores", required_argument, NULL, OPTION_SDK_CORES},
    {"sdk-bundled", no_argument, NULL, OPTION_SDK_BUNDLED},
    {"describe", no_argument, NULL, OPTION_DESCRIBE},
    {"cores", no_argument, NULL, OPTION_CORES},
    {"packages", no_argument, NULL, OPTION_PACKAGES},
    {"shared", no_argument, NULL, OPTION_SHARED},
    {"describe-boards", no_argument, NULL, OPTION_DESCRIBE_BOARDS},
    {"kernel-header", no_argument, NULL, OPTION_KERNEL_HEADER},
    {"reference", no_argument, NULL, OPTION_REFERENCE},
    {"help", no_argument, NULL, OPTION_HELP},
    {0},
};

void memory_exhausted(size_t size)
{
    (void)size;
    fputs("braid-gen: out of memory\n", stderr);
    exit(1);
}

static int finish(int status)
{
    errors_print();
    yaml_files_free();
    memory_free_all();
    return status;
}

/* Links to the user's files, whose names mean nothing special to the programs that get them. */
static void emit_links(const struct system *system)
{
    for (size_t i = 0; i < system->images.count; i++) {
        const struct image *image = system->images.items[i];
        if (image->source != NULL) {
            buffer_add(output_file(image->link), image->bytes.bytes, image->bytes.length);
        }
        output_link(image->source != NULL ? image->source : image->link, image->path);
    }
    if (system->disk.is_given) {
        output_link(system->disk.link, system->disk.target);
    }
}

static void emit_all(const struct layout *layout)
{
    emit_links(layout->system);
    emit_system(layout, output_file("system.system"));
    for (size_t i = 0; i < layout->pds.count; i++) {
        const struct pd *pd = layout->pds.items[i];
        emit_config(layout, pd, output_file(memory_format("config/%s.c", pd->name)));
        if (pd->vm != NULL) {
            emit_embedded(layout, pd, output_file(memory_format("config/%s_images.S", pd->name)));
            const struct buffer *dtb = &layout->vms[pd->vm->index].dtb;
            buffer_add(output_file(memory_format("%s.dtb", pd->vm->name)), dtb->bytes, dtb->length);
        }
    }
    if (layout->system->board.settings.qemu.line != 0) {
        emit_qemu(layout, output_file("qemu.args"));
    }
    emit_json(layout, output_file("system.json"));
    emit_dot(layout, output_file("picture.dot"));
    emit_make(layout, output_file("system.mk"));
}

static int generate(const struct options *options)
{
    struct system *system = memory_new(sizeof(*system));

    board_read(&system->board, options->board_path, options->memory, !options->sdk_bundled);
    struct yaml_file *file = yaml_file_load(options->system_path);
    if (file == NULL) {
        return finish(EXIT_FAILURE);
    }
    system_read(system, file, options);
    images_find(system);
    system_check(system, file);
    system->date = source_date(system);
    if (error_count() != 0) {
        return finish(EXIT_FAILURE);
    }
    emit_all(layout_make(system));
    return finish(outputs_write(options->output, "system.mk") ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* What is asked for of files that are named, in the place of a system's files. */
typedef int lister(char *const *paths);

/* Prints a line on a system. */
typedef void printer(const char *path, const struct system_settings *settings);

/* What `make systems` shows of a system. */
static void print_description(const char *path, const struct system_settings *settings)
{
    const char *name = name_of_path(path);

    if (check_name_of_path(path, name)) {
        printf("%-14s %s\n", name, settings->description.text);
    }
}

/* What has to be known of a system before the SDK's config is chosen for it. */
static void print_cores(const char *path, const struct system_settings *settings)
{
    (void)path;
    printf("%" PRIu64 "\n", settings->cores.number);
}

/* A line for each system, from the keys at the left margin alone. */
static int list_systems(char *const *paths, printer *print)
{
    for (; *paths != NULL; paths++) {
        struct yaml_file *file = yaml_file_load(*paths);
        struct system_settings settings;

        if (file == NULL) {
            continue;
        }
        schema_defaults(&system_schema, &settings);
        schema_read(&system_schema, file, yaml_root(file), "", false, &settings);
        print(*paths, &settings);
    }
    return finish(error_count() == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

static int list_descriptions(char *const *paths)
{
    return list_systems(paths, print_description);
}

static int list_cores(char *const *paths)
{
    return list_systems(paths, print_cores);
}

/* What has to be known before the guests' files are chosen: those with a module for it are others.
 */
static int list_shared(char *const *paths)
{
    for (; *paths != NULL; paths++) {
        struct yaml_file *file = yaml_file_load(*paths);

        if (file != NULL && shared_needs_module(file)) {
            printf("shared\n");
        }
    }
    return finish(error_count() == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* What has to be fetched before a system is generated. */
static int list_packages(char *const *paths)
{
    for (; *paths != NULL; paths++) {
        struct yaml_file *file = yaml_file_load(*paths);

        if (file != NULL) {
            packages_print(file);
        }
    }
    return finish(error_count() == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* What `make boards` shows. */
static int list_boards(char *const *paths)
{
    for (; *paths != NULL; paths++) {
        struct board *board = memory_new(sizeof(*board));

        board_read(board, *paths, NULL, false);
        printf("%-24s %s\n", board->name, board->settings.description.text);
    }
    return finish(error_count() == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

static int kernel_header(char *const *paths)
{
    struct board *board = memory_new(sizeof(*board));
    struct buffer out = {0};

    if (paths[0] == NULL || paths[1] != NULL) {
        fprintf(stderr, "braid-gen: name one board file\n%s", usage);
        return finish(EXIT_USAGE);
    }
    board_read(board, paths[0], NULL, false);
    if (error_count() == 0) {
        emit_kernel_header(board, &out);
    }
    if (error_count() != 0) {
        return finish(EXIT_FAILURE);
    }
    fputs(out.bytes, stdout);
    return finish(EXIT_SUCCESS);
}

static int reference(void)
{
    struct buffer out = {0};

    emit_reference(&out);
    fputs(out.bytes, stdout);
    return finish(EXIT_SUCCESS);
}

static int wrong_usage(const char *message)
{
    fprintf(stderr, "braid-gen: %s\n%s", message, usage);
    return finish(EXIT_USAGE);
}

/* Take an option. Returns NULL, or what is wrong. */
static const char *take_option(struct options *options, lister **lister, int option)
{
    switch (option) {
    case OPTION_BOARD:
        options->board_path = optarg;
        break;
    case OPTION_OUTPUT:
        options->output = optarg;
        break;
    case OPTION_KERNEL:
        options->kernel = optarg;
        break;
    case OPTION_INITRD:
        options->initrd = optarg;
        break;
    case OPTION_SEARCH:
        *list_add(&options->search) = optarg;
        break;
    case OPTION_MEMORY:
        options->memory = optarg;
        break;
    case OPTION_PREFILL:
        options->prefill = true;
        break;
    case OPTION_SDK_CORES:
        options->knows_sdk = true;
        return value_parse(VALUE_COUNT, NULL, optarg, &options->sdk_cores) == NULL
                   ? NULL
                   : "--sdk-cores wants a number";
    case OPTION_SDK_BUNDLED:
        options->sdk_bundled = true;
        break;
    case OPTION_DESCRIBE:
        *lister = list_descriptions;
        break;
    case OPTION_CORES:
        *lister = list_cores;
        break;
    case OPTION_PACKAGES:
        *lister = list_packages;
        break;
    case OPTION_SHARED:
        *lister = list_shared;
        break;
    case OPTION_DESCRIBE_BOARDS:
        *lister = list_boards;
        break;
    case OPTION_KERNEL_HEADER:
        *lister = kernel_header;
        break;
    default:
        return "wrong option";
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    lister *lister = NULL;
    int option;

    while ((option = getopt_long(argc, argv, "", option_table, NULL)) != -1) {
        if (option == OPTION_REFERENCE) {
            return reference();
        }
        if (option == OPTION_HELP) {
            fputs(usage, stdout);
            return finish(EXIT_SUCCESS);
        }
        const char *wrong = take_option(&options, &lister, option);
        if (wrong != NULL) {
            return wrong_usage(wrong);
        }
    }
    if (lister != NULL) {
        return lister(argv + optind);
    }
    if (optind + 1 != argc) {
        return wrong_usage("name one system file");
    }
    if (options.board_path == NULL || options.output == NULL || options.output[0] == '\0') {
        return wrong_usage("--board and --output are needed");
    }
    options.system_path = argv[optind];
    return generate(&options);
}
