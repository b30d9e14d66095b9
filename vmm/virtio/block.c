/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A request of the guest's becomes a request to the multiplexer that names the guest's own buffers;
 * the monitor touches only its header and its status byte. Each request in flight has a slot.
 *
 * The disk works on the guest's memory whatever becomes of the device meanwhile. A slot whose
 * chain the guest has taken back, by a reset, is stale: it is kept until the answer comes, and
 * until then the device has not quiesced.
 */

#include "block.h"

#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <microkit.h>
#include <stddef.h>
#include <string.h>
#include "block/rings.h"
#include "lib/log.h"
#include "lib/ring.h"

enum { QUEUE, QUEUES };

#define QUEUE_SIZE      256u
#define BUDGET          64u /* work per turn: a chain costs one, and one more for each 32 descriptors */
#define WORK_COST_SHIFT 5
#define SLOTS           BLOCK_DEPTH
#define SEGMENT         65536u /* bytes of a guest's segment, as it is told */
#define HEADER          ((uint32_t)sizeof(struct virtio_blk_outhdr))

/* A guest's request that is with the multiplexer. */
struct slot {
    bool busy;
    bool stale;      /* nobody waits for it any more */
    bool flushes;    /* the guest knows no flush: one follows before it is answered, */
    bool must_flush; /* and has yet to find room in the ring */
    uint16_t head;
    uint32_t data_bytes; /* that the disk writes into the guest's memory */
    uint8_t *status;     /* the guest's status byte */
};

struct disk {
    struct virtio_device device; /* first: the transport hands this back */
    const struct vmm_disk_config *config;
    const struct guest_memory *memory;
    uint64_t ram_piece;
    struct ring requests;
    struct ring replies;
    struct block_info info;
    bool known;           /* `info` has come */
    bool blocked;         /* the guest's queue waits for a slot, or for room in the ring */
    bool reported;        /* a broken ring */
    bool flushes_waiting; /* some slot must flush */
    uint32_t busy;        /* slots */
    struct slot slots[SLOTS];
};

static struct disk disks[VMM_MAX_DISKS];
static const char *const names[] = {"disk0", "disk1", "disk2", "disk3"};
_Static_assert(sizeof(names) / sizeof(names[0]) == VMM_MAX_DISKS, "a name for each");

static struct virtqueue_segment segments[VIRTQUEUE_SIZE_MAX];

/* The request that is being made. */
static struct block_request_copy request;

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

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

/* ---- Chains ---- */

/* A guest's request as a chain of segments: which bytes of it are what. */
struct chain {
    struct virtqueue_chain popped;
    struct virtio_blk_outhdr header;
    uint8_t *status;
    uint32_t in_bytes;  /* data to fill: all that is writable but the status byte */
    uint32_t out_bytes; /* data to take: all that is readable but the header */
};

/* Copy `count` bytes of the readable segments from `skip` on. False if some are not there. */
static bool copy_out(const struct virtqueue_chain *popped, uint32_t skip, void *to, uint32_t count)
{
    return virtqueue_copy_out(segments, popped->readable, skip, to, count) == count;
}

/* Fill the writable segments; what does not fit is left out. False if some are not there. */
static bool copy_in(const struct virtqueue_chain *popped, const void *from, uint32_t count)
{
    const uint8_t *bytes = from;

    for (uint32_t i = 0; i < popped->writable && count > 0; i++) {
        const struct virtqueue_segment *segment = &segments[popped->readable + i];
        uint32_t part = segment->length < count ? segment->length : count;

        if (segment->data == NULL) {
            return false;
        }
        memcpy(segment->data, bytes, part);
        bytes += part;
        count -= part;
    }
    return true;
}

/* The cause for which the chain cannot even be answered, or NULL. */
static const char *find_status(struct chain *chain)
{
    const struct virtqueue_segment *last;

    if (chain->popped.writable == 0) {
        return "a request without room for its status";
    }
    last = &segments[chain->popped.readable + chain->popped.writable - 1];
    if (last->data == NULL) {
        return "a request's status is to go where there is no memory";
    }
    chain->status = last->data + last->length - 1;
    chain->in_bytes = chain->popped.writable_bytes - 1;
    return NULL;
}

/*
 * Append the memory of `count` bytes to the request's segments, from byte `skip` of the segments
 * from `first` on. Pieces end where RAM's regions meet. False if memory is not there, or if there
 * would be too many.
 */
