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

/* But this part of the queue at most is kept from the guest. */
#define TX_UNSIGNALLED_SHARE 2u

/*
 * While the monitor looks at the transmit queue by itself, a kick is wanted for more than so many
 * frames: enough to make kicks rare, few enough for the receiver to keep up with the sender.
 */
#define TX_POLLING_KICK_DELAY 8u

/* A frame of so many bytes (virtio-net's header included) is given back without being told. */
#define TX_PUBLISH_BYTES 4096u

#define VHOST_CAUSE_SIZE   128u  /* bytes */
#define VHOST_COMMAND_SIZE 2048u /* bytes that are looked at of a command */
#define VHOST_PAGE_SIZE    4096u

/* Zeroed at boot. */
struct vhost_page {
    uint32_t interrupt;           /* the switch: the guest wants one; the monitor: it has it */
    uint32_t coalescing;          /* the monitor: it will clear this and notify the switch, soon;
                                   * until then sent frames need not be given back */
    uint32_t polling;             /* the monitor: until it clears this and notifies the switch, it
                                   * notices frames to be sent without being kicked, in time */
    uint32_t failed;              /* the switch: the driver has broken a rule of its queues, */
    uint32_t work;                /* the switch: for so many ticks of the counter (CNTPCT_EL0) it
                                   * has worked on what this guest sends; free-running */
    char cause[VHOST_CAUSE_SIZE]; /* this one, in words that end with a NUL */
    uint8_t command[VHOST_COMMAND_SIZE];
};

_Static_assert(sizeof(struct vhost_page) <= VHOST_PAGE_SIZE, "it is one page");
