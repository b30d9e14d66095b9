/* SPDX-License-Identifier: BSD-2-Clause */
#include "figures.h"

#include <stdlib.h>

#define SECONDS_MIN 0.1
#define SECONDS_MAX 86400.0

uint64_t figures_grown(uint64_t before, uint64_t after)
{
    return after > before ? after - before : 0;
}

double figures_rate(uint64_t amount, uint64_t nanoseconds)
{
    return nanoseconds == 0 ? 0 : (double)amount * 1e9 / (double)nanoseconds;
}

double figures_percent(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : (double)part * 100 / (double)whole;
}

uint64_t figures_sum(const uint64_t *counters, size_t count)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        sum = sum + counters[i] < sum ? UINT64_MAX : sum + counters[i];
    }
    return sum;
}

uint64_t figures_exits(const struct stats_machine *machine)
{
    const uint64_t exits[] = {machine->exits_mmio,      machine->exits_fetch,  machine->exits_wfx,
                              machine->exits_hypercall, machine->exits_sysreg, machine->exits_timer,
                              machine->exits_eoi,       machine->exits_other};

    return figures_sum(exits, sizeof(exits) / sizeof(exits[0]));
}

int figures_99(const uint64_t *classes)
{
    uint64_t all = figures_sum(classes, STATS_LATENCIES);
    uint64_t wanted = all - all / 100;

    for (size_t i = 0; i < STATS_LATENCIES && all > 0; i++) {
        if (figures_sum(classes, i + 1) >= wanted) {
            return (int)i;
        }
    }
    return -1;
}

/* Three digits of a number below 999.5. */
static void add_digits(struct bytes *text, double value)
{
    bytes_print(text, "%.*f", value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value);
}

/* Returns the prefix of the unit; '\0': none. */
static char scale(double *value)
{
    static const char prefixes[] = "\0kMGTPEZY";
    size_t power = 0;

    while (*value >= 999.5 && power < sizeof(prefixes) - 2) {
        *value /= 1000;
        power++;
    }
    return prefixes[power];
}

static bool is_whole(double value)
{
    return value < 1e3 && value == (double)(unsigned)value;
}

void figures_scaled(struct bytes *text, double value, const char *unit)
{
    char prefix = scale(&value);

    if (prefix == '\0' && is_whole(value)) {
        bytes_print(text, "%u %s", (unsigned)value, unit);
        return;
    }
    add_digits(text, value);
    bytes_print(text, prefix == '\0' ? " " : " %c", prefix);
    bytes_print(text, "%s", unit);
}

void figures_short(struct bytes *text, double value)
{
    char prefix = scale(&value);

    if (prefix == '\0') {
        bytes_print(text, "%.*f", is_whole(value) || value >= 99.95 ? 0 : 1, value);
        return;
    }
    add_digits(text, value);
    bytes_print(text, "%c", prefix);
}

void figures_duration(struct bytes *text, double nanoseconds)
{
    static const char *const units[] = {"ns", "us", "ms", "s"};
    size_t unit = 0;

    while (nanoseconds >= 999.5 && unit < 3) {
        nanoseconds /= 1000;
        unit++;
    }
    if (unit == 0) {
        bytes_print(text, "%.0f", nanoseconds);
    } else {
        add_digits(text, nanoseconds);
    }
    bytes_print(text, " %s", units[unit]);
}

bool figures_seconds(const char *word, double *seconds)
{
    char *end;

    *seconds = strtod(word, &end);
    return end != word && *end == '\0' && *seconds >= SECONDS_MIN && *seconds <= SECONDS_MAX;
}
