/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Starts a child PD again when it has faulted: a device's driver, by the PD that it serves.
 *
 * The child begins at its first instruction, with its variables as they were: its init() sets all
 * of them, its device and its interrupt. The parent sets what the two of them share, before it
 * starts the child. A child that faults SUPERVISOR_RESTARTS times within SUPERVISOR_SECONDS and
 * once more is given up, so that it takes no more of the processor.
 */

#include <microkit.h>
#include <stdbool.h>
#include <stdint.h>

#define SUPERVISOR_RESTARTS 5u
#define SUPERVISOR_SECONDS  600u

struct supervisor {
    microkit_child child;
    const char *name;
    seL4_Word stack;                        /* the highest stack pointer that was seen */
    uint64_t restarts[SUPERVISOR_RESTARTS]; /* the last ones: when, in ticks of the counter */
    uint32_t count;                         /* of all restarts */
    bool looked;                            /* after it has said something */
    bool given_up;
};

/*
 * Of the child with this number. `name` is for messages, and is kept: "the disk's driver". Looks
 * for the stack of a child that has begun already, as one of a higher priority has.
 */
void supervisor_init(struct supervisor *supervisor, microkit_child child, const char *name);

/*
 * Look where the child's stack is. To be called when the child has said something for the first
 * time: then it is in its event loop, or nearly. A child that has faulted may have its stack
 * pointer anywhere.
 */
void supervisor_look(struct supervisor *supervisor);

/*
 * The child has faulted, with the message `info`, whose registers are still those of the fault. It
 * is said in the log. Returns whether the child is to be started again; otherwise it is given up.
 */
bool supervisor_fault(struct supervisor *supervisor, microkit_msginfo info);

/* Start the child after a fault, at its beginning. Returns false if the kernel refuses, which gives
 * it up. */
bool supervisor_restart(struct supervisor *supervisor);
