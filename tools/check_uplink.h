/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "model.h"

/*
 * Read the switches' `uplink`: which of them has the board's card, what it carries, which ports of
 * the host lead inside. The machines' ports, VLANs and addresses are known.
 */
void uplink_check(struct system *system, struct yaml_file *file);

/* QEMU's user network, as it is unless told otherwise: 10.0.2.0/24, leases from 10.0.2.15. */
#define USER_NETWORK        0x0a000200u
#define USER_NETWORK_MASK   0xffffff00u
#define USER_NETWORK_LEASE  15u
#define USER_NETWORK_LEASES 16u
