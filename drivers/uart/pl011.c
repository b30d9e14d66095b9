/* SPDX-License-Identifier: BSD-2-Clause */

/* The PrimeCell UART (Arm DDI 0183G), as on QEMU's virt machine. */

#include "pl011.h"

#include "chip.h"
#include "lib/device_registers.h"

/* The longest wait for a byte that the firmware still sends, in reads of UARTFR. */
#define BUSY_READS 100000u

/*
 * After a byte, how often UARTFR is read for the next. An emulator gives a byte once the last one
 * was taken, but not at once: its thread for that must come to run. A PL011 that is disabled
 * receives none.
 */
#define SETTLE_READS 50000u

/* The most bytes that are taken before the FIFOs are emptied: a terminal may hold ever more. */
#define TYPED_MAX 65536u

static uintptr_t base;
static uint32_t interrupt_mask;

static uint32_t read_register(uint32_t offset)
{
    return device_read32(base, offset);
}

static void write_register(uint32_t offset, uint32_t value)
{
    device_write32(base, offset, value);
}

static void set_interrupts(uint32_t bits, bool on)
{
    uint32_t mask = on ? interrupt_mask | bits : interrupt_mask & ~bits;

    if (mask != interrupt_mask) {
        interrupt_mask = mask;
        write_register(UARTIMSC, mask);
    }
}

/*
 * Reading UARTDR clears the receive interrupts, writing it the transmit interrupt. UARTICR is not
 * written: that would also clear the interrupt of a byte that arrives after the last read.
 */
void chip_interrupted(void)
{
}

bool chip_has_received(void)
{
    return (read_register(UARTFR) & UARTFR_RXFE) == 0;
}

bool chip_take(uint8_t *byte)
{
    uint32_t data = read_register(UARTDR);

    *byte = (uint8_t)data;
    return (data & (UARTDR_FE | UARTDR_PE | UARTDR_BE)) == 0;
}

bool chip_send(uint8_t byte)
{
    if (read_register(UARTFR) & UARTFR_TXFF) {
        return false;
    }
    write_register(UARTDR, byte);
    return true;
}

void chip_interrupt_for_received(bool on)
{
    set_interrupts(UART_INT_RX | UART_INT_RT, on);
}

/*
 * The transmit interrupt is raised when the FIFO's level falls through the threshold. It is enabled
 * only after the FIFO was filled, or after a write to an emulated device that is never full, which
 * raises it. So it always comes.
 */
void chip_interrupt_for_room(bool on)
{
    set_interrupts(UART_INT_TX, on);
}

/* Take all that has come and that an emulator still holds behind it. */
static void take_what_was_typed(bool (*keep)(uint8_t byte))
{
    for (uint32_t taken = 0; taken < TYPED_MAX && chip_has_received(); taken++) {
        uint8_t byte;

        if (chip_take(&byte) && !keep(byte)) {
            return;
        }
        for (uint32_t i = 0; i < SETTLE_READS && !chip_has_received(); i++) {
        }
    }
}

/*
 * Enabling the FIFOs empties them, so what has been received by then is taken first; FIFOs that are
 * enabled already stay as they are.
 */
static void set_format(bool (*keep)(uint8_t byte))
{
    const uint32_t format = UARTLCR_H_WLEN_8 | UARTLCR_H_FEN;

    if (read_register(UARTLCR_H) == format) {
        return;
    }
    for (uint32_t i = 0; i < BUSY_READS && (read_register(UARTFR) & UARTFR_BUSY); i++) {
    }
    write_register(UARTCR, read_register(UARTCR) & ~UARTCR_UARTEN);
    take_what_was_typed(keep);
    write_register(UARTLCR_H, format);
}

void chip_start(uintptr_t registers, bool (*keep)(uint8_t byte))
{
    base = registers;

    uint32_t control = read_register(UARTCR);

    write_register(UARTIMSC, 0);
    interrupt_mask = 0;
    set_format(keep);
    write_register(UARTIFLS, UARTIFLS_RX_1_2 | UARTIFLS_TX_1_4);
    write_register(UARTICR, UART_INT_ALL);
    write_register(UARTCR, control | UARTCR_UARTEN | UARTCR_TXE | UARTCR_RXE);
}
