/* SPDX-License-Identifier: BSD-2-Clause */
#include "log_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void log_file_time(char time[LOG_TIME_SIZE])
{
    struct timespec now;
    struct tm fields;
    char seconds[LOG_TIME_SIZE];

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &fields);
    strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &fields);
    snprintf(time, LOG_TIME_SIZE, "%.19s.%03uZ", seconds, (unsigned)(now.tv_nsec / 1000000) % 1000);
}

static void open_file(struct log_file *log)
{
    struct stat status;

    log->fd = openat(log->directory, log->name,
                     O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    log->written = log->fd >= 0 && fstat(log->fd, &status) == 0 ? (size_t)status.st_size : 0;
}

void log_file_open(struct log_file *log, int directory, const char *name)
{
    memset(log, 0, sizeof(*log));
    log->directory = directory;
    snprintf(log->name, sizeof(log->name), "%s", name);
    open_file(log);
}

static void rotate(struct log_file *log)
{
    char old[sizeof(log->name) + 2];

    snprintf(old, sizeof(old), "%s.1", log->name);
    close(log->fd);
    renameat(log->directory, log->name, log->directory, old);
    open_file(log);
}

/* One write, so that a reader sees whole lines. A disk that is full loses lines, and nothing else.
 */
static void end_line(struct log_file *log)
{
    struct bytes text = {0};
    size_t length = log->line.count;

    while (length > 0 && log->line.data[length - 1] == '\r') {
        length--;
    }
    bytes_print(&text, "%s ", log->time);
    bytes_add_escaped(&text, log->line.data, length);
    bytes_add(&text, "\n", 1);
    if (log->fd >= 0 && log->written + text.count > LOG_FILE_MAX) {
        rotate(log);
    }
    if (log->fd >= 0 && write(log->fd, text.data, text.count) == (ssize_t)text.count) {
        log->written += text.count;
    }
    bytes_free(&text);
    log->line.count = 0;
}

void log_file_add(struct log_file *log, const void *bytes, size_t count)
{
    const uint8_t *at = bytes;
    const uint8_t *end = at + count;

    while (at < end) {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
        size_t part = (size_t)((newline == NULL ? end : newline) - at);
        size_t room = LOG_LINE_MAX - log->line.count;

        if (log->line.count == 0) {
            log_file_time(log->time);
        }
        if (part > room) {
            part = room;
            newline = NULL;
        }
        bytes_add(&log->line, at, part);
        at += part + (newline != NULL);
        if (newline != NULL || log->line.count == LOG_LINE_MAX) {
            end_line(log);
        }
    }
}

void log_file_close(struct log_file *log)
{
    if (log->line.count > 0) {
        end_line(log);
    }
    bytes_free(&log->line);
    if (log->fd >= 0) {
        close(log->fd);
    }
    log->fd = -1;
}
