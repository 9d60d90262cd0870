/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * workers.c -- who executes what is in the queue of a mover
 *
 * The queue holds the operations that have bytes which nobody has taken.
 * Whoever executes takes a piece of one under the mover's lock, executes it
 * without the lock, and gives it back under the lock: an *executor*. There are
 * two kinds.
 *
 *   A worker takes a piece of the operation whose turn it is (queue.c). A helper
 *   is a thread in a wait (wait.c). It takes a piece of the operation whose future
 *   it is polling, wherever that is in the queue.
 *
 * So a thread that waits works, for what it waits for; and a poll outside a
 * wait executes nothing that was handed over.
 *
 * A piece (pieces.c) is what about 100 us suffice for: between two of them a
 * helper looks at its deadline, and whether it has what it waits for. A
 * program's own function always gets the whole operation.
 *
 * Where an operation is
 *
 *   QUEUED    in the queue (op->queued): not everything is taken
 *   TAKEN     not in it: everything is taken, by op->executors threads
 *   FINISHED  op->left is 0: who brought it there completes the operation
 *
 * QUEUED is *ready* if a piece may be taken now. Only overlapping moves may not
 * be, as long as somebody executes what comes before; they are passed over.
 *
 * Who takes the last piece takes the operation out of the queue; nobody puts it
 * back. A piece is taken once, because all this changes under the lock only.
 * `left` counts down without it, after the bytes are written; who brings it to
 * 0 is one executor, and completes:
 *
 *   a worker by ma__op_finish(), which wakes (operation.c); a helper by
 *   ma__op_complete_polled(): it is the poller itself, about to answer
 *   COMPLETE, so there is nobody to wake. That holds because it helps only if
 *   there is no waker to be called: the program's may wait for a lock that is
 *   held around the poll. (A wait replaces the waker of earlier polls by its
 *   cell, except in programs with the original's headers.)
 *
 * While a helper has a piece, `left` is above 0. So nobody completes, the state
 * stays PENDING, waker and cell are the poller's alone, and the future's
 * reference, which only a later part of the same poll drops, keeps the memory.
 * A worker has a reference of its own, from taking to giving back.
 *
 * What a poll answers in a wait. If its operation is QUEUED it says `again`
 * (ma__polling): the wait polls once more, at once. The poll that starts the
 * operation only says so; each later one executes a piece first. Thus all
 * futures of a wait are started before one of them is worked at. A task may
 * poll many operations in one poll of its own: once what it has executed is as
 * much as a large piece, it only says so, too. When the operation is TAKEN, or
 * not ready, others are at it: the poll says `soon` instead, and the wait
 * sleeps until its cell is woken at the end.
 *
 * Who helps with what: with nothing if inline_below is 0, which sends
 * everything through workers; with a program's own function only in a wait that
 * nothing ends but the completion of all its futures, since there is no telling
 * how long it takes. And never with what is not waited for: that would delay
 * what is.
 *
 * Waking workers
 *
 *   A worker with nothing to take is *idle*: on a list, under the lock. Who
 *   puts something into the queue may take one from the list, which makes it
 *   awake, and wakes it after unlocking. An awake worker looks at the queue
 *   before it gets idle. `inside` counts workers that execute a program's
 *   function, or call its waker: both may block. The other awake ones are
 *   *looking*. Then
 *
 *   (I) while something is ready, a worker is looking, or all of them are
 *       inside, or a wait *owes* a wake.
 *
 *   It is restored wherever it might break, by summon(): by who queues, by a
 *   worker that goes inside and leaves something behind, and by a helper that
 *   gives back a piece, whereupon something may be ready that no worker stayed
 *   for. An idle worker leaves the list by the hand of another only, under the
 *   lock, and sleeps on a condition of its own until it is off the list: no
 *   wake is lost.
 *
 *   A worker that executes a piece looks again 100 us later, if the memory is
 *   there. One that does not come back is overdue, and counted as inside by who
 *   notices (workers_overdue.c): who leaves something to others has a look.
 *
 *   Nobody wakes a second worker unless what is queued is worth it: waking one
 *   takes 10 us of the waker's time, and the other comes 15 to 60 us later. One
 *   more executor pays for MA__ALONE_MAX more bytes, or as much time, and not
 *   if there are as many as processors, helpers included, and one for a wait that
 *   is about to help. If nobody helps, the program is at something else, or has an
 *   event loop: its processor is left to it. A worker that has
 *   been woken wakes the next one, so that the poll which starts a large
 *   operation wakes one only. When helpers make it one executor too many, a
 *   worker gets idle early, if another one is looking.
 *
 *   A wait that starts operations which are not worth a wake does not wake at
 *   all: it is going to execute them itself. It owes the wake instead, notes
 *   that in ma__polling, and settles before it sleeps, returns, executes what
 *   is not known to be quick, or polls anything but operations of threads
 *   movers, which is how it knows them: by their property function. Those do
 *   not block, and do not wait for others; and what it owes for it polls, and
 *   helps with, round by round. Owing holds a reference to the workers, since
 *   the mover may be deleted in between.
 *
 *   Where a woken worker runs is the system's choice, and some choose the
 *   processor of who wakes it, though others are idle (Linux in virtual machines,
 *   where a halted processor looks taken). It would begin when the thread that
 *   started the operation sleeps or has used its time up, milliseconds later. So
 *   a worker that sleeps is kept off the processor of who wakes it, which goes on
 *   there, if there is more to do than a wake across processors takes, or the
 *   two have been in each other's way for long (workers_idle.c). It may run there
 *   again from when it has woken. A worker that another one wakes is
 *   kept off the processors of both that one and the thread which has started
 *   the operation: that may be computing. If there is no third processor it may
 *   have the starter's when that sleeps.
 *
 *   How long a program's function takes is measured, one call in 16 while it is
 *   quick.
 *
 * Forks. A fork happens under the lock. op->executors is exact, therefore: an
 * operation that had one is lost in the child, because nobody knows how far its
 * piece got; so is one that another thread was executing itself (INLINE). What
 * is neither has been executed as far as it was taken, and not been touched
 * beyond: the child's poll executes the rest. Executing is what happens between
 * taking and giving back, completion and the call of the waker included.
 *
 * Memory orderings. What the starting poll wrote reaches executors through the
 * lock, and so does a piece of an earlier executor, if it matters who writes
 * first. The bytes reach who completes through `left`: decremented with
 * release, and acquire for the last. `queued` is read by polls without the
 * lock: as a hint when it is true, and when it is false for good.
 */

#include "workers.h"

#include "clock.h"
#include "os.h"
#include "waiters.h"

/* From so many bytes on a worker is to run beside who wakes it. */
#define ELSEWHERE_MIN ((size_t)1 << 20)

/*
 * Takes care, under the lock, that a worker which is about to be woken runs beside
 * this thread, if what is queued is worth it, or it has been here for too long. The
 * latter in a wait only: that does not sleep meanwhile; and it does sleep when the
 * worker has been brought back.
 */
static void
place(struct ma__workers *workers, const struct ma__op *ready,
	struct ma__worker *worker, int busy)
{
	/* An operation that is cut for nobody else has no weight. */
	const size_t rest = ready->request.n - ready->pieces.taken;
	const bool waits = ma__polling_helps();
	bool crowded;

	if (!worker->asleep)
		return;
	crowded = waits && ma__worker_is_crowded(worker);
	if (crowded || workers->load >= ELSEWHERE_MIN ||
		rest >= ELSEWHERE_MIN) {
		worker->kept_off =
			ma__os_keep_off(worker->thread, busy, &worker->off);
		worker->moved = crowded && worker->kept_off;
		if (worker->moved)
			atomic_fetch_add_explicit(&workers->moving, 1,
				memory_order_relaxed);
	} else if (worker->moved) {
		worker->moved = false;
		/* Not if this thread is going to execute, rather than sleep. */
		if (waits && !ready->helped)
			worker->kept_off =
				ma__os_keep_here(worker->thread, &worker->off);
	}
}

/*
 * Is it worth one more executor, with so many at work or about to be? `others`: so
 * many threads are at something else.
 */
static bool
worth_another(const struct ma__workers *workers, size_t executors,
	size_t others)
{
	return executors + others < ma__waiters_cpus() &&
		workers->load >= MA__ALONE_MAX * executors;
}

/*
 * Takes an idle worker off the list, under the lock, if (I) or the load wants one:
 * it is to be woken after unlocking. `more` executors are about to begin. `busy` is a
 * processor, beside this one, that is in use, or -1.
 */
static struct ma__worker *
summon(struct ma__workers *workers, size_t more, int busy)
{
	struct ma__worker *const worker = workers->idle;
	size_t helpers = workers->helping + more;
	const struct ma__op *ready;

	if (worker == NULL)
		return NULL;
	ready = ma__queue_next(&workers->queue);
	if (ready == NULL)
		return NULL;
	/* Who has queued it is between two pieces, or about to begin. */
	if (ready->helped && helpers == 0)
		helpers = 1;
	if (workers->awake > workers->inside &&
		!worth_another(workers, workers->awake + helpers, helpers == 0))
		return NULL;
	place(workers, ready, worker, busy);
	workers->idle = worker->next;
	workers->awake++;
	worker->wanted_at = ma__now();
	ma__worker_looks(worker, worker->wanted_at);
	worker->wanted_on = ma__os_processor();
	/* Relaxed: it takes the lock before it does anything. */
	atomic_store_explicit(&worker->idle, false, memory_order_relaxed);
	return worker;
}

struct ma__worker *
ma__workers_summon(struct ma__workers *workers, size_t more, int busy)
{
	if (workers->idle != NULL && workers->awake != workers->inside &&
		ma__queue_next(&workers->queue) != NULL)
		ma__workers_note_overdue(workers, NULL);
	return summon(workers, more, busy);
}

void
ma__worker_wake(struct ma__worker *worker)
{
	if (worker != NULL)
		pthread_cond_signal(&worker->wanted);
}

/* Takes the next piece of an operation that is ready, under the lock. */
static struct ma__piece
take(struct ma__workers *workers, struct ma__op *op, enum ma__executor who)
{
	const struct ma__piece piece =
		ma__pieces_take(&op->pieces, &op->request);

	workers->took[who].pieces++;
	workers->took[who].bytes += piece.n;
	op->executors++;
	if (who == MA__WORKER)
		ma__queue_served(&workers->queue, op,
			op->function ? op->weight : piece.n);
	if (op->weight != 0)
		workers->load -= op->function ? op->weight : piece.n;
	if (op->pieces.taken == op->request.n)
		ma__queue_remove(&workers->queue, op);
	return piece;
}

/*
 * Executes a piece. True if it was the last one. Release: our bytes are written.
 * Acquire: if ours are the last, those of the others are, too.
 */
static bool
execute(const struct ma__workers *workers, struct ma__op *op,
	struct ma__piece piece)
{
	workers->execute(op, ma__piece_offset(&op->pieces, &op->request, piece),
		piece.n);
	return atomic_fetch_sub_explicit(&op->left, piece.n,
		       memory_order_acq_rel) == piece.n;
}

/* Gives a piece back, under the lock. */
static void
give_back(struct ma__op *op, struct ma__piece piece)
{
	ma__pieces_done(&op->pieces, piece);
	op->executors--;
}

/* The worker is going to be inside something that may block: a waker. */
static void
worker_blocks(void *arg)
{
	struct ma__worker *self = arg;
	struct ma__workers *workers = self->workers;
	/* What it has executed took until now: what comes is not the memory's time. */
	const uint64_t now = ma__now();
	struct ma__worker *other;

	pthread_mutex_lock(&workers->lock);
	ma__worker_set_inside(self, true);
	ma__worker_has_executed(self, now);
	other = ma__workers_summon(workers, 0, workers->starter);
	pthread_mutex_unlock(&workers->lock);
	ma__worker_wake(other);
}

/* Takes a piece, executes it and gives it back. With the lock held. */
static void
work(struct ma__worker *self, struct ma__op *op)
{
	struct ma__workers *workers = self->workers;
	const struct ma__piece piece = take(workers, op, MA__WORKER);
	struct ma__worker *other;
	uint64_t now = 0;

	ma__pool_hold(op);
	self->op = op;
	self->n = piece.n;
	ma__worker_set_inside(self, op->function);
	other = (op->function ? ma__workers_summon : summon)(workers, 0,
		workers->starter);
	pthread_mutex_unlock(&workers->lock);

	ma__worker_wake(other);
	if (execute(workers, op, piece))
		ma__op_finish(op, worker_blocks, self);
	/* Only the worker writes that. */
	if (self->op == NULL)
		now = ma__now();

	pthread_mutex_lock(&workers->lock);
	ma__worker_set_inside(self, false);
	if (self->op != NULL)
		ma__worker_has_executed(self, 0);
	else
		ma__worker_looks(self, now);
	give_back(op, piece);
	ma__pool_drop(&workers->pool, op);
}

/* Is it one executor too many, and another worker there to look at the queue? */
static bool
is_one_too_many(struct ma__workers *workers, const struct ma__worker *self)
{
	return workers->helping != 0 && !workers->stopping &&
		workers->awake >= workers->inside + 2 &&
		workers->awake + workers->helping > ma__waiters_cpus() &&
		!ma__workers_note_overdue(workers, self);
}

void *
ma__worker_main(void *arg)
{
	struct ma__worker *self = arg;
	struct ma__workers *workers = self->workers;

	ma__os_enter_worker();
	pthread_mutex_lock(&workers->lock);
	ma__worker_looks(self, ma__now());
	/* Orphaned: this thread has forked, from within a waker. */
	while (!workers->orphaned) {
		struct ma__op *const op = ma__queue_next(&workers->queue);

		/* What is not ready is left to who makes it so. */
		if (op == NULL && workers->stopping)
			break;
		if (op == NULL || is_one_too_many(workers, self))
			ma__worker_be_idle(self);
		else
			work(self, op);
	}
	if (!workers->orphaned)
		atomic_fetch_sub_explicit(&ma__workers_running, 1,
			memory_order_relaxed);
	pthread_mutex_unlock(&workers->lock);
	return NULL;
}

/* By a wait that owes a wake. */
static void
settle(void *arg)
{
	struct ma__workers *workers = arg;
	struct ma__worker *worker;

	pthread_mutex_lock(&workers->lock);
	worker = ma__workers_summon(workers, 0, -1);
	pthread_mutex_unlock(&workers->lock);
	ma__worker_wake(worker);
	ma__workers_unref(workers);
}

/* Lets the wait that polls owe the wake of what is about to be queued. */
static bool
owe(struct ma__workers *workers, future_has_property_fn property)
{
	bool fresh;
	const bool owes = ma__polling_owe(settle, workers, property, &fresh);

	/* Relaxed: the mover has a reference. */
	if (owes && fresh)
		atomic_fetch_add_explicit(&workers->refs, 1,
			memory_order_relaxed);
	return owes;
}

void
ma__workers_queue(struct ma__workers *workers, struct ma__op *op,
	future_has_property_fn helper)
{
	struct ma__worker *worker = NULL;
	const bool owes = helper != NULL && owe(workers, helper);

	pthread_mutex_lock(&workers->lock);
	ma__queue_add(&workers->queue, op);
	workers->load += op->weight;
	workers->started++;
	op->helped = helper != NULL;
	if (op->request.n >= ELSEWHERE_MIN || op->weight >= ELSEWHERE_MIN)
		workers->starter = ma__os_processor();
	/* Who starts many, one behind the other, does not pay for it each time. */
	if (!owes && workers->idle != NULL &&
		(op->prev == NULL || op->prev->pieces.taken != 0 ||
			workers->started % 16 == 0))
		ma__workers_note_overdue(workers, NULL);
	if (!owes || worth_another(workers, workers->awake + 1, 0))
		worker = summon(workers, helper != NULL, -1);
	pthread_mutex_unlock(&workers->lock);
	ma__worker_wake(worker);
}

bool
ma__workers_help(struct ma__workers *workers, struct ma__op *op,
	future_has_property_fn helper, size_t *helped)
{
	struct ma__worker *worker = NULL;
	struct ma__piece piece;
	bool restore = false;
	uint64_t since = 0;

	pthread_mutex_lock(&workers->lock);
	if (!atomic_load_explicit(&op->queued, memory_order_relaxed) ||
		!ma__pieces_ready(&op->pieces, &op->request)) {
		pthread_mutex_unlock(&workers->lock);
		return false;
	}
	/* What is cut finely may be quick now, and no worker there to find out. */
	if (op->pieces.most < MA__PIECE_MAX)
		since = ma__now();
	piece = take(workers, op, MA__HELPER);
	*helped += op->function ? op->weight : piece.n;
	workers->helping++;
	pthread_mutex_unlock(&workers->lock);

	if (execute(workers, op, piece))
		ma__op_complete_polled(op);
	else if (ma__pieces_depend(&op->pieces, &op->request))
		restore = helper == NULL || !owe(workers, helper);

	/* After that: see Forks. */
	pthread_mutex_lock(&workers->lock);
	workers->helping--;
	if (since != 0)
		ma__pieces_took(&op->pieces, piece.n, ma__now() - since);
	give_back(op, piece);
	/* It may be ready only now, and no worker have stayed for it. */
	if (restore)
		worker = summon(workers, 1, -1);
	pthread_mutex_unlock(&workers->lock);
	ma__worker_wake(worker);
	return true;
}

void
ma__workers_adopt(struct ma__workers *workers, struct ma__op *op)
{
	const struct ma__piece rest = {
		.from = op->pieces.taken,
		.n = op->request.n - op->pieces.taken,
	};

	if (ma__op_take_over(op))
		workers->execute(op,
			ma__piece_offset(&op->pieces, &op->request, rest),
			rest.n);
	else
		op->result = VDM_ERROR_JOB_CORRUPTED;
	ma__op_complete_alone(op);
}
