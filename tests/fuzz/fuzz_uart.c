/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: drivers/uart/uart.c drivers/uart/cadence.c lib/ring.c tests/fuzz/silence.c
 *
 * The UART driver between a device whose registers read as they like, a register of it that does
 * not exist among them, and a console that writes into its rings what it likes. Nothing may be
 * touched but the rings and the registers that there are, every call ends after a bounded number of
 * accesses, and a device that only ever interrupts is not acknowledged for ever.
 */

#include <microkit.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "drivers/uart/cadence.h"
#include "drivers/uart/config.h"
#include "input.h"
#include "lib/cpu.h"
#include "lib/device_registers.h"
#include "lib/ring.h"

#define SIZE   4096u
#define IRQ    0u
#define CLIENT 1u

/* Of a start, which waits for what the firmware sends; and of a wake-up, two budgets of bytes. */
#define START_ACCESSES 150000u
#define WAKE_ACCESSES  2000u

static uint8_t to_uart[RING_HEADER_SIZE + SIZE] __attribute__((aligned(4096)));
static uint8_t from_uart[RING_HEADER_SIZE + SIZE] __attribute__((aligned(4096)));

const struct uart_config uart_config = {
    .registers = 0xff000000,
    .irq_channel = IRQ,
    .client_channel = CLIENT,
    .transmit = to_uart,
    .receive = from_uart,
    .ring_size = SIZE,
};

static struct input *input;
static unsigned accesses;
static unsigned acknowledged;

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* Whatever comes does so at once. */
uint64_t cpu_counter(void)
{
    return 1;
}

uint64_t cpu_counter_frequency(void)
{
    return 1000000;
}

static void access_register(uintptr_t registers, uint32_t offset)
{
    require(registers == uart_config.registers && offset % 4 == 0 &&
            offset <= CADENCE_BAUD_DIVIDER);
    accesses++;
}

uint32_t device_read32(uintptr_t registers, uint32_t offset)
{
    access_register(registers, offset);
    return (uint32_t)take(input, 2);
}

void device_write32(uintptr_t registers, uint32_t offset, uint32_t value)
{
    (void)value;
    access_register(registers, offset);
}

void microkit_irq_ack(microkit_channel channel)
{
    (void)channel; /* nothing begins anew here */
}

void microkit_deferred_irq_ack(microkit_channel channel)
{
    require(channel == IRQ);
    acknowledged++;
}

static void wake(microkit_channel channel)
{
    accesses = 0;
    notified(channel);
    require(accesses <= WAKE_ACCESSES);
}

/* All reads are ones: nothing can be taken or sent, and so no interrupt has a cause. */
static void storm(void)
{
    static uint8_t ones[16];

    memset(ones, 0xff, sizeof(ones));
    acknowledged = 0;
    for (unsigned i = 0; i < 3000; i++) {
        struct input reads = {ones, sizeof(ones)};

        input = &reads;
        wake(IRQ);
    }
    require(acknowledged <= 1000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input given = {data, size};

    input = &given;
    memset(to_uart, 0, sizeof(to_uart));
    memset(from_uart, 0, sizeof(from_uart));
    accesses = 0;
    init();
    require(accesses <= START_ACCESSES);
    while (given.left > 0) {
        switch (take(&given, 1) % 4) {
        case 0:
            scribble(&given, to_uart, sizeof(to_uart));
            break;
        case 1:
            scribble(&given, from_uart, sizeof(from_uart));
            break;
        case 2:
            scribble(&given, to_uart, 128); /* indices */
            break;
        default:
            wake(IRQ);
        }
        wake(CLIENT);
    }
    storm();
    return 0;
}
