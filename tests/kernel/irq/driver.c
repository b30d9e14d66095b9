/* SPDX-License-Identifier: BSD-2-Clause */

#include "tests/kernel/common/check.h"

#define TIMER 0
#define RTC   61

#define RTC_ADDRESS 0x32000000ul /* PL031 (Arm DDI 0224) */
#define RTCDR       0x00
#define RTCMR       0x04
#define RTCIMSC     0x10
#define RTCICR      0x1c

static unsigned timer_count;
static unsigned rtc_count;
static uint64_t armed_at;

static volatile uint32_t *rtc(unsigned offset)
{
    return (volatile uint32_t *)(RTC_ADDRESS + offset);
}

static void timer_set(uint64_t ticks)
{
    __asm__ volatile("msr cntp_cval_el0, %0" : : "r"(now() + ticks));
    __asm__ volatile("msr cntp_ctl_el0, %0" : : "r"(1ul));
    __asm__ volatile("isb");
}

static void timer_stop(void)
{
    __asm__ volatile("msr cntp_ctl_el0, %0\n isb" : : "r"(0ul));
}

void init(void)
{
    /* Due before init ends: it comes afterwards. */
    armed_at = now();
    timer_set(0);
    spin_for(100);
    check_equal("irq_waits_for_init", timer_count, 0);
    microkit_irq_ack(TIMER);
    microkit_irq_ack(TIMER); /* more often than needed: no harm */
    microkit_irq_ack(RTC);
}

static void timer_interrupt(void)
{
    switch (++timer_count) {
    case 1:
        check("irq_arrives", now() - armed_at > 0);
        armed_at = now();
        timer_set(6250); /* 100 us */
        microkit_irq_ack(TIMER);
        break;
    case 2:
        check_range("irq_in_time", microseconds(now() - armed_at), 100, 130);
        armed_at = now();
        timer_set(6250);
        microkit_deferred_irq_ack(TIMER);
        break;
    case 3:
        check_range("irq_after_deferred_ack", microseconds(now() - armed_at), 100, 130);
        /* Still asserted when acknowledged: it comes again. */
        microkit_irq_ack(TIMER);
        break;
    case 4:
        check("irq_level_comes_again", true);
        timer_stop();
        /* Not acknowledged: it does not come, however long it is asserted. */
        timer_set(0);
        *rtc(RTCMR) = *rtc(RTCDR) + 1;
        *rtc(RTCIMSC) = 1;
        break;
    case 5:
        check_equal("irq_needs_ack", rtc_count, 1);
        timer_stop();
        microkit_irq_ack(TIMER);
        *rtc(RTCMR) = *rtc(RTCDR) + 1;
        microkit_irq_ack(RTC);
        break;
    default:
        check("irq_no_more_than_due", false);
    }
}

static void rtc_interrupt(void)
{
    *rtc(RTCICR) = 1;
    switch (++rtc_count) {
    case 1:
        check_equal("irq_spi_arrives", timer_count, 4);
        microkit_irq_ack(TIMER);
        break;
    case 2:
        check("irq_spi_comes_again", true);
        done();
        break;
    }
}

void notified(microkit_channel ch)
{
    if (ch == TIMER) {
        timer_interrupt();
    } else {
        rtc_interrupt();
    }
}
