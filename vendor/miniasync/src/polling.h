/* SPDX-License-Identifier: BSD-3-Clause */
/* polling.h -- one poll of a future, within a wait */

#ifndef MA_POLLING_H
#define MA_POLLING_H

#include "wait.h"

/*
 * Polls a future with the cell's waker, or with none. The future's state is the
 * result; true if it will have the cell woken. `alone`: how large an operation
 * the thread executes itself if that is what it waits for.
 */
static inline bool
ma__poll_with(struct future *fut, struct ma__cell *cell, size_t alone)
{
	struct ma__polling *outer = ma__polling;
	struct ma__polling polling = {
		.fut = fut,
		.cell = cell,
		.alone = alone,
	};
	struct future_notifier notifier = {
		.waker = {.data = cell, .wake = ma__cell_wake},
		.poller = {.ptr_to_monitor = NULL},
		.notifier_used = FUTURE_NOTIFIER_NONE,
		.padding = 0,
	};

	ma__polling = cell != NULL ? &polling : NULL;
	future_poll(fut, cell != NULL ? &notifier : NULL);
	ma__polling = outer;
	return notifier.notifier_used == FUTURE_NOTIFIER_WAKER ||
		polling.registered;
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
