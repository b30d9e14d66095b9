/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A guest that looks at its interrupt controller by its own eyes: what is pending and active, what
 * it is given, and when. It says each answer on its UART, and knows none that is right:
 *
 *     gic: TEST: ANSWERS
 *     gic: done
 *
 * So its lines can be compared with those on a machine without a hypervisor. Interrupts are masked
 * in PSTATE all the time: it takes them by hand. It runs with the MMU off.
 */

#include "gic.h"
#include "guest.h"

#define SPI_UART 33u  /* level-sensitive; see line() */
#define SPI_EDGE 100u /* of no device */
#define TIMER    27u
#define NONE     1023u

#define UART_IMSC 0x38
#define UART_ICR  0x44
#define UART_TX   0x20u

enum gicd {
    CTLR = 0x000,
    IGROUPR = 0x080,
    ISENABLER = 0x100,
    ICENABLER = 0x180,
    ISPENDR = 0x200,
    ICPENDR = 0x280,
    ISACTIVER = 0x300,
    ICACTIVER = 0x380,
    IPRIORITYR = 0x400,
    ITARGETSR = 0x800,
    ICFGR = 0xc00,
    CPENDSGIR = 0xf10,
    SPENDSGIR = 0xf20,
};

/* What the second processor is to do, and has done. */
static volatile uint32_t order, obeyed;

/* In start.S. It is hidden so that its address is taken from here, and not from a table. */
void second_start(void) __attribute__((visibility("hidden")));

void on_abort(struct saved *saved)
{
    print("gic: abort\n");
    saved->elr += 4;
}

void on_interrupt(void)
{
    print("gic: an interrupt that is masked\n");
}

/* ---- The controller ---- */

/* Where a register of the distributor is, or of the redistributor that has this interrupt. */
static uintptr_t at(enum gicd first, uint32_t intid, uint32_t bits_each)
{
    uintptr_t base = is_gicv3() && intid < 32 ? GICR + 0x10000 : GICD;

    return base + first + intid * bits_each / 32 * 4;
}

static void set(enum gicd first, uint32_t intid)
{
    write32(at(first, intid, 1), 1u << (intid % 32));
}

static bool get(enum gicd first, uint32_t intid)
{
    return (read32(at(first, intid, 1)) >> (intid % 32)) & 1;
}

static void set_priority(uint32_t intid, uint8_t priority)
{
    write8(at(IPRIORITYR, intid, 8) + intid % 4, priority);
}

static void make_edge(uint32_t intid)
{
    uintptr_t address = at(ICFGR, intid, 2);

    write32(address, read32(address) | 2u << (intid % 16 * 2));
}

/* Bits 16 and up of the targets are processors; 0 is this one. */
static void send_sgi(uint32_t sgi, uint32_t processor)
{
    if (is_gicv3()) {
        __asm__ volatile(
            "msr s3_0_c12_c11_5, %0; isb" ::"r"((uint64_t)sgi << 24 | 1ul << processor));
    } else {
        write32(GICD + 0xf00, 1u << (16 + processor) | sgi);
    }
}

/* The UART's transmit interrupt is pending; its mask makes the line of it. */
static void line(bool high)
{
    write32(UART + UART_IMSC, high ? UART_TX : 0);
}

/* ---- Saying it ---- */

static void say(const char *name)
{
    print("gic: ");
    print(name);
    print(":");
}

static void say_number(uint32_t number)
{
    put(' ');
    print_number(number);
}

/* Pending and active, as two letters. */
static void say_state(uint32_t intid)
{
    put(' ');
    put(get(ISPENDR, intid) ? 'P' : '-');
    put(get(ISACTIVER, intid) ? 'A' : '-');
}

/* A GICv2's senders are left out: on Braid a list register has none. */
static uint32_t take(void)
{
    uint32_t id = take_interrupt() & 0x3ff;

    say_number(id);
    return id;
}

static void end(uint32_t id)
{
    end_interrupt(id);
    __asm__ volatile("isb; dsb sy" ::: "memory");
}

static void new_line(void)
{
    print("\n");
}

/* ---- Looking ---- */

