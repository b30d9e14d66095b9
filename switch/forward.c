/* SPDX-License-Identifier: BSD-2-Clause */

#include "forward.h"

#include <stddef.h>
#include <string.h>
#include "lib/log.h"
#include "lib/offload.h"

#define TYPE_OFFSET   12u
#define TYPE_VLAN     0x8100u /* IEEE 802.1Q, 9.4: a tag of the kind that is a VLAN here */
#define VID_MASK      0x0fffu
#define PRIORITY_MASK 0xf000u
#define MAC_MASK      0xffffffffffffULL

/* 01-80-c2-00-00-00 to -0f, never relayed (IEEE 802.1Q, 8.6.3): all but the last 4 bits count. */
#define MAC_RESERVED      0x000000c28001ULL
#define MAC_RESERVED_MASK 0xf0ffffffffffULL

/* A receiver without segmentation gets frames of at most this much payload. */
#define SEGMENT_MAX (NET_FRAME_MAX - ETHERNET_HEADER - VLAN_TAG)

const char *forward_drop_name(enum drop cause)
{
    static const char *const names[DROP_COUNT] = {
        [DROP_SHORT] = "short",         [DROP_LONG] = "long",
        [DROP_HEADER] = "bad header",   [DROP_SOURCE] = "foreign source",
        [DROP_VLAN] = "foreign VLAN",   [DROP_FILTERED] = "filtered",
        [DROP_FORBIDDEN] = "forbidden", [DROP_DOWN] = "receiver down",
        [DROP_FULL] = "receiver full",  [DROP_CONVERSION] = "not convertible",
        [DROP_FLOOD] = "flood",
    };

    return names[cause];
}

static void drop(struct port *port, enum drop cause)
{
    port->counters.dropped[cause]++;
}

static void reject(struct port *port, enum drop cause, uint32_t length, const char *why)
{
    drop(port, cause);
    log_limited("port %s: a frame of %u bytes dropped: %s", port->config->name, length, why);
}

