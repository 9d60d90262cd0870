/* SPDX-License-Identifier: BSD-3-Clause */
/* backoff.h -- what a thread does between two tries to get a short lock */

#ifndef MA_BACKOFF_H
#define MA_BACKOFF_H

#include <sched.h>
#include <time.h>

#include "clock.h"
#include "libminiasync/future.h"

/* After so many tries that have failed. */
static inline void
ma__back_off(unsigned tries)
{
	const struct timespec nap = {.tv_sec = 0, .tv_nsec = 50 * MA__US};

	/* Who holds it may have lost its processor, */
	if (tries < 100)
		future_cpu_pause();
	else if (tries < 1000)
		sched_yield();
	else /* and cannot get it back from us by our yielding. */
		nanosleep(&nap, NULL);
}

#endif /* MA_BACKOFF_H */
