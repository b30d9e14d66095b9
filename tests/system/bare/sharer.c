/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A bare-metal guest that shares memory with other machines (docs/shared.md). It says what it has,
 * and what becomes of the others:
 *
 *     sharer: machine N of M, K KiB of memory, may write
 *     sharer: machine N is in state S, R resets
 *
 * A machine's message is at 128 times its number in the memory: a number, which is another one for
 * each message, the machine that it is for, what it is, and 64 bytes behind 64. A request to this
 * one is answered with the same bytes. By keys it
 *
 *     m  sends 1000 requests to the first of the others, one after the other, and says
 *        "sharer: N answers, mean T ns, worst T ns"
 *     w  writes into the memory, and says "sharer: written", or "sharer: ABORT" before it
 *     p  says what the first word behind the messages is, and adds one to it
 *     r  resets its machine
 *
 * The MMU is off.
 */

#include "bare.h"

#define REGISTERS 0x0b000000UL
#define INTID     80u

#define INTID_UART 33u

enum shared_registers {
    SHARED_MAGIC = 0x000,
    NUMBER = 0x008,
    MACHINES = 0x00c,
    SIZE = 0x010,
    ADDRESS = 0x018,
    WRITERS = 0x020,
    DOORBELL = 0x024,
    STATE = 0x028,
    STATES = 0x100,
    RESETS = 0x104,
};

#define MACHINES_MAX 32u
#define BYTES        64u
#define REQUESTS     1000u

enum { NOTHING, REQUEST, ANSWER };

struct message {
    volatile uint32_t number;
    volatile uint32_t to;
    volatile uint32_t what;
    uint32_t unused[13];
    volatile uint64_t bytes[BYTES / 8];
};

_Static_assert(sizeof(struct message) == 128, "as Linux guests know it");

static struct {
    struct message *memory;  /* a message of each machine, */
    volatile uint32_t *word; /* and what stands behind them */
    uint32_t number, machines;
    uint32_t seen[MACHINES_MAX];
    uint32_t state[MACHINES_MAX], resets[MACHINES_MAX];
    volatile bool rung;
    volatile uint32_t key; /* 0: none has come */
    uint32_t left;         /* requests to be sent */
    uint64_t sent_at, sum, worst;
} me;

void on_abort(struct saved *saved);
void on_interrupt(void);
void bare(const char *device_tree);

void on_interrupt(void)
{
    uint32_t id = take_interrupt();

    if ((id & 0x3ff) == INTID) {
        me.rung = true;
    } else if ((id & 0x3ff) == INTID_UART) {
        me.key = read32(UART);
    }
    end_interrupt(id);
}

void on_abort(struct saved *saved)
{
    print("sharer: ABORT\r\n");
    saved->elr += 4;
}

static void send(uint32_t to, uint32_t what, const volatile uint64_t *bytes)
{
    struct message *mine = &me.memory[me.number];

    for (unsigned i = 0; i < BYTES / 8; i++) {
        mine->bytes[i] = bytes[i];
    }
    mine->to = to;
    mine->what = what;
    __asm__ volatile("dmb sy" ::: "memory");
    mine->number++;
    __asm__ volatile("dmb sy" ::: "memory");
    write32(REGISTERS + DOORBELL, to);
}

/* ---- Requests of its own ---- */

static uint32_t other(void)
{
    return me.number == 0 ? 1 : 0;
}

static void request(void)
{
    static uint64_t bytes[BYTES / 8];

    for (unsigned i = 0; i < BYTES / 8; i++) {
        bytes[i] = me.left * 0x0101010101ull + i;
    }
    me.sent_at = now();
    send(other(), REQUEST, bytes);
}

static void on_answer(const struct message *message)
{
    uint64_t took = now() - me.sent_at;

    if (message->bytes[1] != me.left * 0x0101010101ull + 1) {
        print("sharer: another one's answer\r\n");
        return;
    }
    me.sum += took;
    me.worst = took > me.worst ? took : me.worst;
    if (--me.left != 0) {
        request();
        return;
    }
    say("sharer: ", REQUESTS, " answers, mean ");
    say("", nanoseconds(me.sum) / REQUESTS, " ns, worst ");
    say("", nanoseconds(me.worst), " ns\r\n");
}

/* ---- What the others do ---- */

static void look_at_state(uint32_t i)
{
    uint32_t state = read32(REGISTERS + STATES + 8 * i);
    uint32_t resets = read32(REGISTERS + RESETS + 8 * i);

    if (state != me.state[i] || resets != me.resets[i]) {
        me.state[i] = state;
        me.resets[i] = resets;
        say("sharer: machine ", i, " is in state ");
        say("", state, ", ");
        say("", resets, " resets\r\n");
    }
}

static void look_at_message(uint32_t i)
{
    const struct message *message = &me.memory[i];

    if (message->number == me.seen[i]) {
        return;
    }
    me.seen[i] = message->number;
    __asm__ volatile("dmb sy" ::: "memory");
    if (message->to == me.number && message->what == REQUEST) {
        send(i, ANSWER, message->bytes);
    } else if (message->to == me.number && message->what == ANSWER && me.left != 0) {
        on_answer(message);
    }
}

static void look(void)
{
    for (uint32_t i = 0; i < me.machines; i++) {
        if (i != me.number) {
            look_at_message(i);
        }
    }
    if (me.left == 0) { /* to print takes time */
        for (uint32_t i = 0; i < me.machines; i++) {
            if (i != me.number) {
                look_at_state(i);
            }
        }
    }
}

/* ---- Keys ---- */

static void obey(uint32_t key)
{
    switch (key) {
    case 'm':
        me.left = REQUESTS;
        me.sum = 0;
        me.worst = 0;
        request();
        break;
    case 'w':
        *me.word = 1;
        print("sharer: written\r\n");
        break;
    case 'p':
        say("sharer: the word is ", *me.word, "\r\n");
        *me.word += 1;
        break;
    case 'r':
        (void)smc(PSCI_SYSTEM_RESET, 0, 0, 0);
        break;
    default:
        break;
    }
}

static bool is_to_do(void)
{
    return me.rung || me.key != 0;
}

void bare(const char *device_tree)
{
    uint64_t writers = read32(REGISTERS + WRITERS);

    (void)device_tree;
    write32(UART + 0x30, 0x301); /* UARTCR: on, both ways, */
    write32(UART + 0x38, 0x50);  /* UARTIMSC: a key interrupts */
    me.number = read32(REGISTERS + NUMBER);
    me.machines = read32(REGISTERS + MACHINES);
    me.memory = (struct message *)(uintptr_t)(read32(REGISTERS + ADDRESS) |
                                              (uint64_t)read32(REGISTERS + ADDRESS + 4) << 32);
    me.word = (volatile uint32_t *)&me.memory[MACHINES_MAX];
    for (uint32_t i = 0; i < me.machines; i++) {
        me.seen[i] = me.memory[i].number;
    }
    open_distributor();
    enable(INTID_UART);
    enable(INTID);
    let_interrupts_come();
    say("sharer: machine ", me.number, " of ");
    say("", me.machines, ", ");
    say("", read32(REGISTERS + SIZE) / 1024, " KiB of memory, ");
    print(writers >> me.number & 1 ? "may write\r\n" : "may not write\r\n");
    write32(REGISTERS + STATE, 1);
    me.rung = true;
    for (;;) {
        sleep_unless(is_to_do);
        if (me.rung) {
            me.rung = false;
            look();
        }
        if (me.key != 0) {
            uint32_t key = me.key;

            me.key = 0;
            obey(key);
        }
    }
}
