/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A port of the switch, whatever is behind it, and a frame on its way from one to others.
 *
 * A sender's frame stays where the sender has put it, in memory that the sender can still write.
 * What is decided on is therefore copied first, into struct frame_head, and that copy is what every
 * receiver gets in front of the rest.
 */

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stdint.h>
#include "config.h"
#include "lib/net_port.h"
#include "lib/ring.h"
#include "token_bucket.h"

#define ETHERNET_HEADER 14u
#define VLAN_TAG        4u
#define NET_HEADER      12u /* sizeof(struct virtio_net_hdr_v1) */

#define FRAME_HEAD_WORDS 4u

/*
 * The first bytes of a record: with `ethernet` behind `net` they lie as they are sent. As words
 * they are copied and looked at; the processor is little-endian.
 */
struct frame_head {
    union {
        struct {
            struct virtio_net_hdr_v1 net;
            uint8_t ethernet[ETHERNET_HEADER + VLAN_TAG];
            uint8_t unused[2];
        };
        uint64_t words[FRAME_HEAD_WORDS];
    };
} __attribute__((aligned(16)));

_Static_assert(sizeof(struct frame_head) == 32, "FRAME_HEAD_WORDS");

struct frame_segment {
    const uint8_t *bytes;
    uint32_t length;
};

/* To make a frame of a large one takes as long as to read so many descriptors. */
#define FRAME_CUT_WORK 8u

#define FRAME_SEGMENTS_MAX 24u /* a large segment in pages, and some */

struct frame {
    struct frame_head head; /* without a VLAN tag once the switch has looked at it */
    uint32_t length;        /* of the Ethernet frame as it was sent, in bytes */
    uint32_t skip;          /* so many of its first bytes are replaced by the head's */
    uint32_t work;          /* descriptors read, and FRAME_CUT_WORK for each that it is cut into */
    const char *error;      /* the port's own, for which it goes no further; NULL: none */
    uint32_t segment_count;
    struct frame_segment segments[FRAME_SEGMENTS_MAX]; /* the whole frame, `length` bytes */
};

/* Why a frame has gone no further. The first ones are the sender's fault. */
enum drop {
    DROP_SHORT,
    DROP_LONG,
    DROP_HEADER,     /* what goes with it contradicts itself */
    DROP_SOURCE,     /* from an address that is not the sender's to use */
    DROP_VLAN,       /* on a VLAN that the sender is not on */
    DROP_FLOOD,      /* one of too many for several ports */
    DROP_FILTERED,   /* for the sender's own side, or for this switch only */
    DROP_FORBIDDEN,  /* for a port that the sender may not reach */
    DROP_DOWN,       /* the receiver's guest is not listening */
    DROP_FULL,       /* the receiver does not keep up */
    DROP_CONVERSION, /* the receiver cannot take it and it cannot be converted */
    DROP_COUNT,
};

struct port_counters {
    uint64_t rx_frames; /* from the port, dropped ones included */
    uint64_t rx_bytes;
    uint64_t tx_frames; /* to the port */
    uint64_t tx_bytes;
    uint64_t dropped[DROP_COUNT]; /* up to DROP_FORBIDDEN: from it; then: to it */
};

enum port_result { PORT_SENT, PORT_FULL };

struct port;

struct port_ops {
    /*
     * The oldest frame that the port has sent: fills in `head` as it is in memory (it may be short;
     * see `length`), `length`, `work` and the segments. Returns false if there is none. The frame
     * stays until `release`.
     */
    bool (*peek)(struct port *port, struct frame *frame);
    void (*release)(struct port *port);

    /*
     * Copy a frame to the port: `head_length` bytes of `head`, then the frame's bytes behind
     * `skip`. The receiver sees it now or at `finish`.
     */
    enum port_result (*send)(struct port *port, const struct frame_head *head, uint32_t head_length,
                             const struct frame *frame);

    /* After a batch: returns whether the port's channel is to be notified. */
    bool (*finish)(struct port *port);

    /* Nothing is left to peek. Returns true if that has changed; otherwise the port will notify. */
    bool (*await)(struct port *port);

    /* Whether the other side has broken the rules, and nothing more can pass. */
    bool (*broken)(const struct port *port);
};

struct port {
    const struct port_ops *ops;
    const struct switch_port_config *config;
    uint8_t index;
    bool trunk;      /* its frames carry VLAN tags, but for those of `native` */
    uint16_t native; /* the VLAN of frames without a tag; SWITCH_VLAN_NONE on a trunk: none */
    bool vlan_aware; /* false: tags are none of the switch's business */
    uint64_t mac;    /* as the table takes it */
    struct token_bucket flood_bucket; /* from an uplink */
    uint64_t reach;                   /* the ports that frames from here may go to */
    const uint32_t *accepts; /* NET_PORT_* bits of the receiver, which changes them at any time */
    struct port_counters counters;
    uint32_t worked; /* SWITCH_PATH_VHOST: ticks that have been spent on what the port sends, */
    uint32_t *work;  /* and where its monitor is told of them; NULL with other paths */

    /* SWITCH_PATH_ISOLATED, SWITCH_PATH_UPLINK */
    struct ring from;
    struct ring to;
};

/* What the port's receiver takes at this moment. */
static inline uint32_t port_accepts(const struct port *port)
{
    return __atomic_load_n(port->accepts, __ATOMIC_RELAXED);
}

/* Attach to a port whose `config` is set. Returns NULL, or why that cannot be. */
const char *port_isolated_attach(struct port *port);
