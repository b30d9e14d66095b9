/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: vmm/entropy.c lib/chacha20.c lib/virtqueue.c tests/fuzz/silence.c
 *
 * A guest that writes into its entropy device's registers and its own memory as it likes. Nothing
 * may be touched but the register page and the guest's memory, and every call must end.
 */

#include "virtio_guest.h"
#include "vmm/virtio/rng.c"

static void step(struct input *input)
{
    switch (take(input, 1) % 6) {
    case 0:
        guest_scribbles(&rng, input);
        break;
    case 1:
        bring_up(&rng, input);
        break;
    case 2:
        scribble(input, ram, RAM_SIZE);
        break;
    case 3:
        offer(&rng, REQUESTS, input);
        break;
    default:
        guest_writes(&rng, VIRTIO_MMIO_QUEUE_NOTIFY, 0, 4);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct guest_memory memory = {ram, RAM_GPA, RAM_SIZE};
    const struct vmm_rng_config config = {.registers = page, .gpa = 0x0a014000, .intid = 68};
    struct input input = {data, size};

    new_guest();
    memset(&rng, 0, sizeof(rng));
    virtio_rng_init(&config, &memory);
    /* A kick may keep the device at work for as long as the rings go round: an input is short. */
    for (unsigned steps = 0; input.left > 0 && steps < 256; steps++) {
        step(&input);
    }
    return 0;
}
