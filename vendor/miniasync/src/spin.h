/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * spin.h -- how long a thread looks for a wake before it goes to sleep
 *
 * Going to sleep and being woken takes 10 to 60 us, so looking pays if the wake
 * comes soon. Whether it does is learnt: a budget doubles when looking brought a
 * wake, or would have with the largest budget, and is halved when not, between
 * the limits that its user gives.
 *
 * A worker learns from what it has slept through, too. Otherwise its budget, once
 * small, would stay small while operations follow each other at 30 us, because
 * they do so only as long as it sleeps: most of these 30 us is its waking up, and
 * that of who waits. But who waits may have shared its processor. Then looking
 * would have found nothing, and kept it from going on.
 *
 * Who looks keeps somebody else from running if there is one processor, or if as
 * many workers run as there are processors: then nobody looks.
 */

#ifndef MA_SPIN_H
#define MA_SPIN_H

#include "waiters.h"

/*
 * May a thread spin? Beside the workers that run there has to be a processor: for
 * the waiting thread that asks, or for the one that a worker hopes for.
 */
static inline bool
ma__spin_allowed(void)
{
	return atomic_load_explicit(&ma__workers_running,
		       memory_order_relaxed) < ma__waiters_cpus();
}

/* The next budget, in nanoseconds, if looking pays or does not. */
static inline uint32_t
ma__spin_learn(uint32_t budget, bool pays, uint32_t least, uint32_t most)
{
	const uint32_t next = pays ? budget * 2 : budget / 2;

	if (next < least)
		return least;
	return next > most ? most : next;
}

#endif /* MA_SPIN_H */
