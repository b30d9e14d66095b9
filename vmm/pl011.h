/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * An emulated PL011 (Arm DDI 0183G): the guest's console until its virtio-console's driver is up.
 * Output is buffered up to a line: each byte costs an exit, and would cost a notification as well.
 */

#include <stdbool.h>
#include <stdint.h>
#include "mmio.h"

#define PL011_SIZE 4096u

/* `intid` is the SPI by which it interrupts. Call console_port_init first. */
void pl011_init(uint32_t intid);

/* The state after power-on. Output that is still in the buffer goes to the console. */
void pl011_reset(void);

/* Write an unfinished line to the console: when the guest goes idle, say. */
void pl011_flush(void);

/* The console has notified: there is input, or room for output. */
void pl011_notified(void);

/* The registers; an mmio_handler. */
bool pl011_access(void *unused, struct mmio_access *access);
