/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One virtio-blk device (virtio 1.2, 5.2) with one queue. It is given up when it breaks the
 * protocol or sets DEVICE_NEEDS_RESET.
 */

#include <linux/virtio_blk.h>
#include <linux/virtio_mmio.h>
#include <stddef.h>
#include <string.h>
#include "chip.h"
#include "lib/virtio_bus.h"

#define SLOTS       64u
#define QUEUE       0u
#define AROUND_DATA 2u /* segments of a request besides its data: header and status */

/* Without indirect descriptors requests share the queue's, so there should be many. */
#define QUEUE_SIZE_INDIRECT SLOTS
#define QUEUE_SIZE_DIRECT   VRING_DRIVER_SIZE_MAX

#define STATUS_UNWRITTEN 0xffu

#define FEATURE(bit) (1ULL << (bit))
#define REQUIRED     FEATURE(VIRTIO_F_VERSION_1)
#define WANTED                                                                                     \
    (REQUIRED | FEATURE(VIRTIO_F_ACCESS_PLATFORM) | FEATURE(VIRTIO_F_ORDER_PLATFORM) |             \
     FEATURE(VIRTIO_RING_F_INDIRECT_DESC) | FEATURE(VIRTIO_RING_F_EVENT_IDX) |                     \
     FEATURE(VIRTIO_BLK_F_SIZE_MAX) | FEATURE(VIRTIO_BLK_F_SEG_MAX) | FEATURE(VIRTIO_BLK_F_RO) |   \
     FEATURE(VIRTIO_BLK_F_BLK_SIZE) | FEATURE(VIRTIO_BLK_F_FLUSH) |                                \
     FEATURE(VIRTIO_BLK_F_TOPOLOGY) | FEATURE(VIRTIO_BLK_F_DISCARD) |                              \
     FEATURE(VIRTIO_BLK_F_WRITE_ZEROES))

/* The part of a request that lies in memory shared with the device: one cache line. */
struct shared_slot {
    struct virtio_blk_outhdr header;
    struct virtio_blk_discard_write_zeroes range;
    uint8_t status;
    uint8_t pad[31];
};

_Static_assert(sizeof(struct shared_slot) == 64, "a slot is a cache line");

static struct {
    uintptr_t registers;
    uint64_t features;
    struct vring_driver queue;
    struct shared_slot *shared; /* one for each slot */
    uint64_t shared_paddr;
    const char *error;
    uint32_t ids[SLOTS];
    bool busy[SLOTS];
    uint16_t free[SLOTS]; /* a stack */
    uint32_t free_count;
    uint32_t in_flight;
    bool stopped; /* for good: what is busy has failed */
} disk;

static bool has(unsigned feature)
{
    return (disk.features >> feature & 1u) != 0;
}

/* ---- Configuration space (5.2.4) ---- */

#define CONFIG8(field) virtio_bus_config8(disk.registers, offsetof(struct virtio_blk_config, field))
#define CONFIG16(field)                                                                            \
    virtio_bus_config16(disk.registers, offsetof(struct virtio_blk_config, field))
#define CONFIG32(field)                                                                            \
    virtio_bus_config32(disk.registers, offsetof(struct virtio_blk_config, field))
#define CONFIG64(field)                                                                            \
    virtio_bus_config64(disk.registers, offsetof(struct virtio_blk_config, field))

static void read_topology(struct block_info *info)
{
    uint32_t exponent = CONFIG8(physical_block_exp);

    if (exponent > 16) { /* nonsense; the rest is then hardly better */
        return;
    }
    info->physical_exponent = (uint8_t)exponent;
    info->alignment_offset = CONFIG8(alignment_offset);
    info->minimum_blocks = CONFIG16(min_io_size);
    info->optimal_blocks = CONFIG32(opt_io_size);
}

static void read_optional_operations(struct block_info *info)
{
    if (has(VIRTIO_BLK_F_DISCARD)) {
        info->discard_sectors_max = CONFIG32(max_discard_sectors);
        info->discard_alignment = CONFIG32(discard_sector_alignment);
    }
    if (info->discard_sectors_max != 0) {
        info->features |= BLOCK_INFO_DISCARD;
    }
    if (has(VIRTIO_BLK_F_WRITE_ZEROES)) {
        info->write_zeroes_sectors_max = CONFIG32(max_write_zeroes_sectors);
    }
    if (info->write_zeroes_sectors_max != 0) {
        info->features |= BLOCK_INFO_WRITE_ZEROES;
        info->features |= CONFIG8(write_zeroes_may_unmap) != 0 ? BLOCK_INFO_UNMAP : 0;
    }
}

