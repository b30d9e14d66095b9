/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A guest that does what a guest must not, one offence after the other, and says on its UART how
 * each of them ended:
 *
 *     hostile: ok NAME           as the hardware or the specification would have it
 *     hostile: BAD NAME: why     the monitor let something through, or never answered
 *     hostile: done, N bad
 *
 * After that it goes on for good with what keeps a monitor busiest. If there is a second vCPU, both
 * attack the card at the same time, and go on together. With "both" among the boot arguments that
 * is all it does. It runs with the MMU off, where all of memory is device memory: everything it
 * writes is in memory at once and in order.
 */

#include "card.h"
#include "gic.h"
#include "guest.h"

#define NOWHERE 0x0b000000UL /* nothing is here, nor at 0 */

static volatile struct descriptor indirect[QUEUE_SIZE_USED] __attribute__((aligned(16)));
static volatile uint32_t aborts;
static volatile uint32_t interrupts;
static unsigned bad;
static const char *step;

/* ---- The machine ---- */

/* Called by start.S. An instruction that cannot be fetched was called; any other is passed over. */
void on_abort(struct saved *saved)
{
    uint64_t syndrome;

    __asm__ volatile("mrs %0, esr_el1" : "=r"(syndrome));
    aborts++;
    saved->elr = (syndrome >> 26 & 0x3f) == 0x21 ? saved->x30 : saved->elr + 4;
}

/* As GICD_SGIR is written: the targets from bit 16, or with bit 25 the sender itself, vCPU 0. */
static void send_sgi(uint32_t value)
{
    if (is_gicv3()) {
        uint64_t targets = (value & 1u << 25) ? 1 : value >> 16 & 0xff;

        __asm__ volatile("msr s3_0_c12_c11_5, %0" ::"r"(targets | (uint64_t)(value & 15) << 24));
    } else {
        write32(GICD + 0xf00, value);
    }
}

void on_interrupt(void)
{
    uint32_t id = take_interrupt();

    end_interrupt(id);
    interrupts++;
    if ((id & 0x3ff) == 27) {
        __asm__ volatile("msr cntv_ctl_el0, xzr");
    }
}

/*
 * What a step has come to. The monitor lets one message a second through of those that a guest can
 * provoke: the pause is for the next step's to be among them.
 */
static void check(bool as_expected, const char *why)
{
    if (as_expected) {
        print("hostile: ok ");
        print(step);
    } else {
        bad++;
        print("hostile: BAD ");
        print(step);
        print(": ");
        print(why);
    }
    print("\r\n");
    wait(1100);
}

static void check_aborts(uint32_t expected)
{
    bool right = aborts == expected;

    aborts = 0;
    check(right, "not as many aborts as accesses");
}

/* After an offence the card must work again, from a reset on. */
static bool works(void)
{
    start();
    ethernet_frame();
    describe(TX, 0, (uintptr_t)frame, NET_HEADER + 60, 0, 0);
    offer(TX, 0);
    return given_back(TX, 1, false);
}

/* The chain at head 0 of the queue is an offence: the device must stop, and work after a reset. */
static void check_stops(unsigned queue)
{
    offer(queue, 0);
    if (given_back(queue, 1, true)) {
        check(false, "the device has taken it");
    } else {
        check(works(), "the device does not work after a reset");
    }
}

/* The chain at head 0 is odd but no danger: given back or refused, then all works again. */
static void check_survives(unsigned queue)
{
    offer(queue, 0);
    (void)given_back(queue, 1, true);
    check(works(), "the device does not work after a reset");
}

/* ---- Offences ---- */

static void addresses_where_nothing_is(void)
{
    step = "addresses where nothing is";
    (void)read32(NOWHERE);
    write32(NOWHERE, 1);
    write8(NOWHERE + 3, 1);
    write64(NOWHERE + 8, 1);
    (void)read32(0);
    (void)read32(BUS + BUS_PAGES * 0x1000UL * 64);
    (void)read32(0xffffffff000UL);
    __asm__ volatile("stp xzr, xzr, [%0]" ::"r"(NOWHERE) : "memory");
    check_aborts(8);

    step = "a call to where nothing is";
    ((void (*)(void))NOWHERE)();
    check_aborts(1);
}

