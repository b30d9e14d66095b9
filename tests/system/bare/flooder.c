/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A guest that sends frames of 64 bytes as fast as its card takes them, and receives those of
 * others. It fills its transmit queue, kicks once if the card wants that, and waits for an
 * interrupt when it has nothing to do, as a driver for batches does. Boot arguments:
 *
 *     flooder.number=N  it is number N, from 1; the last byte of its MAC address
 *     flooder.count=N   it sends to those with the numbers 1 to N in turn, but not to itself
 *     flooder.ms=N      after N milliseconds it begins to count, for N more; another N later it
 * says
 *
 *         flooder: U us: R received, S sent in B batches, W wrong
 *
 * and goes on. What is wrong is the length of a frame that came, or its destination. The frames'
 * MAC addresses are 02:00:00:00:00:N, and the machines' have to be. The MMU is off.
 */

#define QUEUE_SIZE_USED 256u

#include "bare.h"
#include "tests/system/hostile/card.h"

#define INTID_FIRST_BUS  48u
#define INTERRUPT_STATUS 0x060u

#define LENGTH      64u  /* of a frame, from its destination to its end, without FCS */
#define BUFFER_SIZE 128u /* with the card's header */
#define BATCH       (QUEUE_SIZE_USED / 4)
#define MACHINES    32u
#define NO_NOTIFY   1u /* VIRTQ_USED_F_NO_NOTIFY */

static volatile uint8_t received[QUEUE_SIZE_USED][BUFFER_SIZE] __attribute__((aligned(4096)));
static volatile uint8_t sent[MACHINES][BUFFER_SIZE];

struct counts {
    uint64_t time;
    uint64_t received, sent, batches, wrong;
};

static struct {
    uint32_t card_intid;
    unsigned number, count;
    uint16_t rx_taken, tx_sent;
    struct counts now, begin, end;
} me;

void on_abort(struct saved *saved);
void on_interrupt(void);
void bare(const char *device_tree);

void on_abort(struct saved *saved)
{
    saved->elr += 4; /* find_card looks for the card where maybe nothing is */
}

void on_interrupt(void)
{
    uint32_t id = take_interrupt();

    if ((id & 0x3ff) == me.card_intid) {
        write32(net + INTERRUPT_ACK, read32(net + INTERRUPT_STATUS));
    }
    end_interrupt(id);
}

/* ---- Frames ---- */

static void set_address_of(volatile uint8_t *at, unsigned number)
{
    at[0] = 2;
    for (unsigned i = 1; i < 5; i++) {
        at[i] = 0;
    }
    at[5] = (uint8_t)number;
}

static void write_frame(unsigned to)
{
    volatile uint8_t *f = sent[to] + NET_HEADER;

    set_address_of(f, to);
    set_address_of(f + 6, me.number);
    f[12] = 0x88; /* IEEE 802: for experiments */
    f[13] = 0xb5;
}

/* The one behind `to` in turn. */
static unsigned next(unsigned to)
{
    do {
        to = to % me.count + 1;
    } while (to == me.number);
    return to;
}

static bool has_others(void)
{
    return me.count > 1 || (me.count == 1 && me.number != 1);
}

/* Both queues give buffers back in their order: the rings need not be written again. */
static void fill_queues(void)
{
    unsigned to = 0;

    for (uint16_t slot = 0; slot < QUEUE_SIZE_USED; slot++) {
        describe(RX, slot, (uintptr_t)received[slot], BUFFER_SIZE, F_WRITE, 0);
        avail[RX].ring[slot] = slot;
        avail[TX].ring[slot] = slot;
        if (has_others()) {
            to = next(to);
            describe(TX, slot, (uintptr_t)sent[to], NET_HEADER + LENGTH, 0, 0);
        }
    }
}

static void offer_many(unsigned queue, uint16_t count)
{
    __asm__ volatile("dmb sy" ::: "memory");
    avail[queue].index = (uint16_t)(avail[queue].index + count);
    __asm__ volatile("dmb sy" ::: "memory");
    if ((used[queue].flags & NO_NOTIFY) == 0) {
        write32(net + QUEUE_NOTIFY, queue);
    }
}

static uint16_t room_to_send(void)
{
    return (uint16_t)(QUEUE_SIZE_USED - (uint16_t)(me.tx_sent - used[TX].index));
}

static void send(void)
{
    uint16_t count = room_to_send();

    if (!has_others() || count < BATCH) {
        return;
    }
    me.tx_sent = (uint16_t)(me.tx_sent + count);
    me.now.sent += count;
    me.now.batches++;
    offer_many(TX, count);
}

static bool is_right(unsigned place)
{
    unsigned slot = used[RX].ring[place].id % QUEUE_SIZE_USED;

    return slot == place && used[RX].ring[place].length == NET_HEADER + LENGTH &&
           received[slot][NET_HEADER + 5] == me.number;
}

static void receive(void)
{
    uint16_t count = (uint16_t)(used[RX].index - me.rx_taken);

    for (uint16_t i = 0; i < count; i++) {
        me.now.wrong += !is_right((uint16_t)(me.rx_taken + i) % QUEUE_SIZE_USED);
    }
    if (count != 0) {
        me.rx_taken = (uint16_t)(me.rx_taken + count);
        me.now.received += count;
        offer_many(RX, count);
    }
}

static bool is_to_do(void)
{
    return me.rx_taken != used[RX].index || (has_others() && room_to_send() >= BATCH);
}

/* ---- What it says ---- */

static void report(void)
{
    say("flooder: ", nanoseconds(me.end.time - me.begin.time) / 1000, " us: ");
    say("", me.end.received - me.begin.received, " received, ");
    say("", me.end.sent - me.begin.sent, " sent in ");
    say("", me.end.batches - me.begin.batches, " batches, ");
    say("", me.end.wrong, " wrong\r\n");
}

/* What is due next: to begin to count, to end, to say. */
static void look_at_clock(uint64_t period)
{
    static unsigned done;
    static uint64_t due;

    me.now.time = now();
    if (due == 0) {
        due = me.now.time + period;
    }
    if (done == 3 || me.now.time < due) {
        return;
    }
    due += period;
    done++;
    if (done == 1) {
        me.begin = me.now;
    } else if (done == 2) {
        me.end = me.now;
    } else {
        report();
    }
}

static void start_card(void)
{
    me.card_intid = INTID_FIRST_BUS + (uint32_t)((net - BUS) / 0x1000);
    start();
    for (unsigned to = 1; to <= me.count; to++) {
        write_frame(to);
    }
    fill_queues();
    open_distributor();
    enable(me.card_intid);
    let_interrupts_come();
}

void bare(const char *device_tree)
{
    uint64_t period = milliseconds(number_of(device_tree, "flooder.ms="));

    me.number = number_of(device_tree, "flooder.number=");
    me.count = number_of(device_tree, "flooder.count=");
    if (!find_card() || me.count >= MACHINES) {
        print("flooder: no card, or too many machines\r\n");
        return;
    }
    start_card();
    offer_many(RX, QUEUE_SIZE_USED);
    for (;;) {
        send();
        receive();
        look_at_clock(period);
        sleep_unless(is_to_do);
    }
}
