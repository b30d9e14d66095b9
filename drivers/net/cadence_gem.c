/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The Cadence GEM of Zynq UltraScale+ (AMD UG1085, chapter 34), with checksums in both directions.
 *
 * It reads and writes memory past the caches. Its descriptors, which both sides write at any time,
 * lie in uncached memory. Frames lie in cached memory: they are cleaned before they are sent, and
 * invalidated when they have been received. The driver only ever reads receive buffers, so that
 * nothing of theirs is dirty when the card gets them again.
 *
 * Each descriptor has a buffer of its own for good, so that the card's word is taken for nothing
 * but lengths and for whose turn it is.
 */

#include "cadence_gem.h"

#include <linux/if_ether.h>
#include <linux/virtio_net.h>
#include <stddef.h>
#include <string.h>
#include "chip.h"
#include "lib/cpu.h"
#include "lib/crc32.h"
#include "lib/device_registers.h"
#include "lib/dma.h"
#include "lib/net_port.h"
#include "lib/offload.h"

#define HEADER ((uint32_t)sizeof(struct virtio_net_hdr_v1))

#define RX_COUNT   512u
#define TX_COUNT   256u
#define READ_AHEAD 64u /* descriptors that the chip may read behind the last */
#define BUFFER     2048u
#define LARGE      (68u << 10)
#define RX_ROOM    ((size_t)RX_COUNT * BUFFER)
#define TX_ROOM    ((size_t)TX_COUNT * BUFFER)
#define DMA_NEEDED (RX_ROOM + TX_ROOM + LARGE)

_Static_assert(BUFFER >= sizeof(struct virtio_net_hdr_v1) + NET_FRAME_MAX(NET_MTU), "a frame");
_Static_assert(LARGE >= CHIP_RECORD_MAX, "a large segment");

/* The longest frame that the chip receives, and a PHY register's read, in reads of the status. */
#define RX_LENGTH_MAX 1536u
#define IDLE_READS    10000u

/*
 * Transmit errors in a row, without a frame sent between them, after which the card is given up;
 * and buffers in a row in which there is no frame.
 */
#define TX_ERRORS_MAX 16u
#define NO_FRAMES_MAX (2u * RX_COUNT)

/* The timer's step: its clock has 250 MHz. It need not be right, a tick is a tick. */
#define TIMER_STEP 4u

#define PHYS      32u
#define TX_ERRORS (GEM_INT_TUND | GEM_INT_RLE | GEM_INT_TXERR)
#define ALWAYS    (TX_ERRORS | GEM_INT_HRESP | GEM_INT_SRI | GEM_INT_RXUBR)
#define RUNNING   (GEM_NCR_MPE | GEM_NCR_RE | GEM_NCR_TE)
#define NCFGR_ALWAYS                                                                               \
    (GEM_NCFGR_CAF | GEM_NCFGR_BIG | GEM_NCFGR_DRFCS | GEM_NCFGR_CLK | GEM_NCFGR_DNCPC |           \
     GEM_NCFGR_RXCOEN)

/* The descriptors. Further queues have one each that is never the card's. */
struct rings {
    struct gem_descriptor rx[RX_COUNT + READ_AHEAD];
    struct gem_descriptor tx[TX_COUNT + READ_AHEAD];
    struct gem_descriptor no_rx[READ_AHEAD];
    struct gem_descriptor no_tx[READ_AHEAD];
};

static struct {
    uintptr_t registers;
    const char *error;
    volatile struct rings *rings;
    uint64_t rings_paddr;
    bool read_clears;    /* the interrupt status */
    uint32_t interrupts; /* that are enabled */
    uint32_t bus_width;  /* in the configuration */
    uint32_t phy;
    bool phy_stuck; /* the management port does not become idle */
    uint32_t speed; /* in the configuration */
    bool link;
    uint64_t looked; /* at the link: the processor's counter */

    uint8_t *rx;
    uint64_t rx_paddr;
    uint32_t rx_next;    /* the oldest frame's */
    uint32_t rx_control; /* of that frame; 0: it is not known yet */
    uint32_t no_frames;  /* buffers in a row without one */
    bool starved;        /* the card has stopped for want of buffers */

