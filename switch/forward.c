/* SPDX-License-Identifier: BSD-2-Clause */

#include "forward.h"

#include <stddef.h>
#include <string.h>
#include "convert.h"
#include "frame.h"
#include "join.h"
#include "lib/big_endian.h"
#include "lib/log.h"
#include "lib/offload.h"

#define VID_MASK      0x0fffu
#define PRIORITY_MASK 0xf000u

/* 01-80-c2-00-00-00 to -0f, never relayed (IEEE 802.1Q, 8.6.3): all but the last 4 bits count. */
#define MAC_RESERVED      0x000000c28001ULL
#define MAC_RESERVED_MASK 0xf0ffffffffffULL

const char *forward_drop_name(enum drop cause)
{
    static const char *const names[DROP_COUNT] = {
        [DROP_SHORT] = "short",          [DROP_LONG] = "long",
        [DROP_HEADER] = "bad header",    [DROP_SOURCE] = "foreign source",
        [DROP_VLAN] = "foreign VLAN",    [DROP_FILTERED] = "filtered",
        [DROP_FORBIDDEN] = "forbidden",  [DROP_DOWN] = "receiver down",
        [DROP_FULL] = "receiver full",   [DROP_UNSUITED] = "receiver's buffers too small",
        [DROP_FLOOD] = "flood",          [DROP_CONVERSION] = "not convertible",
        [DROP_LIMIT] = "over its limit",
    };

    return names[cause];
}

static void reject(struct port *port, enum drop cause, uint32_t length, const char *text)
{
    port_drop(port, cause);
    log_limited("port %s: a frame of %u bytes dropped: %s", port->config->name, length, text);
}

