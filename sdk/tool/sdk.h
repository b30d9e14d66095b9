/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The SDK that the tool belongs to: its directory with board/BOARD/CONFIG, and what the tool reads
 * there besides the kernel. */

#include <stdbool.h>

/* The SDK's directory: the environment's MICROKIT_SDK, or the parent of the directory of the
 * running program. Ends the tool if it holds no boards. */
const char *sdk_directory(void);

/* The boards of the SDK, or the configurations of one of them, separated by ", "; "" if there are
 * none. */
const char *sdk_boards(const char *sdk);
const char *sdk_configs(const char *sdk, const char *board);

/* Whether the SDK has this board, and this configuration of it. */
bool sdk_has_board(const char *sdk, const char *board);
bool sdk_has_config(const char *sdk, const char *board, const char *config);

#define SDK_CORES_MAX 255

/* The number of cores that this configuration's kernel can run on, 1 to SDK_CORES_MAX. Ends the
 * tool with a message if the SDK does not say it. */
unsigned sdk_cores(const char *sdk, const char *board, const char *config);
