/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The switch's event loop: which port is served when, who is notified, and what is logged. What
 * becomes of a frame is decided in forward.c.
 */

#include <microkit.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include "config.h"
#include "drivers/timer/client.h"
#include "forward.h"
#include "lib/cpu.h"
#include "lib/log.h"
#include "lib/notify.h"
#include "lib/supervisor.h"
#include "lib/vhost.h"
#include "mac_table.h"
#include "port.h"
#include "port_limit.h"
#include "port_vhost.h"

/*
 * What a port may spend before it is the next one's turn. A frame costs one, one more for each 2
 * KiB of it, and one for each 32 descriptors that it is read from, or other work that takes as
 * long.
 */
#define TURN             32u
#define BYTES_COST_SHIFT 11
#define WORK_COST_SHIFT  5

/*
 * A port that sends for as long as the switch has no budget always has more to be served: its
 * monitor refills the queue while the switch waits. Notifications of other ports wait then,
 * monitors that call, and limits. So after so many rounds the switch pauses, for 20 us: a
 * notification that is there already would come before the calls.
 */
#define ROUNDS_MAX        16u
#define PAUSES_PER_SECOND 50000u

/* Storm control lets through at once what its limit allows in a tenth of a second. */
#define BURSTS_PER_SECOND 10u

#define CALL_WORDS 5u /* message registers of a call, at most */

/* Room for what is said about one port, in bytes. */
#define STATISTICS_ROOM 512u

static struct port ports[SWITCH_MAX_PORTS];
static struct forward forward;
static uint8_t port_of_channel[MICROKIT_MAX_CHANNELS]; /* plus one; 0: none */
static uint64_t active; /* ports that will not notify, because they have not been awaited */
static struct timer_client timer;
static struct supervisor driver; /* of the uplink's card */

static char who[48];
static uint32_t statistics_next; /* the next port whose counters are printed; 0 if none is due */

static uint32_t port_count(void)
{
    return switch_config.port_count < SWITCH_MAX_PORTS ? switch_config.port_count
                                                       : SWITCH_MAX_PORTS;
}

/* ---- Setting up ---- */

static uint64_t mac_of(const uint8_t bytes[6])
{
    uint64_t mac = 0;

    for (int i = 5; i >= 0; i--) {
        mac = mac << 8 | bytes[i];
    }
    return mac;
}

static bool is_uplink(const struct port *port)
{
    return port->config->path == SWITCH_PATH_UPLINK;
}

static void join(struct port *port, uint16_t vlan)
{
    forward.members[vlan % 4096u] |= 1ULL << port->index;
}

static void join_vlans(struct port *port)
{
    const uint16_t *vlans = port->config->trunk_vlans;

    port->native = port->config->access_vlan;
    port->trunk = vlans != NULL;
    port->vlan_aware = port->trunk || port->native != SWITCH_VLAN_NONE;
    /* An uplink also joins those on no VLAN to their like outside: frames without a tag. */
    if (!port->trunk || port->native != SWITCH_VLAN_NONE || is_uplink(port)) {
        join(port, port->native);
    }
    if (port->vlan_aware) {
        forward.vlan_aware |= 1ULL << port->index;
    }
    for (; vlans != NULL && *vlans != 0; vlans++) {
        join(port, *vlans);
    }
}

static const char *attach(struct port *port)
{
    switch (port->config->path) {
    case SWITCH_PATH_ISOLATED:
    case SWITCH_PATH_UPLINK: /* its driver speaks to the switch as a monitor does */
        return port_isolated_attach(port);
    case SWITCH_PATH_VHOST:
        return port_vhost_attach(port);
    default:
        return "this switch has no such data path";
    }
}

/* Storm control: `limit` frames per second, or any number if it is 0. */
static void open_flood_bucket(struct token_bucket *bucket, uint32_t limit)
{
    token_bucket_init(bucket, limit, limit / BURSTS_PER_SECOND, cpu_counter_frequency(),
                      cpu_counter());
}

static void open_port(uint8_t index)
{
    struct port *port = &ports[index];
    const struct switch_port_config *config = &switch_config.ports[index];

    memset(port, 0, sizeof(*port));
    port->config = config;
    port->index = index;
    port->stats = &switch_config.stats[index];
    port->mac = mac_of(config->mac);
    port->mtu = switch_config.mtu;
    port->reach = config->may_reach & ~(1ULL << index);
    mac_table_reserve(&forward.table, index,
                      is_uplink(port) ? MAC_TABLE_QUOTA_UPLINK : MAC_TABLE_QUOTA);
    open_flood_bucket(&port->flood_bucket, config->flood_limit);

    const char *why = attach(port);

    if (why == NULL) {
        why = port_limit_attach(port);
    }
    if (why != NULL) {
        log_printf("port %s: %s; it stays down", config->name, why);
        return;
    }
    join_vlans(port);
    forward.up |= 1ULL << index;
    if (is_uplink(port)) {
        forward.uplinks |= 1ULL << index;
    }
    if (config->mac_fixed) {
        mac_table_add_static(&forward.table, port->mac, index);
        forward.static_ports |= 1ULL << index;
    }
    if (config->channel < MICROKIT_MAX_CHANNELS) {
        port_of_channel[config->channel] = (uint8_t)(index + 1);
    }
}

