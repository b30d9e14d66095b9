/* SPDX-License-Identifier: BSD-2-Clause */

/* `braid stats`: what the PDs of systems have counted. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "commands.h"
#include "connection.h"
#include "figures.h"
#include "names.h"
#include "sample.h"
#include "screen.h"
#include "states.h"
#include "stats_text.h"

#define SECONDS      2.0
#define CLEAR        "\x1b[H\x1b[2J"
#define NAMES_MAX    256u
#define MILLISECONDS 1000

struct options {
    enum { TEXT, JSON, OPENMETRICS } format;
    bool watch;
    double seconds;
    struct stats_view view;
};

/* Behind --watch it is no machine's name, but how long to wait. */
static bool is_number(const char *word)
{
    char *end;

    (void)strtod(word, &end);
    return end != word && *end == '\0';
}

/* Returns false if the command is wrong. */
static bool take_options(int count, char **words, struct options *options)
{
    for (int i = 1; i < count; i++) {
        if (strcmp(words[i], "--json") == 0 && options->format == TEXT) {
            options->format = JSON;
        } else if (strcmp(words[i], "--openmetrics") == 0 && options->format == TEXT) {
            options->format = OPENMETRICS;
        } else if (strcmp(words[i], "--watch") == 0) {
            options->watch = true;
            if (i + 1 < count && is_number(words[i + 1]) &&
                !figures_seconds(words[++i], &options->seconds)) {
                return false;
            }
        } else if (words[i][0] != '-' && options->view.name == NULL) {
            options->view.name = words[i];
        } else {
            return false;
        }
    }
    return !(options->watch && options->format == OPENMETRICS);
}

static void tell(const struct bytes *why)
{
    fflush(stdout);
    bytes_write(why, stderr);
}

/* One of each system. Those that cannot be had are empty. Returns the exit status. */
static int take_all(struct sample *samples, const char *const *systems, size_t count)
{
    struct bytes why = {0};
    int status = 0;

    for (size_t i = 0; i < count; i++) {
        int one = sample_take(&samples[i], systems[i], NULL, &why);

        status = one != 0 ? one : status;
    }
    tell(&why);
    bytes_free(&why);
    return status;
}

static void free_all(struct sample *samples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sample_free(&samples[i]);
    }
}

/* ---- A name that nothing has ---- */

static bool is_there(const struct sample *samples, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < samples[i].count; j++) {
            if (sample_is_of(&samples[i], &samples[i].sets[j], name)) {
                return true;
            }
        }
    }
    return false;
}

static int no_name(const struct sample *samples, size_t count, const char *wanted)
{
    const char *names[NAMES_MAX];
    size_t found = 0;
    struct bytes text = {0};

    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < samples[i].client_count && found < NAMES_MAX; j++) {
            if (is_there(&samples[i], 1, samples[i].clients[j].name)) {
                names[found++] = samples[i].clients[j].name;
            }
        }
    }
    bytes_print(&text, "braid: ");
    names_explain(&text, "machine or switch with counters", wanted, names, found);
    tell(&text);
    bytes_free(&text);
    return EXIT_FAILED;
}

/* ---- Printing ---- */

static void format(struct bytes *out, const struct options *options, const struct sample *samples,
                   const struct sample *before, size_t count)
{
    if (options->format == OPENMETRICS) {
        stats_openmetrics(out, samples, count, &options->view);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (options->format == JSON) {
            stats_json(out, &samples[i], &options->view);
        } else {
            stats_text(out, &samples[i], before == NULL ? NULL : &before[i], &options->view);
        }
    }
}

/* Returns false if nobody reads it. */
static bool print(const struct options *options, const struct sample *samples,
                  const struct sample *before, size_t count)
{
    bool redraw = options->watch && options->format == TEXT && screen_there();
    struct bytes out = {0};

    if (options->watch && options->format == TEXT && !redraw) {
        char now[32];
        time_t seconds = time(NULL);
        struct tm utc;

        strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &utc));
        bytes_print(&out, "%s\n", now);
    }
    format(&out, options, samples, before, count);
    if (redraw) {
        screen_draw(&out);
    } else {
        bytes_write(&out, stdout);
    }
    bytes_free(&out);
    return fflush(stdout) == 0;
}

/* Go on from these samples, until something fails. Returns the exit status. */
static int watch(const struct options *options, struct sample *before, const char *const *systems,
                 size_t count)
{
    struct sample *samples = calloc(count, sizeof(*samples));
    uint64_t next = screen_now();
    bool going_on = samples != NULL;
    int status = EXIT_FAILED;

    if (options->format == TEXT && screen_there()) {
        printf(CLEAR);
    } else if (options->format == JSON) {
        going_on = going_on && print(options, before, NULL, count);
    }
    while (going_on) {
        uint64_t now = screen_now();

        next += (uint64_t)(options->seconds * MILLISECONDS);
        next = next > now ? next : now;
        screen_sleep(next);
        status = take_all(samples, systems, count);
        if (status != 0) {
            break;
        }
        going_on = print(options, samples, before, count);
        free_all(before, count);
        memcpy(before, samples, count * sizeof(*samples));
        memset(samples, 0, count * sizeof(*samples));
    }
    if (samples != NULL) {
        free_all(samples, count);
    }
    free(samples);
    return status == 0 ? EXIT_FAILED : status;
}

int command_stats(int count, char **words)
{
    struct options options = {.seconds = SECONDS};
    const char **systems;
    int status = EXIT_FAILED;

    if (!take_options(count, words, &options)) {
        return command_usage(words[0]);
    }
    size_t system_count = sample_systems(&systems, &status);
    struct sample *samples = system_count == 0 ? NULL : calloc(system_count, sizeof(*samples));
    if (samples == NULL) {
        return status;
    }
    options.view.several = system_count > 1;
    options.view.colour = states_colour_wanted();
    status = take_all(samples, systems, system_count);
    if (status == 0 && options.view.name != NULL &&
        !is_there(samples, system_count, options.view.name)) {
        status = no_name(samples, system_count, options.view.name);
    } else if (options.watch && status == 0) {
        status = watch(&options, samples, systems, system_count);
    } else if (!options.watch && !print(&options, samples, NULL, system_count)) {
        status = EXIT_FAILED;
    }
    free_all(samples, system_count);
    free(samples);
    return status;
}
