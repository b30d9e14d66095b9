/* SPDX-License-Identifier: BSD-2-Clause */

#include "convert.h"

#include <stddef.h>
#include <string.h>
#include "lib/net_port.h"
#include "lib/offload.h"

/* The frame in one piece: where it is, or, if it is scattered, in `buffer`. */
static const uint8_t *in_one_piece(const struct frame *frame, uint8_t *buffer)
{
    uint32_t at = 0;

    if (frame->segment_count == 1) {
        return frame->segments[0].bytes;
    }
    for (uint32_t i = 0; i < frame->segment_count; i++) {
        memcpy(buffer + at, frame->segments[i].bytes, frame->segments[i].length);
        at += frame->segments[i].length;
    }
    return buffer;
}

void convert_and_send(struct port *to, struct frame *frame, const struct frame_head *head,
                      uint32_t head_length, uint32_t accepts)
{
    static uint8_t whole[NET_GSO_FRAME_MAX];
    static uint8_t record[NET_HEADER + NET_FRAME_MAX(NET_MTU_MAX)];
    static struct offload_plan plan;
    struct virtio_net_hdr_v1 as_sent = frame->head.net;
    int tag_sent = (int)(frame->skip - ETHERNET_HEADER);
    int tag_now = (int)(head_length - NET_HEADER - ETHERNET_HEADER);
    struct frame_head piece_head = *head;
    struct frame piece = {.skip = frame->skip, .segment_count = 1};

    frame_shift_offsets(&as_sent, tag_sent);
    if (offload_plan(&plan, &as_sent, in_one_piece(frame, whole), frame->length, accepts) != NULL ||
        offload_record_max(&plan) > NET_HEADER + NET_FRAME_MAX(to->mtu)) {
        port_drop(to, DROP_CONVERSION);
        return;
    }
    for (uint32_t count; (count = offload_next(&plan, record)) != 0;) {
        frame->work += FRAME_CUT_WORK;
        piece.length = count - NET_HEADER;
        if (piece.length < piece.skip) {
            port_drop(to, DROP_CONVERSION);
            return;
        }
        memcpy(&piece_head.net, record, NET_HEADER);
        frame_shift_offsets(&piece_head.net, tag_now - tag_sent);
        piece.segments[0].bytes = record + NET_HEADER;
        piece.segments[0].length = piece.length;
        if (!port_count_send(to, to->ops->send(to, &piece_head, head_length, &piece),
                             head_length - NET_HEADER + piece.length - piece.skip)) {
            return; /* with some pieces missing, the sender will repeat it all */
        }
    }
}
