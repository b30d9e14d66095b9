/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Exits: the faults of vCPUs, dispatched by their cause. */

#include <microkit.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Handle a fault message of a vCPU. The message registers hold its contents. Returns true if the
 * vCPU has to go on where it was: the caller answers the message, which takes no system call of its
 * own. Returns false if the vCPU has been resumed, parked or stopped.
 */
bool fault_handle(uint8_t vcpu, microkit_msginfo info);
