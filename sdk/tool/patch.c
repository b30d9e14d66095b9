/* SPDX-License-Identifier: BSD-2-Clause */
#include "patch.h"

#include <inttypes.h>
#include <string.h>

/* Write a variable of libmicrokit. False if the linker has left it out, because it is unused. */
static bool write_variable(const struct sdf_pd *pd, struct program *program,
                           const struct program *symbols, const char *name, const void *bytes,
                           size_t size)
{
    struct program_symbol symbol;

    if (!program_symbol(symbols, name, &symbol)) {
        return false;
    }
    if (symbol.size < size || !program_write(program, symbol.value, bytes, size)) {
        diag_at(&pd->program_place, "path",
                "'%s': its symbol '%s' (%" PRIu64 " bytes at 0x%" PRIx64
                ") is no variable of %zu bytes: link it with this SDK's libmicrokit.a",
                program->path, name, symbol.size, symbol.value, size);
    }
    return true;
}

static void channel_masks(const struct sdf_system *system, const struct sdf_pd *pd,
                          uint64_t *notify, uint64_t *pp)
{
    *notify = *pp = 0;
    for (size_t i = 0; i < system->channel_count; i++) {
        for (unsigned j = 0; j < 2; j++) {
            const struct sdf_end *end = &system->channels[i].ends[j];
            if (end->pd != pd) {
                continue;
            }
            *notify |= (uint64_t)end->notify << end->id;
            *pp |= (uint64_t)end->pp << end->id;
        }
    }
}

static void write_microkit(const struct sdf_system *system, const struct sdf_pd *pd,
                           struct program *program, const struct program *symbols)
{
    uint64_t notify, pp, irqs = 0;
    uint8_t passive = pd->passive;
    bool any = false;
    const char *pd_name = sdf_short_name(pd->name, SDF_SHORT_NAME);

    channel_masks(system, pd, &notify, &pp);
    for (size_t i = 0; i < pd->irq_count; i++) {
        irqs |= UINT64_C(1) << pd->irqs[i].id;
    }

    any |= write_variable(pd, program, symbols, "microkit_name", pd_name, strlen(pd_name) + 1);
    any |= write_variable(pd, program, symbols, "microkit_passive", &passive, sizeof(passive));
    any |= write_variable(pd, program, symbols, "microkit_irqs", &irqs, sizeof(irqs));
    any |= write_variable(pd, program, symbols, "microkit_notifications", &notify, sizeof(notify));
    any |= write_variable(pd, program, symbols, "microkit_pps", &pp, sizeof(pp));
    if (!any) {
        diag_at(
            &pd->program_place, "path",
            "'%s' has no symbol 'microkit_name': link it, unstripped, with the SDK's libmicrokit.a",
            symbols->path);
    }
}

static uint64_t setvar_value(const struct sdf_setvar *setvar)
{
    switch (setvar->kind) {
    case SDF_SETVAR_SIZE:
        return setvar->region->size;
    case SDF_SETVAR_PREFILL_SIZE:
        return setvar->region->prefill->size;
    case SDF_SETVAR_PADDR:
        return UINT64_MAX;
    case SDF_SETVAR_VALUE:
        break;
    }
    return setvar->value;
}

static void write_setvar(const struct sdf_setvar *setvar, const struct sdf_pd *pd,
                         struct program *program, const struct program *symbols, uint64_t value)
{
    struct program_symbol symbol;

    if (!program_symbol(symbols, setvar->symbol, &symbol)) {
        diag_at(&setvar->place, setvar->attribute,
                "program '%s' of '%s' has no symbol '%s': define it as a global uint64_t",
                symbols->path, pd->name, setvar->symbol);
    }
    if (symbol.size != sizeof(value)) {
        diag_at(&setvar->place, setvar->attribute,
                "symbol '%s' of '%s' has %" PRIu64
                " bytes: it must have 8, as uint64_t or uintptr_t",
                setvar->symbol, pd->name, symbol.size);
    }
    if (!program_write(program, symbol.value, &value, sizeof(value))) {
        diag_at(&setvar->place, setvar->attribute,
                "symbol '%s' of '%s' at 0x%" PRIx64 " lies in no segment of the program",
                setvar->symbol, pd->name, symbol.value);
    }
}

void patch_variables(const struct sdf_system *system, const struct sdf_pd *pd,
                     struct program *program, const struct program *symbols)
{
    write_microkit(system, pd, program, symbols);
    for (size_t i = 0; i < pd->setvar_count; i++) {
        write_setvar(&pd->setvars[i], pd, program, symbols, setvar_value(&pd->setvars[i]));
    }
    program_measure(program);
}

void patch_addresses(const struct sdf_pd *pd, struct program *program,
                     const struct program *symbols, const struct sdf_region *region,
                     uint64_t address)
{
    for (size_t i = 0; i < pd->setvar_count; i++) {
        if (pd->setvars[i].kind == SDF_SETVAR_PADDR && pd->setvars[i].region == region) {
            write_setvar(&pd->setvars[i], pd, program, symbols, address);
        }
    }
}
