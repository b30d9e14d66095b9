/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: drivers/net/net.c drivers/net/cadence_gem.c lib/ring.c lib/log.c lib/token_bucket.c
 * SOURCES: lib/offload.c lib/checksum.c
 * SOURCES: lib/tcp_checksum.c tests/unit/fake/net_switch.c tests/unit/fake/fake_dma.c
 * SOURCES: tests/unit/fake/fake_microkit.c
 *
 * The card's driver with the Cadence GEM, against a model of it and of a PHY. The model reaches
 * frames past the caches only: what has not been cleaned it does not see, and what it writes is not
 * seen before it has been invalidated. The chip comes in two kinds, with an interrupt status that a
 * read clears and with one that a write clears. Each case runs with both. QEMU's computes no
 * checksums in IPv6, and sends a frame that has its FCS with that as if it were data.
 */

#include <linux/virtio_net.h>
#include <microkit.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "drivers/net/cadence_gem.h"
#include "drivers/net/config.h"
#include "lib/device_registers.h"
#include "lib/net_port.h"
#include "lib/ring.h"
#include "tests/unit/fake/fake_dma.h"
#include "tests/unit/fake/net_switch.h"

#define IRQ         0
#define SWITCH      1
#define REGISTERS   0xff0e0000u
#define DMA_PADDR   0x810000000u
#define RINGS_PADDR 0x820000000u
#define PHY         12u
#define RX_BUFFERS  512u
#define TX_BUFFERS  256u
#define FRAME       1518u

static _Alignas(4096) uint8_t dma[NET_DRIVER_DMA_SIZE];
static _Alignas(4096) uint8_t rings[NET_DRIVER_RINGS_SIZE];
static const uint64_t dma_paddr = DMA_PADDR;
static const uint64_t rings_paddr = RINGS_PADDR;

const struct net_driver_config net_driver_config = {
    .registers = REGISTERS,
    .irq_channel = IRQ,
    .switch_channel = SWITCH,
    .to_switch = up,
    .from_switch = down,
    .ring_size = SWITCH_RING,
    .dma = dma,
    .dma_paddr = &dma_paddr,
    .rings = rings,
    .rings_paddr = &rings_paddr,
};

/* ---- The card ---- */

struct sent {
    uint32_t length;
    uint8_t frame[2048];
};

static bool clears_by_read;

static struct {
    uint32_t id, design, design6; /* as built */
    uint32_t ncr, ncfgr, dmacfg, tsr, rsr, isr, imr, timer;
    uint32_t rbqp, tbqp, rbqph, tbqph, rbqp1, tbqp1, imr1;
    uint64_t address;
    uint32_t man;
    int busy; /* reads until the management port is idle; below 0: never */
    bool ones;
    bool never_stops;
    uint64_t rx_at, tx_at; /* the descriptors that are next */
    bool rx_stands;        /* it has seen that there is no buffer, and does not look again */
    bool slow;             /* it transmits when it is told to by the test */
    bool emulated;         /* as by QEMU */
    bool tx_on;            /* it transmits, up to what it has seen */
    struct sent sent[1024];
    unsigned sent_count;
    unsigned starts;
    unsigned dropped;
    unsigned accesses;
} gem;

static uint16_t phy[32];

static struct gem_descriptor *descriptor_at(uint64_t paddr)
{
    uint64_t offset = paddr - RINGS_PADDR;

    assert_true(offset <= sizeof(rings) - sizeof(struct gem_descriptor) && offset % 16 == 0);
    return (struct gem_descriptor *)(void *)(rings + offset);
}

static void raise_interrupt(uint32_t bits)
{
    gem.isr |= bits & ~gem.imr;
}

static uint32_t get16(const uint8_t *from)
{
    return (uint32_t)from[0] << 8 | from[1];
}

/* The Internet checksum of a pseudo-header and what follows, the slow way. */
static uint32_t checksum(const uint8_t *addresses, uint32_t address_bytes, uint32_t protocol,
                         const uint8_t *bytes, uint32_t count)
{
    uint64_t sum = protocol + count;

    for (uint32_t i = 0; i < address_bytes; i += 2) {
        sum += get16(addresses + i);
    }
    for (uint32_t i = 0; i < count; i++) {
        sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
    }
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint32_t)sum ^ 0xffff;
}

/* Put the sum of what begins at `transport` into its field. */
static void put_checksum(const uint8_t *addresses, uint32_t address_bytes, uint32_t protocol,
                         uint8_t *transport, uint32_t count)
{
    uint8_t *field = transport + (protocol == 6 ? 16 : 6);
    bool cleared = get16(field) == 0;
    uint32_t sum;

    field[0] = 0;
    field[1] = 0;
    sum = checksum(addresses, address_bytes, protocol, transport, count);
    /* With so little data of UDP the chip takes for granted that the field was 0. */
    if (protocol == 17 && count <= 10 && !cleared) {
        sum = ~sum;
    }
    field[0] = (uint8_t)(sum >> 8);
    field[1] = (uint8_t)sum;
}

/* What the chip does to what it knows: it puts the sum in. In IPv4 the field has to be 0. */
static void compute_checksum(uint8_t *frame, uint32_t length)
{
    uint32_t offset = 14 + (get16(frame + 12) == 0x8100 ? 4 : 0);
    uint8_t *ip = frame + offset;

    if (!gem.emulated && get16(ip - 2) == 0x86dd && length >= offset + 40 && ip[0] >> 4 == 6 &&
        (ip[6] == 6 || ip[6] == 17) && get16(ip + 4) <= length - offset - 40) {
        put_checksum(ip + 8, 32, ip[6], ip + 40, get16(ip + 4));
        return;
    }
    if (get16(ip - 2) != 0x0800 || length < offset + 20 || ip[0] >> 4 != 4 ||
        (get16(ip + 6) & 0x3fff) != 0 || (ip[9] != 6 && ip[9] != 17)) {
        return;
    }
    uint32_t header = 4u * (ip[0] & 15u);
    uint32_t count = get16(ip + 2) - header;
    if (header < 20 || header + count > length - offset) {
        return;
    }
    assert_int_equal(get16(ip + header + (ip[9] == 6 ? 16 : 6)), 0);
    put_checksum(ip + 12, 8, ip[9], ip + header, count);
}

/* The FCS (IEEE 802.3, 3.2.9), as it is sent: the lowest byte first. */
static uint32_t fcs_of(const uint8_t *frame, uint32_t length)
{
    uint32_t crc = UINT32_MAX;

    for (uint32_t i = 0; i < 8 * length; i++) {
        uint32_t bit = (frame[i / 8] >> i % 8 ^ crc) & 1u;
        crc = crc >> 1 ^ (bit != 0 ? 0xedb88320u : 0);
    }
    return ~crc;
}