/* ---- Serving ---- */

static void take_down(struct port *port)
{
    forward.up &= ~(1ULL << port->index);
    active &= ~(1ULL << port->index);
    log_printf("port %s: its queue holds what cannot be; it is down from now on",
               port->config->name);
}

/* Take frames from the port until its turn is over. Returns false if there are no more. */
static bool serve_port(struct port *port, uint64_t now)
{
    struct frame frame;
    uint32_t spent = 0;
    uint32_t frames = 0;
    uint64_t bytes = 0;

    while (spent < TURN && port->ops->peek(port, &frame)) {
        frames++;
        bytes += frame.length;
        forward_frame(&forward, port, &frame, now);
        port->ops->release(port);
        spent += 1 + (frame.length >> BYTES_COST_SHIFT) + (frame.work >> WORK_COST_SHIFT);
    }
    stats_add(&port->stats->sent_frames, frames);
    stats_add(&port->stats->sent_bytes, bytes);
    return spent >= TURN;
}

/*
 * No turn takes longer than this part of a second. If one seems to, the switch has waited for its
 * budget meanwhile, which the port is not charged for.
 */
#define CHARGES_PER_SECOND 1000u

/* Charge a port for `ticks` of work on what it sends. Its monitor does not see all of that time. */
static void charge(struct port *port, uint64_t ticks)
{
    uint64_t most = cpu_counter_frequency() / CHARGES_PER_SECOND;

    port->worked += (uint32_t)(ticks < most ? ticks : most);
    __atomic_store_n(port->work, port->worked, __ATOMIC_RELAXED);
}

/* Divide `ticks` of common work among the ports in `served`. */
static void charge_all(uint64_t served, uint64_t ticks)
{
    if ((served & (served - 1)) != 0) {
        ticks /= (uint32_t)__builtin_popcountll(served);
    }
    for (; served != 0; served &= served - 1) {
        charge(&ports[__builtin_ctzll(served)], ticks);
    }
}

/* After a turn of all: notify the ports that asked for it. `last`: no port has more to be served.
 */
static void finish_ports(uint64_t left, bool last)
{
    while (left != 0) {
        struct port *port = &ports[__builtin_ctzll(left)];

        left &= left - 1;
        if (port->ops->finish(port)) {
            if (last) {
                notify_at_end(port->config->channel);
            } else {
                microkit_notify(port->config->channel);
            }
        }
        if (port->ops->broken(port)) {
            take_down(port);
        }
    }
}

/* One turn for each port that may have something. */
static void serve_active(void)
{
    uint64_t left = active & forward.up;
    uint64_t served = left;
    uint64_t begin = cpu_counter();

    forward.sent_to = 0;
    while (left != 0) {
        uint32_t index = (uint32_t)__builtin_ctzll(left);
        struct port *port = &ports[index];

        left &= left - 1;
        forward.receivers = 0;
        if (!serve_port(port, begin) && !port->ops->await(port)) {
            active &= ~(1ULL << index);
        }
        if (forward.receivers != 0) { /* a turn without a frame says nothing of the last one */
            __atomic_store_n(port->outside, (forward.receivers & forward.uplinks) != 0,
                             __ATOMIC_RELAXED);
        }
        uint64_t end = cpu_counter();
        charge(port, end - begin);
        begin = end;
    }
    finish_ports((served | forward.sent_to) & forward.up, (active & forward.up) == 0);
    charge_all(served, cpu_counter() - begin);
}

static void serve(void)
{
    for (uint32_t rounds = 0; (active & forward.up) != 0; rounds++) {
        if (rounds == ROUNDS_MAX && switch_config.has_timer) {
            timer_client_ask(&timer, cpu_counter() + cpu_counter_frequency() / PAUSES_PER_SECOND);
            break;
        }
        serve_active();
    }
    if (switch_config.has_timer) {
        port_limit_set_timer(forward.up);
    }
}

/* The timer: a pause is over, or a limit lets a port go on. What has waited for a receiver is its
 * own work. */
static void serve_later(void)
{
    uint64_t begin = cpu_counter();
    uint64_t drained;

    timer_client_notified(&timer);
    active |= port_limit_expired();
    drained = port_limit_drain(ports, forward.up) & forward.up;
    finish_ports(drained, (active & forward.up) == 0);
    charge_all(drained, cpu_counter() - begin);
    serve();
}

