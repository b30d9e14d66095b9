/* SPDX-License-Identifier: BSD-2-Clause */

#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_net.h>
#include <stddef.h>
#include <string.h>
#include "chip.h"
#include "lib/net_port.h"
#include "lib/virtio_bus.h"
#include "lib/vring_driver.h"

enum { RX, TX, QUEUES };

#define HEADER ((uint32_t)sizeof(struct virtio_net_hdr_v1))

_Static_assert(CHIP_RECORD_MAX == sizeof(struct virtio_net_hdr_v1) + NET_GSO_FRAME_MAX,
               "the largest record");

/*
 * The parts of the DMA region: the queues, receive buffers, and transmit buffers: many that hold a
 * frame and a few that hold a large segment. If the device merges receive buffers they are pages;
 * if it does not, each must hold the largest record.
 */
#define QUEUE_SIZE   VRING_DRIVER_SIZE_MAX
#define QUEUE_ROOM   (16u << 10)
#define RX_ROOM      (2u << 20)
#define RX_MERGEABLE 4096u
#define SMALL        2048u
#define LARGE        (68u << 10)
#define TX_SMALL     128u
#define TX_LARGE     24u
#define TX_BUFFERS   (TX_SMALL + TX_LARGE)
#define DMA_NEEDED   (QUEUES * QUEUE_ROOM + RX_ROOM + TX_SMALL * SMALL + TX_LARGE * LARGE)

_Static_assert(LARGE >= CHIP_RECORD_MAX, "a large segment");
_Static_assert(SMALL >= sizeof(struct virtio_net_hdr_v1) + NET_FRAME_MAX(NET_MTU), "a frame");
_Static_assert(TX_BUFFERS <= QUEUE_SIZE, "the queue has room whenever a buffer is free");

/* Records in a row that are longer than any, after which the card is given up. */
#define TOO_LONG_MAX (2u * QUEUE_SIZE)

/* The most buffers that one record takes. */
#define PIECES_MAX ((CHIP_RECORD_MAX + RX_MERGEABLE - 1) / RX_MERGEABLE)

#define FEATURE(bit) (1ULL << (bit))
#define REQUIRED     FEATURE(VIRTIO_F_VERSION_1)
#define WANTED                                                                                     \
    (REQUIRED | FEATURE(VIRTIO_F_ACCESS_PLATFORM) | FEATURE(VIRTIO_F_ORDER_PLATFORM) |             \
     FEATURE(VIRTIO_RING_F_EVENT_IDX) | FEATURE(VIRTIO_NET_F_MAC) | FEATURE(VIRTIO_NET_F_STATUS) | \
     FEATURE(VIRTIO_NET_F_MTU) | FEATURE(VIRTIO_NET_F_MRG_RXBUF) | FEATURE(VIRTIO_NET_F_CSUM) |    \
     FEATURE(VIRTIO_NET_F_HOST_TSO4) | FEATURE(VIRTIO_NET_F_HOST_TSO6) |                           \
     FEATURE(VIRTIO_NET_F_HOST_ECN) | FEATURE(VIRTIO_NET_F_GUEST_CSUM) |                           \
     FEATURE(VIRTIO_NET_F_GUEST_TSO4) | FEATURE(VIRTIO_NET_F_GUEST_TSO6) |                         \
     FEATURE(VIRTIO_NET_F_GUEST_ECN))

struct piece {
    uint16_t buffer;
    uint32_t bytes;
};

static struct {
    uintptr_t registers;
    uint64_t features;
    struct vring_driver queue[QUEUES];
    const char *error;
    bool link;

    uint8_t *rx; /* buffers of rx_size bytes */
    uint64_t rx_paddr;
    uint32_t rx_size;
    struct piece pieces[PIECES_MAX]; /* of the oldest record, as far as received */
    uint32_t piece_count;
    uint32_t piece_total; /* how many pieces the record has; 0: no record has begun */
    uint32_t record;      /* bytes in the pieces received so far */
    uint32_t too_long;    /* records in a row */

    uint8_t *tx; /* TX_SMALL buffers, then TX_LARGE */
    uint64_t tx_paddr;
    uint16_t small[TX_SMALL]; /* stacks of free buffers */
    uint16_t large[TX_LARGE];
    uint32_t small_count;
    uint32_t large_count;
    uint16_t reserved; /* by chip_send_buffer */
} card;

static bool has(unsigned feature)
{
    return (card.features >> feature & 1u) != 0;
}

void chip_fail(const char *cause)
{
    if (card.error == NULL) {
        card.error = cause;
    }
}

/* ---- Configuration space (5.1.4) ---- */

#define CONFIG16(field)                                                                            \
    virtio_bus_config16(card.registers, offsetof(struct virtio_net_config, field))

static void read_link(void)
{
    card.link = !has(VIRTIO_NET_F_STATUS) || (CONFIG16(status) & VIRTIO_NET_S_LINK_UP) != 0;
}