/* The frame has its FCS with it: the chip changes nothing in it, and pads nothing. */
static void check_fcs(struct sent *sent)
{
    uint32_t fcs;

    assert_true(sent->length >= 64);
    memcpy(&fcs, sent->frame + sent->length - 4, 4);
    assert_int_equal(fcs, fcs_of(sent->frame, sent->length - 4));
    sent->length -= 4;
}

static void send_one(struct gem_descriptor *descriptor)
{
    struct sent *sent = &gem.sent[gem.sent_count++];
    uint64_t paddr = (uint64_t)descriptor->address_high << 32 | descriptor->address;
    const void *bytes;

    assert_true(gem.sent_count < 1024);
    sent->length = descriptor->control & GEM_TX_LENGTH;
    assert_true(sent->length > 0 && sent->length <= FRAME);
    assert_true((descriptor->control & GEM_TX_LAST) != 0);
    bytes = fake_dma_at(paddr, sent->length);
    assert_non_null(bytes);
    memcpy(sent->frame, bytes, sent->length);
    if ((descriptor->control & GEM_TX_NOCRC) != 0 && !gem.emulated) {
        check_fcs(sent);
    } else if ((gem.dmacfg & GEM_DMACFG_TXCOEN) != 0) {
        compute_checksum(sent->frame, sent->length);
    }
    descriptor->control |= GEM_TX_USED;
    raise_interrupt(GEM_INT_TCOMP);
}

/* Transmit up to `count` frames. Returns how many there were. */
static unsigned gem_transmits(unsigned count)
{
    unsigned done = 0;

    while (gem.tx_on && done < count) {
        struct gem_descriptor *descriptor = descriptor_at(gem.tx_at);

        if ((descriptor->control & GEM_TX_USED) != 0) {
            gem.tx_on = false;
            gem.tsr &= ~GEM_TSR_TGO;
            raise_interrupt(GEM_INT_TXUBR);
            break;
        }
        bool wraps = (descriptor->control & GEM_TX_WRAP) != 0;
        send_one(descriptor);
        gem.tx_at = wraps ? (uint64_t)gem.tbqph << 32 | gem.tbqp : gem.tx_at + 16;
        done++;
    }
    return done;
}

static struct gem_descriptor *next_receive_descriptor(void)
{
    struct gem_descriptor *descriptor = descriptor_at(gem.rx_at);

    if ((gem.ncr & GEM_NCR_RE) == 0) {
        return NULL;
    }
    if (gem.rx_stands || (descriptor->address & GEM_RX_USED) != 0) {
        gem.rx_stands = true;
        gem.dropped++;
        raise_interrupt(GEM_INT_RXUBR);
        return NULL;
    }
    return descriptor;
}

/* Write to a receive buffer, and give it back with `control`; false: there is none. */
static bool gem_fills(const void *bytes, uint32_t count, uint32_t control)
{
    struct gem_descriptor *descriptor = next_receive_descriptor();
    uint64_t paddr;
    void *to;

    if (descriptor == NULL) {
        return false;
    }
    paddr = (uint64_t)descriptor->address_high << 32 | (descriptor->address & ~3u);
    to = fake_dma_at(paddr, 2048);
    assert_non_null(to);
    memcpy(to, bytes, count);
    descriptor->control = control;
    gem.rx_at = (descriptor->address & GEM_RX_WRAP) != 0 ? (uint64_t)gem.rbqph << 32 | gem.rbqp
                                                         : gem.rx_at + 16;
    descriptor->address |= GEM_RX_USED;
    return true;
}

static bool gem_receives(const void *frame, uint32_t length, uint32_t sums)
{
    if (!gem_fills(frame, length, length | GEM_RX_SOF | GEM_RX_EOF | sums)) {
        return false;
    }
    raise_interrupt(GEM_INT_RCOMP);
    return true;
}

static void write_ncr(uint32_t value)
{
    if ((value & GEM_NCR_TE) == 0) {
        gem.tx_at = (uint64_t)gem.tbqph << 32 | gem.tbqp;
        gem.tx_on = false;
        gem.tsr &= ~GEM_TSR_TGO;
    }
    if ((value & GEM_NCR_RE) == 0) {
        gem.rx_stands = false;
    }
    gem.ncr = value & ~(GEM_NCR_TSTART | GEM_NCR_CLRSTAT);
    if ((value & GEM_NCR_TSTART) != 0) {
        assert_true((value & GEM_NCR_TE) != 0);
        gem.starts++;
        gem.tx_on = true;
        gem.tsr |= GEM_TSR_TGO;
        if (!gem.slow) {
            gem_transmits(UINT32_MAX);
        }
    }
}

static uint32_t read_management(void)
{
    uint32_t address = gem.man >> 23 & 31u;
    uint32_t number = gem.man >> 18 & 31u;
    uint32_t value = address == PHY ? phy[number] : 0xffffu;

    if (address == PHY && number == PHY_BMSR && (phy[31] & PHY_BMSR_LINK) != 0) {
        phy[PHY_BMSR] |= PHY_BMSR_LINK; /* there is a link now: the next read says so */
    }
    return (gem.man & 0xffff0000u) | value;
}

static uint32_t read_status(void)
{
    uint32_t value = gem.isr;

    if (clears_by_read) {
        gem.isr = 0;
    }
    return value;
}

uint32_t device_read32(uintptr_t registers, uint32_t offset)
{
    assert_int_equal(registers, REGISTERS);
    gem.accesses++;
    if (gem.ones) {
        return UINT32_MAX;
    }
    switch (offset) {
    case GEM_NCR:
        return gem.never_stops ? gem.ncr | GEM_NCR_RE : gem.ncr;
    case GEM_NSR:
        gem.busy -= gem.busy > 0;
        return gem.busy == 0 ? GEM_NSR_IDLE : 0;
    case GEM_TSR:
        return gem.tsr;
    case GEM_ISR:
        return read_status();
    case GEM_MAN:
        assert_int_equal(gem.busy, 0);
        return read_management();
    case GEM_SA1B:
        return (uint32_t)gem.address;
    case GEM_SA1T:
        return (uint32_t)(gem.address >> 32);
    case GEM_MID:
        return gem.id;
    case GEM_DCFG1:
        return gem.design | (clears_by_read ? GEM_DCFG1_IRQCOR : 0);
    case GEM_DCFG6:
        return gem.design6;
    default:
        fail_msg("read of 0x%x", offset);
        return 0;
    }
}

