/* SPDX-License-Identifier: BSD-2-Clause */
#include "states.h"

#include <stdlib.h>
#include <string.h>
#include "lib/console_state.h"
#include "screen.h"

#define RED    "\x1b[31m"
#define GREEN  "\x1b[32m"
#define YELLOW "\x1b[33m"
#define PLAIN  "\x1b[0m"

static const struct {
    const char *name;
    const char *colour; /* NULL: none */
} states[STATES] = {
    [CONSOLE_UNTOLD] = {"unknown", NULL},   [CONSOLE_RUNNING] = {"running", GREEN},
    [CONSOLE_OFF] = {"off", NULL},          [CONSOLE_STOPPED] = {"stopped", RED},
    [CONSOLE_PANICKED] = {"panicked", RED}, [CONSOLE_PAUSED] = {"paused", YELLOW},
};

const char *states_name(uint8_t state)
{
    return states[state < STATES ? state : CONSOLE_UNTOLD].name;
}

bool states_colour_wanted(void)
{
    const char *unwanted = getenv("NO_COLOR");

    return screen_there() && (unwanted == NULL || unwanted[0] == '\0');
}

void states_add(struct bytes *text, const char *name, bool colour)
{
    for (size_t i = 0; i < STATES; i++) {
        if (colour && states[i].colour != NULL && strcmp(name, states[i].name) == 0) {
            bytes_print(text, "%s%s" PLAIN, states[i].colour, name);
            return;
        }
    }
    bytes_print(text, "%s", name);
}
