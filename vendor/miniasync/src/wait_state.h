/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wait_state.h -- a wait in progress: what the parts of wait.c share
 *
 * wait_rounds.c polls the futures, and sorts them by what comes out;
 * wait_twins.c finds the futures that stand in the array more than once;
 * wait_pause.c is what the thread does between two rounds; wait_slices.c is for
 * waits that go on after their deadline.
 */

#ifndef MA_WAIT_STATE_H
#define MA_WAIT_STATE_H

#include "cells.h"
#include "pace.h"
#include "polling.h"

struct wait {
	struct ma__waiter *waiter;
	struct future **futs;
	size_t nfuts;
	size_t nwanted;
	size_t ndone;
	uint64_t deadline;
	struct ma__cell_list polled; /* in the order of the array */
	struct ma__cell *quiet; /* doubly linked, in no order */
	bool twins_known;
	struct ma__pace pace;
	const uint64_t
		*word; /* looked at between rounds, and what was there: */
	uint64_t seen; /* see wait_pause.c */

	struct ma__polling polling;
	bool again; /* a poll of this round was to be repeated at once */
	uint64_t helped_at; /* the first piece of this round; 0: none */
};

static inline void
ma__wait_quiet(struct wait *wait, struct ma__cell *cell)
{
	cell->where = MA__QUIET;
	ma__cells_link(&wait->quiet, cell);
}

/* Notes that the cell's future is complete, in all its places in the array. */
static inline void
ma__wait_complete(struct wait *wait, struct ma__cell *cell)
{
	struct ma__cell *twin = cell;

	do {
		/* One in the list of polled ones is passed over there. */
		if (twin->where == MA__QUIET)
			ma__cells_unlink(&wait->quiet, twin);
		twin->where = MA__NOWHERE;
		wait->ndone++;
		twin = twin->twin;
	} while (twin != NULL && twin != cell);
	ma__pace_progress(&wait->pace);
}

/* Does the cell's future stand before the other's in the array? */
static inline bool
ma__before_in_array(const struct ma__cell *a, const struct ma__cell *b,
	const void *arg)
{
	(void)arg;
	return a->index < b->index;
}

/*
 * Polls until enough are complete, as ma__wait(). If `opened` is not NULL, the
 * first round is over: it is the cell of the only future, which has been polled,
 * and `wakes` says if that will have the cell woken.
 */
int ma__wait_run(struct wait *wait, bool interruptible, struct ma__cell *opened,
	bool wakes);

/* Takes late wakes of earlier waits: their cells become usable again. */
void ma__wait_take_late(struct wait *wait);

/*
 * Finds the futures that stand in the array more than once. Only the cell of
 * the latest poll is woken, so the others have to be told by it. Done once, when
 * futures are to be woken and the thread is about to sleep, or has others to
 * poll. Both lists are rebuilt; true if a future turned out to be complete.
 */
bool ma__wait_find_twins(struct wait *wait);

/* Drops the polled cells whose twin completed after they were listed. */
void ma__wait_sweep(struct wait *wait);

/* Between two rounds that follow at once. */
void ma__wait_breathe(struct wait *wait);

/* Looks for a wake for a moment before the thread sleeps until then. */
bool ma__wait_spin(struct wait *wait, uint64_t now, uint64_t then);

/*
 * For a wait that ends in vain, and for one that begins and has the same first
 * future: see wait_slices.c.
 */
void ma__wait_leave(const struct wait *wait);
void ma__wait_resume(struct wait *wait);

#endif /* MA_WAIT_STATE_H */
