/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PROVES: lib/offload.c
 * WP: offload_record_max tcp_flags number_headers fill_checksum offload_complete
 * WP: finish_checksum offload_next
 * LONG: yes
 *
 * Any plan that offload_plan() makes: what is written lies in the room that was asked for.
 */

#include "offload_contracts.h"

#include "lib/offload.c"

/*@ requires \valid_read(plan);
    assigns \nothing;
 */
static uint8_t tcp_flags(const struct offload_plan *plan, bool last);

/*@ requires \valid(plan) && laid_out(plan);
    assigns plan->id, plan->sequence, plan->headers[0 .. OFFLOAD_HEADERS_MAX - 1];
 */
static void number_headers(struct offload_plan *plan, uint32_t size, bool last);

/*@ requires \valid(frame + (0 .. length - 1)) && start + offset + 2 <= length;
    assigns frame[start + offset .. start + offset + 1];
 */
static void fill_checksum(uint8_t *frame, uint32_t length, uint32_t start, uint32_t offset);

/*@ requires \valid_read(plan) && \valid(header) && \valid(frame + (0 .. length - 1));
    requires \separated(plan, header, frame + (0 .. length - 1));
    requires plan->transport + plan->checksum + 2 <= length;
    assigns *header, frame[0 .. length - 1];
 */
static void finish_checksum(const struct offload_plan *plan, struct virtio_net_hdr_v1 *header,
                            uint8_t *frame, uint32_t length);
