/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * This VM's two rings to the console multiplexer. The virtio-console and the emulated PL011 share
 * them, because a ring has one private view at each end. Output may come from both. Input goes to
 * the one that reads it: see virtio_console_ready.
 */

#include <microkit.h>
#include <stdbool.h>
#include <stdint.h>
#include "config.h"
#include "lib/console_state.h"
#include "lib/ring.h"

/* Attach to the rings of `config`, which is kept; without a console the guest's output vanishes. */
void console_port_init(const struct vmm_console_config *config);

/* How the machine is, for who looks at the console. Notifies the multiplexer of what is new. */
void console_port_tell(enum console_state state);

/*
 * What the multiplexer has written last (lib/console_state.h): a command, and the terminal's size.
 * 0 without a console.
 */
uint32_t console_port_command(void);
uint32_t console_port_size(void);

/* The output ring, for lib/log.h; NULL if there is none. */
struct ring *console_port_output(void);

/* Write up to `count` bytes, and notify the console if it waits. Returns how many were taken. */
uint32_t console_port_write(const void *bytes, uint32_t count);

/*
 * After a short write: ask the console for a notification when it has made room. Returns true if
 * there is room already and the caller must go on.
 */
bool console_port_await_space(void);

/* Read up to `count` bytes, and notify the console if it waits for room. Returns how many. */
uint32_t console_port_read(void *bytes, uint32_t count);

/*
 * After having read all: ask for a notification when more input comes. Returns true if there is
 * some already and the caller must go on.
 */
bool console_port_await_data(void);
