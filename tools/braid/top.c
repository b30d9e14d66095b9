/* SPDX-License-Identifier: BSD-2-Clause */

/* `braid top`: what machines do now, the busiest first. */

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "columns.h"
#include "commands.h"
#include "connection.h"
#include "figures.h"
#include "sample.h"
#include "screen.h"
#include "states.h"

#define SECONDS    2.0
#define NAME_MAX_C 20u /* columns of a name; longer ones push the rest aside */

/* A machine, in the time between two samples. */
struct row {
    const char *system, *name, *state;
    bool known; /* there was a sample before */
    double busy, monitor;
    double exits, interrupts, received, sent, read, written, operations;
    uint64_t starts;
};

static struct {
    const char **systems;
    struct sample *before, *now; /* of each system */
    size_t count;
    struct row *rows;
    size_t row_count;
    double seconds;
    bool screen, colour;
    struct bytes trouble; /* why there is nothing new */
} top;

/* ---- Figures ---- */

static void add_machine(struct row *row, const uint64_t *grown, uint64_t time)
{
    struct stats_machine machine;

    memcpy(&machine, grown, sizeof(machine));
    row->known = true;
    row->busy = figures_percent(machine.busy_time, time);
    row->monitor = figures_percent(machine.monitor_time, time);
    row->exits = figures_rate(figures_exits(&machine), time);
    row->interrupts = figures_rate(machine.interrupts, time);
}

static void add_port(struct row *row, const uint64_t *grown, uint64_t time)
{
    struct stats_port port;

    memcpy(&port, grown, sizeof(port));
    row->received += figures_rate(port.received_bytes, time) * 8;
    row->sent += figures_rate(port.sent_bytes, time) * 8;
}

static void add_disk(struct row *row, const uint64_t *grown, uint64_t time)
{
    struct stats_disk disk;

    memcpy(&disk, grown, sizeof(disk));
    const uint64_t operations[] = {disk.reads, disk.writes, disk.flushes, disk.discards};
    row->read += figures_rate(disk.read_bytes, time);
    row->written += figures_rate(disk.written_bytes, time);
    row->operations += figures_rate(figures_sum(operations, 4), time);
}

static void add_set(struct row *row, const struct sample *before, const struct sample *now,
                    const struct counter_set *set)
{
    const struct counter_set *then = sample_before(before, now, set);
    uint64_t grown[COUNTER_WORDS_MAX];

    if (set->kind == STATS_MACHINE) {
        row->starts = set->word[offsetof(struct stats_machine, starts) / 8];
    }
    if (then == NULL) {
        return;
    }
    for (uint32_t i = 0; i < COUNTER_WORDS_MAX; i++) {
        grown[i] = figures_grown(then->word[i], set->word[i]);
    }
    switch (set->kind) {
    case STATS_MACHINE:
        add_machine(row, grown, set->time - then->time);
        break;
    case STATS_PORT:
        add_port(row, grown, set->time - then->time);
        break;
    default:
        add_disk(row, grown, set->time - then->time);
        break;
    }
}

static int compare(const void *a, const void *b)
{
    const struct row *one = a;
    const struct row *other = b;

    if (one->busy != other->busy) {
        return one->busy > other->busy ? -1 : 1;
    }
    int order = strcmp(one->name, other->name);
    return order != 0 ? order : strcmp(one->system, other->system);
}

static void make_rows(void)
{
    size_t most = 0;

    for (size_t i = 0; i < top.count; i++) {
        most += top.now[i].client_count;
    }
    free(top.rows);
    top.rows = calloc(most + 1, sizeof(*top.rows));
    top.row_count = 0;
    for (size_t i = 0; i < top.count && top.rows != NULL; i++) {
        const struct sample *now = &top.now[i];

        for (size_t j = 0; j < now->client_count; j++) {
            const struct sample_client *client = &now->clients[j];
            struct row row = {.system = now->system, .name = client->name, .state = client->state};

            for (size_t k = 0; k < now->count; k++) {
                if (now->sets[k].client == client->number) {
                    add_set(&row, &top.before[i], now, &now->sets[k]);
                }
            }
            if (client->machine) {
                top.rows[top.row_count++] = row;
            }
        }
    }
    if (top.row_count > 0) {
        qsort(top.rows, top.row_count, sizeof(*top.rows), compare);
    }
}