static bool write_queue(uint32_t offset, uint32_t value)
{
    assert_int_equal(value % 4, 0);
    switch (offset) {
    case GEM_RBQP:
        assert_int_equal(gem.ncr & GEM_NCR_RE, 0);
        gem.rbqp = value;
        break;
    case GEM_TBQP:
        assert_int_equal(gem.ncr & GEM_NCR_TE, 0);
        gem.tbqp = value;
        break;
    case GEM_RBQPH:
        gem.rbqph = value;
        break;
    case GEM_TBQPH:
        gem.tbqph = value;
        break;
    case GEM_RBQP_Q(1):
        gem.rbqp1 = value;
        break;
    case GEM_TBQP_Q(1):
        gem.tbqp1 = value;
        break;
    default:
        return false;
    }
    if (offset == GEM_RBQP || offset == GEM_RBQPH) {
        gem.rx_at = (uint64_t)gem.rbqph << 32 | gem.rbqp;
    }
    if (offset == GEM_TBQP || offset == GEM_TBQPH) {
        gem.tx_at = (uint64_t)gem.tbqph << 32 | gem.tbqp;
    }
    return true;
}

void device_write32(uintptr_t registers, uint32_t offset, uint32_t value)
{
    assert_int_equal(registers, REGISTERS);
    gem.accesses++;
    switch (offset) {
    case GEM_NCR:
        write_ncr(value);
        break;
    case GEM_NCFGR:
        gem.ncfgr = value;
        break;
    case GEM_DMACFG:
        gem.dmacfg = value;
        break;
    case GEM_TSR:
        gem.tsr &= ~value | GEM_TSR_TGO;
        break;
    case GEM_RSR:
        gem.rsr &= ~value;
        break;
    case GEM_ISR:
        gem.isr &= clears_by_read ? UINT32_MAX : ~value;
        break;
    case GEM_IER:
        gem.imr &= ~value;
        break;
    case GEM_IDR:
        gem.imr |= value;
        break;
    case GEM_IDR_Q(1):
        gem.imr1 |= value;
        break;
    case GEM_MAN:
        assert_int_equal(value >> 28, 6); /* clause 22, a read */
        assert_true((gem.ncr & GEM_NCR_MPE) != 0);
        gem.man = value;
        gem.busy = gem.busy < 0 ? gem.busy : 3;
        break;
    case GEM_TI:
        gem.timer = value;
        break;
    default:
        if (!write_queue(offset, value)) {
            fail_msg("write of 0x%x to 0x%x", value, offset);
        }
    }
}

/* ---- Start ---- */

static void set_link(bool on)
{
    phy[31] = on ? PHY_BMSR_LINK : 0; /* as it is; the PHY's own register */
    if (!on) {
        phy[PHY_BMSR] &= (uint16_t)~PHY_BMSR_LINK;
    }
}

/* As ZynqMP's is after a reset, with a PHY that has a link of 1 Gbit/s. */
static void prepare(void)
{
    memset(&gem, 0, sizeof(gem));
    gem.id = 0x50070106;
    gem.design = 2u << 25;
    gem.design6 = GEM_DCFG6_DAW64 | 2u;
    gem.imr = UINT32_MAX;
    gem.address = 0x563412005452;
    gem.ncr = GEM_NCR_RE | GEM_NCR_TE; /* as firmware may leave it */
    memset(phy, 0, sizeof(phy));
    phy[PHY_BMCR] = PHY_BMCR_ANEG;
    phy[PHY_BMSR] = 0x7949 | PHY_BMSR_ANEG;
    phy[PHY_ANAR] = PHY_10_FD | PHY_100_FD | PHY_100_HD;
    phy[PHY_ANLPAR] = PHY_10_FD | PHY_100_FD | PHY_100_HD;
    phy[PHY_GBCR] = PHY_GBCR_FD;
    phy[PHY_GBSR] = PHY_GBSR_FD;
    set_link(true);
}

static void begin(void)
{
    fake_reset();
    switch_reset();
    memset(rings, 0, sizeof(rings));
    memset(dma, 0, sizeof(dma));
    fake_dma_reset();
    fake_dma_add(dma, DMA_PADDR, sizeof(dma));
    memset(dma, 0xdb, sizeof(dma)); /* whatever the caches hold of it */
    init();
}

static int set_up(void **state)
{
    clears_by_read = *state != NULL;
    prepare();
    begin();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_dma_reset();
    return 0;
}

/* The interrupt is one by level. */
static void interrupt(void)
{
    if (gem.isr != 0) {
        notified(IRQ);
    }
}

static void pass_seconds(unsigned count)
{
    fake.counter += count * fake.frequency;
}

/* ---- The switch ---- */

static void send(uint32_t length, uint8_t seed)
{
    make(length, seed);
    assert_true(put(SWITCH_HEADER + length));
    notified(SWITCH);
}

/* The card says nothing of the frame. */
static bool got_plain(uint32_t length, uint8_t seed)
{
    return got_with(length, seed, 0);
}

static void receive(uint32_t length, uint8_t seed)
{
    make(length, seed);
    assert_true(gem_receives(record + SWITCH_HEADER, length, 0));
    interrupt();
}

static bool was_sent(unsigned index, uint32_t length, uint8_t seed)
{
    make(length, seed);
    return index < gem.sent_count && gem.sent[index].length == length &&
           memcmp(gem.sent[index].frame, record + SWITCH_HEADER, length) == 0;
}

static void it_is_set_up(void **state)
{
    uint32_t usual = GEM_NCFGR_CAF | GEM_NCFGR_DRFCS | GEM_NCFGR_RXCOEN | GEM_NCFGR_GBE |
                     GEM_NCFGR_FD | GEM_NCFGR_BIG;
    struct gem_descriptor *idle;

    (void)state;
    assert_int_equal(accepts(), NET_PORT_UP | NET_PORT_CSUM);
    assert_true(has_said("card 52:54:00:12:34:56"));
    assert_int_equal(gem.ncfgr & (usual | 1u << 5 | 1u << 13), usual); /* no NBC, no pausing */
    assert_int_equal(gem.ncfgr >> 21 & 3u, 1);                         /* a bus of 64 bits */
    assert_int_equal(gem.dmacfg >> 16 & 0xffu, 32);                    /* 2048 bytes */
    assert_int_equal(gem.dmacfg >> 6 & 3u, 0);                         /* little endian */
    assert_int_equal(gem.ncr, GEM_NCR_RE | GEM_NCR_TE | GEM_NCR_MPE);
    assert_int_equal(gem.imr1, UINT32_MAX);
    assert_int_not_equal(gem.timer, 0);
    idle = descriptor_at((uint64_t)gem.rbqph << 32 | gem.rbqp1);
    assert_int_equal(idle->address, GEM_RX_USED | GEM_RX_WRAP);
    idle = descriptor_at((uint64_t)gem.tbqph << 32 | gem.tbqp1);
    assert_int_equal(idle->control, GEM_TX_USED | GEM_TX_WRAP);
}

