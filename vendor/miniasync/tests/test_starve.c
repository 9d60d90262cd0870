/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_starve.c -- futures beside one that wakes its waiter all the time
 *
 * A wait that has something to poll at every turn never comes to sleep; what it
 * does before or after sleeping must not depend on that.
 */

#include "t.h"

#include <libminiasync.h>

enum kind {
	RESTLESS, /* calls its waker in every poll, and never ends */
	SILENT, /* announces nothing, and ends at its 20th late poll */
	FORGETFUL /* announces its waker, forgets it, and ends when it is late */
};

/* Later than this the polling round after round is over. */
#define LATE (10 * T_MS)

struct task {
	enum kind kind;
	uint64_t begin;
	int polls;
};

FUTURE(task_future, struct task, int);

static enum future_state
task(struct future_context *context, struct future_notifier *n)
{
	struct task *t = future_context_get_data(context);

	if (t->kind != SILENT && n != NULL)
		n->notifier_used = FUTURE_NOTIFIER_WAKER;
	if (t->kind == RESTLESS && n != NULL)
		FUTURE_WAKER_WAKE(&n->waker);
	if (t->kind == RESTLESS || t_now() - t->begin < LATE)
		return FUTURE_STATE_RUNNING;
	t->polls++;
	return t->kind == FORGETFUL || t->polls == 20 ? FUTURE_STATE_COMPLETE
						      : FUTURE_STATE_RUNNING;
}

static void
beside_a_restless_one(enum kind kind)
{
	struct future_waiter *w = future_waiter_new();
	struct task_future f[2];
	struct future *futs[2];

	CHECK(w != NULL);
	for (int i = 0; i < 2; i++) {
		memset(&f[i].data, 0, sizeof(f[i].data));
		f[i].data.kind = i == 0 ? RESTLESS : kind;
		f[i].data.begin = t_now();
		FUTURE_INIT(&f[i], task);
		futs[i] = FUTURE_AS_RUNNABLE(&f[i]);
	}
	/* It takes some 0.1 s; where it is left to the checks, over 4 s. */
	CHECK_INT(future_waiter_wait(w, futs, 2, 1, t_now() + 3000 * T_MS, 0),
		0);
	CHECK_INT(FUTURE_STATE(&f[1]), FUTURE_STATE_COMPLETE);
	future_waiter_delete(w);
}

static void
a_silent_one_is_polled(void)
{
	beside_a_restless_one(SILENT);
}

static void
a_forgetful_one_is_polled(void)
{
	beside_a_restless_one(FORGETFUL);
}

T_MAIN(T_CASE(a_silent_one_is_polled), T_CASE(a_forgetful_one_is_polled))
