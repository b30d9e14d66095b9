/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The terminal as one page that is drawn anew. */

#include <stdbool.h>
#include <stdint.h>
#include "bytes.h"

enum screen_event { SCREEN_TIME, SCREEN_QUIT, SCREEN_SIZE, SCREEN_READY };

/* Whether standard output is a terminal that can be drawn on. */
bool screen_there(void);

/* Take the terminal's other page, until the program ends in whatever way: then all is as before. */
void screen_enter(void);

/* Give the terminal back before the program ends. */
void screen_leave(void);

/* Draw lines, as many and as much of each as there is room for. */
void screen_draw(const struct bytes *text);

/*
 * Wait until `until` (screen_now()), a key that quits, another size of the terminal, or bytes at
 * `fd`, which may be -1.
 */
enum screen_event screen_wait(int fd, uint64_t until);

/* Milliseconds. */
uint64_t screen_now(void);
void screen_sleep(uint64_t until);
