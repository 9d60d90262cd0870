/* SPDX-License-Identifier: BSD-3-Clause */
/* polling.h -- one poll of a future, within a wait */

#ifndef MA_POLLING_H
#define MA_POLLING_H

#include "wait.h"

/* Before anything of a future is called: it may not be of who is owed. */
static inline void
ma__polling_meets(struct ma__polling *polling, const struct future *fut)
{
	if (polling->settle != NULL && fut->has_property != polling->property)
		ma__polling_settle(polling);
}

/*
 * Polls a future with the cell's waker, in the wait that ma__polling describes.
 * The future's state is the result; true if it will have the cell woken. Sets
 * again, and soon if it is so.
 */
static inline bool
ma__poll_with(struct ma__polling *polling, struct future *fut,
	struct ma__cell *cell)
{
	struct future_notifier notifier = {
		.waker = {.data = cell, .wake = ma__cell_wake},
		.poller = {.ptr_to_monitor = NULL},
		.notifier_used = FUTURE_NOTIFIER_NONE,
		.padding = 0,
	};

	ma__polling_meets(polling, fut);
	polling->fut = fut;
	polling->cell = cell;
	polling->registered = false;
	polling->again = false;
	polling->helped = 0;
	future_poll(fut, &notifier);
	polling->word = notifier.notifier_used == FUTURE_NOTIFIER_POLLER
		? notifier.poller.ptr_to_monitor
		: NULL;
	return notifier.notifier_used == FUTURE_NOTIFIER_WAKER ||
		polling->registered;
}

static inline bool
ma__is_async(struct future *fut)
{
	/* A chain whose entries are all processed answers -1. */
	return future_has_property(fut, FUTURE_PROPERTY_ASYNC) > 0;
}

static inline size_t
ma__count_complete(struct future *futs[], size_t nfuts)
{
	size_t ndone = 0;

	for (size_t i = 0; i < nfuts; i++)
		ndone += futs[i]->context.state == FUTURE_STATE_COMPLETE;
	return ndone;
}

/* ma__wait(), where there is no memory for cells. */
int ma__wait_without_cells(struct future *futs[], size_t nfuts, size_t nwanted,
	uint64_t deadline, bool interruptible);

#endif /* MA_POLLING_H */
