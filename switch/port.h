/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A port of the switch, whatever is behind it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "config.h"
#include "frame.h"
#include "lib/net_port.h"
#include "lib/ring.h"
#include "lib/stats.h"
#include "lib/token_bucket.h"

/*
 * Why a frame has been dropped. Up to DROP_FORBIDDEN it is the sender's port that counts it, then
 * the receiver's.
 */
enum drop {
    DROP_SHORT,
    DROP_LONG,
    DROP_HEADER,     /* its virtio-net header or VLAN tag is invalid */
    DROP_SOURCE,     /* from an address that is not the sender's to use */
    DROP_VLAN,       /* the sender is not a member of its VLAN */
    DROP_FLOOD,      /* storm control: too many for several ports */
    DROP_FILTERED,   /* for a station behind the sender's port, or a reserved address */
    DROP_FORBIDDEN,  /* for a port that the sender may not reach */
    DROP_DOWN,       /* the receiver's guest is not listening */
    DROP_FULL,       /* the receiver does not keep up */
    DROP_LIMIT,      /* the receiver's limit */
    DROP_UNSUITED,   /* the receiver's buffers are too small */
    DROP_CONVERSION, /* the receiver lacks its offloads, and software cannot stand in */
    DROP_COUNT,
};

enum port_result {
    PORT_SENT,
    PORT_QUEUED, /* it waits for the receiver's limit; what becomes of it is counted then */
    PORT_FULL,
    PORT_UNSUITED, /* the receiver's buffers will never do for this frame */
    PORT_LIMITED,  /* more than its limit waits for the receiver */
    PORT_DOWN,     /* it has gone down, or begun anew, while the frame waited */
};

/*
 * Of a function that each frame goes through: all that it calls is compiled into it. The rings' and
 * queues' functions are short, and calling them costs a tenth of the instructions for a small
 * frame.
 */
#define EACH_FRAME __attribute__((flatten))

struct port;

/* A frame behind another one. */
struct port_follower {
    const uint8_t *bytes; /* in memory that the sender can still write */
    uint32_t length;      /* bytes of the Ethernet frame, NET_FRAME_MIN at least */
    bool verified;        /* the sender says that its checksum is right */
};

struct port_ops {
    /*
     * Get the oldest frame that the port has sent, until `release`. Fills in `head` as it is in
     * memory (a short frame fills only `length` bytes of it), `length`, `work`, `error` and the
     * segments. Returns false if there is none.
     */
    bool (*peek)(struct port *port, struct frame *frame);
    void (*release)(struct port *port);

    /*
     * A frame that the port has sent behind those that peek, and `take`, have given; it is plain,
     * without an offload that is left to somebody. `take` takes the one that was looked at last:
     * `release` is for all. Only on a port whose frames are joined; NULL on the others.
     */
    bool (*look_behind)(struct port *port, struct port_follower *follower);
    void (*take)(struct port *port, const struct port_follower *follower);

    /*
     * Copy a frame to the port: `head_length` bytes of `head`, then the frame's bytes behind
     * `skip`. The receiver sees it now or at `finish`.
     */
    enum port_result (*send)(struct port *port, const struct frame_head *head, uint32_t head_length,
                             const struct frame *frame);

    /*
     * Room of `count` bytes for a record that the switch makes where the port reads it, or NULL if
     * it is full. `commit` sends the record; both belong together. The port's side may write there
     * at any time. NULL on ports whose frames have to be whole before they are sent.
     */
    void *(*reserve)(struct port *port, uint32_t count);
    void (*commit)(struct port *port);

    /* After a batch: returns whether the port's channel is to be notified. */
    bool (*finish)(struct port *port);

    /*
     * Nothing is left to peek: ask for a notification. Returns true if a frame has come meanwhile;
     * otherwise the port will notify.
     */
    bool (*await)(struct port *port);

    /* Whether the other side has broken the protocol, so that nothing more can pass. */
    bool (*broken)(const struct port *port);
};

