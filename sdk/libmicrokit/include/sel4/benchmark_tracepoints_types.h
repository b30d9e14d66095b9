/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* There are no tracepoints: no config has CONFIG_BENCHMARK_TRACEPOINTS. */
