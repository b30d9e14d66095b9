/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: lib/virtqueue.c tests/fuzz/silence.c
 *
 * A guest that writes into its console's registers and its own memory as it likes, and a terminal
 * that types, resizes, and takes output or does not. Nothing may be touched but the register page
 * and the guest's memory, every call must end, the registers are as virtio says (virtio_guest.h),
 * and what is typed reaches the guest in order or waits. A reset takes back nothing that was sent.
 */

#include "virtio_guest.h"
#include "vmm/virtio/console.c"

static uint8_t typed;    /* how many keys, and the next one */
static uint8_t given;    /* to the device */
static uint32_t waiting; /* keys */
static uint32_t room;    /* for output */
static uint32_t terminal;

uint32_t console_port_size(void)
{
    return terminal;
}

uint32_t console_port_write(const void *bytes, uint32_t count)
{
    const uint8_t *from = bytes;
    uint32_t taken = count < room ? count : room;

    demand(from >= ram || count == 1); /* one byte: an emergency write */
    demand(from < ram || count <= (uint32_t)(ram + RAM_SIZE - from));
    room -= taken;
    return taken;
}

bool console_port_await_space(void)
{
    return room > 0;
}

uint32_t console_port_read(void *bytes, uint32_t count)
{
    uint8_t *to = bytes;
    uint32_t taken = count < waiting ? count : waiting;

    demand(has_started(reads_as(VIRTIO_MMIO_STATUS)));
    demand(to >= ram && to + count <= ram + RAM_SIZE);
    for (uint32_t i = 0; i < taken; i++) {
        to[i] = given++;
    }
    waiting -= taken;
    return taken;
}

bool console_port_await_data(void)
{
    return waiting > 0;
}

void panic_printed(enum panic_source source, const uint8_t *bytes, uint32_t count)
{
    demand(source == PANIC_VIRTIO && (count == 0 || bytes != NULL));
}

static void step(struct input *input)
{
    switch (take(input, 1) % 9) {
    case 0:
        guest_scribbles(&console.device, input);
        break;
    case 1:
        bring_up(&console.device, input);
        break;
    case 2:
        scribble(input, ram, RAM_SIZE);
        break;
    case 3:
        offer(&console.device, RX, input);
        break;
    case 4:
        offer(&console.device, TX, input);
        break;
    case 5:
        guest_writes(&console.device, VIRTIO_MMIO_QUEUE_NOTIFY, take(input, 1) % 3, 4);
        break;
    case 6:
        waiting += (uint32_t)take(input, 1);
        console.device.ops->notified(&console.device);
        virtio_devices_run();
        break;
    case 7:
        room = (uint32_t)take(input, 2);
        console.device.ops->notified(&console.device);
        virtio_devices_run();
        break;
    default:
        terminal = (uint32_t)take(input, 4);
        console.device.ops->notified(&console.device);
        demand(reads_as(VIRTIO_MMIO_CONFIG) == (terminal >> 16 | terminal << 16));
        break;
    }
    check_registers(&console.device);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct guest_memory memory = {ram, RAM_GPA, RAM_SIZE};
    const struct vmm_console_config config = {.registers = page, .gpa = 0x0a013000, .intid = 67};
    struct input input = {data, size};

    new_guest();
    memset(&console, 0, sizeof(console));
    typed = given = 0;
    waiting = terminal = 0;
    room = 1000;
    virtio_console_init(&config, &memory);
    /* A kick may keep the device at work for as long as the rings go round: an input is short. */
    for (unsigned steps = 0; input.left > 0 && steps < 256; steps++) {
        step(&input);
    }
    return 0;
}
