/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PROVES: lib/control_link.c
 * WP: link_transmit
 *
 * What the line is given lies in the frame and in the line's room, whatever that is.
 */

#include "prelude.h"
#include "copy_bytes.h"

#include "lib/control_link.h"

#include "control_link_frame.h"

/*@ requires \valid(link) && frame_inside(link);
    requires \valid(bytes + (0 .. room - 1));
    requires \separated(link, bytes + (0 .. room - 1));
    ensures \result <= room && frame_inside(link);
 */
uint32_t link_transmit(struct link *link, uint8_t *bytes, uint32_t room, uint64_t now);

#include "lib/control_link.c"
