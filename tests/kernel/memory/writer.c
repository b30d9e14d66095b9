/* SPDX-License-Identifier: BSD-2-Clause */

#include <microkit.h>

unsigned char *small;
volatile unsigned *fixed;
unsigned char *filled;
unsigned long reader_id;

void init(void)
{
}

void notified(microkit_channel ch)
{
    (void)ch;
}

microkit_msginfo protected(microkit_channel ch, microkit_msginfo info)
{
    (void)info;
    small[0x2fff] = 0x5a;
    *fixed = 0xfeedbeef;
    filled[0] = 't';
    microkit_mr_set(0, ch == reader_id);
    return microkit_msginfo_new(0, 1);
}
