/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * workers.c -- the worker threads of a mover, and its queue
 *
 * The queue holds operations that have bytes to hand out. A worker takes a
 * piece of the first one, under the lock, and executes it without; a large
 * operation stays first until all of its bytes are handed out, so several
 * workers execute it together. Whoever executes the last byte finishes it.
 *
 * While a worker has an operation it is written down in worker->op, from before
 * the first byte until after the wake-up, under the lock. A fork happens under
 * the lock, too: an operation so written down is lost in the child. So is one
 * that another thread was executing itself (INLINE). What is neither has been
 * executed up to op->cursor, and not been touched beyond.
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
