/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE /* memmem */
#include "image.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "diagnostics.h"
#include "initramfs.h"
#include "kernel_elf.h"
#include "kernel_file.h"
#include "layout.h"
#include "lib/arm64_image.h"

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

/* What `uname -r` would say; NULL: this is no Linux. Its banner is in the Image as it is printed.
 */
static const char *linux_version(const unsigned char *bytes, size_t size)
{
    static const char banner[] = "Linux version ";
    const unsigned char *end = bytes + size;

    while ((bytes = memmem(bytes, (size_t)(end - bytes), banner, strlen(banner))) != NULL) {
        bytes += strlen(banner);
        const unsigned char *stop = memchr(bytes, ' ', (size_t)(end - bytes));
        if (stop != NULL && bytes[0] >= '0' && bytes[0] <= '9' && stop - bytes < 65) {
            return memory_copy(bytes, (size_t)(stop - bytes));
        }
    }
    return NULL;
}

/* Whether the processor has the granule of the kernel's pages. Where it has not, the kernel stops
 * before it can say so. Returns NULL, or what is wrong. */
static const char *check_granule(const struct board *board, uint64_t flags)
{
    static const struct {
        uint64_t flags;
        uint64_t size;
    } known[] = {{ARM64_IMAGE_FLAGS_4K, 4 * KIB},
                 {ARM64_IMAGE_FLAGS_16K, 16 * KIB},
                 {ARM64_IMAGE_FLAGS_64K, 64 * KIB}};
    const char *list = "";

    for (size_t i = 0; i < board->granule_count; i++) {
        list = memory_format("%s%s%s", list, i == 0 ? "" : " or ",
                             value_format(VALUE_SIZE, board->granules[i]));
    }
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        bool there = board->granule_count == 0 || known[i].flags != flags;
        for (size_t k = 0; k < board->granule_count; k++) {
            there = there || board->granules[k] == known[i].size;
        }
        if (!there) {
            return memory_format("its pages are of %s, and the processor of '%s' (%s) has no such: "
                                 "use a kernel whose pages are of %s",
                                 value_format(VALUE_SIZE, known[i].size), board->name,
                                 board->settings.cpu.text, list);
        }
    }
    return NULL;
}

static bool has_image_magic(const unsigned char *head, size_t length)
{
    struct arm64_image_header header;

    if (length < sizeof(header)) {
        return false;
    }
    memcpy(&header, head, sizeof(header));
    return le32toh(header.magic) == ARM64_IMAGE_MAGIC;
}

/* Check a file that should be an Image. Returns NULL, or what is wrong with it. */
static const char *check_kernel(const struct board *board, const unsigned char *head, size_t length,
                                struct image *image)
{
    struct arm64_image_header header;

    if (length < sizeof(header)) {
        return "too short for an arm64 Image";
    }
    memcpy(&header, head, sizeof(header));
    if (!has_image_magic(head, length)) {
        return "not an arm64 Image (no 'ARM\\x64' at byte 56): name one, or an ELF file, or say "
               "where it belongs (load: ADDRESS) if it is a flat binary";
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
    image->linux_version = linux_version(head, length);
    return check_granule(board, le64toh(header.flags) & ARM64_IMAGE_FLAGS_PAGE_SIZE);
}

/* A flat binary may have an Image's header, which says how much memory it needs. */
static void measure_binary(const unsigned char *bytes, struct image *image)
{
    struct arm64_image_header header = {0};
    uint64_t size = image->size;

    memcpy(&header, bytes, size < sizeof(header) ? size : sizeof(header));
    uint64_t memory_size =
        le32toh(header.magic) == ARM64_IMAGE_MAGIC ? le64toh(header.image_size) : 0;
    image->entry = image->address;
    image->memory_size = memory_size > size ? memory_size : size;
}

/* The addresses of a vmlinux are virtual: what it holds is an Image. */
static bool is_virtual(uint64_t address)
{
    return address >> 48 != 0;
}

static const char *read_elf(const unsigned char *bytes, size_t size, struct image *image)
{
    struct buffer flat = {0};

    if (image->is_placed) {
        return "an ELF file, which says itself where it belongs: leave out 'load'";
    }
    const char *wrong = kernel_flatten(bytes, size, image, &flat);
    image->is_placed = !is_virtual(image->address);
    image->bytes = flat;
    return wrong;
}

/* Check a kernel. If it is compressed or an ELF file, image->bytes takes its place. */
static const char *read_kernel(const struct board *board, const unsigned char *bytes,
                               struct image *image)
{
    const char *wrong = kernel_unpack(bytes, image->size, &image->bytes);

