/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Entries into the kernel are not logged: no config has CONFIG_BENCHMARK_TRACK_KERNEL_ENTRIES. */