    uint8_t *tx;
    uint64_t tx_paddr;
    uint32_t tx_head; /* frames given to the card, */
    uint32_t tx_tail; /* and taken back */
    bool tx_pending;  /* the card is to be told */
    unsigned tx_errors;
    uint8_t *large; /* for records that are too long to be sent */
} card;

static uint32_t read_register(uint32_t offset)
{
    return device_read32(card.registers, offset);
}

static void write_register(uint32_t offset, uint32_t value)
{
    device_write32(card.registers, offset, value);
}

void chip_fail(const char *cause)
{
    if (card.error == NULL) {
        card.error = cause;
    }
}

static void set_interrupts(uint32_t bits, bool on)
{
    uint32_t changed = on ? bits & ~card.interrupts : bits & card.interrupts;

    if (changed != 0) {
        card.interrupts ^= changed;
        write_register(on ? GEM_IER : GEM_IDR, changed);
    }
}

/* ---- The PHY ---- */

static bool await_management(void)
{
    for (uint32_t i = 0; i < IDLE_READS && !card.phy_stuck; i++) {
        if ((read_register(GEM_NSR) & GEM_NSR_IDLE) != 0) {
            return true;
        }
    }
    card.phy_stuck = true;
    return false;
}

/* A register of a PHY; ones, as from one that is not there, if the port does not become idle. */
static uint32_t read_phy(uint32_t phy, uint32_t number)
{
    if (!await_management()) {
        return GEM_MAN_DATA;
    }
    write_register(GEM_MAN, GEM_MAN_READ | GEM_MAN_PHY(phy, number));
    return await_management() ? read_register(GEM_MAN) & GEM_MAN_DATA : GEM_MAN_DATA;
}

static bool phy_is_there(uint32_t status)
{
    return status != 0 && status != GEM_MAN_DATA;
}

/* Its status now: the first read tells what has been. */
static uint32_t phy_status(uint32_t phy)
{
    uint32_t status = read_phy(phy, PHY_BMSR);

    return phy_is_there(status) ? read_phy(phy, PHY_BMSR) : 0;
}

/* Find the first PHY with a link, or the first at all. */
static bool find_phy(void)
{
    bool found = false;

    for (uint32_t phy = 0; phy < PHYS; phy++) {
        uint32_t status = phy_status(phy);

        if (phy_is_there(status) && (status & PHY_BMSR_LINK) != 0) {
            card.phy = phy;
            return true;
        }
        if (phy_is_there(status) && !found) {
            card.phy = phy;
            found = true;
        }
    }
    return found;
}

/* What both ends have agreed on. */
static uint32_t negotiated_speed(void)
{
    uint32_t both = read_phy(card.phy, PHY_ANAR) & read_phy(card.phy, PHY_ANLPAR);

    if ((read_phy(card.phy, PHY_GBCR) & PHY_GBCR_FD) != 0 &&
        (read_phy(card.phy, PHY_GBSR) & PHY_GBSR_FD) != 0) {
        return GEM_NCFGR_GBE | GEM_NCFGR_FD;
    }
    if ((both & PHY_100_FD) != 0) {
        return GEM_NCFGR_SPD | GEM_NCFGR_FD;
    }
    if ((both & PHY_100_HD) != 0) {
        return GEM_NCFGR_SPD;
    }
    return (both & PHY_10_FD) != 0 ? GEM_NCFGR_FD : 0;
}

static uint32_t set_speed(uint32_t control)
{
    uint32_t speed = (control & PHY_BMCR_FD) != 0 ? GEM_NCFGR_FD : 0;

    if ((control & PHY_BMCR_1000) != 0) {
        return GEM_NCFGR_GBE | speed;
    }
    return (control & PHY_BMCR_100) != 0 ? GEM_NCFGR_SPD | speed : speed;
}

