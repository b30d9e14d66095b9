/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * microkit: a system description and its programs in, one boot image out.
 *
 * The order of reading is the order of work: args.c and sdk.c (what is wanted), xml.c, sdf.c and
 * check.c (the description), program.c, kernel.c and patch.c (the ELF files and the variables in
 * them), layout.c (who sees what), placement.c and allocator.c (where it lies), stage2.c (the
 * tables), image.c and report.c (what comes out). The first error ends the tool (diag.c).
 */

#include <inttypes.h>
#include <stdio.h>
#include "args.h"
#include "board.h"
#include "diag.h"
#include "file.h"
#include "image.h"
#include "kernel.h"
#include "layout.h"
#include "patch.h"
#include "report.h"
#include "sdf.h"
#include "sdk.h"
#include "sdk/kernel/system.h"
#include "tools/memory.h"

static struct program *find_program(const struct args *args, const struct sdf_pd *pd,
                                    const char *name, const char *attribute)
{
    const char *path = file_find(args->search, name);

    if (!path) {
        diag_at(&pd->program_place, attribute,
                "'%s' is in none of the search paths: build it, or give its directory with "
                "--search-path",
                name);
    }
    return program_read(path, &pd->program_place, attribute);
}

static const char *find_kernel(const struct args *args, const char *sdk)
{
    const char *path =
        memory_format("%s/board/%s/%s/elf/kernel.elf", sdk, args->board, args->config);

    if (args->kernel) {
        return args->kernel;
    }
    if (!file_exists(path)) {
        diag_fatal("'%s' is missing: '%s' is no SDK of this tool, or not complete", path, sdk);
    }
    return path;
}

static void read_programs(const struct args *args, const struct sdf_system *system,
                          struct program **programs, struct program **symbols)
{
    for (size_t i = 0; i < system->pd_count; i++) {
        const struct sdf_pd *pd = system->pds[i];
        programs[i] = find_program(args, pd, pd->program, "path");
        symbols[i] = programs[i];
        if (pd->program_symbols) {
            symbols[i] = find_program(args, pd, pd->program_symbols, "path_for_symbols");
        }
        patch_variables(system, pd, programs[i], symbols[i]);
    }
}

int main(int count, char **words)
{
    const char *sdk = sdk_directory();
    struct args args = args_read(count, words, sdk);
    struct output *image = file_output(args.output, "image");
    struct output *report = file_output(args.report, "report");
    struct program *kernel = kernel_read(find_kernel(&args, sdk));
    const struct board *board = kernel_board(kernel);
    unsigned cores = sdk_cores(sdk, args.board, args.config);
    struct sdf_system *system = sdf_read(args.system, board, cores, args.search);
    struct program **programs = memory_new(system->pd_count * sizeof(*programs));
    struct program **symbols = memory_new(system->pd_count * sizeof(*symbols));
    read_programs(&args, system, programs, symbols);

    struct layout *layout = layout_build(system, board, kernel, programs, symbols);
    kernel_set_header(kernel, layout->window);
    report_write(layout, args.board, args.config, report);
    image_write(layout, args.type, image);
    sdf_warn(system);
    diag_print_warnings();
    printf("%s: %" PRIu64 " KiB; needs %" PRIu64 " MiB of RAM\n", args.output,
           (uint64_t)(layout->image_end - board->load_address) >> 10,
           (layout->ram_needed + 0xfffff) >> 20);
    return 0;
}