static void an_sgi_to_itself(void)
{
    say("SGI to itself, masked");
    send_sgi(3, 0);
    say_state(3);
    set(ICPENDR, 3); /* of no effect in a GICv2 */
    say_state(3);
    if (!is_gicv3()) {
        say_number(read8(GICD + SPENDSGIR + 3));
        write8(GICD + CPENDSGIR + 3, 1);
        say_number(read8(GICD + SPENDSGIR + 3));
    }
    say_state(3);
    take();
    send_sgi(3, 0);
    end(take());
    new_line();

    say("SGI active, and sent again");
    send_sgi(3, 0);
    take();
    say_state(3);
    send_sgi(3, 0);
    say_state(3);
    end(3);
    say_state(3);
    end(take());
    say_state(3);
    new_line();
}

static void priorities(void)
{
    say("the urgent one first");
    set_priority(1, 0xa0);
    set_priority(2, 0x20);
    send_sgi(1, 0);
    send_sgi(2, 0);
    take();
    take(); /* the other one has to wait */
    say_state(1);
    end(2);
    end(take());
    new_line();

    say("four, one within another");
    for (uint32_t sgi = 0; sgi < 4; sgi++) {
        set_priority(sgi, (uint8_t)(0xa0 - 0x20 * sgi));
        send_sgi(sgi, 0);
        take();
    }
    for (uint32_t sgi = 4; sgi-- > 0;) {
        say_state(sgi);
        end(sgi);
    }
    take();
    new_line();

    say("masked by priority");
    set_priority_mask(0x80);
    set_priority(5, 0xa0);
    send_sgi(5, 0);
    take();
    say_state(5);
    set_priority(5, 0x40); /* while it is pending */
    end(take());
    set_priority_mask(0xff);
    for (uint32_t sgi = 0; sgi < 16; sgi++) {
        set_priority(sgi, 0xa0);
    }
    new_line();
}

static void an_edge(void)
{
    say("an edge that is withdrawn");
    set(ISPENDR, SPI_EDGE);
    say_state(SPI_EDGE);
    set(ICPENDR, SPI_EDGE);
    say_state(SPI_EDGE);
    take();
    new_line();

    say("an edge that comes while it is active");
    set(ISPENDR, SPI_EDGE);
    take();
    say_state(SPI_EDGE);
    set(ISPENDR, SPI_EDGE);
    say_state(SPI_EDGE);
    end(SPI_EDGE);
    end(take());
    say_state(SPI_EDGE);
    new_line();

    say("an edge that is disabled while it is pending");
    set(ISPENDR, SPI_EDGE);
    set(ICENABLER, SPI_EDGE);
    take();
    say_state(SPI_EDGE);
    set(ISENABLER, SPI_EDGE);
    end(take());
    new_line();

    say("made active by hand");
    set(ISACTIVER, SPI_EDGE);
    set(ISPENDR, SPI_EDGE);
    say_state(SPI_EDGE);
    take();
    set(ICACTIVER, SPI_EDGE);
    say_state(SPI_EDGE);
    end(take());
    new_line();

    say("the distributor is off");
    set(ISPENDR, SPI_EDGE);
    write32(GICD + CTLR, read32(GICD + CTLR) & ~3u);
    take();
    say_state(SPI_EDGE);
    write32(GICD + CTLR, read32(GICD + CTLR) | 3u);
    end(take());
    new_line();
}

static void a_level(void)
{
    say("a line that falls before it is taken");
    line(true);
    say_state(SPI_UART);
    line(false);
    say_state(SPI_UART);
    take();
    new_line();

    say("a line that rises and falls unseen");
    line(true);
    line(false);
    take();
    new_line();

    say("a line that is high, and disabled");
    line(true);
    set(ICENABLER, SPI_UART);
    take();
    say_state(SPI_UART);
    line(false);
    say_state(SPI_UART);
    set(ISENABLER, SPI_UART);
    take();
    new_line();

    say("a line that stays high");
    line(true);
    take();
    say_state(SPI_UART);
    set(ICPENDR, SPI_UART);
    say_state(SPI_UART);
    end(SPI_UART);
    say_state(SPI_UART);
    take();
    line(false);
    say_state(SPI_UART);
    end(SPI_UART);
    say_state(SPI_UART);
    take();
    new_line();

    say("a line that is low, made pending by hand");
    set(ISPENDR, SPI_UART);
    line(true);
    line(false);
    say_state(SPI_UART);
    end(take());
    take();
    new_line();
}

