/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: lib/virtqueue.c
 *
 * A driver that offers chains, well-formed or with one defect, or writes whatever it likes into its
 * rings, at any moment between two calls. The input is where the rings lie, what the guest's memory
 * holds, and a list of steps.
 *
 * A model, after virtio 1.2, 2.7, works on a second copy of the memory. Each call answers what the
 * model does: which chain comes next and of which segments, or that the queue is broken by it; what
 * a copy holds; whether the driver is to be interrupted, or may have to kick. No segment is written
 * beyond the room for them, and at the end the device has changed of the memory what the model has.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "input.h"
#include "lib/virtqueue.h"

#define RAM_GPA  0x40000000ull
#define RAM_SIZE 4096u
#define SEGMENTS 64u
#define COPY_MAX 512u
#define STEPS    128u /* more need more chains than the rings hold, and time */

/* Where the rings of a tame driver lie, with up to 64 descriptors, and its indirect tables. */
#define DESC_AT  0u
#define AVAIL_AT 1024u
#define USED_AT  1280u
#define TABLE_AT 2048u

/* On the heap, so that a step beyond their ends is a report. */
static uint8_t *ram;
static struct virtqueue_segment *segments;
static uint8_t *copy;

static struct virtqueue queue;
static struct virtqueue_chain chain;

