/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A guest as bare-metal programs and small operating systems are: a timer that interrupts 100 times
 * a second (`bare.hz=N` among the boot arguments: N times), a network card that interrupts, and a
 * loop that waits for either. It answers ARP and pings, and pings another machine five times a
 * second. It has its address from the boot arguments, as Linux guests do (`braid.net0`), and the
 * other's from `bare.ping=ADDRESS`. Each second it says:
 *
 *     bare: N s: T ticks, L lost, mean M ns, worst W ns; P pings answered, R of S answers came
 *
 * How late a tick is, is measured where it is handled: the counter less the deadline. A tick is
 * lost if the next one's deadline has passed when it is handled. Mean and worst are since the
 * start. With `bare.seconds=N` among the arguments it says all of that once, after N seconds, and
 * nothing before: to print takes time. Then it also says how many ticks were late by how many whole
 * microseconds, in a line for each number that there is:
 *
 *     bare: N us late: T
 *
 * The last number, 8191, stands for all that is more. A key `r` resets the machine; with
 * `bare.long=N`, a key `l` sends a broadcast of N bytes. A key `h` has it wait for ever in the
 * handler of an interrupt, a key `m` with all interrupts masked by their priority. Its buffers to
 * receive in hold 2036 bytes of a frame. The MMU is off.
 */

#include "bare.h"

#include "tests/system/hostile/card.h"

#define PINGS_PER_SECOND 5u

#define LATE_CLASSES 8192u /* one for each microsecond; the last has all that are later */

#define INTID_FIRST_BUS 48u /* of the device in the first page */

#define BUFFERS          8u
#define BUFFER_SIZE      2048u
#define LONG_FRAME       65536u /* its offset; the buffers are in front */
#define LONG_FRAME_MAX   60000u
#define INTERRUPT_STATUS 0x060

#define ETHERNET        14u
#define TYPE_ARP        0x0806u
#define TYPE_IPV4       0x0800u
#define TYPE_EXPERIMENT 0x88b5u /* IEEE 802, local */
#define ARP_LENGTH      28u
#define IP_HEADER       20u
#define ICMP            1u
#define ECHO            8u
#define PING_DATA       56u

/* What interrupts count, and the loop reads. */
static volatile struct {
    uint64_t ticks, lost, late_sum, late_worst;
    bool received;
    bool waits_in_handler;
    uint32_t late[LATE_CLASSES];
} seen;

static struct {
    uint64_t period, deadline; /* of the counter */
    uint32_t card_intid;
    uint16_t rx_taken, tx_sent;
    uint8_t mac[6], peer_mac[6];
    uint32_t ip, peer_ip;
    bool knows_peer;
    uint32_t answered, pings, answers;
    unsigned hz;
    unsigned seconds; /* after which it reports; 0: each second */
    unsigned length;  /* of the broadcast that a key sends; 0: none */
} me;

void on_abort(struct saved *saved);
void on_interrupt(void);
void bare(const char *device_tree);

/* ---- Interrupts ---- */

static void set_deadline(uint64_t deadline)
{
    __asm__ volatile("msr cntv_cval_el0, %0; isb" ::"r"(deadline));
}

static void tick(void)
{
    uint64_t late = now() - me.deadline;

    seen.ticks++;
    seen.late_sum += late;
    /* cppcheck-suppress zerodiv ; the counter counts */
    uint64_t microseconds = late * 1000000 / milliseconds(1000);
    seen.late[microseconds < LATE_CLASSES ? microseconds : LATE_CLASSES - 1]++;
    if (late > seen.late_worst) {
        seen.late_worst = late;
    }
    for (me.deadline += me.period; late >= me.period; late -= me.period) {
        me.deadline += me.period;
        seen.lost++;
    }
    set_deadline(me.deadline);
}

/* An interrupt is pending all the time. It is not one that a WFI may end for. */
static void wait_for_ever(void)
{
    print("bare: waits\r\n");
    for (;;) {
        __asm__ volatile("wfi" ::: "memory");
    }
}

void on_interrupt(void)
{
    uint32_t id = take_interrupt();
    uint32_t intid = id & 0x3ff;

    if (seen.waits_in_handler) {
        wait_for_ever();
    }

    if (intid == INTID_TIMER) {
        tick();
    } else if (intid == me.card_intid) {
        write32(net + INTERRUPT_ACK, read32(net + INTERRUPT_STATUS));
        seen.received = true;
    }
    end_interrupt(id);
}

