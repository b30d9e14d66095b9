/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A virtio disk: its queue, the requests that are with the multiplexer, and its features. How a
 * request of the guest becomes one to the multiplexer is in block_chain.c.
 *
 * Each request in flight has a slot. The disk works on the guest's memory whatever becomes of the
 * device meanwhile. If the guest takes the chain back, by a reset, its slot is stale: it is kept
 * until the reply comes, and until then the device has not quiesced.
 *
 * A driver that has not taken size_max and seg_max, as boot loaders do not, or one that asks for a
 * great deal at once, may ask for more than one request to the multiplexer can name. Then it
 * becomes several, each with a slot, and is answered when all of them are. Chains behind it wait
 * until they are sent.
 */

#include "block.h"

#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <microkit.h>
#include <stddef.h>
#include <string.h>
#include "block/rings.h"
#include "block_chain.h"
#include "block_dma.h"
#include "lib/log.h"
#include "lib/ring.h"

enum { QUEUE, QUEUES };

#define QUEUE_SIZE      256u
#define BUDGET          64u /* work per turn: a chain costs one, and one more for each 32 descriptors */
#define WORK_COST_SHIFT 5
#define DMA_COST        16384u /* and one for each so many bytes whose cache lines are maintained */
#define SLOTS           BLOCK_DEPTH
#define SEGMENT         (1u << 20) /* bytes: size_max of configuration space, if the disk takes it */

/* A guest's request that is with the multiplexer. */
struct slot {
    bool busy;
    bool stale;      /* the guest has taken it back by a reset */
    bool is_part;    /* of the disk's long request, which has head, bytes and status byte */
    bool flushes;    /* the driver has no flush: the monitor sends one before it answers */
    bool must_flush; /* that flush has found no room in the ring yet */
    uint16_t head;
    uint32_t data_bytes; /* bytes that the disk writes into the guest's memory */
    uint8_t *status;     /* the guest's status byte */
};

/* A guest's request that is several to the multiplexer. */
struct long_request {
    bool busy;
    struct block_chain chain; /* with its segments here: */
    struct virtqueue_segment segments[VIRTQUEUE_SIZE_MAX];
    uint32_t in_flight; /* slots */
    uint32_t data_bytes;
    uint8_t status; /* of all that have ended: OK, or the first error */
};

struct disk {
    struct virtio_device device; /* first: the transport hands this back */
    const struct vmm_disk_config *config;
    struct block_backend backend;
    struct ring requests;
    struct ring replies;
    bool known;            /* the backend's `info` has come */
    bool blocked;          /* the guest's queue waits for a slot, or for room in the ring */
    bool reported;         /* a broken ring */
    bool flushes_waiting;  /* some slot must flush */
    uint32_t busy;         /* slots */
    struct block_dma *dma; /* NULL: the board's disk is coherent with the caches */
    struct slot slots[SLOTS];
    struct long_request long_request;
};

static struct disk disks[VMM_MAX_DISKS];
static struct block_dma dmas[VMM_MAX_DISKS];
static const char *const names[] = {"disk0", "disk1", "disk2", "disk3"};
_Static_assert(sizeof(names) / sizeof(names[0]) == VMM_MAX_DISKS, "a name for each");

static struct virtqueue_segment segments[VIRTQUEUE_SIZE_MAX];

/* The request that is being made; large, so not on the stack. */
static struct block_request_copy request;

/* ---- Requests to the multiplexer ---- */

static bool send_flush(struct disk *disk, uint32_t slot)
{
    request.head = (struct block_request){.op = BLOCK_FLUSH};
    return block_send_request(&disk->requests, &request, slot);
}

static void notify_peer(struct disk *disk)
{
    bool data_wanted = ring_take_data_wanted(&disk->requests);

    if (ring_take_space_wanted(&disk->replies) || data_wanted) {
        microkit_notify(disk->config->channel);
    }
    if (!disk->reported && (ring_broken(&disk->requests) || ring_broken(&disk->replies))) {
        disk->reported = true;
        log_printf("%s: its ring is broken: no more requests are answered", disk->device.name);
    }
}

