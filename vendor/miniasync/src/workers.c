/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * workers.c -- the queue of a mover, and who executes what is in it
 *
 * The queue holds the operations that have bytes which nobody has taken.
 * Whoever executes takes a piece of one under the mover's lock, executes it
 * without the lock, and gives it back under the lock: an *executor*. There are
 * two kinds.
 *
 *   A worker takes a piece of the first operation in the queue. A helper is a
 *   thread in a wait (wait.c). It takes a piece of the operation whose future
 *   it is polling, wherever that is in the queue.
 *
 * So a thread that waits works, for what it waits for; and a poll outside a
 * wait executes nothing that was handed over.
 *
 * A piece
 *
 *   is what about 100 us suffice for: between two of them a helper looks at its
 *   deadline, and whether it has what it waits for. Towards the end pieces get
 *   smaller, so that those who have none left wait for little. A program's own
 *   function always gets the whole operation.
 *
 * Where an operation is
 *
 *   QUEUED    in the queue (op->queued): somebody may take a piece
 *   TAKEN     not in it: everything is taken, by op->executors threads
 *   FINISHED  op->left is 0: who brought it there completes the operation
 *
 * Who takes the last piece takes the operation out of the queue; nobody puts it
 * back. A piece is taken once, because cursor and queue change under the lock
 * only. `left` counts down without it, after the bytes are written; who brings
 * it to 0 is one executor, and completes:
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
 * futures of a wait are started before one of them is worked at. When the
 * operation is TAKEN the poll says `soon` instead, and the wait sleeps until
 * its cell is woken; the cell was registered before the poll looked at
 * `queued`, and nothing becomes QUEUED again, so there is nothing that it could
 * miss.
 *
 * Who helps with what: with nothing if inline_below is 0, which sends
 * everything through workers; with a program's own function only in a wait that
 * has no deadline, since there is no telling how long it takes. And never with
 * what is not waited for: that would delay what is.
 *
 * Waking workers
 *
 *   A worker with nothing to take is *idle*: on a list, under the lock. Who
 *   puts something into the queue may take one from the list, which makes it
 *   awake, and wakes it after unlocking. An awake worker looks at the queue
 *   before it gets idle. `inside` counts workers that execute a program's
 *   function which may take its time, or call its waker: both may block. The
 *   other awake ones are *looking*. Then
 *
 *   (I) while something is queued, a worker is looking, or all of them are
 *       inside, or a wait *owes* a wake.
 *
 *   It is restored wherever it might break: by who queues, and by a worker that
 *   goes inside and leaves something behind, each by summon(). An idle worker
 *   leaves the list by the hand of another only, so no wake is lost: it sleeps
 *   until it is off the list, whatever its park says.
 *
 *   Nobody wakes a second worker unless what is queued is worth it: waking one
 *   takes 10 us of the waker's time, and the other comes 15 to 60 us later. One
 *   more executor pays for MA__ALONE_MAX more bytes, or as much time, and not
 *   if there are as many as processors, helpers included. A worker that has
 *   been woken wakes the next one, so that the poll which starts a large
 *   operation wakes one only. When helpers make it one executor too many, a
 *   worker gets idle early, if another one is looking.
 *
 *   A wait that starts operations which are not worth a wake does not wake at
 *   all: it is going to execute them itself. It owes the wake instead, notes
 *   that in ma__polling, and settles before it sleeps, returns, polls something
 *   that is not asynchronous, or waits within a wait; at the latest after the
 *   next round. Owing holds a reference to the workers, since the mover may be
 *   deleted in between.
 *
 *   How long a program's function takes is measured, one call in 16 while it is
 *   quick.
 *
 * Forks. A fork happens under the lock. op->executors is exact, therefore: an
 * operation that had one is lost in the child, because nobody knows how far its
 * piece got; so is one that another thread was executing itself (INLINE). What
 * is neither has been executed up to its cursor, and not been touched beyond:
 * the child's poll executes the rest. Executing is what happens between taking
 * and giving back, completion and the call of the waker included.
 *
 * Memory orderings. What the starting poll wrote reaches executors through the
 * lock, and so does a piece of an earlier executor, if it matters who writes
 * first. The bytes reach who completes through `left`: decremented with
 * release, and acquire for the last. `queued` is read by polls without the
 * lock: as a hint when it is true, and when it is false for good.
 */

#include "workers.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "os.h"

/*
 * The next bytes of an operation: from the cursor on, one piece, ending where
 * the destination begins a page, so that no two workers write to one cache line.
 */
static size_t
take_piece(struct ma__op *op)
{
	const size_t page = 4096;
	const size_t left = op->request.n - op->cursor;
	size_t n = op->piece;

	if (left > n)
		n -= ((uintptr_t)op->request.dst + op->cursor + n) % page;
	else
		n = left;
	op->cursor += n;
	return n;
}

static void *
worker_main(void *arg)
{
	struct ma__worker *self = arg;
	struct ma__workers *workers = self->workers;

	ma__os_enter_worker();
	pthread_mutex_lock(&workers->lock);
	for (;;) {
		struct ma__op *op = workers->first;
		size_t offset;
		size_t n;

		/* Orphaned: this thread has forked, from within a waker. */
		if (workers->orphaned || (op == NULL && workers->stopping))
			break;
		if (op == NULL) {
			pthread_cond_wait(&workers->work, &workers->lock);
			continue;
		}
		offset = op->cursor;
		n = take_piece(op);
		if (op->cursor == op->request.n)
			workers->first = op->next;
		self->op = op;
		ma__pool_hold(op);
		pthread_mutex_unlock(&workers->lock);

		workers->execute(op, offset, n);
		/*
		 * Release: our bytes are written. Acquire: if these were the
		 * last, those of the others are, too.
		 */
		if (atomic_fetch_sub_explicit(&op->left, n,
			    memory_order_acq_rel) == n)
			ma__op_finish(op);

		pthread_mutex_lock(&workers->lock);
		self->op = NULL;
		ma__pool_drop(&workers->pool, op);
	}
	pthread_mutex_unlock(&workers->lock);
	return NULL;
}

