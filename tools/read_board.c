/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include "diagnostics.h"
#include "read.h"

#define PAGE 4096u

const char *name_of_path(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    const char *dot = strrchr(name, '.');

    return memory_copy(name, dot == NULL || dot == name ? strlen(name) : (size_t)(dot - name));
}

bool check_name_of_path(const char *path, const char *name)
{
    const char *wrong = value_parse(VALUE_STEM, NULL, name, NULL);

    if (wrong != NULL) {
        error_at(path, 0, "", "the file's name '%.80s': %s", name, wrong);
    }
    return wrong == NULL;
}

static void read_part(struct yaml_file *file, const struct setting *setting,
                      const struct schema *schema, const char *where, void *record)
{
    schema_defaults(schema, record);
    if (setting->node != NULL) {
        schema_read(schema, file, setting->node, where, false, record);
    }
}

static void check_page(const struct board *board, const struct setting *address, const char *where,
                       const char *key, uint64_t alignment)
{
    if (address->line != 0 && address->number % alignment != 0) {
        error_at(board->path, address->line, where, "%s %s: not a multiple of 0x%llx", key,
                 address->text, (unsigned long long)alignment);
    }
}

/* A driver gets whole pages, so it could reach whatever else is in them. */
static void check_apart(const struct board *board)
{
    const struct setting *address = &board->network.address;

    if (address->line != 0 && board->disk.address.line != 0 &&
        address->number / PAGE == board->disk.address.number / PAGE) {
        error_at(board->path, address->line, "network",
                 "address %s: in the same 4 KiB page as the disk's: take another slot",
                 address->text);
    }
}

static void check_memory(const struct board *board)
{
    const struct board_settings *settings = &board->settings;
    uint64_t base = settings->memory_base.number;
    uint64_t image = settings->image_address.number;

    check_page(board, &settings->memory_base, "", "memory_base", 2 * MIB);
    check_page(board, &settings->guest_memory_base, "", "guest_memory_base", 2 * MIB);
    check_page(board, &settings->image_address, "", "image_address", 4096);
    if (settings->image_address.line != 0 &&
        (image < base || image - base >= settings->memory_size.number)) {
        error_at(board->path, settings->image_address.line, "",
                 "image_address %s: outside the board's memory", settings->image_address.text);
    }
}

static void replace_memory(struct board *board, const char *memory)
{
    struct setting *size = &board->settings.memory_size;
    uint64_t bytes;
    const char *wrong = value_parse(VALUE_SIZE, NULL, memory, &bytes);

    if (wrong == NULL && (bytes == 0 || bytes % (2 * MIB) != 0)) {
        wrong = "not a multiple of 2 MiB";
    }
    if (wrong != NULL) {
        error_at("braid-gen", 0, "", "--memory '%s': %s", memory, wrong);
        return;
    }
    size->number = bytes;
}

void board_read(struct board *board, const char *path, const char *memory)
{
    board->path = path;
    board->name = name_of_path(path);
    check_name_of_path(path, board->name);
    schema_defaults(&board_schema, &board->settings);
    struct yaml_file *file = yaml_file_load(path);
    if (file == NULL) {
        return;
    }
    struct board_settings *settings = &board->settings;
    schema_read(&board_schema, file, yaml_root(file), "", false, settings);
    read_part(file, &settings->uart, &uart_schema, "uart", &board->uart);
    read_part(file, &settings->timer, &timer_schema, "timer", &board->timer);
    read_part(file, &settings->gic, &gic_schema, "gic", &board->gic);
    read_part(file, &settings->disk, &board_disk_schema, "disk", &board->disk);
    read_part(file, &settings->network, &board_network_schema, "network", &board->network);
    read_part(file, &settings->qemu, &qemu_schema, "qemu", &board->qemu);
    if (memory != NULL) {
        replace_memory(board, memory);
    }
    check_memory(board);
    check_page(board, &board->uart.address, "uart", "address", 4096);
    check_page(board, &board->disk.address, "disk", "address", 4);
    check_page(board, &board->network.address, "network", "address", 4);
    check_apart(board);
    check_page(board, &board->gic.vcpu_interface, "gic", "vcpu_interface", 4096);
}
