/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * waiters.c -- the memory that wakes go to
 *
 * Wake-up and lifetime
 * --------------------
 * A waker that a waiting thread hands out has to be callable at any time, even
 * after its future was complete, up to the end of the runtime: tasks that wake
 * late exist, and the thread may long be waiting for something else. So a waker
 * does not point to anything of the wait, but to a cell: type-stable memory of
 * a waiter, which belongs to the runtime and is used for one wait after the
 * other. A wake of the past is then, at worst, an extra poll of the future that
 * the cell stands for now.
 *
 * A cell's flags say where it is:
 *
 *   ARMED          a wake is to be acted upon
 *   READY          somebody did wake it, and is putting it on the waiter's
 *                  stack of ready cells, or it lies there
 *   SPARE          not in use, in a monitor
 *   SPARE | READY  the same, and woken: on no stack
 *
 * The cells of waits are never SPARE, which saves each wait two read-modify-
 * writes: one that is in no wait is ARMED, and a wake puts it on the stack.
 *
 * Only who turns ARMED into READY pushes the cell, so it is on the stack at
 * most once; only the waiting thread pops (all at once, so there is no ABA
 * problem) and clears READY. A cell found READY when a wait begins or ends is
 * left alone until it turns up on the stack. (In a forked child, where the thread
 * that was to push it does not exist, it is never used again.)
 *
 * No wake is lost. The waker makes its changes, then sets READY by a
 * read-modify-write. The waiter clears READY by a read-modify-write, then
 * polls. They are ordered by the flag word: if the waker's comes first, its
 * release is acquired by the waiter's, whose poll sees the changes; if it comes
 * second, it finds ARMED, pushes and puts the token into the park (park.h), and
 * the waiter goes round again. A plain store in either place would not do: the
 * poll's loads could overtake it.
 *
 * Who may free what when: a waiter is counted. One reference is its runtime's,
 * dropped by ma__waiters_fini(). Our movers take one while they hold a cell
 * (which lets them wake after publishing completion) and drop it after the
 * wake, so that a runtime may be deleted while an operation that was once
 * waited for on it is still running. Other wakers hold none: for them the rule
 * of the public header is that they end before the runtime does.
 *
 * A monitor (monitor.c) has a waiter of its own, with a bell in place of the
 * park: what is said here of the waiting thread goes for who uses the monitor.
 *
 * A runtime's waiters are in a list that only grows, by one when all of them are
 * busy. So there are at most as many as threads have ever waited at a time, and
 * taking one needs no lock that a fork() could leave locked.
 */

#include "waiters.h"

#include <errno.h>
#include <stdlib.h>

#include "os.h"

_Thread_local struct ma__polling *ma__polling MA__TLS_DIRECT;

atomic_size_t ma__workers_running;

/* Handing over costs the two threads as much as copying this. */
#define SMALL ((size_t)16 << 10)

bool
ma__polling_is(const struct vdm_operation *operation)
{
	const size_t offset = offsetof(struct vdm_operation_future, data) +
		offsetof(struct vdm_operation_data, operation);

	return ma__polling != NULL &&
		(const char *)operation ==
		(const char *)ma__polling->fut + offset;
}

size_t
ma__polling_bytes(const struct vdm_operation *operation)
{
	if (ma__polling == NULL)
		return 0;
	return ma__polling->alone > SMALL && ma__polling_is(operation)
		? ma__polling->alone
		: SMALL;
}

bool
ma__polling_owe(void (*settle)(void *mover), void *mover,
	future_has_property_fn property, bool *fresh)
{
	struct ma__polling *const polling = ma__polling;

	*fresh = polling->settle == NULL;
	if (*fresh) {
		polling->settle = settle;
		polling->mover = mover;
		polling->property = property;
	}
	return polling->settle == settle && polling->mover == mover;
}

void
ma__polling_settle(struct ma__polling *polling)
{
	void (*const settle)(void *) = polling->settle;

	polling->settle = NULL;
	if (settle != NULL)
		settle(polling->mover);
}

void
ma__cell_wake(void *data)
{
	struct ma__cell *cell = data;
	struct ma__waiter *waiter = cell->waiter;
	struct ma__cell *head;

	if (atomic_fetch_or_explicit(&cell->flags, MA__CELL_READY,
		    memory_order_acq_rel) != MA__CELL_ARMED)
		return;
	head = atomic_load_explicit(&waiter->ready, memory_order_relaxed);
	do {
		cell->ready_next = head;
		/* Release: the popping thread reads ready_next. */
	} while (!atomic_compare_exchange_weak_explicit(&waiter->ready, &head,
		cell, memory_order_release, memory_order_relaxed));
	if (!waiter->has_bell)
		ma__park_wake(&waiter->park);
	else if (head == NULL) /* else who pushed that rings: see monitor.c */
		ma__bell_ring(&waiter->bell);
}

void
ma__cell_ref(struct ma__cell *cell)
{
	/* Relaxed: who takes a reference has one, or is in the wait. */
	atomic_fetch_add_explicit(&cell->waiter->refs, 1, memory_order_relaxed);
}

