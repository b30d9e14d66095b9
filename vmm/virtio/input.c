/* SPDX-License-Identifier: BSD-2-Clause */

#include "input.h"

#include <linux/input-event-codes.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_input.h>
#include <string.h>
#include "mmio.h"

enum { EVENTS, STATUS, QUEUES };

/* Room for two presses. */
#define QUEUE_SIZE 8u

/* Chains of the status queue per turn. No chain has more than QUEUE_SIZE descriptors. */
#define BUDGET 4u

/* What the guest selects decides what its configuration space holds; it writes these two bytes. */
#define SELECTORS_SIZE 2u
#define ANSWER         offsetof(struct virtio_input_config, u)
#define ANSWER_MAX     (VIRTIO_CONFIG_SIZE_MAX - ANSWER)

#define BUS_VIRTUAL 0x06u /* linux/input.h, which is no header for freestanding programs */

static const char name[] = "Braid power button";

/* A press, in Linux's words: 5.8.6 has no other ones. */
static const struct virtio_input_event press[] = {
    {.type = EV_KEY, .code = KEY_POWER, .value = 1},
    {.type = EV_SYN, .code = SYN_REPORT, .value = 0},
    {.type = EV_KEY, .code = KEY_POWER, .value = 0},
    {.type = EV_SYN, .code = SYN_REPORT, .value = 0},
};

#define PRESS_EVENTS (sizeof(press) / sizeof(press[0]))

static struct {
    struct virtio_device device;
    const char *serial;
    uint8_t selectors[SELECTORS_SIZE]; /* select, subsel */
} input;

static struct virtqueue_segment segments[VIRTQUEUE_SIZE_MAX];

/* ---- Configuration space ---- */

static uint8_t answer_bytes(uint8_t *to, const void *bytes, size_t count)
{
    memcpy(to, bytes, count);
    return (uint8_t)count;
}

/* What is selected (5.8.4), at most ANSWER_MAX bytes. Returns how many; 0: there is no such thing.
 */
static uint8_t answer(uint8_t select, uint8_t subsel, uint8_t *to)
{
    const struct virtio_input_devids ids = {.bustype = BUS_VIRTUAL};
    const uint8_t keys[KEY_POWER / 8 + 1] = {[KEY_POWER / 8] = 1u << KEY_POWER % 8};

    _Static_assert(sizeof(name) - 1 <= ANSWER_MAX && VIRTIO_INPUT_SERIAL_MAX <= ANSWER_MAX &&
                       sizeof(ids) <= ANSWER_MAX && sizeof(keys) <= ANSWER_MAX,
                   "an answer is within the configuration space");
    switch (select) {
    case VIRTIO_INPUT_CFG_ID_NAME:
        return answer_bytes(to, name, sizeof(name) - 1);
    case VIRTIO_INPUT_CFG_ID_SERIAL:
        return answer_bytes(to, input.serial, strnlen(input.serial, VIRTIO_INPUT_SERIAL_MAX));
    case VIRTIO_INPUT_CFG_ID_DEVIDS:
        return answer_bytes(to, &ids, sizeof(ids));
    case VIRTIO_INPUT_CFG_EV_BITS:
        return subsel == EV_KEY ? answer_bytes(to, keys, sizeof(keys)) : 0;
    default:
        return 0;
    }
}

/* The driver reads the answer as soon as it has selected it: that is no change to tell it of. */
static void show_answer(void)
{
    uint8_t space[VIRTIO_CONFIG_SIZE_MAX] = {input.selectors[0], input.selectors[1]};

    space[offsetof(struct virtio_input_config, size)] =
        answer(input.selectors[0], input.selectors[1], space + ANSWER);
    virtio_mmio_show_config(&input.device, 0, space, sizeof(space));
}

static bool input_write_config(struct virtio_device *device, uint32_t offset, uint8_t width,
                               uint32_t value)
{
    (void)device;
    if (offset >= SELECTORS_SIZE || width > SELECTORS_SIZE - offset) {
        return false;
    }
    for (uint32_t i = 0; i < width; i++) {
        input.selectors[offset + i] = (uint8_t)(value >> (8 * i));
    }
    show_answer();
    return true;
}

/* ---- Queues ---- */

