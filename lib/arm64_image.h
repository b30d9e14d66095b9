/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The header of an arm64 Image (Linux: Documentation/arch/arm64/booting.rst, "Call the kernel
 * image"). All fields are little-endian.
 */

#include <stdint.h>

struct arm64_image_header {
    uint32_t code[2];
    uint64_t text_offset; /* bytes from a multiple of ARM64_IMAGE_ALIGN to the image */
    uint64_t image_size;  /* bytes of memory that it needs, .bss included */
    uint64_t flags;
    uint64_t reserved[3];
    uint32_t magic;
    uint32_t pe_offset; /* of an EFI image; 0 otherwise */
};

_Static_assert(sizeof(struct arm64_image_header) == 64, "its size in a file");

#define ARM64_IMAGE_MAGIC           0x644d5241u /* "ARM\x64" */
#define ARM64_IMAGE_FLAG_BIG_ENDIAN 1u
#define ARM64_IMAGE_FLAGS_PAGE_SIZE 6u /* bits 1 and 2; 0: it does not say */
#define ARM64_IMAGE_FLAGS_4K        2u
#define ARM64_IMAGE_FLAGS_16K       4u
#define ARM64_IMAGE_FLAGS_64K       6u
#define ARM64_IMAGE_ALIGN           0x200000u
