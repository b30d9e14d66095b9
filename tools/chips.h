/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The chips that each class has a driver for, sorted, ended by NULL. The Makefile makes them from
 * the files' names in drivers/CLASS.
 */

extern const char *const chips_uart[];
extern const char *const chips_timer[];
extern const char *const chips_block[];
extern const char *const chips_net[];
