/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wait_rounds.c -- polling futures, round after round, until enough are complete
 *
 * Each incomplete future of a wait has a cell. After a poll it goes into one of
 * two lists: *quiet* if the future announced a waker, which is then left alone
 * until its cell is woken, or *polled*, to be polled again in the next round. A
 * round polls the polled ones and those woken, in the order of the array, those
 * that currently answer FUTURE_PROPERTY_ASYNC first. While the thread naps
 * between rounds, a wake brings a round of the woken ones only. So a completion
 * costs the same however many futures are waited for.
 *
 * notifier_used: a task says in it what it will use, but an operation's later
 * polls may say nothing (op_check is given no notifier), and silence reads like
 * NONE. A future that was quiet, was woken and then keeps silent is therefore
 * polled, which is right for both. One that was polled only because it is time
 * to check on forgotten wakers stays quiet: it has not moved. Our own movers,
 * where they are not given the notifier, find the cell in ma__polling and say so
 * there.
 *
 * How wakes reach the cells, and why none is lost: see waiters.c. When the
 * thread polls and when it sleeps: see pace.h.
 *
 * A wait works: movers of ours execute a piece of what is polled, in the poll, and
 * have it polled again at once (`again`; see workers.c). Between two pieces the
 * wait looks at its deadline, at the number of complete futures and, if it does
 * not want all of them, at wakes. Then it has had enough: what is left of the
 * round is polled without helping. Signals it sees when it sleeps, as ever.
 */

#include <errno.h>

#include "wait_state.h"

/* So long the futures that were woken may be left waiting while it helps. */
#define HELP_TIME (100 * MA__US)

/* After a poll that may have executed a piece: is it time for other things? */
static bool
enough(struct wait *wait)
{
	const bool may_end = wait->nwanted < wait->nfuts;
	uint64_t now;

	if (wait->ndone >= wait->nwanted)
		return true;
	if (wait->deadline == MA__NEVER && !may_end)
		return false;
	now = ma__now();
	if (now >= wait->deadline)
		return true;
	if (wait->helped_at == 0)
		wait->helped_at = now;
	/* Not at each wake: there may be thousands, each ending a round. */
	return may_end && now - wait->helped_at >= HELP_TIME &&
		atomic_load_explicit(&wait->waiter->ready,
			memory_order_relaxed) != NULL;
}

/* Puts a polled cell into the list that is right after what came out. */
static void
sort_polled(struct wait *wait, struct ma__cell *cell, bool wakes,
	struct ma__cell_list *again)
{
	const struct future *fut = wait->futs[cell->index];
	const bool helpful = wait->polling.again;

	if (fut->context.state == FUTURE_STATE_COMPLETE)
		ma__wait_complete(wait, cell);
	else if (!helpful && (wakes || cell->checked))
		ma__wait_quiet(wait, cell);
	else
		ma__cell_list_append(again, cell);
	cell->checked = false;
	if (helpful) {
		wait->again = true;
		if (!wait->polling.enough)
			wait->polling.enough = enough(wait);
	}
}

/* Polls a list of cells and sorts them into the lists. */
static void
poll_list(struct wait *wait, struct ma__cell *cell, struct ma__cell_list *again)
{
	while (cell != NULL) {
		struct ma__cell *next = cell->next;

		if (cell->where == MA__POLLED)
			sort_polled(wait, cell,
				ma__poll_with(&wait->polling,
					wait->futs[cell->index], cell),
				again);
		cell = next;
	}
}

static struct ma__cell *
take_some_woken(struct wait *wait, struct ma__cell *others)
{
	struct ma__cell *cell;

	/* Acquire: pairs with the release of ma__cell_wake(). */
	cell = atomic_exchange_explicit(&wait->waiter->ready, NULL,
		memory_order_acquire);

	while (cell != NULL) {
		struct ma__cell *next = cell->ready_next;

		/* A read-modify-write, for the order: see waiters.c. */
		atomic_exchange_explicit(&cell->flags, MA__CELL_ARMED,
			memory_order_acq_rel);
		if (cell->where == MA__QUIET) {
			ma__cells_unlink(&wait->quiet, cell);
			cell->where = MA__POLLED;
			cell->checked = false;
			cell->next = others;
			others = cell;
		}
		cell = next;
	}
	return others;
}

/* Takes the woken cells, puts those of this wait in front of `others`. */
static inline struct ma__cell *
take_woken(struct wait *wait, struct ma__cell *others)
{
	return atomic_load_explicit(&wait->waiter->ready,
		       memory_order_relaxed) == NULL
		? others
		: take_some_woken(wait, others);
}

void
ma__wait_take_late(struct wait *wait)
{
	take_woken(wait, NULL);
}

enum which {
	WOKEN, /* those that were woken */
	POLLED, /* and those that announced no waker */
	ALL, /* and the rest */
};

