/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wait.c -- a wait from its beginning to its end
 *
 * Most futures that are waited for alone are complete after their first poll: then
 * nothing is to be listed, sorted or slept for. So that poll, the *opening*, comes
 * first, and all else is made when it turns out to be needed.
 *
 * The opening hands out a cell like any other poll, the waiter's first one, unless
 * that is on its way from an earlier wait. It may be woken from then on. So a wait
 * that goes on keeps the cell, and takes nothing off the stack of woken ones before
 * the cell is in one of its lists.
 *
 * All others, and what comes after an opening: see wait_rounds.c.
 */

#include "compiler.h"
#include "wait_state.h"

/* MA__ALONE_MAX in a hurry: what takes about 100 us. */
#define ALONE_HURRY ((size_t)1 << 20)

/* Or is it on its way to the stack for an earlier wait? Then not now. */
static inline bool
is_free(const struct ma__cell *cell)
{
	return atomic_load_explicit(&cell->flags, memory_order_relaxed) !=
		MA__CELL_READY;
}

static void
set_up(struct ma__cell *cell, size_t index)
{
	cell->index = index;
	cell->where = MA__POLLED;
	cell->checked = false;
	cell->twin = NULL;
}

/* Gives every incomplete future a cell; false if memory runs out. */
static bool
assign_cells(struct wait *wait)
{
	struct ma__cell_block *block = &wait->waiter->blocks;
	size_t at = 0;

	for (size_t i = 0; i < wait->nfuts; i++) {
		struct ma__cell *cell = NULL;

		if (wait->futs[i]->context.state == FUTURE_STATE_COMPLETE) {
			wait->ndone++;
			continue;
		}
		while (cell == NULL) {
			if (at == block->count) {
				struct ma__cell_block *next = block->next;

				if (next == NULL)
					next = ma__waiter_grow(wait->waiter,
						block);
				if (next == NULL)
					return false;
				block = next;
				at = 0;
			}
			cell = &block->cells[at++];
			if (!is_free(cell))
				cell = NULL;
		}
		set_up(cell, i);
		ma__cell_list_append(&wait->polled, cell);
	}
	return true;
}

/* Takes every cell out of the wait; one that is READY turns up on the stack. */
static void
retire_all(struct wait *wait)
{
	struct ma__cell *cell;

	for (cell = wait->polled.first; cell != NULL; cell = cell->next)
		cell->where = MA__NOWHERE;
	for (cell = wait->quiet; cell != NULL; cell = cell->next)
		cell->where = MA__NOWHERE;
}

/* How large an operation a thread executes in one piece that waits for it alone. */
static size_t
alone(uint64_t deadline)
{
	/* Is it far away, as seen from copying so much? */
	if (deadline == MA__NEVER ||
		deadline >= ma__after(ma__now(), 10 * MA__MS))
		return MA__ALONE_MAX;
	return ALONE_HURRY;
}

/* Not by an initialiser: the compiler would clear it all, which takes longer. */
static inline void
init_polling(struct ma__polling *polling, bool lone, bool all,
	uint64_t deadline, bool interruptible)
{
	polling->alone = lone ? alone(deadline) : 0;
	polling->helps = true;
	/* Meanwhile it would not see that it has what it wants, or a signal. */
	polling->functions = deadline == MA__NEVER && all && !interruptible;
	/* The first round starts them all, which may be all that is wanted. */
	polling->enough = !lone;
	polling->soon = false;
	polling->settle = NULL;
}

/* Likewise. */
static void
init(struct wait *wait, struct future *futs[], size_t nfuts, size_t nwanted,
	uint64_t deadline)
{
	wait->futs = futs;
	wait->nfuts = nfuts;
	wait->nwanted = nwanted;
	wait->ndone = 0;
	wait->deadline = deadline;
	ma__cell_list_init(&wait->polled);
	wait->quiet = NULL;
	wait->twins_known = false;
	wait->word = NULL;
	wait->seen = 0;
	wait->again = false;
	wait->helped_at = 0;
	ma__pace_init(&wait->pace);
}

struct opening {
	struct ma__polling polling;
	struct ma__cell *cell; /* NULL: there was none */
	bool wakes; /* the future will have the cell woken */
};

/* The wait, but for what ma__wait() has done; ma__polling is not restored. */
static MA__APART int
go_on(struct ma__waiter *waiter, struct future *futs[], size_t nfuts,
	size_t nwanted, uint64_t deadline, bool interruptible,
	const struct opening *opening)
{
	struct wait wait;
	int rc;

	init(&wait, futs, nfuts, nwanted, deadline);
	wait.waiter = waiter;
	if (opening->cell != NULL) {
		wait.polling = opening->polling;
		set_up(opening->cell, 0);
	} else {
		init_polling(&wait.polling, nfuts == 1 && nwanted == 1,
			nwanted == nfuts, deadline, interruptible);
		if (waiter->left.first == futs[0])
			ma__wait_resume(&wait);
		ma__wait_take_late(&wait);
		if (!assign_cells(&wait)) {
			retire_all(&wait);
			return ma__wait_without_cells(futs, nfuts, nwanted,
				deadline, interruptible);
		}
	}
	waiter->left.first = NULL;
	ma__polling = &wait.polling;
	rc = ma__wait_run(&wait, interruptible, opening->cell,
		opening->cell != NULL && opening->wakes);
	ma__polling_settle(&wait.polling);
	retire_all(&wait);
	if (rc != 0 && deadline != 0)
		ma__wait_leave(&wait);
	return rc;
}

/* The opening, if the waiter is ready for one. Is the future complete? */
static inline bool
open_with(struct opening *opening, struct ma__waiter *waiter,
	struct future *fut, uint64_t deadline, bool interruptible)
{
	if (fut->context.state != FUTURE_STATE_IDLE || !is_free(waiter->own))
		return false;
	opening->cell = waiter->own;
	init_polling(&opening->polling, true, true, deadline, interruptible);
	ma__polling = &opening->polling;
	opening->wakes = ma__poll_with(&opening->polling, fut, opening->cell);
	if (fut->context.state != FUTURE_STATE_COMPLETE)
		return false;
	if (opening->polling.settle != NULL)
		ma__polling_settle(&opening->polling);
	return true;
}

int
ma__wait(struct ma__waiters *waiters, struct future *futs[], size_t nfuts,
	size_t nwanted, uint64_t deadline, bool interruptible)
{
	struct ma__polling *const outer = ma__polling;
	struct ma__waiter *waiter;
	struct opening opening;
	int rc;

	if (nfuts == 0 ||
		(nfuts == 1 && futs[0]->context.state == FUTURE_STATE_COMPLETE))
		return 0;

	if (outer != NULL)
		ma__polling_settle(outer);
	ma__polling = NULL;
	opening.cell = NULL;
	waiter = ma__waiters_take(waiters);
	if (waiter == NULL)
		rc = ma__wait_without_cells(futs, nfuts, nwanted, deadline,
			interruptible);
	else if (nfuts == 1 && nwanted == 1 &&
		open_with(&opening, waiter, futs[0], deadline, interruptible))
		rc = 0;
	else
		rc = go_on(waiter, futs, nfuts, nwanted, deadline,
			interruptible, &opening);
	ma__polling = outer;
	if (waiter != NULL)
		ma__waiters_return(waiter);
	return rc;
}
