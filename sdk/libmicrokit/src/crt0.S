/* SPDX-License-Identifier: BSD-2-Clause */

/* A PD begins here, on the stack that the kernel has set. */
    .section ".text.start", "ax"
    .global _start
    .type _start, %function
_start:
    mov x29, xzr
    mov x30, xzr
    b main
    .size _start, . - _start