    if (wrong == NULL && image->bytes.length != 0) {
        bytes = (const unsigned char *)image->bytes.bytes;
        image->size = image->bytes.length;
    }
    if (wrong == NULL && is_elf(bytes, image->size)) {
        wrong = read_elf(bytes, image->size, image);
        bytes = (const unsigned char *)image->bytes.bytes;
        image->size = image->bytes.length;
    } else if (wrong == NULL && image->is_placed) {
        measure_binary(bytes, image);
    }
    if (wrong != NULL) {
        return wrong;
    }
    if (image->bytes.length != 0) {
        image->source = memory_format("packed-%s", image->link);
    }
    if (!image->is_placed && image->address != 0 && !has_image_magic(bytes, image->size)) {
        return memory_format("an ELF file whose physical addresses, from 0x%" PRIx64
                             " on, are virtual ones, and which is no Linux: link it for the "
                             "machine's memory (AT in its linker script)",
                             image->address);
    }
    return image->is_placed ? NULL : check_kernel(board, bytes, image->size, image);
}

static const char *check_archive(const unsigned char *bytes, size_t size, struct image *image)
{
    if (!is_initramfs(bytes, size)) {
        return "not an initramfs: a cpio archive (find | cpio -o -H newc), maybe compressed";
    }
    initramfs_inspect(image, bytes, size);
    return NULL;
}

/* Check the file at image->path. Returns NULL, or what is wrong with it. */
static const char *inspect(const struct board *board, struct image *image)
{
    int file = open(image->path, O_RDONLY | O_CLOEXEC);
    struct stat status;

    if (file < 0 || fstat(file, &status) != 0) {
        return strerror(errno);
    }
    if (!S_ISREG(status.st_mode) || status.st_size == 0) {
        close(file);
        return !S_ISREG(status.st_mode)                  ? "not a file"
               : image->is_kernel && !image->is_firmware ? "an empty file, not an arm64 Image"
                                                         : "an empty file";
    }
    image->size = (uint64_t)status.st_size;
    size_t mapped = image->size; /* `size` becomes that of the unpacked kernel */
    unsigned char *bytes = mmap(NULL, mapped, PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    if (bytes == MAP_FAILED) {
        return strerror(errno);
    }
    const char *wrong = NULL;
    if (image->is_firmware) {
        image->memory_size = image->size;
    } else {
        wrong = image->is_kernel ? read_kernel(board, bytes, image)
                                 : check_archive(bytes, image->size, image);
    }
    munmap(bytes, mapped);
    return wrong;
}

/* What it is called in the output directory. One file may be two kernels, in two places. */
static const char *name_of(const char *kind, const char *path, uint64_t load)
{
    return link_name(load == 0 ? kind : memory_format("%s-%" PRIx64, kind, load), path);
}

enum image_kind { IMAGE_INITRAMFS, IMAGE_KERNEL, IMAGE_FIRMWARE };

/* `load` is for a kernel that is a flat binary; otherwise 0. An unusable image is kept, too, so
 * that it is reported once. */
static struct image *use_image(struct system *system, const char *path, enum image_kind what,
                               uint64_t load, int line, const char *where)
{
    static const char *const kinds[] = {"initramfs", "kernel", "firmware"};
    const char *kind = kinds[what];
    bool is_kernel = what != IMAGE_INITRAMFS;
    bool is_firmware = what == IMAGE_FIRMWARE;
    char *absolute = realpath(path, NULL);
    const char *name = absolute == NULL ? path : memory_copy(absolute, strlen(absolute));
    free(absolute);

    for (size_t i = 0; i < system->images.count; i++) {
        struct image *image = system->images.items[i];
        if (strcmp(image->path, name) == 0 && image->is_kernel == is_kernel &&
            image->is_firmware == is_firmware && image->load == load) {
            return image;
        }
    }
    struct image *image = memory_new(sizeof(*image));
    image->path = name;
    image->link = name_of(kind, name, load);
    image->is_kernel = is_kernel;
    image->is_firmware = is_firmware;
    image->load = load;
    image->is_placed = load != 0;
    image->address = load;
    *list_add(&system->images) = image;
    const char *wrong = inspect(&system->board, image);
    if (wrong != NULL) {
        image->memory_size = 0; /* what is known of an unusable one says nothing */
        if (line == 0) {        /* from the command line */
            error_at(path, 0, "", "%s: %s", kind, wrong);
        } else {
            error_at(system->path, line, where, "%s '%s': %s", kind, path, wrong);
        }
    }
    return image;
}

/* ---- Kernels that are named by their packages ---- */

static const char package_prefix[] = "package:";
static const char u_boot[] = "u-boot"; /* as `firmware` */
static const char u_boot_file[] = "u-boot-qemu/u-boot.bin";

/* The package's name; NULL: this is a file's. */
static const char *package_of(const char *kernel)
{
    size_t length = strlen(package_prefix);

    return strncmp(kernel, package_prefix, length) == 0 ? kernel + length : NULL;
}

/* Debian Policy, 5.6.7. Nothing else comes to a shell. */
static bool is_package_name(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    size_t length = strlen(name);

    return length >= 2 && length <= 128 && strchr(letters, name[0]) != NULL &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789+-.") == length;
}

/* The Makefile has put its files there, before it calls braid-gen. */
static struct image *package_image(struct system *system, const struct vm *vm, bool is_kernel)
{
    const struct setting *setting = &vm->settings.kernel;
    const char *name = package_of(setting->text);

    for (size_t i = 0; i < system->options->search.count && is_package_name(name); i++) {
        const char *path = memory_format("%s/packages/%s/%s", system->options->search.items[i],
                                         name, is_kernel ? "Image" : "initramfs.img");
        if (access(path, R_OK) == 0) {
            return use_image(system, path, is_kernel ? IMAGE_KERNEL : IMAGE_INITRAMFS, 0,
                             setting->line, vm->where);
        }
    }
    if (!is_kernel && vm->kernel != NULL) {
        error_at(system->path, setting->line, vm->where,
                 "kernel '%.80s': its initramfs is missing: remove the directory packages/%s, and "
                 "`make image` packs it anew, or name another one (initramfs: FILE)",
                 setting->text, name);
    } else if (is_kernel) {
        error_at(system->path, setting->line, vm->where, "kernel '%.80s': %s", setting->text,
                 is_package_name(name)
                     ? "not fetched: `make image` and `make run` fetch it with APT, and then call "
                       "braid-gen"
                     : "not the name of a package: write it like package:linux-image-arm64");
    }
    return NULL;
}

static void print_package(struct yaml_file *file, const yaml_node_pair_t *pair)
{
    const char *key = yaml_text(yaml_node(file, pair->key));
    const char *value = yaml_text(yaml_node(file, pair->value));

    if (key == NULL || value == NULL) {
        return;
    }
    const char *name = strcmp(key, "kernel") == 0 ? package_of(value) : NULL;
    if (name != NULL && is_package_name(name)) {
        printf("%s/Image\n", name);
    }
    if (strcmp(key, "firmware") == 0 && strcmp(value, u_boot) == 0) {
        printf("%s\n", u_boot_file);
    }
}

void packages_print(struct yaml_file *file)
{
    const yaml_document_t *document = &file->document;

    for (const yaml_node_t *node = document->nodes.start; node < document->nodes.top; node++) {
        if (node->type != YAML_MAPPING_NODE) {
            continue;
        }
        for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
             pair < node->data.mapping.pairs.top; pair++) {
            print_package(file, pair);
        }
    }
}

/* ---- The files of a machine ---- */

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
    uint64_t load = is_kernel ? vm->settings.load.number : 0;
    if (is_kernel && vm->settings.load.is_wrong) {
        return NULL;
    }
    return use_image(system, path, is_kernel ? IMAGE_KERNEL : IMAGE_INITRAMFS, load, setting->line,
                     vm->where);
}

