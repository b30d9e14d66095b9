/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Limits of a port: what it sends and what it receives, in bytes per second, each by a token
 * bucket. The limits are operations in front of the port's own. A port without limits has its own
 * alone, and pays nothing.
 *
 * SENDING is back-pressure. A frame that has been taken is paid for, and while the bucket is in
 * debt none is taken: frames stay in the sender's ring or virtqueue. The port does not ask for a
 * notification then. The timer wakes the switch when the debt is paid.
 *
 * RECEIVING is a queue of the switch's own. The switch waits for nobody, and a frame that is simply
 * dropped costs TCP far more than its own time where a round trip takes 0.1 ms: so a frame for a
 * bucket in debt waits in a ring that nobody else has, until the timer says that it may go on. It
 * is dropped if what waits there would take longer than a tenth of a second, or is more than the
 * ring holds. Two large segments may always wait.
 *
 * A frame counts with its Ethernet bytes, and as 60 at least. A large segment counts with all its
 * bytes.
 */

#include <stdint.h>
#include "drivers/timer/client.h"
#include "port.h"

/* Before any port is attached. `with` is the timer, and is kept; NULL: there is none, and so there
 * are no limits. */
void port_limit_init(struct timer_client *with);

/*
 * Limit a port as its `config` says; its kind has been attached. Returns NULL, or why that cannot
 * be.
 */
const char *port_limit_attach(struct port *port);

/* The timer has expired. Returns the ports that may have something to send: to be served. */
uint64_t port_limit_expired(void);

/*
 * Deliver what has waited for buckets that are open now, to those of `ports` that are in `up`.
 * Returns the ports that have got something: to be finished.
 */
uint64_t port_limit_drain(struct port *ports, uint64_t up);

/* Ask the timer for when the first of the ports in `up` may go on, if any waits. */
void port_limit_set_timer(uint64_t up);
