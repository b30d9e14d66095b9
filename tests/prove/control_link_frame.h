/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What of a frame has been given to the line lies in the frame. */
/*@ predicate frame_inside{L}(struct link *link) =
        link->frame_given <= link->frame_length <= sizeof(link->frame);
 */

/*@ requires \valid(link);
    assigns *link;
    assigns \result \from *link;
    ensures \result != 0 ==> frame_inside(link);
    ensures \result == 0 ==> link->frame_given == \old(link->frame_given);
    ensures \result == 0 ==> link->frame_length == \old(link->frame_length);
 */
static bool next_frame(struct link *link, uint64_t now);

/*@ requires \valid(link);
    assigns *link;
    ensures link->frame_given == \old(link->frame_given);
    ensures link->frame_length == \old(link->frame_length);
 */
static void end_frame(struct link *link, uint64_t now);
