/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * forked.h -- what the tests of fork share: a gated mover, and children
 *
 * Each child has ten seconds, and what it does must not show in the parent.
 */

#ifndef FORKED_H
#define FORKED_H

#include "gated.h"

#define CHILD_SECONDS 10

static struct data_mover_threads *mover;
static struct runtime *runtime;
static struct copy copies[8];

static inline void
setup(size_t nthreads, enum future_notifier_type desired)
{
	mover = gated_new(nthreads, desired);
	runtime = new_runtime();
}

static inline void
teardown(void)
{
	runtime_delete(runtime);
	data_mover_threads_delete(mover);
}

/* An operation on the mover from before the fork, made now. */
static inline void
use_inherited_mover(void)
{
	struct future_waiter *w = new_waiter();
	struct future *futs[2];
	unsigned char to[3][500];
	struct vdm_operation_future f[3];

	for (int i = 0; i < 3; i++)
		f[i] = vdm_memset(data_mover_threads_get_vdm(mover), to[i],
			i + 1, sizeof(to[i]), 0);
	poll_out(FUTURE_AS_RUNNABLE(&f[0]));
	runtime_wait(runtime, FUTURE_AS_RUNNABLE(&f[1]));
	futs[0] = FUTURE_AS_RUNNABLE(&f[2]);
	futs[1] = futs[0];
	CHECK_INT(future_waiter_wait(w, futs, 2, 2, FUTURE_WAITER_FOREVER, 0),
		0);
	for (int i = 0; i < 3; i++) {
		CHECK_INT(f[i].output.result, VDM_SUCCESS);
		for (size_t j = 0; j < sizeof(to[i]); j++)
			CHECK_INT(to[i][j], i + 1);
	}
	future_waiter_delete(w);
}

/*
 * Everything new: the child may do what any process may. ThreadSanitizer cannot
 * follow threads that a forked child starts, and QEMU 7.2 aborts.
 */
static inline void
use_new_things(void)
{
	struct data_mover_threads *m;
	struct runtime *r;
	struct copy c[20];
	struct future *futs[20];

	if (T_TSAN || T_EMULATED)
		return;
	m = new_queueing_mover(2);
	r = new_runtime();
	for (int i = 0; i < 20; i++) {
		copy_init(&c[i], data_mover_threads_get_vdm(m), (uint64_t)i);
		futs[i] = copy_future(&c[i]);
	}
	runtime_wait_multiple(r, futs, 20);
	for (int i = 0; i < 20; i++)
		copy_check(&c[i]);
	runtime_delete(r);
	data_mover_threads_delete(m);
}

enum how { BY_POLLING, BY_RUNTIME, BY_WAITER, HOWS };

static inline void
finish(enum how how, struct future *fut)
{
	struct future_waiter *w;

	switch (how) {
	case BY_POLLING:
		poll_out(fut);
		break;
	case BY_RUNTIME:
		runtime_wait(runtime, fut);
		break;
	default:
		w = new_waiter();
		wait_with(w, fut);
		future_waiter_delete(w);
	}
}

static inline void
child_of_an_idle_mover(void *arg)
{
	(void)arg;
	use_inherited_mover();
	use_new_things();
	teardown();
	use_new_things();
}

/* Deleting is all that some children do. */
static inline void
child_that_deletes(void *arg)
{
	(void)arg;
	teardown();
}

#endif /* FORKED_H */
