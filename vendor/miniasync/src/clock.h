/* SPDX-License-Identifier: BSD-3-Clause */
/* clock.h -- monotonic time in nanoseconds */

#ifndef MA_CLOCK_H
#define MA_CLOCK_H

#include <stdint.h>
#include <time.h>

#define MA__US 1000ULL
#define MA__MS 1000000ULL
#define MA__NEVER UINT64_MAX

static inline uint64_t
ma__now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

/* The time `ns` from now, without wrapping round. */
static inline uint64_t
ma__after(uint64_t now, uint64_t ns)
{
	return now > MA__NEVER - ns ? MA__NEVER : now + ns;
}

static inline uint64_t
ma__earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

#endif /* MA_CLOCK_H */
