/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * monitor.c -- watching futures for an event loop
 *
 * A monitor does what a wait does (wait_rounds.c), but it returns instead of sleeping,
 * and its wakes ring a bell (bell.h), whose descriptor the event loop sleeps
 * on. It is one waiter (waiters.c) with a bell in the place of the park, and one
 * entry (entries.h) for each watched future, with the cell that its task is
 * given. All but cells' flags, the stack of woken cells and the bell belongs to
 * the thread that is using the monitor.
 *
 * Where an entry is
 *
 *   quiet     it announced a waker: left alone until it is woken
 *   checking  the same, to be polled because it is time to look for wakers that
 *             were forgotten
 *   polled    it announced none: to be polled in the next round
 *   round     the same, in the round that is going on
 *   woken     popped off the stack, and to be polled
 *   done      complete, and to be returned by run
 *
 * or in no list while it is being polled. Each is a list from which an entry can
 * be taken without knowing which one it is. A task that is polled may add and
 * remove others: so the lists are in order at every poll, the entry polled is in
 * none of them, and whoever goes through a list begins at its head again after
 * each poll. What it cannot do is pop the stack: run returns at once inside a
 * task, so an entry that is being polled is never found there.
 *
 * A call of run takes the woken, and polls at most BATCH of each: woken, round,
 * checking. One that is woken again during the call comes up in the next one, so
 * a call ends, and new ones are put behind those that were left: nobody starves.
 *
 * No wake is lost. What a wake does: (1) the task's changes, (2) set READY by a
 * read-modify-write, (3) if that turned ARMED to READY, push the cell, a
 * compare-and-swap that releases, (4) if the stack was empty, ring. What run
 * does: (a) drain the bell, (b) pop all cells by an exchange that acquires, (c)
 * clear READY by a read-modify-write, (d) poll.
 *
 * - A wake whose (2) comes before (c), in the order of the flag word, is seen by
 *   the poll: (c) acquires what (2) released. One that comes after finds ARMED,
 *   and pushes. So READY says that a poll is to come, and is cleared no earlier
 *   than right before it: wakes of an entry that is in `woken` cost nothing.
 * - A cell that is pushed while the stack is empty is followed by a ring. Was
 *   that ring swallowed by (a), then the push came before (b), which takes the
 *   cell: writing and reading a descriptor locks it in the kernel, so the push
 *   happens before the read that swallows its ring, and the pop after that sees
 *   it. Otherwise the descriptor is, or becomes, readable.
 * - A cell that is pushed on top of others is taken by the pop that takes them,
 *   and the first of them was pushed while the stack was empty: one ring is for
 *   all.
 * - Between (2) and (4) a thread may lose its processor. Other wakes of the cell,
 *   and those of cells pushed on top of it, wait for that thread then.
 * - The other way round, pop and then drain, would swallow the ring of a cell
 *   that was pushed in between.
 * - What run leaves in `woken` or `done`, it rings for itself, at its end.
 * - add, too, pops when it is out of entries (below), without draining. What it
 *   finds woken was pushed after the last pop, so its ring was not swallowed.
 *
 * So, between calls: if something is in `woken` or `done` or on the stack, the
 * descriptor is readable, or a thread is between push and ring. `polled` and
 * forgotten wakers are the deadline's affair.
 *
 * Removal against a wake. remove turns ARMED to SPARE by a compare-and-swap, and
 * the entry can be used again at once: a wake that comes later finds SPARE and
 * does nothing, or, if the cell has been armed again for another future, causes
 * one poll of that which it did not ask for. If the compare-and-swap fails, a
 * wake was first: the cell is on the stack or about to be, and its memory must
 * not become another's before it was popped. So it stays READY, the entry
 * belongs to nobody, and the next pop gives it back. An entry in `woken` is READY
 * and on no stack: it is made SPARE there and then. One that run returns goes the
 * same way; a wake that comes while it is in `done` rings for nothing, and its
 * cell is SPARE once popped.
 *
 * A program that adds and removes and never runs would collect such entries.
 * Therefore add pops before it asks for more memory.
 *
 * Who may free what when. Entries are type-stable: they are freed with the
 * waiter, never before. The waiter has one reference of the monitor, dropped by
 * delete, and one of each operation of our movers that holds a cell (and drops
 * it after its wake). So after delete such an operation still finds cell, stack
 * and bell. For this reason the bell's descriptors are closed with the last
 * reference, not by delete: a late wake must never write to a number that
 * stands for something else by then. After delete nobody pops, so all of them
 * ring once at most. Wakers of others hold no reference: for them the rule of
 * the public header is that they end before delete. The list of buckets and the
 * monitor itself are touched by no waker, and freed by delete.
 *
 * A future's memory is touched by polls only, so it has to stay until the entry
 * is gone: returned or removed. Between an operation's completion and our
 * noticing it, its worker touches the cell, not the future.
 *
 * Fork. The child has a copy of the memory but shares the open descriptors. The
 * bell knows the process that made it, and in any other neither rings nor
 * drains: so a task or mover that wakes an inherited cell in the child pushes it
 * onto the child's stack, and the parent notices nothing. Of threads that are
 * gone, one may have been between any two steps of a wake: a cell that is READY
 * and was never pushed, a reference that is never dropped. So a wake may be
 * missing in the child, which is why it may only delete. That drops a reference,
 * and closes the child's descriptors if it was the last one; with it, the
 * parent's stay open.
 */

