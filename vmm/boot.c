/* SPDX-License-Identifier: BSD-2-Clause */

#include "boot.h"

#include <stddef.h>
#include <string.h>
#include "entropy.h"
#include "lib/arm64_image.h"
#include "lib/cpu.h"

/* Devicetree Specification 0.4, 5.2. */
#define FDT_MAGIC       0xd00dfeedu
#define FDT_HEADER_SIZE 40u
#define FDT_ALIGN       8u
#define FDT_SIZE_MAX    0x200000u

/* The guest memory that an image occupies once it runs: `size` bytes from `gpa` on. */
struct extent {
    uint64_t gpa;
    uint64_t size; /* 0: nothing */
};

static bool overlap(struct extent a, struct extent b)
{
    return a.size != 0 && b.size != 0 && (a.gpa - b.gpa < b.size || b.gpa - a.gpa < a.size);
}

static bool fits(const struct guest_memory *memory, struct extent extent)
{
    return guest_memory_at(memory, extent.gpa, extent.size) != NULL;
}

static struct extent extent_of(const struct vmm_image *image)
{
    return (struct extent){image->gpa, image->data ? image->size : 0};
}

static struct arm64_image_header header_of(const struct vmm_image *kernel)
{
    struct arm64_image_header header;

    memcpy(&header, kernel->data, sizeof(header));
    return header;
}

/* A kernel needs more memory than its file has bytes, for its .bss. */
static struct extent kernel_extent(const struct vmm_config *config)
{
    const struct vmm_image *kernel = &config->kernel;
    if (config->flash != NULL) {
        return (struct extent){0, 0}; /* of RAM it occupies nothing */
    }
    uint64_t needed = config->entry != 0 ? config->kernel_memory : header_of(kernel).image_size;

    return (struct extent){kernel->gpa, needed > kernel->size ? needed : kernel->size};
}

/* A kernel that is no Image. */
static const char *check_program(const struct vmm_config *config, const struct guest_memory *memory)
{
    const struct vmm_image *kernel = &config->kernel;

    if (!kernel->data || config->entry - kernel->gpa >= kernel->size || config->entry % 4 != 0) {
        return "the kernel's entry is no instruction of it";
    }
    if (!fits(memory, kernel_extent(config))) {
        return "the kernel does not fit into the VM's memory";
    }
    return NULL;
}

static const char *check_kernel(const struct vmm_config *config, const struct guest_memory *memory)
{
    const struct vmm_image *kernel = &config->kernel;
    struct arm64_image_header header;

    if (config->flash != NULL) {
        return kernel->data && kernel->size <= config->flash_size
                   ? NULL
                   : "the firmware does not fit into its place";
    }
    if (config->entry != 0) {
        return check_program(config, memory);
    }

    if (!kernel->data || kernel->size < sizeof(header)) {
        return "the kernel is too short to be an arm64 Image";
    }
    header = header_of(kernel);
    if (header.magic != ARM64_IMAGE_MAGIC) {
        return "the kernel is not an arm64 Image";
    }
    if (header.flags & ARM64_IMAGE_FLAG_BIG_ENDIAN) {
        return "the kernel is big-endian";
    }
    if ((kernel->gpa - header.text_offset) % ARM64_IMAGE_ALIGN != 0) {
        return "the kernel is not placed at its text offset from a 2 MiB boundary";
    }
    if (!fits(memory, kernel_extent(config))) {
        return "the kernel does not fit into the VM's memory";
    }
    return NULL;
}