static void demand(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* ---- The model ---- */

static uint8_t shadow[RAM_SIZE]; /* the memory as it should be */

static struct model {
    bool enabled;
    bool broken;
    bool event_idx;
    bool indirect;
    bool absent; /* segments outside of the memory are allowed */
    bool kicks_disabled;
    bool for_good;
    uint32_t size;
    uint32_t desc; /* offsets of the rings */
    uint32_t avail;
    uint32_t used;
    uint16_t next;  /* chain to pop */
    uint16_t known; /* chains offered, when last looked at */
    uint16_t pushed;
    uint16_t signalled;
    uint32_t insufficient;
    uint16_t popped; /* and not pushed since: they may be put back */
} model;

/* Whether the device waits for a kick, and how many chains may be added without one. */
static bool sleeps;
static uint16_t sleeps_for;

/* The chain that the model has popped. */
static struct vring_desc expected[SEGMENTS];
static uint32_t expected_readable, expected_count;

static uint16_t shadow16(uint32_t at)
{
    uint16_t value;

    memcpy(&value, shadow + at, sizeof(value));
    return value;
}

static void shadow_put(uint32_t at, const void *bytes, uint32_t count)
{
    memcpy(shadow + at, bytes, count);
}

static void shadow_put16(uint32_t at, uint16_t value)
{
    shadow_put(at, &value, sizeof(value));
}

static uint32_t used_flags(void)
{
    return model.used;
}

static uint32_t avail_idx(void)
{
    return model.avail + 2;
}

static uint32_t avail_event(void)
{
    return model.used + 4 + 8 * model.size;
}

static bool is_inside(uint64_t gpa, uint64_t length)
{
    return gpa >= RAM_GPA && gpa <= RAM_GPA + RAM_SIZE && length <= RAM_GPA + RAM_SIZE - gpa;
}

static bool model_enable(uint64_t features, uint32_t size, uint64_t desc, uint64_t avail,
                         uint64_t used)
{
    bool power = false;

    memset(&model, 0, sizeof(model));
    for (uint32_t i = 1; i <= VIRTQUEUE_SIZE_MAX; i *= 2) {
        power |= size == i;
    }
    if (!power || (desc & 15) != 0 || (avail & 1) != 0 || (used & 3) != 0 ||
        !is_inside(desc, 16ull * size) || !is_inside(avail, 6 + 2ull * size) ||
        !is_inside(used, 6 + 8ull * size)) {
        return false;
    }
    model.enabled = true;
    model.size = size;
    model.desc = (uint32_t)(desc - RAM_GPA);
    model.avail = (uint32_t)(avail - RAM_GPA);
    model.used = (uint32_t)(used - RAM_GPA);
    model.event_idx = (features & 1ull << VIRTIO_RING_F_EVENT_IDX) != 0;
    model.indirect = (features & 1ull << VIRTIO_RING_F_INDIRECT_DESC) != 0;
    return true;
}

/* Whether `desc` may refer to a table (2.7.5.3), and the walk is in none yet. */
static bool may_enter(const struct vring_desc *desc, bool inside)
{
    return model.indirect && !inside && (desc->flags & VRING_DESC_F_NEXT) == 0 && desc->len > 0 &&
           desc->len % 16 == 0 && desc->len / 16 <= model.size && is_inside(desc->addr, desc->len);
}

static enum virtqueue_pop model_walk(uint16_t head, uint32_t capacity)
{
    uint32_t table = model.desc, entries = model.size, index = head;
    struct vring_desc desc;
    uint64_t bytes = 0;
    bool inside = false;

    expected_count = expected_readable = 0;
    do {
        if (index >= entries) {
            return VIRTQUEUE_BROKEN;
        }
        memcpy(&desc, shadow + table + 16 * index, sizeof(desc));
        if ((desc.flags & VRING_DESC_F_INDIRECT) != 0) {
            if (!may_enter(&desc, inside)) {
                return VIRTQUEUE_BROKEN;
            }
            table = (uint32_t)(desc.addr - RAM_GPA);
            entries = desc.len / 16;
            index = 0;
            inside = true;
            desc.flags = VRING_DESC_F_NEXT;
            continue;
        }
        if (expected_count == model.size) {
            return VIRTQUEUE_BROKEN;
        }
        if (expected_count == capacity) {
            return VIRTQUEUE_TOO_LONG;
        }
        if (desc.len == 0 || (!model.absent && !is_inside(desc.addr, desc.len))) {
            return VIRTQUEUE_BROKEN;
        }
        if ((desc.flags & VRING_DESC_F_WRITE) == 0 && expected_readable++ != expected_count) {
            return VIRTQUEUE_BROKEN;
        }
        expected[expected_count++] = desc;
        bytes += desc.len;
        index = desc.next;
    } while ((desc.flags & VRING_DESC_F_NEXT) != 0);
    return bytes >> 32 == 0 ? VIRTQUEUE_POPPED : VIRTQUEUE_BROKEN;
}

static enum virtqueue_pop model_pop(uint32_t capacity, uint16_t *head)
{
    enum virtqueue_pop result = VIRTQUEUE_BROKEN;

    if (model.broken || !model.enabled) {
        return model.broken ? VIRTQUEUE_BROKEN : VIRTQUEUE_EMPTY;
    }
    if (model.known == model.next) {
        model.known = shadow16(avail_idx());
        if (model.known == model.next) {
            return VIRTQUEUE_EMPTY;
        }
        model.broken = (uint16_t)(model.known - model.next) > model.size;
    }
    if (!model.broken) {
        *head = shadow16(model.avail + 4 + 2 * (model.next % model.size));
        result = *head < model.size ? model_walk(*head, capacity) : VIRTQUEUE_BROKEN;
    }
    if (result == VIRTQUEUE_POPPED) {
        model.next++;
        model.popped++;
    }
    model.broken |= result == VIRTQUEUE_BROKEN;
    return result;
}

/* ---- Each call, by the device and by the model ---- */

static void check_segments(const struct virtqueue_segment *found)
{
    uint64_t readable_bytes = 0, bytes = 0;

    demand(chain.readable == expected_readable &&
           chain.readable + chain.writable == (int)expected_count);
    for (uint32_t i = 0; i < expected_count; i++) {
        const struct vring_desc *desc = &expected[i];
        uint8_t *data =
            is_inside(desc->addr, desc->len) ? ram + (uint32_t)(desc->addr - RAM_GPA) : NULL;

        demand(found[i].data == data && found[i].length == desc->len);
        bytes += desc->len;
        readable_bytes += i < expected_readable ? desc->len : 0;
    }
    demand(chain.readable_bytes == readable_bytes);
    demand(chain.writable_bytes == bytes - readable_bytes);
}

/* The bytes of the segments that lie in memory, one by one. */
static void check_copy(const struct virtqueue_segment *found, struct input *input)
{
    uint32_t skip = (uint32_t)take(input, 2) % 1024;
    uint32_t count = (uint32_t)take(input, 2) % COPY_MAX;
    uint8_t *to = copy + COPY_MAX - count;
    uint32_t copied = virtqueue_copy_out(found, expected_readable, skip, to, count);
    uint32_t at = 0;

    for (uint32_t i = 0; i < expected_readable && at < count; i++) {
        uint32_t part = expected[i].len > skip ? expected[i].len - skip : 0;

        if (part > 0 && !is_inside(expected[i].addr, expected[i].len)) {
            break;
        }
        part = part < count - at ? part : count - at;
        if (part > 0) {
            demand(at + part <= copied);
            demand(memcmp(to + at, shadow + (expected[i].addr - RAM_GPA) + skip, part) == 0);
        }
        at += part;
        skip -= skip < expected[i].len ? skip : expected[i].len;
    }
    demand(copied == at);
}

static void pops(struct input *input)
{
    uint8_t how = (uint8_t)take(input, 1);
    uint32_t capacity = (how & 64) != 0 ? SEGMENTS : 1u + how % 16;
    struct virtqueue_segment *room = segments + SEGMENTS - capacity;
    uint16_t head = 0;
    enum virtqueue_pop result = model_pop(capacity, &head);

    demand(virtqueue_pop(&queue, room, capacity, &chain) == result);
    demand((virtqueue_error(&queue) != NULL) == model.broken);
    if (result == VIRTQUEUE_POPPED) {
        demand(chain.head == head);
        check_segments(room);
        if ((how & 128) != 0) {
            check_copy(room, input);
        }
    }
}

static void pushes(struct input *input)
{
    uint32_t element[2] = {chain.head, (uint32_t)take(input, 2)};

    virtqueue_push(&queue, chain.head, element[1]);
    if (model.enabled) {
        shadow_put(model.used + 4 + 8 * (model.pushed++ % model.size), element, sizeof(element));
        model.popped = 0;
    }
}

static void publishes(void)
{
    virtqueue_publish(&queue);
    if (model.enabled) {
        shadow_put16(model.used + 2, model.pushed);
    }
    demand(virtqueue_used(&queue) == (model.enabled ? model.pushed : 0));
}

/* The driver is interrupted if its event index is one of those that have been pushed since. */
static void flushes(void)
{
    uint16_t count = (uint16_t)(model.pushed - model.signalled);
    bool wanted = false;

    demand(virtqueue_unsignalled(&queue) == count);
    if (count > 0) {
        shadow_put16(model.used + 2, model.pushed);
        wanted =
            model.event_idx
                ? (uint16_t)(shadow16(model.avail + 4 + 2 * model.size) - model.signalled) < count
                : (shadow16(model.avail) & VRING_AVAIL_F_NO_INTERRUPT) == 0;
        model.signalled = model.pushed;
    }
    demand(virtqueue_flush(&queue) == wanted);
}

static void disables_kicks(void)
{
    virtqueue_disable_kicks(&queue);
    if (model.enabled && !model.kicks_disabled) {
        model.kicks_disabled = true;
        if (!model.event_idx) {
            shadow_put16(used_flags(), VRING_USED_F_NO_NOTIFY);
        }
    }
}

static void enables_kicks(uint16_t count)
{
    bool more = false;

    if (model.enabled && !model.broken) {
        model.kicks_disabled = false;
        shadow_put16(model.event_idx ? avail_event() : used_flags(),
                     model.event_idx ? (uint16_t)(model.known + count) : 0);
        more = shadow16(avail_idx()) != model.known;
    }
    demand((count == 0 ? virtqueue_enable_kicks(&queue)
                       : virtqueue_enable_kicks_delayed(&queue, count)) == more);
    sleeps = model.enabled && !model.broken && !more;
    sleeps_for = count;
}

static void unpops(struct input *input)
{
    uint8_t how = (uint8_t)take(input, 1);
    uint16_t count = model.popped > 0 ? (how >> 2) % (model.popped + 1u) : 0;

    model.next = (uint16_t)(model.next - count);
    model.popped = (uint16_t)(model.popped - count);
    if ((how & 1) != 0 && model.enabled) {
        model.insufficient = 1 + (uint32_t)take(input, 1);
        model.for_good = (how & 2) != 0;
        virtqueue_unpop_insufficient(&queue, count, model.insufficient, model.for_good);
    } else {
        virtqueue_unpop(&queue, count);
    }
}

static void asks_insufficient(struct input *input)
{
    uint32_t bytes = (uint32_t)take(input, 1);
    uint16_t available = model.enabled ? shadow16(avail_idx()) : 0;

    demand(virtqueue_available(&queue) == available);
    demand(virtqueue_known_insufficient(&queue, bytes) ==
           (model.insufficient != 0 && bytes >= model.insufficient &&
            (model.for_good || available == model.known)));
    if (bytes % 16 == 0) {
        virtqueue_forget_insufficient(&queue);
        model.insufficient = 0;
    }
}

static void enables(uint64_t features, uint32_t size, uint64_t desc, uint64_t avail, uint64_t used)
{
    static struct guest_memory memory;
    bool enabled = model_enable(features, size, desc, avail, used);

    memory = (struct guest_memory){ram, RAM_GPA, RAM_SIZE};
    demand((virtqueue_enable(&queue, &memory, features, size, desc, avail, used) == NULL) ==
           enabled);
    demand(virtqueue_enabled(&queue) == enabled);
}

/* ---- The driver ---- */

static void put(uint32_t at, const void *bytes, uint32_t count)
{
    memcpy(ram + at, bytes, count);
    shadow_put(at, bytes, count);
}

static void writes_anything(struct input *input)
{
    uint32_t at = (uint32_t)take(input, 2) % (RAM_SIZE - 8);
    uint64_t bytes = take(input, 4);

    put(at, &bytes, 4);
}

/* One thing wrong with a descriptor, or at the limit of what is allowed. */
static void spoil(struct vring_desc *desc, uint8_t how)
{
    switch (how) {
    case 0:
        desc->len = 0;
        break;
    case 1:
        desc->addr = RAM_GPA - 1;
        break;
    case 2:
        desc->addr = RAM_GPA + RAM_SIZE - desc->len + 1;
        break;
    case 3:
        desc->addr = RAM_GPA + RAM_SIZE - desc->len; /* the last bytes that there are */
        break;
    case 4:
        desc->len = UINT32_MAX;
        break;
    case 5:
        desc->next = (uint16_t)model.size;
        break;
    case 6:
        desc->flags ^= VRING_DESC_F_WRITE;
        break;
    case 7:
        desc->flags ^= VRING_DESC_F_NEXT;
        break;
    case 8:
        desc->flags ^= VRING_DESC_F_INDIRECT;
        break;
    case 9:
        desc->len--;
        break;
    case 10:
        desc->next = 0;
        break;
    case 11:
        desc->len *= 2;
        break;
    case 12:
        desc->addr += 1ull << 32;
        break;
    case 13: /* a table, where none may be */
        desc->addr = RAM_GPA + TABLE_AT;
        desc->len = 32;
        desc->flags = VRING_DESC_F_INDIRECT;
        break;
    default: /* two that are longer than the memory, and together longer than a chain may be */
        desc->addr = RAM_GPA + RAM_SIZE;
        desc->len = 1u << 31;
        break;
    }
}

/* What one chain consists of, by five bytes of the input. */
struct shape {
    uint32_t pieces;
    uint32_t readable;
    uint32_t indirect; /* from this piece on they lie in a table */
    uint32_t table;    /* which may lie anywhere: its descriptors need no alignment */
    uint32_t at;
    uint32_t length;
    uint32_t spoiled; /* piece; the descriptor of the table is that of the piece behind all */
    uint8_t how;
};

static struct vring_desc piece(const struct shape *shape, uint32_t i, uint16_t next)
{
    struct vring_desc desc = {.addr = RAM_GPA + (shape->at + i * shape->length) % (RAM_SIZE - 256),
                              .len = shape->length,
                              .flags = (uint16_t)((i + 1 < shape->pieces ? VRING_DESC_F_NEXT : 0) |
                                                  (i >= shape->readable ? VRING_DESC_F_WRITE : 0)),
                              .next = next};

    if (i == shape->spoiled) {
        spoil(&desc, shape->how);
    }
    return desc;
}

static void put_chain(const struct shape *shape, uint32_t first)
{
    for (uint32_t i = 0; i < shape->pieces; i++) {
        uint32_t index = (first + i) % model.size;
        struct vring_desc desc;

        if (i < shape->indirect) {
            desc = piece(shape, i, (uint16_t)((index + 1) % model.size));
            put(model.desc + 16 * index, &desc, sizeof(desc));
            continue;
        }
        if (i == shape->indirect) {
            desc = (struct vring_desc){.addr = RAM_GPA + shape->table,
                                       .len = 16 * (shape->pieces - i),
                                       .flags = VRING_DESC_F_INDIRECT};
            if (shape->spoiled == shape->pieces) {
                spoil(&desc, shape->how);
            }
            put(model.desc + 16 * index, &desc, sizeof(desc));
        }
        desc = piece(shape, i, (uint16_t)(i - shape->indirect + 1));
        put(shape->table + 16 * (i - shape->indirect), &desc, sizeof(desc));
    }
}

/* Whether the driver kicks for the chain that it has made its `old`-th, by what is in its memory.
 */
static bool driver_kicks(uint16_t old)
{
    uint16_t value;

    memcpy(&value, ram + (model.event_idx ? avail_event() : used_flags()), sizeof(value));
    return model.event_idx ? value == old : (value & VRING_USED_F_NO_NOTIFY) == 0;
}

/* The device sleeps until the driver kicks: it does so for the chain behind `sleeps_for` others. */
static void check_kick(uint16_t old)
{
    if (!sleeps || model.size > 64 || model.used != USED_AT || model.avail != AVAIL_AT) {
        return;
    }
    if (driver_kicks(old)) {
        sleeps = false;
    }
    demand(!sleeps || sleeps_for-- > 0);
}

/* A chain, and the index that announces it; more than one, if it jumps. */
static void offers(struct input *input)
{
    uint8_t a = (uint8_t)take(input, 1), b = (uint8_t)take(input, 1), c = (uint8_t)take(input, 1);
    uint8_t how = (uint8_t)take(input, 1);
    struct shape shape = {.pieces = 1u + a % 8,
                          .readable = (a >> 3 & 7u),
                          .indirect = (a & 64) != 0 && model.indirect ? b % 8u : UINT32_MAX,
                          .table = TABLE_AT + (b >> 3) * 19u,
                          .at = (uint32_t)take(input, 2),
                          .length = 1u + c,
                          .spoiled = (a & 128) != 0 ? how >> 4 & 7u : UINT32_MAX,
                          .how = how & 15};
    uint16_t idx, head;

    if (!model.enabled) {
        return;
    }
    idx = shadow16(avail_idx());
    head = (uint16_t)(b % model.size);
    put_chain(&shape, head);
    if ((a & 128) != 0 && how == 255) {
        head = (uint16_t)model.size;
    }
    put(model.avail + 4 + 2 * (idx % model.size), &head, sizeof(head));
    if ((a & 128) != 0 && how == 254) {
        sleeps = false;
    }
    check_kick(idx);
    idx = (uint16_t)(idx + ((a & 128) != 0 && how == 254 ? model.size + 1 : 1));
    put(avail_idx(), &idx, sizeof(idx));
}

/* What the driver asks for: where it is to be interrupted next. */
static void driver_asks(struct input *input)
{
    uint8_t how = (uint8_t)take(input, 1);
    uint16_t value = (uint16_t)(shadow16(model.used + 2) + (how >> 1) % 4u);

    if (!model.enabled) {
        return;
    }
    put(model.avail + 4 + 2 * model.size, &value, sizeof(value));
    value = how & 1;
    put(model.avail, &value, sizeof(value));
}

static void starts(struct input *input)
{
    static const uint16_t sizes[] = {1, 2, 4, 8, 16, 32, 64, 16, 8, 4, 16, 8, 0, 3, 128, 2048};
    uint8_t how = (uint8_t)take(input, 1);
    uint64_t features = (uint64_t)(how & 3) << VIRTIO_RING_F_INDIRECT_DESC;
    uint32_t size = sizes[how >> 2 & 15];
    uint64_t desc = RAM_GPA + DESC_AT, avail = RAM_GPA + AVAIL_AT, used = RAM_GPA + USED_AT;

    if ((how & 64) != 0) { /* elsewhere, and aligned or not */
        desc = RAM_GPA + (take(input, 2) & ~(how & 128 ? 0ull : 15ull));
        avail = RAM_GPA + (take(input, 2) & ~(how & 128 ? 0ull : 1ull));
        used = RAM_GPA + (take(input, 2) & ~(how & 128 ? 0ull : 3ull));
    }
    enables(features, size, desc, avail, used);
    if (model.enabled && take(input, 1) % 4 == 0) {
        model.absent = true;
        virtqueue_allow_absent(&queue);
    }
}

static void step(struct input *input)
{
    uint8_t which = (uint8_t)take(input, 1);
    bool offer = which % 16 >= 14;

    sleeps = sleeps && offer; /* whatever else is done, it looks again before it sleeps */
    switch (which % 16) {
    case 0:
    case 1:
    case 2:
        pops(input);
        break;
    case 3:
        pushes(input);
        break;
    case 4:
        flushes();
        break;
    case 5:
        enables_kicks(0);
        break;
    case 6:
        disables_kicks();
        break;
    case 7:
        unpops(input);
        break;
    case 8:
        writes_anything(input);
        break;
    case 9:
        asks_insufficient(input);
        break;
    case 10:
        publishes();
        break;
    case 11:
        enables_kicks(which >> 4);
        break;
    case 12:
        driver_asks(input);
        break;
    case 13: /* seldom: the device finds a fault itself, or the driver begins anew */
        if (which >> 4 == 0) {
            virtqueue_break(&queue, "the device does not like it");
            model.broken = true;
        } else if (which >> 4 < 4) {
            starts(input);
        }
        break;
    default:
        offers(input);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};

    if (ram == NULL) {
        ram = malloc(RAM_SIZE);
        segments = malloc(SEGMENTS * sizeof(*segments));
        copy = malloc(COPY_MAX);
    }
    memset(ram, 0, RAM_SIZE);
    memset(shadow, 0, RAM_SIZE);
    memset(&chain, 0, sizeof(chain));
    if (take(&input, 1) % 4 == 0) { /* the memory holds what the input does, steps included */
        put(0, input.bytes, input.left < RAM_SIZE ? (uint32_t)input.left : RAM_SIZE);
    }
    starts(&input);
    sleeps = false;
    for (unsigned steps = 0; input.left > 0 && steps < STEPS; steps++) {
        step(&input);
    }
    demand(memcmp(ram, shadow, RAM_SIZE) == 0);
    return 0;
}
