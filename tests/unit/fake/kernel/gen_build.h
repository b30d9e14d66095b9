/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the SDK's debug and release builds differ in: on the host there is neither. */