static void accesses_that_cannot_be_emulated(void)
{
    uint32_t status;

    step = "register writes without a syndrome";
    start();
    __asm__ volatile("stp wzr, wzr, [%0]" ::"r"(net + QUEUE_NOTIFY) : "memory");
    __asm__ volatile("1: ldxr w1, [%1]; stxr w0, w1, [%1]" ::"r"(0), "r"(net + STATUS)
                     : "w0", "w1", "memory");
    __asm__ volatile("str wzr, [%0], #4" : "+r"((uintptr_t){net + QUEUE_NOTIFY})::"memory");
    aborts = 0;
    check(works(), "the device does not work after them");

    step = "register writes of wrong width or place";
    start();
    write8(net + STATUS, 0xff);
    write16(net + STATUS + 2, 0xffff);
    write64(net + QUEUE_DESC, ~0UL);
    write8(net + QUEUE_NOTIFY + 1, 0xff);
    write32(net + 0xffc, 0xffffffff);
    write32(net + MAGIC, 0);
    write32(net + CONFIG, 0xffffffff);
    write32(GICD + 1, 0xffffffff);
    aborts = 0;
    status = read32(net + MAGIC);
    check(status == VIRTIO_MAGIC && works(), "the device does not work after them");
}

static void calls_that_do_not_exist(void)
{
    static const uint64_t functions[] = {0x12345678, 0xc4000000 + 0x1f, 0x8400ffff, 0xffffffff,
                                         0xc2000000, 0xdeadbeefcafe,    0x0};
    bool right = true;

    step = "SMC and HVC calls that do not exist";
    for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
        right = right && (int32_t)smc(functions[i], ~0UL, ~0UL, ~0UL) == -1;
        right = right && (int32_t)hvc(functions[i], ~0UL, ~0UL, ~0UL) == -1;
    }
    aborts = 0;
    check(right, "one was not answered with NOT_SUPPORTED");

    step = "PSCI with arguments that make no sense";
    right = (int32_t)smc(PSCI_CPU_ON, 0x100, 0, 0) < 0; /* no such core */
    right = (int32_t)smc(PSCI_CPU_ON, ~0UL, ~0UL, ~0UL) < 0 && right;
    right = (int32_t)smc(PSCI_CPU_ON, 0, 0x40200000, 0) < 0 && right; /* is on */
    (void)smc(PSCI_AFFINITY_INFO, ~0UL, ~0UL, ~0UL);
    (void)smc(0x8400000a, ~0UL, 0, 0); /* PSCI_FEATURES */
    check(right, "a core was started that does not exist");
}

static void queues_outside_memory(void)
{
    static const uint64_t places[] = {0,          NOWHERE,        UART,         BUS,
                                      0x3ffff000, 0xfffffffff000, ~0xfffUL,     ~0UL - 15,
                                      0x40000001, 1UL << 40,      0x7fffffff000};

    step = "queues at addresses outside memory";
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        for (unsigned which = 0; which < 3; which++) {
            negotiate();
            clear_rings();
            set_queue(TX, QUEUE_SIZE_USED, which == 0 ? places[i] : (uintptr_t)table[TX],
                      which == 1 ? places[i] : (uintptr_t)&avail[TX],
                      which == 2 ? places[i] : (uintptr_t)&used[TX]);
            go();
            write32(net + QUEUE_NOTIFY, TX);
        }
    }
    check(works(), "the device does not work after a reset");

    step = "queues of impossible size or number";
    for (uint32_t size = 0; size < 70000; size = size * 3 + 1) {
        negotiate();
        set_queue(RX, size, (uintptr_t)table[RX], (uintptr_t)&avail[RX], (uintptr_t)&used[RX]);
        set_queue(TX, size, (uintptr_t)table[TX], (uintptr_t)&avail[TX], (uintptr_t)&used[TX]);
        go();
        write32(net + QUEUE_NOTIFY, TX);
        write32(net + QUEUE_NOTIFY, RX);
    }
    start();
    write32(net + QUEUE_SEL, 0xffffffff);
    write32(net + QUEUE_SIZE, 8);
    write32(net + QUEUE_READY, 1);
    write32(net + QUEUE_NOTIFY, 0xffffffff);
    write32(net + QUEUE_NOTIFY, 77);
    check(works(), "the device does not work after a reset");
}