/* Returns whether all of an event fits into a chain, and is there now. */
static bool fill(const struct virtqueue_chain *chain, const struct virtio_input_event *event)
{
    const uint8_t *bytes = (const uint8_t *)event;
    uint32_t filled = 0;

    if (chain->writable_bytes < sizeof(*event)) {
        return false;
    }
    for (uint32_t i = 0; filled < sizeof(*event); i++) {
        const struct virtqueue_segment *segment = &segments[chain->readable + i];
        uint32_t left = (uint32_t)sizeof(*event) - filled;
        uint32_t part = segment->length < left ? segment->length : left;

        memcpy(segment->data, bytes + filled, part);
        filled += part;
    }
    return true;
}

/*
 * All of a press or nothing of it: a key that is never released is none (5.8.6.2 wants sequences
 * whole). A chain that has been filled and is then put back is the driver's to be filled again.
 */
static bool send_press(struct virtqueue *queue)
{
    struct virtqueue_chain chain;
    uint16_t heads[PRESS_EVENTS];

    for (uint16_t i = 0; i < PRESS_EVENTS; i++) {
        if (virtqueue_pop(queue, segments, VIRTQUEUE_SIZE_MAX, &chain) != VIRTQUEUE_POPPED) {
            virtqueue_unpop(queue, i);
            return false;
        }
        if (!fill(&chain, &press[i])) {
            virtqueue_break(queue, "a buffer for an event that is not writable, or too small");
            return false;
        }
        heads[i] = chain.head;
    }
    for (uint16_t i = 0; i < PRESS_EVENTS; i++) {
        virtqueue_push(queue, heads[i], sizeof(press[i]));
    }
    return true;
}

/* A queue has been worked on. Returns whether it is well; otherwise the device is stopped. */
static bool finish(struct virtqueue *queue)
{
    if (virtqueue_flush(queue)) {
        virtio_device_interrupt(&input.device);
    }
    if (virtqueue_error(queue) != NULL) {
        virtio_device_fail(&input.device, virtqueue_error(queue));
        return false;
    }
    return true;
}

bool virtio_input_press_power_button(void)
{
    struct virtqueue *queue = &input.device.queue[EVENTS];
    bool sent;

    if (!virtio_device_running(&input.device)) {
        return false;
    }
    sent = send_press(queue);
    return finish(queue) && sent;
}

/* The button has no lamp: whatever the driver wants to show is taken. Returns whether more waits.
 */
static bool take_status(struct virtqueue *queue)
{
    struct virtqueue_chain chain;

    for (uint32_t i = 0; i < BUDGET; i++) {
        if (virtqueue_pop(queue, segments, VIRTQUEUE_SIZE_MAX, &chain) != VIRTQUEUE_POPPED) {
            return virtqueue_enable_kicks(queue);
        }
        virtqueue_push(queue, chain.head, 0);
    }
    return true;
}

static uint32_t input_work(struct virtio_device *device, uint32_t pending)
{
    bool more = take_status(&device->queue[STATUS]);

    (void)pending;
    /* Buffers for events wait for a press, and their driver need not tell of them. */
    virtqueue_disable_kicks(&device->queue[EVENTS]);
    return finish(&device->queue[STATUS]) && more ? 1u << STATUS : 0;
}

static void input_reset(struct virtio_device *device)
{
    (void)device;
    memset(input.selectors, 0, sizeof(input.selectors));
    show_answer();
}

static const struct virtio_device_ops input_ops = {
    .id = VIRTIO_ID_INPUT,
    .queue_count = QUEUES,
    .queue_size_max = {[EVENTS] = QUEUE_SIZE, [STATUS] = QUEUE_SIZE},
    .reset = input_reset,
    .work = input_work,
    .write_config = input_write_config,
};

void virtio_input_init(const struct vmm_button_config *config, const char *serial,
                       const struct guest_memory *memory)
{
    input.serial = serial;
    input.device.ops = &input_ops;
    input.device.name = "power button";
    input.device.features = VIRTIO_FEATURE(VIRTIO_F_VERSION_1) |
                            VIRTIO_FEATURE(VIRTIO_RING_F_INDIRECT_DESC) |
                            VIRTIO_FEATURE(VIRTIO_RING_F_EVENT_IDX);
    virtio_device_init(&input.device, memory, config->registers, config->gpa, config->intid);
}
