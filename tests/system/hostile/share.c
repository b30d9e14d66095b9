/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A guest that measures which part of the processor it gets, or does one thing over and over. It
 * waits for a key on its UART, says that it begins, and does what the key stands for:
 *
 *     m  measure for a second, then say "share: N permille, M us", M being the longest that it was
 *        without the processor
 *     w  measure for as many windows of 10 ms as "share.windows=N" among its boot arguments says,
 *        then say "share: windows: N, least L ns, most M ns, mean A ns": what it had of each
 *
 * or for five seconds, unless another key comes:
 *
 *     c  compute       f  access an address where nothing is
 *     s  SMC           d  write to the distributor, which sends an interrupt to itself
 *     k  kick its network card, with a frame to all each time
 *     b  both that and SMC
 *     r  ring the other machine's doorbell     l  listen to its own
 *     o  power off
 *
 * With "share.does=KEY" among its boot arguments it does what a key stands for without being asked,
 * for ever. With "restart" it resets its machine at once, each time.
 */

#include "card.h"
#include "gic.h"

#define SHARED   0x0b000000UL /* the registers of shared memory: docs/shared.md */
#define DOORBELL 0x24u
#define NUMBER   0x08u
#define RINGS    80u

#define NOWHERE 0x0d000000UL

#define WINDOW_MS  10u
#define WARM_UP_MS 100u

#define FRAMES 8u /* on their way at once */

static uint64_t end; /* of what is being done */

void on_abort(struct saved *saved);
void on_interrupt(void);
void hostile(const char *device_tree);

void on_abort(struct saved *saved)
{
    saved->elr += 4;
}

void on_interrupt(void)
{
    end_interrupt(take_interrupt());
}

static char key(void)
{
    while ((read32(UART + UART_FR) & 0x10) != 0) {
    }
    return (char)read32(UART);
}

static bool goes_on(void)
{
    return now() < end && (read32(UART + UART_FR) & 0x10) != 0;
}

/* Two readings of the clock that are a microsecond apart have somebody else's work between them. */
static void measure(void)
{
    uint64_t microsecond = milliseconds(1) / 1000;
    uint64_t begin = now();
    uint64_t last = begin;
    uint64_t had = 0;
    uint64_t longest = 0;

    end = begin + milliseconds(1000);
    while (last < end) {
        uint64_t time = now();
        uint64_t gap = time - last;

        if (gap < microsecond) {
            had += gap;
        } else if (gap > longest) {
            longest = gap;
        }
        last = time;
    }
    print("share: ");
    /* cppcheck-suppress zerodiv ; a second lies between them */
    print_number((unsigned)(had * 1000 / (last - begin)));
    print(" permille, ");
    print_number((unsigned)(longest / microsecond));
    print(" us\r\n");
}

static void flood_network(bool calls)
{
    uint16_t sent = 0;

    if (!find_card()) {
        print("share: no card\r\n");
        return;
    }
    start();
    ethernet_frame();
    for (unsigned i = 0; i < FRAMES; i++) {
        describe(TX, i, (uintptr_t)frame, NET_HEADER + 60, 0, 0);
    }
    while (goes_on()) {
        for (unsigned i = 0; i < 100; i++) {
            if ((uint16_t)(sent - used[TX].index) < FRAMES) {
                offer(TX, sent++ % FRAMES);
            }
            if (calls) {
                (void)smc(0xdead, 0, 0, 0);
            }
        }
    }
}

static void access_nothing(void)
{
    while (goes_on()) {
        for (unsigned i = 0; i < 100; i++) {
            write32(NOWHERE, 0);
        }
    }
}

static void call(void)
{
    while (goes_on()) {
        for (unsigned i = 0; i < 100; i++) {
            (void)smc(0xdead, 0, 0, 0);
        }
    }
}

static void interrupt_itself(void)
{
    while (goes_on()) {
        for (unsigned i = 0; i < 100; i++) {
            write32(GICD + 0xf00, 0x02000000u);
        }
    }
}

