/* SPDX-License-Identifier: BSD-3-Clause */
/* helpers.h -- short ways to what most tests of the library need */

#ifndef HELPERS_H
#define HELPERS_H

#include "t.h"

#include <libminiasync.h>

static inline struct runtime *
new_runtime(void)
{
	struct runtime *r = runtime_new();

	CHECK(r != NULL);
	return r;
}

static inline struct future_waiter *
new_waiter(void)
{
	struct future_waiter *w = future_waiter_new();

	CHECK(w != NULL);
	return w;
}

/* A mover with wakers, all of whose operations go through a worker. */
static inline struct data_mover_threads *
new_queueing_mover(size_t nthreads)
{
	struct data_mover_threads *m =
		data_mover_threads_new(nthreads, 16, FUTURE_NOTIFIER_WAKER);

	CHECK(m != NULL);
	data_mover_threads_set_inline_below(m, 0);
	return m;
}

/* Polls to the end, without keeping a worker from its processor. */
static inline void
poll_out(struct future *fut)
{
	while (future_poll(fut, NULL) != FUTURE_STATE_COMPLETE)
		sched_yield();
}

/* Waits for one future, however long it takes. */
static inline void
wait_with(struct future_waiter *w, struct future *fut)
{
	CHECK_INT(future_waiter_wait(w, &fut, 1, 1, FUTURE_WAITER_FOREVER, 0),
		0);
}

#endif /* HELPERS_H */
