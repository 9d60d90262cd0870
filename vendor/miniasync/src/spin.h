/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * spin.h -- how long a thread looks for a wake before it goes to sleep
 *
 * Going to sleep and being woken takes 10 to 60 us, so looking pays if the wake
 * comes soon. Whether it does is learnt: a budget doubles when it brought a wake
 * and is halved when it did not, between the limits that its user gives.
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

/* The next budget, in nanoseconds, after a spin that brought a wake or not. */
static inline uint32_t
ma__spin_learn(uint32_t budget, bool woken, uint32_t least, uint32_t most)
{
	const uint32_t next = woken ? budget * 2 : budget / 2;

	if (next < least)
		return least;
	return next > most ? most : next;
}

#endif /* MA_SPIN_H */
