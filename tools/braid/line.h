/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The serial line to the board: a port, a Unix socket, or QEMU's. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "bytes.h"

struct line {
    int fd;               /* nonblocking */
    int errors;           /* QEMU's standard error; -1: it has closed it, or there is no QEMU */
    pid_t qemu;           /* 0: none */
    struct bytes waiting; /* bytes that the line did not take yet */
};

/* `port` is a device, or unix:PATH. On failure false, and `why` says what and the cure. */
bool line_open(struct line *line, const char *port, struct bytes *why);

/* Start QEMU by the command `run` of a system's directory. It ends if this process does. */
bool line_start(struct line *line, const char *run, struct bytes *why);

/* At most `size` bytes. 0: none now. -1: the line has ended. */
ssize_t line_read(struct line *line, uint8_t *bytes, size_t size);

/* How many bytes may be given to line_write(): few, so that what is urgent does not wait. */
size_t line_room(const struct line *line);
/* Send these, and what waits; `count` may be 0. */
void line_write(struct line *line, const uint8_t *bytes, size_t count);

/* End QEMU, and close. */
void line_close(struct line *line);

/* How QEMU has ended, from waitpid()'s status. */
void line_describe_end(int status, struct bytes *text);