/* Whoever zeroed the memory of descriptors may have left that in a cache. */
static void descriptors_are_invalidated_first(void **state)
{
    (void)state;
    fake_dma_reset();
    fake_dma_add(rings, RINGS_PADDR, sizeof(rings));
    memset(rings, 0xdb, sizeof(rings));
    fake_dma_add(dma, DMA_PADDR, sizeof(dma));
    init();
    assert_memory_equal(fake_dma_at(RINGS_PADDR, 16), "\xdb\xdb\xdb\xdb\xdb\xdb\xdb\xdb", 8);
    assert_int_equal(descriptor_at(RINGS_PADDR)->address, (uint32_t)DMA_PADDR);
}

static void expect_no_card(const char *cause)
{
    begin();
    assert_int_equal(accepts(), 0);
    assert_true(has_said(cause));
    assert_int_equal(gem.ncr & (GEM_NCR_RE | GEM_NCR_TE), 0);
    gem.isr = UINT32_MAX;
    notified(IRQ);
    make(60, 1);
    assert_true(put(SWITCH_HEADER + 60));
    notified(SWITCH);
    assert_int_equal(fake.irq_acks[IRQ], 0);
    assert_int_equal(gem.sent_count, 0);
    prepare();
    gem.ncr = 0;
}

static void without_a_card_the_port_stays_down(void **state)
{
    (void)state;
    prepare();
    gem.ncr = 0;
    gem.id = 0;
    expect_no_card("there is no Cadence GEM at its address");
    gem.ones = true;
    expect_no_card("there is no Cadence GEM at its address");
    gem.design6 = 0;
    expect_no_card("it was built for addresses of 32 bits");
    memset(phy, 0xff, sizeof(phy));
    expect_no_card("no PHY answers");
    gem.busy = -1;
    expect_no_card("no PHY answers");
    gem.busy = -1;
    gem.accesses = 0;
    begin();
    assert_true(gem.accesses < 20000);
}

/* ---- The link ---- */

static void tick(void)
{
    pass_seconds(1);
    raise_interrupt(GEM_INT_SRI);
    interrupt();
}

static void link_goes_down_and_up(void **state)
{
    (void)state;
    set_link(false);
    tick();
    assert_int_equal(accepts(), 0);
    assert_true(has_said("the link is down"));
    send(60, 1);
    assert_int_equal(gem.sent_count, 0);
    set_link(true);
    tick();
    assert_int_equal(accepts(), NET_PORT_UP | NET_PORT_CSUM);
    send(60, 2);
    assert_true(was_sent(0, 60, 2));
    assert_true(fake.irq_acks[IRQ] > 0);
}

/* A link that goes and comes back between two looks has been there, as far as the speed is right.
 */
static void link_at_start_may_come_later(void **state)
{
    (void)state;
    prepare();
    set_link(false);
    begin();
    assert_int_equal(accepts(), 0);
    set_link(true);
    pass_seconds(1);
    receive(60, 1); /* the timer's clock may not run */
    assert_int_equal(accepts(), NET_PORT_UP | NET_PORT_CSUM);
    assert_true(got_plain(60, 1));
}

static void speed_is_what_was_negotiated(void **state)
{
    static const struct {
        uint16_t control, offers, other;
        bool gigabit;
        uint32_t speed;
    } cases[] = {
        {PHY_BMCR_ANEG, 0x1e1, 0x1e1, true, GEM_NCFGR_GBE | GEM_NCFGR_FD},
        {PHY_BMCR_ANEG, 0x1e1, 0x1e1, false, GEM_NCFGR_SPD | GEM_NCFGR_FD},
        {PHY_BMCR_ANEG, 0x1e1, 0x0a1, false, GEM_NCFGR_SPD},
        {PHY_BMCR_ANEG, 0x1e1, 0x061, false, GEM_NCFGR_FD},
        {PHY_BMCR_ANEG, 0x1e1, 0x021, false, 0},
        {PHY_BMCR_100 | PHY_BMCR_FD, 0, 0, true, GEM_NCFGR_SPD | GEM_NCFGR_FD},
        {PHY_BMCR_1000 | PHY_BMCR_FD, 0, 0, false, GEM_NCFGR_GBE | GEM_NCFGR_FD},
        {0, 0, 0, false, 0},
    };
    uint32_t all = GEM_NCFGR_GBE | GEM_NCFGR_FD | GEM_NCFGR_SPD;

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        set_link(false);
        tick();
        phy[PHY_BMCR] = cases[i].control;
        phy[PHY_ANAR] = cases[i].offers;
        phy[PHY_ANLPAR] = cases[i].other;
        phy[PHY_GBSR] = cases[i].gigabit ? PHY_GBSR_FD : 0;
        set_link(true);
        tick();
        assert_int_equal(gem.ncfgr & all, cases[i].speed);
        assert_int_equal(gem.ncr, GEM_NCR_RE | GEM_NCR_TE | GEM_NCR_MPE);
        gem.sent_count = 0;
        send(60, (uint8_t)i);
        assert_true(was_sent(0, 60, (uint8_t)i));
        receive(60, (uint8_t)i);
        assert_true(got_plain(60, (uint8_t)i));
    }
}

static void stuck_management_port_costs_little(void **state)
{
    (void)state;
    gem.busy = -1;
    gem.accesses = 0;
    tick();
    assert_true(gem.accesses < 15000);
    assert_int_equal(accepts(), 0);
    gem.accesses = 0;
    raise_interrupt(GEM_INT_SRI);
    interrupt(); /* at once again */
    assert_true(gem.accesses < 10);
}

/* ---- Frames ---- */

static const uint32_t lengths[] = {14, 60, 63, 64, 1500, 1514, 1518};
#define LENGTHS (sizeof(lengths) / sizeof(lengths[0]))

static void frames_go_out(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LENGTHS; i++) {
        send(lengths[i], (uint8_t)i);
        assert_true(was_sent(i, lengths[i], (uint8_t)i));
        assert_int_equal(gem.starts, i + 1);
        assert_int_equal(gem.isr, 0); /* nobody waits for it */
    }
}

static void frames_come_in(void **state)
{
    static const uint32_t more[] = {1, 13, 1519, 1536};

    (void)state;
    for (unsigned i = 0; i < LENGTHS; i++) {
        receive(lengths[i], (uint8_t)i);
        assert_true(got_plain(lengths[i], (uint8_t)i));
        assert_true(got_nothing());
    }
    for (unsigned i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
        receive(more[i], (uint8_t)i); /* what is no frame is for the switch to say */
        assert_true(got_plain(more[i], (uint8_t)i));
    }
}

