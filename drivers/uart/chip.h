/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What the UART's driver asks of the chip: bytes out, bytes in, and two interrupts. uart.c is the
 * class; each other file of this directory is a chip, of which one is linked. No function waits for
 * the other end of the line.
 */

#include <stdbool.h>
#include <stdint.h>

/*
 * Set the chip at `registers` up: 8 data bits, no parity, 1 stop bit, FIFOs, both directions
 * enabled, both interrupts off. The baud rate stays as the firmware has set it. A byte that the
 * chip has received already, and that it would lose by this, is given to `keep`, in order. `keep`
 * returns false if there is no room for more. The others stay in the chip.
 */
void chip_start(uintptr_t registers, bool (*keep)(uint8_t byte));

/*
 * Call it at every wake-up, before all others: the chip forgets the interrupts that it has raised.
 * Whatever happens after that raises a new one.
 */
void chip_interrupted(void);

/* Whether a byte has been received. */
bool chip_has_received(void);

/* Take that byte. False: it was damaged on the line, and is dropped. */
bool chip_take(uint8_t *byte);

/* Send a byte. False: there is no room now, and the byte is not sent. */
bool chip_send(uint8_t byte);

/*
 * The chip shall interrupt while it holds received bytes, at the latest when the line has been
 * silent for a moment; or shall not.
 */
void chip_interrupt_for_received(bool on);

/*
 * The chip shall interrupt when there is room for further bytes; or shall not. It is only asked to
 * after chip_send has refused a byte, or has accepted some since chip_interrupted. So there is
 * always something whose end can raise the interrupt.
 */
void chip_interrupt_for_room(bool on);
