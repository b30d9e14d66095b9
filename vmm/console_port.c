/* SPDX-License-Identifier: BSD-2-Clause */

#include "console_port.h"

#include <stddef.h>
#include "lib/ring.h"

static const struct vmm_console_config *port;
static bool has_output; /* a machine without a console has it for its monitor's messages */
static struct ring output;
static struct ring input;
static enum console_state told;

void console_port_init(const struct vmm_console_config *config)
{
    port = config->present ? config : NULL;
    has_output = config->output != NULL;
    told = CONSOLE_UNTOLD;
    if (has_output) {
        ring_init(&output, config->output, config->output_size);
    }
    if (port != NULL) {
        ring_init(&input, config->input, config->input_size);
    }
}

static uint32_t *word(void *region, uint32_t offset)
{
    return (uint32_t *)(void *)((uint8_t *)region + offset);
}

void console_port_tell(enum console_state state)
{
    if (port != NULL && state != told) {
        told = state;
        __atomic_store_n(word(port->output, CONSOLE_STATE_OFFSET), (uint32_t)state,
                         __ATOMIC_RELEASE);
        microkit_notify(port->channel);
    }
}

static uint32_t input_word(uint32_t offset)
{
    return port == NULL ? 0 : __atomic_load_n(word(port->input, offset), __ATOMIC_ACQUIRE);
}

uint32_t console_port_command(void)
{
    return input_word(CONSOLE_COMMAND_OFFSET);
}

uint32_t console_port_size(void)
{
    return input_word(CONSOLE_SIZE_OFFSET);
}

struct ring *console_port_output(void)
{
    return has_output ? &output : NULL;
}

uint32_t console_port_write(const void *bytes, uint32_t count)
{
    uint32_t written;

    if (port == NULL) {
        return count;
    }
    written = ring_write(&output, bytes, count);
    if (written > 0 && ring_take_data_wanted(&output)) {
        microkit_notify(port->channel);
    }
    return written;
}

bool console_port_await_space(void)
{
    return port != NULL && ring_await_space(&output, 1);
}

uint32_t console_port_read(void *bytes, uint32_t count)
{
    uint32_t taken;

    if (port == NULL) {
        return 0;
    }
    taken = ring_read(&input, bytes, count);
    if (taken > 0 && ring_take_space_wanted(&input)) {
        microkit_notify(port->channel);
    }
    return taken;
}

bool console_port_await_data(void)
{
    return port != NULL && ring_await_data(&input);
}