static void read_info(void *to)
{
    struct chip_info *info = to;

    memset(info, 0, sizeof(*info));
    if (has(VIRTIO_NET_F_MAC)) {
        for (uint32_t i = 0; i < sizeof(info->mac); i++) {
            info->mac[i] = virtio_bus_config8(card.registers, i);
        }
    }
    if (has(VIRTIO_NET_F_MTU)) {
        info->mtu = CONFIG16(mtu);
    }
    read_link();
}

/* ---- Start ---- */

static void post_receive_buffer(uint16_t buffer)
{
    struct vring_driver_segment segment = {card.rx_paddr + (uint64_t)buffer * card.rx_size,
                                           card.rx_size};

    vring_driver_add(&card.queue[RX], &segment, 0, 1, buffer);
}

static uint32_t rx_buffer_size(void)
{
    if (has(VIRTIO_NET_F_MRG_RXBUF)) {
        return RX_MERGEABLE;
    }
    return has(VIRTIO_NET_F_GUEST_TSO4) || has(VIRTIO_NET_F_GUEST_TSO6) ? LARGE : SMALL;
}

static const char *start_queues(uint8_t *dma, uint64_t paddr)
{
    for (uint32_t i = 0; i < QUEUES; i++) {
        const char *cause = virtio_bus_open_queue(card.registers, i, &card.queue[i], QUEUE_SIZE, 0,
                                                  card.features, dma, paddr, QUEUE_ROOM);

        if (cause != NULL) {
            return cause;
        }
        dma += QUEUE_ROOM;
        paddr += QUEUE_ROOM;
    }
    vring_driver_disable_interrupts(&card.queue[TX]);
    card.rx = dma;
    card.rx_paddr = paddr;
    card.rx_size = rx_buffer_size();
    card.tx = dma + RX_ROOM;
    card.tx_paddr = paddr + RX_ROOM;
    for (uint32_t i = 0; i < card.queue[RX].size && i < RX_ROOM / card.rx_size; i++) {
        post_receive_buffer((uint16_t)i);
    }
    for (uint32_t i = 0; i < TX_SMALL; i++) {
        card.small[card.small_count++] = (uint16_t)i;
    }
    for (uint32_t i = 0; i < TX_LARGE; i++) {
        card.large[card.large_count++] = (uint16_t)(TX_SMALL + i);
    }
    return NULL;
}

const char *chip_start(uintptr_t registers, const struct chip_memory *buffers,
                       const struct chip_memory *rings, struct chip_info *info)
{
    (void)rings;
    memset(&card, 0, sizeof(card));
    card.registers = registers;
    if (buffers->size < DMA_NEEDED) {
        return card.error = "the region shared with it is too small";
    }
    card.error = virtio_bus_negotiate(registers, VIRTIO_ID_NET, WANTED, REQUIRED, &card.features);
    if (card.error != NULL) {
        return card.error;
    }
    card.error = start_queues(buffers->start, buffers->paddr);
    if (card.error == NULL) {
        card.error = virtio_bus_read_config(registers, read_info, info);
    }
    if (card.error != NULL) {
        virtio_bus_reset(registers);
        return card.error;
    }
    virtio_bus_start(registers);
    chip_kick();
    return NULL;
}

uint32_t chip_accepts(void)
{
    static const struct {
        unsigned feature;
        uint32_t accepts;
    } meaning[] = {
        {VIRTIO_NET_F_CSUM, NET_PORT_CSUM},
        {VIRTIO_NET_F_HOST_TSO4, NET_PORT_TSO4},
        {VIRTIO_NET_F_HOST_TSO6, NET_PORT_TSO6},
        {VIRTIO_NET_F_HOST_ECN, NET_PORT_ECN},
    };
    uint32_t accepts = NET_PORT_UP;

    if (card.error != NULL || !card.link) {
        return 0;
    }
    for (size_t i = 0; i < sizeof(meaning) / sizeof(meaning[0]); i++) {
        accepts |= has(meaning[i].feature) ? meaning[i].accepts : 0;
    }
    return accepts;
}

/* ---- Sending ---- */

/* Reclaim transmit buffers whose frames have been sent. */
static void reclaim(void)
{
    uint16_t buffer;
    uint32_t written;
    enum vring_driver_take taken;

    if (card.error != NULL) {
        return;
    }
    vring_driver_disable_interrupts(&card.queue[TX]);
    while ((taken = vring_driver_take(&card.queue[TX], &buffer, &written)) == VRING_DRIVER_TAKEN) {
        if (buffer < TX_SMALL) {
            card.small[card.small_count++] = buffer;
        } else {
            card.large[card.large_count++] = buffer;
        }
    }
    if (taken == VRING_DRIVER_BROKEN) {
        chip_fail(card.queue[TX].error);
    }
}

