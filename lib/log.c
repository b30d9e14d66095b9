/* SPDX-License-Identifier: BSD-2-Clause */

#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "cpu.h"
#include "token_bucket.h"

#define LINE_MAX_LENGTH 240u /* with prefix and newline */
#define BURST           8u   /* messages of log_limited that pass at once; then one each second */
#define CUT             "...\n"

static struct {
    const char *who;
    struct ring *out;
    microkit_channel channel;
    unsigned dropped; /* did not fit into the ring */

    struct token_bucket bucket; /* of log_limited */
    unsigned suppressed;        /* messages that it has held back */
} speaker;

void log_init(const char *who, struct ring *out, microkit_channel channel)
{
    speaker.who = who;
    speaker.out = out;
    speaker.channel = channel;
    speaker.dropped = 0;
    token_bucket_init(&speaker.bucket, 1, BURST, cpu_counter_frequency(), cpu_counter());
    speaker.suppressed = 0;
}

void log_open(const char *who, void *region, uint32_t size, microkit_channel channel)
{
    static struct ring ring;

    if (region != NULL) {
        ring_resume_producer(&ring, region, size);
    }
    log_init(who, region != NULL ? &ring : NULL, channel);
}

bool log_await_space(uint32_t count)
{
    while (speaker.out != NULL && ring_space(speaker.out) < count) {
        if (!ring_await_space(speaker.out, count)) {
            return false;
        }
    }
    return true;
}

/* A line is written whole or not at all. */
static bool emit(const char *line, uint32_t length)
{
    if (speaker.out == NULL) {
        microkit_dbg_puts(line);
        return true;
    }
    if (ring_space(speaker.out) < length) {
        return false;
    }
    ring_write(speaker.out, line, length);
    if (ring_take_data_wanted(speaker.out)) {
        microkit_notify(speaker.channel);
    }
    return true;
}

/* What a guest has named must not reach the terminal as an escape sequence or a line of its own. */
static void make_printable(char *text)
{
    for (; *text != '\0'; text++) {
        if (*text < ' ' || *text > '~') {
            *text = '?';
        }
    }
}

static bool emit_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

static bool emit_formatted(const char *format, va_list arguments)
{
    char line[LINE_MAX_LENGTH + 1];
    size_t room = sizeof(line) - 1; /* for the newline */
    size_t prefix, length;

    snprintf(line, room, "%s: ", speaker.who != NULL ? speaker.who : microkit_name);
    prefix = strlen(line);

    int wanted = vsnprintf(line + prefix, room - prefix, format, arguments);

    make_printable(line);
    length = strlen(line);
    if (wanted > 0 && (size_t)wanted > length - prefix) {
        memcpy(line + length + 1 - strlen(CUT), CUT, sizeof(CUT));
    } else {
        memcpy(line + length, "\n", 2);
    }
    return emit(line, (uint32_t)length + 1);
}

static bool emit_format(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    bool emitted = emit_formatted(format, arguments);
    va_end(arguments);
    return emitted;
}

static void print(const char *format, va_list arguments)
{
    if (speaker.dropped > 0 && emit_format("%u messages lost", speaker.dropped)) {
        speaker.dropped = 0;
    }
    if (speaker.dropped > 0 || !emit_formatted(format, arguments)) {
        speaker.dropped++;
    }
}

void log_printf(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    print(format, arguments);
    va_end(arguments);
}

void log_limited(const char *format, ...)
{
    va_list arguments;

    if (!token_bucket_take(&speaker.bucket, cpu_counter())) {
        speaker.suppressed++;
        return;
    }
    if (speaker.suppressed > 0) {
        log_printf("%u more messages like these", speaker.suppressed);
        speaker.suppressed = 0;
    }
    va_start(arguments, format);
    print(format, arguments);
    va_end(arguments);
}