static void read_info(void *to)
{
    struct block_info *info = to;

    memset(info, 0, sizeof(*info));
    info->kind = BLOCK_REPLY_INFO;
    info->sectors = CONFIG64(capacity);
    info->block_size = has(VIRTIO_BLK_F_BLK_SIZE) ? CONFIG32(blk_size) : BLOCK_SECTOR;
    info->segments_max = has(VIRTIO_BLK_F_SEG_MAX) ? CONFIG32(seg_max) : BLOCK_SEGMENTS_MAX;
    info->segment_bytes_max = has(VIRTIO_BLK_F_SIZE_MAX) ? CONFIG32(size_max) : BLOCK_BYTES_MAX;
    if (has(VIRTIO_BLK_F_RO)) {
        info->features |= BLOCK_INFO_READ_ONLY;
    }
    if (has(VIRTIO_BLK_F_FLUSH)) {
        info->features |= BLOCK_INFO_FLUSH;
    }
    if (has(VIRTIO_BLK_F_TOPOLOGY)) {
        read_topology(info);
    }
    read_optional_operations(info);
}

/* Check that block/protocol.h can describe the disk, and clamp its limits. NULL, or the cause. */
static const char *check_info(struct block_info *info)
{
    uint32_t segments_max = vring_driver_segments_max(&disk.queue) - AROUND_DATA;

    if (info->block_size < BLOCK_SECTOR || info->block_size > 4096 ||
        (info->block_size & (info->block_size - 1)) != 0) {
        return "its block size is not 512, 1024, 2048 or 4096";
    }
    if (info->segments_max > BLOCK_SEGMENTS_MAX) {
        info->segments_max = BLOCK_SEGMENTS_MAX;
    }
    if (info->segments_max > segments_max) {
        info->segments_max = segments_max;
    }
    if (info->segments_max < 2 || info->segment_bytes_max < 4096) {
        return "its requests are too small: less than 2 segments of 4096 bytes";
    }
    if (info->sectors > UINT64_MAX / BLOCK_SECTOR) {
        return "its size is impossible";
    }
    info->sectors -= info->sectors % (info->block_size / BLOCK_SECTOR);
    return NULL;
}

/* ---- Start ---- */

/* The queue lies at the start of the shared region, the slots behind it. */
static const char *start_queue(void *dma, uint64_t dma_paddr, uint64_t dma_size)
{
    bool indirect = has(VIRTIO_RING_F_INDIRECT_DESC);
    uint16_t indirect_max = indirect ? BLOCK_SEGMENTS_MAX + AROUND_DATA : 0;
    uint16_t size_max = indirect ? QUEUE_SIZE_INDIRECT : QUEUE_SIZE_DIRECT;
    uint64_t slots_bytes = SLOTS * sizeof(*disk.shared);
    uint64_t room = dma_size > slots_bytes ? (dma_size - slots_bytes) & ~63ULL : 0;
    const char *cause = virtio_bus_open_queue(disk.registers, QUEUE, &disk.queue, size_max,
                                              indirect_max, disk.features, dma, dma_paddr, room);
    uint64_t queue_bytes = (vring_driver_bytes(disk.queue.size, indirect_max) + 63u) & ~63ULL;

    disk.shared = (struct shared_slot *)(void *)((uint8_t *)dma + queue_bytes);
    disk.shared_paddr = dma_paddr + queue_bytes;
    return cause;
}

const char *chip_start(uintptr_t registers, bool has_protect_switch, void *dma, uint64_t dma_paddr,
                       uint64_t dma_size, struct block_info *info)
{
    (void)has_protect_switch; /* the device itself says whether it may be written */
    memset(&disk, 0, sizeof(disk));
    disk.registers = registers;
    disk.error = virtio_bus_negotiate(registers, VIRTIO_ID_BLOCK, WANTED, REQUIRED, &disk.features);
    if (disk.error != NULL) {
        return disk.error;
    }
    disk.error = start_queue(dma, dma_paddr, dma_size);
    if (disk.error == NULL) {
        disk.error = virtio_bus_read_config(registers, read_info, info);
    }
    if (disk.error == NULL) {
        disk.error = check_info(info);
    }
    if (disk.error != NULL) {
        virtio_bus_reset(registers);
        return disk.error;
    }
    for (uint16_t i = 0; i < SLOTS; i++) {
        disk.free[i] = (uint16_t)(SLOTS - 1 - i);
    }
    disk.free_count = SLOTS;
    virtio_bus_start(registers);
    return NULL;
}

/* ---- Requests (5.2.6) ---- */

static uint32_t type_of(uint16_t op)
{
    switch (op) {
    case BLOCK_READ:
        return VIRTIO_BLK_T_IN;
    case BLOCK_WRITE:
        return VIRTIO_BLK_T_OUT;
    case BLOCK_FLUSH:
        return VIRTIO_BLK_T_FLUSH;
    case BLOCK_DISCARD:
        return VIRTIO_BLK_T_DISCARD;
    default:
        return VIRTIO_BLK_T_WRITE_ZEROES;
    }
}

