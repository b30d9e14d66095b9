/* SPDX-License-Identifier: BSD-2-Clause */

#include "virtio_device.h"

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "lib/virtio_registers.h"

struct fake_virtio fake_virtio;

static void *at(uint64_t paddr)
{
    return (void *)(uintptr_t)paddr;
}

static bool has(unsigned feature)
{
    return (fake_virtio.accepted >> feature & 1u) != 0;
}

static void forget_queues(void)
{
    for (unsigned i = 0; i < FAKE_VIRTIO_QUEUES; i++) {
        uint32_t size_max = fake_virtio.queue[i].size_max;
        bool refused = fake_virtio.queue[i].refused;

        fake_virtio.queue[i] = (struct fake_virtio_queue){.size_max = size_max, .refused = refused};
    }
}

void fake_virtio_reset(uint32_t id, uint64_t offered)
{
    memset(&fake_virtio, 0, sizeof(fake_virtio));
    fake_virtio.magic = 0x74726976;
    fake_virtio.version = 2;
    fake_virtio.id = id;
    fake_virtio.offered = offered;
    for (unsigned i = 0; i < FAKE_VIRTIO_QUEUES; i++) {
        fake_virtio.queue[i].size_max = 256;
    }
}

static struct fake_virtio_queue *selected(void)
{
    assert_true(fake_virtio.queue_sel < FAKE_VIRTIO_QUEUES);
    return &fake_virtio.queue[fake_virtio.queue_sel];
}

static const uint8_t *config_at(uintptr_t registers, uint32_t offset, unsigned width)
{
    assert_int_equal(registers, FAKE_VIRTIO_REGISTERS);
    assert_true(offset >= VIRTIO_MMIO_CONFIG);
    offset -= VIRTIO_MMIO_CONFIG;
    assert_true(offset % width == 0 && offset + width <= sizeof(fake_virtio.config));
    return fake_virtio.config + offset;
}

uint8_t virtio_read8(uintptr_t registers, uint32_t offset)
{
    return *config_at(registers, offset, 1);
}

uint16_t virtio_read16(uintptr_t registers, uint32_t offset)
{
    uint16_t value;

    memcpy(&value, config_at(registers, offset, sizeof(value)), sizeof(value));
    return value;
}

uint32_t virtio_read32(uintptr_t registers, uint32_t offset)
{
    uint32_t value;

    assert_int_equal(registers, FAKE_VIRTIO_REGISTERS);
    switch (offset) {
    case VIRTIO_MMIO_MAGIC_VALUE:
        return fake_virtio.magic;
    case VIRTIO_MMIO_VERSION:
        return fake_virtio.version;
    case VIRTIO_MMIO_DEVICE_ID:
        return fake_virtio.id;
    case VIRTIO_MMIO_DEVICE_FEATURES:
        return (uint32_t)(fake_virtio.offered >> (32 * fake_virtio.features_sel));
    case VIRTIO_MMIO_QUEUE_NUM_MAX:
        return selected()->size_max;
    case VIRTIO_MMIO_QUEUE_READY:
        return selected()->ready;
    case VIRTIO_MMIO_INTERRUPT_STATUS:
        return fake_virtio.interrupts;
    case VIRTIO_MMIO_STATUS:
        return fake_virtio.status;
    case VIRTIO_MMIO_CONFIG_GENERATION:
        return fake_virtio.generation += fake_virtio.generation_step;
    default:
        memcpy(&value, config_at(registers, offset, sizeof(value)), sizeof(value));
        return value;
    }
}

/* A driver goes through the states in order (3.1.1), and never takes a bit back but by a reset. */
static void write_status(uint32_t value)
{
    uint32_t added = value & ~fake_virtio.status;

    if (value == 0) {
        fake_virtio.resets++;
        if (!fake_virtio.never_stops) {
            fake_virtio.status = 0;
            fake_virtio.interrupts = 0;
            fake_virtio.accepted = 0;
            forget_queues();
        }
        return;
    }
    assert_int_equal(fake_virtio.status & ~value, 0);
    if (added & VIRTIO_CONFIG_S_DRIVER) {
        assert_true(fake_virtio.status & VIRTIO_CONFIG_S_ACKNOWLEDGE);
    }
    if (added & VIRTIO_CONFIG_S_FEATURES_OK) {
        assert_true(fake_virtio.status & VIRTIO_CONFIG_S_DRIVER);
        assert_int_equal(fake_virtio.accepted & ~fake_virtio.offered, 0);
        if (fake_virtio.refuses_features) {
            value &= ~(uint32_t)VIRTIO_CONFIG_S_FEATURES_OK;
        }
    }
    if (added & VIRTIO_CONFIG_S_DRIVER_OK) {
        assert_true(fake_virtio.status & VIRTIO_CONFIG_S_FEATURES_OK);
    }
    fake_virtio.status = value;
}

static void set_half(uint64_t *word, unsigned shift, uint32_t value)
{
    assert_false(selected()->ready);
    *word = (*word & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)value << shift;
}

static void write_ready(uint32_t value)
{
    struct fake_virtio_queue *queue = selected();

    assert_int_equal(value, 1);
    assert_true(fake_virtio.status & VIRTIO_CONFIG_S_FEATURES_OK);
    assert_true(queue->size > 0 && queue->size <= queue->size_max);
    assert_int_equal(queue->size & (queue->size - 1), 0);
    assert_int_equal(queue->desc % 16, 0);
    assert_int_equal(queue->avail % 2, 0);
    assert_int_equal(queue->used % 4, 0);
    queue->ready = !queue->refused;
}

