/* SPDX-License-Identifier: BSD-2-Clause */
#include "image.h"

#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "diagnostics.h"
#include "lib/arm64_image.h"

struct signature {
    const char *bytes;
    size_t length;
    const char *name;
};

/* The magic numbers of an initramfs: Linux, lib/decompress.c and init/initramfs.c. */
static const struct signature archives[] = {
    {"070701", 6, "cpio"},
    {"070702", 6, "cpio"},
    {"\x1f\x8b", 2, "gzip"},
    {"\xfd"
     "7zXZ",
     5, "xz"},
    {"\x28\xb5\x2f\xfd", 4, "zstd"},
    {"\x02\x21\x4c\x18", 4, "lz4"},
    {"BZh", 3, "bzip2"},
    {"\x89LZO", 4, "lzo"},
    {"\x5d\x00\x00", 3, "lzma"},
};

const char *find_file(const struct system *system, const char *name)
{
    const char *slash = strrchr(system->path, '/');
    const char *directory =
        slash == NULL ? "." : memory_copy(system->path, (size_t)(slash - system->path));

    if (name[0] == '/') {
        return access(name, R_OK) == 0 ? name : NULL;
    }
    const char *path = memory_format("%s/%s", directory, name);
    for (size_t i = 0; access(path, R_OK) != 0; i++) {
        if (i == system->options->search.count) {
            return NULL;
        }
        path = memory_format("%s/%s", system->options->search.items[i], name);
    }
    return path;
}

/* Check a file that should be an Image. Returns NULL, or what is wrong with it. */
static const char *check_kernel(const unsigned char *head, size_t length, struct image *image)
{
    struct arm64_image_header header;

    if (length >= 4 && memcmp(head,
                              "\x7f"
                              "ELF",
                              4) == 0) {
        return "an ELF file, not an arm64 Image: use arch/arm64/boot/Image of the kernel's build";
    }
    if (length >= 8 && memcmp(head, "MZ\0\0zimg", 8) == 0) {
        return "a compressed EFI image: unpack it to the arm64 Image inside";
    }
    for (size_t i = 2; i < sizeof(archives) / sizeof(archives[0]); i++) {
        if (length >= archives[i].length &&
            memcmp(head, archives[i].bytes, archives[i].length) == 0) {
            return memory_format("compressed with %s: unpack it to an arm64 Image",
                                 archives[i].name);
        }
    }
    if (length < sizeof(header)) {
        return "too short for an arm64 Image";
    }
    memcpy(&header, head, sizeof(header));
    if (le32toh(header.magic) != ARM64_IMAGE_MAGIC) {
        return "not an arm64 Image (no 'ARM\\x64' at byte 56): name a raw kernel Image for arm64";
    }
    if (le64toh(header.flags) & ARM64_IMAGE_FLAG_BIG_ENDIAN) {
        return "a big-endian kernel: use a little-endian one";
    }
    uint64_t text_offset = le64toh(header.text_offset);
    uint64_t memory_size = le64toh(header.image_size);
    if (text_offset >= ARM64_IMAGE_ALIGN || memory_size > 1024 * MIB) {
        return "not an arm64 Image (its header's sizes are impossible)";
    }
    image->text_offset = text_offset;
    image->memory_size = memory_size > image->size ? memory_size : image->size;
    return NULL;
}

static const char *check_archive(const unsigned char *head, size_t length)
{
    for (size_t i = 0; i < sizeof(archives) / sizeof(archives[0]); i++) {
        if (length >= archives[i].length &&
            memcmp(head, archives[i].bytes, archives[i].length) == 0) {
            return NULL;
        }
    }
    return "not an initramfs: a cpio archive (find | cpio -o -H newc), maybe compressed";
}

/* Check the file at image->path. Returns NULL, or what is wrong with it. */
static const char *inspect(struct image *image)
{
    unsigned char head[sizeof(struct arm64_image_header)] = {0};
    struct stat status;
    FILE *file = fopen(image->path, "rb");

    if (file == NULL || fstat(fileno(file), &status) != 0) {
        return strerror(errno);
    }
    size_t length = S_ISREG(status.st_mode) ? fread(head, 1, sizeof(head), file) : 0;
    fclose(file);
    if (!S_ISREG(status.st_mode)) {
        return "not a file";
    }
    if (status.st_size == 0) {
        return image->is_kernel ? "an empty file, not an arm64 Image" : "an empty file";
    }
    image->size = (uint64_t)status.st_size;
    return image->is_kernel ? check_kernel(head, length, image) : check_archive(head, length);
}

/* An unusable image is kept, too, so that it is reported once. */
static struct image *use_image(struct system *system, const char *path, bool is_kernel, int line,
                               const char *where)
{
    char *absolute = realpath(path, NULL);
    const char *name = absolute == NULL ? path : memory_copy(absolute, strlen(absolute));
    free(absolute);

    for (size_t i = 0; i < system->images.count; i++) {
        struct image *image = system->images.items[i];
        if (strcmp(image->path, name) == 0 && image->is_kernel == is_kernel) {
            return image;
        }
    }
    struct image *image = memory_new(sizeof(*image));
    image->path = name;
    image->link = link_name(is_kernel ? "kernel" : "initramfs", name);
    image->is_kernel = is_kernel;
    *list_add(&system->images) = image;
    const char *wrong = inspect(image);
    if (wrong != NULL) {
        const char *what = is_kernel ? "kernel" : "initramfs";
        if (line == 0) { /* from the command line */
            error_at(path, 0, "", "%s: %s", what, wrong);
        } else {
            error_at(system->path, line, where, "%s '%s': %s", what, path, wrong);
        }
    }
    return image;
}

static struct image *named_image(struct system *system, const struct vm *vm,
                                 const struct setting *setting, bool is_kernel)
{
    const char *path = find_file(system, setting->text);

    if (path == NULL) {
        error_at(system->path, setting->line, vm->where,
                 "%s '%s': no such file: paths start at the system file's directory",
                 is_kernel ? "kernel" : "initramfs", setting->text);
        return NULL;
    }
    return use_image(system, path, is_kernel, setting->line, vm->where);
}

static void find_vm_images(struct system *system, struct vm *vm)
{
    const struct vm_settings *settings = &vm->settings;
    const struct options *options = system->options;

    if (settings->kernel.line != 0) {
        vm->kernel = named_image(system, vm, &settings->kernel, true);
    } else if (options->kernel != NULL) {
        vm->kernel = use_image(system, options->kernel, true, 0, "");
    } else {
        error_at(system->path, vm->line, vm->where,
                 "no kernel: name one with 'kernel: FILE', or give braid-gen --kernel");
    }
    if (settings->initramfs.line != 0) {
        if (strcmp(settings->initramfs.text, "none") != 0) {
            vm->initramfs = named_image(system, vm, &settings->initramfs, false);
        }
    } else if (settings->kernel.line == 0 && options->initrd != NULL) {
        vm->initramfs = use_image(system, options->initrd, false, 0, "");
    }
}

void images_find(struct system *system)
{
    for (size_t i = 0; i < system->vms.count; i++) {
        find_vm_images(system, system->vms.items[i]);
    }
}