static void before_and_after_driver_ok(void)
{
    step = "a kick before DRIVER_OK";
    negotiate();
    clear_rings();
    set_queue(TX, QUEUE_SIZE_USED, (uintptr_t)table[TX], (uintptr_t)&avail[TX],
              (uintptr_t)&used[TX]);
    ethernet_frame();
    describe(TX, 0, (uintptr_t)frame, NET_HEADER + 60, 0, 0);
    offer(TX, 0);
    wait(50);
    if (used[TX].index != 0) {
        check(false, "the device has worked");
    } else {
        check(works(), "the device does not work after a reset");
    }

    step = "a kick before anything";
    reset();
    write32(net + QUEUE_NOTIFY, TX);
    write32(net + STATUS, DRIVER_OK);
    write32(net + QUEUE_NOTIFY, RX);
    check(works(), "the device does not work after a reset");

    step = "queues moved while they run";
    start();
    set_queue(TX, QUEUE_SIZE_USED, NOWHERE, NOWHERE, NOWHERE);
    write32(net + QUEUE_NOTIFY, TX);
    write32(net + DRIVER_FEATURES, 0xffffffff);
    write32(net + STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
    check(works(), "the device does not work after a reset");

    step = "resets with requests in flight";
    for (unsigned round = 0; round < 200; round++) {
        start();
        for (uint16_t slot = 0; slot < QUEUE_SIZE_USED; slot++) {
            describe(RX, slot, (uintptr_t)frame + 4096, 2048, F_WRITE, 0);
            describe(TX, slot, (uintptr_t)frame, NET_HEADER + 60, 0, 0);
            offer(RX, slot);
            offer(TX, slot);
        }
        reset();
    }
    check(works(), "the device does not work after a reset");
}

static void bad_chains(void)
{
    step = "a loop in a chain";
    start();
    describe(TX, 0, (uintptr_t)frame, NET_HEADER, F_NEXT, 1);
    describe(TX, 1, (uintptr_t)frame, 64, F_NEXT, 0);
    check_stops(TX);

    step = "a chain that leaves the table";
    start();
    describe(TX, 0, (uintptr_t)frame, NET_HEADER, F_NEXT, QUEUE_SIZE_USED);
    check_stops(TX);
    start();
    describe(TX, 0, (uintptr_t)frame, NET_HEADER, F_NEXT, 0xffff);
    check_stops(TX);

    step = "a buffer outside memory";
    start();
    describe(TX, 0, NOWHERE, NET_HEADER + 60, 0, 0);
    check_stops(TX);
    start();
    describe(TX, 0, ~0UL - 4, NET_HEADER + 60, 0, 0);
    check_stops(TX);
    start();
    describe(RX, 0, UART, 2048, F_WRITE, 0);
    offer(RX, 0);
    check(works(), "the device does not work after a reset");

    step = "a buffer of length 0";
    start();
    describe(TX, 0, (uintptr_t)frame, 0, 0, 0);
    check_survives(TX);

    step = "a buffer of 4 GiB";
    start();
    describe(TX, 0, (uintptr_t)frame, 0xffffffff, 0, 0);
    check_stops(TX);
    start();
    describe(RX, 0, (uintptr_t)frame, 0xffffffff, F_WRITE, 0);
    offer(RX, 0);
    check(works(), "the device does not work after a reset");

    step = "a head beyond the queue";
    start();
    offer(TX, QUEUE_SIZE_USED);
    check(!given_back(TX, 1, false) && works(), "the device has taken it");
    start();
    offer(TX, 0xffff);
    check(!given_back(TX, 1, false) && works(), "the device has taken it");

    step = "an index that jumps beyond the queue";
    start();
    describe(TX, 0, (uintptr_t)frame, NET_HEADER + 60, 0, 0);
    avail[TX].index = QUEUE_SIZE_USED + 5;
    write32(net + QUEUE_NOTIFY, TX);
    check(!given_back(TX, QUEUE_SIZE_USED + 6, false) && works(), "the device has followed it");
    start();
    avail[RX].index = 0x8000;
    write32(net + QUEUE_NOTIFY, RX);
    check(works(), "the device does not work after a reset");

    step = "writable where it must be readable";
    start();
    describe(TX, 0, (uintptr_t)frame, NET_HEADER + 60, F_WRITE, 0);
    check_survives(TX);
    start();
    describe(RX, 0, (uintptr_t)frame, 2048, 0, 0);
    offer(RX, 0);
    check(works(), "the device does not work after a reset");

    step = "indirect tables that are none";
    start();
    describe(TX, 0, NOWHERE, 64, F_INDIRECT, 0);
    check_stops(TX);
    start();
    describe(TX, 0, (uintptr_t)indirect, 24, F_INDIRECT, 0);
    check_stops(TX);
    start();
    indirect[0].address = (uintptr_t)indirect;
    indirect[0].length = 64;
    indirect[0].flags = F_INDIRECT;
    describe(TX, 0, (uintptr_t)indirect, 64, F_INDIRECT, 0);
    check_stops(TX);
    start();
    indirect[0].address = (uintptr_t)frame;
    indirect[0].length = 16;
    indirect[0].flags = F_NEXT;
    indirect[0].next = 0;
    describe(TX, 0, (uintptr_t)indirect, 64, F_INDIRECT, 0);
    check_stops(TX);
}

static void bad_frames(void)
{
    static const uint32_t lengths[] = {1,     NET_HEADER - 1,    NET_HEADER,        NET_HEADER + 1,
                                       25,    NET_HEADER + 1519, NET_HEADER + 4000, 66000,
                                       100000};

    step = "a frame in somebody else's name";
    start();
    ethernet_frame();
    frame[NET_HEADER + 6] ^= 4;
    describe(TX, 0, (uintptr_t)frame, NET_HEADER + 60, 0, 0);
    check_survives(TX);

    step = "frames too short and too long";
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        start();
        ethernet_frame();
        describe(TX, 0, (uintptr_t)frame, lengths[i], 0, 0);
        offer(TX, 0);
        (void)given_back(TX, 1, true);
    }
    check(works(), "the device does not work after a reset");

    step = "headers that lie";
    for (unsigned round = 0; round < 64; round++) {
        start();
        ethernet_frame();
        for (unsigned i = 0; i < NET_HEADER; i++) {
            frame[i] = (uint8_t)((round & 1) != 0 ? 0xff : round * 37 + i * 11);
        }
        frame[1] = (uint8_t)(round % 8); /* gso_type */
        describe(TX, 0, (uintptr_t)frame, round % 3 == 0 ? NET_HEADER + 60 : 9000, 0, 0);
        offer(TX, 0);
        (void)given_back(TX, 1, true);
    }
    check(works(), "the device does not work after a reset");
}

