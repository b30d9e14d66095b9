/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * An emulated PL011 (Arm DDI 0183G): the guest's console until its virtio-console's driver is up.
 * What the guest sends is collected up to a line, because each byte costs it an exit already.
 */

#include <stdbool.h>
#include <stdint.h>
#include "mmio.h"

#define PL011_SIZE 4096u

/* `intid` is the SPI by which it interrupts. Call console_port_init first. */
void pl011_init(uint32_t intid);

/* As after power-on; what was sent before is passed on. */
void pl011_reset(void);

/* Pass an unfinished line on to the console: the guest has gone idle, say. */
void pl011_flush(void);

/* The console has notified: there is input, or room for output. */
void pl011_notified(void);

/* The registers; an mmio_handler. */
bool pl011_access(void *unused, struct mmio_access *access);
