/* SPDX-License-Identifier: BSD-3-Clause */
/* wait_pause.c -- what a waiting thread does between two rounds */

#include <sched.h>

#include "spin.h"
#include "wait_state.h"

/* A thread that spins before it sleeps does so at least as long, to learn. */
#define SPIN_LEAST 500

bool
ma__wait_spin(struct wait *wait, uint64_t now, uint64_t then)
{
	const bool soon = wait->polling.soon;
	uint32_t *budget =
		soon ? &wait->waiter->spin_soon : &wait->waiter->spin;
	const uint64_t until = ma__earlier(ma__after(now, *budget), then);
	bool woken;

	if (!ma__spin_allowed())
		return false;
	for (;;) {
		woken = atomic_load_explicit(&wait->waiter->ready,
				memory_order_relaxed) != NULL;
		if (woken || ma__now() >= until)
			break;
		future_cpu_pause();
	}
	if (!woken && until == then)
		return false; /* too short to learn from */
	*budget = ma__spin_learn(*budget, woken, SPIN_LEAST,
		soon ? MA__SPIN_SOON_MOST : MA__SPIN_MOST);
	return woken;
}

/*
 * If the first rounds have brought nothing, who is to complete the future may be
 * waiting for this processor.
 */
void
ma__wait_breathe(const struct wait *wait)
{
	if (wait->pace.rounds > MA__BUSY_ROUNDS || ma__waiters_cpus() == 1)
		sched_yield();
	else if (wait->polled.first->next == NULL)
		future_cpu_pause();
	/* Polling several takes its time as it is. */
}
