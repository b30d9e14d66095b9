/* SPDX-License-Identifier: BSD-2-Clause */

/* A guest that exits x0 times, in two instructions each, by an abort; then by a call. */
    .section ".rodata.guest", "a"
    .balign 16
    .global guest_begin, guest_end
guest_begin:
    mov x1, #0x50000000
1:  str w2, [x1]
    sub x0, x0, #1
    cbnz x0, 1b
    smc #0
guest_end:
