/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: lib/virtqueue.c tests/fuzz/silence.c
 *
 * A guest that writes into its power button's registers and its own memory as it likes, and
 * somebody who presses the button meanwhile. Nothing may be touched but the register page and the
 * guest's memory, every call must end, and a press is told whole or not at all.
 */

#include <stdlib.h>
#include "virtio_guest.h"
#include "vmm/virtio/input.c"

static uint16_t told(void)
{
    return input.device.queue[EVENTS].next_used;
}

static void press_it(void)
{
    uint16_t before = told();
    bool sent = virtio_input_press_power_button();

    if (told() != (uint16_t)(before + (sent ? PRESS_EVENTS : 0))) {
        abort();
    }
}

/* Its size is that of what is there, which ends within the space. */
static void check_config(void)
{
    const uint8_t *space = page + VIRTIO_MMIO_CONFIG;

    if (space[offsetof(struct virtio_input_config, size)] > ANSWER_MAX) {
        abort();
    }
}

static void step(struct input *from)
{
    switch (take(from, 1) % 8) {
    case 0:
        guest_scribbles(&input.device, from);
        break;
    case 1:
        bring_up(&input.device, from);
        break;
    case 2:
        scribble(from, ram, RAM_SIZE);
        break;
    case 3:
        offer(&input.device, STATUS, from);
        break;
    case 4:
        guest_writes(&input.device, VIRTIO_MMIO_CONFIG + take(from, 1) % 3, take(from, 2),
                     (uint8_t)(1 + take(from, 1) % 2));
        break;
    case 5:
        guest_writes(&input.device, VIRTIO_MMIO_QUEUE_NOTIFY, STATUS, 4);
        break;
    case 6:
        press_it();
        break;
    default:
        offer(&input.device, EVENTS, from);
        break;
    }
    check_config();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct guest_memory memory = {ram, RAM_GPA, RAM_SIZE};
    const struct vmm_button_config config = {.registers = page, .gpa = 0x0a015000, .intid = 69};
    struct input bytes = {data, size};

    new_guest();
    memset(&input, 0, sizeof(input));
    virtio_input_init(&config, "vm0", &memory);
    /* A kick may keep the device at work for as long as the rings go round: an input is short. */
    for (unsigned steps = 0; bytes.left > 0 && steps < 256; steps++) {
        step(&bytes);
    }
    return 0;
}