void on_abort(struct saved *saved)
{
    print("bare: ABORT\r\n");
    saved->elr += 4;
}

static void set_up_interrupts(void)
{
    open_distributor();
    enable(INTID_TIMER);
    if (me.card_intid != 0) {
        enable(me.card_intid);
    }
    let_interrupts_come();
}

static void start_timer(void)
{
    me.period = milliseconds(1000) / me.hz;
    me.deadline = now() + me.period;
    set_deadline(me.deadline);
    __asm__ volatile("msr cntv_ctl_el0, %0; isb" ::"r"(1UL));
}

/* With interrupts open a WFI ends, too: the handler returns to what is behind it. */
static void wait_for_ticks(unsigned count)
{
    uint64_t end = seen.ticks + count;

    __asm__ volatile("msr daifclr, #2; isb" ::: "memory");
    while (seen.ticks < end) {
        __asm__ volatile("wfi" ::: "memory");
    }
}

/* ---- Frames ---- */

static uint32_t get(const volatile uint8_t *at, unsigned bytes)
{
    uint32_t value = 0;

    while (bytes-- > 0) {
        value = value << 8 | *at++;
    }
    return value;
}

static void set(volatile uint8_t *at, unsigned bytes, uint32_t value)
{
    while (bytes-- > 0) {
        at[bytes] = (uint8_t)value;
        value >>= 8;
    }
}

static void copy(volatile uint8_t *to, const volatile uint8_t *from, unsigned bytes)
{
    while (bytes-- > 0) {
        *to++ = *from++;
    }
}