static uint16_t get16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void put16(uint8_t *bytes, uint16_t value)
{
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

/* The addresses as the table takes them: bytes 12 to 17 and 18 to 23 of the head. */
static uint64_t destination_of(const struct frame_head *head)
{
    return (head->words[1] >> 32 | head->words[2] << 32) & MAC_MASK;
}

static uint64_t source_of(const struct frame_head *head)
{
    return head->words[2] >> 16;
}

/* What follows the addresses, as its bytes read on this processor: bytes 24 and 25. */
static uint16_t type_of(const struct frame_head *head)
{
    return (uint16_t)head->words[3];
}

#define LITTLE_ENDIAN_TYPE(type) ((type) >> 8 | ((type)&0xffu) << 8)

/* Whether a VLAN's tag follows the addresses. */
static bool is_tagged(const struct frame_head *head)
{
    return type_of(head) == LITTLE_ENDIAN_TYPE(TYPE_VLAN);
}

/* Whether anything follows them that somebody, here or outside, takes for a tag. */
static bool seems_tagged(const struct frame_head *head)
{
    switch (type_of(head)) {
    case LITTLE_ENDIAN_TYPE(TYPE_VLAN):
    case LITTLE_ENDIAN_TYPE(0x88a8u): /* a service VLAN's (IEEE 802.1Q, 9.4) */
    case LITTLE_ENDIAN_TYPE(0x9100u): /* the same before there was a standard */
    case LITTLE_ENDIAN_TYPE(0x9200u):
    case LITTLE_ENDIAN_TYPE(0x9300u):
        return true;
    default:
        return false;
    }
}

/* Whether the sender has left nothing undone that the receiver would have to agree to. */
static bool is_plain(const struct virtio_net_hdr_v1 *net)
{
    return (net->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0 &&
           net->gso_type == VIRTIO_NET_HDR_GSO_NONE;
}

/* ---- What the sender has said ---- */

/* A frame that is to be completed or cut up by somebody. */
static bool is_sound_unfinished(struct port *from, struct frame *frame)
{
    struct virtio_net_hdr_v1 *net = &frame->head.net;

    if (net->gso_type == VIRTIO_NET_HDR_GSO_NONE) {
        net->gso_size = 0;
        net->hdr_len = 0;
    }
    net->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM & net->flags;
    net->num_buffers = 0;

    const char *why = offload_check_header(net, frame->length);

    if (why != NULL) {
        enum drop cause = frame->length > NET_GSO_FRAME_MAX ? DROP_LONG : DROP_HEADER;

        reject(from, cause, frame->length, why);
        return false;
    }
    if (net->gso_size > SEGMENT_MAX) {
        reject(from, DROP_LONG, frame->length, "its segments are too long");
        return false;
    }
    return true;
}

/* Lengths and the virtio-net header, of which only what means something to a receiver stays. */
static bool is_sound(struct port *from, struct frame *frame)
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
    if (head->net.gso_type == VIRTIO_NET_HDR_GSO_NONE && frame->length > NET_FRAME_MAX) {
        reject(from, DROP_LONG, frame->length, "too long");
        return false;
    }
    if (!is_plain(&head->net)) {
        return is_sound_unfinished(from, frame);
    }
    head->words[0] = 0;                      /* all of `net`, */
    head->words[1] &= ~(uint64_t)UINT32_MAX; /* which has 12 bytes */
    return true;
}

/* Move what counts from the frame's start by the length of a VLAN tag. */
static void shift_offsets(struct virtio_net_hdr_v1 *net, int by)
{
    if (net->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
        net->csum_start = (uint16_t)(net->csum_start + by);
    }
    if (net->hdr_len != 0) {
        net->hdr_len = (uint16_t)(net->hdr_len + by);
    }
}

/*
 * Take the frame's tag off its head. Returns the tag, or 0 without one; -1 if the frame ends within
 * it, or the header counts from within it.
 */
static int take_tag(struct frame *frame)
{
    struct frame_head *head = &frame->head;

    frame->skip = ETHERNET_HEADER;
    if (!is_tagged(head)) {
        return 0;
    }
    if (frame->length < ETHERNET_HEADER + VLAN_TAG ||
        ((head->net.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) &&
         head->net.csum_start < ETHERNET_HEADER + VLAN_TAG) ||
        (head->net.hdr_len != 0 && head->net.hdr_len < ETHERNET_HEADER + VLAN_TAG)) {
        return -1;
    }
    int tag = get16(head->ethernet + ETHERNET_HEADER);

    memmove(head->ethernet + TYPE_OFFSET, head->ethernet + TYPE_OFFSET + VLAN_TAG, 2);
    frame->skip = ETHERNET_HEADER + VLAN_TAG;
    shift_offsets(&head->net, -(int)VLAN_TAG);
    return tag;
}

/* Find out which VLAN the frame is on, and its priority; false if it may not be there. */
static bool classify(struct forward *forward, struct port *from, struct frame *frame,
                     uint16_t *vlan, uint16_t *priority)
{
    *priority = 0;
    if (!from->vlan_aware) {
        frame->skip = ETHERNET_HEADER;
        *vlan = SWITCH_VLAN_NONE;
        return true;
    }

    int tag = take_tag(frame);

    if (tag < 0) {
        reject(from, DROP_HEADER, frame->length, "it ends within its VLAN tag");
        return false;
    }
    *vlan = (uint16_t)tag & VID_MASK;
    *priority = (uint16_t)tag & PRIORITY_MASK;
    if (*vlan == 0) {
        *vlan = from->native; /* no tag, or one for the priority only */
        if (seems_tagged(&frame->head)) {
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
        drop(from, DROP_VLAN); /* any system sends a few of those: no reason to report it */
    } else {
        reject(from, DROP_VLAN, frame->length, "on a VLAN that the port is not on");
    }
    return false;
}

/* Whether the sender may use its source address; learns it. */
static bool learn_source(struct forward *forward, struct port *from, const struct frame *frame,
                         uint16_t vlan, uint64_t now)
{
    uint64_t source = source_of(&frame->head);

    if (from->config->mac_fixed) {
        if (source == from->mac) {
            return true; /* the table has it from the start */
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

/* ---- Delivery ---- */

/* What all receivers of a frame share. */
struct delivery {
    struct frame *frame;
    uint16_t vlan;
    uint16_t priority; /* as in a tag */
    bool flooded;      /* it goes to several, of which some may not listen */
    struct frame_head tagged;
    bool has_tagged;
};

/* The head with the VLAN's tag, made when the first receiver needs it. */
static const struct frame_head *tagged_head(struct delivery *delivery)
{
    struct frame_head *tagged = &delivery->tagged;

    if (!delivery->has_tagged) {
        delivery->has_tagged = true;
        *tagged = delivery->frame->head;
        memmove(tagged->ethernet + TYPE_OFFSET + VLAN_TAG, tagged->ethernet + TYPE_OFFSET, 2);
        put16(tagged->ethernet + TYPE_OFFSET, TYPE_VLAN);
        put16(tagged->ethernet + ETHERNET_HEADER, delivery->priority | delivery->vlan);
        shift_offsets(&tagged->net, VLAN_TAG);
    }
    return tagged;
}

static bool count_result(struct port *to, enum port_result result, uint32_t bytes)
{
    if (result != PORT_SENT) {
        drop(to, DROP_FULL);
        return false;
    }
    to->counters.tx_frames++;
    to->counters.tx_bytes += bytes;
    return true;
}

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

/*
 * For a receiver that does not take what the sender has left undone: complete checksums, cut up
 * large segments. The pieces get the head that was decided on, whatever the sender has written over
 * it since.
 */
static void send_converted(struct port *to, struct frame *frame, const struct frame_head *head,
                           uint32_t head_length, uint32_t accepts)
{
    static uint8_t whole[NET_GSO_FRAME_MAX];
    static uint8_t record[NET_HEADER + OFFLOAD_HEADERS_MAX + NET_FRAME_MAX];
    static struct offload_plan plan;
    struct virtio_net_hdr_v1 as_sent = frame->head.net;
    int tag_sent = (int)(frame->skip - ETHERNET_HEADER);
    int tag_now = (int)(head_length - NET_HEADER - ETHERNET_HEADER);
    struct frame_head piece_head = *head;
    struct frame piece = {.skip = frame->skip, .segment_count = 1};

    shift_offsets(&as_sent, tag_sent);
    if (offload_plan(&plan, &as_sent, in_one_piece(frame, whole), frame->length, accepts) != NULL ||
        offload_record_max(&plan) > sizeof(record)) {
        drop(to, DROP_CONVERSION);
        return;
    }
    for (uint32_t count; (count = offload_next(&plan, record)) != 0;) {
        frame->work += FRAME_CUT_WORK;
        piece.length = count - NET_HEADER;
        if (piece.length < piece.skip) {
            drop(to, DROP_CONVERSION);
            return;
        }
        memcpy(&piece_head.net, record, NET_HEADER);
        shift_offsets(&piece_head.net, tag_now - tag_sent);
        piece.segments[0].bytes = record + NET_HEADER;
        piece.segments[0].length = piece.length;
        if (!count_result(to, to->ops->send(to, &piece_head, head_length, &piece), piece.length)) {
            return; /* with some pieces missing, the sender will repeat it all */
        }
    }
}

static void deliver(struct forward *forward, struct port *to, struct delivery *delivery, bool tag)
{
    struct frame *frame = delivery->frame;
    const struct frame_head *head = &frame->head;
    uint32_t head_length = NET_HEADER + ETHERNET_HEADER;
    uint32_t accepts = port_accepts(to);

    if ((accepts & NET_PORT_UP) == 0) {
        if (!delivery->flooded) {
            drop(to, DROP_DOWN);
        }
        return;
    }
    if (tag) {
        head = tagged_head(delivery);
        head_length += VLAN_TAG;
    }
    forward->sent_to |= 1ULL << to->index;
    if (!is_plain(&head->net) && !offload_accepted(&head->net, accepts)) {
        send_converted(to, frame, head, head_length, accepts);
        return;
    }
    count_result(to, to->ops->send(to, head, head_length, frame),
                 head_length - NET_HEADER + frame->length - frame->skip);
}

/* Whether the port gets frames of this VLAN with its tag. */
static bool takes_tag(const struct port *to, uint16_t vlan)
{
    return to->trunk && vlan != to->native;
}

static void deliver_to_all(struct forward *forward, struct delivery *delivery, uint64_t receivers)
{
    while (receivers != 0) {
        struct port *to = &forward->ports[__builtin_ctzll(receivers)];

        receivers &= receivers - 1;
        deliver(forward, to, delivery, takes_tag(to, delivery->vlan));
    }
}

/*
 * A frame that has a tag in it, behind that of its VLAN or, from a port on no VLAN, without one:
 * not for ports on VLANs that would get it with that tag in front, and so on another VLAN.
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
        drop(from, DROP_VLAN);
    }
    return left;
}

/* The mirror sees the VLAN of each frame, but of those that it gets anyway. */
static void deliver_to_mirror(struct forward *forward, const struct port *from,
                              struct delivery *delivery, uint64_t receivers)
{
    struct port *mirror = forward->mirror;

    if (mirror == NULL || mirror == from || (receivers >> mirror->index & 1) != 0 ||
        (forward->up >> mirror->index & 1) == 0) {
        return;
    }
    deliver(forward, mirror, delivery, delivery->vlan != SWITCH_VLAN_NONE);
}

/*
 * Of the ports that a frame for nobody known would go to, those it can be for: the owner of a fixed
 * address has no other, and gets the rest only if it wants to see everything.
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

/* The ports that shall have the frame; counts what may not go on. */
static uint64_t receivers_of(struct forward *forward, struct port *from, struct delivery *delivery,
                             uint64_t now)
{
    uint64_t destination = destination_of(&delivery->frame->head);
    uint64_t allowed = forward->members[delivery->vlan] & from->reach & forward->up;

    if (destination & MAC_GROUP) {
        delivery->flooded = true;
        if ((destination & MAC_RESERVED_MASK) == MAC_RESERVED) {
            drop(from, DROP_FILTERED);
            return 0;
        }
        if (is_uplink(from) && !token_bucket_take(&from->flood_bucket, now)) {
            drop(from, DROP_FLOOD);
            return 0;
        }
        return allowed;
    }

    int port = mac_table_find(&forward->table, destination, delivery->vlan, now);

    if (port == MAC_TABLE_NOT_FOUND && is_uplink(from)) {
        drop(from, DROP_FILTERED); /* for somebody else out there */
        return 0;
    }
    if (port == MAC_TABLE_NOT_FOUND) {
        delivery->flooded = true;
        return without_static(forward, allowed);
    }
    if (port == from->index) {
        drop(from, DROP_FILTERED);
        return 0;
    }
    if ((allowed >> port & 1) == 0) {
        drop(from, DROP_FORBIDDEN);
        return 0;
    }
    return 1ULL << port;
}

void forward_frame(struct forward *forward, struct port *from, struct frame *frame, uint64_t now)
{
    struct delivery delivery;

    from->counters.rx_frames++;
    from->counters.rx_bytes += frame->length;
    delivery.frame = frame;
    delivery.flooded = false;
    delivery.has_tagged = false;
    if (!is_sound(from, frame) ||
        !classify(forward, from, frame, &delivery.vlan, &delivery.priority) ||
        !learn_source(forward, from, frame, delivery.vlan, now)) {
        return;
    }

    uint64_t receivers = receivers_of(forward, from, &delivery, now);

    if ((receivers & forward->vlan_aware) != 0 && seems_tagged(&frame->head)) {
        receivers = tagged_only(forward, from, delivery.vlan, receivers);
    }
    deliver_to_all(forward, &delivery, receivers);
    deliver_to_mirror(forward, from, &delivery, receivers);
}
