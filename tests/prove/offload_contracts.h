/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What lib/offload.c promises, for the two drivers that prove it: offload.c has what plans, and
 * offload_segments.c what makes records.
 */

#include "prelude.h"
#include "copy_bytes.h"
#include "mask.h"

#include "lib/offload.h"
#include "big_endian_contracts.h"

/* Assumption: as of copy_bytes(). WP does not take a structure for its bytes. */
/*@ requires \valid(to + (0 .. count - 1)) && \valid_read(from);
    requires count == sizeof(*from);
    assigns to[0 .. count - 1];
 */
void copy_header(uint8_t *to, const struct virtio_net_hdr_v1 *from, size_t count);

#undef memcpy
#define memcpy(to, from, count)                                                                    \
    (sizeof(*(from)) == sizeof(struct virtio_net_hdr_v1)                                           \
         ? copy_header((uint8_t *)(to), (const struct virtio_net_hdr_v1 *)(from), count)           \
         : copy_bytes((uint8_t *)(to), (const uint8_t *)(from), count))

/* Assumption: memset() of all that is in front of `headers`. */
/*@ requires \valid(plan) && byte == 0;
    assigns *plan;
    ensures plan->headers_length == 0 && plan->ipv6 == 0 && plan->udp == 0;
 */
void clear_plan(struct offload_plan *plan, int byte, size_t count);

#define memset(plan, byte, count) clear_plan(plan, byte, count)

/* Assumption: lib/checksum.h. Unit tests and fuzzing have it under sanitizers. */
/*@ requires \valid_read((uint8_t *)bytes + (0 .. count - 1));
    assigns \nothing;
 */
uint32_t checksum_sum(const void *bytes, uint32_t count);
/* Assumption: as above. */
/*@ assigns \nothing; */
uint32_t checksum_fold(uint64_t sum);

/* Headers: an IP header behind Ethernet's and tags, and TCP's or UDP's behind that. */
/*@ predicate laid_out{L}(struct offload_plan *plan) =
        14 <= plan->network && plan->network + (plan->ipv6 ? 40 : 20) <= plan->transport &&
        plan->transport + (plan->udp ? 8 : 20) <= plan->headers_length <= OFFLOAD_HEADERS_MAX &&
        plan->checksum == (plan->udp ? 6 : 16);

    logic integer next_size{L}(struct offload_plan *plan) =
        plan->payload_length <= plan->segment_size ? plan->payload_length : plan->segment_size;

    logic integer record_size{L}(struct offload_plan *plan) =
        sizeof(struct virtio_net_hdr_v1) + plan->headers_length + next_size(plan);

    predicate sized{L}(struct offload_plan *plan) =
        plan->done || plan->payload_length <= NET_GSO_FRAME_MAX;

    predicate cut{L}(struct offload_plan *plan) = plan->done || plan->segment_size > 0;

    predicate payload_there{L}(struct offload_plan *plan) =
        plan->done || \valid_read(plan->payload + (0 .. plan->payload_length - 1));

    predicate headers_there{L}(struct offload_plan *plan) =
        plan->done || plan->headers_length == 0 || laid_out(plan);

    predicate whole_there{L}(struct offload_plan *plan) =
        plan->done || plan->headers_length != 0 || (
            plan->payload_length <= plan->segment_size &&
            (plan->partial ==> plan->transport + plan->checksum + 2 <= plan->payload_length));
 */

/*@ requires \valid_read(header);
    assigns \nothing;
    ensures \result == \null ==> NET_FRAME_MIN <= length <= NET_GSO_FRAME_MAX;
    ensures \result == \null && (header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0 ==>
        header->csum_start + header->csum_offset + 2 <= length;
    ensures \result == \null && header->gso_type != VIRTIO_NET_HDR_GSO_NONE ==>
        header->gso_size > 0 && (header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0;
 */
const char *offload_check_header(const struct virtio_net_hdr_v1 *header, uint32_t length);

/*@ requires \valid_read(header);
    assigns \nothing;
 */
bool offload_accepted(const struct virtio_net_hdr_v1 *header, uint32_t accepts);

/*@ requires \valid_read(header) && \valid((uint8_t *)frame + (0 .. length - 1));
    requires header->csum_start + header->csum_offset + 2 <= length;
    assigns ((uint8_t *)frame)[header->csum_start + header->csum_offset ..
                               header->csum_start + header->csum_offset + 1];
 */
void offload_complete(const struct virtio_net_hdr_v1 *header, void *frame, uint32_t length);

/*@ requires \valid(plan) && \valid_read(header);
    requires \valid_read((uint8_t *)frame + (0 .. length - 1));
    requires \separated(plan, header, (uint8_t *)frame + (0 .. length - 1));
    assigns *plan;
    ensures sized(plan);
    ensures cut(plan);
    ensures payload_there(plan);
    ensures headers_there(plan);
    ensures whole_there(plan);
    ensures \result != \null ==> plan->done;
 */
const char *offload_plan(struct offload_plan *plan, const struct virtio_net_hdr_v1 *header,
                         const void *frame, uint32_t length, uint32_t accepts);

/*@ requires \valid_read(plan);
    assigns \nothing;
    ensures plan->done ==> \result == 0;
    ensures headers_there(plan) && sized(plan) && !plan->done ==> \result == record_size(plan);
 */
uint32_t offload_record_max(const struct offload_plan *plan);

/*@ requires \valid(plan) && sized(plan) && cut(plan) && payload_there(plan);
    requires headers_there(plan) && whole_there(plan);
    requires \valid((uint8_t *)record + (0 .. record_size(plan) - 1));
    requires \separated(plan, (uint8_t *)record + (0 .. record_size(plan) - 1));
    assigns *plan, ((uint8_t *)record)[0 .. record_size(plan) - 1];
    ensures sized(plan);
    ensures cut(plan);
    ensures payload_there(plan);
    ensures headers_there(plan);
    ensures whole_there(plan);
    ensures \result == \old(plan->done ? 0 : record_size(plan));
    ensures !plan->done ==> record_size(plan) <= \old(record_size(plan));
 */
uint32_t offload_next(struct offload_plan *plan, void *record);
