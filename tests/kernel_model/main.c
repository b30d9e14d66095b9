/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * model random SECONDS [SEED] [SYSTEM]     sequences at random, of each system in turn
 * model search SECONDS [DEPTH] [SYSTEM]    all sequences, the shorter ones first; SECONDS for each
 * system
 *
 * Both end with status 1 at the first violation, and print the steps to it. Of a random sequence
 * all steps are left out first that it does not need.
 */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include "spec.h"

#define SEQUENCE     400 /* steps of a random sequence */
#define STEPS_SHOWN  1000
#define WATCH        2           /* seconds that a step has to end in */
#define MEMORY       (1ul << 30) /* bytes of states that wait to be continued */
#define TABLE_BITS   20          /* of the table of states when it begins */
#define CLOCK_EACH   1024        /* steps between looks at the clock */
#define DEPTH_NO_END 255

static const struct model_system *current_system;
static sigjmp_buf on_violation;
static char message[256];
static volatile uint64_t steps_done;

/* ---- Violations ---- */

_Noreturn void violation(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vsnprintf(message, sizeof message, format, list);
    va_end(list);
    siglongjmp(on_violation, 1);
}

static void on_signal(int signal)
{
    static uint64_t seen;

    if (signal == SIGVTALRM && seen != steps_done) {
        seen = steps_done;
        return;
    }
    violation(signal == SIGVTALRM ? "the kernel does not return" : "the kernel dies: signal %d",
              signal);
}

static void watch(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGVTALRM};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_NODEFER};
    struct itimerval interval = {{WATCH, 0}, {WATCH, 0}};

    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        sigaction(signals[i], &action, NULL);
    }
    setitimer(ITIMER_VIRTUAL, &interval, NULL);
}

#ifdef __SANITIZE_ADDRESS__
/* Signals are for on_signal. No memory is given back before the end. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "handle_segv=0:handle_abort=0:handle_sigbus=0:handle_sigfpe=0:abort_on_error=1:"
           "detect_leaks=0";
}
#endif

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void do_step(struct step step)
{
    steps_done++;
    step_do(step);
}

/* ---- Showing how it came about ---- */

static bool is_possible(struct step step)
{
    struct step list[STEPS_MAX];
    unsigned count = step_list(list);

    for (unsigned i = 0; i < count; i++) {
        if (memcmp(&list[i], &step, sizeof step) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether these steps, as far as they are possible, come to a violation. */
static bool replay(const struct step *steps, unsigned count, bool show)
{
    if (sigsetjmp(on_violation, 1) != 0) {
        return true;
    }
    model_boot(current_system);
    for (unsigned i = 0; i < count; i++) {
        if (is_possible(steps[i])) {
            if (show) {
                step_print(steps[i]);
            }
            do_step(steps[i]);
        }
    }
    return false;
}

/* Leave out what is not needed. Returns how many steps are left. */
static unsigned shrink(struct step *steps, unsigned count)
{
    for (unsigned length = count / 2; length > 0; length /= 2) {
        for (unsigned at = 0; at + length <= count;) {
            struct step tried[SEQUENCE];
            unsigned rest = count - at - length;

            memcpy(tried, steps, at * sizeof *steps);
            memcpy(tried + at, steps + at + length, rest * sizeof *steps);
            if (replay(tried, at + rest, false)) {
                memcpy(steps, tried, (at + rest) * sizeof *steps);
                count = at + rest;
            } else {
                at += length;
            }
        }
    }
    return count;
}

static _Noreturn void fail(const struct step *steps, unsigned count)
{
    fprintf(stderr, "%s: after these steps, by time:\n", current_system->name);
    if (!replay(steps, count, true)) {
        fprintf(stderr, "it does not come again\n");
    }
    fprintf(stderr, "%s: %s\n", current_system->name, message);
    printf("  FAILED  %s: %s\n", current_system->name, message);
    exit(1);
}

/* ---- At random ---- */

static uint64_t random_state;

static unsigned draw(unsigned below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state >> 20) % below;
}

static struct step sequence[SEQUENCE];
static volatile unsigned sequence_length;

/* One in how many of these steps is to be taken: others are those that lead further. */
static unsigned rarity(struct step step)
{
    const struct thread *thread = cpu_of_core(step.core)->current;

    switch (step.kind) {
    case STEP_FAULT: /* nobody makes a thread without a parent go on */
        return thread->parent == NULL ? 200 : 8;
    case STEP_SUSPEND:
    case STEP_READ_SUSPEND:
    case STEP_NBRECV:
    case STEP_UNBIND:
        return 6;
    case STEP_RECV: /* abandons what it serves */
        return thread != NULL && thread->reply_to != NULL ? 6 : 1;
    case STEP_CALL:
    case STEP_REPLY_RECV:
        return 1;
    default:
        return 2;
    }
}

/* Time has a better chance than one step among many. */
static unsigned choose(const struct step *list, unsigned count)
{
    unsigned chosen = draw(count);

    if (draw(6) == 0) {
        return draw(count < 2 ? count : 2);
    }
    while (draw(rarity(list[chosen])) != 0) {
        chosen = draw(count);
    }
    return chosen;
}

static void one_sequence(void)
{
    struct step list[STEPS_MAX];

    sequence_length = 0;
    model_boot(current_system);
    while (sequence_length < SEQUENCE) {
        unsigned count = step_list(list);
        unsigned chosen = choose(list, count);

        sequence[sequence_length] = list[chosen];
        sequence_length++;
        do_step(list[chosen]);
    }
}

static void run_random(double duration, uint64_t seed, const char *name)
{
    double begin = seconds();
    volatile uint64_t sequences = 0;

    random_state = seed * 0x9e3779b97f4a7c15ul + 1;
    if (sigsetjmp(on_violation, 1) != 0) {
        fprintf(stderr, "seed %lu: %s\n", seed, message);
        fail(sequence, shrink(sequence, sequence_length));
    }
    while (seconds() - begin < duration || sequences < model_system_count) {
        current_system = &model_systems[sequences++ % model_system_count];
        if (current_system->cores == CONFIG_MAX_NUM_NODES &&
            (name == NULL || strcmp(name, current_system->name) == 0)) {
            one_sequence();
        }
    }
    double took = seconds() - begin;
    printf("  ok      random, %u core%s: %lu steps with seed %lu, %.0f/s\n", CONFIG_MAX_NUM_NODES,
           CONFIG_MAX_NUM_NODES > 1 ? "s" : "", steps_done, seed, (double)steps_done / took);
}

/* ---- All sequences, breadth first ---- */

/* The states that have been seen, by their hashes. */
static struct {
    uint64_t *places;
    uint64_t size, count;
} table;

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);

    if (memory == NULL) {
        fprintf(stderr, "there is no memory for %zu bytes\n", size);
        exit(2);
    }
    return memory;
}

