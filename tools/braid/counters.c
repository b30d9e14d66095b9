/* SPDX-License-Identifier: BSD-2-Clause */
#include "counters.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "bytes.h"
#include "clients.h"
#include "counter_set.h"
#include "lib/control.h"
#include "machines.h"
#include "session.h"
#include "states.h"

#define SETS_MAX   1024u
#define FLIGHT_MAX 4u /* requests under way: a serial line is busy with less */
/* Each answer brings the end nearer. A board whose answers are few and far between is given up. */
#define ANSWER_US 10000000u
#define ALL_US    60000000u

struct asked {
    struct counter_set set;
    uint16_t request; /* for its next words; 0: none */
};

static struct {
    bool active;
    bool listed;   /* all sets are known */
    uint16_t list; /* the request for the next ones; 0: none */
    uint64_t give_up_at, end_at;
    struct asked sets[SETS_MAX];
    uint32_t count;
    uint32_t whole; /* sets from 0 on that have all that they are to have */
    uint32_t flight;
} inquiry;

static bool is_whole(const struct asked *asked)
{
    return asked->set.have == counter_set_wanted(&asked->set);
}

static void end_inquiry(void)
{
    if (inquiry.list != 0) {
        session_forget(inquiry.list);
    }
    for (uint32_t i = 0; i < inquiry.count; i++) {
        if (inquiry.sets[i].request != 0) {
            session_forget(inquiry.sets[i].request);
        }
    }
    inquiry.active = false;
}

static void fail(const char *why)
{
    end_inquiry();
    clients_counters_failed(why);
}

static void fail_senseless(void)
{
    fail("what the board says of its counters makes no sense: it is older or newer than this "
         "braid\n");
}

/* ---- The answer for the clients ---- */

/* Lines: `client NUMBER KIND STATE NAME` and `set KIND CLIENT NUMBER SWITCH TIME WORD ...`. */
static void tell(void)
{
    struct bytes text = {0};

    for (uint32_t i = 0; i < machines_count(); i++) {
        const struct machine *machine = machines_get(i);

        if (machine->present) {
            bytes_print(&text, "client %" PRIu32 " %s %s %s\n", i,
                        machine->kind == CONTROL_MACHINE ? "machine" : "program",
                        states_name(machine->state), machine->name);
        }
    }
    for (uint32_t i = 0; i < inquiry.count; i++) {
        const struct counter_set *set = &inquiry.sets[i].set;

        if (set->have == 0) {
            continue;
        }
        bytes_print(&text, "set %u %u %u %u %" PRIu64, set->kind, set->client, set->number,
                    set->of_switch, set->time);
        for (uint32_t word = 0; word < set->have; word++) {
            bytes_print(&text, " %" PRIu64, set->word[word]);
        }
        bytes_print(&text, "\n");
    }
    clients_counters(&text);
    bytes_free(&text);
}

/* ---- Questions ---- */

static void ask_list(void)
{
    uint8_t first[2];

    control_put(first, inquiry.count, 2);
    inquiry.list = session_request(CONTROL_SETS, CONTROL_NOBODY, first, sizeof(first));
}

static void ask_words(uint32_t number)
{
    struct asked *asked = &inquiry.sets[number];
    uint8_t arguments[3];

    control_put(control_put(arguments, number, 2), asked->set.have, 1);
    asked->request = session_request(CONTROL_STATS, CONTROL_NOBODY, arguments, sizeof(arguments));
    inquiry.flight += asked->request != 0;
}

/* Ask for what is not under way yet, as far as there is room. */
static void go_on(void)
{
    if (!inquiry.listed) {
        if (inquiry.list == 0) {
            ask_list();
        }
        return;
    }
    while (inquiry.whole < inquiry.count && is_whole(&inquiry.sets[inquiry.whole])) {
        inquiry.whole++;
    }
    if (inquiry.whole == inquiry.count) {
        inquiry.active = false;
        tell();
        return;
    }
    for (uint32_t i = inquiry.whole; i < inquiry.count && inquiry.flight < FLIGHT_MAX; i++) {
        if (!is_whole(&inquiry.sets[i]) && inquiry.sets[i].request == 0) {
            ask_words(i);
        }
    }
}

bool counters_ask(uint64_t now)
{
    if (!session_open()) {
        return false;
    }
    if (!inquiry.active) {
        inquiry.active = true;
        inquiry.listed = false;
        inquiry.list = 0;
        inquiry.count = inquiry.whole = inquiry.flight = 0;
        inquiry.give_up_at = now + ANSWER_US;
        inquiry.end_at = now + ALL_US;
        go_on();
    }
    return true;
}

void counters_step(uint64_t now)
{
    if (!inquiry.active) {
        return;
    }
    if (now >= inquiry.give_up_at) {
        fail("the board has not answered within 10 seconds\n");
    } else if (now >= inquiry.end_at) {
        fail("the board has not told all that it counts within 60 seconds\n");
    } else {
        go_on();
    }
}

void counters_disconnected(void)
{
    inquiry.active = false;
}

/* ---- Answers ---- */

static bool is_client(uint8_t number)
{
    const struct machine *machine = machines_get(number);

    return machine != NULL && machine->present;
}

/* Whether a set may be there, besides those that are. */
static bool is_sensible(const struct counter_set *set)
{
    if (stats_words(set->kind) == 0) {
        return true; /* a kind that is newer than this program */
    }
    for (uint32_t i = 0; i < inquiry.count; i++) {
        if (counter_set_same(&inquiry.sets[i].set, set)) {
            return false;
        }
    }
    return is_client(set->client) &&
           (set->kind == STATS_PORT ? is_client(set->of_switch) : set->of_switch == CONTROL_NOBODY);
}

/* Returns false if it makes no sense. */
static bool take_sets(const uint8_t *data, size_t length)
{
    inquiry.listed = length == 0;
    for (; length >= CONTROL_SET_SIZE; length -= CONTROL_SET_SIZE, data += CONTROL_SET_SIZE) {
        struct counter_set set;

        if (inquiry.count == SETS_MAX || !counter_set_name(&set, data, inquiry.count) ||
            !is_sensible(&set)) {
            return false;
        }
        inquiry.sets[inquiry.count++] = (struct asked){.set = set};
    }
    return length == 0;
}

static void take_list(uint8_t status, const uint8_t *data, size_t length)
{
    inquiry.list = 0;
    if (status == CONTROL_UNKNOWN && inquiry.count == 0) {
        fail("this system was built without counters: build it anew\n");
    } else if (status != CONTROL_OK || !take_sets(data, length)) {
        fail_senseless();
    } else {
        go_on();
    }
}

static void take_words(struct asked *asked, uint8_t status, const uint8_t *data, size_t length)
{
    asked->request = 0;
    inquiry.flight--;
    if (status != CONTROL_OK || !counter_set_add(&asked->set, data, length)) {
        fail_senseless();
    } else {
        go_on();
    }
}

void counters_answer(uint16_t request, uint8_t status, const uint8_t *data, size_t length,
                     uint64_t now)
{
    if (!inquiry.active) {
        return;
    }
    inquiry.give_up_at = now + ANSWER_US;
    if (inquiry.list == request) {
        take_list(status, data, length);
        return;
    }
    for (uint32_t i = inquiry.whole; i < inquiry.count; i++) {
        if (inquiry.sets[i].request == request) {
            take_words(&inquiry.sets[i], status, data, length);
            return;
        }
    }
}
