/* SPDX-License-Identifier: BSD-2-Clause */

#include "pvpanic.h"

#include "lib/log.h"
#include "panic.h"

#define PVPANIC_PANICKED    (1u << 0)
#define PVPANIC_CRASHLOADED (1u << 1)

bool pvpanic_access(void *unused, struct mmio_access *access)
{
    (void)unused;
    if (!access->write) {
        access->value = access->offset == 0 ? PVPANIC_PANICKED | PVPANIC_CRASHLOADED : 0;
    } else if (access->offset == 0) {
        if (access->value & PVPANIC_PANICKED) {
            panic_told();
        } else if (access->value & PVPANIC_CRASHLOADED) {
            log_limited("panicked; its crash kernel takes over");
        }
    }
    return true;
}
