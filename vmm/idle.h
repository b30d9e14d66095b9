/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Idle is idle: a vCPU that waits for an interrupt is not resumed until there is one. */

#include <stdbool.h>
#include <stdint.h>

/*
 * The vCPU has faulted and waits for an interrupt. Returns true if it is parked now; false if it
 * has an interrupt already and is to be resumed.
 */
bool idle_park(uint8_t vcpu);
