/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * probe.h -- a future that does as it is told and remembers how it was polled
 *
 * It completes at poll number `done_at`, or at the first poll after `done` was
 * set. It never calls a waker by itself: probe_finish() and probe_wake() do,
 * and they keep the waker contract, since a poll that replaces the waker waits
 * for the call under way.
 */

#ifndef PROBE_H
#define PROBE_H

#include "helpers.h"

enum probe_kind {
	PROBE_NONE, /* announces nothing */
	PROBE_WAKER, /* announces a waker at every poll */
	PROBE_WAKER_ONCE, /* at the first, then leaves the notifier alone */
	PROBE_POLLER, /* announces `word` at every poll */
};

struct probe;
FUTURE(probe_future, struct probe *, int);

struct probe {
	struct probe_future fut;
	enum probe_kind kind;
	int id;
	int done_at;
	atomic_int done;
	atomic_int async;
	atomic_int polls;
	atomic_int questions; /* how often it was asked for a property */
	/* called in each poll after the announcement, if not NULL */
	void (*on_poll)(struct probe *probe, int poll,
		struct future_notifier *notifier);
	void *arg;
	sem_t polled; /* posted by each poll */
	pthread_mutex_t lock;
	struct future_waker waker; /* the one announced last */
	_Atomic uint64_t word;
};

static inline enum future_state
probe_task(struct future_context *context, struct future_notifier *notifier)
{
	struct probe *p = *(struct probe **)future_context_get_data(context);
	int *output = future_context_get_output(context);
	int poll = atomic_fetch_add(&p->polls, 1) + 1;

	if (notifier != NULL) {
		int announces = p->kind == PROBE_WAKER ||
			(p->kind == PROBE_WAKER_ONCE && poll == 1);

		/* who polls starts from NONE and offers a waker */
		CHECK_INT(notifier->notifier_used, FUTURE_NOTIFIER_NONE);
		CHECK(notifier->waker.wake != NULL);
		if (announces) {
			notifier->notifier_used = FUTURE_NOTIFIER_WAKER;
			pthread_mutex_lock(&p->lock);
			p->waker = notifier->waker;
			pthread_mutex_unlock(&p->lock);
		} else if (p->kind == PROBE_POLLER) {
			notifier->notifier_used = FUTURE_NOTIFIER_POLLER;
			notifier->poller.ptr_to_monitor = (uint64_t *)&p->word;
		}
	}
	if (p->on_poll != NULL)
		p->on_poll(p, poll, notifier);
	*output = poll;
	/* after the announcement, or a wake in between would be lost */
	if (!atomic_load(&p->done) && (p->done_at == 0 || poll < p->done_at)) {
		t_open(&p->polled);
		return FUTURE_STATE_RUNNING;
	}
	t_open(&p->polled);
	return FUTURE_STATE_COMPLETE;
}

static inline int
probe_property(void *future, enum future_property property)
{
	struct probe *p = ((struct probe_future *)future)->data;

	if (property != FUTURE_PROPERTY_ASYNC)
		return 0;
	atomic_fetch_add(&p->questions, 1);
	return atomic_load(&p->async);
}

static inline void
probe_init(struct probe *p, enum probe_kind kind)
{
	memset(p, 0, sizeof(*p));
	p->kind = kind;
	p->fut.data = p;
	FUTURE_INIT_EXT(&p->fut, probe_task, probe_property);
	CHECK(sem_init(&p->polled, 0, 0) == 0);
	CHECK(pthread_mutex_init(&p->lock, NULL) == 0);
}

static inline void
probe_fini(struct probe *p)
{
	sem_destroy(&p->polled);
	pthread_mutex_destroy(&p->lock);
}

static inline struct future *
probe_future(struct probe *p)
{
	return FUTURE_AS_RUNNABLE(&p->fut);
}

/* Waits until it has been polled n times in all. */
static inline void
probe_await(struct probe *p, int n)
{
	while (atomic_load(&p->polls) < n)
		t_pass(&p->polled);
}

/* Calls the waker announced last, if there was any. */
static inline void
probe_wake(struct probe *p)
{
	pthread_mutex_lock(&p->lock);
	if (p->waker.wake != NULL)
		FUTURE_WAKER_WAKE(&p->waker);
	pthread_mutex_unlock(&p->lock);
}

/* Makes the next poll the last one, and says so. */
static inline void
probe_finish(struct probe *p)
{
	atomic_store(&p->done, 1);
	atomic_fetch_add(&p->word, 1);
	probe_wake(p);
}

#endif /* PROBE_H */
