/* SPDX-License-Identifier: BSD-2-Clause */

#include "supervised.h"

bool supervised_again(void)
{
    static bool begun;
    bool again = begun;

    begun = true;
    return again;
}
