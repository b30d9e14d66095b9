/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What a virtio device of the monitor stands on, for tests: a bus that leads to the devices
 * attached to it, interrupt lines that only remember their level, and messages that collect. With
 * the steps that a driver takes to get a device going.
 */

#include <stdbool.h>
#include <stdint.h>
#include "lib/guest_memory.h"
#include "virtio_driver.h"
#include "vmm/mmio.h"

#define BUS_DEVICES_MAX 8

struct bus {
    bool level[128];      /* by INTID */
    unsigned rises[128];  /* times the line has gone up */
    char messages[16384]; /* of log_printf and log_limited, a line each */
    unsigned message_count;
    unsigned coalescing_timers; /* that have been set */
    unsigned polling_timers;    /* that have been set */
    uint64_t parked_ticks;      /* of the last coalescing timer: its `parked` */
    bool timer_is_late;         /* its driver is in another domain */
    uint64_t charged;           /* ticks that others have worked for the machine */
    unsigned fetches;           /* times that a device has asked for the value of a write */
    uint64_t turn;              /* ticks that a turn of all devices takes, */
    uint64_t elapsed;           /* and that the event has taken so far */
    bool pauses;                /* the devices have asked for a pause */
};

extern struct bus bus;

/* Forget levels, messages and pauses; devices stay attached. */
void bus_clear(void);

/* A guest's access at `gpa`; fails the test if nothing is there. */
void bus_write(uint64_t gpa, uint32_t value);
void bus_write_width(uint64_t gpa, uint8_t width, uint64_t value);
uint64_t bus_read(uint64_t gpa, uint8_t width);

/* Reset, negotiate exactly these features; returns the status register. */
uint32_t bus_negotiate(uint64_t device, uint64_t features);

/* Set a queue up and enable it; returns what QueueReady reads as. */
uint32_t bus_enable_queue(uint64_t device, uint32_t index, const struct driver_queue *queue);

void bus_driver_ok(uint64_t device);
void bus_kick(uint64_t device, uint32_t queue);

/* Acknowledge all interrupts; returns what there were. */
uint32_t bus_acknowledge(uint64_t device);

/* Whether some message contains `part`. */
bool bus_said(const char *part);