static uint32_t tx_offset(uint16_t buffer)
{
    return buffer < TX_SMALL ? buffer * SMALL : TX_SMALL * SMALL + (buffer - TX_SMALL) * LARGE;
}

/* The buffer on top of its stack, or NULL: no buffer or no descriptor is free. */
static void *find_free_buffer(uint32_t count)
{
    bool small = count <= SMALL;

    if (card.error != NULL || count > CHIP_RECORD_MAX ||
        (small ? card.small_count : card.large_count) == 0 || card.queue[TX].free_count == 0) {
        return NULL;
    }
    card.reserved = small ? card.small[card.small_count - 1] : card.large[card.large_count - 1];
    return card.tx + tx_offset(card.reserved);
}

void *chip_send_buffer(uint32_t count)
{
    void *buffer = find_free_buffer(count);

    if (buffer == NULL) {
        reclaim();
        buffer = find_free_buffer(count);
    }
    return buffer;
}

void chip_send(uint32_t count)
{
    struct vring_driver_segment segment = {card.tx_paddr + tx_offset(card.reserved), count};

    if (!vring_driver_add(&card.queue[TX], &segment, 1, 0, card.reserved)) {
        return;
    }
    if (card.reserved < TX_SMALL) {
        card.small_count--;
    } else {
        card.large_count--;
    }
}

bool chip_await_sent(void)
{
    return card.error == NULL && vring_driver_enable_interrupts(&card.queue[TX]);
}

/* ---- Receiving ---- */

static void repost_buffers(void)
{
    for (uint32_t i = 0; i < card.piece_count; i++) {
        post_receive_buffer(card.pieces[i].buffer);
    }
    card.piece_count = 0;
    card.piece_total = 0;
    card.record = 0;
}

/* The first buffer of a record says how many there are (5.1.6.4). */
static bool begin_record(uint16_t buffer, uint32_t bytes)
{
    const volatile struct virtio_net_hdr_v1 *header =
        (const void *)(card.rx + (size_t)buffer * card.rx_size);

    if (bytes < HEADER) {
        chip_fail("the device returns a frame without its header");
        return false;
    }
    card.piece_total = has(VIRTIO_NET_F_MRG_RXBUF) ? header->num_buffers : 1;
    if (card.piece_total == 0 || card.piece_total > PIECES_MAX) {
        chip_fail("the device returns a frame in more buffers than any takes, or in none");
        return false;
    }
    return true;
}

/* Take one more buffer of the oldest record; false if there is none now. */
static bool take_piece(void)
{
    uint16_t buffer;
    uint32_t bytes;

    switch (vring_driver_take(&card.queue[RX], &buffer, &bytes)) {
    case VRING_DRIVER_EMPTY:
        return false;
    case VRING_DRIVER_BROKEN:
        chip_fail(card.queue[RX].error);
        return false;
    default:
        break;
    }
    if (card.piece_total == 0 && !begin_record(buffer, bytes)) {
        return false;
    }
    card.pieces[card.piece_count++] = (struct piece){buffer, bytes};
    card.record += bytes;
    return true;
}

uint32_t chip_received(void)
{
    if (card.error != NULL) {
        return 0;
    }
    while (card.piece_total == 0 || card.piece_count < card.piece_total) {
        if (!take_piece()) {
            return 0;
        }
    }
    if (card.record <= CHIP_RECORD_MAX) {
        card.too_long = 0;
        return card.record;
    }
    repost_buffers();
    if (++card.too_long == TOO_LONG_MAX) {
        chip_fail("all that the device receives is too long");
    }
    return CHIP_DROPPED;
}

void chip_read(void *to)
{
    uint8_t *at = to;

    for (uint32_t i = 0; at != NULL && i < card.piece_count; i++) {
        memcpy(at, card.rx + (size_t)card.pieces[i].buffer * card.rx_size, card.pieces[i].bytes);
        at += card.pieces[i].bytes;
    }
    repost_buffers();
}

bool chip_await_received(void)
{
    return card.error == NULL && vring_driver_enable_interrupts(&card.queue[RX]);
}

/* ---- The device ---- */

void chip_kick(void)
{
    for (uint32_t i = 0; i < QUEUES; i++) {
        if (card.error == NULL && vring_driver_publish(&card.queue[i])) {
            virtio_bus_notify(card.registers, i);
        }
    }
}

bool chip_interrupted(void)
{
    uint32_t before = chip_accepts();

    if (card.error != NULL ||
        (virtio_bus_take_interrupts(card.registers) & VIRTIO_MMIO_INT_CONFIG) == 0) {
        return false;
    }
    if (virtio_bus_needs_reset(card.registers)) {
        chip_fail("the device says that it is broken");
    }
    read_link();
    return chip_accepts() != before;
}

const char *chip_error(void)
{
    return card.error;
}

bool chip_stop(void)
{
    return virtio_bus_reset(card.registers);
}