static void fire_timer(void)
{
    __asm__ volatile("msr cntv_cval_el0, xzr; msr cntv_ctl_el0, %0; isb" ::"r"(1ul));
    wait(2);
}

static void move_timer_on(void)
{
    __asm__ volatile("msr cntv_cval_el0, %0; isb" ::"r"(~0ul >> 1));
}

static void the_timer(void)
{
    say("the timer fires, masked, and is moved on");
    fire_timer();
    say_state(TIMER);
    move_timer_on();
    say_state(TIMER);
    take();
    new_line();

    say("the timer fires, and is taken");
    fire_timer();
    take();
    say_state(TIMER);
    move_timer_on();
    say_state(TIMER);
    end(TIMER);
    say_state(TIMER);
    take();
    new_line();

    say("the timer fires, disabled");
    set(ICENABLER, TIMER);
    fire_timer();
    say_state(TIMER);
    take();
    set(ISENABLER, TIMER);
    wait(2);
    take();
    move_timer_on();
    end(TIMER);
    take();
    __asm__ volatile("msr cntv_ctl_el0, xzr; isb");
    new_line();
}

/* ---- Two processors ---- */

static void set_up_own(void)
{
    if (is_gicv3()) {
        write32(GICR + 0x14, 0); /* GICR_WAKER */
        write32(at(IGROUPR, 0, 1), ~0u);
    }
    write32(at(ISENABLER, 0, 1), 0xffffu | 1u << TIMER);
    for (uint32_t intid = 0; intid < 32; intid++) {
        set_priority(intid, 0xa0);
    }
    open_interface();
}

static void second(void)
{
    for (;;) {
        while (order == obeyed) {
            wait(1);
        }
        send_sgi(7, 0);
        obeyed = order;
    }
}

static void of_another_processor(void)
{
    uint64_t result = hvc(PSCI_AFFINITY_INFO, 1, 0, 0);

    if (result != PSCI_OFF) {
        return; /* there is none */
    }
    hvc(PSCI_CPU_ON, 1, (uint64_t)second_start, (uint64_t)second);
    for (uint32_t turn = 1; turn <= 2; turn++) {
        say("an SGI of another processor");
        order = turn;
        while (obeyed != turn) {
            wait(1);
        }
        say_state(7);
        if (!is_gicv3()) {
            say_number(read8(GICD + SPENDSGIR + 7));
        }
        send_sgi(7, 0);
        if (!is_gicv3()) {
            say_number(read8(GICD + SPENDSGIR + 7));
        }
        end(take());
        end(take()); /* a GICv2 keeps them apart */
        say_state(7);
        new_line();
    }
}

void hostile(const char *device_tree)
{
    (void)device_tree;
    set_up_own();
    if (is_gicv3()) {
        write32(GICD + CTLR, 1u << 4); /* affinity routing */
        write32(at(IGROUPR, SPI_UART, 1), ~0u);
        write32(at(IGROUPR, SPI_EDGE, 1), ~0u);
    } else {
        write8(GICD + ITARGETSR + SPI_UART, 1);
        write8(GICD + ITARGETSR + SPI_EDGE, 1);
    }
    make_edge(SPI_EDGE);
    set_priority(SPI_UART, 0xa0);
    set_priority(SPI_EDGE, 0xa0);
    set(ISENABLER, SPI_UART);
    set(ISENABLER, SPI_EDGE);
    write32(GICD + CTLR, read32(GICD + CTLR) | 3u);
    line(false);
    print("gic: begin\n"); /* from now on the UART has something to interrupt for */

    an_sgi_to_itself();
    priorities();
    an_edge();
    a_level();
    the_timer();
    of_another_processor();
    print("gic: done\n");
    for (;;) {
        wait(1000);
    }
}