/* Returns false if it was there. */
static bool insert(uint64_t key)
{
    uint64_t at = key & (table.size - 1);

    key |= key == 0;
    while (table.places[at] != 0) {
        if (table.places[at] == key) {
            return false;
        }
        at = (at + 1) & (table.size - 1);
    }
    table.places[at] = key;
    table.count++;
    return true;
}

static void make_table(uint64_t size)
{
    uint64_t *before = table.places;
    uint64_t size_before = table.size;

    table.places = allocate(size * sizeof *table.places);
    table.size = size;
    table.count = 0;
    for (uint64_t i = 0; i < size_before; i++) {
        if (before[i] != 0) {
            insert(before[i]);
        }
    }
    free(before);
}

/* How each state was reached. */
static struct node {
    uint32_t parent;
    struct step step;
} * nodes;
static uint32_t node_count, node_places;

static uint32_t add_node(uint32_t parent, struct step step)
{
    if (node_count == node_places) {
        node_places = node_places != 0 ? node_places * 2 : 1u << 16;
        nodes = realloc(nodes, node_places * sizeof *nodes);
        if (nodes == NULL) {
            fprintf(stderr, "there is no memory for %u states\n", node_places);
            exit(2);
        }
    }
    nodes[node_count] = (struct node){parent, step};
    return node_count++;
}

/*
 * States of one depth, packed: the words in which they differ from the first state of all. Those
 * that are read are those of the depth before.
 */
struct depth {
    uint64_t *words;
    uint64_t length, places;
};

static uint64_t *first_words, *state_words;
static size_t state_word_count;

static void reserve(struct depth *depth, uint64_t words)
{
    if (depth->length + words > depth->places) {
        depth->places = (depth->places + words) * 2;
        depth->words = realloc(depth->words, depth->places * sizeof *depth->words);
        if (depth->words == NULL) {
            fprintf(stderr, "there is no memory for %lu states\n", depth->places);
            exit(2);
        }
    }
}

static void pack(struct depth *depth, uint32_t node)
{
    uint64_t *header, *word;

    state_save((struct state *)state_words);
    reserve(depth, 1 + 2 * state_word_count);
    header = word = &depth->words[depth->length];
    word++;
    for (size_t i = 0; i < state_word_count; i++) {
        if (state_words[i] != first_words[i]) {
            *word++ = i;
            *word++ = state_words[i];
        }
    }
    depth->length += (uint64_t)(word - header);
    *header = (uint64_t)node << 32 | (uint64_t)(word - header - 1) / 2;
}