static bool add_data(const struct disk *disk, uint32_t first, uint32_t skip, uint32_t count)
{
    for (uint32_t i = first; count > 0; i++) {
        uint64_t offset;
        uint32_t length;

        if (skip >= segments[i].length) {
            skip -= segments[i].length;
            continue;
        }
        if (segments[i].data == NULL) {
            return false;
        }
        offset = (uint64_t)(segments[i].data - disk->memory->base) + skip;
        length = segments[i].length - skip < count ? segments[i].length - skip : count;
        skip = 0;
        count -= length;
        while (length > 0) {
            uint64_t in_region = offset % disk->ram_piece;
            uint64_t piece = disk->ram_piece - in_region;

            if (request.head.segment_count == disk->info.segments_max) {
                return false;
            }
            if (piece > length) {
                piece = length;
            }
            if (piece > disk->info.segment_bytes_max) {
                piece = disk->info.segment_bytes_max;
            }
            request.segments[request.head.segment_count++] =
                (struct block_segment){.region = (uint32_t)(offset / disk->ram_piece),
                                       .length = (uint32_t)piece,
                                       .offset = in_region};
            offset += piece;
            length -= (uint32_t)piece;
        }
    }
    return true;
}

/* ---- Kinds of requests (5.2.6) ---- */

/* What becomes of a chain: it is answered at once with a VIRTIO_BLK_S_* status, or sent. */
#define SEND 0x100u

static unsigned make_transfer(const struct disk *disk, const struct chain *chain, bool write)
{
    uint32_t bytes = write ? chain->out_bytes : chain->in_bytes;

    if (bytes == 0 || bytes % BLOCK_SECTOR != 0 || bytes > BLOCK_BYTES_MAX) {
        return VIRTIO_BLK_S_IOERR;
    }
    request.head = (struct block_request){.op = write ? BLOCK_WRITE : BLOCK_READ,
                                          .sector = chain->header.sector,
                                          .sector_count = bytes / BLOCK_SECTOR};
    return add_data(disk, write ? 0 : chain->popped.readable, write ? HEADER : 0, bytes)
               ? SEND
               : VIRTIO_BLK_S_IOERR;
}

static unsigned make_flush(const struct disk *disk)
{
    if (!virtio_device_has(&disk->device, VIRTIO_BLK_F_FLUSH)) {
        return VIRTIO_BLK_S_UNSUPP;
    }
    request.head = (struct block_request){.op = BLOCK_FLUSH};
    return SEND;
}

/* Discard and write zeroes, of one range: that is what the guest was told. */
static unsigned make_range(const struct disk *disk, const struct chain *chain, bool discard)
{
    struct virtio_blk_discard_write_zeroes range;

    if (!virtio_device_has(&disk->device,
                           discard ? VIRTIO_BLK_F_DISCARD : VIRTIO_BLK_F_WRITE_ZEROES)) {
        return VIRTIO_BLK_S_UNSUPP;
    }
    if (chain->out_bytes != sizeof(range) ||
        !copy_out(&chain->popped, HEADER, &range, sizeof(range))) {
        return VIRTIO_BLK_S_IOERR;
    }
    if ((range.flags & ~(discard ? 0u : VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP)) != 0) {
        return VIRTIO_BLK_S_UNSUPP;
    }
    request.head = (struct block_request){
        .op = discard ? BLOCK_DISCARD : BLOCK_WRITE_ZEROES,
        .sector = range.sector,
        .sector_count = range.num_sectors,
        .flags = range.flags != 0 ? BLOCK_REQUEST_UNMAP : 0,
    };
    return SEND;
}

/* The id string: not terminated if it has all its bytes (5.2.6). */
static unsigned answer_id(const struct disk *disk, struct chain *chain)
{
    char id[VIRTIO_BLK_ID_BYTES] = {0};

    chain->in_bytes = smaller(chain->in_bytes, sizeof(id));
    for (unsigned i = 0; i < sizeof(id) && disk->config->id[i] != '\0'; i++) {
        id[i] = disk->config->id[i];
    }
    return copy_in(&chain->popped, id, chain->in_bytes) ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR;
}

static unsigned make_request(const struct disk *disk, struct chain *chain)
{
    if (!copy_out(&chain->popped, 0, &chain->header, HEADER)) {
        return VIRTIO_BLK_S_IOERR;
    }
    chain->out_bytes = chain->popped.readable_bytes - HEADER;
    switch (chain->header.type) {
    case VIRTIO_BLK_T_IN:
        return make_transfer(disk, chain, false);
    case VIRTIO_BLK_T_OUT:
        return make_transfer(disk, chain, true);
    case VIRTIO_BLK_T_FLUSH:
        return make_flush(disk);
    case VIRTIO_BLK_T_DISCARD:
        return make_range(disk, chain, true);
    case VIRTIO_BLK_T_WRITE_ZEROES:
        return make_range(disk, chain, false);
    case VIRTIO_BLK_T_GET_ID:
        return answer_id(disk, chain);
    default:
        return VIRTIO_BLK_S_UNSUPP;
    }
}