/* ---- Floods ---- */

static void redistributor_flood(void)
{
    for (uintptr_t offset = 0; offset < 0x11000; offset += offset == 0x1000 ? 0xf000 : 4) {
        write32(GICR + offset, 0xffffffff);
        write32(GICR + offset, (uint32_t)(offset * 2654435761u));
        (void)read32(GICR + offset);
    }
    for (uint64_t i = 0; i < 1000; i++) {
        __asm__ volatile(
            "msr s3_0_c12_c11_5, %0; msr s3_0_c12_c11_6, %0; msr s3_0_c12_c11_7, %0" ::"r"(
                i * 0x9e3779b97f4a7c15ul)); /* ICC_SGI1R, ASGI1R, SGI0R */
    }
    write32(GICR + 0x10180, 0xffffffff); /* GICR_ICENABLER0, ICPENDR0, ICACTIVER0 */
    write32(GICR + 0x10280, 0xffffffff);
    write32(GICR + 0x10380, 0xffffffff);
    check(read32(GICR + 8) == 0x10, "the redistributor has lost its type"); /* one, the last */
}

static void distributor_flood(void)
{
    step = "writes all over the distributor";
    for (uintptr_t offset = 0; offset < 0x1000; offset += 4) {
        write32(GICD + offset, 0xffffffff);
        (void)read32(GICD + offset);
    }
    for (uintptr_t offset = 0; offset < 0x1000; offset += 4) {
        write32(GICD + offset, (uint32_t)(offset * 2654435761u));
    }
    if (is_gicv3()) {
        redistributor_flood();
    }
    for (uintptr_t offset = 0x180; offset < 0x200; offset += 4) {
        write32(GICD + offset, 0xffffffff); /* GICD_ICENABLER */
        write32(GICD + offset + 0x100, 0xffffffff);
        write32(GICD + offset + 0x200, 0xffffffff);
    }
    aborts = 0;
    check(read32(GICD + 4) != 0, "the distributor has lost its type");
}