static void ring(void)
{
    uint32_t other = 1 - read32(SHARED + NUMBER);

    while (goes_on()) {
        for (unsigned i = 0; i < 100; i++) {
            write32(SHARED + DOORBELL, other);
        }
    }
}

static void compute(void)
{
    while (goes_on()) {
        for (volatile unsigned i = 0; i < 100000; i++) {
        }
    }
}

static void listen(void)
{
    write8(GICD + 0x800 + RINGS, 1);                            /* GICD_ITARGETSR */
    write32(GICD + 0x100 + RINGS / 32 * 4, 1u << (RINGS % 32)); /* GICD_ISENABLER */
    write32(GICD, 1);
    open_interface();
    __asm__ volatile("msr daifclr, #2; isb" ::: "memory");
    compute();
    __asm__ volatile("msr daifset, #2; isb" ::: "memory");
}

/* What one reading of the clock after the other has found: how much it had of each window. */
struct windows {
    uint64_t end; /* of this one */
    uint64_t had; /* of it so far */
    uint64_t least, most, sum;
    unsigned left;
};

static void close_window(struct windows *windows)
{
    windows->least = windows->had < windows->least ? windows->had : windows->least;
    windows->most = windows->had > windows->most ? windows->had : windows->most;
    windows->sum += windows->had;
    windows->had = 0;
    windows->end += milliseconds(WINDOW_MS);
    windows->left--;
}

/* It has gone on from `last` to `time`, which lie in one window or in two. */
static void add_to_window(struct windows *windows, uint64_t last, uint64_t time)
{
    if (time >= windows->end) {
        windows->had += windows->end - last;
        last = windows->end;
        close_window(windows);
    }
    windows->had += time - last;
}

static void report_windows(const struct windows *windows, unsigned count)
{
    uint64_t second = milliseconds(1000);

    print("share: windows: ");
    print_number(count);
    print(", least ");
    /* cppcheck-suppress zerodiv ; the counter counts */
    print_number((unsigned)(windows->least * 1000000000 / second));
    print(" ns, most ");
    print_number((unsigned)(windows->most * 1000000000 / second));
    print(" ns, mean ");
    print_number((unsigned)(windows->sum * 1000000000 / second / count));
    print(" ns\r\n");
}

/* It computes for some windows first: what it did before, it did with exits, and not all the time.
 */
static void measure_windows(unsigned count)
{
    uint64_t microsecond = milliseconds(1) / 1000;
    uint64_t last = now();

    while (now() - last < milliseconds(WARM_UP_MS)) {
    }
    last = now();
    struct windows windows = {
        .end = last + milliseconds(WINDOW_MS), .least = UINT64_MAX, .left = count};

    while (windows.left > 0) {
        uint64_t time = now();

        if (time - last < microsecond) {
            add_to_window(&windows, last, time);
        }
        while (time >= windows.end && windows.left > 0) {
            close_window(&windows);
        }
        last = time;
    }
    report_windows(&windows, count);
}

static void act(char what, const char *device_tree)
{
    switch (what) {
    case 'm':
        measure();
        break;
    case 'w':
        measure_windows(number_of(device_tree, "share.windows="));
        break;
    case 'c':
        compute();
        break;
    case 'f':
        access_nothing();
        break;
    case 's':
        call();
        break;
    case 'd':
        interrupt_itself();
        break;
    case 'k':
        flood_network(false);
        break;
    case 'b':
        flood_network(true);
        break;
    case 'r':
        ring();
        break;
    case 'l':
        listen();
        break;
    case 'o':
        (void)smc(PSCI_SYSTEM_OFF, 0, 0, 0);
        break;
    }
}

void hostile(const char *device_tree)
{
    const char *always = argument(device_tree, "share.does=");

    if (has_argument(device_tree, "restart")) {
        (void)smc(PSCI_SYSTEM_RESET, 0, 0, 0);
    }
    write32(UART + 0x30, 0x301); /* UARTCR: on, both ways */
    for (;;) {
        char what;

        print("share: ready\r\n");
        what = always != NULL ? *always : key();
        print("share: begins\r\n");
        end = always != NULL ? UINT64_MAX : now() + milliseconds(5000);
        act(what, device_tree);
    }
}
