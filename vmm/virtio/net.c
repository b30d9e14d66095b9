/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The card as the transport sees it. Its data path is net_isolated.c or net_vhost.c, as configured;
 * when it interrupts and polls is net_moderation.c's; what its driver sets is net_control.c's.
 */

#include "net.h"

#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <microkit.h>
#include <string.h>
#include "lib/net_header.h"
#include "lib/net_port.h"
#include "lib/ring.h"
#include "net_control.h"
#include "net_features.h"
#include "net_isolated.h"
#include "net_moderation.h"
#include "net_vhost.h"

enum { RX = VHOST_RX, TX = VHOST_TX, CONTROL = NET_CONTROL_QUEUE, QUEUES };

#define QUEUE_SIZE 1024u

struct net {
    struct virtio_device device; /* first: the transport hands this back */
    const struct vmm_interface_config *config;
    struct net_vhost vhost;       /* the data path with config->vhost */
    struct net_isolated isolated; /* without */
    struct net_moderation moderation;
    struct net_control control;
};

static struct net nets[VMM_MAX_INTERFACES];

static const char *const names[] = {"net0", "net1", "net2", "net3", "net4", "net5", "net6", "net7"};
_Static_assert(sizeof(names) / sizeof(names[0]) == VMM_MAX_INTERFACES, "a name for each");

/* A PD has one thread, so the cards share these. */
static struct virtqueue_segment segments[VIRTQUEUE_SIZE_MAX];

/* Tell the switch what the guest can receive now. */
static void update_accepts(struct virtio_device *device)
{
    struct net *net = (struct net *)device;
    uint32_t accepts = 0;

    if (virtio_device_running(device)) {
        accepts = NET_PORT_UP | net_features_accepted(net->control.offloads) |
                  (net->control.promiscuous ? NET_PORT_PROMISC : 0);
    }
    if (net->config->vhost) {
        net_vhost_accepts(&net->vhost, accepts);
    } else {
        net_isolated_accepts(&net->isolated, accepts);
    }
}

static uint32_t net_work(struct virtio_device *device, uint32_t pending)
{
    struct net *net = (struct net *)device;
    uint32_t left = 0;

    if ((pending & 1u << CONTROL) != 0 && net_control_work(&net->control, segments)) {
        left |= 1u << CONTROL;
    }
    if (!virtio_device_running(device)) { /* a command has broken a rule */
        return 0;
    }
    if (net->config->vhost) {
        net_vhost_charge(&net->vhost);
        if (net_vhost_hand_over(&net->vhost, device)) {
            net_moderation_kicked(&net->moderation);
            net_vhost_kick(&net->vhost);
        }
        return left;
    }
    return left | net_isolated_work(&net->isolated, pending, segments);
}

static void net_notified(struct virtio_device *device)
{
    struct net *net = (struct net *)device;

    if (net->config->vhost) {
        net_vhost_charge(&net->vhost);
        net_vhost_notified(&net->vhost, device);
    } else {
        net_isolated_notified(&net->isolated);
    }
}

static void net_timer_expired(struct virtio_device *device)
{
    struct net *net = (struct net *)device;

    if (!net_moderation_timer_expired(&net->moderation)) {
        return;
    }
    if (net->config->vhost) {
        microkit_notify(net->config->channel);
    } else {
        virtio_device_schedule(device, 1u << TX);
    }
}

static void net_idle(struct virtio_device *device)
{
    struct net *net = (struct net *)device;

    if (virtio_device_running(device) && net_moderation_poll(&net->moderation)) {
        virtio_device_schedule(device, 1u << TX);
    }
}

static void net_start(struct virtio_device *device)
{
    struct net *net = (struct net *)device;

    if (net->config->vhost) {
        net_vhost_start(&net->vhost, device->driver_features);
    } else {
        net_isolated_start(&net->isolated);
    }
    net_control_start(&net->control);
    update_accepts(device);
}

static void net_stop(struct virtio_device *device)
{
    struct net *net = (struct net *)device;

    net_control_stop(&net->control);
    net_moderation_reset(&net->moderation);
    if (net->config->vhost) {
        net_vhost_stop(&net->vhost);
    } else {
        net_isolated_stop(&net->isolated);
    }
}

static void net_queue_stopped(struct virtio_device *device, uint32_t queue)
{
    struct net *net = (struct net *)device;

    if (net->config->vhost && queue < VHOST_QUEUES) {
        net_vhost_drop(&net->vhost, queue);
    }
}

static void net_reset(struct virtio_device *device)
{
    const struct vmm_interface_config *config = ((struct net *)device)->config;
    struct virtio_net_config space = {
        .status = VIRTIO_NET_S_LINK_UP,
        .max_virtqueue_pairs = 1,
        .mtu = config->mtu,
    };

    memcpy(space.mac, config->mac, sizeof(space.mac));
    virtio_device_set_config(device, 0, &space, sizeof(space));
}

static const struct virtio_device_ops net_ops = {
    .id = VIRTIO_ID_NET,
    .queue_count = QUEUES,
    .queue_size_max = {[RX] = QUEUE_SIZE, [TX] = QUEUE_SIZE, [CONTROL] = NET_CONTROL_QUEUE_SIZE},
    .check_features = net_features_check,
    .start = net_start,
    .stop = net_stop,
    .reset = net_reset,
    .queue_stopped = net_queue_stopped,
    .work = net_work,
    .notified = net_notified,
    .timer_expired = net_timer_expired,
    .idle = net_idle,
};

/* Where the switch says whether the guest's last frame has gone to an uplink. */
static const uint32_t *outside_word(const struct vmm_interface_config *config)
{
    const uint8_t *header = config->from_switch;
    const struct vhost_page *page = config->vhost_page;

    return config->vhost ? &page->outside
                         : (const uint32_t *)(const void *)(header + NET_PORT_OUTSIDE_OFFSET);
}

struct virtio_device *virtio_net_init(uint32_t index, const struct vmm_interface_config *config,
                                      const struct guest_memory *memory)
{
    struct net *net = &nets[index];
    struct net_vhost *vhost = config->vhost ? &net->vhost : NULL;
    /* Large segments need rings that can hold one. */
    bool large =
        config->vhost || RING_RECORD_MAX(config->ring_size) >= NET_HEADER_SIZE + NET_GSO_FRAME_MAX;

    net->config = config;
    net_moderation_init(&net->moderation, &net->device, vhost, outside_word(config));
    net_control_init(&net->control, &net->device, config, vhost, update_accepts);
    if (config->vhost) {
        net_vhost_init(&net->vhost, config->channel, config->vhost_page);
    } else {
        net_isolated_init(&net->isolated, &net->device, config, &net->moderation, &net->control);
    }
    net->device.ops = &net_ops;
    net->device.name = names[index];
    net->device.features = net_features_offered(config->mtu, large);
    virtio_device_init(&net->device, memory, config->registers, config->gpa, config->intid);
    return &net->device;
}
