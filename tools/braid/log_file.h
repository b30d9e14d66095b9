/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A log: lines, each with the time at which its first byte came. Bytes that could control a
 * terminal are escaped. At LOG_FILE_MAX bytes it becomes NAME.1, in place of the one before.
 */

#include <stddef.h>
#include "bytes.h"

#define LOG_FILE_MAX  (4u << 20)
#define LOG_LINE_MAX  4096u /* bytes of a line; a longer one becomes several */
#define LOG_TIME_SIZE 25u   /* 2026-01-31T12:00:00.000Z, and a NUL */

struct log_file {
    int directory;  /* of the file; not the log's */
    char name[80];  /* of the file */
    int fd;         /* -1: it cannot be written */
    size_t written; /* bytes */
    char time[LOG_TIME_SIZE];
    struct bytes line; /* one that has not ended */
};

void log_file_open(struct log_file *log, int directory, const char *name);
void log_file_add(struct log_file *log, const void *bytes, size_t count);
/* Write the line that has not ended, and close. */
void log_file_close(struct log_file *log);

/* The time now, UTC. */
void log_file_time(char time[LOG_TIME_SIZE]);