/* Whether the sender leaves its checksum or segmentation to somebody behind it. */
static bool requests_offload(const struct virtio_net_hdr_v1 *net)
{
    bool plain =
        (net->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0 && net->gso_type == VIRTIO_NET_HDR_GSO_NONE;

    return !plain;
}

/* ---- Ingress: is the frame valid, which VLAN is it on, may it have this source? ---- */

/* The virtio-net header of a frame that requests an offload. */
static bool validate_offloads(struct port *from, struct frame *frame)
{
    struct virtio_net_hdr_v1 *net = &frame->head.net;

    if (net->gso_type == VIRTIO_NET_HDR_GSO_NONE) {
        net->gso_size = 0;
        net->hdr_len = 0;
    }
    net->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM & net->flags;
    net->num_buffers = 0;

    const char *text = offload_check_header(net, frame->length);

    if (text != NULL) {
        enum drop cause = frame->length > NET_GSO_FRAME_MAX ? DROP_LONG : DROP_HEADER;

        reject(from, cause, frame->length, text);
        return false;
    }
    if (net->gso_size > from->mtu) {
        reject(from, DROP_LONG, frame->length, "its segments are too long");
        return false;
    }
    return true;
}

/*
 * Check lengths and the virtio-net header, and clear all of the header that means nothing to a
 * receiver. Returns false if the frame has been rejected.
 */
static bool validate(struct port *from, struct frame *frame)
{
    struct frame_head *head = &frame->head;

    if (frame->length < NET_FRAME_MIN) {
        reject(from, DROP_SHORT, frame->length, "shorter than its Ethernet header");
        return false;
    }
    if (frame->error != NULL) {
        reject(from, DROP_HEADER, frame->length, frame->error);
        return false;
    }
    if (head->net.gso_type == VIRTIO_NET_HDR_GSO_NONE && frame->length > NET_FRAME_MAX(from->mtu)) {
        reject(from, DROP_LONG, frame->length, "too long");
        return false;
    }
    if (requests_offload(&head->net)) {
        return validate_offloads(from, frame);
    }
    head->words[0] = 0;                      /* all of `net`, */
    head->words[1] &= ~(uint64_t)UINT32_MAX; /* which has 12 bytes */
    return true;
}

/*
 * Take the VLAN tag off the frame's head. Returns its TCI, or 0 if there is no tag; -1 if the frame
 * ends within the tag, or an offset in the virtio-net header points into it.
 */
static int pop_tag(struct frame *frame)
{
    struct frame_head *head = &frame->head;

    frame->skip = ETHERNET_HEADER;
    if (!frame_is_tagged(head)) {
        return 0;
    }
    if (frame->length < ETHERNET_HEADER + VLAN_TAG ||
        ((head->net.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) &&
         head->net.csum_start < ETHERNET_HEADER + VLAN_TAG) ||
        (head->net.hdr_len != 0 && head->net.hdr_len < ETHERNET_HEADER + VLAN_TAG)) {
        return -1;
    }
    int tag = get_be16(head->ethernet + ETHERNET_HEADER);

    memmove(head->ethernet + ETHERTYPE_OFFSET, head->ethernet + ETHERTYPE_OFFSET + VLAN_TAG, 2);
    frame->skip = ETHERNET_HEADER + VLAN_TAG;
    frame_shift_offsets(&head->net, -(int)VLAN_TAG);
    return tag;
}

/* Find the VLAN that the frame is on, and its priority. False: rejected, it may not be there. */
static bool classify(struct forward *forward, struct port *from, struct frame *frame,
                     uint16_t *vlan, uint16_t *priority)
{
    *priority = 0;
    if (!from->vlan_aware) {
        frame->skip = ETHERNET_HEADER;
        *vlan = SWITCH_VLAN_NONE;
        return true;
    }

    int tag = pop_tag(frame);

    if (tag < 0) {
        reject(from, DROP_HEADER, frame->length, "it ends within its VLAN tag");
        return false;
    }
    *vlan = (uint16_t)tag & VID_MASK;
    *priority = (uint16_t)tag & PRIORITY_MASK;
    if (*vlan == 0) {
        *vlan = from->native; /* no tag, or one for the priority only */
        if (frame_seems_tagged(&frame->head)) {
            reject(from, DROP_VLAN, frame->length, "a tag that is none of a VLAN here");
            return false;
        }
    } else if (!from->trunk) {
        reject(from, DROP_VLAN, frame->length, "a VLAN tag on an access port");
        return false;
    }
    if ((forward->members[*vlan] >> from->index & 1) != 0) {
        return true;
    }
    if (*vlan == SWITCH_VLAN_NONE) {
        port_drop(from, DROP_VLAN); /* any system sends a few of those: no reason to report it */
    } else {
        reject(from, DROP_VLAN, frame->length, "on a VLAN that the port is not on");
    }
    return false;
}

/* Learn the source address. False: rejected, the sender may not use it. */
static bool learn_source(struct forward *forward, struct port *from, const struct frame *frame,
                         uint16_t vlan, uint64_t now)
{
    uint64_t source = frame_source(&frame->head);

    if (from->config->mac_fixed) {
        if (source == from->mac) {
            return true; /* the table has had it from the start */
        }
        reject(from, DROP_SOURCE, frame->length, "from an address that is not the port's");
        return false;
    }
    if ((source & MAC_GROUP) || source == 0) {
        reject(from, DROP_SOURCE, frame->length, "from a group's address, or none");
        return false;
    }
    if (!mac_table_learn(&forward->table, source, vlan, from->index, now)) {
        reject(from, DROP_SOURCE, frame->length, "from the address of another port");
        return false;
    }
    return true;
}

/* ---- Egress: one copy for each receiver, tagged and converted as it wants it ---- */

/* What all receivers of a frame share. */
struct delivery {
    uint16_t vlan;
    uint16_t priority; /* as in a tag */
    bool flooded;      /* it goes to several, of which some may be down */
};

/* A frame's head with the VLAN's tag. */
struct tagged_head {
    struct frame_head head;
    bool made;
};

/* Make it when the first receiver needs it. */
static const struct frame_head *tag_head(struct tagged_head *tagged, const struct frame *frame,
                                         uint16_t tci)
{
    struct frame_head *head = &tagged->head;

    if (!tagged->made) {
        tagged->made = true;
        *head = frame->head;
        memmove(head->ethernet + ETHERTYPE_OFFSET + VLAN_TAG, head->ethernet + ETHERTYPE_OFFSET, 2);
        put_be16(head->ethernet + ETHERTYPE_OFFSET, ETHERTYPE_VLAN);
        put_be16(head->ethernet + ETHERNET_HEADER, tci);
        frame_shift_offsets(&head->net, VLAN_TAG);
    }
    return head;
}

/* Twice in the program: each frame goes through it. */
static inline __attribute__((always_inline)) void deliver(struct port *to, struct frame *frame,
                                                          const struct delivery *delivery,
                                                          struct tagged_head *tagged, bool tag)
{
    const struct frame_head *head = &frame->head;
    uint32_t head_length = NET_HEADER + ETHERNET_HEADER;
    uint32_t accepts = port_accepts(to);

    if ((accepts & NET_PORT_UP) == 0) {
        if (!delivery->flooded) {
            port_drop(to, DROP_DOWN);
        }
        return;
    }
    if (tag) {
        head = tag_head(tagged, frame, delivery->priority | delivery->vlan);
        head_length += VLAN_TAG;
    }
    if (requests_offload(&head->net) && !offload_accepted(&head->net, accepts)) {
        convert_and_send(to, frame, head, head_length, accepts);
        return;
    }
    port_count_send(to, to->ops->send(to, head, head_length, frame),
                    head_length - NET_HEADER + frame->length - frame->skip);
}

/* Whether the port gets frames of this VLAN tagged. */
static bool takes_tag(const struct port *to, uint16_t vlan)
{
    return to->trunk && vlan != to->native;
}

static void deliver_to_all(struct forward *forward, struct frame *frame,
                           const struct delivery *delivery, struct tagged_head *tagged,
                           uint64_t receivers)
{
    while (receivers != 0) {
        struct port *to = &forward->ports[__builtin_ctzll(receivers)];

        receivers &= receivers - 1;
        deliver(to, frame, delivery, tagged, takes_tag(to, delivery->vlan));
    }
}

/*
 * A frame may carry a tag besides that of its VLAN: behind it, or, from a port on no VLAN, alone. A
 * port on VLANs that gets the frame untagged would see that inner tag in front, and take the frame
 * for one of another VLAN. Returns `receivers` without such ports. (This is VLAN hopping.)
 */
static uint64_t tagged_only(struct forward *forward, struct port *from, uint16_t vlan,
                            uint64_t receivers)
{
    uint64_t doubtful = receivers & forward->vlan_aware;
    uint64_t left = receivers;

    while (doubtful != 0) {
        uint32_t index = (uint32_t)__builtin_ctzll(doubtful);

        doubtful &= doubtful - 1;
        if (!takes_tag(&forward->ports[index], vlan)) {
            left &= ~(1ULL << index);
        }
    }
    if (left != receivers) {
        port_drop(from, DROP_VLAN);
    }
    return left;
}

/* The mirror gets each frame with its VLAN's tag, unless it is a receiver anyway. */
static void deliver_to_mirror(struct forward *forward, const struct port *from, struct frame *frame,
                              const struct delivery *delivery, struct tagged_head *tagged,
                              uint64_t receivers)
{
    struct port *mirror = forward->mirror;

    if (mirror == NULL || mirror == from || (receivers >> mirror->index & 1) != 0 ||
        (forward->up >> mirror->index & 1) == 0) {
        return;
    }
    forward->sent_to |= 1ULL << mirror->index;
    deliver(mirror, frame, delivery, tagged, delivery->vlan != SWITCH_VLAN_NONE);
}

/*
 * Of the ports that a frame with an unknown destination is flooded to, those that can want it: a
 * port with a static address has no other, and gets the rest only in promiscuous mode.
 */
static uint64_t without_static(struct forward *forward, uint64_t ports)
{
    uint64_t doubtful = ports & forward->static_ports;

    while (doubtful != 0) {
        uint32_t index = (uint32_t)__builtin_ctzll(doubtful);
        struct port *port = &forward->ports[index];

        doubtful &= doubtful - 1;
        if ((port_accepts(port) & NET_PORT_PROMISC) == 0) {
            ports &= ~(1ULL << index);
        }
    }
    return ports;
}

static bool is_uplink(const struct port *port)
{
    return port->config->path == SWITCH_PATH_UPLINK;
}

/* ---- The relay: which ports get it? ---- */

/* The ports that get the frame. Counts why it goes to none. */
static uint64_t receivers_of(struct forward *forward, struct port *from, const struct frame *frame,
                             struct delivery *delivery, uint64_t now)
{
    uint64_t destination = frame_destination(&frame->head);
    uint64_t allowed = forward->members[delivery->vlan] & from->reach & forward->up;

    if (destination & MAC_GROUP) {
        delivery->flooded = true;
        if ((destination & MAC_RESERVED_MASK) == MAC_RESERVED) {
            port_drop(from, DROP_FILTERED);
            return 0;
        }
        if (is_uplink(from) && !token_bucket_take(&from->flood_bucket, now)) {
            port_drop(from, DROP_FLOOD);
            return 0;
        }
        return allowed;
    }

    int port = mac_table_find(&forward->table, destination, delivery->vlan, now);

    if (port == MAC_TABLE_NOT_FOUND && is_uplink(from)) {
        port_drop(from, DROP_FILTERED); /* for a station out there */
        return 0;
    }
    if (port == MAC_TABLE_NOT_FOUND) {
        delivery->flooded = true;
        return without_static(forward, allowed);
    }
    if (port == from->index) {
        port_drop(from, DROP_FILTERED);
        return 0;
    }
    if ((allowed >> port & 1) == 0) {
        port_drop(from, DROP_FORBIDDEN);
        return 0;
    }
    return 1ULL << port;
}

/* ---- Frames from outside that continue one stream are joined: join.h ---- */

/* The frame becomes the whole of a run. Its head stays, apart from the virtio-net header. */
static void use_run(struct frame *frame, struct join *run)
{
    join_end(run, &frame->head.net);
    frame_shift_offsets(&frame->head.net, (int)ETHERNET_HEADER - (int)frame->skip);
    frame->segments[0] = (struct frame_segment){run->headers, run->headers_length};
    frame->segments[1] = (struct frame_segment){run->segment, run->segment_size};
    frame->length = run->headers_length + run->payload;
}

/*
 * Join to a frame for `to` alone what lies behind it in the port's ring already, as far as it
 * continues the frame's stream. Nothing is waited for. What has been decided of the first frame is
 * right for all, since they have the same Ethernet header and VLAN tag.
 */
static void join_followers(struct port *from, const struct port *to, struct frame *frame)
{
    static struct join run;
    struct port_follower follower;
    uint32_t accepts = port_accepts(to);
    uint32_t payload;

    if (frame->length < JOIN_FRAME_MIN || (accepts & NET_PORT_CSUM) == 0 ||
        (accepts & (NET_PORT_TSO4 | NET_PORT_TSO6)) == 0 || requests_offload(&frame->head.net) ||
        !from->ops->look_behind(from, &follower) ||
        !join_begin(&run, frame->segments[0].bytes, frame->length,
                    (frame->head.net.flags & VIRTIO_NET_HDR_F_DATA_VALID) != 0) ||
        (accepts & (run.ipv6 ? NET_PORT_TSO6 : NET_PORT_TSO4)) == 0 ||
        (from->vlan_aware && run.network != frame->skip)) {
        return; /* the last: the frame has been rewritten since its tag was taken off */
    }
    frame->segment_count = 2; /* the headers, and the first payload */
    do {
        payload = join_add(&run, follower.bytes, follower.length, follower.verified);
        if (payload == 0) {
            break;
        }
        from->ops->take(from, &follower);
        frame->segments[frame->segment_count++] =
            (struct frame_segment){follower.bytes + run.headers_length, payload};
        frame->work += FRAME_JOIN_WORK;
        stats_add(&from->stats->sent_frames, 1);
        stats_add(&from->stats->sent_bytes, follower.length);
    } while (frame->segment_count < FRAME_SEGMENTS_MAX && from->ops->look_behind(from, &follower));
    if (frame->segment_count > 2) {
        use_run(frame, &run);
    } else {
        frame->segment_count = 1;
    }
}

void forward_frame(struct forward *forward, struct port *from, struct frame *frame, uint64_t now)
{
    struct delivery delivery = {0};
    struct tagged_head tagged;

    tagged.made = false;
    if (!validate(from, frame) ||
        !classify(forward, from, frame, &delivery.vlan, &delivery.priority) ||
        !learn_source(forward, from, frame, delivery.vlan, now)) {
        return;
    }

    uint64_t receivers = receivers_of(forward, from, frame, &delivery, now);

    if ((receivers & forward->vlan_aware) != 0 && frame_seems_tagged(&frame->head)) {
        receivers = tagged_only(forward, from, delivery.vlan, receivers);
    }
    if (from->ops->look_behind != NULL && !delivery.flooded && receivers != 0) {
        join_followers(from, &forward->ports[__builtin_ctzll(receivers)], frame);
    }
    forward->receivers = receivers;
    forward->sent_to |= receivers;
    deliver_to_all(forward, frame, &delivery, &tagged, receivers);
    deliver_to_mirror(forward, from, frame, &delivery, &tagged, receivers);
}
