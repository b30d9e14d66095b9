/* SPDX-License-Identifier: BSD-2-Clause */

/* The Cadence UART of Zynq UltraScale+ (AMD UG1085, chapter 21), with FIFOs of 64 bytes. */

#include "cadence.h"

#include "chip.h"
#include "lib/device_registers.h"

/* 115,200 Bd from a reference clock of 100 MHz. */
#define BAUD_GEN     124u
#define BAUD_DIVIDER 6u

/*
 * The chip interrupts when so many bytes have been received, or the line was silent for as long as
 * four take. Emulators have smaller FIFOs than the chip.
 */
#define RX_TRIGGER 8u
#define RX_TIMEOUT 10u

/* The longest wait for what the firmware still sends, in reads of the status. */
#define BUSY_READS 100000u

#define RECEIVED_INTS (CADENCE_INT_RTRIG | CADENCE_INT_TIMEOUT)
#define ERROR_INTS    (CADENCE_INT_FRAME | CADENCE_INT_PARE)

static uintptr_t base;
static uint32_t interrupt_mask;
static bool damaged; /* at least one of the bytes in the FIFO */

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
    uint32_t changed = on ? bits & ~interrupt_mask : bits & interrupt_mask;

    if (changed != 0) {
        interrupt_mask ^= changed;
        write_register(on ? CADENCE_INT_ENABLE : CADENCE_INT_DISABLE, changed);
    }
}

/* Clear those of `bits` that are set. What is set after the read stays set. */
static void clear_status(uint32_t bits)
{
    uint32_t status = read_register(CADENCE_INT_STATUS) & bits;

    if (status != 0) {
        write_register(CADENCE_INT_STATUS, status);
    }
    damaged = damaged || (status & ERROR_INTS) != 0;
}

/*
 * A byte that arrives after this restarts the timeout. So if nobody takes it, it interrupts. The
 * transmit FIFO interrupts if it becomes empty after this.
 */
void chip_interrupted(void)
{
    clear_status(RECEIVED_INTS | CADENCE_INT_TEMPTY | ERROR_INTS);
}

bool chip_has_received(void)
{
    if (read_register(CADENCE_STATUS) & CADENCE_STATUS_REMPTY) {
        damaged = false;
        return false;
    }
    return true;
}

/*
 * The chip does not say which byte was damaged. (A register does so in later versions, but earlier
 * ones, and emulators, do not have it.) So all are dropped that are in the FIFO then.
 */
bool chip_take(uint8_t *byte)
{
    clear_status(ERROR_INTS);
    *byte = (uint8_t)read_register(CADENCE_FIFO);
    return !damaged;
}

bool chip_send(uint8_t byte)
{
    if (read_register(CADENCE_STATUS) & CADENCE_STATUS_TFUL) {
        return false;
    }
    write_register(CADENCE_FIFO, byte);
    return true;
}

void chip_interrupt_for_received(bool on)
{
    set_interrupts(RECEIVED_INTS, on);
}

/*
 * The interrupt says that the FIFO has become empty. A byte that was refused or sent since
 * chip_interrupted was in the FIFO after the status was cleared. So the interrupt comes, or has.
 */
void chip_interrupt_for_room(bool on)
{
    set_interrupts(CADENCE_INT_TEMPTY, on);
}

static void wait_until_sent(void)
{
    for (uint32_t i = 0; i < BUSY_READS; i++) {
        uint32_t status = read_register(CADENCE_STATUS);

        if ((status & CADENCE_STATUS_TEMPTY) != 0 && (status & CADENCE_STATUS_TACTIVE) == 0) {
            return;
        }
    }
}

/* As after a reset it would be 9,600 Bd, and without a clock for the bits no rate at all. */
static bool has_no_baud_rate(void)
{
    uint32_t generator = read_register(CADENCE_BAUD_GEN);

    return generator == 0 || (generator == CADENCE_BAUD_GEN_RESET &&
                              read_register(CADENCE_BAUD_DIVIDER) == CADENCE_BAUD_DIVIDER_RESET);
}

/*
 * The receiver stays enabled meanwhile, and neither FIFO is emptied: what has been received is
 * kept, and an emulator would drop what comes while it is disabled.
 */
static void set_format(void)
{
    bool no_rate = has_no_baud_rate();
    uint32_t mode = read_register(CADENCE_MODE);
    uint32_t format = CADENCE_MODE_PAR_NONE | (no_rate ? 0 : mode & CADENCE_MODE_CLKS);

    if (!no_rate && mode == format) {
        return;
    }
    wait_until_sent();
    if (no_rate) {
        write_register(CADENCE_BAUD_GEN, BAUD_GEN);
        write_register(CADENCE_BAUD_DIVIDER, BAUD_DIVIDER);
    }
    write_register(CADENCE_MODE, format);
}

void chip_start(uintptr_t registers, bool (*keep)(uint8_t byte))
{
    (void)keep; /* nothing gets lost */
    base = registers;
    interrupt_mask = 0;
    damaged = false;
    write_register(CADENCE_INT_DISABLE, CADENCE_INT_ALL);
    set_format();
    write_register(CADENCE_RX_TRIGGER, RX_TRIGGER);
    write_register(CADENCE_RX_TIMEOUT, RX_TIMEOUT);
    write_register(CADENCE_CONTROL, CADENCE_CONTROL_RXEN | CADENCE_CONTROL_TXEN |
                                        CADENCE_CONTROL_RSTTO | CADENCE_CONTROL_STPBRK);
}
