/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Software offload for receivers that lack it: checksums and segmentation. */

#include <stdint.h>
#include "frame.h"
#include "port.h"

/*
 * Send a frame to a port that does not take the offloads that the frame asks for. Its checksum is
 * completed, and a large segment is cut into frames. `head`, of `head_length` bytes, is what the
 * receiver gets in front; each frame that is cut off gets it too, whatever the sender has written
 * over it since. `accepts` are the receiver's NET_PORT_* bits. What cannot be sent is counted at
 * `to`; FRAME_CUT_WORK is added to the frame's `work` for each frame that it becomes.
 */
void convert_and_send(struct port *to, struct frame *frame, const struct frame_head *head,
                      uint32_t head_length, uint32_t accepts);