/* ---- The table ---- */

static const struct {
    const char *title;
    unsigned width;
} titles[] = {{"BUSY%", 5}, {"MON%", 5},  {"EXIT/s", 6}, {"INT/s", 5}, {"RXb/s", 5},
              {"TXb/s", 5}, {"RDB/s", 5}, {"WRB/s", 5},  {"OPS/s", 5}, {"STARTS", 6}};

#define CELLS (sizeof(titles) / sizeof(titles[0]))

static void add_cell(struct bytes *out, struct bytes *cell, size_t width, bool right)
{
    columns_cell(out, cell, width, right);
    bytes_free(cell);
}

static void add_word(struct bytes *out, const char *word, size_t width, bool right)
{
    struct bytes cell = {0};

    bytes_print(&cell, "%s", word);
    add_cell(out, &cell, width, right);
}

/* How wide the column of names is; that of the systems' if `of_system`. */
static size_t name_width(bool of_system)
{
    size_t width = strlen(of_system ? "SYSTEM" : "NAME");

    for (size_t i = 0; i < top.row_count; i++) {
        const char *name = of_system ? top.rows[i].system : top.rows[i].name;
        size_t columns = columns_of(name, strlen(name));

        columns = columns < NAME_MAX_C ? columns : NAME_MAX_C;
        width = columns > width ? columns : width;
    }
    return width;
}

static void add_figures(struct bytes *out, const struct row *row)
{
    const double values[CELLS - 1] = {row->busy,       row->monitor,  row->exits,
                                      row->interrupts, row->received, row->sent,
                                      row->read,       row->written,  row->operations};

    for (size_t i = 0; i < CELLS - 1; i++) {
        struct bytes cell = {0};

        if (!row->known) {
            bytes_print(&cell, "-");
        } else if (i < 2 && values[i] < 9999.5) {
            bytes_print(&cell, values[i] < 999.95 ? "%.1f" : "%.0f", values[i]);
        } else {
            figures_short(&cell, values[i]);
        }
        add_cell(out, &cell, titles[i].width, true);
    }
    struct bytes cell = {0};
    bytes_print(&cell, "%" PRIu64, row->starts);
    add_cell(out, &cell, titles[CELLS - 1].width, true);
}

/* A line has no blanks at its end. */
static void end_line(struct bytes *out)
{
    while (out->count > 0 && out->data[out->count - 1] == ' ') {
        out->count--;
    }
    bytes_print(out, "\n");
}

static void add_table(struct bytes *out)
{
    size_t systems = top.count > 1 ? name_width(true) : 0;
    size_t names = name_width(false);

    if (systems > 0) {
        add_word(out, "SYSTEM", systems, false);
    }
    add_word(out, "NAME", names, false);
    add_word(out, "STATE", strlen("panicked"), false);
    for (size_t i = 0; i < CELLS; i++) {
        add_word(out, titles[i].title, titles[i].width, true);
    }
    end_line(out);
    for (size_t i = 0; i < top.row_count; i++) {
        const struct row *row = &top.rows[i];
        struct bytes state = {0};

        if (systems > 0) {
            add_word(out, row->system, systems, false);
        }
        add_word(out, row->name, names, false);
        states_add(&state, row->state, top.colour);
        add_cell(out, &state, strlen("panicked"), false);
        add_figures(out, row);
        end_line(out);
    }
}

static void draw(void)
{
    struct bytes out = {0};

    bytes_print(&out, "braid top:");
    for (size_t i = 0; i < top.count; i++) {
        bytes_print(&out, "%s %s", i == 0 ? "" : ",", top.systems[i]);
    }
    bytes_print(&out, "; each %g s; q leaves\n", top.seconds);
    if (top.trouble.count > 0) {
        bytes_add(&out, top.trouble.data, top.trouble.count);
    } else {
        bytes_print(&out, "\n");
    }
    add_table(&out);
    screen_draw(&out);
    bytes_free(&out);
}

/* ---- Time ---- */

/* Keys and the terminal's size, while bytes are to come from `fd`, or until a time if it is -1. */
static void attend(int fd, uint64_t until)
{
    for (;;) {
        switch (screen_wait(fd, until)) {
        case SCREEN_QUIT:
            exit(0);
        case SCREEN_SIZE:
            draw();
            break;
        default:
            return;
        }
    }
}

