/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include "array.h"
#include "sdf.h"
#include "sdk/kernel/system.h"
#include "tools/memory.h"
#include "xml.h"

#define TURN_MIN_US 20 /* seL4 ends a turn that has no more left than this */

/* An entry of the schedule. */
struct entry {
    struct place place;
    const char *domain_name; /* NULL: the end marker */
    uint64_t duration;
    bool in_ticks;
};

struct schedule {
    struct place place;
    struct entry *entries;
    size_t count;
    uint64_t start; /* an index of entries */
};

static void read_domain(struct sdf_system *system, const struct xml_element *element)
{
    const unsigned taken = UINT_MAX;
    unsigned id = taken;

    xml_check_attributes(element, "name id");
    xml_ignore_content(element);
    const char *name = sdf_read_name(element);
    if (xml_attribute(element, "id")) {
        id = (unsigned)xml_number(element, "id", 0, SYSTEM_MAX_DOMAINS - 1);
    }
    for (size_t i = 0; i < system->domain_count; i++) {
        const struct sdf_domain *other = &system->domains[i];
        if (strcmp(other->name, name) == 0) {
            diag_at(&element->place, "name",
                    "'%s' is already the name of the domain on line %u: names are unique", name,
                    other->place.line);
        }
        if (id != taken && other->id == id) {
            diag_at(&element->place, "id",
                    "%u is already the id of domain '%s' on line %u: ids are unique", id,
                    other->name, other->place.line);
        }
    }
    if (system->domain_count == SYSTEM_MAX_DOMAINS) {
        diag_at(&element->place, NULL, "too many domains: at most %d", SYSTEM_MAX_DOMAINS);
    }
    *ARRAY_ADD(system->domains, system->domain_count) =
        (struct sdf_domain){.place = element->place, .name = name, .id = id};
}

/* Give those without an id the lowest that are free. There are as many ids as domains at most. */
static void choose_ids(struct sdf_system *system)
{
    unsigned used = 0;

    for (size_t i = 0; i < system->domain_count; i++) {
        if (system->domains[i].id < SYSTEM_MAX_DOMAINS) {
            used |= 1u << system->domains[i].id;
        }
    }
    for (size_t i = 0; i < system->domain_count; i++) {
        if (system->domains[i].id >= SYSTEM_MAX_DOMAINS) {
            system->domains[i].id = (unsigned)__builtin_ctz(~used);
            used |= 1u << system->domains[i].id;
        }
    }
}

static void read_duration(const struct xml_element *element, struct entry *entry)
{
    const char *text = xml_required(element, "duration");
    const char *blank = strchr(text, ' ');

    if (!blank || (strcmp(blank, " us") != 0 && strcmp(blank, " ticks") != 0)) {
        diag_at(&element->place, "duration",
                "'%s': it is a number, a blank, and 'us' or 'ticks', as in '1000 us'", text);
    }
    entry->in_ticks = strcmp(blank, " ticks") == 0;
    entry->duration =
        xml_number_of(element, "duration", memory_copy(text, (size_t)(blank - text)), 1,
                      entry->in_ticks ? SYSTEM_MAX_TURN_TICKS : SYSTEM_MAX_TURN_US);
    if (!entry->in_ticks && entry->duration < TURN_MIN_US) {
        diag_warn(&element->place,
                  "a turn of %" PRIu64 " us: on seL4 a domain gets nothing of less than %d us",
                  entry->duration, TURN_MIN_US);
    }
}

static void read_entry(struct schedule *schedule, const struct xml_element *element)
{
    struct entry *entry = ARRAY_ADD(schedule->entries, schedule->count);

    entry->place = element->place;
    xml_ignore_content(element);
    if (strcmp(element->tag, "schedule_entry") == 0) {
        xml_check_attributes(element, "domain duration");
        entry->domain_name = xml_required(element, "domain");
        read_duration(element, entry);
    } else if (strcmp(element->tag, "schedule_end_marker") == 0) {
        xml_check_attributes(element, "");
    } else {
        diag_at(&element->place, NULL,
                "unknown element here: a domain_schedule contains schedule_entry and "
                "schedule_end_marker");
    }
    if (schedule->count > SYSTEM_MAX_TURNS) {
        diag_at(&element->place, NULL, "too many entries in the schedule: at most %d",
                SYSTEM_MAX_TURNS);
    }
}

/* What seL4's initialiser would panic at, it having the entries from `shift` on. */
static void check_markers(const struct schedule *schedule, uint64_t shift)
{
    if (!schedule->entries[schedule->start].domain_name) {
        diag_at(&schedule->place, schedule->start ? "start_index" : NULL,
                "the schedule would start with the end marker on line %u: it starts with a "
                "schedule_entry",
                schedule->entries[schedule->start].place.line);
    }
    if (!schedule->entries[0].domain_name && !shift) {
        diag_at(&schedule->entries[0].place, NULL,
                "seL4 has no end marker in the first place of all: leave it out, or give the "
                "domain_schedule an index_shift");
    }
}

static void read_schedule(struct schedule *schedule, const struct xml_element *element)
{
    struct xml_element child = {.node = NULL};

    xml_check_attributes(element, "index_shift start_index");
    schedule->place = element->place;
    while (xml_next_child(element, &child)) {
        read_entry(schedule, &child);
    }
    if (!schedule->count) {
        diag_at(&element->place, NULL,
                "it is empty: add <schedule_entry domain='...' duration='1000 us'/>");
    }
    schedule->start = xml_number_or(element, "start_index", 0, schedule->count - 1, 0);
    check_markers(schedule,
                  xml_number_or(element, "index_shift", 0, SYSTEM_MAX_TURNS - schedule->count, 0));
}

const struct sdf_domain *sdf_find_domain(const struct sdf_system *system, const char *name)
{
    for (size_t i = 0; i < system->domain_count; i++) {
        if (strcmp(system->domains[i].name, name) == 0) {
            return &system->domains[i];
        }
    }
    return NULL;
}

/* All entries have to name domains. Those from the start to an end marker are the turns. */
static void make_turns(struct sdf_system *system, const struct schedule *schedule)
{
    bool ended = false;

    for (size_t i = 0; i < schedule->count; i++) {
        const struct entry *entry = &schedule->entries[i];
        ended |= i >= schedule->start && !entry->domain_name;
        if (!entry->domain_name) {
            continue;
        }
        const struct sdf_domain *domain = sdf_find_domain(system, entry->domain_name);
        if (!domain) {
            diag_at(&entry->place, "domain", "there is no domain '%s': name one of <domains>",
                    entry->domain_name);
        }
        if (i >= schedule->start && !ended) {
            *ARRAY_ADD(system->turns, system->turn_count) =
                (struct sdf_turn){domain, entry->duration, entry->in_ticks};
        }
    }
}

void sdf_read_domains(struct sdf_system *system, const struct xml_element *element)
{
    struct schedule schedule = {.count = 0};
    struct xml_element child = {.node = NULL};

    if (system->cores > 1) {
        diag_at(
            &element->place, NULL,
            "not on several cores: seL4's domain scheduler, like this one, is for one: choose a "
            "configuration without the prefix smp-");
    }
    if (system->domain_count) {
        diag_at(&element->place, NULL,
                "there are already domains, from line %u on: a system has one <domains>",
                system->domains[0].place.line);
    }
    if (system->pd_count) {
        diag_at(&element->place, NULL,
                "behind the protection domain on line %u: it stands in front of all of them",
                system->pds[0]->place.line);
    }
    xml_check_attributes(element, "");
    while (xml_next_child(element, &child)) {
        if (strcmp(child.tag, "domain") == 0) {
            read_domain(system, &child);
        } else if (strcmp(child.tag, "domain_schedule") != 0) {
            diag_at(&child.place, NULL,
                    "unknown element here: domains contains domain and domain_schedule");
        } else if (schedule.count) {
            diag_at(&child.place, NULL,
                    "a second schedule, the first being on line %u: there is one",
                    schedule.place.line);
        } else {
            read_schedule(&schedule, &child);
        }
    }
    if (!system->domain_count) {
        diag_at(&element->place, NULL, "it has no domain: add <domain name='...'/>");
    }
    if (!schedule.count) {
        diag_at(&element->place, NULL, "it has no schedule: add a <domain_schedule>");
    }
    choose_ids(system);
    make_turns(system, &schedule);
}

void sdf_warn_of_domains(const struct sdf_system *system)
{
    for (size_t i = 0; system->domain_count && i < system->pd_count; i++) {
        const struct sdf_pd *pd = system->pds[i];
        bool runs = false;
        for (size_t j = 0; j < system->turn_count; j++) {
            runs |= system->turns[j].domain == pd->domain;
        }
        if (!runs) {
            diag_warn(&pd->place, "its domain '%s' has no turn in the schedule: it never runs",
                      pd->domain->name);
        }
    }
}