static void
fork_prepare(struct ma__forkable *forkable)
{
	struct ma__workers *workers = (struct ma__workers *)forkable;

	pthread_mutex_lock(&workers->lock);
	ma__pool_lock(&workers->pool);
}

static void
fork_unlock(struct ma__forkable *forkable)
{
	struct ma__workers *workers = (struct ma__workers *)forkable;

	ma__pool_unlock(&workers->pool);
	pthread_mutex_unlock(&workers->lock);
}

static void
fork_child(struct ma__forkable *forkable)
{
	struct ma__workers *workers = (struct ma__workers *)forkable;

	for (size_t i = 0; i < workers->count; i++) {
		struct ma__worker *worker = &workers->threads[i];

		if (worker->op != NULL)
			worker->op->lost = true;
		worker->op = NULL;
	}
	workers->orphaned = true;
	/* The child's one thread is the one that locked them. */
	fork_unlock(forkable);
}

/* Lets the queue run empty and joins the first `count` threads. */
static void
stop(struct ma__workers *workers, size_t count)
{
	pthread_mutex_lock(&workers->lock);
	workers->stopping = true;
	pthread_cond_broadcast(&workers->work);
	pthread_mutex_unlock(&workers->lock);
	for (size_t i = 0; i < count; i++)
		pthread_join(workers->threads[i].thread, NULL);
}

/*
 * Starts the threads, with all signals blocked: handlers are to run in the
 * program's own threads. Only those that a worker's own instructions raise are
 * let through, since blocking them would make them fatal. 0 or an error.
 */
static int
start(struct ma__workers *workers)
{
	sigset_t blocked;
	sigset_t before;
	int error = 0;
	size_t i;

	sigfillset(&blocked);
	sigdelset(&blocked, SIGSEGV);
	sigdelset(&blocked, SIGBUS);
	sigdelset(&blocked, SIGFPE);
	sigdelset(&blocked, SIGILL);
	sigdelset(&blocked, SIGTRAP);
	pthread_sigmask(SIG_SETMASK, &blocked, &before);
	for (i = 0; i < workers->count && error == 0; i++) {
		workers->threads[i].workers = workers;
		workers->threads[i].op = NULL;
		error = pthread_create(&workers->threads[i].thread, NULL,
			worker_main, &workers->threads[i]);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error != 0)
		stop(workers, i - 1);
	return error;
}

static void
free_workers(struct ma__workers *workers)
{
	/*
	 * In a child the condition may have waiters that do not exist, and
	 * destroying it would wait for them.
	 */
	if (!workers->orphaned) {
		pthread_cond_destroy(&workers->work);
		pthread_mutex_destroy(&workers->lock);
	}
	ma__pool_fini(&workers->pool);
	free(workers);
}

struct ma__workers *
ma__workers_new(size_t count, size_t limit, ma__execute_fn execute)
{
	const size_t most = (SIZE_MAX - sizeof(struct ma__workers)) /
		sizeof(struct ma__worker);
	struct ma__workers *workers = NULL;
	int error;

	if (count <= most)
		workers = malloc(sizeof(*workers) +
			count * sizeof(workers->threads[0]));
	if (workers == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	workers->forkable.prepare = fork_prepare;
	workers->forkable.parent = fork_unlock;
	workers->forkable.child = fork_child;
	workers->execute = execute;
	workers->first = NULL;
	workers->last = NULL;
	workers->stopping = false;
	workers->orphaned = false;
	workers->count = count;
	ma__pool_init(&workers->pool, limit);
	error = pthread_mutex_init(&workers->lock, NULL);
	if (error != 0)
		goto no_lock;
	error = pthread_cond_init(&workers->work, NULL);
	if (error != 0)
		goto no_cond;
	error = start(workers);
	if (error == 0) {
		error = ma__fork_add(&workers->forkable);
		if (error == 0)
			return workers;
		stop(workers, count);
	}
	pthread_cond_destroy(&workers->work);
no_cond:
	pthread_mutex_destroy(&workers->lock);
no_lock:
	free(workers);
	errno = error;
	return NULL;
}

void
ma__workers_delete(struct ma__workers *workers)
{
	/*
	 * First, so that no fork can come between the joins. A fork before this
	 * finds everything in order; one after it knows nothing of the mover.
	 */
	ma__fork_remove(&workers->forkable);
	if (!workers->orphaned)
		stop(workers, workers->count);
	free_workers(workers);
}

void
ma__workers_queue(struct ma__workers *workers, struct ma__op *op)
{
	const bool several = op->request.n > op->piece;

	pthread_mutex_lock(&workers->lock);
	if (workers->first == NULL)
		workers->first = op;
	else
		workers->last->next = op;
	workers->last = op;
	pthread_mutex_unlock(&workers->lock);
	if (several)
		pthread_cond_broadcast(&workers->work);
	else
		pthread_cond_signal(&workers->work);
}

void
ma__workers_adopt(struct ma__workers *workers, struct ma__op *op)
{
	if (!ma__op_take_over(op))
		op->lost = true;
	if (op->lost)
		op->result = VDM_ERROR_JOB_CORRUPTED;
	else
		workers->execute(op, op->cursor, op->request.n - op->cursor);
	ma__op_complete_alone(op);
}
