/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What was counted, in the ways in which `braid stats` prints it. */

#include <stdbool.h>
#include "bytes.h"
#include "sample.h"

struct stats_view {
    const char *name; /* of a machine, a driver or a switch; NULL: all */
    bool several;     /* systems: say which one each machine is of */
    bool colour;
};

/* For people: all that was counted, or the rates since `before` if that is not NULL. */
void stats_text(struct bytes *out, const struct sample *sample, const struct sample *before,
                const struct stats_view *view);

/* An object of JSON in each line, for each set. */
void stats_json(struct bytes *out, const struct sample *sample, const struct stats_view *view);

/* OpenMetrics 1.0 (https://openmetrics.io), of `count` systems. */
void stats_openmetrics(struct bytes *out, const struct sample *samples, size_t count,
                       const struct stats_view *view);
