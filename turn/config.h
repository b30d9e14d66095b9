/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the generator tells turn (turn.c). */

#include <stdbool.h>
#include <stdint.h>

struct turn_config {
    bool has_timer;
    uint8_t timer_channel; /* the timer driver, drivers/timer/protocol.h */
    uint8_t client_count;  /* the monitors, on channels 0 .. client_count-1 */
};

extern const struct turn_config turn_config;