/* Look at the link. Without one the speed stays, and as long as it has been there all the time. */
static void read_link(void)
{
    uint32_t status = read_phy(card.phy, PHY_BMSR);
    uint32_t control;

    card.looked = cpu_counter();
    if (card.link && phy_is_there(status) && (status & PHY_BMSR_LINK) != 0) {
        return;
    }
    status = phy_status(card.phy);
    card.link = phy_is_there(status) && (status & PHY_BMSR_LINK) != 0;
    if (!card.link) {
        return;
    }
    card.tx_errors = 0;
    control = read_phy(card.phy, PHY_BMCR);
    if ((control & PHY_BMCR_ANEG) == 0) {
        card.speed = set_speed(control);
    } else if ((status & PHY_BMSR_ANEG) != 0) {
        card.speed = negotiated_speed();
    }
}

/* ---- Start ---- */

/* Give a receive buffer to the card. */
static void post(uint32_t index)
{
    volatile struct gem_descriptor *descriptor = &card.rings->rx[index];
    uint64_t paddr = card.rx_paddr + (uint64_t)index * BUFFER;

    descriptor->control = 0;
    descriptor->address_high = (uint32_t)(paddr >> 32);
    cpu_device_barrier();
    descriptor->address = (uint32_t)paddr | (index == RX_COUNT - 1 ? GEM_RX_WRAP : 0);
}

static void fill_receive_ring(void)
{
    for (uint32_t i = RX_COUNT; i < RX_COUNT + READ_AHEAD; i++) {
        card.rings->rx[i].address = GEM_RX_USED | GEM_RX_WRAP;
    }
    for (uint32_t i = 0; i < RX_COUNT; i++) {
        post(i);
    }
}

/* All transmit buffers are the driver's. What the card has not sent is lost. */
static void empty_transmit_ring(void)
{
    for (uint32_t i = 0; i < TX_COUNT + READ_AHEAD; i++) {
        volatile struct gem_descriptor *descriptor = &card.rings->tx[i];
        uint64_t paddr = card.tx_paddr + (uint64_t)(i % TX_COUNT) * BUFFER + HEADER;

        descriptor->control = GEM_TX_USED | (i >= TX_COUNT - 1 ? GEM_TX_WRAP : 0);
        descriptor->address = (uint32_t)paddr;
        descriptor->address_high = (uint32_t)(paddr >> 32);
    }
    card.tx_head = 0;
    card.tx_tail = 0;
    card.tx_pending = false;
}

static void set_queue(uint32_t offset, size_t place)
{
    write_register(offset, (uint32_t)(card.rings_paddr + place));
}

static void fill_further_queues(void)
{
    uint32_t queues = GEM_DCFG6_QUEUES(read_register(GEM_DCFG6));

    for (uint32_t i = 0; i < READ_AHEAD; i++) {
        card.rings->no_rx[i].address = GEM_RX_USED | GEM_RX_WRAP;
        card.rings->no_tx[i].control = GEM_TX_USED | GEM_TX_WRAP;
    }
    for (uint32_t queue = 1; queue < GEM_QUEUES_MAX; queue++) {
        if ((queues >> queue & 1u) != 0) {
            write_register(GEM_IDR_Q(queue), GEM_INT_ALL);
            set_queue(GEM_RBQP_Q(queue), offsetof(struct rings, no_rx));
            set_queue(GEM_TBQP_Q(queue), offsetof(struct rings, no_tx));
        }
    }
}

static void configure(void)
{
    write_register(GEM_NCFGR, NCFGR_ALWAYS | GEM_NCFGR_DBW(card.bus_width) | card.speed);
}

/* With transmitter and receiver off. */
static void set_rings(void)
{
    fill_receive_ring();
    empty_transmit_ring();
    fill_further_queues();
    cpu_device_barrier();
    set_queue(GEM_RBQP, offsetof(struct rings, rx));
    set_queue(GEM_TBQP, offsetof(struct rings, tx));
    write_register(GEM_RBQPH, (uint32_t)(card.rings_paddr >> 32));
    write_register(GEM_TBQPH, (uint32_t)(card.rings_paddr >> 32));
    write_register(GEM_DMACFG, GEM_DMACFG_FBLDO | GEM_DMACFG_RXBMS | GEM_DMACFG_TXPBMS |
                                   GEM_DMACFG_TXCOEN | GEM_DMACFG_RXBS(BUFFER) | GEM_DMACFG_DDRP |
                                   GEM_DMACFG_ADDR64);
}

/* Whatever the firmware has done with the card ends here. */
static void quiet(void)
{
    write_register(GEM_IDR, GEM_INT_ALL);
    write_register(GEM_NCR, 0);
    write_register(GEM_NCR, GEM_NCR_CLRSTAT);
    write_register(GEM_TSR, GEM_TSR_ALL);
    write_register(GEM_RSR, GEM_RSR_ALL);
    write_register(GEM_ISR, read_register(GEM_ISR));
}

static void read_address(struct chip_info *info)
{
    uint64_t address = (uint64_t)read_register(GEM_SA1T) << 32 | read_register(GEM_SA1B);

    memset(info, 0, sizeof(*info));
    for (uint32_t i = 0; i < sizeof(info->mac); i++) {
        info->mac[i] = (uint8_t)(address >> (8 * i));
    }
}

static const char *check_chip(void)
{
    uint32_t id = read_register(GEM_MID);
    uint32_t design = read_register(GEM_DCFG1);
    uint32_t width = GEM_DCFG1_DBW(design);

    if (id == UINT32_MAX || GEM_MID_MODULE(id) < 2) {
        return "there is no Cadence GEM at its address";
    }
    if ((read_register(GEM_DCFG6) & GEM_DCFG6_DAW64) == 0) {
        return "it was built for addresses of 32 bits";
    }
    card.read_clears = (design & GEM_DCFG1_IRQCOR) != 0;
    card.bus_width = width >= 4 ? 2 : width / 2;
    return NULL;
}

/* In the memory that the two share, the places of all. */
static const char *place_buffers(const struct chip_memory *buffers, const struct chip_memory *rings)
{
    if (buffers->size < DMA_NEEDED || rings->size < sizeof(struct rings)) {
        return "the regions shared with it are too small";
    }
    card.rings = rings->start;
    card.rings_paddr = rings->paddr;
    card.rx = buffers->start;
    card.rx_paddr = buffers->paddr;
    card.tx = card.rx + RX_ROOM;
    card.tx_paddr = card.rx_paddr + RX_ROOM;
    card.large = card.tx + TX_ROOM;
    return NULL;
}

/*
 * Whoever has zeroed the memory may have done so in a cache. What it still holds would overwrite
 * frames and descriptors later. Caches are maintained by address, whatever the mapping is.
 */
static void forget_caches(const struct chip_memory *rings)
{
    dma_invalidate(rings->start, rings->size);
    dma_invalidate(card.rx, RX_ROOM);
}

const char *chip_start(uintptr_t registers, const struct chip_memory *buffers,
                       const struct chip_memory *rings, struct chip_info *info)
{
    memset(&card, 0, sizeof(card));
    card.registers = registers;
    card.error = place_buffers(buffers, rings);
    if (card.error == NULL) {
        card.error = check_chip();
    }
    if (card.error != NULL) {
        return card.error;
    }
    quiet();
    read_address(info);
    card.speed = GEM_NCFGR_GBE | GEM_NCFGR_FD;
    configure();
    write_register(GEM_NCR, GEM_NCR_MPE);
    if (!find_phy()) {
        write_register(GEM_NCR, 0);
        return card.error = "no PHY answers at its management port";
    }
    read_link();
    configure();
    forget_caches(rings);
    set_rings();
    write_register(GEM_TI, TIMER_STEP);
    write_register(GEM_NCR, RUNNING);
    set_interrupts(ALWAYS, true);
    return NULL;
}

uint32_t chip_accepts(void)
{
    return card.error == NULL && card.link ? NET_PORT_UP | NET_PORT_CSUM : 0;
}

/* ---- Sending ---- */

static void reclaim(void)
{
    while (card.tx_tail != card.tx_head) {
        uint32_t control = card.rings->tx[card.tx_tail % TX_COUNT].control;

        if ((control & GEM_TX_USED) == 0) {
            return;
        }
        card.tx_tail++;
        card.tx_errors = (control & GEM_TX_FAILED) != 0 ? card.tx_errors : 0;
    }
}

static bool has_free_buffer(void)
{
    if (card.tx_head - card.tx_tail == TX_COUNT) {
        reclaim();
    }
    return card.error == NULL && card.tx_head - card.tx_tail < TX_COUNT;
}

static uint8_t *next_buffer(void)
{
    return card.tx + (size_t)(card.tx_head % TX_COUNT) * BUFFER;
}

void *chip_send_buffer(uint32_t count)
{
    if (!has_free_buffer() || count > CHIP_RECORD_MAX) {
        return NULL;
    }
    return count <= HEADER + NET_FRAME_MAX(NET_MTU) ? next_buffer() : card.large;
}

static uint32_t get16(const uint8_t *from)
{
    return (uint32_t)from[0] << 8 | from[1];
}

/* Where the card puts a checksum into a frame: offsets from the frame's start. */
struct checksum {
    uint32_t start; /* of what it is computed of */
    uint32_t field; /* 0: it computes none */
};

/* The offset of what comes behind the Ethernet header, and its type. */
static uint32_t network_offset(const uint8_t *frame, uint32_t length, uint32_t *type)
{
    uint32_t offset = ETH_HLEN;

    *type = get16(frame + offset - 2);
    if (*type == ETH_P_8021Q && length >= offset + 4) {
        offset += 4;
        *type = get16(frame + offset - 2);
    }
    return offset;
}

/*
 * Find the checksum that the card surely computes: TCP's or UDP's in an IPv4 packet that is whole.
 * The chip does so in IPv6 as well, but QEMU's does not.
 */
static struct checksum find_checksum(const uint8_t *frame, uint32_t length)
{
    struct checksum none = {0};
    uint32_t type;
    uint32_t offset = network_offset(frame, length, &type);
    const uint8_t *ip = frame + offset;

    if (type != ETH_P_IP || length < offset + 20 || ip[0] >> 4 != 4) {
        return none;
    }
    uint32_t header = 4u * (ip[0] & 0xfu);
    uint32_t total = get16(ip + 2);
    if (header < 20 || total < header || total > length - offset ||
        (get16(ip + 6) & 0x3fffu) != 0) {
        return none;
    }
    struct checksum found = {.start = offset + header};
    if (ip[9] == 6 && total - header >= 20) { /* TCP */
        found.field = found.start + 16;
    } else if (ip[9] == 17 && total - header >= 8 &&
               get16(frame + found.start + 4) == total - header) { /* UDP */
        found.field = found.start + 6;
    }
    return found;
}

/*
 * Leave to the card what it computes. It does so for all that it knows, whether the sum is there or
 * not, and wants the field to be zero.
 */
