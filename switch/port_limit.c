/* SPDX-License-Identifier: BSD-2-Clause */

#include "port_limit.h"

#include <stddef.h>
#include <string.h>
#include "lib/cpu.h"
#include "lib/offload.h"

#define MICROSECONDS 1000000u

/* IEEE 802.3, 3.2.8: the least frame, without its FCS. A flood of nothing is a flood as well. */
#define FRAME_BYTES_MIN 60u

/* What may wait for a receiver: so much of a second's worth, but two large segments. */
#define QUEUE_SHARE 10u
#define QUEUE_MIN   (2ull * NET_GSO_FRAME_MAX)

/* The limits of each port, by the port's index. */
static struct limit {
    struct port_ops ops;          /* in place of */
    const struct port_ops *inner; /* the port's own */
    struct token_bucket send;
    struct token_bucket receive;
    struct ring queue_in; /* both ends of the frames that wait to be received */
    struct ring queue_out;
    uint32_t queued; /* bytes of frames there, */
    uint32_t depth;  /* at most */
    uint32_t peeked; /* bytes of the frame that has been peeked, and of those joined to it */
} limits[SWITCH_MAX_PORTS];

static struct timer_client *timer;
static uint64_t closed;   /* ports that have been told to wait with what they send */
static uint64_t queueing; /* ports for which frames wait */

static struct limit *limit_of(const struct port *port)
{
    return &limits[port->index];
}

static uint64_t bit_of(const struct port *port)
{
    return 1ULL << port->index;
}

/* What a frame of so many bytes costs. None is longer than a large segment, whatever its sender
 * says.
 */
static uint32_t cost(uint32_t length)
{
    length = length < NET_GSO_FRAME_MAX ? length : NET_GSO_FRAME_MAX;
    return length > FRAME_BYTES_MIN ? length : FRAME_BYTES_MIN;
}

/* ---- What the port sends ---- */

static bool limited_peek(struct port *port, struct frame *frame)
{
    struct limit *limit = limit_of(port);

    if (!token_bucket_is_open(&limit->send, cpu_counter()) || !limit->inner->peek(port, frame)) {
        return false;
    }
    limit->peeked = cost(frame->length);
    return true;
}

static void limited_take(struct port *port, const struct port_follower *follower)
{
    struct limit *limit = limit_of(port);

    limit->inner->take(port, follower);
    limit->peeked += cost(follower->length);
}

static void limited_release(struct port *port)
{
    struct limit *limit = limit_of(port);

    limit->inner->release(port);
    token_bucket_spend(&limit->send, limit->peeked);
}

/* While the bucket is in debt a notification would be in vain: the timer wakes the switch. */
static bool limited_await(struct port *port)
{
    struct limit *limit = limit_of(port);

    if (!token_bucket_is_open(&limit->send, cpu_counter())) {
        closed |= bit_of(port);
        return false;
    }
    return limit->inner->await(port);
}

/* ---- What the port receives ---- */

static enum port_result enqueue(struct port *port, const struct frame_head *head,
                                uint32_t head_length, const struct frame *frame, uint32_t bytes)
{
    struct limit *limit = limit_of(port);

    if (limit->queued + bytes > limit->depth ||
        port_write_record(&limit->queue_in, head, head_length, frame) != PORT_SENT) {
        return PORT_LIMITED;
    }
    limit->queued += bytes;
    queueing |= bit_of(port);
    return PORT_QUEUED;
}

/*
 * Deliver a record that has waited. The receiver may have stopped or begun anew meanwhile, so it is
 * asked once more what it takes.
 */
static enum port_result deliver(struct port *port, const uint8_t *record, uint32_t length)
{
    uint32_t accepts = port_accepts(port);
    struct frame_head head;
    struct frame frame = {.length = length, .skip = ETHERNET_HEADER, .segment_count = 1};

    memcpy(&head, record, sizeof(head));
    frame.segments[0] = (struct frame_segment){record + NET_HEADER, length};
    if ((accepts & NET_PORT_UP) == 0 || !offload_accepted(&head.net, accepts)) {
        return PORT_DOWN;
    }
    return limit_of(port)->inner->send(port, &head, NET_HEADER + ETHERNET_HEADER, &frame);
}