void virtio_write32(uintptr_t registers, uint32_t offset, uint32_t value)
{
    assert_int_equal(registers, FAKE_VIRTIO_REGISTERS);
    switch (offset) {
    case VIRTIO_MMIO_STATUS:
        write_status(value);
        break;
    case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
        fake_virtio.features_sel = value;
        break;
    case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
        fake_virtio.driver_features_sel = value;
        break;
    case VIRTIO_MMIO_DRIVER_FEATURES:
        fake_virtio.accepted |= (uint64_t)value << (32 * fake_virtio.driver_features_sel);
        break;
    case VIRTIO_MMIO_QUEUE_SEL:
        fake_virtio.queue_sel = value;
        break;
    case VIRTIO_MMIO_QUEUE_NUM:
        selected()->size = value;
        break;
    case VIRTIO_MMIO_QUEUE_READY:
        write_ready(value);
        break;
    case VIRTIO_MMIO_QUEUE_DESC_LOW:
    case VIRTIO_MMIO_QUEUE_DESC_HIGH:
        set_half(&selected()->desc, 8 * (offset & 4), value);
        break;
    case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
    case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
        set_half(&selected()->avail, 8 * (offset & 4), value);
        break;
    case VIRTIO_MMIO_QUEUE_USED_LOW:
    case VIRTIO_MMIO_QUEUE_USED_HIGH:
        set_half(&selected()->used, 8 * (offset & 4), value);
        break;
    case VIRTIO_MMIO_QUEUE_NOTIFY:
        assert_true(fake_virtio.status & VIRTIO_CONFIG_S_DRIVER_OK);
        assert_true(value < FAKE_VIRTIO_QUEUES && fake_virtio.queue[value].ready);
        fake_virtio.queue[value].notified++;
        break;
    case VIRTIO_MMIO_INTERRUPT_ACK:
        fake_virtio.interrupts &= ~value;
        break;
    default:
        fail_msg("write of register %#x", offset);
    }
}

static void add_segment(struct fake_virtio_chain *chain, const struct vring_desc *desc)
{
    unsigned count = chain->readable + chain->writable;

    assert_true(count < FAKE_VIRTIO_SEGMENTS);
    assert_true(desc->len > 0);
    chain->segment[count].data = at(desc->addr);
    chain->segment[count].length = desc->len;
    if (desc->flags & VRING_DESC_F_WRITE) {
        chain->writable++;
        chain->writable_bytes += desc->len;
    } else {
        assert_int_equal(chain->writable, 0);
        chain->readable++;
        chain->readable_bytes += desc->len;
    }
}

bool fake_virtio_pop(unsigned queue_index, struct fake_virtio_chain *chain)
{
    struct fake_virtio_queue *queue = &fake_virtio.queue[queue_index];
    const uint16_t *avail = at(queue->avail);
    uint16_t *used = at(queue->used);
    const struct vring_desc *table = at(queue->desc);
    uint32_t table_size = queue->size;
    uint32_t index, steps = 0;

    if (avail[1] == queue->next_avail) {
        return false;
    }
    assert_true((uint16_t)(avail[1] - queue->next_avail) <= queue->size);
    memset(chain, 0, offsetof(struct fake_virtio_chain, segment));
    index = chain->head = avail[2 + queue->next_avail++ % queue->size];
    if (has(VIRTIO_RING_F_EVENT_IDX)) {
        used[2 + 4 * queue->size] = queue->next_avail;
    }
    for (;;) {
        const struct vring_desc *desc = &table[index];

        assert_true(index < table_size);
        assert_true(++steps <= FAKE_VIRTIO_SEGMENTS);
        if (desc->flags & VRING_DESC_F_INDIRECT) {
            assert_true(has(VIRTIO_RING_F_INDIRECT_DESC));
            assert_false(chain->indirect);
            assert_int_equal(desc->flags, VRING_DESC_F_INDIRECT);
            assert_int_equal(desc->len % sizeof(*desc), 0);
            table = at(desc->addr);
            table_size = (uint32_t)(desc->len / sizeof(*desc));
            chain->indirect = true;
            index = 0;
            continue;
        }
        add_segment(chain, desc);
        if (!(desc->flags & VRING_DESC_F_NEXT)) {
            return true;
        }
        index = desc->next;
    }
}

uint16_t *fake_virtio_used_index(unsigned queue)
{
    return (uint16_t *)at(fake_virtio.queue[queue].used) + 1;
}

uint32_t *fake_virtio_used_element(unsigned queue, uint16_t index)
{
    return (uint32_t *)at(fake_virtio.queue[queue].used + 4) +
           2 * (index % fake_virtio.queue[queue].size);
}

bool fake_virtio_push(unsigned queue_index, uint32_t head, uint32_t written)
{
    struct fake_virtio_queue *queue = &fake_virtio.queue[queue_index];
    const uint16_t *avail = at(queue->avail);
    uint32_t *element = fake_virtio_used_element(queue_index, queue->next_used);
    uint16_t old = queue->next_used++;
    bool wanted;

    element[0] = head;
    element[1] = written;
    *fake_virtio_used_index(queue_index) = queue->next_used;
    wanted = has(VIRTIO_RING_F_EVENT_IDX)
                 ? vring_need_event(avail[2 + queue->size], queue->next_used, old)
                 : (avail[0] & VRING_AVAIL_F_NO_INTERRUPT) == 0;
    if (wanted) {
        fake_virtio.interrupts |= VIRTIO_MMIO_INT_VRING;
    }
    return wanted;
}