static uint32_t read_be32(const void *bytes)
{
    const uint8_t *b = bytes;

    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static bool lies_in(const struct vmm_image *image, uint32_t offset, uint32_t size)
{
    return offset <= image->size && image->size - offset >= size;
}

static const char *check_dtb(const struct vmm_config *config, const struct guest_memory *memory)
{
    const struct vmm_image *dtb = &config->dtb;
    const uint8_t *data = dtb->data;

    if (!data || dtb->size < FDT_HEADER_SIZE || read_be32(data) != FDT_MAGIC) {
        return "the device tree is not one";
    }
    if (read_be32(data + 4) > dtb->size || dtb->size > FDT_SIZE_MAX) {
        return "the device tree is cut off or longer than 2 MiB";
    }
    if (!lies_in(dtb, config->seed_offset, VMM_SEED_SIZE) ||
        !lies_in(dtb, config->kaslr_seed_offset, VMM_KASLR_SEED_SIZE)) {
        return "the seed's place is not within the device tree";
    }
    if (dtb->gpa % FDT_ALIGN != 0) {
        return "the device tree is not aligned to 8 bytes";
    }
    if (!fits(memory, extent_of(dtb))) {
        return "the device tree does not fit into the VM's memory";
    }
    return NULL;
}

const char *boot_check(const struct vmm_config *config, const struct guest_memory *memory)
{
    struct extent initrd = extent_of(&config->initrd);
    struct extent dtb = extent_of(&config->dtb);
    const char *wrong = check_kernel(config, memory);

    if (!wrong) {
        wrong = check_dtb(config, memory);
    }
    if (wrong) {
        return wrong;
    }
    if (initrd.size != 0 && !fits(memory, initrd)) {
        return "the initramfs does not fit into the VM's memory";
    }
    if (overlap(kernel_extent(config), initrd) || overlap(kernel_extent(config), dtb) ||
        overlap(initrd, dtb)) {
        return "the kernel, initramfs and device tree overlap in the VM's memory";
    }
    return NULL;
}

/*
 * The stages of loading, in their order. All of the memory is zeroed, the images' places included,
 * because nobody knows which parts of it a guest has written.
 */
enum stage { ZERO, KERNEL, INITRD, DTB, SEED };

static struct {
    const struct vmm_config *config;
    const struct guest_memory *memory;
    enum stage stage;
    uint64_t done; /* bytes of this stage */
} boot;

/* ---- Zeroing ---- */

#define ZERO_PAGE 4096u

typedef uint64_t words __attribute__((vector_size(16), may_alias));

/* `page` is aligned to 16 bytes. Of a page that is not zero most often the first bytes are not. */
static bool is_zero(const uint8_t *page)
{
    const words *w = (const words *)(const void *)page;
    words any[4] = {w[0], w[1], w[2], w[3]};

    if (((any[0] | any[1]) | (any[2] | any[3]))[0] != 0) {
        return false;
    }
    for (unsigned i = 4; i < ZERO_PAGE / sizeof(*w); i += 4) {
        any[0] |= w[i];
        any[1] |= w[i + 1];
        any[2] |= w[i + 2];
        any[3] |= w[i + 3];
    }
    any[0] = (any[0] | any[1]) | (any[2] | any[3]);
    return (any[0][0] | any[0][1]) == 0;
}

/*
 * A page that is zero is not written: under emulation it then takes none of the host's memory. The
 * old guest may have written past the caches, so its lines are cleaned and invalidated first.
 */
static void zero(uint8_t *at, uint64_t size)
{
    cpu_clean_and_invalidate_dcache(at, size);
    for (uint64_t offset = 0; offset < size; offset += ZERO_PAGE) {
        uint64_t part = size - offset < ZERO_PAGE ? size - offset : ZERO_PAGE;

        if (part < ZERO_PAGE || !is_zero(at + offset)) {
            memset(at + offset, 0, part);
            cpu_clean_and_invalidate_dcache(at + offset, part);
        }
    }
}

/* ---- Images ---- */

static void copy(void *to, const uint8_t *from, uint64_t size, bool is_code)
{
    if (to == NULL) {
        return;
    }
    memcpy(to, from, size);
    cpu_clean_and_invalidate_dcache(to, size);
    if (is_code) {
        cpu_invalidate_icache(to, size);
    }
}

/* A seed goes into the guest's copy of its device tree, which has a property of its size. */
static void seed(uint32_t offset, uint64_t size)
{
    void *to = guest_memory_at(boot.memory, boot.config->dtb.gpa + offset, size);

    if (offset != 0 && to) {
        entropy_seed(to, size);
        cpu_clean_and_invalidate_dcache(to, size);
    }
}

uint64_t boot_entry(const struct vmm_config *config)
{
    return config->entry != 0 ? config->entry : config->kernel.gpa; /* a firmware's is its first */
}

/* ---- Steps ---- */

void boot_start(const struct vmm_config *config, const struct guest_memory *memory, bool clean)
{
    boot.config = config;
    boot.memory = memory;
    boot.stage = clean ? KERNEL : ZERO;
    boot.done = 0;
}

static const struct vmm_image *image_of(enum stage stage)
{
    switch (stage) {
    case KERNEL:
        return &boot.config->kernel;
    case INITRD:
        return &boot.config->initrd;
    default:
        return &boot.config->dtb;
    }
}

/* Where a part of an image goes. */
static void *place_of(const struct vmm_image *image, uint64_t offset, uint64_t size)
{
    if (boot.stage == KERNEL && boot.config->flash != NULL) {
        return (uint8_t *)boot.config->flash + offset;
    }
    return guest_memory_at(boot.memory, image->gpa + offset, size);
}

static uint64_t stage_size(void)
{
    return boot.stage == ZERO ? boot.memory->size : extent_of(image_of(boot.stage)).size;
}

bool boot_step(void)
{
    uint64_t left, part;

    if (boot.stage == SEED) {
        seed(boot.config->seed_offset, VMM_SEED_SIZE);
        seed(boot.config->kaslr_seed_offset, VMM_KASLR_SEED_SIZE);
        return true;
    }
    left = stage_size() - boot.done;
    part = left < BOOT_STEP_SIZE ? left : BOOT_STEP_SIZE;
    if (boot.stage == ZERO) {
        zero(boot.memory->base + boot.done, part);
    } else if (part > 0) {
        const struct vmm_image *image = image_of(boot.stage);

        copy(place_of(image, boot.done, part), (const uint8_t *)image->data + boot.done, part,
             boot.stage == KERNEL);
    }
    boot.done += part;
    if (part == left) {
        boot.stage++;
        boot.done = 0;
    }
    return false;
}
