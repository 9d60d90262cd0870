/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ticking.h -- a clock of the test's own
 *
 * Some time passes with each look at it. It is behind the system's, so that no sleep
 * lasts. The program wraps clock_gettime.
 */

#ifndef TICKING_H
#define TICKING_H

#include "t.h"

#define LOOK 10000 /* nanoseconds */

static uint64_t now_ns = T_SECOND;

int __wrap_clock_gettime(clockid_t id, struct timespec *ts);
int
__wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	CHECK_INT(id, CLOCK_MONOTONIC);
	now_ns += LOOK;
	ts->tv_sec = (time_t)(now_ns / T_SECOND);
	ts->tv_nsec = (long)(now_ns % T_SECOND);
	return 0;
}

#endif /* TICKING_H */
