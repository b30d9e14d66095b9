/* SPDX-License-Identifier: BSD-2-Clause */

/* A guest that counts in the first word of the memory at 0x50000000, without end. */
    .section ".rodata.guest", "a"
    .balign 16
    .global guest_begin, guest_end
guest_begin:
    mov x1, #0x50000000
    mov x0, #0
1:  add x0, x0, #1
    str x0, [x1]
    b 1b
guest_end:
