/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The date of what a system is built of: the same inputs have the same one. */

#include <stdint.h>
#include "model.h"

/*
 * Seconds since 1970: SOURCE_DATE_EPOCH of the environment if it is set, otherwise when the newest
 * of the system's file, the board's and the guests' images was changed. Reports an error if that
 * variable makes no sense.
 */
uint32_t source_date(const struct system *system);
