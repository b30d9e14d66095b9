/* SPDX-License-Identifier: BSD-2-Clause */

#include "panic.h"

#include "console_port.h"
#include "drivers/timer/protocol.h"
#include "freeze.h"
#include "lib/cpu.h"
#include "timer.h"

#define HEAD        "---[ end Kernel panic - not syncing: "
#define HEAD_LENGTH (sizeof(HEAD) - 1)
#define TAIL        " ]---"
#define TAIL_LENGTH (sizeof(TAIL) - 1)
#define DASHES      3u

/* How far a console's line agrees. Two consoles print the same lines, in pieces in between. */
struct line {
    uint8_t head; /* bytes of HEAD that have been printed */
    uint8_t tail; /* and of TAIL, last of all, behind the whole head */
};

static struct {
    struct line line[PANIC_SOURCES];
    bool told;         /* by pvpanic: nothing denies it */
    bool ended;        /* or the last byte ended such a line */
    bool stands;       /* long enough ago */
    uint64_t deadline; /* if not: when it will be */
} panic;

/* Follow one byte; returns whether it ends the line of a panic. */
static bool follow(struct line *line, uint8_t byte)
{
    if (byte == '\n') {
        bool ends = line->head == HEAD_LENGTH && line->tail == TAIL_LENGTH;

        line->head = 0;
        line->tail = 0;
        return ends;
    }
    if (line->head < HEAD_LENGTH) {
        if (byte == (uint8_t)HEAD[line->head]) {
            line->head++;
        } else if (byte != '-') {
            line->head = 0;
        } else if (line->head != DASHES) { /* of more than three dashes the last three count */
            line->head = 1;
        }
    } else if (line->tail < TAIL_LENGTH && byte == (uint8_t)TAIL[line->tail]) {
        line->tail++;
    } else if (byte != '\r') {
        line->tail = byte == ' ';
    }
    return false;
}

static void withdraw(void)
{
    if (panic.stands && !freeze_active()) {
        console_port_tell(CONSOLE_RUNNING);
    } else if (panic.ended || panic.told) {
        timer_silence_until(TIMER_NEVER);
    }
    panic.told = false;
    panic.ended = false;
    panic.stands = false;
}

void panic_reset(void)
{
    withdraw();
    for (unsigned i = 0; i < PANIC_SOURCES; i++) {
        panic.line[i] = (struct line){0};
    }
}

static void wait_for_silence(void)
{
    panic.deadline = cpu_counter() + cpu_counter_frequency();
    timer_silence_until(panic.deadline);
}

void panic_printed(enum panic_source source, const uint8_t *bytes, uint32_t count)
{
    struct line *line = &panic.line[source];
    bool ended = false;

    if (count == 0 || panic.told) {
        return;
    }
    withdraw();
    for (uint32_t i = 0; i < count; i++) {
        ended = follow(line, __atomic_load_n(&bytes[i], __ATOMIC_RELAXED));
    }
    if (ended) {
        panic.ended = true;
        wait_for_silence();
    }
}

void panic_idle(void)
{
    if (!panic.told) {
        withdraw();
    }
}

void panic_told(void)
{
    if (panic.told) {
        return;
    }
    panic.told = true;
    panic.deadline = cpu_counter();
    if (!panic.stands) {
        timer_silence_until(panic.deadline);
    }
}

void panic_resumed(void)
{
    if (panic.ended && !panic.told && !panic.stands) {
        wait_for_silence();
    }
}

bool panic_timer_expired(void)
{
    if (!(panic.ended || panic.told) || panic.stands || cpu_counter() < panic.deadline) {
        return false;
    }
    panic.stands = true;
    console_port_tell(CONSOLE_PANICKED);
    return true;
}

bool panic_stands(void)
{
    return panic.stands;
}
