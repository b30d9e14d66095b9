/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PROVES: lib/virtqueue.c
 * EVA:
 *
 * A descriptor, aligned or not, of which all bytes are in memory.
 */

#include "prelude.h"
#include "virtqueue_inside.h"

#include "lib/virtqueue.c"

#define RAM (1ul << 30)

static uint8_t ram[RAM];

int main(void)
{
    uint64_t offset = any();

    make_any(ram, sizeof(ram));
    if (offset <= RAM - sizeof(struct vring_desc)) {
        read_desc(ram + offset);
    }
    return 0;
}
