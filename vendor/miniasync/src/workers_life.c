/* SPDX-License-Identifier: BSD-3-Clause */
/* workers_life.c -- how worker threads begin and end, and what a fork leaves */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "waiters.h"
#include "workers.h"

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

	workers->orphaned = true;
	workers->idle = NULL;
	/* None of any mover is left. */
	atomic_store_explicit(&ma__workers_running, 0, memory_order_relaxed);
	/* The child's one thread is the one that locked them. */
	fork_unlock(forkable);
}

/* Lets the queue run empty and joins the first `count` threads. */
static void
stop(struct ma__workers *workers, size_t count)
{
	struct ma__worker *worker;

	pthread_mutex_lock(&workers->lock);
	workers->stopping = true;
	worker = workers->idle;
	workers->idle = NULL;
	for (struct ma__worker *at = worker; at != NULL; at = at->next) {
		workers->awake++;
		atomic_store_explicit(&at->idle, false, memory_order_relaxed);
	}
	pthread_mutex_unlock(&workers->lock);
	/* No worker gets idle any more: the list stays what it is. */
	for (; worker != NULL; worker = worker->next)
		ma__worker_wake(worker);
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
		atomic_fetch_add_explicit(&ma__workers_running, 1,
			memory_order_relaxed);
		error = pthread_create(&workers->threads[i].thread, NULL,
			ma__worker_main, &workers->threads[i]);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error != 0) {
		atomic_fetch_sub_explicit(&ma__workers_running, 1,
			memory_order_relaxed);
		stop(workers, i - 1);
	}
	return error;
}

/* What init_threads() has made, of the first `count` workers. */
static void
fini_threads(struct ma__workers *workers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		pthread_cond_destroy(&workers->threads[i].wanted);
}

/* Everything of the workers but their threads; 0 or an error. */
static int
init_threads(struct ma__workers *workers)
{
	for (size_t i = 0; i < workers->count; i++) {
		struct ma__worker *worker = &workers->threads[i];
		const int error = pthread_cond_init(&worker->wanted, NULL);

		if (error != 0) {
			fini_threads(workers, i);
			return error;
		}
		worker->workers = workers;
		worker->next = NULL;
		atomic_init(&worker->idle, false);
		worker->inside = false;
		worker->asleep = false;
		worker->kept_off = false;
		worker->moved = false;
		worker->op = NULL;
		ma__worker_init_idling(worker);
	}
	return 0;
}

void
ma__workers_unref(struct ma__workers *workers)
{
	/* Acquire and release: the last one frees what the others wrote to. */
	if (atomic_fetch_sub_explicit(&workers->refs, 1,
		    memory_order_acq_rel) != 1)
		return;
	/*
	 * In a child the conditions may have waiters that do not exist, and
	 * destroying them would wait for them.
	 */
	if (!workers->orphaned) {
		fini_threads(workers, workers->count);
		pthread_mutex_destroy(&workers->lock);
	}
	ma__pool_fini(&workers->pool);
	free(workers);
}

struct ma__workers *
ma__workers_new(size_t count, size_t limit, ma__execute_fn fn)
{
	const size_t most = (SIZE_MAX - sizeof(struct ma__workers)) /
		sizeof(struct ma__worker);
	struct ma__workers *workers = NULL;
	int error;

	/* Found out on first use, with files and memory: not under our lock. */
	(void)ma__waiters_cpus();
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
	workers->execute = fn;
	atomic_init(&workers->moving, 0);
	atomic_init(&workers->reminded, 0);
	atomic_init(&workers->refs, 1);
	ma__queue_init(&workers->queue);
	workers->load = 0;
	workers->starter = -1;
	workers->idle = NULL;
	workers->awake = count;
	workers->inside = 0;
	workers->helping = 0;
	workers->started = 0;
	memset(workers->took, 0, sizeof(workers->took));
	workers->stopping = false;
	workers->orphaned = false;
	workers->count = count;
	ma__pool_init(&workers->pool, limit);
	error = pthread_mutex_init(&workers->lock, NULL);
	if (error != 0)
		goto no_lock;
	error = init_threads(workers);
	if (error != 0)
		goto no_threads;
	error = start(workers);
	if (error == 0) {
		error = ma__fork_add(&workers->forkable);
		if (error == 0) {
			ma__pool_open(&workers->pool);
			return workers;
		}
		stop(workers, count);
	}
	fini_threads(workers, count);
no_threads:
	pthread_mutex_destroy(&workers->lock);
no_lock:
	free(workers);
	errno = error;
	return NULL;
}

void
ma__workers_delete(struct ma__workers *workers)
{
	/* Before that, since a fork locks its lock no more after it. */
	ma__pool_close(&workers->pool);
	/*
	 * First, so that no fork can come between the joins. A fork before this
	 * finds everything in order; one after it knows nothing of the mover.
	 */
	ma__fork_remove(&workers->forkable);
	if (!workers->orphaned)
		stop(workers, workers->count);
	ma__workers_unref(workers);
}
