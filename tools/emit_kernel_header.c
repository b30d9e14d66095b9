/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include "diagnostics.h"
#include "emit.h"

/* The numbers have no suffix: assembly reads them as well. */
static void define(struct buffer *out, const char *name, uint64_t value)
{
    buffer_print(out, "#define %s 0x%" PRIx64 "\n", name, value);
}

static void define_wanted(const struct board *board, struct buffer *out, const char *name,
                          const char *key, const struct setting *setting)
{
    if (setting->line == 0) {
        error_at(board->path, 0, "gic", "%s: not given: the bundled SDK wants it", key);
    }
    define(out, name, setting->number);
}

static void define_per_core(const struct board *board, struct buffer *out, const char *name,
                            const uint64_t *numbers)
{
    buffer_print(out, "#define %s", name);
    for (uint64_t core = 0; core < board->settings.cores.number; core++) {
        buffer_print(out, "%s 0x%" PRIx64, core == 0 ? "" : ",", numbers[core]);
    }
    buffer_print(out, "\n");
}

static void define_uart(const struct board *board, struct buffer *out)
{
    define(out, "BOARD_UART", board->uart.address.number);
    buffer_print(out, "#define BOARD_UART_CHIP UART_");
    for (const char *c = board->uart.driver.text; *c != '\0'; c++) {
        buffer_print(out, "%c", *c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
    }
    buffer_print(out, "\n");
}

void emit_kernel_header(const struct board *board, struct buffer *out)
{
    const struct board_settings *settings = &board->settings;
    const struct gic_settings *gic = &board->gic;

    buffer_print(out,
                 "/* Made by braid-gen from the file of the board '%s'; changes will be lost. */\n"
                 "#pragma once\n\n",
                 board->name);
    define(out, "BOARD_IN_QEMU", settings->qemu.line != 0);
    define(out, "BOARD_MEMORY_BASE", settings->memory_base.number);
    define(out, "BOARD_MEMORY_SIZE", settings->memory_size.number);
    define(out, "BOARD_LOAD_ADDRESS", settings->image_address.number);
    define_per_core(board, out, "BOARD_CORE_IDS", board->core_ids);
    if (settings->release_addresses.line != 0) {
        define_per_core(board, out, "BOARD_RELEASE_ADDRESSES", board->release_addresses);
    }
    define(out, "BOARD_GIC_VERSION", gic->version.number);
    define(out, "BOARD_GIC_INTIDS", gic->interrupts.number);
    define_wanted(board, out, "BOARD_GICD", "distributor", &gic->distributor);
    if (gic->version.number == 3) {
        define_wanted(board, out, "BOARD_GICR", "redistributors", &gic->redistributors);
    } else {
        define_wanted(board, out, "BOARD_GICC", "cpu_interface", &gic->cpu_interface);
        define_wanted(board, out, "BOARD_GICH", "hypervisor_interface", &gic->hypervisor_interface);
    }
    define_uart(board, out);
}
