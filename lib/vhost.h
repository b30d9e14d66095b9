/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A port of the switch on the data path `vhost`: the switch maps the guest's memory and works on
 * its card's two data queues itself. The monitor keeps the registers and the control queue, and
 * passes kicks and interrupts on.
 *
 * Control goes by protected calls from the monitor to the switch, whose replies have no registers
 * and label VHOST_OK or VHOST_REFUSED; a refused call has changed nothing:
 *
 *   VHOST_START    [0] negotiated features. The port has no queues, accepts nothing, and its filter
 *                  is as after power-on.
 *   VHOST_QUEUE    [0] queue, [1] size, [2] descriptors, [3] available ring, [4] used ring, as the
 *                  driver has written them to the device's registers.
 *   VHOST_DROP     [0] queue: the switch touches it no more.
 *   VHOST_STOP     The switch touches neither queues nor memory of the guest any more.
 *   VHOST_ACCEPTS  [0] what the guest can receive: NET_PORT_* of net_port.h.
 *   VHOST_COMMAND  [0] class, [1] command, [2] length, [3] total: a command of the control queue
 *                  that sets the filter; see net_filter_command. The data are in the page.
 *
 * The notification from monitor to switch means: look at the queues. The one from switch to monitor
 * means: look at the page. Of the page each side believes the other nothing that it does not check.
 */

#include <stdint.h>

#define VHOST_START   1u
#define VHOST_QUEUE   2u
#define VHOST_DROP    3u
#define VHOST_STOP    4u
#define VHOST_ACCEPTS 5u
#define VHOST_COMMAND 6u

#define VHOST_OK      0u
#define VHOST_REFUSED 1u

/* The queues' numbers, as virtio-net has them (virtio 1.2, 5.1.2). */
#define VHOST_RX     0u
#define VHOST_TX     1u
#define VHOST_QUEUES 2u

#define VHOST_CAUSE_SIZE   128u  /* bytes */
#define VHOST_COMMAND_SIZE 2048u /* bytes that are looked at of a command */
#define VHOST_PAGE_SIZE    4096u

/*
 * The shared page, zeroed at boot. Each word says who sets it; the other side may clear it where
 * that is said. `coalescing` and `polling` are states of vmm/virtio/net_moderation.h.
 */
struct vhost_page {
    uint32_t interrupt;  /* switch: the guest wants an interrupt; the monitor clears it */
    uint32_t coalescing; /* monitor: its coalescing timer runs, sent frames may stay unsignalled;
                          * it clears this and notifies the switch when the timer expires */
    uint32_t polling;    /* monitor: it polls the transmit queue and notifies the switch in time;
                          * before it stops it clears this and notifies the switch */
    uint32_t failed;     /* switch: the driver has broken a rule of its queues, `cause`; the
                          * monitor clears it */
    uint32_t work;       /* switch: ticks of the counter (CNTPCT_EL0) for which it has worked on
                          * what this guest sends; free-running */
    uint32_t outside;    /* switch: not 0 if the guest's last frame has gone to an uplink */
    char cause[VHOST_CAUSE_SIZE];        /* switch: a sentence that ends with a NUL */
    uint8_t command[VHOST_COMMAND_SIZE]; /* monitor: the data of a VHOST_COMMAND */
};

_Static_assert(sizeof(struct vhost_page) <= VHOST_PAGE_SIZE, "it is one page");
