/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include "chips.h"
#include "diagnostics.h"
#include "read.h"
#include "read_devices.h"

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

static void report_chip(const struct board *board, const struct setting *driver, const char *where,
                        const char *class, const char *before, const char *const *chips)
{
    struct nearest nearest = {0};
    const char *list = "";

    for (size_t i = 0; chips[i] != NULL; i++) {
        nearest_weigh(&nearest, driver->text, chips[i]);
        list = memory_format("%s%s%s", list, i == 0 ? "" : ", ", chips[i]);
    }
    if (strcmp(driver->text, class) == 0) {
        error_at(board->path, driver->line, where,
                 "driver '%s': that is the class, and here belongs a chip: '%s' is what '%s' meant "
                 "(drivers/%s/ has %s)",
                 class, before, class, class, list);
    } else if (nearest.word != NULL) {
        error_at(board->path, driver->line, where,
                 "driver '%s': no such chip: did you mean '%s'? (drivers/%s/ has %s)", driver->text,
                 nearest.word, class, list);
    } else {
        error_at(
            board->path, driver->line, where,
            "driver '%s': no such chip: drivers/%s/ has %s; docs/porting.md says how to add one",
            driver->text, class, list);
    }
}

/* `before` is what the class's name meant when a board's file named classes. */
static bool check_chip(const struct board *board, const struct setting *driver, const char *where,
                       const char *class, const char *before, const char *const *chips)
{
    for (size_t i = 0; chips[i] != NULL; i++) {
        if (strcmp(driver->text, chips[i]) == 0) {
            return true;
        }
    }
    report_chip(board, driver, where, class, before, chips);
    return false;
}

/* The processor's own timer has no registers in memory. Every other one has. */
static void check_timer(const struct board *board, const struct timer_settings *timer,
                        const char *where, unsigned line)
{
    check_page(board, &timer->address, where, "address", PAGE);
    if (!check_chip(board, &timer->driver, where, "timer", "cntp", chips_timer)) {
        return;
    }
    bool in_processor = strcmp(timer->driver.text, "cntp") == 0;

    if (in_processor && timer->address.line != 0) {
        error_at(board->path, timer->address.line, where,
                 "address %s: 'cntp' is the processor's own timer and has none: leave it out",
                 timer->address.text);
    }
    if (!in_processor && timer->address.line == 0) {
        error_at(board->path, line, where, "'address' is missing: where '%s' has its registers",
                 timer->driver.text);
    }
}

/* Of these chips it is known that the caches see what they do; a board's file may know better. */
static void complete_disk(struct board_disk_settings *disk)
{
    if (disk->coherent.line == 0) {
        disk->coherent.number = strcmp(disk->driver.text, "virtio_blk") == 0;
    }
}

/* It has no program of its own: vmm/pl031.c reads it. */
static void check_clock(const struct board *board)
{
    static const char *const chips_clock[] = {"pl031", NULL};

    check_chip(board, &board->clock.driver, "clock", "clock", "", chips_clock);
    check_page(board, &board->clock.address, "clock", "address", PAGE);
}

static void check_drivers(const struct board *board)
{
    check_chip(board, &board->uart.driver, "uart", "uart", "pl011", chips_uart);
    check_timer(board, &board->timer, "timer", board->settings.timer.line);
    check_chip(board, &board->disk.driver, "disk", "block", "virtio_blk", chips_block);
    check_chip(board, &board->network.driver, "network", "net", "virtio_net", chips_net);
}

/* A driver gets whole pages, so it could reach whatever else is in them. */
static void check_apart(const struct board *board)
{
    const struct {
        const char *name;
        const struct setting *address;
    } devices[] = {{"uart", &board->uart.address},
                   {"timer", &board->timer.address},
                   {"disk", &board->disk.address},
                   {"network", &board->network.address},
                   {"clock", &board->clock.address}};

    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
        for (size_t k = 0; k < i; k++) {
            const struct setting *address = devices[i].address;

            if (address->line != 0 && devices[k].address->line != 0 &&
                address->number / PAGE == devices[k].address->number / PAGE) {
                error_at(board->path, address->line, devices[i].name,
                         "address %s: in the same 4 KiB page as the %s's, but two drivers cannot "
                         "share a page: take another device, or another slot of its bus",
                         address->text, devices[k].name);
            }
        }
    }
}

/* A key that only one version of the GIC has. */
static void check_gic_key(const struct board *board, const struct setting *setting, const char *key,
                          uint64_t version)
{
    check_page(board, setting, "gic", key, PAGE);
    if (setting->line != 0 && board->gic.version.number != version) {
        error_at(board->path, setting->line, "gic", "%s %s: a GICv%llu has none: leave it out", key,
                 setting->text, (unsigned long long)board->gic.version.number);
    }
}

