/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "tests/kernel/common/check.h"

#define READONLY_ADDRESS 0x33000000ul
#define DATA_ADDRESS     0x34000000ul
#define NOTHING_ADDRESS  0x50000000ul

/* What child does when notified. */
enum command {
    DO_WRITE,
    DO_READ,
    DO_EXECUTE,
    DO_EXECUTE_DATA,
    DO_WRITE_READONLY,
    DO_UNDEFINED,
    DO_BREAKPOINT,
    DO_SYSCALL,
    DO_CAPABILITY,
    DO_RECEIVE,
    DO_MISALIGNED_PC,
    DO_RESTART, /* faults, to be restarted at its beginning */
    DO_COUNT,   /* counts for ever */
    DO_CALL,    /* calls server */
    DO_NOTHING,
    DO_REGISTERS, /* waits with known registers */
};

struct shared {
    volatile uint64_t command;
    volatile uint64_t result;   /* what child has got */
    volatile uint64_t starts;   /* how often child has begun */
    volatile uint64_t received; /* how often child was notified */
    volatile uint64_t count;    /* DO_COUNT */
    volatile uint64_t calls;    /* how often server was called */
    volatile uint64_t go;       /* DO_REGISTERS goes on */
};
