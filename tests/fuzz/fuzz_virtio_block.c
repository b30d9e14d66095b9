/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: vmm/virtio/block_chain.c vmm/virtio/block_dma.c lib/virtqueue.c lib/ring.c
 * SOURCES: tests/fuzz/silence.c
 *
 * A guest that writes into its disk's registers and its own memory as it likes, and a multiplexer
 * that answers, late or what was not asked, or writes anything into the rings. Nothing may be
 * touched but the register page, the rings and the guest's memory, every call must end, and the
 * registers are as virtio says (virtio_guest.h). As long as the multiplexer keeps to its protocol,
 * so does the device: each request lies in the guest's memory, and no id is used twice at a time.
 * What the guest takes back, by a reset, does not change when its answer comes.
 */

#include "lib/dma.h"
#include "lib/ring.h"
#include "virtio_guest.h"
#include "vmm/virtio/block.c"

#define SECTORS 64u

static uint8_t to_disk[RING_HEADER_SIZE + BLOCK_REQUEST_RING] __attribute__((aligned(4096)));
static uint8_t from_disk[RING_HEADER_SIZE + BLOCK_REPLY_RING] __attribute__((aligned(4096)));
static struct ring requests, replies; /* the multiplexer's ends */
static bool honest;
static uint32_t asked[BLOCK_DEPTH]; /* ids that wait for answers */
static uint32_t count_asked;

/* For a disk that works past the caches. */
void dma_clean(const void *start, size_t size)
{
    const uint8_t *from = start;

    demand(from >= ram && from + size <= ram + RAM_SIZE);
}

void dma_invalidate(void *start, size_t size)
{
    dma_clean(start, size);
}

static void check_request(const struct block_request_copy *copy)
{
    uint64_t bytes = 0;

    demand(copy->head.op <= BLOCK_WRITE_ZEROES && copy->head.id < BLOCK_DEPTH);
    demand(copy->head.segment_count <= disks[0].backend.info.segments_max);
    for (uint32_t i = 0; i < copy->head.segment_count; i++) {
        const struct block_segment *segment = &copy->segments[i];

        demand(segment->region < 2 && segment->length > 0 && segment->length <= 4096 &&
               segment->offset <= RAM_SIZE / 2 &&
               segment->length <= RAM_SIZE / 2 - segment->offset);
        bytes += segment->length;
    }
    demand(copy->head.op > BLOCK_WRITE || bytes == (uint64_t)copy->head.sector_count * 512);
    demand(copy->head.op <= BLOCK_WRITE || copy->head.segment_count == 0);
    for (uint32_t i = 0; i < count_asked; i++) {
        demand(asked[i] != copy->head.id);
    }
}

static void take_requests(void)
{
    static struct block_request_copy copy;
    const void *record;
    uint32_t count;

    while (honest && count_asked < BLOCK_DEPTH && (record = ring_peek(&requests, &count)) != NULL) {
        demand(block_copy_request(&copy, record, count));
        check_request(&copy);
        asked[count_asked++] = copy.head.id;
        ring_release(&requests);
    }
}

static void answer(struct input *input)
{
    static uint8_t before[RAM_SIZE];
    uint32_t index, status = (uint32_t)take(input, 1) % 3;
    bool started = has_started(reads_as(VIRTIO_MMIO_STATUS));

    take_requests();
    if (honest && count_asked > 0) {
        index = (uint32_t)take(input, 1) % count_asked;
        block_send_done(&replies, asked[index], status);
        asked[index] = asked[--count_asked];
    }
    memcpy(before, ram, sizeof(before));
    disks[0].device.ops->notified(&disks[0].device);
    demand(started || memcmp(before, ram, sizeof(before)) == 0);
    virtio_devices_run();
    take_requests();
}

