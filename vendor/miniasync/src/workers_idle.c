/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * workers_idle.c -- a worker with nothing to take looks for a while, then sleeps
 *
 * A worker and the thread that it works for may share a processor, by the system's
 * choice (workers.c): then neither goes on before the other sleeps, and nothing is
 * done in the background. Of operations that are not worth a wake across processors
 * one alone is quicker that way. But where they follow each other, each costs two
 * switches, while a worker beside would look for the next one and be there at once.
 *
 * So the worker counts how often in a row it was wanted soon, by somebody on its own
 * processor: so often it was *crowded*. When its patience is at an end, who wakes it
 * keeps it off, once, and it looks for as long as it may. Who waits does not sleep
 * meanwhile (`moving`), or the system would put it where the worker went. If all that
 * pays, the worker stays there by never sleeping, and is brought back, by who wakes it
 * next, once it has slept; for on a busy machine it would wait there behind others. If
 * it does not pay, its patience is twice as long.
 *
 * All that is for waits in the library. A program that sleeps by itself, in an event
 * loop, say, would only be woken across processors instead of by a switch. And it is
 * not done where nobody may look (spin.h), nor soon again if others were on the other
 * processor, behind whom the worker had to wait: then its patience stays eight times
 * as long.
 */

#include "clock.h"
#include "os.h"
#include "spin.h"
#include "workers.h"

/* How long it looks; ns. */
#define SPIN_LEAST 500
#define SPIN_MOST 50000

/* How often it is crowded before it moves. */
#define PATIENCE_LEAST 4
#define PATIENCE_MOST 4096

/* So long after a wake somebody else must have been there; ns. */
#define LATE 200000

void
ma__worker_init_idling(struct ma__worker *worker)
{
	worker->spin = 0; /* as short as it gets, to begin with */
	worker->wanted_at = 0;
	worker->wanted_on = -1;
	worker->crowded = 0;
	worker->patience = PATIENCE_LEAST;
	worker->patience_least = PATIENCE_LEAST;
}

bool
ma__worker_is_crowded(struct ma__worker *worker)
{
	/* It sleeps: so it is not among those that run, yet. */
	const size_t running = 1 +
		atomic_load_explicit(&ma__workers_running,
			memory_order_relaxed);

	if (worker->crowded < worker->patience || running >= ma__waiters_cpus())
		return false;
	worker->crowded = 0;
	if (worker->patience < PATIENCE_MOST)
		worker->patience *= 2;
	worker->spin = SPIN_MOST;
	return true;
}

/* Looks for a while whether somebody has taken the worker off the list. */
static void
look_for_work(struct ma__worker *self, uint64_t since)
{
	const uint64_t until = ma__after(since, self->spin);

	if (!ma__spin_allowed())
		return;
	do
		future_cpu_pause();
	while (atomic_load_explicit(&self->idle, memory_order_relaxed) &&
		ma__now() < until);
}

/*
 * Learns from an idle time that is over whether looking pays (spin.h), with the
 * lock held. Who wanted the worker may have done so on the processor that it
 * looked on: then not. (At the mover's end it is nobody; what is left of earlier
 * times then counts as none.)
 */
static void
learn(struct ma__worker *self, uint64_t since, int cpu)
{
	const bool soon = self->wanted_at - since <= SPIN_MOST;
	const bool here = cpu >= 0 && self->wanted_on == cpu;
	const bool pays = soon && !here;

	self->crowded = soon && here ? self->crowded + 1 : 0;
	if (pays && self->patience / 2 >= self->patience_least)
		self->patience /= 2;
	self->spin = ma__spin_learn(self->spin, pays, SPIN_LEAST, SPIN_MOST);
}

/* After a move, with the lock held: did it take long? */
static void
learn_from_move(struct ma__worker *self)
{
	if (ma__now() - self->wanted_at <= LATE) {
		if (self->patience_least > PATIENCE_LEAST)
			self->patience_least /= 2;
		return;
	}
	if (self->patience_least < PATIENCE_MOST)
		self->patience_least *= 8;
	if (self->patience < self->patience_least)
		self->patience = self->patience_least;
}

/* With the lock held, which it gives up meanwhile. */
static void
sleep_until_wanted(struct ma__worker *self)
{
	struct ma__workers *workers = self->workers;
	bool kept_off;

	atomic_fetch_sub_explicit(&ma__workers_running, 1,
		memory_order_relaxed);
	self->asleep = true;
	do
		pthread_cond_wait(&self->wanted, &workers->lock);
	while (atomic_load_explicit(&self->idle, memory_order_relaxed));
	self->asleep = false;
	ma__worker_looks(self, ma__now());
	kept_off = self->kept_off;
	self->kept_off = false;
	if (kept_off && self->moved) {
		learn_from_move(self);
		atomic_fetch_sub_explicit(&workers->moving, 1,
			memory_order_relaxed);
	}
	if (kept_off) {
		/* `off` is written to while it is asleep only. */
		pthread_mutex_unlock(&workers->lock);
		ma__os_let_on(&self->off);
		pthread_mutex_lock(&workers->lock);
	}
	atomic_fetch_add_explicit(&ma__workers_running, 1,
		memory_order_relaxed);
}

void
ma__worker_be_idle(struct ma__worker *self)
{
	struct ma__workers *workers = self->workers;
	const uint64_t since = ma__now();
	const int cpu = ma__os_processor();

	self->next = workers->idle;
	workers->idle = self;
	workers->awake--;
	atomic_store_explicit(&self->idle, true, memory_order_relaxed);
	pthread_mutex_unlock(&workers->lock);

	look_for_work(self, since);
	pthread_mutex_lock(&workers->lock);
	if (atomic_load_explicit(&self->idle, memory_order_relaxed))
		sleep_until_wanted(self);
	learn(self, since, cpu);
}
