/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PROVES: lib/offload.c
 * WP: gso_kind check_segmentation offload_check_header offload_accepted find_network
 * WP: parse_ipv4 parse_ipv6 parse_transport parse plan_segments offload_plan
 * LONG: yes
 *
 * Any frame with any header, of any length: what is read of it lies in it, and so does what is
 * planned.
 */

#include "offload_contracts.h"

#include "lib/offload.c"

/*@ requires \valid_read(header);
    assigns \nothing;
 */
static uint8_t gso_kind(const struct virtio_net_hdr_v1 *header);

/*@ requires \valid_read(header);
    assigns \nothing;
    ensures \result == \null ==>
        header->gso_size > 0 && (header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0;
 */
static const char *check_segmentation(const struct virtio_net_hdr_v1 *header, uint32_t length);

/*@ requires \valid(plan) && 14 <= available <= OFFLOAD_HEADERS_MAX;
    assigns plan->network;
    ensures \result != 0 ==> 14 <= plan->network <= available;
 */
static uint16_t find_network(struct offload_plan *plan, uint32_t available);

/*@ requires \valid(plan) && \valid(protocol) && \separated(plan, protocol);
    requires 14 <= plan->network <= available <= OFFLOAD_HEADERS_MAX;
    assigns plan->id, plan->transport, *protocol;
    ensures \result == \null ==> plan->network + 20 <= plan->transport <= available;
 */
static const char *parse_ipv4(struct offload_plan *plan, uint32_t available, uint8_t *protocol);

/*@ requires \valid(plan) && \valid(protocol) && \separated(plan, protocol);
    requires 14 <= plan->network <= available <= OFFLOAD_HEADERS_MAX;
    assigns plan->ipv6, plan->transport, *protocol;
    ensures \result == \null ==> plan->network + 40 <= plan->transport <= available;
 */
static const char *parse_ipv6(struct offload_plan *plan, uint32_t available, uint8_t *protocol);

/*@ requires \valid(plan) && plan->transport <= available <= OFFLOAD_HEADERS_MAX;
    assigns plan->sequence, plan->tcp_flags, plan->headers_length, plan->checksum;
    ensures \result == \null ==>
        plan->transport + (plan->udp ? 8 : 20) <= plan->headers_length <= available &&
        plan->checksum == (plan->udp ? 6 : 16);
 */
static const char *parse_transport(struct offload_plan *plan, uint32_t available);

/*@ requires \valid(plan) && \valid_read(header) && \separated(plan, header);
    requires 14 <= available <= OFFLOAD_HEADERS_MAX && plan->ipv6 == 0;
    assigns plan->network, plan->transport, plan->headers_length, plan->checksum, plan->id,
        plan->ipv6, plan->udp, plan->sequence, plan->tcp_flags;
    ensures \result == \null ==> laid_out(plan) && plan->headers_length <= available;
 */
static const char *parse(struct offload_plan *plan, const struct virtio_net_hdr_v1 *header,
                         uint32_t available);

/*@ requires \valid(plan) && \valid_read(header) && \separated(plan, header);
    requires 14 <= length <= NET_GSO_FRAME_MAX && plan->ipv6 == 0 && header->gso_size > 0;
    requires plan->payload_length == length && plan->headers_length == 0;
    requires \valid_read(plan->payload + (0 .. length - 1));
    requires \separated(plan, plan->payload + (0 .. length - 1));
    assigns *plan;
    ensures plan->done == \old(plan->done);
    ensures \result == \null ==> plan->headers_length != 0 && laid_out(plan) &&
        plan->segment_size > 0 && plan->payload_length <= length &&
        \valid_read(plan->payload + (0 .. plan->payload_length - 1));
 */
static const char *plan_segments(struct offload_plan *plan, const struct virtio_net_hdr_v1 *header,
                                 uint32_t length);
