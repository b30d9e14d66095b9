/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Where the pieces of a system go in physical memory. */

#include "layout.h"

/* Gives every piece of the layout its address, and finds out how large kernel window, image and RAM
 * must be and what is to be zeroed. Ends the tool with a message if something does not fit. */
void place_pieces(struct layout *layout);
