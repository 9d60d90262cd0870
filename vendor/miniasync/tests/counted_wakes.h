/* SPDX-License-Identifier: BSD-3-Clause */
/* counted_wakes.h -- wakes of workers; the program wraps pthread_cond_signal */

#ifndef COUNTED_WAKES_H
#define COUNTED_WAKES_H

#include "passing.h"

#include "waiters.h"

/* One wake can be held back: then the worker has not got a processor yet. */
static atomic_int wakes;
static atomic_int hold_next;
static pthread_cond_t *held;

int __real_pthread_cond_signal(pthread_cond_t *cond);
int __wrap_pthread_cond_signal(pthread_cond_t *cond);
int
__wrap_pthread_cond_signal(pthread_cond_t *cond)
{
	atomic_fetch_add(&wakes, 1);
	if (atomic_exchange(&hold_next, 0)) {
		held = cond;
		return 0;
	}
	return __real_pthread_cond_signal(cond);
}

/* All but so many workers sleep. */
static inline void
settle(unsigned awake)
{
	while (atomic_load(&ma__workers_running) != awake) {
		/* Or those that look would do so for ever. */
		let_pass(100000);
		sched_yield();
	}
}

#endif /* COUNTED_WAKES_H */