/* ---- Slots ---- */

static void give_back(struct disk *disk, uint16_t head, uint8_t *to, uint8_t status,
                      uint32_t data_bytes)
{
    *(volatile uint8_t *)to = status;
    virtqueue_push(&disk->device.queue[QUEUE], head,
                   status == VIRTIO_BLK_S_OK ? data_bytes + 1 : 0);
}

static uint32_t find_slot(const struct disk *disk)
{
    uint32_t slot = 0;

    while (disk->slots[slot].busy) {
        slot++;
    }
    return slot;
}

static bool changes_disk(uint16_t op)
{
    return op == BLOCK_WRITE || op == BLOCK_DISCARD || op == BLOCK_WRITE_ZEROES;
}

/* Give the disk the request's memory, and send it; false if there is no room for it. */
static bool send_with_memory(struct disk *disk, uint32_t slot)
{
    if (disk->dma == NULL) {
        return block_send_request(&disk->requests, &request, slot);
    }
    if (!block_dma_begin(disk->dma, slot, &request, disk->backend.memory->base,
                         disk->backend.ram_region_size)) {
        return false;
    }
    if (!block_send_request(&disk->requests, &request, slot)) {
        block_dma_end(disk->dma, slot);
        return false;
    }
    return true;
}

/* Send `request` under a free slot, which is to be `slot`; false if there is no room for it. */
static bool send_as(struct disk *disk, struct slot slot)
{
    uint32_t number = find_slot(disk);

    if (!send_with_memory(disk, number)) {
        return false;
    }
    slot.busy = true;
    slot.flushes = changes_disk(request.head.op) &&
                   (disk->backend.info.features & BLOCK_INFO_FLUSH) != 0 &&
                   !virtio_device_has(&disk->device, VIRTIO_BLK_F_FLUSH);
    disk->slots[number] = slot;
    disk->busy++;
    return true;
}

/* What it costs to make and send `request`. */
static uint32_t request_cost(const struct disk *disk)
{
    return disk->dma == NULL ? 0 : request.head.sector_count / (DMA_COST / BLOCK_SECTOR);
}

enum outcome { DONE, BLOCKED, EMPTY, FAILED };

/* ---- Long requests ---- */

/* Its first request has been sent. */
static void begin_long(struct disk *disk, const struct block_chain *chain, uint32_t data_bytes)
{
    struct long_request *of = &disk->long_request;

    of->busy = true;
    of->chain = *chain;
    of->chain.segments = of->segments;
    memcpy(of->segments, chain->segments,
           ((uint32_t)chain->popped.readable + chain->popped.writable) * sizeof(of->segments[0]));
    of->in_flight = 1;
    of->data_bytes = data_bytes;
    of->status = VIRTIO_BLK_S_OK;
}

/* Answer it if all is done. After an error no more is asked for. */
static void end_long(struct disk *disk, uint8_t status)
{
    struct long_request *of = &disk->long_request;

    if (status != VIRTIO_BLK_S_OK) {
        of->chain.bytes_left = 0;
        of->status = of->status == VIRTIO_BLK_S_OK ? status : of->status;
    }
    if (of->chain.bytes_left == 0 && of->in_flight == 0) {
        of->busy = false;
        give_back(disk, of->chain.popped.head, of->chain.status, of->status, of->data_bytes);
    }
}

/* Send its next request. */
static enum outcome continue_long(struct disk *disk, uint32_t *spent)
{
    struct block_chain next = disk->long_request.chain;

    if (disk->busy == SLOTS) {
        return BLOCKED;
    }
    if (!block_chain_next_request(&next, &disk->backend, &request)) {
        end_long(disk, VIRTIO_BLK_S_IOERR);
        return DONE;
    }
    if (!send_as(disk, (struct slot){.is_part = true})) {
        return BLOCKED;
    }
    *spent += 1 + (request.head.segment_count >> WORK_COST_SHIFT) + request_cost(disk);
    disk->long_request.chain = next;
    disk->long_request.in_flight++;
    return DONE;
}

/* ---- The queue ---- */

/*
 * Send the request that has been made of `chain`. False if there is no room for it, or if it is a
 * second long one.
 */
