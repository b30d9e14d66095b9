/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: vmm/virtio/net_control.c vmm/virtio/net_features.c vmm/virtio/net_isolated.c
 * SOURCES: vmm/virtio/net_moderation.c vmm/virtio/net_vhost.c lib/net_filter.c lib/net_header.c
 * SOURCES: lib/checksum.c
 * SOURCES: lib/net_buffers.c lib/virtqueue.c lib/offload.c lib/ring.c tests/fuzz/silence.c
 *
 * A guest that writes into its network card's registers and its own memory as it likes, and a
 * switch that does the same with the rings between them. Nothing may be touched but the two
 * regions, the register page and the guest's memory, and every call must end.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "input.h"

/* Their state lives as long as their PD; here it must not outlive an input. */
#include "vmm/virtio/device.c"
#include "vmm/virtio/mmio.c"
#include "vmm/virtio/net.c"

#define RAM_GPA   0x40000000ull
#define RAM_SIZE  16384u
#define RING_SIZE 262144u

static uint8_t to_switch[RING_HEADER_SIZE + RING_SIZE] __attribute__((aligned(4096)));
static uint8_t from_switch[RING_HEADER_SIZE + RING_SIZE] __attribute__((aligned(4096)));
static uint8_t page[VIRTIO_MMIO_PAGE_SIZE] __attribute__((aligned(4096)));
static uint8_t ram[RAM_SIZE] __attribute__((aligned(4096)));

static mmio_handler handler;
static struct virtio_device *card;

/* ---- What the device stands on ---- */

bool mmio_attach_lazy(uint64_t gpa, uint64_t size, mmio_handler given, void *unused)
{
    (void)gpa;
    (void)size;
    (void)unused;
    handler = given;
    return true;
}

void vgic_set_level(uint32_t intid, bool asserted)
{
    (void)intid;
    (void)asserted;
}

/* Time goes on with each look at it, by half a millisecond. */
uint64_t cpu_counter(void)
{
    static uint64_t counter;

    return counter += 31250;
}

uint64_t cpu_counter_frequency(void)
{
    return 62500000;
}

void timer_set_coalescing(uint64_t ticks, uint64_t parked)
{
    (void)ticks;
    (void)parked;
}

uint64_t pace_elapsed(void)
{
    return 0;
}

void pace_pause(uint64_t work)
{
    (void)work;
}

bool pace_pauses(void)
{
    return false;
}

bool timer_is_late(void)
{
    return false;
}

void timer_set_polling(uint64_t ticks)
{
    (void)ticks;
}

void throttle_add(uint32_t ticks)
{
    (void)ticks;
}

/* The cards here have rings; what the other data path calls is only linked. */
seL4_Bool microkit_have_signal;

void microkit_deferred_notify(microkit_channel channel)
{
    (void)channel;
}

void microkit_mr_set(seL4_Uint8 mr, seL4_Word value)
{
    (void)mr;
    (void)value;
}

microkit_msginfo microkit_msginfo_new(seL4_Word label, seL4_Uint16 count)
{
    (void)label;
    (void)count;
    return (microkit_msginfo){0};
}

seL4_Word microkit_msginfo_get_label(microkit_msginfo info)
{
    (void)info;
    return 0;
}

microkit_msginfo microkit_ppcall(microkit_channel channel, microkit_msginfo info)
{
    (void)channel;
    return info;
}

/* ---- The input: steps ---- */

static void guest_writes(uint64_t offset, uint64_t value, uint8_t width)
{
    struct mmio_access access = {.offset = offset, .width = width, .write = true, .value = value};

    (void)handler(card, &access);
}

