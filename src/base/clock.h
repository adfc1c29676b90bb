/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Time in microseconds.
 *
 * Wall time (CLOCK_REALTIME) is for records and people; it may jump. Intervals and timers use
 * CLOCK_BOOTTIME, which never goes back and counts suspend.
 */

typedef uint64_t usec_t;

#define USEC_INFINITY UINT64_MAX
#define USEC_PER_MSEC UINT64_C(1000)
#define USEC_PER_SEC  UINT64_C(1000000)
#define NSEC_PER_USEC UINT64_C(1000)

usec_t clock_wall(void);
usec_t clock_boot(void);

/* "2026-11-21T22:27:43.123456Z"; `text` holds at least CLOCK_TEXT_MAX bytes; returns `text`. */
#define CLOCK_TEXT_MAX 32
const char *clock_format_utc(usec_t wall, char *text);

/* The same moment in the local zone, with seconds and offset: "2026-11-21 23:27:43 +0100". */
const char *clock_format_local(usec_t wall, char *text);
