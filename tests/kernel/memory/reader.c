/* SPDX-License-Identifier: BSD-2-Clause */

#include "tests/kernel/common/check.h"

/* Set by the tool. */
unsigned char *small;
uint64_t small_size;
unsigned char *large;
uint64_t large_size;
unsigned char *filled;
uint64_t filled_size;
uint64_t dma_paddr;
uint64_t fixed_paddr;
uint64_t timer_id = 99;
uint64_t writer_id = 99;

static unsigned char bss[70000];
static unsigned char data[5000] = {1, 2, 3, [4999] = 4};

static bool is_zero(const unsigned char *bytes, uint64_t size)
{
    for (uint64_t i = 0; i < size; i += 8) {
        if (*(const volatile uint64_t *)(bytes + i) != 0) {
            return false;
        }
    }
    return true;
}

static void test_variables(void)
{
    check_equal("setvar_vaddr", (uint64_t)small, 0x41000000);
    check_equal("setvar_size", small_size, 0x3000);
    check_equal("setvar_size_large", large_size, 0x400000);
    check_equal("setvar_prefill_size", filled_size, 21);
    check("setvar_region_paddr", dma_paddr != 0 && dma_paddr % 0x1000 == 0);
    check_equal("setvar_region_paddr_fixed", fixed_paddr, 0x7a000000);
    check_equal("setvar_id_irq", timer_id, 33);
    check_equal("setvar_id_channel", writer_id, 17);
}

static void test_contents(void)
{
    static const char want[] = "The quick brown fox.\n";
    bool same = true;

    check("region_is_zero", is_zero(small, small_size));
    check("region_of_large_pages_is_zero", is_zero(large, large_size));
    check("bss_is_zero", is_zero(bss, sizeof bss));
    check("data_is_there",
          data[0] == 1 && data[2] == 3 && data[4999] == 4 && is_zero(data + 8, 4984));
    for (unsigned i = 0; i < sizeof want - 1; i++) {
        same = same && filled[i] == (unsigned char)want[i];
    }
    check("prefilled", same);
    check("prefilled_rest_is_zero", filled[21] == 0 && is_zero(filled + 24, 0x2000 - 24));
}

static void test_sharing(void)
{
    *(volatile uint64_t *)0x45000008 = 0x1122334455667788;
    check_equal("mapped_twice", *(volatile uint64_t *)0xfffffe0008, 0x1122334455667788);
    large[0] = 1;
    large[0x3fffff] = 2;
    check("large_pages_hold", large[0] == 1 && large[0x3fffff] == 2 && large[0x200000] == 0);

    microkit_ppcall((microkit_channel)writer_id, microkit_msginfo_new(0, 0));
    check_equal("setvar_id_other_end", microkit_mr_get(0), 1);
    check_equal("shared_memory", small[0x2fff], 0x5a);
    check_equal("shared_uncached_memory", *(volatile uint32_t *)0x43000000, 0xfeedbeef);
    check_equal("shared_prefilled", filled[0], 't');
}

/* More of it than the default, and deep. */
/* NOLINTNEXTLINE(misc-no-recursion): what the stack holds is the question */
static uint64_t use_stack(unsigned depth)
{
    volatile unsigned char frame[1024];

    frame[0] = (unsigned char)depth;
    return depth == 0 ? 0 : use_stack(depth - 1) + (frame[0] == (unsigned char)depth);
}

void init(void)
{
    test_variables();
    test_contents();
    test_sharing();
    check_equal("stack_size", use_stack(58), 58);
    done();
}

void notified(microkit_channel ch)
{
    (void)ch;
}
