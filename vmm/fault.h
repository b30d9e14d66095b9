/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Why a vCPU has stopped, and what follows from it. */

#include <microkit.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Handle a fault message of a vCPU; the message registers hold its contents. Returns true if the
 * vCPU is to go on where it was, which an answer to the message achieves without a system call of
 * its own; false if it has been resumed, parked or stopped.
 */
bool fault_handle(uint8_t vcpu, microkit_msginfo info);