static void buffers_are_used_again(void **state)
{
    (void)state;
    for (int i = 0; i < 2000; i++) {
        gem.sent_count = 0;
        receive(1514, (uint8_t)i);
        assert_true(got_plain(1514, (uint8_t)i));
        send(1514, (uint8_t)(i + 1));
        assert_true(was_sent(0, 1514, (uint8_t)(i + 1)));
    }
}

static void batch_is_one_start(void **state)
{
    (void)state;
    for (uint8_t i = 0; i < 50; i++) {
        make(1514, i);
        assert_true(put(SWITCH_HEADER + 1514));
    }
    notified(SWITCH);
    assert_int_equal(gem.starts, 1);
    for (uint8_t i = 0; i < 50; i++) {
        assert_true(was_sent(i, 1514, i));
    }
}

static void batch_is_one_interrupt(void **state)
{
    (void)state;
    for (uint8_t i = 0; i < 50; i++) {
        make(100, i);
        assert_true(gem_receives(record + SWITCH_HEADER, 100, 0));
    }
    interrupt();
    assert_int_equal(gem.isr, 0);
    for (uint8_t i = 0; i < 50; i++) {
        assert_true(got_plain(100, i));
    }
    assert_true(got_nothing());
}

/* ---- Checksums ---- */

static void put16(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

/* Into `record`: a frame with IPv4 (or 6) and `payload` bytes of TCP or UDP. Returns its length. */
static uint32_t make_packet(uint32_t version, uint32_t protocol, bool tagged, uint32_t payload)
{
    uint32_t offset = tagged ? 18 : 14;
    uint32_t header = version == 4 ? 20 : 40;
    uint32_t transport = offset + header;
    uint32_t count = (protocol == 6 ? 20 : 8) + payload;
    uint8_t *frame = record + SWITCH_HEADER;
    uint8_t *ip = frame + offset;

    make(transport + count, 3);
    put16(frame + 12, 0x8100);
    put16(ip - 2, version == 4 ? 0x0800 : 0x86dd);
    if (version == 4) {
        ip[0] = 0x45;
        put16(ip + 2, header + count);
        put16(ip + 6, 0x4000); /* not to be cut */
        ip[9] = (uint8_t)protocol;
    } else {
        ip[0] = 0x60;
        put16(ip + 4, count);
        ip[6] = (uint8_t)protocol;
    }
    if (protocol == 17) {
        put16(frame + transport + 4, count);
    }
    return transport + count;
}

static struct virtio_net_hdr_v1 *partial(uint32_t start, uint32_t offset)
{
    struct virtio_net_hdr_v1 *header = (void *)record;

    memset(header, 0, sizeof(*header));
    header->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    header->csum_start = (uint16_t)start;
    header->csum_offset = (uint16_t)offset;
    return header;
}

/* What the frame has beyond its packet means nothing. */
static void expect_length(uint32_t length)
{
    if (gem.emulated) {
        assert_true(gem.sent[0].length == length || gem.sent[0].length == length + 4);
    } else {
        assert_int_equal(gem.sent[0].length, length);
    }
}

/* The driver's caller has put the pseudo-header's sum into the field; the card's frame is whole. */
static void expect_sum(uint32_t version, uint32_t protocol, bool tagged, uint32_t payload)
{
    uint32_t length = make_packet(version, protocol, tagged, payload);
    uint32_t header = version == 4 ? 20 : 40;
    uint32_t transport = (tagged ? 18 : 14) + header;
    uint32_t offset = protocol == 6 ? 16 : 6;
    uint8_t *frame = record + SWITCH_HEADER;
    const uint8_t *addresses = frame + transport - (version == 4 ? 8 : 32);
    uint32_t bytes = version == 4 ? 8 : 32;
    uint32_t right;

    put16(frame + transport + offset, 0);
    right = checksum(addresses, bytes, protocol, frame + transport, length - transport);
    right = right == 0 ? 0xffff : right;
    uint8_t zeros[1] = {0};
    uint32_t pseudo = checksum(addresses, bytes, protocol + length - transport, zeros, 0) ^ 0xffff;
    put16(frame + transport + offset, pseudo);
    partial(transport, offset);
    gem.sent_count = 0;
    assert_true(put(SWITCH_HEADER + length));
    notified(SWITCH);
    assert_int_equal(gem.sent_count, 1);
    expect_length(length);
    assert_int_equal(get16(gem.sent[0].frame + transport + offset), right);
    put16(frame + transport + offset, right);
    assert_memory_equal(gem.sent[0].frame, frame, length);
    /* And one that has been computed already leaves as it is. */
    memset(record, 0, SWITCH_HEADER);
    gem.sent_count = 0;
    assert_true(put(SWITCH_HEADER + length));
    notified(SWITCH);
    expect_length(length);
    assert_memory_equal(gem.sent[0].frame, frame, length);
}

static void expect_sums(void)
{
    static const uint32_t payloads[] = {0, 1, 2, 3, 100, 1401};

    for (unsigned i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
        for (int tagged = 0; tagged < 2; tagged++) {
            expect_sum(4, 6, tagged, payloads[i]);
            expect_sum(4, 17, tagged, payloads[i]);
            expect_sum(6, 6, tagged, payloads[i]);
            expect_sum(6, 17, tagged, payloads[i]);
        }
    }
}

static void sums_are_right(void **state)
{
    (void)state;
    expect_sums();
    gem.emulated = true;
    expect_sums();
}

/* What looks like UDP in IPv6 but for one thing goes as any other frame. */
static void short_frames_are_taken_for_what_they_are(void **state)
{
    uint8_t *frame = record + SWITCH_HEADER;

    (void)state;
    for (int kind = 0; kind < 6; kind++) {
        uint32_t length = make_packet(6, 17, false, 2);

        switch (kind) {
        case 0:
            frame[14] = 0x40;
            break;
        case 1:
            frame[20] = 58; /* ICMPv6 */
            break;
        case 2:
            put16(frame + 18, 7); /* too short for UDP, */
            break;
        case 3:
            put16(frame + 18, 1000); /* longer than the frame */
            break;
        case 4:
            length = 61; /* not all of it */
            break;
        default:
            put16(frame + 12, 0x88a8);
            break;
        }
        gem.emulated = true; /* it would send an FCS that it was given */
        gem.sent_count = 0;
        memset(record, 0, SWITCH_HEADER);
        assert_true(put(SWITCH_HEADER + length));
        notified(SWITCH);
        assert_int_equal(gem.sent_count, 1);
        assert_int_equal(gem.sent[0].length, length);
        assert_memory_equal(gem.sent[0].frame, frame, length);
    }
}

/* What the card might compute otherwise than the header says, or not at all, software does. */
static void what_the_card_is_not_sure_of_is_computed_before(void **state)
{
    uint8_t *frame = record + SWITCH_HEADER;
    uint8_t *ip = frame + 14;

    (void)state;
    for (int kind = 0; kind < 7; kind++) {
        uint32_t length = make_packet(4, 6, false, 200);
        uint32_t start = 34;
        uint32_t offset = 16;

        switch (kind) {
        case 0:
            put16(ip + 6, 0x2000); /* a fragment */
            break;
        case 1:
            put16(ip + 6, 0x00b9);
            break;
        case 2:
            start = 60; /* inside, as in a tunnel */
            offset = 6;
            put16(frame + 34 + 16, 0);
            break;
        case 3:
            ip[9] = 132; /* another protocol */
            break;
        case 4:
            put16(ip + 2, 5000); /* longer than the frame */
            break;
        case 5:
            ip[0] = 0x42;
            break;
        default:
            put16(frame + 12, 0x88a8);
            break;
        }
        partial(start, offset);
        put16(frame + start + offset, 0x1234);
        /* Of what begins at `start`, without a pseudo-header: the field holds its part. */
        uint32_t right = checksum(NULL, 0, 0u - (length - start), frame + start, length - start);
        gem.sent_count = 0;
        assert_true(put(SWITCH_HEADER + length));
        notified(SWITCH);
        assert_int_equal(gem.sent_count, 1);
        assert_int_equal(get16(gem.sent[0].frame + start + offset), right);
    }
}

static void padding_is_not_summed(void **state)
{
    uint32_t length = make_packet(4, 17, false, 4);
    uint8_t *frame = record + SWITCH_HEADER;

    (void)state;
    memset(frame + length, 0, 60 - length);
    put16(frame + 34 + 6, 0);
    uint32_t right = checksum(frame + 26, 8, 17, frame + 34, length - 34);
    put16(frame + 34 + 6, right);
    memset(record, 0, SWITCH_HEADER);
    assert_true(put(SWITCH_HEADER + 60));
    notified(SWITCH);
    assert_int_equal(gem.sent[0].length, 60);
    assert_int_equal(get16(gem.sent[0].frame + 34 + 6), right);
}

static void what_the_card_has_checked_is_said(void **state)
{
    (void)state;
    for (uint32_t sums = 0; sums < 4; sums++) {
        make(100, 5);
        assert_true(gem_receives(record + SWITCH_HEADER, 100, sums << 22));
        interrupt();
        assert_true(got_with(100, 5, sums >= 2 ? VIRTIO_NET_HDR_F_DATA_VALID : 0));
    }
}

/* ---- Waiting ---- */

static void slow_card_leaves_frames_with_the_switch(void **state)
{
    unsigned put_count = 0;
    unsigned done = 0;

    (void)state;
    gem.slow = true;
    for (int i = 0; i < 10; i++) {
        make(1000, (uint8_t)put_count);
        while (put(SWITCH_HEADER + 1000)) {
            put_count++;
            make(1000, (uint8_t)put_count);
        }
        notified(SWITCH);
    }
    assert_true(put_count > TX_BUFFERS);
    assert_int_not_equal(gem.imr & GEM_INT_TCOMP, GEM_INT_TCOMP); /* it waits for the first */
    while (gem_transmits(1) != 0 || gem.isr != 0) {
        done += gem.sent_count;
        if (gem.sent_count != 0) {
            assert_true(was_sent(0, 1000, (uint8_t)(done - 1)));
        }
        gem.sent_count = 0;
        interrupt();
    }
    assert_int_equal(done, put_count);
}

/* The card stops after it has seen that there is no more, and before it is started again. */
static void start_that_comes_too_early_is_not_lost(void **state)
{
    (void)state;
    gem.slow = true;
    send(60, 1);
    assert_int_equal(gem_transmits(1), 1); /* and it is about to see that this was all */
    struct gem_descriptor *next = descriptor_at(gem.tx_at);
    send(60, 2);
    assert_int_equal(next->control & GEM_TX_USED, 0);
    next->control |= GEM_TX_USED; /* it has read this before */
    assert_int_equal(gem_transmits(1), 0);
    next->control &= ~GEM_TX_USED;
    assert_false(gem.tx_on);
    interrupt();
    assert_int_equal(gem_transmits(2), 1);
    assert_true(was_sent(1, 60, 2));
    interrupt();
    assert_int_equal(gem.isr, 0);
}

static void fill_ring(void)
{
    unsigned received = 0;
    unsigned seen = 0;
    unsigned interrupts = 0;

    gem.dropped = 0;
    for (int i = 0; i < 3000; i++) {
        make(1514, (uint8_t)received);
        received += gem_receives(record + SWITCH_HEADER, 1514, 0);
        interrupts += gem.isr != 0;
        interrupt();
        ring_take_space_wanted(&from_driver);
    }
    assert_true(received > RX_BUFFERS);
    assert_true(gem.dropped > 100);
    assert_true(interrupts < received); /* dropping costs nothing */
    for (int i = 0; i < 100 && seen < received; i++) {
        while (!got_nothing()) {
            assert_true(got_plain(1514, (uint8_t)seen));
            seen++;
        }
        ring_take_space_wanted(&from_driver);
        notified(SWITCH);
        interrupt();
    }
    assert_int_equal(seen, received);
    for (int i = 0; i < 1000; i++) {
        receive(60, (uint8_t)i);
        assert_true(got_plain(60, (uint8_t)i));
    }
}

static void full_ring_leaves_frames_with_the_card(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) { /* and it can happen again */
        fill_ring();
    }
}