/* ---- Counters ---- */

static void print_drops(const struct port *port)
{
    char line[200] = "";

    for (int cause = 0; cause < DROP_COUNT; cause++) {
        size_t length = strlen(line);

        uint64_t count = *port_drop_counter(port, (enum drop)cause);

        if (count != 0) {
            snprintf(line + length, sizeof(line) - length, ", %s %llu",
                     forward_drop_name((enum drop)cause), (unsigned long long)count);
        }
    }
    if (line[0] != '\0') {
        log_printf("port %s: dropped%s", port->config->name, line + 1);
    }
}

static void print_counters(const struct port *port)
{
    const struct stats_port *stats = port->stats;

    log_printf("port %s%s: in %llu frames, %llu bytes; out %llu frames, %llu bytes",
               port->config->name, forward.up >> port->index & 1 ? "" : " (down)",
               (unsigned long long)stats->sent_frames, (unsigned long long)stats->sent_bytes,
               (unsigned long long)stats->received_frames,
               (unsigned long long)stats->received_bytes);
    print_drops(port);
}

/* Print as many lines as there is room for. The console notifies when there is more room. */
static void print_statistics(void)
{
    for (; statistics_next < port_count(); statistics_next++) {
        if (!log_await_space(STATISTICS_ROOM)) {
            return;
        }
        print_counters(&ports[statistics_next]);
    }
    statistics_next = 0;
}

void init(void)
{
    uint64_t seed = cpu_counter();

    memset(&forward, 0, sizeof(forward));
    memset(port_of_channel, 0, sizeof(port_of_channel));
    statistics_next = 0;
    active = 0;
    snprintf(who, sizeof(who), "switch %s", switch_config.name);
    log_open(who, switch_config.log, switch_config.log_size, switch_config.log_channel);
    mac_table_init(&forward.table, switch_config.age_seconds * cpu_counter_frequency(), seed);
    forward.ports = ports;
    timer_client_init(&timer, switch_config.timer_channel);
    port_limit_init(switch_config.has_timer ? &timer : NULL);
    for (uint32_t i = 0; i < port_count(); i++) {
        open_port((uint8_t)i);
    }
    if (forward.uplinks != 0) {
        supervisor_init(&driver, SWITCH_DRIVER_CHILD, "the card's driver");
    }
    if (switch_config.mirror_port >= 0 && (uint32_t)switch_config.mirror_port < port_count()) {
        forward.mirror = &ports[switch_config.mirror_port];
    }
    active = forward.up;
    serve();
}

void notified(microkit_channel ch)
{
    if (ch >= MICROKIT_MAX_CHANNELS) {
        return;
    }
    if (port_of_channel[ch] != 0) {
        uint64_t port = 1ULL << (port_of_channel[ch] - 1);

        if ((port & forward.uplinks) != 0 && !driver.looked) {
            supervisor_look(&driver);
        }
        active |= port;
        serve();
    } else if (switch_config.log != NULL && ch == switch_config.log_channel) {
        print_statistics();
    } else if (switch_config.has_timer && ch == switch_config.timer_channel) {
        serve_later();
    }
}

/* A monitor's call about its port: lib/vhost.h. */
microkit_msginfo protected(microkit_channel ch, microkit_msginfo msginfo)
{
    uint64_t label = microkit_msginfo_get_label(msginfo);
    uint64_t count = microkit_msginfo_get_count(msginfo);
    uint64_t words[CALL_WORDS];
    uint64_t result = VHOST_REFUSED;
    struct port *port = ch < MICROKIT_MAX_CHANNELS && port_of_channel[ch] != 0
                            ? &ports[port_of_channel[ch] - 1]
                            : NULL;

    if (port != NULL && port->config->path == SWITCH_PATH_VHOST && count <= CALL_WORDS) {
        for (uint32_t i = 0; i < count; i++) {
            words[i] = microkit_mr_get((seL4_Uint8)i);
        }
        result = port_vhost_call(port, label, words, (uint32_t)count);
    }
    return microkit_msginfo_new(result, 0);
}

/*
 * The driver of the uplink's card. Nobody answers the fault: either the driver begins anew, or the
 * uplink has no link any more.
 */
seL4_Bool fault(microkit_child child, microkit_msginfo msginfo, microkit_msginfo *reply_msginfo)
{
    (void)reply_msginfo;
    if (child != SWITCH_DRIVER_CHILD || forward.uplinks == 0) {
        return seL4_False;
    }

    struct port *port = &ports[__builtin_ctzll(forward.uplinks)];
    bool again = supervisor_fault(&driver, msginfo);

    port_isolated_reset(port);
    if (again) {
        forward.up |= forward.uplinks;
        active |= forward.uplinks;
        serve();
        (void)supervisor_restart(&driver);
    }
    return seL4_False;
}