/* A request whose head and status byte are in proper form. */
static void ask(struct input *input)
{
    static const uint8_t types[] = {
        VIRTIO_BLK_T_IN,      VIRTIO_BLK_T_OUT,          VIRTIO_BLK_T_FLUSH, VIRTIO_BLK_T_GET_ID,
        VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES, VIRTIO_BLK_T_IN,    99};
    struct vring_desc *descs = (struct vring_desc *)(void *)(ram + QUEUE_AT(QUEUE));
    struct vring_avail *avail = (struct vring_avail *)(void *)(ram + AVAIL_AT(QUEUE));
    struct virtio_blk_outhdr *head = (struct virtio_blk_outhdr *)(void *)(ram + 2048);
    uint32_t type = types[take(input, 1) % 8];
    uint16_t flags =
        type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID ? VRING_DESC_F_WRITE : 0;
    uint16_t first = (uint16_t)(take(input, 1) % 12);

    *head = (struct virtio_blk_outhdr){.type = type, .sector = take(input, 1) % (SECTORS + 2)};
    descs[first] = (struct vring_desc){RAM_GPA + 2048, sizeof(*head), VRING_DESC_F_NEXT, first + 1};
    descs[first + 1] = (struct vring_desc){RAM_GPA + 4096 + take(input, 1) * 32,
                                           (uint32_t)take(input, 1) % 21 * 512,
                                           flags | VRING_DESC_F_NEXT, first + 2};
    descs[first + 2] = (struct vring_desc){RAM_GPA + 3000 + first, 1, VRING_DESC_F_WRITE, 0};
    avail->ring[avail->idx % 16] = first;
    avail->idx++;
    guest_writes(&disks[0].device, VIRTIO_MMIO_QUEUE_NOTIFY, 0, 4);
}

static void step(struct input *input)
{
    struct virtio_device *device = &disks[0].device;

    switch (take(input, 1) % 10) {
    case 0:
        guest_scribbles(device, input);
        break;
    case 1:
        bring_up(device, input);
        break;
    case 2:
        scribble(input, ram, RAM_SIZE);
        break;
    case 3:
    case 4:
        ask(input);
        break;
    case 5:
        guest_writes(device, VIRTIO_MMIO_QUEUE_NOTIFY, 0, 4);
        break;
    case 6:
        answer(input);
        break;
    case 7:
        guest_writes(device, VIRTIO_MMIO_STATUS, 0, 4);
        break;
    case 8:
        offer(device, QUEUE, input);
        break;
    default: /* from now on it does not keep to the protocol */
        if (take(input, 1) % 16 == 0) {
            honest = false;
            scribble(input, take(input, 1) % 2 ? to_disk : from_disk, RING_HEADER_SIZE + 1024);
        }
    }
    take_requests();
    check_registers(device);
    /* A reset is over when the disk has let go of the guest's memory. */
    demand(reads_as(VIRTIO_MMIO_STATUS) != 0 || !honest || count_asked == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct guest_memory memory = {ram, RAM_GPA, RAM_SIZE};
    struct input input = {data, size};
    uint8_t kind = (uint8_t)take(&input, 1);
    const struct vmm_disk_config config = {.channel = 1,
                                           .id = "disk",
                                           .requests = to_disk,
                                           .replies = from_disk,
                                           .request_ring_size = BLOCK_REQUEST_RING,
                                           .reply_ring_size = BLOCK_REPLY_RING,
                                           .registers = page,
                                           .gpa = 0x0a000000,
                                           .intid = 48,
                                           .noncoherent = (kind & 1) != 0};
    const struct block_info info = {.kind = BLOCK_REPLY_INFO,
                                    .features = kind >> 1 & 0x1f,
                                    .sectors = SECTORS,
                                    .block_size = kind & 0x40 ? 512 : 1024,
                                    .segments_max = kind & 0x80 ? 2 : 8,
                                    .segment_bytes_max = 4096,
                                    .discard_sectors_max = 16,
                                    .discard_alignment = 1,
                                    .write_zeroes_sectors_max = 16};

    new_guest();
    memset(disks, 0, sizeof(disks));
    memset(dmas, 0, sizeof(dmas));
    memset(to_disk, 0, RING_HEADER_SIZE);
    memset(from_disk, 0, RING_HEADER_SIZE);
    ring_init(&requests, to_disk, BLOCK_REQUEST_RING);
    ring_init(&replies, from_disk, BLOCK_REPLY_RING);
    honest = true;
    count_asked = 0;
    virtio_block_init(0, &config, &memory, RAM_SIZE / 2);
    block_send_info(&replies, &info);
    disks[0].device.ops->notified(&disks[0].device);
    /* A kick may keep the device at work for as long as the rings go round: an input is short. */
    for (unsigned steps = 0; input.left > 0 && steps < 256; steps++) {
        step(&input);
    }
    return 0;
}
