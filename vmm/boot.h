/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What lies in guest memory when the guest starts: an arm64 Image (Linux:
 * Documentation/arch/arm64/booting.rst) or another kernel, an initramfs, a device tree.
 */

#include <stdbool.h>
#include <stdint.h>
#include "config.h"
#include "lib/guest_memory.h"

/*
 * Look at the images and where they are to go. Returns NULL if the guest can be booted, or what is
 * wrong, a sentence without a full stop.
 */
const char *boot_check(const struct vmm_config *config, const struct guest_memory *memory);

/*
 * Begin to put the images, which boot_check has accepted, into guest memory and out of the caches.
 * If `clean` is false the memory has been used: everything else in it is to be zeroed, so that
 * nothing of the former guest survives. The work is done by boot_step. What was begun before and
 * is not finished is given up. Both structures are kept until all is done.
 */
void boot_start(const struct vmm_config *config, const struct guest_memory *memory, bool clean);

/* The guest-physical address at which the guest is entered, with that of its device tree in x0. */
uint64_t boot_entry(const struct vmm_config *config);

/* Do a step of at most BOOT_STEP_SIZE bytes, tens of microseconds. Returns true if it was the last.
 */
bool boot_step(void);

#define BOOT_STEP_SIZE 65536u