/* Returns where the next one is. */
static uint64_t unpack(const struct depth *depth, uint64_t at, uint32_t *node)
{
    uint64_t header = depth->words[at++];

    *node = (uint32_t)(header >> 32);
    memcpy(state_words, first_words, state_word_count * sizeof *state_words);
    for (uint32_t i = 0; i < (uint32_t)header; i++, at += 2) {
        state_words[depth->words[at]] = depth->words[at + 1];
    }
    return at;
}

struct search {
    double begin, end;
    unsigned depth; /* all sequences of that many steps have been done */
    unsigned limit;
    uint64_t steps;
    bool is_over; /* no time or no memory is left */
};

static volatile uint32_t failing_node;
static struct step failing_step;

/* All steps from one state. */
static void expand(struct search *search, uint32_t node, struct depth *next)
{
    struct step list[STEPS_MAX];
    unsigned count;

    state_restore((const struct state *)state_words);
    count = step_list(list);
    uint64_t *from = state_words;
    static uint64_t *copy;

    if (copy == NULL) {
        copy = allocate(state_word_count * sizeof *copy);
    }
    memcpy(copy, from, state_word_count * sizeof *copy);
    for (unsigned i = 0; i < count; i++) {
        if (i > 0) {
            state_restore((const struct state *)copy);
        }
        failing_node = node;
        failing_step = list[i];
        do_step(list[i]);
        search->steps++;
        if (insert(state_hash())) {
            pack(next, add_node(node, list[i]));
        }
    }
    if (table.count * 4 > table.size * 3) {
        make_table(table.size * 2);
    }
}

static void fail_at_node(void)
{
    static struct step steps[STEPS_SHOWN];
    unsigned count = 1;

    steps[STEPS_SHOWN - 1] = failing_step;
    for (uint32_t node = failing_node; node != 0; node = nodes[node].parent) {
        count++;
        steps[STEPS_SHOWN - count] = nodes[node].step;
    }
    fail(steps + STEPS_SHOWN - count, count);
}

/* The states of the next depth. Returns false if there are none, or if it is over. */
static bool deepen(struct search *search, struct depth *depth, struct depth *next)
{
    uint64_t looked = search->steps;

    next->length = 0;
    for (uint64_t at = 0; at < depth->length;) {
        uint32_t node;

        at = unpack(depth, at, &node);
        expand(search, node, next);
        if (search->steps - looked > CLOCK_EACH) {
            looked = search->steps;
            if (seconds() > search->end || next->length * sizeof *next->words > MEMORY) {
                search->is_over = true;
                return false;
            }
        }
    }
    search->depth++;
    return next->length != 0 && search->depth < search->limit;
}

static void start_search(struct depth *depth)
{
    model_boot(current_system);
    if (first_words == NULL) {
        state_word_count = state_size / sizeof *first_words;
        first_words = allocate(state_size);
        state_words = allocate(state_size);
    }
    state_save((struct state *)first_words);
    node_count = 0;
    table.size = 0;
    make_table(1ul << TABLE_BITS);
    insert(state_hash());
    depth->length = 0;
    pack(depth, add_node(0, (struct step){0}));
}

static void search_system(double duration, unsigned limit)
{
    static struct depth depths[2];
    struct search search = {seconds(), seconds() + duration, 0, limit, 0, false};
    unsigned current = 0;

    start_search(&depths[0]);
    while (deepen(&search, &depths[current], &depths[!current])) {
        current = !current;
    }
    double took = seconds() - search.begin;
    const char *what = search.is_over || search.depth == limit ? "up to" : "all, the longest of";
    printf("  ok      %s: %s %u steps, %u states, %lu steps, %.0f/s\n", current_system->name, what,
           search.depth, node_count, search.steps, (double)search.steps / took);
    fflush(stdout);
}

static void run_search(double duration, unsigned limit, const char *name)
{
    volatile unsigned i;

    if (sigsetjmp(on_violation, 1) != 0) {
        fail_at_node();
    }
    for (i = 0; i < model_system_count; i++) {
        current_system = &model_systems[i];
        if (current_system->cores == CONFIG_MAX_NUM_NODES &&
            (name == NULL || strcmp(name, current_system->name) == 0)) {
            search_system(duration, limit);
        }
    }
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    double duration = argc > 2 ? atof(argv[2]) : 10;
    uint64_t number = argc > 3 ? strtoull(argv[3], NULL, 0) : 0;
    const char *name = argc > 4 ? argv[4] : NULL;

    watch();
    if (strcmp(mode, "random") == 0) {
        run_random(duration, number != 0 ? number : (uint64_t)time(NULL), name);
    } else if (strcmp(mode, "search") == 0) {
        run_search(duration, number != 0 ? (unsigned)number : DEPTH_NO_END, name);
    } else {
        fprintf(stderr, "usage: %s random|search SECONDS [SEED|DEPTH] [SYSTEM]\n", argv[0]);
        return 2;
    }
    return 0;
}
