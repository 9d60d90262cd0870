/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * passing.h -- a clock of the test's own, for several threads
 *
 * A microsecond passes with each look at it, and more when the test says so; not if
 * the system takes the processor away. The program wraps clock_gettime.
 */

#ifndef PASSING_H
#define PASSING_H

#include "t.h"

static atomic_uint_least64_t passing_ns = T_SECOND;

static inline void
let_pass(uint64_t ns)
{
	atomic_fetch_add(&passing_ns, ns);
}

int __wrap_clock_gettime(clockid_t id, struct timespec *ts);
int
__wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	const uint64_t ns = atomic_fetch_add(&passing_ns, 1000);

	CHECK_INT(id, CLOCK_MONOTONIC);
	ts->tv_sec = (time_t)(ns / T_SECOND);
	ts->tv_nsec = (long)(ns % T_SECOND);
	return 0;
}

#endif /* PASSING_H */