/* Write the parts of a request that the device reads from the slot. True: the range is one. */
static bool fill_slot(struct shared_slot *slot, const struct block_request *request)
{
    bool range = request->op == BLOCK_DISCARD || request->op == BLOCK_WRITE_ZEROES;
    bool unmap = request->op == BLOCK_WRITE_ZEROES && (request->flags & BLOCK_REQUEST_UNMAP) != 0;
    bool data = request->op == BLOCK_READ || request->op == BLOCK_WRITE;

    slot->header = (struct virtio_blk_outhdr){.type = type_of(request->op),
                                              .sector = data ? request->sector : 0};
    if (range) {
        slot->range = (struct virtio_blk_discard_write_zeroes){
            .sector = request->sector,
            .num_sectors = request->sector_count,
            .flags = unmap ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0};
    }
    slot->status = STATUS_UNWRITTEN;
    return range;
}

bool chip_reaches(const struct chip_segment *segment)
{
    (void)segment;
    return true;
}

bool chip_submit(const struct block_request *request, const struct chip_segment *data)
{
    static struct vring_driver_segment segments[BLOCK_SEGMENTS_MAX + AROUND_DATA];
    uint16_t count = 0;
    uint16_t writable = 1;
    uint64_t paddr;
    uint16_t slot;

    if (disk.free_count == 0 || disk.error != NULL) {
        return false;
    }
    slot = disk.free[disk.free_count - 1];
    paddr = disk.shared_paddr + slot * sizeof(*disk.shared);
    segments[count++] = (struct vring_driver_segment){paddr + offsetof(struct shared_slot, header),
                                                      sizeof(struct virtio_blk_outhdr)};
    if (fill_slot(&disk.shared[slot], request)) {
        segments[count++] =
            (struct vring_driver_segment){paddr + offsetof(struct shared_slot, range),
                                          sizeof(struct virtio_blk_discard_write_zeroes)};
    }
    for (uint16_t i = 0; i < request->segment_count; i++) {
        segments[count++] = (struct vring_driver_segment){data[i].paddr, data[i].length};
    }
    segments[count++] =
        (struct vring_driver_segment){paddr + offsetof(struct shared_slot, status), 1};
    if (request->op == BLOCK_READ) {
        writable += request->segment_count;
    }
    if (!vring_driver_add(&disk.queue, segments, count - writable, writable, slot)) {
        return false;
    }
    disk.free_count--;
    disk.in_flight++;
    disk.ids[slot] = request->id;
    disk.busy[slot] = true;
    return true;
}

void chip_kick(void)
{
    if (disk.error == NULL && vring_driver_publish(&disk.queue)) {
        virtio_bus_notify(disk.registers, QUEUE);
    }
}

static void release(uint16_t slot, uint32_t *id)
{
    *id = disk.ids[slot];
    disk.busy[slot] = false;
    disk.in_flight--;
    disk.free[disk.free_count++] = slot;
}

/* After the device has been stopped: what was in flight has failed. */
static bool take_failed(uint32_t *id, uint32_t *status)
{
    for (uint16_t slot = 0; slot < SLOTS; slot++) {
        if (disk.busy[slot]) {
            release(slot, id);
            *status = BLOCK_IO_ERROR;
            return true;
        }
    }
    return false;
}

bool chip_take(uint32_t *id, uint32_t *status)
{
    uint32_t written;
    uint16_t slot;
    uint8_t said;

    if (disk.stopped) {
        return take_failed(id, status);
    }
    if (disk.error != NULL) {
        return false;
    }
    switch (vring_driver_take(&disk.queue, &slot, &written)) {
    case VRING_DRIVER_EMPTY:
        return false;
    case VRING_DRIVER_BROKEN:
        disk.error = disk.queue.error;
        return false;
    default:
        break;
    }
    said = *(volatile uint8_t *)&disk.shared[slot].status;
    *status = said == VIRTIO_BLK_S_OK       ? BLOCK_OK
              : said == VIRTIO_BLK_S_UNSUPP ? BLOCK_UNSUPPORTED
                                            : BLOCK_IO_ERROR;
    release(slot, id);
    return true;
}

void chip_interrupted(void)
{
    uint32_t interrupts;

    if (disk.error != NULL) {
        return;
    }
    interrupts = virtio_bus_take_interrupts(disk.registers);
    if ((interrupts & VIRTIO_MMIO_INT_CONFIG) != 0 && virtio_bus_needs_reset(disk.registers)) {
        disk.error = "the device says that it is broken";
    }
}

bool chip_await(void)
{
    return disk.error == NULL && vring_driver_enable_interrupts(&disk.queue);
}

uint32_t chip_in_flight(void)
{
    return disk.in_flight;
}

void chip_fail(const char *cause)
{
    disk.error = cause;
}

const char *chip_error(void)
{
    return disk.error;
}

bool chip_stop(void)
{
    disk.stopped = virtio_bus_reset(disk.registers);
    return disk.stopped;
}
