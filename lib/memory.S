/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * memcpy, memmove and memset for PDs, in place of the C library's, which go byte by byte: nearly
 * all that a packet costs on its way is copying. Accesses may be unaligned, as normal memory allows;
 * device memory is not for them, unless both addresses and the size are multiples of 16.
 *
 * Only large copies use SIMD registers: the first use after a switch of PDs costs an exception, in
 * which the kernel exchanges those registers.
 *
 * Registers: x0 destination (kept, it is the result), x1 source, x2 count of bytes.
 */

#define SIMD_FROM 8192

    .text

/*
 * Short copies take the first and the last few bytes, which may overlap. Long ones bring the
 * destination to a multiple of 16, go on in lines of 64 (or 128, by SIMD), and end with the last 64
 * likewise.
 */
    .global memcpy
    .type memcpy, %function
    .balign 64
memcpy:
    add     x4, x1, x2              /* ends */
    add     x5, x0, x2
    cmp     x2, #16
    b.lo    .Lcopy_below_16
    cmp     x2, #64
    b.hi    .Lcopy_long
    ldp     x6, x7, [x1]
    ldp     x12, x13, [x4, #-16]
    cmp     x2, #32
    b.hi    .Lcopy_33_to_64
    stp     x6, x7, [x0]
    stp     x12, x13, [x5, #-16]
    ret

.Lcopy_33_to_64:
    ldp     x8, x9, [x1, #16]
    ldp     x10, x11, [x4, #-32]
    stp     x6, x7, [x0]
    stp     x8, x9, [x0, #16]
    stp     x10, x11, [x5, #-32]
    stp     x12, x13, [x5, #-16]
    ret

.Lcopy_below_16:
    tbz     x2, #3, .Lcopy_below_8
    ldr     x6, [x1]
    ldr     x7, [x4, #-8]
    str     x6, [x0]
    str     x7, [x5, #-8]
    ret

.Lcopy_below_8:
    tbz     x2, #2, .Lcopy_below_4
    ldr     w6, [x1]
    ldr     w7, [x4, #-4]
    str     w6, [x0]
    str     w7, [x5, #-4]
    ret

.Lcopy_below_4:
    cbz     x2, 1f
    ldrb    w6, [x1]
    ldrb    w7, [x4, #-1]
    lsr     x8, x2, #1              /* the middle one of three, the last of two, the only one */
    ldrb    w9, [x1, x8]
    strb    w6, [x0]
    strb    w9, [x0, x8]
    strb    w7, [x5, #-1]
1:  ret

.Lcopy_long:
    ldp     x6, x7, [x1]
    stp     x6, x7, [x0]
    bic     x3, x0, #15
    add     x3, x3, #16             /* the next multiple of 16 of the destination */
    sub     x6, x3, x0
    add     x1, x1, x6
    sub     x2, x2, x6
    subs    x2, x2, #64             /* from here on the count is what is left, less 64 */
    b.ls    .Lcopy_last_64
    cmp     x2, #SIMD_FROM
    b.hs    .Lcopy_by_simd
.Lcopy_lines:
    ldp     x8, x9, [x1, #16]
    ldp     x10, x11, [x1, #32]
    ldp     x12, x13, [x1, #48]
    ldp     x6, x7, [x1], #64
    stp     x8, x9, [x3, #16]
    stp     x10, x11, [x3, #32]
    stp     x12, x13, [x3, #48]
    stp     x6, x7, [x3], #64
    subs    x2, x2, #64
    b.hi    .Lcopy_lines
.Lcopy_last_64:
    ldp     x6, x7, [x4, #-64]
    ldp     x8, x9, [x4, #-48]
    ldp     x10, x11, [x4, #-32]
    ldp     x12, x13, [x4, #-16]
    stp     x6, x7, [x5, #-64]
    stp     x8, x9, [x5, #-48]
    stp     x10, x11, [x5, #-32]
    stp     x12, x13, [x5, #-16]
    ret

.Lcopy_by_simd:
    sub     x2, x2, #64
1:  ldp     q2, q3, [x1, #32]
    ldp     q4, q5, [x1, #64]
    ldp     q6, q7, [x1, #96]
    ldp     q0, q1, [x1], #128
    stp     q2, q3, [x3, #32]
    stp     q4, q5, [x3, #64]
    stp     q6, q7, [x3, #96]
    stp     q0, q1, [x3], #128
    subs    x2, x2, #128
    b.hs    1b
    adds    x2, x2, #64
    b.gt    .Lcopy_lines
    b       .Lcopy_last_64
    .size memcpy, . - memcpy

/* Where the two overlap, word by word from the end that is not overwritten first. */
    .global memmove
    .type memmove, %function
    .balign 16
memmove:
    sub     x4, x0, x1
    cmp     x4, x2
    b.lo    .Lmove_backward         /* the destination begins within the source */
    sub     x4, x1, x0
    cmp     x4, x2
    b.hs    memcpy                  /* they do not overlap */

    mov     x3, x0
1:  subs    x2, x2, #8
    b.lo    2f
    ldr     x6, [x1], #8
    str     x6, [x3], #8
    b       1b
2:  add     x2, x2, #8
3:  cbz     x2, 4f
    ldrb    w6, [x1], #1
    strb    w6, [x3], #1
    sub     x2, x2, #1
    b       3b
4:  ret

.Lmove_backward:
    add     x1, x1, x2
    add     x3, x0, x2
1:  subs    x2, x2, #8
    b.lo    2f
    ldr     x6, [x1, #-8]!
    str     x6, [x3, #-8]!
    b       1b
2:  add     x2, x2, #8
3:  cbz     x2, 4f
    ldrb    w6, [x1, #-1]!
    strb    w6, [x3, #-1]!
    sub     x2, x2, #1
    b       3b
4:  ret
    .size memmove, . - memmove

/* Here w1 is the byte to fill with. */
    .global memset
    .type memset, %function
    .balign 16
memset:
    and     x1, x1, #0xff
    mov     x6, #0x0101010101010101
    mul     x1, x1, x6
    add     x5, x0, x2
    cmp     x2, #16
    b.lo    .Lset_below_16
    stp     x1, x1, [x0]
    bic     x3, x0, #15
    add     x3, x3, #16
    sub     x2, x5, x3
    subs    x2, x2, #64
    b.lt    2f
1:  stp     x1, x1, [x3]
    stp     x1, x1, [x3, #16]
    stp     x1, x1, [x3, #32]
    stp     x1, x1, [x3, #48]
    add     x3, x3, #64
    subs    x2, x2, #64
    b.ge    1b
2:  adds    x2, x2, #48             /* up to 63 are left: whole sixteens, and the last one */
    b.lt    4f
3:  stp     x1, x1, [x3], #16
    subs    x2, x2, #16
    b.ge    3b
4:  stp     x1, x1, [x5, #-16]
    ret

.Lset_below_16:
    tbz     x2, #3, 1f
    str     x1, [x0]
    str     x1, [x5, #-8]
    ret
1:  tbz     x2, #2, 2f
    str     w1, [x0]
    str     w1, [x5, #-4]
    ret
2:  cbz     x2, 3f
    strb    w1, [x0]
    strb    w1, [x5, #-1]
    lsr     x2, x2, #1
    strb    w1, [x0, x2]
3:  ret
    .size memset, . - memset

    .section .note.GNU-stack, "", %progbits