/* ---- A card that lies, or fails ---- */

static void expect_given_up(const char *cause)
{
    unsigned acks = fake.irq_acks[IRQ];

    assert_int_equal(accepts(), 0);
    assert_true(has_said("the card is given up"));
    assert_true(has_said(cause));
    assert_int_equal(gem.ncr & (GEM_NCR_RE | GEM_NCR_TE), 0);
    gem.isr = UINT32_MAX;
    notified(IRQ);
    send(60, 1);
    assert_int_equal(fake.irq_acks[IRQ], acks);
}

static void refused_access_is_the_end(void **state)
{
    (void)state;
    raise_interrupt(GEM_INT_HRESP);
    interrupt();
    expect_given_up("the bus refuses it an access to memory");
    prepare();
    begin();
    gem.never_stops = true;
    raise_interrupt(GEM_INT_HRESP);
    interrupt();
    assert_true(has_said("it does not stop"));
}

static void transmitter_begins_anew_after_an_error(void **state)
{
    static const uint32_t errors[] = {GEM_INT_TUND, GEM_INT_RLE, GEM_INT_TXERR};

    (void)state;
    for (unsigned round = 0; round < 100; round++) {
        gem.slow = true;
        for (uint8_t i = 0; i < 10; i++) {
            send(60, i);
        }
        gem_transmits(3);
        raise_interrupt(errors[round % 3]);
        interrupt(); /* the rest is lost */
        gem.slow = false;
        gem.sent_count = 0;
        for (uint8_t i = 0; i < 3; i++) {
            send(70, i);
            assert_true(was_sent(i, 70, i));
        }
    }
}