/* Deliver what waits while the bucket is open. Returns whether the port has got something. */
static bool drain(struct port *port)
{
    struct limit *limit = limit_of(port);
    bool delivered = false;

    while (token_bucket_is_open(&limit->receive, cpu_counter())) {
        uint32_t count;
        const uint8_t *record = ring_peek(&limit->queue_out, &count);

        if (record == NULL) {
            queueing &= ~bit_of(port);
            break;
        }
        uint32_t bytes = count - NET_HEADER;
        enum port_result result = deliver(port, record, bytes);

        delivered |= port_count_send(port, result, bytes);
        /* A receiver that is full for a moment loses no more than it would have got. */
        if (result == PORT_SENT || result == PORT_FULL) {
            token_bucket_spend(&limit->receive, cost(bytes));
        }
        limit->queued -= bytes;
        ring_release(&limit->queue_out);
    }
    return delivered;
}

static enum port_result limited_send(struct port *port, const struct frame_head *head,
                                     uint32_t head_length, const struct frame *frame)
{
    struct limit *limit = limit_of(port);
    uint32_t bytes = head_length - NET_HEADER + frame->length - frame->skip;

    drain(port);
    if ((queueing & bit_of(port)) != 0 || !token_bucket_is_open(&limit->receive, cpu_counter())) {
        return enqueue(port, head, head_length, frame, bytes);
    }
    enum port_result result = limit->inner->send(port, head, head_length, frame);

    if (result == PORT_SENT) {
        token_bucket_spend(&limit->receive, cost(bytes));
    }
    return result;
}

/* ---- Both ---- */

static void open_bucket(struct token_bucket *bucket, uint64_t rate, uint32_t burst_us)
{
    token_bucket_init(bucket, rate, rate * burst_us / MICROSECONDS, cpu_counter_frequency(),
                      cpu_counter());
}

void port_limit_init(struct timer_client *with)
{
    timer = with;
    closed = 0;
    queueing = 0;
}

const char *port_limit_attach(struct port *port)
{
    const struct switch_port_config *config = port->config;
    struct limit *limit = limit_of(port);
    uint64_t share = config->receive_rate / QUEUE_SHARE;

    if (config->send_rate == 0 && config->receive_rate == 0) {
        return NULL;
    }
    if (timer == NULL) {
        return "it has a limit, and there is no timer";
    }
    memset(limit, 0, sizeof(*limit));
    limit->inner = port->ops;
    limit->ops = *port->ops;
    open_bucket(&limit->send, config->send_rate, config->burst_us);
    open_bucket(&limit->receive, config->receive_rate, config->burst_us);
    if (config->send_rate != 0) {
        limit->ops.peek = limited_peek;
        limit->ops.release = limited_release;
        limit->ops.take = limited_take;
        limit->ops.await = limited_await;
    }
    if (config->receive_rate != 0) {
        ring_init(&limit->queue_in, config->queue, config->queue_size);
        ring_init(&limit->queue_out, config->queue, config->queue_size);
        if (ring_broken(&limit->queue_in)) {
            return "its limit has no queue";
        }
        limit->depth = share > QUEUE_MIN ? (uint32_t)share : (uint32_t)QUEUE_MIN;
        limit->ops.send = limited_send;
        limit->ops.reserve = NULL;
    }
    port->ops = &limit->ops;
    return NULL;
}

uint64_t port_limit_expired(void)
{
    uint64_t ports = closed;

    closed = 0;
    return ports;
}

uint64_t port_limit_drain(struct port *ports, uint64_t up)
{
    uint64_t left = queueing & up;
    uint64_t delivered = 0;

    while (left != 0) {
        struct port *port = &ports[__builtin_ctzll(left)];

        left &= left - 1;
        if (drain(port)) {
            delivered |= bit_of(port);
        }
    }
    return delivered;
}

/* The earliest time at which a bucket of the ports in `waiting` is open, or `otherwise`. */
static uint64_t earliest(uint64_t waiting, bool receive, uint64_t otherwise)
{
    for (; waiting != 0; waiting &= waiting - 1) {
        const struct limit *limit = &limits[__builtin_ctzll(waiting)];
        uint64_t opens = token_bucket_opens(receive ? &limit->receive : &limit->send);

        otherwise = opens < otherwise ? opens : otherwise;
    }
    return otherwise;
}

void port_limit_set_timer(uint64_t up)
{
    uint64_t deadline = earliest(closed & up, false, TIMER_NEVER);

    deadline = earliest(queueing & up, true, deadline);
    if (deadline != TIMER_NEVER) {
        timer_client_ask(timer, deadline + cpu_counter_frequency() / TOKEN_BUCKET_WAKES);
    }
}