/* The whole way to a running device, which an input would seldom find by itself. */
static void bring_up(struct input *input)
{
    const uint64_t features = card->features & (take(input, 8) | 1ull << VIRTIO_F_VERSION_1);

    guest_writes(VIRTIO_MMIO_STATUS, 0, 4);
    guest_writes(VIRTIO_MMIO_STATUS, 3, 4);
    for (unsigned half = 0; half < 2; half++) {
        guest_writes(VIRTIO_MMIO_DRIVER_FEATURES_SEL, half, 4);
        guest_writes(VIRTIO_MMIO_DRIVER_FEATURES, features >> (32 * half) & UINT32_MAX, 4);
    }
    guest_writes(VIRTIO_MMIO_STATUS, 11, 4);
    for (unsigned queue = 0; queue < 3; queue++) {
        uint64_t base = RAM_GPA + 1024 * queue;

        guest_writes(VIRTIO_MMIO_QUEUE_SEL, queue, 4);
        guest_writes(VIRTIO_MMIO_QUEUE_NUM, 16, 4);
        guest_writes(VIRTIO_MMIO_QUEUE_DESC_LOW, base, 4);
        guest_writes(VIRTIO_MMIO_QUEUE_AVAIL_LOW, base + 256, 4);
        guest_writes(VIRTIO_MMIO_QUEUE_USED_LOW, base + 512, 4);
        guest_writes(VIRTIO_MMIO_QUEUE_READY, 1, 4);
    }
    guest_writes(VIRTIO_MMIO_STATUS, 15, 4);
}

/* A record as the switch would put it, whatever it holds. */
static void send_record(struct input *input)
{
    struct ring_shared *shared = (struct ring_shared *)(void *)from_switch;
    uint32_t offset = shared->head % RING_SIZE & ~63u;
    uint32_t count = (uint32_t)take(input, 3) % 70000;

    memcpy(from_switch + RING_HEADER_SIZE + offset, &count, sizeof(count));
    if (offset + 64 < RING_SIZE) {
        scribble(input, from_switch + RING_HEADER_SIZE + offset + 64, RING_SIZE - offset - 64);
    }
    shared->head += 64 + (count + 63) / 64 * 64;
}

static void step(struct input *input)
{
    switch (take(input, 1) % 9) {
    case 0:
        guest_writes(take(input, 2) % VIRTIO_MMIO_PAGE_SIZE & ~7u, take(input, 8),
                     (uint8_t)(1u << take(input, 1) % 4));
        break;
    case 1:
        bring_up(input);
        break;
    case 2:
    case 3:
        scribble(input, ram, RAM_SIZE);
        break;
    case 4:
        guest_writes(VIRTIO_MMIO_QUEUE_NOTIFY, 0, 4);
        break;
    case 5:
        send_record(input);
        card->ops->notified(card);
        virtio_devices_run();
        break;
    case 6: /* the switch takes everything */
        ((struct ring_shared *)(void *)to_switch)->tail =
            ((struct ring_shared *)(void *)to_switch)->head;
        card->ops->notified(card);
        virtio_devices_run();
        break;
    case 7: /* a vCPU waits, or time passes */
        if (take(input, 1) % 2 != 0) {
            card->ops->idle(card);
        } else {
            card->ops->timer_expired(card);
        }
        virtio_devices_run();
        break;
    default:
        scribble(input, take(input, 1) % 2 ? to_switch : from_switch, RING_HEADER_SIZE + RING_SIZE);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct guest_memory memory = {ram, RAM_GPA, RAM_SIZE};
    static struct vmm_interface_config config = {
        .channel = 1,
        .mac = {2},
        .to_switch = to_switch,
        .from_switch = from_switch,
        .ring_size = RING_SIZE,
        .registers = page,
        .intid = 40,
    };
    struct input input = {data, size};

    config.mtu = take(&input, 1) % 2 != 0 ? NET_MTU_MAX : NET_MTU;
    memset(to_switch, 0, sizeof(to_switch));
    memset(from_switch, 0, sizeof(from_switch));
    memset(ram, 0, sizeof(ram));
    memset(nets, 0, sizeof(nets));
    devices = NULL;
    card = virtio_net_init(0, &config, &memory);
    while (input.left > 0) {
        step(&input);
    }
    return 0;
}
