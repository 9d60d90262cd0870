/* SPDX-License-Identifier: BSD-3-Clause */
/* wait_twins.c -- futures that stand in the array of a wait more than once */

#include "wait_state.h"

static bool
before_in_memory(const struct ma__cell *a, const struct ma__cell *b,
	const void *arg)
{
	const struct wait *wait = arg;

	return (uintptr_t)wait->futs[a->index] <
		(uintptr_t)wait->futs[b->index];
}

bool
ma__wait_find_twins(struct wait *wait)
{
	struct ma__cell *cells = wait->polled.first;
	struct ma__cell *cell = wait->quiet;
	struct ma__cell *polled = NULL;
	const size_t ndone = wait->ndone;

	if (wait->twins_known || wait->nfuts == 1 || wait->quiet == NULL)
		return false;
	wait->twins_known = true;
	while (cell != NULL) {
		struct ma__cell *next = cell->next;

		cell->next = cells;
		cells = cell;
		cell = next;
	}
	cells = ma__cells_sort(cells, before_in_memory, wait);
	wait->quiet = NULL;
	wait->polled.first = NULL;
	while (cells != NULL) {
		struct future *fut = wait->futs[cells->index];
		struct ma__cell *const first = cells;
		struct ma__cell *last = cells;

		while (cells != NULL && wait->futs[cells->index] == fut) {
			struct ma__cell *next = cells->next;

			last->twin = cells;
			last = cells;
			if (cells->where == MA__QUIET) {
				ma__wait_quiet(wait, cells);
			} else {
				cells->next = polled;
				polled = cells;
			}
			cells = next;
		}
		last->twin = first;
		if (fut->context.state == FUTURE_STATE_COMPLETE)
			ma__wait_complete(wait, first);
	}
	wait->polled.first = ma__cells_sort(polled, ma__before_in_array, wait);
	return wait->ndone != ndone;
}

void
ma__wait_sweep(struct wait *wait)
{
	struct ma__cell **link = &wait->polled.first;

	while (*link != NULL) {
		if ((*link)->where == MA__POLLED)
			link = &(*link)->next;
		else
			*link = (*link)->next;
	}
}
