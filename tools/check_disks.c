/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_disks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "block/gpt.h"
#include "diagnostics.h"
#include "image.h"
#include "rates.h"

/* Slices begin behind the room of a partition table, and end before the room of its backup. The
 * firmware's partition, if the board boots from a card, is in front of them as well. */
#define DISK_MARGIN MIB

#define DISK_BLOCK 512u

/* The machines' lists. */

static bool is_number(const char *text, uint32_t *number)
{
    uint64_t value;

    if (value_parse(VALUE_COUNT, NULL, text, &value) != NULL || value > UINT32_MAX) {
        return false;
    }
    *number = (uint32_t)value;
    return true;
}

static void take_partition(const struct system *system, struct slice *slice)
{
    const struct setting *partition = &slice->settings.partition;

    if (!is_number(partition->text, &slice->number)) {
        slice->kind = BLOCK_SLICE_BY_NAME;
        return;
    }
    slice->kind = BLOCK_SLICE_BY_NUMBER;
    if (slice->number == 0) {
        error_at(system->path, partition->line, slice->where,
                 "partition 0: they are counted from 1");
    }
}

static void find_content(const struct system *system, struct slice *slice)
{
    const struct setting *content = &slice->settings.content;

    if (content->line == 0) {
        return;
    }
    slice->content = find_file(system, content->text);
    if (slice->content == NULL) {
        error_at(system->path, content->line, slice->where,
                 "content '%s': no such directory or archive: paths start at the system file's "
                 "directory",
                 content->text);
    } else if (slice->kind != BLOCK_SLICE_RANGE) {
        error_at(system->path, content->line, slice->where,
                 "content: a partition of a disk that is there already is left as it is");
    }
}

/* ---- A whole disk's image ---- */

static uint64_t big_endian(const unsigned char *bytes, unsigned count)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < count; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

#define QCOW2_HEADER 80 /* of version 3, up to its features */

/* An image from elsewhere must not name files of this host, whose content would come along. */
static const char *qcow2_wrong(const unsigned char *head)
{
    bool has_backing_file = big_endian(&head[8], 8) != 0;
    bool has_data_file = big_endian(&head[4], 4) >= 3 && (head[79] & 4) != 0;

    return has_backing_file || has_data_file
               ? "it refers to another file: make one image of both with qemu-img convert"
               : NULL;
}

/* How large a disk it is, in bytes; 0: `*wrong` says why that is not known. qcow2 has that in its
 * header (docs/interop/qcow2.rst of QEMU). */
static uint64_t image_size(const char *path, const char **wrong)
{
    unsigned char head[QCOW2_HEADER];
    struct stat status;
    FILE *file = fopen(path, "rb");

    *wrong = NULL;
    if (file == NULL || fstat(fileno(file), &status) != 0) {
        *wrong = strerror(errno);
        if (file != NULL) {
            fclose(file);
        }
        return 0;
    }
    uint64_t size = S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0;
    if (fread(head, 1, sizeof(head), file) == sizeof(head) && memcmp(head, "QFI\xfb", 4) == 0) {
        size = big_endian(&head[24], 8);
        *wrong = qcow2_wrong(head);
    }
    fclose(file);
    if (size == 0 || size > UINT64_MAX / 4) {
        *wrong = "no image of a disk";
    }
    return *wrong == NULL ? size : 0;
}

static void find_disk_image(const struct system *system, struct slice *slice)
{
    const struct setting *setting = &slice->settings.image;
    const char *wrong = "no such file: paths start at the system file's directory";

    if (setting->line == 0) {
        return;
    }
    if (slice->settings.content.line != 0 || slice->settings.partition.line != 0) {
        error_at(system->path, setting->line, slice->where,
                 slice->settings.content.line != 0
                     ? "both 'content' and 'image': the image is the disk's content"
                     : "image: a partition of a disk that is there already is left as it is");
        return;
    }
    slice->image = find_file(system, setting->text);
    uint64_t size = slice->image == NULL ? 0 : image_size(slice->image, &wrong);
    if (size == 0) {
        error_at(system->path, setting->line, slice->where, "image '%s': %s", setting->text, wrong);
        return;
    }
    if (slice->settings.size.line == 0) {
        slice->size = (size + MIB - 1) / MIB * MIB;
    } else if (slice->size < size) {
        error_at(system->path, slice->settings.size.line, slice->where,
                 "size %s: the image '%s' is a disk of %s: that much or more, or no size",
                 slice->settings.size.text, setting->text,
                 value_format(VALUE_SIZE, (size + MIB - 1) / MIB * MIB));
    }
}

static void add_slice(struct system *system, struct vm *vm, const struct slice_settings *settings,
                      int line, const char *where)
{
    struct slice *slice = &vm->slices[vm->slice_count];

    slice->vm = vm;
    slice->index = vm->slice_count++;
    slice->where = where;
    slice->line = line;
    slice->settings = *settings;
    slice->size = settings->size.number;
    system->disk.slice_count++;
    if (settings->partition.line != 0) {
        take_partition(system, slice);
    }
    bool has_size = settings->size.line != 0 || settings->image.line != 0;
    if (has_size == (settings->partition.line != 0)) {
        error_at(system->path, line, where,
                 settings->image.line != 0
                     ? "both 'image' and 'partition': say which of them the disk is"
                 : has_size
                     ? "both 'size' and 'partition': a partition has its size"
                     : "neither 'size' nor 'partition' nor 'image': say which part of the disk it "
                       "is");
    }
    find_content(system, slice);
    find_disk_image(system, slice);
}

