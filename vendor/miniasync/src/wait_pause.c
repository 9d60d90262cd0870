/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wait_pause.c -- what a waiting thread does between two rounds
 *
 * Before it sleeps it spins, that is, looks for a wake. Between rounds that
 * follow at once it makes a pause, at first none to speak of; later it yields,
 * and where the processor can (doze.h), dozes.
 *
 * A doze is ended by a wake, whose cell is then on the waiter's stack: the head
 * of the stack is watched. If the one future that is left is to be polled and
 * announced a word at its latest poll (POLLER), that word is watched instead,
 * and the doze may be longer, since its completion ends it. Wakes that are due
 * all the same, of a future that had announced a waker before, are seen by the
 * end of the doze.
 *
 * No change of the word is lost. There is a doze only if the word is as it was
 * seen between the two latest rounds (`seen`), which is before the latest poll.
 * A change comes before that look, then the latest poll saw what it was about;
 * or after it, then the word is different: before the watching began, that is
 * noticed by the look after that; later, it ends the stop. (Where a task that
 * goes from one thing to the next uses its word again, and the second change
 * comes within the round that saw the first, the word looks the same. Then the
 * end of the doze has to do.)
 *
 * The word is read only while the future that announced it is not complete, by
 * the thread that would poll it: so long it is valid. What was announced by an
 * earlier poll than the latest is forgotten.
 *
 * It does not doze where it keeps from running who is to complete the future:
 * with one processor, or beside as many workers.
 */

#include <sched.h>

#include "doze.h"
#include "spin.h"
#include "wait_state.h"

/* A thread that spins before it sleeps does so at least as long, to learn. */
#define SPIN_LEAST 500

static bool
is_woken(const struct wait *wait)
{
	return atomic_load_explicit(&wait->waiter->ready,
		       memory_order_relaxed) != NULL;
}

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
		woken = is_woken(wait);
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
 * The word to watch; NULL if it is to be the stack of woken cells. If one future
 * is left, the latest poll was its: a round that completed another starts the
 * count of rounds anew, and there is no doze.
 */
static const uint64_t *
word_of(const struct wait *wait)
{
	return wait->polled.first->next == NULL && wait->quiet == NULL
		? wait->polling.word
		: NULL;
}

static void
doze(struct wait *wait)
{
	const uint64_t *const word = word_of(wait);
	/* Relaxed: what the change is about, the next poll looks at. */
	const uint64_t value =
		word != NULL ? __atomic_load_n(word, __ATOMIC_RELAXED) : 0;
	const bool fresh = word != wait->word || value != wait->seen;
	uint64_t now;
	uint64_t until;

	wait->word = word;
	wait->seen = value;
	if (word != NULL && fresh)
		return;
	now = ma__now();
	until = word != NULL ? ma__after(now, MA__NAP_MIN)
			     : ma__pace_doze(&wait->pace, now);
	until = ma__earlier(until, wait->deadline);
	while (now < until) {
		ma__doze_watch(word != NULL ? (const volatile void *)word
					    : &wait->waiter->ready);
		if (is_woken(wait) ||
			(word != NULL &&
				__atomic_load_n(word, __ATOMIC_RELAXED) !=
					value))
			return;
		now = ma__doze(now, until);
	}
}

/*
 * If the first rounds have brought nothing, who is to complete the future may be
 * waiting for this processor.
 */
void
ma__wait_breathe(struct wait *wait)
{
	if (ma__waiters_cpus() == 1) {
		sched_yield();
	} else if (wait->pace.rounds > MA__BUSY_ROUNDS) {
		sched_yield();
		if (ma__doze_can() && ma__spin_allowed())
			doze(wait);
	} else if (wait->polled.first->next == NULL) {
		/* Polling several takes its time as it is. */
		future_cpu_pause();
	}
}
