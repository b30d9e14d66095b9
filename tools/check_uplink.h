/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "model.h"

/*
 * Read the switches' `uplink`: which switch has the board's card, which VLANs it carries, and which
 * ports of the host are forwarded. Call it when the interfaces have been checked.
 */
void uplink_check(struct system *system, struct yaml_file *file);

/* QEMU's user network has these defaults: 10.0.2.0/24, leases from 10.0.2.15. */
#define USER_NETWORK        0x0a000200u
#define USER_NETWORK_MASK   0xffffff00u
#define USER_NETWORK_LEASE  15u
#define USER_NETWORK_LEASES 16u