static void interrupt_flood(void)
{
    uintptr_t private = is_gicv3() ? GICR + 0x10000 : GICD; /* where SGIs and PPIs are */
    uint32_t before;

    step = "a flood of interrupts";
    for (uintptr_t i = 0; i < 32; i += 4) {
        write32(private + 0x400 + i, 0); /* GICD_IPRIORITYR */
    }
    write32(private + 0x80, is_gicv3() ? 0xffffffff : 0); /* GICD_IGROUPR */
    write32(private + 0x100, 0xffffffff);                 /* GICD_ISENABLER: SGIs and PPIs */
    write32(GICD, 3);
    open_interface();
    before = interrupts;
    __asm__ volatile("msr daifclr, #2");
    for (unsigned i = 0; i < 5000; i++) {
        send_sgi(0x02000000u | (i & 15)); /* to itself */
    }
    for (unsigned i = 0; i < 500; i++) {
        write32(private + 0x200, 0xffffffff); /* GICD_ISPENDR */
        __asm__ volatile("msr cntv_cval_el0, xzr; msr cntv_ctl_el0, %0; isb" ::"r"(1UL));
    }
    __asm__ volatile("msr daifset, #2; msr cntv_ctl_el0, xzr");
    write32(private + 0x180, 0xffffffff);
    write32(GICD, 0);
    aborts = 0;
    check(interrupts != before, "not one has come");
}

static void console_flood(void)
{
    step = "a flood of characters";
    for (unsigned line = 0; line < 200; line++) {
        for (unsigned i = 0; i < 100; i++) {
            put((char)(' ' + (line + i) % 90));
        }
        print("\r\n");
    }
    for (unsigned c = 0; c < 256; c++) {
        if (c != '\n') {
            put((char)c);
        }
    }
    print("\r\n");
    check(true, "");
}

static void one(void)
{
    addresses_where_nothing_is();
    accesses_that_cannot_be_emulated();
    calls_that_do_not_exist();
    queues_outside_memory();
    before_and_after_driver_ok();
    bad_chains();
    bad_frames();
    console_flood();
    distributor_flood();
    interrupt_flood();
}

/* ---- Two vCPUs and one card ---- */

/* In start.S. It is hidden so that its address is taken from here, and not from a table. */
void second_start(void) __attribute__((visibility("hidden")));

enum second { SECOND_ATTACKS, SECOND_IS_TO_END, SECOND_HAS_ENDED };

/* Written by one at a time: the first vCPU ends the attack, the second says that it has ended. */
static volatile uint32_t second;
static volatile uint32_t second_attacks;

static uint32_t random_word(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 32);
}

/* All of memory has this bit in its addresses: without it they are nobody's. */
#define MEMORY_BIT 0x40000000u

/* An address in a buffer of ours, or nobody's: what the device writes must not hit this program. */
static uint64_t any_address(uint64_t *state)
{
    uint32_t word = random_word(state);

    if ((word & 3) != 0) {
        return (uintptr_t)frame + (word >> 8) % 65536;
    }
    return (word & 4) != 0 ? word & ~MEMORY_BIT : ~(uint64_t)word;
}

