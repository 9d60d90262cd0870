/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_op_lock.c -- an operation whose lock is held by a thread that does not run
 *
 * The lock is held for a few instructions, but its holder may lose its processor
 * in the middle of them. Who wants it spins, yields, and at last sleeps: here it
 * is given back in the sleep, or in the yield. Linked so that these come here.
 */

#include "gated.h"

#include "operation.h"

static struct ma__op *held; /* LOCKED, until one of the two below is called */
static int release_in_yield;
static int yields, naps;

static void
release(void)
{
	if (held != NULL)
		atomic_store(&held->state, MA__OP_PENDING);
	held = NULL;
}

int __wrap_sched_yield(void);
int
__wrap_sched_yield(void)
{
	yields++;
	if (release_in_yield)
		release();
	return 0;
}

int __wrap_nanosleep(const struct timespec *time, struct timespec *left);
int
__wrap_nanosleep(const struct timespec *time, struct timespec *left)
{
	(void)left;
	CHECK(time->tv_sec == 0);
	naps++;
	release();
	return 0;
}

/* A poll that gives another notifier, while somebody holds the lock. */
static void
poll_while_held(int in_yield)
{
	struct data_mover_threads *m = gated_new(1, FUTURE_NOTIFIER_WAKER);
	struct counting by;
	struct copy c;

	counting_init(&by);
	copy_init(&c, data_mover_threads_get_vdm(m), 1);
	CHECK_INT(copy_poll(&c, NULL), FUTURE_STATE_RUNNING);
	t_pass(&gate_entered);

	release_in_yield = in_yield;
	yields = 0;
	naps = 0;
	held = c.fut.data.data;
	CHECK_INT(atomic_exchange(&held->state, MA__OP_LOCKED), MA__OP_PENDING);
	CHECK_INT(copy_poll(&c, &by.notifier), FUTURE_STATE_RUNNING);
	CHECK(held == NULL);
	CHECK_INT(naps, !in_yield);
	CHECK(in_yield ? yields == 1 : yields > 1);
	CHECK_INT(by.notifier.notifier_used, FUTURE_NOTIFIER_WAKER);

	t_open(&gate);
	copy_await(&c, &by);
	copy_check(&c);
	data_mover_threads_delete(m);
}

static void
yields_at_first(void)
{
	poll_while_held(1);
}

static void
sleeps_at_last(void)
{
	poll_while_held(0);
}

/* A poll without a notifier has nothing to do with the lock, if there was none. */
static void
not_wanted_without_notifiers(void)
{
	struct data_mover_threads *m = gated_new(1, FUTURE_NOTIFIER_WAKER);
	struct counting by;
	struct copy c;

	counting_init(&by);
	copy_init(&c, data_mover_threads_get_vdm(m), 1);
	CHECK_INT(copy_poll(&c, NULL), FUTURE_STATE_RUNNING);
	t_pass(&gate_entered);

	yields = 0;
	naps = 0;
	held = c.fut.data.data;
	CHECK_INT(atomic_exchange(&held->state, MA__OP_LOCKED), MA__OP_PENDING);
	CHECK_INT(copy_poll(&c, NULL), FUTURE_STATE_RUNNING);
	CHECK_INT(yields + naps, 0);
	CHECK(held != NULL);
	release();

	/* one that takes a waker away does want it */
	release_in_yield = 1;
	CHECK_INT(copy_poll(&c, &by.notifier), FUTURE_STATE_RUNNING);
	held = c.fut.data.data;
	CHECK_INT(atomic_exchange(&held->state, MA__OP_LOCKED), MA__OP_PENDING);
	CHECK_INT(copy_poll(&c, NULL), FUTURE_STATE_RUNNING);
	CHECK_INT(yields, 1);
	CHECK(held == NULL);

	t_open(&gate);
	poll_out(copy_future(&c));
	copy_check(&c);
	CHECK_INT(atomic_load(&by.calls), 0);
	data_mover_threads_delete(m);
}

T_MAIN(T_CASE(yields_at_first), T_CASE(sleeps_at_last),
	T_CASE(not_wanted_without_notifiers))