/* An item of `disks`: a size, or settings. */
static void read_slice(struct system *system, struct yaml_file *file, struct vm *vm,
                       yaml_node_t *item, const char *where)
{
    const struct schema_key *size_key = &slice_schema.keys[0];
    struct slice_settings settings;
    size_t errors = error_count();

    schema_defaults(&slice_schema, &settings);
    schema_defaults(&disk_rate_schema, &settings.of_rate);
    if (item->type == YAML_SCALAR_NODE && !yaml_is_null(item)) {
        settings.size.line = yaml_line(item);
        schema_read_value(size_key, system->path, where, "size", item, &settings.size);
    } else {
        schema_read(&slice_schema, file, item, where, false, &settings);
        slice_rate_read(file, where, &settings);
    }
    if (error_count() == errors) {
        add_slice(system, vm, &settings, yaml_line(item), where);
    }
}

static void read_slices(struct system *system, struct yaml_file *file, struct vm *vm)
{
    const struct setting *list = &vm->settings.disks;

    if (list->node == NULL) {
        return;
    }
    if (list->node->type != YAML_SEQUENCE_NODE) {
        error_at(system->path, list->line, vm->where,
                 "disks: %s: a list belongs here, like [256 MiB, {partition: data}]",
                 yaml_kind(list->node));
        return;
    }
    size_t count = yaml_item_count(list->node);
    if (count > VMM_MAX_DISKS) {
        error_at(system->path, list->line, vm->where, "disks: %zu of them: %d at most", count,
                 VMM_MAX_DISKS);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        read_slice(system, file, vm, yaml_node(file, list->node->data.sequence.items.start[i]),
                   memory_format("%s: disk %zu", vm->where, i));
    }
}

static void each_slice(struct system *system, void act(struct system *system, struct slice *slice))
{
    for (size_t i = 0; i < system->vms.count; i++) {
        struct vm *vm = system->vms.items[i];
        for (unsigned k = 0; k < vm->slice_count; k++) {
            act(system, &vm->slices[k]);
        }
    }
}

/* The board's disk. */

static void read_disk(struct system *system, struct yaml_file *file)
{
    struct disk *disk = &system->disk;
    const struct setting *path = &disk->settings.file;
    struct stat status;

    schema_defaults(&disk_schema, &disk->settings);
    if (system->settings.disk.node == NULL) {
        return;
    }
    schema_read(&disk_schema, file, system->settings.disk.node, "disk", false, &disk->settings);
    disk->size = disk->settings.size.number;
    if (path->line == 0) {
        return;
    }
    disk->is_given = true;
    disk->path = find_file(system, path->text);
    if (disk->path == NULL || stat(disk->path, &status) != 0 || !S_ISREG(status.st_mode)) {
        error_at(system->path, path->line, "disk",
                 "file '%s': no such file: paths start at the system file's directory", path->text);
        disk->path = NULL;
        return;
    }
    char *absolute = realpath(disk->path, NULL);
    disk->target = absolute == NULL ? disk->path : memory_copy(absolute, strlen(absolute));
    free(absolute);
    disk->link = link_name("disk", disk->target);
    if (disk->settings.size.line != 0) {
        error_at(system->path, disk->settings.size.line, "disk",
                 "size %s: the file has its size: leave it out", disk->settings.size.text);
    }
    disk->size = (uint64_t)status.st_size;
}

/* Slices by size and slices by partition on one disk would overlap. */
static void check_kinds(struct system *system, struct slice *slice)
{
    if (slice->kind == BLOCK_SLICE_RANGE) {
        for (size_t i = 0; i < system->vms.count; i++) {
            const struct vm *vm = system->vms.items[i];
            for (unsigned k = 0; k < vm->slice_count; k++) {
                if (vm->slices[k].kind != BLOCK_SLICE_RANGE) {
                    error_at(system->path, slice->line, slice->where,
                             "a size, while %s is a partition: the board's disk is one or the "
                             "other",
                             vm->slices[k].where);
                    return;
                }
            }
        }
    } else if (!system->disk.is_given) {
        error_at(system->path, slice->line, slice->where,
                 "partition %s: of which disk? Name its image with 'disk: {file: ...}'",
                 slice->settings.partition.text);
    }
}

static uint64_t next_offset;

