/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Two clocks of a guest at one moment: when the second of its real-time clock changes, what that
 * says, in seconds, and CLOCK_MONOTONIC, in nanoseconds.
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/rtc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>

static long read_seconds(int clock)
{
    struct rtc_time now;
    struct tm tm = {0};

    if (ioctl(clock, RTC_RD_TIME, &now) != 0) {
        perror("soaktool: RTC_RD_TIME");
        exit(2);
    }
    tm.tm_sec = now.tm_sec;
    tm.tm_min = now.tm_min;
    tm.tm_hour = now.tm_hour;
    tm.tm_mday = now.tm_mday;
    tm.tm_mon = now.tm_mon;
    tm.tm_year = now.tm_year;
    return timegm(&tm);
}

int main(void)
{
    int clock = open("/dev/rtc0", O_RDONLY);
    struct timespec now;
    long begin;
    long seconds;

    if (clock < 0) {
        perror("soaktool: /dev/rtc0");
        return 2;
    }
    begin = read_seconds(clock);
    do {
        seconds = read_seconds(clock);
    } while (seconds == begin);
    clock_gettime(CLOCK_MONOTONIC, &now);
    printf("%ld %lld\n", seconds, (long long)now.tv_sec * 1000000000 + now.tv_nsec);
    return 0;
}
