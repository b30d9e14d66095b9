/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* For the kernel's sources as well: time slices are renewed within few steps (sched.c). */
#define RENEWAL_PART   2u
#define LIGHT_RENEWALS 1u
