/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fork.c -- what becomes of movers when the process forks
 *
 * fork() copies the memory, but only the thread that calls it. A lock that
 * another thread holds at that moment stays locked in the child, and memory is
 * copied page by page while the other threads run on: what the child sees of
 * them need not have been true at any one time. Therefore every mover is locked
 * for the time of the fork: no worker can take or give back work, so that the
 * child's picture of who was executing what is exact.
 *
 * Lock order: the list's lock, then the movers' locks, in the order of the
 * list. No other place holds two of them, but pool.c one pool's with the list's.
 */

#include "fork.h"

#include <pthread.h>
#include <sched.h>
#include <stddef.h>

#include "clock.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct ma__forkable *first;
static bool installed;

static void
prepare(void)
{
	pthread_mutex_lock(&lock);
	for (struct ma__forkable *at = first; at != NULL; at = at->next)
		at->prepare(at);
}

static void
parent(void)
{
	for (struct ma__forkable *at = first; at != NULL; at = at->next)
		at->parent(at);
	pthread_mutex_unlock(&lock);
}

static void
child(void)
{
	for (struct ma__forkable *at = first; at != NULL; at = at->next)
		at->child(at);
	/* The child's one thread is the one that locked it. */
	pthread_mutex_unlock(&lock);
}

/* With the lock held; 0 or an error. */
static int
install(void)
{
	int error = 0;

	if (!installed)
		error = pthread_atfork(prepare, parent, child);
	installed = error == 0;
	return error;
}

#ifdef __GNUC__
/*
 * As early as possible: what is registered first is called last before the fork
 * and first after it, so that the handlers of programs that use movers find them
 * working. (Not if the library was loaded after they were registered.) 101 is
 * the first priority that is not reserved.
 */
__attribute__((constructor(101))) static void
install_early(void)
{
	pthread_mutex_lock(&lock);
	(void)install(); /* if it fails, the first mover tries again */
	pthread_mutex_unlock(&lock);
}
#endif

void
ma__fork_hold(void)
{
	pthread_mutex_lock(&lock);
}

bool
ma__fork_try_hold(void)
{
	const uint64_t until = ma__after(ma__now(), 1000 * MA__MS);

	while (pthread_mutex_trylock(&lock) != 0) {
		if (ma__now() >= until)
			return false;
		sched_yield();
	}
	return true;
}

void
ma__fork_release(void)
{
	pthread_mutex_unlock(&lock);
}

int
ma__fork_add(struct ma__forkable *forkable)
{
	int error;

	pthread_mutex_lock(&lock);
	error = install();
	if (error == 0) {
		forkable->prev = NULL;
		forkable->next = first;
		if (first != NULL)
			first->prev = forkable;
		first = forkable;
	}
	pthread_mutex_unlock(&lock);
	return error;
}

void
ma__fork_remove(struct ma__forkable *forkable)
{
	pthread_mutex_lock(&lock);
	if (forkable->prev != NULL)
		forkable->prev->next = forkable->next;
	else
		first = forkable->next;
	if (forkable->next != NULL)
		forkable->next->prev = forkable->prev;
	pthread_mutex_unlock(&lock);
}