/* ---- The queue ---- */

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

/* Send the request that has been made of `chain`; false if the ring has no room for it. */
static bool send_chain(struct disk *disk, const struct chain *chain)
{
    uint32_t slot = find_slot(disk);

    if (!block_send_request(&disk->requests, &request, slot)) {
        return false;
    }
    disk->busy++;
    disk->slots[slot] = (struct slot){
        .busy = true,
        .head = chain->popped.head,
        .data_bytes = request.head.op == BLOCK_READ ? chain->in_bytes : 0,
        .status = chain->status,
        .flushes = changes_disk(request.head.op) && (disk->info.features & BLOCK_INFO_FLUSH) != 0 &&
                   !virtio_device_has(&disk->device, VIRTIO_BLK_F_FLUSH),
    };
    return true;
}

enum outcome { DONE, BLOCKED, EMPTY, FAILED };

/* *spent becomes more by what it has cost. */
static enum outcome serve_chain(struct disk *disk, struct virtqueue *queue, uint32_t *spent)
{
    struct chain chain = {0};
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
    cause = find_status(&chain);
    if (cause != NULL) {
        virtqueue_break(queue, cause);
        return FAILED;
    }
    status = make_request(disk, &chain);
    if (status != SEND) {
        give_back(disk, chain.popped.head, chain.status, (uint8_t)status, chain.in_bytes);
    } else if (!send_chain(disk, &chain)) {
        virtqueue_unpop(queue, 1);
        return BLOCKED;
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
        outcome = serve_chain(disk, queue, &spent);
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

/* ---- Answers ---- */

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
    if (slot->flushes && !slot->stale && done->status == BLOCK_OK) {
        slot->flushes = false;
        slot->must_flush = !send_flush(disk, done->id);
        disk->flushes_waiting |= slot->must_flush;
        return;
    }
    if (!slot->stale) {
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
    disk->info = *info;
    disk->known = true;
    if (info->sectors == 0 || info->segments_max < 2 || info->segments_max > BLOCK_SEGMENTS_MAX ||
        info->segment_bytes_max < 4096) {
        log_printf("%s: no medium", disk->device.name);
        disk->info = (struct block_info){.segments_max = 2, .segment_bytes_max = 4096};
    }
    /* The guest has not been started, because this device had not quiesced. */
    disk->device.features = offered_features(&disk->info);
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

/* Flushes that had no room before. */
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

/* What is with the multiplexer stays there, but for nobody. */
static void abandon(struct disk *disk)
{
    for (uint32_t i = 0; i < SLOTS; i++) {
        struct slot *slot = &disk->slots[i];

        slot->stale = slot->busy;
        if (slot->must_flush) { /* it is only here, so that no answer will come */
            *slot = (struct slot){0};
            disk->busy--;
        }
    }
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
 * Half of the segments that the disk takes are the guest's: each of them may lie where two of
 * RAM's regions meet, and is then two.
 */
static void block_reset(struct virtio_device *device)
{
    struct disk *disk = (struct disk *)device;
    const struct block_info *info = &disk->info;
    struct virtio_blk_config space = {
        .capacity = info->sectors,
        .size_max = smaller(SEGMENT, info->segment_bytes_max),
        .seg_max = smaller(info->segments_max / 2, QUEUE_SIZE - 2),
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
                                        const struct guest_memory *memory, uint64_t ram_piece)
{
    struct disk *disk = &disks[index];

    disk->config = config;
    disk->memory = memory;
    disk->ram_piece = ram_piece != 0 ? ram_piece : memory->size;
    ring_init(&disk->requests, config->requests, config->request_ring_size);
    ring_init(&disk->replies, config->replies, config->reply_ring_size);
    disk->info = (struct block_info){.segments_max = 2, .segment_bytes_max = 4096};
    disk->device.ops = &block_ops;
    disk->device.name = names[index];
    disk->device.features = offered_features(&disk->info);
    virtio_device_init(&disk->device, memory, config->registers, config->gpa, config->intid);
    take_replies(disk); /* or else the multiplexer would not know that it has to notify */
    return &disk->device;
}
