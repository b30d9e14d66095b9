/* SPDX-License-Identifier: BSD-2-Clause */

#include "boot.h"

#include <stddef.h>
#include <string.h>
#include "cpu.h"
#include "entropy.h"

/* The head of an arm64 Image (booting.rst, "Call the kernel image"). */
struct image_header {
    uint32_t code[2];
    uint64_t text_offset;
    uint64_t image_size;
    uint64_t flags;
    uint64_t reserved[3];
    uint32_t magic;
    uint32_t reserved2;
};

#define IMAGE_MAGIC           0x644d5241u /* "ARM\x64" */
#define IMAGE_FLAG_BIG_ENDIAN 1u
#define IMAGE_ALIGN           0x200000u

/* Devicetree Specification 0.4, 5.2. */
#define FDT_MAGIC       0xd00dfeedu
#define FDT_HEADER_SIZE 40u
#define FDT_ALIGN       8u
#define FDT_SIZE_MAX    0x200000u

/* Guest memory from `gpa` on that an image occupies, once it runs. */
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

static struct image_header header_of(const struct vmm_image *kernel)
{
    struct image_header header;

    memcpy(&header, kernel->data, sizeof(header));
    return header;
}

/* An Image needs more memory than its file has bytes: its .bss. */
static struct extent kernel_extent(const struct vmm_image *kernel)
{
    struct image_header header = header_of(kernel);
    uint64_t size = header.image_size > kernel->size ? header.image_size : kernel->size;

    return (struct extent){kernel->gpa, size};
}

static const char *check_kernel(const struct vmm_image *kernel, const struct guest_memory *memory)
{
    struct image_header header;

    if (!kernel->data || kernel->size < sizeof(header)) {
        return "the kernel is too short to be an arm64 Image";
    }
    header = header_of(kernel);
    if (header.magic != IMAGE_MAGIC) {
        return "the kernel is not an arm64 Image";
    }
    if (header.flags & IMAGE_FLAG_BIG_ENDIAN) {
        return "the kernel is big-endian";
    }
    if ((kernel->gpa - header.text_offset) % IMAGE_ALIGN != 0) {
        return "the kernel is not placed at its text offset from a 2 MiB boundary";
    }
    if (!fits(memory, kernel_extent(kernel))) {
        return "the kernel does not fit into the VM's memory";
    }
    return NULL;
}

static uint32_t read_be32(const void *bytes)
{
    const uint8_t *b = bytes;

    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static const char *check_dtb(const struct vmm_image *dtb, uint32_t seed_offset,
                             const struct guest_memory *memory)
{
    const uint8_t *data = dtb->data;

    if (!data || dtb->size < FDT_HEADER_SIZE || read_be32(data) != FDT_MAGIC) {
        return "the device tree is not one";
    }
    if (read_be32(data + 4) > dtb->size || dtb->size > FDT_SIZE_MAX) {
        return "the device tree is cut off or longer than 2 MiB";
    }
    if (seed_offset > dtb->size || dtb->size - seed_offset < VMM_SEED_SIZE) {
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
    const char *wrong = check_kernel(&config->kernel, memory);

    if (!wrong) {
        wrong = check_dtb(&config->dtb, config->seed_offset, memory);
    }
    if (wrong) {
        return wrong;
    }
    if (initrd.size != 0 && !fits(memory, initrd)) {
        return "the initramfs does not fit into the VM's memory";
    }
    if (overlap(kernel_extent(&config->kernel), initrd) ||
        overlap(kernel_extent(&config->kernel), dtb) || overlap(initrd, dtb)) {
        return "the kernel, initramfs and device tree overlap in the VM's memory";
    }
    return NULL;
}

static void load(const struct guest_memory *memory, const struct vmm_image *image)
{
    void *to = guest_memory_at(memory, image->gpa, image->size);

    if (image->data && to) {
        memcpy(to, image->data, image->size);
        cpu_flush_to_memory(to, image->size);
    }
}

/* The seed goes into the guest's copy of its device tree, where a place is kept for it. */
static void seed(const struct vmm_config *config, const struct guest_memory *memory)
{
    uint64_t gpa = config->dtb.gpa + config->seed_offset;
    void *to = guest_memory_at(memory, gpa, VMM_SEED_SIZE);

    if (config->seed_offset != 0 && to) {
        entropy_fill(to, VMM_SEED_SIZE, config->name, strlen(config->name));
        cpu_flush_to_memory(to, VMM_SEED_SIZE);
    }
}

void boot_load(const struct vmm_config *config, const struct guest_memory *memory, bool clean)
{
    if (!clean) {
        memset(memory->base, 0, memory->size);
        cpu_flush_to_memory(memory->base, memory->size);
    }
    load(memory, &config->kernel);
    load(memory, &config->initrd);
    load(memory, &config->dtb);
    seed(config, memory);
}
