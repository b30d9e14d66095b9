/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include "emit.h"

static void emit_region(const struct region *region, struct buffer *out)
{
    buffer_print(
        out, "    <memory_region name=\"%s\" size=\"0x%" PRIx64 "\" page_size=\"0x%" PRIx64 "\"",
        region->name, region->size, region->page_size);
    if (region->fixed) {
        buffer_print(out, " phys_addr=\"0x%" PRIx64 "\"", region->address);
    }
    if (region->prefill != NULL) {
        buffer_print(out, " prefill_path=\"%s\"", region->prefill->link);
    }
    buffer_print(out, " />\n");
}

static void emit_map(const struct map *map, const char *indent, struct buffer *out)
{
    buffer_print(out, "%s<map mr=\"%s\" vaddr=\"0x%" PRIx64 "\" perms=\"%s\"%s />\n", indent,
                 map->region->name, map->vaddr, map->perms, map->cached ? "" : " cached=\"false\"");
}

static void emit_domains(const struct system *system, struct buffer *out)
{
    if (!has_domains(system)) {
        return;
    }
    buffer_print(out, "    <domains>\n");
    for (size_t i = 0; i < system->domains.count; i++) {
        buffer_print(out, "        <domain name=\"%s\" id=\"%zu\" />\n", system->domains.items[i],
                     i);
    }
    buffer_print(out, "        <domain_schedule>\n");
    for (size_t i = 0; i < system->domain_turns.count; i++) {
        const struct domain_turn *turn = &system->domain_turns.items[i];

        buffer_print(out,
                     "            <schedule_entry domain=\"%s\" duration=\"%" PRIu64 " us\" />\n",
                     system->domains.items[turn->domain], turn->duration);
    }
    buffer_print(out, "        </domain_schedule>\n    </domains>\n");
}

static void emit_core(const struct system *system, unsigned core, struct buffer *out)
{
    if (has_several_cores(system)) {
        buffer_print(out, " cpu=\"%u\"", core);
    }
}

static void emit_vm(const struct system *system, const struct vm *vm, const struct vm_layout *place,
                    struct buffer *out)
{
    const struct vm_settings *settings = &vm->settings;

    buffer_print(out,
                 "        <virtual_machine name=\"%s\" priority=\"%" PRIu64 "\" budget=\"%" PRIu64
                 "\" period=\"%" PRIu64 "\">\n",
                 vm->name, settings->priority.number, settings->budget.number,
                 settings->period.number);
    for (uint64_t id = 0; id < settings->vcpus.number; id++) {
        buffer_print(out, "            <vcpu id=\"%" PRIu64 "\"", id);
        emit_core(system, vm->cores[id], out);
        buffer_print(out, " />\n");
    }
    for (size_t i = 0; i < place->maps.count; i++) {
        emit_map(&place->maps.items[i], "            ", out);
    }
    buffer_print(out, "        </virtual_machine>\n");
}

/* All of a PD but its children and its end. */
static void begin_pd(const struct layout *layout, const struct pd *pd, const char *indent,
                     struct buffer *out)
{
    const char *inner = memory_format("%s    ", indent);

    buffer_print(out, "%s<protection_domain name=\"%s\"", indent, pd->name);
    if (pd->parent != NULL) {
        buffer_print(out, " id=\"%u\"", pd->child_id);
    }
    buffer_print(out, " priority=\"%u\" stack_size=\"0x%" PRIx64 "\"", pd->priority,
                 pd->stack_size);
    if (pd->budget != 0) {
        buffer_print(out, " budget=\"%" PRIu64 "\" period=\"%" PRIu64 "\"", pd->budget, pd->period);
    }
    emit_core(layout->system, pd->core, out);
    if (has_domains(layout->system)) {
        buffer_print(out, " domain=\"%s\"", layout->system->domains.items[pd->domain]);
    }
    buffer_print(out, ">\n%s<program_image path=\"%s.elf\" />\n", inner, pd->name);
    for (size_t i = 0; i < pd->maps.count; i++) {
        emit_map(&pd->maps.items[i], inner, out);
    }
    for (size_t i = 0; i < pd->irqs.count; i++) {
        const struct irq *irq = &pd->irqs.items[i];
        buffer_print(out, "%s<irq irq=\"%u\" id=\"%u\"%s />\n", inner, irq->irq, irq->channel,
                     irq->edge ? " trigger=\"edge\"" : "");
    }
    for (size_t i = 0; i < pd->setvars.count; i++) {
        buffer_print(out, "%s<setvar symbol=\"%s\" region_paddr=\"%s\" />\n", inner,
                     pd->setvars.items[i].symbol, pd->setvars.items[i].region->name);
    }
    if (pd->vm != NULL) {
        emit_vm(layout->system, pd->vm, &layout->vms[pd->vm->index], out);
    }
}

static void end_pd(const char *indent, struct buffer *out)
{
    buffer_print(out, "%s</protection_domain>\n", indent);
}

/* A PD with its children, which have none themselves. */
static void emit_pd(const struct layout *layout, const struct pd *pd, struct buffer *out)
{
    begin_pd(layout, pd, "    ", out);
    for (size_t i = 0; i < layout->pds.count; i++) {
        if (layout->pds.items[i]->parent == pd) {
            begin_pd(layout, layout->pds.items[i], "        ", out);
            end_pd("        ", out);
        }
    }
    end_pd("    ", out);
}

static bool has_secondaries(const struct pd *pd)
{
    return pd->vm != NULL && pd->vm->settings.vcpus.number > 1;
}

/*
 * Machines with several vCPUs come last. Microkit 2.0 numbers vCPUs as if each machine before had
 * one. So it can start only one such machine, and only as the last.
 */
static void emit_pds(const struct layout *layout, struct buffer *out)
{
    for (int secondaries = 0; secondaries <= 1; secondaries++) {
        for (size_t i = 0; i < layout->pds.count; i++) {
            const struct pd *pd = layout->pds.items[i];

            if (pd->parent == NULL && has_secondaries(pd) == (secondaries != 0)) {
                emit_pd(layout, pd, out);
            }
        }
    }
}

static void emit_end(const struct channel_end *end, struct buffer *out)
{
    buffer_print(out, "        <end pd=\"%s\" id=\"%u\"%s />\n", end->pd->name, end->id,
                 end->calls ? " pp=\"true\"" : "");
}

void emit_system(const struct layout *layout, struct buffer *out)
{
    buffer_print(out,
                 "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                 "<!-- Made by braid-gen from the system '%s'; changes will be lost. -->\n"
                 "<system>\n",
                 layout->system->name);
    for (size_t i = 0; i < layout->regions.count; i++) {
        emit_region(layout->regions.items[i], out);
    }
    emit_domains(layout->system, out);
    emit_pds(layout, out);
    for (size_t i = 0; i < layout->channels.count; i++) {
        buffer_print(out, "    <channel>\n");
        emit_end(&layout->channels.items[i].ends[0], out);
        emit_end(&layout->channels.items[i].ends[1], out);
        buffer_print(out, "    </channel>\n");
    }
    buffer_print(out, "</system>\n");
}
