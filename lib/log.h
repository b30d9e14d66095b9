/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A PD's messages to the person at the console, in every configuration. With a ring to the console
 * multiplexer they go there, each line prefixed by who speaks; without one, to the debug output.
 */

#include <microkit.h>
#include "ring.h"

/*
 * `who` (kept, not copied) prefixes each line: "vmm vm0". `out` may be NULL; if not, the messages
 * go to that stream and `channel` is notified. Messages that do not fit are dropped and counted.
 */
void log_init(const char *who, struct ring *out, microkit_channel channel);

/*
 * The same for a PD that writes nothing but messages into that stream: `region` is the ring's, with
 * `size` bytes of data. It may be NULL. A PD that begins anew goes on in the ring.
 */
void log_open(const char *who, void *region, uint32_t size, microkit_channel channel);

/*
 * Whether the stream has room for `count` bytes now. If not, the console notifies this PD when it
 * has.
 */
bool log_await_space(uint32_t count);

/*
 * One message, without a newline at its end; printf's formats for integers and strings. Beyond 240
 * characters it is cut off; characters that are not printable ASCII become question marks.
 */
void log_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * The same for messages that somebody untrusted can provoke: after a burst of 8 it lets one
 * through for each second and says how many it has suppressed.
 */
void log_limited(const char *format, ...) __attribute__((format(printf, 1, 2)));