static void transmitter_that_always_fails_is_the_end(void **state)
{
    static const uint32_t errors[] = {GEM_INT_TUND, GEM_INT_TXERR, GEM_INT_RLE,
                                      GEM_INT_RLE | GEM_INT_TXERR};

    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        int count = 0;

        prepare();
        begin();
        for (; count < 100 && accepts() != 0; count++) {
            raise_interrupt(errors[kind]);
            interrupt();
        }
        assert_int_equal(count, 17);
        expect_given_up("its transmitter fails again and again");
    }
}

/* Whether the driver has looked at the descriptors meanwhile or not. */
static void transmitter_that_fails_now_and_then_is_not_given_up(void **state)
{
    (void)state;
    gem.slow = true;
    for (int round = 0; round < 100; round++) {
        for (uint8_t i = 0; i < 10; i++) {
            make(60, i);
            assert_true(put(SWITCH_HEADER + 60));
        }
        notified(SWITCH);
        assert_int_equal(gem_transmits(3), 3);
        gem.sent_count = 0;
        raise_interrupt(GEM_INT_TUND);
        interrupt();
    }
    assert_int_equal(accepts(), NET_PORT_UP | NET_PORT_CSUM);
}

/* A frame that the chip gives back because it has failed has not been sent. */
static void failed_frames_are_not_sent_ones(void **state)
{
    static const uint32_t marks[] = {1u << 29, 1u << 27, 1u << 26};
    int round = 0;

    (void)state;
    gem.slow = true;
    for (; round < 100 && accepts() != 0; round++) {
        send(60, 1);
        descriptor_at(gem.tx_at)->control |= GEM_TX_USED | marks[round % 3];
        raise_interrupt(GEM_INT_TXERR);
        interrupt();
    }
    assert_int_equal(round, 17);
    expect_given_up("its transmitter fails again and again");
}

static void link_of(uint16_t other)
{
    set_link(false);
    tick();
    phy[PHY_GBSR] = 0;
    phy[PHY_ANLPAR] = other;
    set_link(true);
    tick();
}

/* Who shares a line with others meets collisions, and no card is the worse for it. */
static void collisions_are_the_lines(void **state)
{
    (void)state;
    link_of(PHY_100_HD);
    assert_int_equal(gem.ncfgr & GEM_NCFGR_FD, 0);
    gem.slow = true;
    for (int i = 0; i < 500; i++) {
        send(60, 1);
        raise_interrupt(GEM_INT_RLE);
        interrupt();
    }
    assert_int_equal(accepts(), NET_PORT_UP | NET_PORT_CSUM);
    gem.slow = false;
    gem.sent_count = 0;
    send(60, 2);
    assert_true(was_sent(0, 60, 2));
    for (int i = 0; i < 17; i++) { /* other errors are the card's there as well */
        raise_interrupt(GEM_INT_RLE | GEM_INT_TUND);
        interrupt();
    }
    expect_given_up("its transmitter fails again and again");
}

/* Another link is another start, whatever its speed. */
static void errors_of_another_link_do_not_count(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 16; i++) {
            raise_interrupt(GEM_INT_TUND);
            interrupt();
        }
        if (round % 2 == 0) {
            link_of(PHY_100_FD);
        } else {
            set_link(false);
            tick();
            set_link(true);
            tick();
        }
        assert_int_equal(accepts(), NET_PORT_UP | NET_PORT_CSUM);
    }
}

static void interrupts_without_a_cause_are_the_end(void **state)
{
    (void)state;
    for (int i = 0; i < 999; i++) {
        notified(IRQ);
    }
    receive(60, 1);
    for (int i = 0; i < 999; i++) {
        gem.isr = GEM_INT_RCOMP; /* what it says means nothing */
        notified(IRQ);
    }
    assert_int_equal(accepts(), NET_PORT_UP | NET_PORT_CSUM);
    notified(IRQ);
    expect_given_up("it interrupts without a cause");
}

/* The timer's, of an hour in which nothing else happens. */
static void seconds_without_a_frame_are_no_storm(void **state)
{
    (void)state;
    for (int i = 0; i < 3600; i++) {
        tick();
    }
    assert_int_equal(accepts(), NET_PORT_UP | NET_PORT_CSUM);
}

static void what_is_no_frame_is_dropped(void **state)
{
    static const uint32_t wrong[] = {
        0,
        GEM_RX_SOF | GEM_RX_EOF,        /* of no length */
        GEM_RX_SOF | GEM_RX_EOF | 1537, /* too long for the chip, */
        GEM_RX_SOF | GEM_RX_EOF | 2049, /* and for the buffer */
        GEM_RX_SOF | GEM_RX_EOF | GEM_RX_LENGTH,
        GEM_RX_SOF | 100,
        GEM_RX_EOF | 100,
        100,
        ~(GEM_RX_SOF | GEM_RX_EOF),
    };

    (void)state;
    make(1514, 0);
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_true(gem_fills(record, 2048, wrong[i]));
        raise_interrupt(GEM_INT_RCOMP);
        interrupt();
        assert_true(got_nothing());
        receive(60, (uint8_t)i);
        assert_true(got_plain(60, (uint8_t)i));
    }
    for (unsigned i = 0; i < RX_BUFFERS - 1; i++) {
        assert_true(gem_fills(record, 2048, wrong[i % 9]));
    }
    receive(60, 77);
    assert_true(got_plain(60, 77));
    assert_true(got_nothing());
}

static void receives_without_frames(unsigned count)
{
    make(1514, 0);
    for (unsigned i = 0; i < count; i++) {
        assert_true(gem_fills(record, 100, GEM_RX_SOF));
        if (i % 100 == 99 || i + 1 == count) {
            raise_interrupt(GEM_INT_RCOMP);
            interrupt();
        }
    }
}

static void card_that_receives_no_frames_is_the_end(void **state)
{
    (void)state;
    receives_without_frames(2 * RX_BUFFERS - 1);
    receive(60, 1);
    assert_true(got_plain(60, 1));
    receives_without_frames(2 * RX_BUFFERS - 1);
    assert_int_equal(accepts(), NET_PORT_UP | NET_PORT_CSUM);
    assert_true(gem_fills(record, 100, GEM_RX_EOF));
    interrupt();
    raise_interrupt(GEM_INT_RCOMP);
    interrupt();
    expect_given_up("what it receives is never a frame");
}

