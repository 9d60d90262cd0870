/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * frozen.h -- a clock that stands still unless the test moves it
 *
 * For programs linked with ma_wrap(name clock_gettime).
 */

#ifndef FROZEN_H
#define FROZEN_H

#include "t.h"

static uint64_t frozen_ns = 1000 * T_SECOND;

int __wrap_clock_gettime(clockid_t id, struct timespec *ts);
int
__wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	CHECK_INT(id, CLOCK_MONOTONIC);
	ts->tv_sec = (time_t)(frozen_ns / T_SECOND);
	ts->tv_nsec = (long)(frozen_ns % T_SECOND);
	return 0;
}

#endif /* FROZEN_H */