void
ma__cell_init(struct ma__cell *cell, struct ma__waiter *waiter)
{
	cell->waiter = waiter;
	cell->where = MA__NOWHERE;
	atomic_init(&cell->flags, MA__CELL_SPARE);
}

static void
add_cells(struct ma__waiter *waiter, struct ma__cell *cells, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		ma__cell_init(&cells[i], waiter);
		atomic_init(&cells[i].flags, MA__CELL_ARMED);
	}
}

/* NULL with errno. */
static struct ma__waiter *
waiter_new(bool has_bell)
{
	struct ma__waiter *waiter = malloc(sizeof(*waiter));
	int error;

	if (waiter == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	error = has_bell ? ma__bell_init(&waiter->bell)
			 : ma__park_init(&waiter->park);
	if (error != 0) {
		free(waiter);
		errno = error;
		return NULL;
	}
	waiter->has_bell = has_bell;
	atomic_init(&waiter->refs, 1);
	atomic_init(&waiter->ready, NULL);
	atomic_init(&waiter->busy, true);
	waiter->spin = MA__SPIN_MOST;
	waiter->spin_soon = MA__SPIN_SOON_MOST;
	waiter->next = NULL;
	waiter->left.first = NULL;
	waiter->blocks.next = NULL;
	waiter->blocks.count = MA__WAITER_OWN_CELLS;
	waiter->blocks.cells = waiter->own;
	add_cells(waiter, waiter->own, MA__WAITER_OWN_CELLS);
	return waiter;
}

struct ma__waiter *
ma__waiter_new_with_bell(void)
{
	return waiter_new(true);
}

void
ma__waiter_unref(struct ma__waiter *waiter)
{
	struct ma__cell_block *block;

	/* Acquire and release: the last one frees what the others wrote to. */
	if (atomic_fetch_sub_explicit(&waiter->refs, 1, memory_order_acq_rel) !=
		1)
		return;
	block = waiter->blocks.next;
	while (block != NULL) {
		struct ma__cell_block *next = block->next;

		free(block->cells);
		free(block);
		block = next;
	}
	if (waiter->has_bell)
		ma__bell_fini(&waiter->bell);
	else
		ma__park_fini(&waiter->park);
	free(waiter);
}

void
ma__cell_unref(struct ma__cell *cell)
{
	ma__waiter_unref(cell->waiter);
}

struct ma__cell_block *
ma__waiter_grow(struct ma__waiter *waiter, struct ma__cell_block *last)
{
	const size_t count = last->count * 2;
	struct ma__cell_block *block = malloc(sizeof(*block));

	if (block == NULL)
		return NULL;
	block->cells = calloc(count, sizeof(*block->cells));
	if (block->cells == NULL) {
		free(block);
		return NULL;
	}
	block->count = count;
	block->next = NULL;
	add_cells(waiter, block->cells, count);
	last->next = block;
	return block;
}

struct ma__waiter *
ma__waiters_take(struct ma__waiters *waiters)
{
	struct ma__waiter *first =
		atomic_load_explicit(&waiters->first, memory_order_acquire);
	struct ma__waiter *waiter;

	for (waiter = first; waiter != NULL; waiter = waiter->next) {
		/* Acquire: what its last thread left in it. */
		if (!atomic_load_explicit(&waiter->busy,
			    memory_order_relaxed) &&
			!atomic_exchange_explicit(&waiter->busy, true,
				memory_order_acquire)) {
			ma__park_renew(&waiter->park);
			return waiter;
		}
	}
	waiter = waiter_new(false);
	if (waiter == NULL)
		return NULL;
	do {
		waiter->next = first;
	} while (!atomic_compare_exchange_weak_explicit(&waiters->first, &first,
		waiter, memory_order_acq_rel, memory_order_acquire));
	return waiter;
}

void
ma__waiters_return(struct ma__waiter *waiter)
{
	atomic_store_explicit(&waiter->busy, false, memory_order_release);
}

int
ma__waiters_init(struct ma__waiters *waiters)
{
	struct ma__waiter *waiter = waiter_new(false);

	if (waiter == NULL)
		return -1;
	ma__waiters_cpus();
	atomic_init(&waiters->first, waiter);
	ma__waiters_return(waiter);
	return 0;
}

void
ma__waiters_fini(struct ma__waiters *waiters)
{
	struct ma__waiter *waiter =
		atomic_load_explicit(&waiters->first, memory_order_acquire);

	while (waiter != NULL) {
		struct ma__waiter *next = waiter->next;

		ma__waiter_unref(waiter);
		waiter = next;
	}
}

size_t
ma__waiters_cpus(void)
{
	static atomic_size_t cpus;
	size_t known = atomic_load_explicit(&cpus, memory_order_relaxed);

	if (known == 0) {
		known = ma__os_cpus();
		atomic_store_explicit(&cpus, known, memory_order_relaxed);
	}
	return known;
}