/* It wants no initramfs that it has not been given by name. */
static bool is_no_linux(const struct image *kernel)
{
    return kernel != NULL && kernel->is_placed;
}

/* ---- Firmware ---- */

#define FIRMWARE_MAX (16u << 20) /* what is read-only memory at GUEST_FLASH */

static const char *find_u_boot(const struct system *system)
{
    for (size_t i = 0; i < system->options->search.count; i++) {
        const char *path =
            memory_format("%s/packages/%s", system->options->search.items[i], u_boot_file);
        if (access(path, R_OK) == 0) {
            return path;
        }
    }
    return NULL;
}

/* Whether a machine's setting is the defaults' one: then it has been copied, text and all. */
static bool is_common(const struct setting *setting, const struct setting *common)
{
    return common->line != 0 && setting->text == common->text;
}

/* What belongs to a kernel that a machine is given, and not to one on its disk. In the defaults it
 * is for the other machines. */
static bool check_firmware_alone(const struct system *system, const struct vm *vm)
{
    const struct vm_settings *common = &system->common;
    const struct {
        const char *name;
        const struct setting *setting;
        const struct setting *common;
    } others[] = {{"kernel", &vm->settings.kernel, &common->kernel},
                  {"load", &vm->settings.load, &common->load},
                  {"initramfs", &vm->settings.initramfs, &common->initramfs},
                  {"cmdline", &vm->settings.cmdline, &common->cmdline},
                  {"bootargs", &vm->settings.bootargs, &common->bootargs}};

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (others[i].setting->line != 0 &&
            (!is_common(others[i].setting, others[i].common) ||
             is_common(&vm->settings.firmware, &common->firmware))) {
            error_at(system->path, others[i].setting->line, vm->where,
                     "%s: not for a machine with a firmware, which finds its kernel and the "
                     "kernel's arguments on the machine's disk",
                     others[i].name);
            return false;
        }
    }
    if (!vm->settings.console.number) {
        error_at(system->path, vm->settings.console.line, vm->where,
                 "console: a firmware wants one: its PL011");
        return false;
    }
    return true;
}