static void check_gic(const struct board *board)
{
    const struct gic_settings *gic = &board->gic;

    check_page(board, &gic->distributor, "gic", "distributor", PAGE);
    check_gic_key(board, &gic->redistributors, "redistributors", 3);
    check_gic_key(board, &gic->cpu_interface, "cpu_interface", 2);
    check_gic_key(board, &gic->hypervisor_interface, "hypervisor_interface", 2);
    check_gic_key(board, &gic->vcpu_interface, "vcpu_interface", 2);
    if (gic->version.number == 2 && board->settings.gic.line != 0 &&
        gic->vcpu_interface.line == 0) {
        error_at(board->path, board->settings.gic.line, "gic",
                 "'vcpu_interface' is missing: a GICv2 has its virtual CPU interface (GICV) at a "
                 "physical address: say which, or 'version: 3'");
    }
}

/* A list of one number for each core. `numbers` keeps what it has where there is an error. */
static void read_per_core(const struct board *board, struct yaml_file *file,
                          const struct setting *list, const struct schema_key *key,
                          uint64_t *numbers)
{
    uint64_t cores = board->settings.cores.number;

    if (list->node == NULL) {
        return;
    }
    if (list->node->type != YAML_SEQUENCE_NODE || yaml_item_count(list->node) != cores) {
        error_at(board->path, list->line, "", "%s: must be a list of one number for each core",
                 key->name);
        return;
    }
    for (uint64_t core = 0; core < cores; core++) {
        yaml_node_t *node = yaml_node(file, list->node->data.sequence.items.start[core]);
        struct setting item = {0};

        if (schema_read_value(key, board->path, "", key->name, node, &item)) {
            numbers[core] = item.number;
        }
    }
}

/* How the cores are known, and how they start. */
static void read_cores(struct board *board, struct yaml_file *file)
{
    static const struct schema_key ids = {.name = "core_ids", .kind = VALUE_COUNT};
    static const struct schema_key addresses = {.name = "release_addresses", .kind = VALUE_HEX};
    const struct setting *list = &board->settings.release_addresses;

    for (uint64_t core = 0; core < board->settings.cores.number; core++) {
        board->core_ids[core] = core;
    }
    read_per_core(board, file, &board->settings.core_ids, &ids, board->core_ids);
    read_per_core(board, file, list, &addresses, board->release_addresses);
    for (uint64_t core = 0; core < board->settings.cores.number; core++) {
        if (board->release_addresses[core] % 8 != 0) {
            error_at(board->path, list->line, "",
                     "release_addresses: 0x%llx is not a multiple of 8",
                     (unsigned long long)board->release_addresses[core]);
        }
    }
}

static void read_granules(struct board *board, struct yaml_file *file)
{
    const struct setting *list = &board->settings.granules;

    if (list->node == NULL) {
        return;
    }
    size_t count = list->node->type == YAML_SEQUENCE_NODE ? yaml_item_count(list->node) : 0;
    if (count == 0 || count > GRANULES_MAX) {
        error_at(board->path, list->line, "", "granules: must be a list of 1 to %d sizes",
                 GRANULES_MAX);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        static const struct schema_key key = {.name = "granules", .kind = VALUE_SIZE};
        yaml_node_t *node = yaml_node(file, list->node->data.sequence.items.start[i]);
        struct setting item = {0};

        if (!schema_read_value(&key, board->path, "", key.name, node, &item)) {
            continue;
        }
        if (item.number != 4 * KIB && item.number != 16 * KIB && item.number != 64 * KIB) {
            error_at(board->path, item.line, "", "granules %s: there are 4 KiB, 16 KiB and 64 KiB",
                     item.text);
            continue;
        }
        board->granules[board->granule_count++] = item.number;
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
    if (wrong == NULL && bytes > size->number && size->line != 0) {
        wrong =
            memory_format("more than the SDK's kernel was made to use, which is 'memory' in %s: "
                          "take %s at most",
                          board->path, value_format(VALUE_SIZE, size->number));
    }
    if (wrong != NULL) {
        error_at("braid-gen", 0, "", "--memory '%s': %s", memory, wrong);
        return;
    }
    size->number = bytes;
}

/* On an official SDK another timer may take the place of the board's. */
static void read_official_timer(struct board *board, struct yaml_file *file, bool official)
{
    const struct setting *setting = &board->settings.official_timer;
    struct timer_settings timer;

    if (setting->node == NULL) {
        return;
    }
    read_part(file, setting, &timer_schema, "official_timer", &timer);
    check_timer(board, &timer, "official_timer", setting->line);
    if (official) {
        board->timer = timer;
    }
}

void board_read(struct board *board, const char *path, const char *memory, bool official)
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
    read_part(file, &settings->clock, &clock_schema, "clock", &board->clock);
    read_part(file, &settings->boot, &boot_schema, "boot", &board->boot);
    read_part(file, &settings->qemu, &qemu_schema, "qemu", &board->qemu);
    read_cores(board, file);
    read_granules(board, file);
    if (memory != NULL) {
        replace_memory(board, memory);
    }
    complete_disk(&board->disk);
    check_memory(board);
    check_drivers(board);
    read_official_timer(board, file, official);
    check_clock(board);
    check_page(board, &board->uart.address, "uart", "address", 4096);
    check_page(board, &board->disk.address, "disk", "address", 4);
    check_page(board, &board->network.address, "network", "address", 4);
    check_apart(board);
    check_gic(board);
    devices_read(board, file);
}