static void prepare_checksum(const struct virtio_net_hdr_v1 *header, uint8_t *frame,
                             uint32_t length)
{
    struct checksum found = find_checksum(frame, length);

    if ((header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0 &&
        (found.field == 0 || found.start != header->csum_start ||
         found.field != found.start + header->csum_offset)) {
        offload_complete(header, frame, length);
    }
    if (found.field != 0) {
        memset(frame + found.field, 0, 2);
    }
}

/*
 * Whether the card might spoil the checksum. In IPv6 it puts its own over what is there. That is
 * the same one, but of UDP with up to two bytes of data, where the chip needs the field to be zero:
 * see macb_clear_csum in Linux's driver.
 */
static bool is_spoilt(const uint8_t *frame, uint32_t length)
{
    uint32_t type;
    uint32_t offset = network_offset(frame, length, &type);
    const uint8_t *ip = frame + offset;

    if (type != ETH_P_IPV6 || length < offset + 40 + 8 || ip[0] >> 4 != 6 || ip[6] != 17) {
        return false;
    }
    uint32_t count = get16(ip + 4);
    return count >= 8 && count <= 8 + 2 && count <= length - offset - 40;
}

/*
 * The card changes nothing in a frame that has its FCS. QEMU's sends it as four bytes behind the
 * packet, which mean nothing there. Returns the new length.
 */
static uint32_t append_fcs(uint8_t *frame, uint32_t length)
{
    uint32_t fcs = ~crc32_add(UINT32_MAX, frame, length);

    for (uint32_t i = 0; i < ETH_FCS_LEN; i++) {
        frame[length + i] = (uint8_t)(fcs >> (8 * i));
    }
    return length + ETH_FCS_LEN;
}

void chip_send(uint32_t count)
{
    uint32_t index = card.tx_head % TX_COUNT;
    uint8_t *record = next_buffer();
    uint8_t *frame = record + HEADER;
    uint32_t length = count - HEADER;
    uint32_t control = GEM_TX_LAST | (index == TX_COUNT - 1 ? GEM_TX_WRAP : 0);
    struct virtio_net_hdr_v1 header;

    if (count <= HEADER || length > NET_FRAME_MAX(NET_MTU)) {
        return;
    }
    memcpy(&header, record, sizeof(header));
    prepare_checksum(&header, frame, length);
    if (is_spoilt(frame, length)) {
        length = append_fcs(frame, length);
        control |= GEM_TX_NOCRC;
    }
    dma_clean(frame, length);
    card.rings->tx[index].control = control | length;
    card.tx_head++;
    card.tx_pending = true;
}

bool chip_await_sent(void)
{
    if (card.error != NULL) {
        return false;
    }
    set_interrupts(GEM_INT_TCOMP, true);
    cpu_device_barrier();
    return has_free_buffer();
}

/*
 * Tell the card that there is something to send. If it is transmitting it may just have seen that
 * there was nothing more. Then it stops, and says so by an interrupt.
 */
static void start_transmission(void)
{
    card.tx_pending = false;
    reclaim();
    if (card.tx_tail == card.tx_head) {
        return;
    }
    cpu_device_barrier();
    if ((read_register(GEM_TSR) & GEM_TSR_TGO) != 0) {
        set_interrupts(GEM_INT_TXUBR, true);
    }
    write_register(GEM_NCR, RUNNING | GEM_NCR_TSTART);
}

/* Begin anew, as a transmitter does that is switched off and on. */
static void restart_transmitter(void)
{
    write_register(GEM_NCR, RUNNING & ~GEM_NCR_TE);
    empty_transmit_ring();
    cpu_device_barrier();
    set_queue(GEM_TBQP, offsetof(struct rings, tx));
    write_register(GEM_TSR, GEM_TSR_ALL);
    write_register(GEM_NCR, RUNNING);
}

/*
 * A frame has failed, and what was to follow it is lost. Where the line is shared, too many
 * collisions are the doing of whoever shares it, at any time and for as long as it likes: these do
 * not count. They are no errors of the card, and it is given up for ever.
 */
static void handle_transmit_error(uint32_t errors)
{
    bool collisions = errors == GEM_INT_RLE && (card.speed & GEM_NCFGR_FD) == 0;

    reclaim(); /* what has been sent before */
    if (!collisions && ++card.tx_errors > TX_ERRORS_MAX) {
        chip_fail("its transmitter fails again and again");
        return;
    }
    restart_transmitter();
}

/* ---- Receiving ---- */

static bool is_received(uint32_t index)
{
    return (card.rings->rx[index].address & GEM_RX_USED) != 0;
}

static void repost(void)
{
    post(card.rx_next);
    card.rx_next = (card.rx_next + 1) % RX_COUNT;
    card.rx_control = 0;
}

/* Whether it is a whole frame. What does not fit into one buffer is in several, without an end. */
static bool is_frame(uint32_t control)
{
    uint32_t length = control & GEM_RX_LENGTH;

    return (control & GEM_RX_SOF) != 0 && (control & GEM_RX_EOF) != 0 && length != 0 &&
           length <= RX_LENGTH_MAX;
}

static uint32_t drop(void)
{
    repost();
    if (++card.no_frames == NO_FRAMES_MAX) {
        chip_fail("what it receives is never a frame");
    }
    return CHIP_DROPPED;
}

uint32_t chip_received(void)
{
    if (card.rx_control == 0) {
        if (card.error != NULL || !is_received(card.rx_next)) {
            return 0;
        }
        cpu_device_barrier();
        uint32_t control = card.rings->rx[card.rx_next].control;
        if (!is_frame(control)) {
            return drop();
        }
        card.rx_control = control;
        card.no_frames = 0;
    }
    return HEADER + (card.rx_control & GEM_RX_LENGTH);
}

void chip_read(void *to)
{
    uint8_t *from = card.rx + (size_t)card.rx_next * BUFFER;
    uint32_t length = card.rx_control & GEM_RX_LENGTH;
    struct virtio_net_hdr_v1 header = {0};

    if (to != NULL) {
        if ((card.rx_control & GEM_RX_SUMS) > GEM_RX_SUMS_IP) {
            header.flags = VIRTIO_NET_HDR_F_DATA_VALID;
        }
        memcpy(to, &header, sizeof(header));
        dma_invalidate(from, length);
        memcpy((uint8_t *)to + HEADER, from, length);
    }
    repost();
}

bool chip_await_received(void)
{
    if (card.error != NULL) {
        return false;
    }
    set_interrupts(GEM_INT_RCOMP, true);
    cpu_device_barrier();
    return is_received(card.rx_next);
}

/* A receiver that had no buffer looks for one when it is switched off and on. */
static void restart_receiver(void)
{
    if (is_received((card.rx_next + RX_COUNT - 1) % RX_COUNT)) {
        return; /* still none */
    }
    card.starved = false;
    cpu_device_barrier();
    write_register(GEM_NCR, RUNNING & ~GEM_NCR_RE);
    write_register(GEM_NCR, RUNNING);
    set_interrupts(GEM_INT_RXUBR, true);
}

/* ---- The device ---- */

void chip_kick(void)
{
    if (card.error == NULL && card.starved) {
        restart_receiver();
    }
    if (card.error == NULL && card.tx_pending) {
        start_transmission();
    }
}

/*
 * Nothing interrupts when the link changes. So it is looked at once a second: the card's timer
 * interrupts as often, and where its clock does not run, other interrupts serve.
 */
static void look_at_link(void)
{
    uint32_t speed = card.speed;

    if (cpu_counter() - card.looked < cpu_counter_frequency() / 2) {
        return;
    }
    card.phy_stuck = false;
    read_link();
    if (card.speed != speed) {
        write_register(GEM_NCR, GEM_NCR_MPE);
        configure();
        restart_transmitter();
    }
}

bool chip_interrupted(void)
{
    uint32_t before = chip_accepts();
    uint32_t status;

    if (card.error != NULL) {
        return false;
    }
    status = read_register(GEM_ISR);
    if (!card.read_clears) {
        write_register(GEM_ISR, status);
    }
    set_interrupts(GEM_INT_RCOMP | (status & (GEM_INT_TCOMP | GEM_INT_TXUBR | GEM_INT_RXUBR)),
                   false);
    card.starved = card.starved || (status & GEM_INT_RXUBR) != 0;
    card.tx_pending = card.tx_pending || (status & GEM_INT_TXUBR) != 0;
    if ((status & GEM_INT_HRESP) != 0) {
        chip_fail("the bus refuses it an access to memory");
    } else if ((status & TX_ERRORS) != 0) {
        handle_transmit_error(status & TX_ERRORS);
    }
    if (card.error == NULL) {
        look_at_link();
    }
    return chip_accepts() != before;
}

const char *chip_error(void)
{
    return card.error;
}

bool chip_stop(void)
{
    write_register(GEM_IDR, GEM_INT_ALL);
    write_register(GEM_NCR, 0);
    return (read_register(GEM_NCR) & (GEM_NCR_RE | GEM_NCR_TE)) == 0;
}