static bool send_chain(struct disk *disk, const struct block_chain *chain)
{
    bool is_long = chain->bytes_left != 0;
    uint32_t data_bytes = request.head.op == BLOCK_READ ? chain->in_bytes : 0;
    struct slot slot = {.is_part = is_long,
                        .head = chain->popped.head,
                        .data_bytes = data_bytes,
                        .status = chain->status};

    if ((is_long && disk->long_request.busy) || !send_as(disk, slot)) {
        return false;
    }
    if (is_long) {
        begin_long(disk, chain, data_bytes);
    }
    return true;
}

/* Serve the next chain. Its cost is added to *spent. */
static enum outcome serve_chain(struct disk *disk, struct virtqueue *queue, uint32_t *spent)
{
    struct block_chain chain = {.segments = segments};
    const char *cause;
    unsigned status;

    if (disk->busy == SLOTS) {
        return BLOCKED;
    }
    switch (virtqueue_pop(queue, segments, VIRTQUEUE_SIZE_MAX, &chain.popped)) {
    case VIRTQUEUE_EMPTY:
        return EMPTY;
    case VIRTQUEUE_BROKEN:
        return FAILED;
    default:
        break;
    }
    *spent += 1 + ((chain.popped.readable + (uint32_t)chain.popped.writable) >> WORK_COST_SHIFT);
    cause = block_chain_find_status(&chain);
    if (cause != NULL) {
        virtqueue_break(queue, cause);
        return FAILED;
    }
    status =
        block_chain_make_request(&chain, &disk->backend, disk->device.driver_features, &request);
    if (status != BLOCK_CHAIN_SEND) {
        give_back(disk, chain.popped.head, chain.status, (uint8_t)status, chain.in_bytes);
    } else if (!send_chain(disk, &chain)) {
        virtqueue_unpop(queue, 1);
        return BLOCKED;
    } else {
        *spent += request_cost(disk);
    }
    return DONE;
}

static uint32_t block_work(struct virtio_device *device, uint32_t pending)
{
    struct disk *disk = (struct disk *)device;
    struct virtqueue *queue = &device->queue[QUEUE];
    enum outcome outcome = DONE;
    bool more = true;

    (void)pending;
    virtqueue_allow_absent(queue);
    virtqueue_disable_kicks(queue);
    for (uint32_t spent = 0; spent < BUDGET && outcome == DONE;) {
        outcome = disk->long_request.busy && disk->long_request.chain.bytes_left != 0
                      ? continue_long(disk, &spent)
                      : serve_chain(disk, queue, &spent);
    }
    disk->blocked = outcome == BLOCKED;
    if (virtqueue_flush(queue)) {
        virtio_device_interrupt(device);
    }
    notify_peer(disk);
    if (outcome == EMPTY) {
        more = virtqueue_enable_kicks(queue);
    } else if (outcome == FAILED) {
        virtio_device_fail(device, virtqueue_error(queue));
    }
    return more && (outcome == DONE || outcome == EMPTY) ? 1u << QUEUE : 0;
}

/* ---- Replies ---- */

static uint8_t status_of(uint32_t status)
{
    return status == BLOCK_OK            ? VIRTIO_BLK_S_OK
           : status == BLOCK_UNSUPPORTED ? VIRTIO_BLK_S_UNSUPP
                                         : VIRTIO_BLK_S_IOERR;
}

static void take_done(struct disk *disk, const struct block_done *done)
{
    struct slot *slot;

    if (done->id >= SLOTS || !disk->slots[done->id].busy || disk->slots[done->id].must_flush) {
        log_limited("%s: an answer to what was not asked: ignored", disk->device.name);
        return;
    }
    slot = &disk->slots[done->id];
    if (disk->dma != NULL) {
        block_dma_end(disk->dma, done->id);
    }
    if (slot->flushes && !slot->stale && done->status == BLOCK_OK) {
        slot->flushes = false;
        slot->must_flush = !send_flush(disk, done->id);
        disk->flushes_waiting |= slot->must_flush;
        return;
    }
    if (slot->is_part && !slot->stale) {
        disk->long_request.in_flight--;
        end_long(disk, status_of(done->status));
    } else if (!slot->stale) {
        give_back(disk, slot->head, slot->status, status_of(done->status), slot->data_bytes);
    }
    slot->busy = false;
    disk->busy--;
}