struct port {
    const struct port_ops *ops;
    const struct switch_port_config *config;
    uint8_t index;
    bool trunk;      /* a trunk port: frames are tagged, except on the native VLAN */
    uint16_t native; /* VLAN of untagged frames; SWITCH_VLAN_NONE on a trunk: none */
    bool vlan_aware; /* false: the switch does not look at tags */
    uint16_t mtu;    /* the switch's: a frame has at most NET_FRAME_MAX(mtu) bytes */
    uint64_t mac;    /* in the MAC table's form */
    struct token_bucket flood_bucket; /* storm control, on an uplink */
    uint64_t reach;                   /* the ports that frames from here may go to */
    const uint32_t *accepts;  /* NET_PORT_* bits of the receiver, which changes them at any time */
    struct stats_port *stats; /* the port sends what the switch receives */
    uint32_t worked;          /* ticks that have been spent on what the port sends, */
    uint32_t *work;           /* and where its monitor is told of them; */
    uint32_t *outside;        /* of whether its last frame has gone to an uplink */

    /* SWITCH_PATH_ISOLATED, SWITCH_PATH_UPLINK */
    struct ring from;
    struct ring to;
};

/* What the port's receiver takes at this moment. */
static inline uint32_t port_accepts(const struct port *port)
{
    return __atomic_load_n(port->accepts, __ATOMIC_RELAXED);
}

/* Where drops of that cause are counted. */
static inline uint64_t *port_drop_counter(const struct port *port, enum drop cause)
{
    static const size_t members[DROP_COUNT] = {
        [DROP_SHORT] = offsetof(struct stats_port, sent_dropped_short),
        [DROP_LONG] = offsetof(struct stats_port, sent_dropped_long),
        [DROP_HEADER] = offsetof(struct stats_port, sent_dropped_header),
        [DROP_SOURCE] = offsetof(struct stats_port, sent_dropped_source),
        [DROP_VLAN] = offsetof(struct stats_port, sent_dropped_vlan),
        [DROP_FLOOD] = offsetof(struct stats_port, sent_dropped_flood),
        [DROP_FILTERED] = offsetof(struct stats_port, sent_dropped_filtered),
        [DROP_FORBIDDEN] = offsetof(struct stats_port, sent_dropped_forbidden),
        [DROP_DOWN] = offsetof(struct stats_port, received_dropped_down),
        [DROP_FULL] = offsetof(struct stats_port, received_dropped_full),
        [DROP_LIMIT] = offsetof(struct stats_port, received_dropped_limit),
        [DROP_UNSUITED] = offsetof(struct stats_port, received_dropped_unsuited),
        [DROP_CONVERSION] = offsetof(struct stats_port, received_dropped_conversion),
    };

    return (uint64_t *)((uintptr_t)port->stats + members[cause]);
}

/* Count a frame from `port`, or for it, that goes no further. */
static inline void port_drop(struct port *port, enum drop cause)
{
    stats_add(port_drop_counter(port, cause), 1);
}

/* Count a frame for `to` that has not been sent. Not inline: each frame would prepare for it. */
static __attribute__((noinline, unused)) void port_count_unsent(struct port *to,
                                                                enum port_result result)
{
    static const uint8_t causes[] = {
        [PORT_FULL] = DROP_FULL,
        [PORT_UNSUITED] = DROP_UNSUITED,
        [PORT_LIMITED] = DROP_LIMIT,
        [PORT_DOWN] = DROP_DOWN,
    };

    port_drop(to, (enum drop)causes[result]);
}

/* Count what has become of `bytes` bytes for `to`. Returns false if they are lost. */
static inline bool port_count_send(struct port *to, enum port_result result, uint32_t bytes)
{
    if (result == PORT_QUEUED) {
        return true;
    }
    if (result != PORT_SENT) {
        port_count_unsent(to, result);
        return false;
    }
    stats_add(&to->stats->received_frames, 1);
    stats_add(&to->stats->received_bytes, bytes);
    return true;
}

/*
 * Put a frame into a ring as one record, as struct port_ops' `send` has it. Returns PORT_SENT or
 * PORT_FULL.
 */
enum port_result port_write_record(struct ring *ring, const struct frame_head *head,
                                   uint32_t head_length, const struct frame *frame);

/*
 * Attach to a port whose `config` is set. Returns NULL, or why that cannot be. Of an uplink, frames
 * from outside may be joined.
 */
const char *port_isolated_attach(struct port *port);

/*
 * The other end has faulted. Drop what is in the rings, and send it nothing until it says once more
 * what it takes.
 */
void port_isolated_reset(struct port *port);