#include "libminiasync/monitor.h"

#include <errno.h>
#include <stdlib.h>

#include "entries.h"
#include "pace.h"
#include "polling.h"

/*
 * Polls a call of run makes of each kind: so many that a system call or two
 * hardly matter, so few that an event loop can go on soon.
 */
#define BATCH 128

struct future_monitor {
	struct ma__entries entries;
	struct ma__link quiet;
	struct ma__link checking;
	struct ma__link polled;
	struct ma__link round;
	struct ma__link woken;
	struct ma__link done;
	struct ma__pace pace;
	uint64_t nap; /* until when `polled` is left alone; 0: it is not */
	unsigned depth; /* polls under way, one inside the other */
};

struct future_monitor *
future_monitor_new(void)
{
	struct future_monitor *monitor = malloc(sizeof(*monitor));
	struct ma__waiter *waiter;

	if (monitor == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	waiter = ma__waiter_new_with_bell();
	if (waiter == NULL) {
		const int error = errno;

		free(monitor);
		errno = error;
		return NULL;
	}
	ma__entries_init(&monitor->entries, waiter);
	ma__list_init(&monitor->quiet);
	ma__list_init(&monitor->checking);
	ma__list_init(&monitor->polled);
	ma__list_init(&monitor->round);
	ma__list_init(&monitor->woken);
	ma__list_init(&monitor->done);
	monitor->depth = 0;
	return monitor;
}

void
future_monitor_delete(struct future_monitor *monitor)
{
	if (monitor == NULL)
		return;
	ma__entries_fini(&monitor->entries);
	free(monitor);
}

int
future_monitor_fd(const struct future_monitor *monitor)
{
	return monitor->entries.waiter->bell.fds[0];
}

size_t
future_monitor_count(const struct future_monitor *monitor)
{
	return monitor->entries.count;
}

/* A future without a waker began or completed: polling is worth its while. */
static void
poll_at_once(struct future_monitor *monitor)
{
	ma__pace_progress(&monitor->pace);
	monitor->nap = 0;
}

/* Polls one that is in no list, and puts it where it belongs then. */
static void
poll_entry(struct future_monitor *monitor, struct ma__entry *entry,
	bool checked)
{
	/* An event loop has other things to do than a mover's work. */
	struct ma__polling polling = {.helps = false};
	struct ma__polling *const outer = ma__polling;
	bool wakes;

	entry->state = MA__ENTRY_POLLING;
	monitor->depth++;
	ma__polling = &polling;
	wakes = ma__poll_with(&polling, entry->fut, &entry->cell);
	ma__polling = outer;
	monitor->depth--;

	if (entry->fut->context.state == FUTURE_STATE_COMPLETE) {
		if (entry->in_rounds)
			poll_at_once(monitor);
		entry->state = MA__ENTRY_DONE;
		ma__list_append(&monitor->done, entry);
		return;
	}
	entry->state = MA__ENTRY_WATCHED;
	/* One that was only checked and says nothing has not moved: wait_rounds.c. */
	if (wakes || checked) {
		entry->in_rounds = false;
		ma__list_append(&monitor->quiet, entry);
		return;
	}
	if (!entry->in_rounds)
		poll_at_once(monitor);
	entry->in_rounds = true;
	ma__list_append(&monitor->polled, entry);
}

/* Pops all cells. Not inside a task: see the top. */
static void
take_woken(struct future_monitor *monitor)
{
	struct ma__waiter *const waiter = monitor->entries.waiter;
	/* The stack has the latest first: each goes before those popped. */
	struct ma__link *const end = monitor->woken.prev;
	struct ma__cell *cell;

	if (atomic_load_explicit(&waiter->ready, memory_order_relaxed) == NULL)
		return;
	/* Acquire: pairs with the release of ma__cell_wake(). */
	cell = atomic_exchange_explicit(&waiter->ready, NULL,
		memory_order_acquire);
	while (cell != NULL) {
		struct ma__cell *const next = cell->ready_next;
		struct ma__entry *const entry = ma__entry_of(cell);

		if (entry->state == MA__ENTRY_WATCHED) {
			ma__list_remove(entry);
			entry->state = MA__ENTRY_WOKEN;
			ma__list_insert(end, entry);
		} else {
			ma__entries_popped(&monitor->entries, entry);
		}
		cell = next;
	}
}

int
future_monitor_add(struct future_monitor *monitor, struct future *future,
	void *data)
{
	struct ma__entries *entries;
	struct ma__entry *entry;

	if (monitor == NULL || future == NULL)
		return EINVAL;
	entries = &monitor->entries;
	if (ma__entries_find(entries, future) != NULL)
		return EEXIST;
	if (future->context.state == FUTURE_STATE_COMPLETE)
		return EALREADY;
	if (ma__list_empty(&entries->spare) && monitor->depth == 0)
		take_woken(monitor);
	if (entries->count == 0) {
		ma__pace_init(&monitor->pace);
		monitor->nap = 0;
	}
	entry = ma__entries_add(entries, future, data);
	if (entry == NULL)
		return ENOMEM;
	poll_entry(monitor, entry, false);
	/* Says when to look for forgotten wakers, if nothing did so yet. */
	if (monitor->pace.check_at == 0 && !ma__list_empty(&monitor->quiet))
		(void)ma__pace_check(&monitor->pace, ma__now());
	if (entry->state != MA__ENTRY_DONE)
		return 0;
	ma__list_remove(entry);
	ma__entries_drop(entries, entry);
	return EALREADY;
}

int
future_monitor_remove(struct future_monitor *monitor, struct future *future)
{
	struct ma__entry *entry;

	if (monitor == NULL || future == NULL)
		return EINVAL;
	entry = ma__entries_find(&monitor->entries, future);
	if (entry == NULL)
		return ENOENT;
	if (entry->state == MA__ENTRY_POLLING)
		return EBUSY;
	ma__list_remove(entry);
	ma__entries_drop(&monitor->entries, entry);
	return 0;
}

/* Polls a batch of a list that no poll adds to. */
static void
poll_batch(struct future_monitor *monitor, struct ma__link *list)
{
	for (int i = 0; i < BATCH && !ma__list_empty(list); i++) {
		struct ma__entry *const entry = ma__list_first(list);

		ma__list_remove(entry);
		/* Right before the poll: see the top. */
		if (entry->state == MA__ENTRY_WOKEN)
			atomic_exchange_explicit(&entry->cell.flags,
				MA__CELL_ARMED, memory_order_acq_rel);
		poll_entry(monitor, entry, list == &monitor->checking);
	}
}

/* Polls those that announced no waker, if it is time for that. */
static void
poll_round(struct future_monitor *monitor, uint64_t now)
{
	if (ma__list_empty(&monitor->round)) {
		if (ma__list_empty(&monitor->polled) || now < monitor->nap)
			return;
		ma__list_move(&monitor->polled, &monitor->round);
	}
	poll_batch(monitor, &monitor->round);
	if (ma__list_empty(&monitor->round) &&
		!ma__list_empty(&monitor->polled))
		/* From now: the round may have taken its time. */
		monitor->nap = ma__pace_busy(&monitor->pace)
			? 0
			: ma__pace_nap(&monitor->pace, ma__now());
}

size_t
future_monitor_run(struct future_monitor *monitor, void *done[], size_t max)
{
	const struct ma__bell *bell;
	uint64_t now;
	size_t n = 0;

	if (monitor == NULL || (done == NULL && max != 0) ||
		monitor->depth != 0)
		return 0;
	bell = &monitor->entries.waiter->bell;
	ma__bell_drain(bell);
	take_woken(monitor);
	if (monitor->entries.count == 0)
		return 0;

	poll_batch(monitor, &monitor->woken);
	now = ma__now();
	poll_round(monitor, now);
	if (ma__list_empty(&monitor->checking) &&
		!ma__list_empty(&monitor->quiet) &&
		ma__pace_check(&monitor->pace, now))
		ma__list_move(&monitor->quiet, &monitor->checking);
	poll_batch(monitor, &monitor->checking);

	while (n < max && !ma__list_empty(&monitor->done)) {
		struct ma__entry *const entry = ma__list_first(&monitor->done);

		done[n++] = entry->data;
		ma__list_remove(entry);
		ma__entries_drop(&monitor->entries, entry);
	}
	if (!ma__list_empty(&monitor->woken) || !ma__list_empty(&monitor->done))
		ma__bell_ring(bell);
	return n;
}

uint64_t
future_monitor_deadline(const struct future_monitor *monitor)
{
	uint64_t deadline = FUTURE_WAITER_FOREVER;

	if (!ma__list_empty(&monitor->woken) ||
		!ma__list_empty(&monitor->done) ||
		!ma__list_empty(&monitor->round) ||
		!ma__list_empty(&monitor->checking))
		return 0;
	if (!ma__list_empty(&monitor->polled))
		deadline = monitor->nap;
	if (!ma__list_empty(&monitor->quiet))
		deadline = ma__earlier(deadline, monitor->pace.check_at);
	return deadline;
}