static void attend_connection(int fd)
{
    attend(fd, UINT64_MAX);
}

static void wait_until(uint64_t until)
{
    if (top.screen) {
        attend(-1, until);
    } else {
        screen_sleep(until);
    }
}

/* ---- Samples ---- */

/* A system has ended: go on with the others. */
static void leave_out(size_t index)
{
    sample_free(&top.before[index]);
    sample_free(&top.now[index]);
    top.row_count = 0; /* they have names of it */
    top.count--;
    memmove(&top.systems[index], &top.systems[index + 1],
            (top.count - index) * sizeof(*top.systems));
    memmove(&top.before[index], &top.before[index + 1], (top.count - index) * sizeof(*top.before));
    memmove(&top.now[index], &top.now[index + 1], (top.count - index) * sizeof(*top.now));
}

/*
 * Take all. Where that fails, the old ones stay. Returns the exit status of what failed: EXIT_NONE
 * only if no system is left.
 */
static int take_all(void)
{
    int status = 0;

    bytes_free(&top.trouble);
    for (size_t i = 0; i < top.count;) {
        struct sample sample;
        const char *system = top.systems[i];
        int one = sample_take(&sample, system, top.screen ? attend_connection : NULL, &top.trouble);

        if (one == 0) {
            sample_free(&top.before[i]);
            top.before[i] = top.now[i];
            top.now[i] = sample;
        } else if (one == EXIT_NONE) {
            leave_out(i);
            if (top.count == 0 && top.screen) {
                /* What was said of it, was on the page that is gone now. */
                screen_leave();
                connection_none(system);
            }
            status = top.count == 0 ? EXIT_NONE : status;
            continue;
        } else {
            status = one;
        }
        i++;
    }
    return status;
}

static void tell_trouble(void)
{
    fflush(stdout);
    bytes_write(&top.trouble, stderr);
}

/* A first sample has been taken. Goes on until something fails, or for so many tables. */
static int print_tables(unsigned long tables)
{
    for (unsigned long i = 0; tables == 0 || i < tables; i++) {
        struct bytes out = {0};

        wait_until(screen_now() + (uint64_t)(top.seconds * 1000));
        int status = take_all();
        if (status != 0) {
            tell_trouble();
            return status;
        }
        make_rows();
        bytes_print(&out, i == 0 ? "" : "\n");
        add_table(&out);
        bytes_write(&out, stdout);
        bytes_free(&out);
        if (fflush(stdout) != 0) {
            return EXIT_FAILED;
        }
    }
    return 0;
}

static int draw_tables(void)
{
    screen_enter();
    for (;;) {
        uint64_t next = screen_now() + (uint64_t)(top.seconds * 1000);

        make_rows();
        draw();
        wait_until(next);
        if (take_all() == EXIT_NONE) {
            return EXIT_NONE;
        }
    }
}

/* Returns false if the command is wrong. */
static bool take_options(int count, char **words, unsigned long *tables)
{
    int option;

    while ((option = getopt(count, words, "n:")) >= 0) {
        char *end = "";

        *tables = option == 'n' ? strtoul(optarg, &end, 10) : 0;
        if (*tables == 0 || *tables > 1000000000 || *end != '\0') {
            return false;
        }
    }
    return optind == count || (optind == count - 1 && figures_seconds(words[optind], &top.seconds));
}

int command_top(int count, char **words)
{
    unsigned long tables = 0;
    int status = EXIT_FAILED;

    top.seconds = SECONDS;
    if (!take_options(count, words, &tables)) {
        return command_usage(words[0]);
    }
    top.count = sample_systems(&top.systems, &status);
    if (top.count == 0) {
        return status;
    }
    top.before = calloc(top.count, sizeof(*top.before));
    top.now = calloc(top.count, sizeof(*top.now));
    if (top.before == NULL || top.now == NULL) {
        return EXIT_FAILED;
    }
    top.colour = states_colour_wanted();
    status = take_all();
    if (status != 0) {
        tell_trouble();
        return status;
    }
    if (tables > 0 || !screen_there()) {
        return print_tables(tables);
    }
    top.screen = true;
    return draw_tables();
}
