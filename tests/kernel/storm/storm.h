/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The storm: on each core a node, which at random notifies and calls the other nodes' cores, and
 * stops, restarts, reads, writes and interrupts a child PD and a vCPU that run elsewhere.
 * Everything is counted at both ends. At the end both counts are the same, or something was lost.
 *
 * Numbers of nodes are cores. The child of node N runs on core N+1, its vCPU on core N+2.
 */

#include "tests/kernel/common/check.h"

#define NODES 4

/* The build says what a run is like. */
#ifndef STORM_NODES
#define STORM_NODES        2
#define STORM_SEED         1ul
#define STORM_MILLISECONDS 1000ul /* it lasts that long at least */
#define STORM_LIMIT        1000ul /* ms it goes on at most until each kind has happened often */
#endif

#define OFTEN 100

struct storm {
    uint64_t nodes; /* how many there are; the judge sets it, then starts the others */
    uint64_t seed;
    volatile uint64_t until; /* on the counter; 0: not started */
    volatile bool over;      /* the judge says so */
    volatile uint64_t quiet; /* bit N: node N has stopped */
    struct {
        volatile uint64_t sent[NODES]; /* notifications to each */
        volatile uint64_t seen[NODES]; /* the number that the sender had, when its one was taken */
        volatile uint64_t calls, wrong_answers;
        volatile uint64_t served;             /* calls to its server */
        volatile uint64_t faults_due, faults; /* lives of the child that are not cut short */
        volatile uint64_t lives;              /* by the child */
        volatile uint64_t child_stops;
        volatile uint64_t injected, ended, bad_registers, stops, exits;
    } node[NODES];
};

extern struct storm *shared;
struct storm *shared; /* the tool sets it */

/* The end of a name such as "node2". */
static inline unsigned number_in_name(void)
{
    const char *at = microkit_name;

    while (at[1]) {
        at++;
    }
    return (unsigned)(*at - '0');
}

/* What a server makes of a number. */
static inline uint64_t answer_to(uint64_t number)
{
    return number * 0x9e3779b97f4a7c15ul ^ 0x5bd1e995;
}