static uint64_t feature_if(bool condition, unsigned bit)
{
    return condition ? VIRTIO_FEATURE(bit) : 0;
}

static uint64_t offered_features(const struct block_info *info)
{
    uint64_t features =
        VIRTIO_FEATURE(VIRTIO_F_VERSION_1) | VIRTIO_FEATURE(VIRTIO_RING_F_INDIRECT_DESC) |
        VIRTIO_FEATURE(VIRTIO_RING_F_EVENT_IDX) | VIRTIO_FEATURE(VIRTIO_BLK_F_SIZE_MAX) |
        VIRTIO_FEATURE(VIRTIO_BLK_F_SEG_MAX);

    if (info->sectors == 0) {
        return features;
    }
    return features | VIRTIO_FEATURE(VIRTIO_BLK_F_BLK_SIZE) |
           VIRTIO_FEATURE(VIRTIO_BLK_F_TOPOLOGY) |
           feature_if(info->features & BLOCK_INFO_READ_ONLY, VIRTIO_BLK_F_RO) |
           feature_if(info->features & BLOCK_INFO_FLUSH, VIRTIO_BLK_F_FLUSH) |
           feature_if(info->features & BLOCK_INFO_DISCARD, VIRTIO_BLK_F_DISCARD) |
           feature_if(info->features & BLOCK_INFO_WRITE_ZEROES, VIRTIO_BLK_F_WRITE_ZEROES);
}

static void take_info(struct disk *disk, const struct block_info *info)
{
    if (disk->known) {
        log_limited("%s: the disk is described a second time: ignored", disk->device.name);
        return;
    }
    disk->backend.info = *info;
    disk->known = true;
    if (info->sectors == 0 || info->segments_max < 2 || info->segments_max > BLOCK_SEGMENTS_MAX ||
        info->segment_bytes_max < 4096) {
        log_printf("%s: no medium", disk->device.name);
        disk->backend.info = (struct block_info){.segments_max = 2, .segment_bytes_max = 4096};
    }
    /* The guest has not been started, because this device had not quiesced. */
    disk->device.features = offered_features(&disk->backend.info);
    virtio_device_reset(&disk->device);
}

static void take_reply(struct disk *disk, const void *record, uint32_t count)
{
    union block_reply reply;

    if (!block_copy_reply(&reply, record, count)) {
        log_limited("%s: an answer that makes no sense: ignored", disk->device.name);
    } else if (reply.kind == BLOCK_REPLY_DONE) {
        take_done(disk, &reply.done);
    } else {
        take_info(disk, &reply.info);
    }
}

static void take_replies(struct disk *disk)
{
    do {
        const void *record;
        uint32_t count;

        while ((record = ring_peek(&disk->replies, &count)) != NULL) {
            take_reply(disk, record, count);
            ring_release(&disk->replies);
        }
    } while (ring_await_data(&disk->replies));
}

/* Send the flushes for which there was no room before. */
static void send_flushes(struct disk *disk)
{
    bool waiting = false;

    for (uint32_t i = 0; disk->flushes_waiting && i < SLOTS; i++) {
        struct slot *slot = &disk->slots[i];

        slot->must_flush = slot->must_flush && !send_flush(disk, i);
        waiting |= slot->must_flush;
    }
    disk->flushes_waiting = waiting;
}

static void block_notified(struct virtio_device *device)
{
    struct disk *disk = (struct disk *)device;

    take_replies(disk);
    send_flushes(disk);
    if (virtio_device_running(device)) {
        if (virtqueue_flush(&device->queue[QUEUE])) {
            virtio_device_interrupt(device);
        }
        if (disk->blocked) {
            virtio_device_schedule(device, 1u << QUEUE);
        }
    }
    notify_peer(disk);
    virtio_device_show_reset(device);
}

/* ---- The device ---- */

