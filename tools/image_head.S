/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A boot image behind the head of an arm64 Image (Linux: Documentation/arch/arm64/booting.rst). The
 * head is in the page before ADDRESS, where the boot image belongs.
 */

#define PAGE 4096

    .text
head:
    b image
    nop
    .quad ADDRESS - PAGE    /* text_offset; RAM begins at 0 */
    .quad end - head        /* image_size */
    .quad 0xa               /* flags: pages of 4 KiB, anywhere */
    .quad 0, 0, 0
    .ascii "ARM\x64"
    .long 0
    .balign PAGE
image:
    .incbin "loader.img"
end:
