/* SPDX-License-Identifier: BSD-2-Clause */

#include "power.h"

#include <microkit.h>
#include <stdint.h>

#define IN(state) (1u << (state))
#define ANY       UINT32_MAX

/* The states in which a verb makes sense. Of a machine that says nothing all do. */
static const uint32_t allowed[] = {
    [CONTROL_START] = IN(CONSOLE_OFF) | IN(CONSOLE_STOPPED),
    [CONTROL_STOP] = IN(CONSOLE_RUNNING),
    [CONTROL_KILL] = ~IN(CONSOLE_OFF),
    [CONTROL_RESTART] = ANY,
    [CONTROL_PAUSE] = IN(CONSOLE_RUNNING) | IN(CONSOLE_PANICKED),
    [CONTROL_RESUME] = IN(CONSOLE_PAUSED),
};

static uint32_t *word(void *region, uint32_t offset)
{
    return (uint32_t *)(void *)((uint8_t *)region + offset);
}

enum console_state power_state(const struct client *client)
{
    uint32_t state =
        __atomic_load_n(word(client->config->output, CONSOLE_STATE_OFFSET), __ATOMIC_RELAXED);

    return state <= CONSOLE_PAUSED ? (enum console_state)state : CONSOLE_UNTOLD;
}

enum control_status power_command(struct client *client, uint8_t verb)
{
    enum console_state state = power_state(client);

    if (verb == 0 || verb >= sizeof(allowed) / sizeof(allowed[0])) {
        return CONTROL_UNKNOWN;
    }
    if (state != CONSOLE_UNTOLD && (allowed[verb] & IN(state)) == 0) {
        return CONTROL_NOT_NOW;
    }
    client->commands++;
    __atomic_store_n(word(client->config->input, CONSOLE_COMMAND_OFFSET),
                     client->commands << 8 | verb, __ATOMIC_RELEASE);
    microkit_notify(client->config->channel);
    return CONTROL_OK;
}

void power_tell_size(struct client *client, uint32_t columns, uint32_t rows)
{
    __atomic_store_n(word(client->config->input, CONSOLE_SIZE_OFFSET), columns << 16 | rows,
                     __ATOMIC_RELEASE);
    microkit_notify(client->config->channel);
}