/* Requests stay with the multiplexer until it replies, but are nobody's from now on. */
static void abandon(struct disk *disk)
{
    for (uint32_t i = 0; i < SLOTS; i++) {
        struct slot *slot = &disk->slots[i];

        slot->stale = slot->busy;
        if (slot->must_flush) { /* its request has ended, its flush is not sent: no reply will come
                                 */
            *slot = (struct slot){0};
            disk->busy--;
        }
    }
    disk->long_request.busy = false;
    disk->blocked = false;
}

static void block_stop(struct virtio_device *device)
{
    abandon((struct disk *)device);
}

static void block_queue_stopped(struct virtio_device *device, uint32_t queue)
{
    (void)queue;
    abandon((struct disk *)device);
}

static bool block_quiesced(const struct virtio_device *device)
{
    const struct disk *disk = (const struct disk *)device;

    return disk->known && disk->busy == 0;
}

/*
 * How many segments a guest's request may have. One that lies where two of RAM's regions meet is
 * two to the disk, so as many as there are such places are kept back, up to half of what the disk
 * takes. What has more of them nevertheless, as one who writes the same memory twice may, becomes
 * several requests.
 */
static uint32_t guest_segments(const struct block_backend *backend)
{
    uint64_t meetings = (backend->memory->size - 1) / backend->ram_region_size;
    uint32_t half = backend->info.segments_max / 2;
    uint32_t kept = meetings < half ? (uint32_t)meetings : half;

    return smaller(backend->info.segments_max - kept, QUEUE_SIZE - 2);
}

static void block_reset(struct virtio_device *device)
{
    struct disk *disk = (struct disk *)device;
    const struct block_info *info = &disk->backend.info;
    struct virtio_blk_config space = {
        .capacity = info->sectors,
        .size_max = smaller(SEGMENT, info->segment_bytes_max),
        .seg_max = guest_segments(&disk->backend),
        .blk_size = info->block_size,
        .physical_block_exp = info->physical_exponent,
        .alignment_offset = info->alignment_offset,
        .min_io_size = info->minimum_blocks,
        .opt_io_size = info->optimal_blocks,
        .max_discard_sectors = info->discard_sectors_max,
        .max_discard_seg = 1,
        .discard_sector_alignment = info->discard_alignment,
        .max_write_zeroes_sectors = info->write_zeroes_sectors_max,
        .max_write_zeroes_seg = 1,
        .write_zeroes_may_unmap = (info->features & BLOCK_INFO_UNMAP) != 0,
    };

    virtio_device_set_config(device, 0, &space,
                             offsetof(struct virtio_blk_config, max_secure_erase_sectors));
}

static const struct virtio_device_ops block_ops = {
    .id = VIRTIO_ID_BLOCK,
    .queue_count = QUEUES,
    .queue_size_max = {[QUEUE] = QUEUE_SIZE},
    .stop = block_stop,
    .reset = block_reset,
    .queue_stopped = block_queue_stopped,
    .work = block_work,
    .notified = block_notified,
    .quiesced = block_quiesced,
};

struct virtio_device *virtio_block_init(uint32_t index, const struct vmm_disk_config *config,
                                        const struct guest_memory *memory, uint64_t ram_region_size)
{
    struct disk *disk = &disks[index];

    disk->config = config;
    disk->backend.memory = memory;
    disk->backend.id = config->id;
    disk->backend.ram_region_size = ram_region_size != 0 ? ram_region_size : memory->size;
    ring_init(&disk->requests, config->requests, config->request_ring_size);
    ring_init(&disk->replies, config->replies, config->reply_ring_size);
    disk->backend.info = (struct block_info){.segments_max = 2, .segment_bytes_max = 4096};
    if (config->noncoherent) {
        disk->dma = &dmas[index];
        block_dma_init(disk->dma);
    }
    disk->device.ops = &block_ops;
    disk->device.name = names[index];
    disk->device.features = offered_features(&disk->backend.info);
    virtio_device_init(&disk->device, memory, config->registers, config->gpa, config->intid);
    take_replies(disk); /* this asks for a notification, too */
    return &disk->device;
}
