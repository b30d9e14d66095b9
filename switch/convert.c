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

/* Make each piece where the receiver reads it, with the Ethernet header that was looked at. */
static void cut_into(struct port *to, struct frame *frame, const struct frame_head *head,
                     struct offload_plan *plan)
{
    uint32_t count;

    while ((count = offload_record_max(plan)) != 0) {
        uint8_t *record = to->ops->reserve(to, count);

        frame->work += FRAME_CUT_WORK;
        if (!port_count_send(to, record != NULL ? PORT_SENT : PORT_FULL, count - NET_HEADER)) {
            return; /* with some pieces missing, the sender will repeat it all */
        }
        offload_next(plan, record);
        memcpy(record + NET_HEADER, head->ethernet, frame->skip);
        to->ops->commit(to);
    }
}

/* Make each piece here, and send it with another head: a tag, or none, moves what is behind it. */
static void cut_and_send(struct port *to, struct frame *frame, const struct frame_head *head,
                         uint32_t head_length, struct offload_plan *plan)
{
    static uint8_t record[NET_HEADER + NET_FRAME_MAX(NET_MTU_MAX)];
    int shift = (int)(head_length - NET_HEADER - frame->skip);
    struct frame_head piece_head = *head;
    struct frame piece = {.skip = frame->skip, .segment_count = 1};

    for (uint32_t count; (count = offload_next(plan, record)) != 0;) {
        frame->work += FRAME_CUT_WORK;
        piece.length = count - NET_HEADER;
        memcpy(&piece_head.net, record, NET_HEADER);
        frame_shift_offsets(&piece_head.net, shift);
        piece.segments[0].bytes = record + NET_HEADER;
        piece.segments[0].length = piece.length;
        if (!port_count_send(to, to->ops->send(to, &piece_head, head_length, &piece),
                             head_length - NET_HEADER + piece.length - piece.skip)) {
            return; /* as above */
        }
    }
}

void convert_and_send(struct port *to, struct frame *frame, const struct frame_head *head,
                      uint32_t head_length, uint32_t accepts)
{
    static uint8_t whole[NET_GSO_FRAME_MAX];
    static struct offload_plan plan;
    struct virtio_net_hdr_v1 as_sent = frame->head.net;

    frame_shift_offsets(&as_sent, (int)(frame->skip - ETHERNET_HEADER));
    if (offload_plan(&plan, &as_sent, in_one_piece(frame, whole), frame->length, accepts) != NULL) {
        port_drop(to, DROP_CONVERSION);
        return;
    }
    if (offload_record_max(&plan) > NET_HEADER + NET_FRAME_MAX(to->mtu)) {
        port_drop(to, DROP_CONVERSION);
    } else if (to->ops->reserve != NULL && head_length == NET_HEADER + frame->skip) {
        cut_into(to, frame, head, &plan);
    } else {
        cut_and_send(to, frame, head, head_length, &plan);
    }
}