static atomic_bool flood_ends;
static atomic_uint flooded;

/* Give each buffer back as soon as it is posted, without a frame in it. */
static void *flood(void *unused)
{
    volatile struct gem_descriptor *rx =
        (void *)descriptor_at((uint64_t)gem.rbqph << 32 | gem.rbqp);

    for (unsigned i = 0; !flood_ends && flooded < 1000000; i = (i + 1) % RX_BUFFERS) {
        if ((rx[i].address & GEM_RX_USED) == 0) {
            rx[i].address |= GEM_RX_USED;
            flooded++;
        }
    }
    return unused;
}

/* However fast it is: nothing else would ever run. */
static void flood_of_no_frames_ends(void **state)
{
    pthread_t card;

    (void)state;
    flood_ends = false;
    flooded = 0;
    assert_int_equal(pthread_create(&card, NULL, flood, NULL), 0);
    while (accepts() != 0 && flooded < 1000000) {
        notified(SWITCH);
    }
    flood_ends = true;
    pthread_join(card, NULL);
    assert_true(flooded <= 3 * RX_BUFFERS);
    expect_given_up("what it receives is never a frame");
}

/* Where a buffer lies is the driver's own knowledge. */
static void addresses_in_descriptors_mean_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 600; i++) {
        struct gem_descriptor *descriptor = descriptor_at(gem.rx_at);

        make(100, (uint8_t)i);
        assert_true(gem_receives(record + SWITCH_HEADER, 100, 0));
        descriptor->address = GEM_RX_USED | 0x1000u;
        descriptor->address_high = UINT32_MAX;
        descriptor->unused = UINT32_MAX;
        interrupt();
        assert_true(got_plain(100, (uint8_t)i));
    }
}

static void frames_said_to_be_sent_too_early_are_only_lost(void **state)
{
    (void)state;
    gem.slow = true;
    for (int i = 0; i < 2000; i++) {
        send(1514, (uint8_t)i);
        for (unsigned k = 0; k < TX_BUFFERS; k++) {
            descriptor_at(((uint64_t)gem.tbqph << 32 | gem.tbqp) + 16 * k)->control |= GEM_TX_USED;
        }
    }
    assert_int_equal(accepts(), NET_PORT_UP | NET_PORT_CSUM);
}

static void ones_in_the_status_are_the_end(void **state)
{
    (void)state;
    gem.ones = true;
    notified(IRQ);
    gem.ones = false;
    expect_given_up("the bus refuses");
}

/* A record longer than any frame is copied before it is judged. */
static void long_records_touch_no_frame(void **state)
{
    static uint8_t before[(RX_BUFFERS + TX_BUFFERS) * 2048];

    (void)state;
    gem.slow = true;
    for (uint8_t i = 0; i < 5; i++) {
        send(1514, i);
    }
    memcpy(before, dma, sizeof(before));
    make(65000, 1);
    assert_true(put(SWITCH_HEADER + 65000));
    assert_true(put(SWITCH_HEADER + 1519));
    notified(SWITCH);
    assert_memory_equal(dma, before, sizeof(before));
}

static void hostile_records_go_nowhere(void **state)
{
    struct virtio_net_hdr_v1 *header = (void *)record;
    static const uint32_t wrong[] = {0,
                                     1,
                                     11,
                                     12,
                                     25,
                                     SWITCH_HEADER + 1519,
                                     SWITCH_HEADER + 65553,
                                     SWITCH_HEADER + 65554,
                                     SWITCH_HEADER + 70000};

    (void)state;
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        make(70000, 1);
        assert_true(put(wrong[i]));
        notified(SWITCH);
    }
    uint32_t length = make_packet(4, 6, false, 1400);
    partial(length - 17, 16); /* the field lies beyond the frame */
    assert_true(put(SWITCH_HEADER + length));
    partial(34, 16);
    header->gso_type = VIRTIO_NET_HDR_GSO_TCPV4; /* the card cuts nothing */
    header->gso_size = 100;
    assert_true(put(SWITCH_HEADER + length));
    notified(SWITCH);
    assert_int_equal(gem.sent_count, 0);
    for (int i = 0; i < 600; i++) { /* and nothing of it takes buffers away */
        gem.sent_count = 0;
        send(1514, (uint8_t)i);
        assert_true(was_sent(0, 1514, (uint8_t)i));
    }
}

int main(void)
{
#define CASE(name)                                                                                 \
    cmocka_unit_test_prestate_setup_teardown(name, set_up, tear_down, NULL),                       \
        cmocka_unit_test_prestate_setup_teardown(name, set_up, tear_down, &clears_by_read)
    const struct CMUnitTest tests[] = {
        CASE(it_is_set_up),
        CASE(descriptors_are_invalidated_first),
        CASE(without_a_card_the_port_stays_down),
        CASE(link_goes_down_and_up),
        CASE(link_at_start_may_come_later),
        CASE(speed_is_what_was_negotiated),
        CASE(stuck_management_port_costs_little),
        CASE(frames_go_out),
        CASE(frames_come_in),
        CASE(buffers_are_used_again),
        CASE(batch_is_one_start),
        CASE(batch_is_one_interrupt),
        CASE(sums_are_right),
        CASE(short_frames_are_taken_for_what_they_are),
        CASE(what_the_card_is_not_sure_of_is_computed_before),
        CASE(padding_is_not_summed),
        CASE(what_the_card_has_checked_is_said),
        CASE(slow_card_leaves_frames_with_the_switch),
        CASE(start_that_comes_too_early_is_not_lost),
        CASE(full_ring_leaves_frames_with_the_card),
        CASE(refused_access_is_the_end),
        CASE(transmitter_begins_anew_after_an_error),
        CASE(transmitter_that_always_fails_is_the_end),
        CASE(transmitter_that_fails_now_and_then_is_not_given_up),
        CASE(failed_frames_are_not_sent_ones),
        CASE(collisions_are_the_lines),
        CASE(errors_of_another_link_do_not_count),
        CASE(interrupts_without_a_cause_are_the_end),
        CASE(seconds_without_a_frame_are_no_storm),
        CASE(what_is_no_frame_is_dropped),
        CASE(card_that_receives_no_frames_is_the_end),
        CASE(flood_of_no_frames_ends),
        CASE(addresses_in_descriptors_mean_nothing),
        CASE(frames_said_to_be_sent_too_early_are_only_lost),
        CASE(ones_in_the_status_are_the_end),
        CASE(long_records_touch_no_frame),
        CASE(hostile_records_go_nowhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