static void place_slice(struct system *system, struct slice *slice)
{
    struct disk *disk = &system->disk;

    if (slice->kind != BLOCK_SLICE_RANGE) {
        return;
    }
    slice->offset = next_offset;
    if (disk->size != 0 &&
        (slice->size > disk->size || next_offset + slice->size + DISK_MARGIN > disk->size)) {
        error_at(system->path, slice->line, slice->where,
                 "size %s: beyond the end of the disk, which has %s: %s are left",
                 value_format(VALUE_SIZE, slice->size), value_format(VALUE_SIZE, disk->size),
                 value_format(VALUE_SIZE, disk->size > next_offset + DISK_MARGIN
                                              ? disk->size - DISK_MARGIN - next_offset
                                              : 0));
        return;
    }
    if (slice->size > UINT64_MAX / 2 - next_offset) {
        error_at(system->path, slice->line, slice->where, "size %s: no disk is as large",
                 value_format(VALUE_SIZE, slice->size));
        return;
    }
    next_offset += slice->size;
}

static bool same_partition(const struct slice *a, const struct slice *b)
{
    if (a->kind != b->kind || a->kind == BLOCK_SLICE_RANGE) {
        return false;
    }
    return a->kind == BLOCK_SLICE_BY_NUMBER
               ? a->number == b->number
               : strcmp(a->settings.partition.text, b->settings.partition.text) == 0;
}

/* If one machine writes a partition no other may have it: the other's caches would be stale. */
static void check_writers(struct system *system, struct slice *slice)
{
    for (size_t i = 0; i <= slice->vm->index; i++) {
        const struct vm *vm = system->vms.items[i];
        for (unsigned k = 0; k < vm->slice_count; k++) {
            const struct slice *other = &vm->slices[k];
            if (other == slice) {
                return;
            }
            if (same_partition(slice, other) &&
                !(slice->settings.read_only.number && other->settings.read_only.number)) {
                error_at(system->path, slice->line, slice->where,
                         "partition %s: %s has it too and not both only read: say 'read_only: yes' "
                         "in both",
                         slice->settings.partition.text, other->where);
                return;
            }
        }
    }
}

/* The partition table of a disk image that is there. */

static struct {
    struct gpt_header header;
    unsigned char entries[GPT_ENTRIES_MAX];
    const char *wrong; /* why there is none; NULL: there is one */
} table;

static const char *read_at(FILE *file, uint64_t block, void *to, size_t size)
{
    if (fseeko(file, (off_t)(block * DISK_BLOCK), SEEK_SET) != 0 ||
        fread(to, 1, size, file) != size) {
        return "the file ends before its table does";
    }
    return NULL;
}

static const char *read_table(FILE *file, uint64_t blocks)
{
    unsigned char block[DISK_BLOCK];
    const char *wrong = read_at(file, GPT_PRIMARY_BLOCK, block, sizeof(block));

    if (wrong == NULL) {
        wrong = gpt_read_header(block, DISK_BLOCK, GPT_PRIMARY_BLOCK, blocks, &table.header);
    }
    if (wrong == NULL) {
        wrong = read_at(file, table.header.entries_block, table.entries,
                        gpt_entries_bytes(&table.header));
    }
    return wrong != NULL ? wrong : gpt_check_entries(&table.header, table.entries);
}

static void check_partition(struct system *system, struct slice *slice)
{
    struct gpt_partition partition;
    const char *wrong = table.wrong;

    if (slice->kind == BLOCK_SLICE_RANGE) {
        return;
    }
    if (wrong == NULL) {
        wrong = slice->kind == BLOCK_SLICE_BY_NAME
                    ? gpt_find_name(&table.header, table.entries, slice->settings.partition.text,
                                    &partition)
                    : gpt_find_number(&table.header, table.entries, slice->number, &partition);
    }
    if (wrong != NULL) {
        error_at(system->path, slice->settings.partition.line, slice->where,
                 "partition %s of %s: %s", slice->settings.partition.text, system->disk.path,
                 wrong);
    }
}

static void check_partitions(struct system *system)
{
    FILE *file = fopen(system->disk.path, "rb");

    if (file == NULL) {
        error_at(system->path, system->disk.settings.file.line, "disk", "file '%s': %s",
                 system->disk.path, strerror(errno));
        return;
    }
    table.wrong = read_table(file, system->disk.size / DISK_BLOCK);
    fclose(file);
    each_slice(system, check_partition);
}

void disks_check(struct system *system, struct yaml_file *file)
{
    struct disk *disk = &system->disk;

    read_disk(system, file);
    for (size_t i = 0; i < system->vms.count; i++) {
        read_slices(system, file, system->vms.items[i]);
    }
    if (disk->slice_count == 0) {
        return;
    }
    if (disk->slice_count > BLOCK_MAX_CLIENTS) {
        error_at(system->path, system->settings.vms.line, "", "vms: %u disks in all: %d at most",
                 disk->slice_count, BLOCK_MAX_CLIENTS);
    }
    if (system->board.settings.disk.node == NULL) {
        error_at(system->path, system->settings.vms.line, "",
                 "vms: some have disks: the board '%s' has none", system->board.name);
    }
    each_slice(system, check_kinds);
    next_offset = DISK_MARGIN;
    if (system->board.settings.boot.node != NULL) {
        next_offset += system->board.boot.partition.number;
    }
    each_slice(system, place_slice);
    if (disk->size == 0) {
        disk->size = next_offset + DISK_MARGIN;
    }
    each_slice(system, check_writers);
    if (disk->is_given && disk->path != NULL) {
        check_partitions(system);
    }
}