static struct image *firmware_image(struct system *system, const struct vm *vm)
{
    const struct setting *setting = &vm->settings.firmware;
    bool is_u_boot = strcmp(setting->text, u_boot) == 0;
    const char *path = is_u_boot ? find_u_boot(system) : find_file(system, setting->text);

    if (!check_firmware_alone(system, vm)) {
        return NULL;
    }
    if (path == NULL) {
        error_at(system->path, setting->line, vm->where, "firmware '%s': %s", setting->text,
                 is_u_boot ? "not fetched: `make image` and `make run` fetch it with APT, and then "
                             "call braid-gen"
                           : "no such file: paths start at the system file's directory");
        return NULL;
    }
    struct image *image = use_image(system, path, IMAGE_FIRMWARE, 0, setting->line, vm->where);
    if (image->size > FIRMWARE_MAX) {
        error_at(system->path, setting->line, vm->where,
                 "firmware '%s': %s: there is room for 16 MiB at address 0", setting->text,
                 layout_mebibytes(image->size));
    }
    return image;
}

/* A machine's own kernel counts more than the defaults' firmware. */
static bool begins_with_firmware(const struct system *system, const struct vm_settings *settings)
{
    const struct vm_settings *common = &system->common;

    return settings->firmware.line != 0 &&
           !(is_common(&settings->firmware, &common->firmware) && settings->kernel.line != 0 &&
             !is_common(&settings->kernel, &common->kernel));
}

static void find_vm_images(struct system *system, struct vm *vm)
{
    const struct vm_settings *settings = &vm->settings;
    const struct options *options = system->options;

    if (begins_with_firmware(system, settings)) {
        vm->kernel = firmware_image(system, vm);
        return;
    }
    bool is_package = settings->kernel.line != 0 && package_of(settings->kernel.text) != NULL;

    if (is_package) {
        vm->kernel = package_image(system, vm, true);
    } else if (settings->kernel.line != 0) {
        vm->kernel = named_image(system, vm, &settings->kernel, true);
    } else if (options->kernel != NULL) {
        vm->kernel = use_image(system, options->kernel, IMAGE_KERNEL, 0, 0, "");
    } else {
        error_at(system->path, vm->line, vm->where,
                 "no kernel: name one with 'kernel: FILE', or give braid-gen --kernel");
    }
    if (settings->initramfs.line != 0) {
        if (strcmp(settings->initramfs.text, "none") != 0) {
            vm->initramfs = named_image(system, vm, &settings->initramfs, false);
        }
    } else if (is_package) {
        vm->initramfs = package_image(system, vm, false);
    } else if (settings->kernel.line == 0 && options->initrd != NULL && !is_no_linux(vm->kernel)) {
        vm->initramfs = use_image(system, options->initrd, IMAGE_INITRAMFS, 0, 0, "");
    }
    if (settings->load.line != 0 && (settings->kernel.line == 0 || is_package)) {
        error_at(system->path, settings->load.line, vm->where,
                 "load: the distribution's kernel has its own place: name the file that belongs "
                 "there with 'kernel: FILE'");
    }
}

/* Modules of another kernel are of no use, and then nothing in the guest says why it has no
 * network. */
static void warn_of_modules(const struct system *system, const struct vm *vm)
{
    const char *version = vm->kernel == NULL ? NULL : vm->kernel->linux_version;

    if (version == NULL || vm->initramfs == NULL || vm->initramfs->modules_for.count == 0 ||
        vm->copy != 0) {
        return;
    }
    for (size_t i = 0; i < vm->initramfs->modules_for.count; i++) {
        if (strcmp(vm->initramfs->modules_for.items[i], version) == 0) {
            return;
        }
    }
    warning_at(
        system->path, vm->line, vm->where,
        "its kernel is Linux %s, and the modules in its initramfs are those of %s: what that "
        "kernel has not built in it does not have, such as virtio's network and console: "
        "take an initramfs with its modules, or a kernel that brings them (kernel: package:NAME; "
        "docs/systems.md, \"Kernels of your own\")",
        version, vm->initramfs->modules_for.items[0]);
}

void images_find(struct system *system)
{
    for (size_t i = 0; i < system->vms.count; i++) {
        find_vm_images(system, system->vms.items[i]);
        warn_of_modules(system, system->vms.items[i]);
    }
}