/* Whatever one can do to the card, and to the distributor, at random. */
static void attack(uint64_t *state)
{
    uint32_t word = random_word(state);
    unsigned queue = word >> 8 & 1;
    uint16_t slot = word >> 16 & 31;

    switch (word & 15) {
    case 0:
        start();
        break;
    case 1:
        reset();
        break;
    case 2:
        set_queue(queue, (word >> 16) % (QUEUE_SIZE_USED + 1), any_address(state),
                  any_address(state), any_address(state));
        break;
    case 3:
        avail[queue].index = (uint16_t)(word >> 16);
        break;
    case 4:
        write32(net + (word >> 16 & 0xffc), random_word(state) & ~MEMORY_BIT);
        break;
    case 5:
        (void)read32(net + (word >> 16 & 0xffc));
        break;
    case 6:
        write32(net + STATUS, word >> 16 & 0xff);
        break;
    case 7:
        write32(net + INTERRUPT_ACK, ~0u);
        break;
    case 8:
        write32(GICD + (word >> 16 & 0xffc), random_word(state));
        break;
    case 9:
        send_sgi(0x00030000u | (word >> 16 & 15)); /* to both */
        break;
    default:
        describe(queue, slot % QUEUE_SIZE_USED, any_address(state), random_word(state) % 4096,
                 (uint16_t)(word >> 24 & 7), slot);
        offer(queue, slot);
        break;
    }
}

static void second_attacks_too(void)
{
    uint64_t seed = 2;

    while (second != SECOND_IS_TO_END) {
        attack(&seed);
        second_attacks++;
    }
    second = SECOND_HAS_ENDED;
    (void)smc(PSCI_CPU_OFF, 0, 0, 0);
}

static void second_ends_at_once(void)
{
    (void)smc(PSCI_CPU_OFF, 0, 0, 0);
}

static int second_on(void (*function)(void))
{
    return (int)smc(PSCI_CPU_ON, 1, (uintptr_t)second_start, (uintptr_t)function);
}

/* Milliseconds. A core may be an emulator's thread that its host does not run for long. */
#define PATIENCE 20000u

/* Whether the second vCPU is off, soon. */
static bool second_is_off(void)
{
    for (uint64_t end = now() + milliseconds(PATIENCE); now() < end;) {
        if (smc(PSCI_AFFINITY_INFO, 1, 0, 0) == PSCI_OFF) {
            return true;
        }
    }
    return false;
}

static void attack_for(unsigned time)
{
    static uint64_t seed = 1;

    for (uint64_t end = now() + milliseconds(time); now() < end;) {
        attack(&seed);
    }
}

static void both(void)
{
    unsigned switched = 0;

    step = "two vCPUs attack one card";
    second = SECOND_ATTACKS;
    if (second_on(second_attacks_too) != 0) {
        check(false, "the second does not start");
        return;
    }
    attack_for(5000);
    for (uint64_t end = now() + milliseconds(PATIENCE); second_attacks < 100 && now() < end;) {
        attack_for(20);
    }
    second = SECOND_IS_TO_END;
    if (!second_is_off() || second != SECOND_HAS_ENDED) {
        check(false, "the second does not end");
        return;
    }
    if (second_attacks < 100) {
        check(false, "the second has not attacked");
        return;
    }
    check(works(), "the device does not work after a reset");

    step = "a vCPU is switched on and off while the other attacks";
    for (uint64_t end = now() + milliseconds(PATIENCE); switched < 25 && now() < end;) {
        int answer = second_on(second_ends_at_once);

        switched += answer == 0;
        if (answer != 0 && answer != PSCI_ALREADY_ON && answer != PSCI_ON_PENDING) {
            check(false, "CPU_ON fails in another way than it may");
            return;
        }
        attack_for(20);
    }
    if (switched < 25 || !second_is_off()) {
        check(false, "the second is not switched on and off");
        return;
    }
    check(works(), "the device does not work after a reset");
    aborts = 0;
}

void hostile(const char *device_tree)
{
    bool has_second = smc(PSCI_AFFINITY_INFO, 1, 0, 0) == PSCI_OFF;

    print("hostile: begins\r\n");
    step = "finding the network card";
    check(find_card(), "there is none");
    aborts = 0;
    if (net != 0) {
        step = "an honest frame";
        check(works(), "the device does not work");
        if (!has_argument(device_tree, "both")) {
            one();
        }
        if (has_second) {
            both();
        }
    }
    print("hostile: done, ");
    print_number(bad);
    print(" bad\r\n");
    if (has_second) {
        second = SECOND_ATTACKS;
        (void)second_on(second_attacks_too);
    }
    start();
    for (;;) {
        write32(net + QUEUE_NOTIFY, TX);
        write32(NOWHERE, 0);
        (void)smc(0xdead, 0, 0, 0);
        send_sgi(0x02000000u);
    }
}
