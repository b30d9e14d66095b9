/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A port whose guest's virtqueues the switch itself works on. Its monitor controls it: lib/vhost.h.
 */

#include <stdbool.h>
#include <stdint.h>
#include "port.h"

/* Attach to a port whose `config` is set. Returns NULL, or why that cannot be. */
const char *port_vhost_attach(struct port *port);

/*
 * Carry out a call of the port's monitor: `label` and `count` message registers at `words`. Returns
 * VHOST_OK or VHOST_REFUSED. The monitor is not trusted: an address outside its own guest's memory
 * is refused.
 */
uint64_t port_vhost_call(struct port *port, uint64_t label, const uint64_t *words, uint32_t count);