/* Takes all quiet cells, to check on them, and puts them in front of `others`. */
static struct ma__cell *
take_quiet(struct wait *wait, struct ma__cell *others)
{
	while (wait->quiet != NULL) {
		struct ma__cell *cell = wait->quiet;

		ma__cells_unlink(&wait->quiet, cell);
		cell->where = MA__POLLED;
		cell->checked = true;
		cell->next = others;
		others = cell;
	}
	return others;
}

/* A round of a wait for one future: nothing to sort. */
static void
poll_lone(struct wait *wait, enum which which)
{
	struct ma__cell *cell = take_woken(wait, NULL);

	if (which == ALL)
		cell = take_quiet(wait, cell);
	if (cell == NULL && which != WOKEN) {
		cell = wait->polled.first;
		ma__cell_list_init(&wait->polled);
	}
	poll_list(wait, cell, &wait->polled);
}

static void
poll_many(struct wait *wait, enum which which)
{
	struct ma__cell *woken = NULL;
	struct ma__cell *left = NULL;
	struct ma__cell *cell;
	struct ma__cell_list async;
	struct ma__cell_list other;

	woken = take_woken(wait, woken);
	if (which == ALL)
		woken = take_quiet(wait, woken);
	cell = ma__cells_sort(woken, ma__before_in_array, wait);
	if (which == WOKEN)
		left = wait->polled.first;
	else
		cell = ma__cells_merge(wait->polled.first, cell,
			ma__before_in_array, wait);

	ma__cell_list_init(&async);
	ma__cell_list_init(&other);
	while (cell != NULL) {
		struct ma__cell *next = cell->next;

		cell->async = false;
		if (cell->where == MA__POLLED) {
			struct future *fut = wait->futs[cell->index];

			ma__polling_meets(&wait->polling, fut);
			cell->async = ma__is_async(fut);
		}
		ma__cell_list_append(cell->async ? &async : &other, cell);
		cell = next;
	}

	struct ma__cell *const first = async.first;
	struct ma__cell *const then = other.first;

	ma__cell_list_init(&async);
	ma__cell_list_init(&other);
	poll_list(wait, first, &async);
	poll_list(wait, then, &other);
	cell = ma__cells_merge(async.first, other.first, ma__before_in_array,
		wait);
	wait->polled.first =
		ma__cells_merge(left, cell, ma__before_in_array, wait);
}

static void
poll_round(struct wait *wait, enum which which)
{
	wait->again = false;
	wait->helped_at = 0;
	wait->polling.soon = false;
	if (wait->nfuts == 1)
		poll_lone(wait, which);
	else
		poll_many(wait, which);
}

int
ma__wait_run(struct wait *wait, bool interruptible, struct ma__cell *opened,
	bool wakes)
{
	const uint64_t deadline = wait->deadline;
	const size_t nwanted = wait->nwanted;
	enum which which = POLLED;
	uint64_t nap = 0; /* until when the polled ones are left alone */
	int end = 0;

	for (;;) {
		const size_t ndone = wait->ndone;
		uint64_t now;
		uint64_t until;

		if (opened != NULL)
			sort_polled(wait, opened, wakes, &wait->polled);
		else
			poll_round(wait, which);
		opened = NULL;
		if (wait->twins_known)
			ma__wait_sweep(wait);
		if (wait->ndone >= nwanted)
			return 0;
		if (end != 0)
			break;
		if (wait->ndone != ndone)
			nap = 0;

		which = POLLED;
		if (wait->polled.first != NULL && ma__wait_find_twins(wait))
			continue;
		if (deadline != MA__NEVER && ma__now() >= deadline) {
			end = ETIMEDOUT;
			if (wait->quiet == NULL || deadline == 0)
				break;
			/* A last look at those that nobody woke. */
			which = ALL;
			wait->polling.enough = true;
			continue;
		}
		if (wait->again) {
			wait->polling.enough = false;
			ma__pace_progress(&wait->pace);
			if (ma__pace_check(&wait->pace, ma__now()))
				which = ALL;
			nap = 0;
			continue;
		}
		ma__polling_settle(&wait->polling);
		if (wait->polled.first != NULL && nap == 0 &&
			ma__pace_busy(&wait->pace)) {
			ma__wait_breathe(wait);
			continue;
		}

		if (ma__wait_find_twins(wait))
			continue;
		now = ma__now();
		if (ma__pace_check(&wait->pace, now)) {
			which = ALL;
			nap = 0;
			continue;
		}
		/* Here, and not after sleeping: wakes may keep it from that. */
		if (nap != 0 && now >= nap) {
			nap = 0;
			continue;
		}
		until = ma__earlier(wait->pace.check_at, deadline);
		if (wait->polled.first != NULL) {
			if (nap == 0)
				nap = ma__pace_nap(&wait->pace, now);
			until = ma__earlier(until, nap);
			/* A wake before that concerns only the woken. */
			which = WOKEN;
		}
		if (ma__wait_spin(wait, now, until))
			continue;
		if (ma__park_wait(&wait->waiter->park, until) == EINTR &&
			interruptible)
			end = EINTR;
	}
	/* One may have been completed by its twin, or by somebody else. */
	return ma__count_complete(wait->futs, wait->nfuts) >= nwanted ? 0 : end;
}