/* RFC 1071 */
static uint16_t checksum(const volatile uint8_t *at, unsigned bytes)
{
    uint32_t sum = 0;

    for (unsigned i = 0; i < bytes; i += 2) {
        sum += get(at + i, 2);
    }
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

static volatile uint8_t *buffer(unsigned queue, unsigned slot)
{
    return frame + (queue * BUFFERS + slot) * BUFFER_SIZE;
}

/* A frame to send, behind the card's header, which stays zero; NULL: all are on their way. */
static volatile uint8_t *new_frame(const volatile uint8_t *to, uint32_t type)
{
    volatile uint8_t *f = buffer(TX, me.tx_sent % BUFFERS) + NET_HEADER;

    if ((uint16_t)(me.tx_sent - used[TX].index) >= BUFFERS) {
        return NULL;
    }
    copy(f, to, 6);
    copy(f + 6, me.mac, 6);
    set(f + 12, 2, type);
    return f;
}

/* `length` bytes from the Ethernet header on. */
static void send(uint32_t length)
{
    unsigned slot = me.tx_sent++ % BUFFERS;

    describe(TX, slot, (uintptr_t)buffer(TX, slot), NET_HEADER + (length < 60 ? 60 : length), 0, 0);
    offer(TX, (uint16_t)slot);
}

static void send_arp(const volatile uint8_t *to, uint32_t operation, const uint8_t *mac,
                     uint32_t ip)
{
    volatile uint8_t *f = new_frame(to, TYPE_ARP);

    if (f == NULL) {
        return;
    }
    f += ETHERNET; /* RFC 826, for Ethernet and IPv4 */
    set(f, 4, 0x00010800);
    set(f + 4, 4, 0x06040000 | operation);
    copy(f + 8, me.mac, 6);
    set(f + 14, 4, me.ip);
    copy(f + 18, mac, 6);
    set(f + 24, 4, ip);
    send(ETHERNET + ARP_LENGTH);
}

static void on_arp(const volatile uint8_t *arp, uint32_t length)
{
    uint8_t mac[6];
    uint32_t ip = get(arp + 14, 4);

    if (length < ARP_LENGTH || get(arp + 24, 4) != me.ip) {
        return;
    }
    copy(mac, arp + 8, 6);
    if (ip == me.peer_ip) {
        copy(me.peer_mac, mac, 6);
        me.knows_peer = true;
    }
    if (get(arp + 6, 2) == 1) {
        send_arp(mac, 2, mac, ip);
    }
}

/* The same packet goes back: sender and receiver change places, so that the header's sum holds. */
static void answer(const volatile uint8_t *from, uint32_t length)
{
    volatile uint8_t *f = new_frame(from + 6, TYPE_IPV4);
    volatile uint8_t *ip = f + ETHERNET;
    volatile uint8_t *icmp = ip + IP_HEADER;

    if (f == NULL) {
        return;
    }
    copy(ip, from + ETHERNET, length - ETHERNET);
    ip[length - ETHERNET] = 0; /* an odd number of bytes has this one in its sum */
    copy(ip + 12, from + ETHERNET + 16, 4);
    copy(ip + 16, from + ETHERNET + 12, 4);
    set(icmp, 4, 0);
    set(icmp + 2, 2, checksum(icmp, length - ETHERNET - IP_HEADER));
    send(length);
    me.answered++;
}

static void on_ipv4(const volatile uint8_t *f, uint32_t length)
{
    const volatile uint8_t *ip = f + ETHERNET;
    uint32_t total = get(ip + 2, 2);

    /* 0x45: version 4, no options */
    if (total < IP_HEADER + 8 || total > length - ETHERNET || ip[0] != 0x45 || ip[9] != ICMP ||
        get(ip + 16, 4) != me.ip) {
        return;
    }
    if (ip[IP_HEADER] == ECHO) {
        answer(f, ETHERNET + total);
    } else if (ip[IP_HEADER] == 0) {
        me.answers++;
    }
}

static void ping(void)
{
    static const uint8_t nobody[6];
    static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

    if (!me.knows_peer) {
        send_arp(all, 1, nobody, me.peer_ip);
        return;
    }
    volatile uint8_t *f = new_frame(me.peer_mac, TYPE_IPV4);
    if (f == NULL) {
        return;
    }
    volatile uint8_t *ip = f + ETHERNET;
    volatile uint8_t *icmp = ip + IP_HEADER;
    for (unsigned i = 0; i < IP_HEADER + 8 + PING_DATA; i++) {
        ip[i] = 0;
    }
    set(ip, 4, 0x45000000 | (IP_HEADER + 8 + PING_DATA));
    ip[8] = 64; /* time to live */
    ip[9] = ICMP;
    set(ip + 12, 4, me.ip);
    set(ip + 16, 4, me.peer_ip);
    set(ip + 10, 2, checksum(ip, IP_HEADER));
    icmp[0] = ECHO;
    set(icmp + 6, 2, ++me.pings);
    set(icmp + 2, 2, checksum(icmp, 8 + PING_DATA));
    send(ETHERNET + IP_HEADER + 8 + PING_DATA);
}

/* From behind the buffers, where there is room for it. */
static void send_long(void)
{
    unsigned slot = me.tx_sent % BUFFERS;
    volatile uint8_t *f = frame + LONG_FRAME + NET_HEADER;

    if (me.length < ETHERNET || (uint16_t)(me.tx_sent - used[TX].index) >= BUFFERS) {
        return;
    }
    set(f, 4, 0xffffffff);
    set(f + 4, 2, 0xffff);
    copy(f + 6, me.mac, 6);
    set(f + 12, 2, TYPE_EXPERIMENT);
    me.tx_sent++;
    describe(TX, slot, (uintptr_t)frame + LONG_FRAME, NET_HEADER + me.length, 0, 0);
    offer(TX, (uint16_t)slot);
}

static void receive(void)
{
    while (me.rx_taken != used[RX].index) {
        unsigned place = me.rx_taken++ % QUEUE_SIZE_USED;
        unsigned slot = used[RX].ring[place].id % BUFFERS;
        uint32_t length = used[RX].ring[place].length;
        volatile uint8_t *f = buffer(RX, slot) + NET_HEADER;

        if (length >= NET_HEADER + ETHERNET + IP_HEADER && length <= BUFFER_SIZE) {
            uint32_t type = get(f + 12, 2);
            length -= NET_HEADER;
            if (type == TYPE_ARP) {
                on_arp(f + ETHERNET, length - ETHERNET);
            } else if (type == TYPE_IPV4) {
                on_ipv4(f, length);
            }
        }
        offer(RX, (uint16_t)slot);
    }
}

static void start_card(void)
{
    if (!find_card()) {
        return;
    }
    me.card_intid = INTID_FIRST_BUS + (uint32_t)((net - BUS) / 0x1000);
    for (unsigned i = 0; i < 6; i++) {
        me.mac[i] = read8(net + CONFIG + i);
    }
    start();
    avail[TX].flags = 1; /* VIRTQ_AVAIL_F_NO_INTERRUPT */
    for (unsigned slot = 0; slot < BUFFERS; slot++) {
        describe(RX, slot, (uintptr_t)buffer(RX, slot), BUFFER_SIZE, F_WRITE, 0);
        offer(RX, (uint16_t)slot);
    }
}

/* ---- The boot arguments ---- */

static uint32_t address(const char *text)
{
    uint32_t ip = 0;

    for (unsigned i = 0; text != NULL && i < 4; i++) {
        ip = ip << 8 | number(&text);
        text++; /* the dot */
    }
    return ip;
}

/* ---- The loop ---- */

static void report_classes(void)
{
    for (unsigned i = 0; i < LATE_CLASSES; i++) {
        if (seen.late[i] != 0) {
            say("bare: ", i, " us late: ");
            say("", seen.late[i], "\r\n");
        }
    }
}

static void report(void)
{
    if (me.seconds != 0) {
        /* For good: to print takes longer than a tick, and is none of what is measured. */
        __asm__ volatile("msr daifset, #2" ::: "memory");
        report_classes();
    }
    uint64_t ticks = seen.ticks;

    say("bare: ", (ticks + seen.lost) / me.hz, " s: ");
    say("", ticks, " ticks, ");
    say("", seen.lost, " lost, ");
    /* cppcheck-suppress zerodiv ; it has ticked for a second */
    say("mean ", nanoseconds(seen.late_sum / ticks), " ns, ");
    say("worst ", nanoseconds(seen.late_worst), " ns; ");
    say("", me.answered, " pings answered, ");
    say("", me.answers, " of ");
    say("", me.pings, " answers came\r\n");
}

/* A reset brings this back to what the file says, and all that the file says nothing of to zero. */
static volatile unsigned begins = 1;

static void look_for_key(void)
{
    if ((read32(UART + UART_FR) & 0x10) != 0) {
        return;
    }
    switch (read32(UART)) {
    case 'r':
        (void)smc(PSCI_SYSTEM_RESET, 0, 0, 0);
        break;
    case 'l':
        send_long();
        break;
    case 'h':
        seen.waits_in_handler = true;
        break;
    case 'm':
        set_priority_mask(0);
        wait_for_ever();
        break;
    default:
        break;
    }
}

static uint64_t next_ping, next_report;

static bool is_to_do(void)
{
    return seen.received || seen.ticks >= next_ping || seen.ticks >= next_report;
}

void bare(const char *device_tree)
{
    me.hz = number_of(device_tree, "bare.hz=");
    me.hz = me.hz >= PINGS_PER_SECOND ? me.hz : 100;
    me.seconds = number_of(device_tree, "bare.seconds=");
    me.length = number_of(device_tree, "bare.long=");
    me.length = me.length < LONG_FRAME_MAX ? me.length : LONG_FRAME_MAX;
    me.ip = address(argument(device_tree, "braid.net0="));
    me.peer_ip = address(argument(device_tree, "bare.ping="));
    next_ping = me.peer_ip != 0 ? me.hz / PINGS_PER_SECOND : UINT64_MAX;
    next_report = (me.seconds != 0 ? me.seconds : 1) * me.hz;
    if (begins++ == 1 && seen.ticks == 0) {
        print("bare: begins\r\n");
    }
    write32(UART + 0x30, 0x301); /* UARTCR: on, both ways */
    start_card();
    set_up_interrupts();
    start_timer();
    wait_for_ticks(2);
    for (;;) {
        sleep_unless(is_to_do);
        if (seen.received) {
            seen.received = false;
            receive();
        }
        if (seen.ticks >= next_ping) {
            next_ping += me.hz / PINGS_PER_SECOND;
            ping();
        }
        if (seen.ticks >= next_report) {
            next_report = me.seconds != 0 ? UINT64_MAX : next_report + me.hz;
            report();
            look_for_key();
        }
    }
}
