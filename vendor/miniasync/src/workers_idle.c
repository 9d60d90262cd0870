/* SPDX-License-Identifier: BSD-3-Clause */
/* workers_idle.c -- a worker with nothing to take looks for a while, then sleeps */

#include "clock.h"
#include "os.h"
#include "spin.h"
#include "workers.h"

/* How long it looks; ns. */
#define SPIN_LEAST 500
#define SPIN_MOST 50000

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
	const bool pays = self->wanted_at - since <= SPIN_MOST &&
		(cpu < 0 || self->wanted_on != cpu);

	self->spin = ma__spin_learn(self->spin, pays, SPIN_LEAST, SPIN_MOST);
}

/* With the lock held. */
static void
sleep_until_wanted(struct ma__worker *self)
{
	atomic_fetch_sub_explicit(&ma__workers_running, 1,
		memory_order_relaxed);
	self->asleep = true;
	do
		pthread_cond_wait(&self->wanted, &self->workers->lock);
	while (atomic_load_explicit(&self->idle, memory_order_relaxed));
	self->asleep = false;
	if (self->kept_off)
		ma__os_let_on(&self->off);
	self->kept_off = false;
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
