/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <sel4/client.h>
#include <sel4/config.h>
#include <sel4/constants.h>
#include <sel4/faults.h>
#include <sel4/functions.h>
#include <sel4/invocation.h>
#include <sel4/macros.h>
#include <sel4/syscalls.h>
#include <sel4/types.h>
