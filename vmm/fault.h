/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Exits: the faults of vCPUs, dispatched by their cause. */

#include <microkit.h>
#include <stdint.h>

/*
 * Handle a fault message of a vCPU, between vcpu_exit_begins and vcpu_exit_ends. The message
 * registers hold its contents.
 */
void fault_handle(uint8_t vcpu, microkit_msginfo info);
