/* SPDX-License-Identifier: BSD-2-Clause */

/* Print how long the machine has run, firmware and all, by the counter that begins with it. */

#include <stdint.h>
#include <stdio.h>

int main(void)
{
    uint64_t count;
    uint64_t rate;

    __asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(count));
    __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(rate));
    printf("booted at %.3f s\n", (double)count / (double)rate);
    return 0;
}
