/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A spin table: how cores start on a board without PSCI. Firmware lets each core but the first wait
 * in WFE until there is an address in a word of its own, and then jump there, without an argument.
 */

#include "board.h"

#ifdef BOARD_RELEASE_ADDRESSES

#include <stdint.h>

/* Have a core that waits go on at `entry`, a physical address, with its MMU off. */
void spin_table_release(uint32_t core, void (*entry)(void));

/*
 * Have the board's cores from `first` on wait in WFI for good. Firmware's loop would cost energy,
 * and in an emulator the time of the others. The memory that it is in is not ours.
 */
void spin_table_park(uint32_t first);

#endif
