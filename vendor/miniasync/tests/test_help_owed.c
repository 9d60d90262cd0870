/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_help_owed.c -- a wait that starts an operation and does not execute it
 *
 * It woke no worker, because it was going to execute the operation itself.
 * Whatever keeps it from that has to make it wake one: the copy here ends while
 * only polls outside of waits look at it, which execute nothing.
 */

#include "helpers.h"

enum { N = 65536, TRIES = 30 };

static struct data_mover_threads *mover;
static struct future_waiter *waiter;
static struct vdm_operation_future copy;
static unsigned char src[N];
static unsigned char dst[N];

static void
setup(void)
{
	struct vdm_operation_future fill;

	mover = data_mover_threads_new(1, 1, FUTURE_NOTIFIER_WAKER);
	CHECK(mover != NULL);
	/* its worker has been there, and has found nothing else, likely */
	fill = vdm_memset(data_mover_threads_get_vdm(mover), dst, 1, N, 0);
	poll_out(FUTURE_AS_RUNNABLE(&fill));
	waiter = new_waiter();
	t_fill(src, N, 1);
	memset(dst, 0, N);
	copy = vdm_memcpy(data_mover_threads_get_vdm(mover), dst, src, N, 0);
}

static void
teardown(void)
{
	CHECK_INT(FUTURE_STATE(&copy), FUTURE_STATE_COMPLETE);
	CHECK_INT(copy.output.result, VDM_SUCCESS);
	CHECK(memcmp(dst, src, N) == 0);
	if (mover != NULL)
		data_mover_threads_delete(mover);
	future_waiter_delete(waiter);
}

static void *
poll_copy_out(void *arg)
{
	poll_out(FUTURE_AS_RUNNABLE(&copy));
	return arg;
}

/* In a thread that is in no wait. */
static void
await_copy_elsewhere(void)
{
	pthread_t thread;

	t_start(&thread, poll_copy_out, NULL);
	t_join(thread);
}

/* A future that does one thing in its poll, and is complete. */
typedef void (*doing_fn)(void);
FUTURE(doing, doing_fn, int);

static enum future_state
doing_task(struct future_context *context, struct future_notifier *n)
{
	doing_fn *what = future_context_get_data(context);

	(void)n;
	(*what)();
	return FUTURE_STATE_COMPLETE;
}

static int
is_async(void *future, enum future_property property)
{
	(void)future;
	return property == FUTURE_PROPERTY_ASYNC;
}

static void
nothing(void)
{
}

/* The copy is in a wait with a future that does this, before or after it. */
static void
wait_beside(doing_fn what, future_has_property_fn property, size_t nwanted,
	uint64_t deadline)
{
	struct doing d = {.data = what};
	struct future *futs[2];
	int rc;

	futs[what == nothing] = FUTURE_AS_RUNNABLE(&copy);
	futs[what != nothing] = FUTURE_AS_RUNNABLE(&d);
	FUTURE_INIT_EXT(&d, doing_task, property);
	rc = future_waiter_wait(waiter, futs, 2, nwanted, deadline, 0);
	/* the worker may have been quick, if it was still looking */
	if (FUTURE_STATE(&copy) != FUTURE_STATE_COMPLETE && nwanted == 2)
		CHECK_INT(rc, ETIMEDOUT);
	else
		CHECK_INT(rc, 0);
	CHECK_INT(FUTURE_STATE(&d), FUTURE_STATE_COMPLETE);
}

static void
it_has_what_it_wants(void)
{
	for (int i = 0; i < TRIES; i++) {
		setup();
		wait_beside(nothing, is_async, 1, FUTURE_WAITER_FOREVER);
		poll_out(FUTURE_AS_RUNNABLE(&copy));
		teardown();
	}
}

/* It has executed a part of a move, which has to be continued at its end. */
static void
it_has_helped(void)
{
	enum { LARGE = 16 << 20 };
	unsigned char *bytes = t_malloc(LARGE + 1);
	unsigned char *expected = t_malloc(LARGE + 1);

	for (int i = 0; i < TRIES / 5; i++) {
		struct future *fut = FUTURE_AS_RUNNABLE(&copy);

		setup();
		t_fill(bytes, LARGE + 1, (uint64_t)i);
		memcpy(expected, bytes, LARGE + 1);
		memmove(expected + 1, expected, LARGE);
		CHECK_INT(vdm_operation_release(&copy), 0);
		copy = vdm_memmove(data_mover_threads_get_vdm(mover), bytes + 1,
			bytes, LARGE, 0);
		CHECK_INT(future_waiter_wait(waiter, &fut, 1, 1,
				  t_now() + T_MS / 20, 0),
			ETIMEDOUT);
		poll_out(fut);
		CHECK(memcmp(bytes, expected, LARGE + 1) == 0);
		data_mover_threads_delete(mover);
		future_waiter_delete(waiter);
	}
	free(bytes);
	free(expected);
}

static void
it_is_late(void)
{
	for (int i = 0; i < TRIES; i++) {
		setup();
		wait_beside(nothing, is_async, 2, 0);
		poll_out(FUTURE_AS_RUNNABLE(&copy));
		teardown();
	}
}

/* What is not asynchronous works in its poll, beside the copy. */
static void
the_others_work(void)
{
	for (int i = 0; i < TRIES; i++) {
		setup();
		wait_beside(await_copy_elsewhere, future_has_property_default,
			2, FUTURE_WAITER_FOREVER);
		teardown();
	}
}

FUTURE(asked, int, int);

/* Asked for the second time, it returns when the copy has ended. */
static int
asked_property(void *future, enum future_property property)
{
	struct asked *a = future;

	if (property == FUTURE_PROPERTY_ASYNC && ++a->data == 2)
		await_copy_elsewhere();
	return property == FUTURE_PROPERTY_ASYNC;
}

static enum future_state
asked_task(struct future_context *context, struct future_notifier *n)
{
	const int *asks = future_context_get_data(context);

	(void)n;
	return *asks < 2 ? FUTURE_STATE_RUNNING : FUTURE_STATE_COMPLETE;
}

/* A property function may do anything, too: a chain makes its next future. */
static void
it_asks_for_a_property(void)
{
	for (int i = 0; i < TRIES; i++) {
		struct asked a = {.data = 0};
		struct future *futs[2];

		setup();
		FUTURE_INIT_EXT(&a, asked_task, asked_property);
		futs[0] = FUTURE_AS_RUNNABLE(&a);
		futs[1] = FUTURE_AS_RUNNABLE(&copy);
		CHECK_INT(future_waiter_wait(waiter, futs, 2, 2,
				  FUTURE_WAITER_FOREVER, 0),
			0);
		CHECK_INT(a.data, 2);
		teardown();
	}
}

FUTURE(until_copied, int, int);

static enum future_state
until_copied_task(struct future_context *context, struct future_notifier *n)
{
	(void)context;
	(void)n;
	await_copy_elsewhere();
	return FUTURE_STATE_COMPLETE;
}

static void
wait_inside(void)
{
	struct runtime *r = new_runtime();
	struct until_copied u;

	FUTURE_INIT(&u, until_copied_task);
	runtime_wait(r, FUTURE_AS_RUNNABLE(&u));
	runtime_delete(r);
}

static void
it_waits_within(void)
{
	for (int i = 0; i < TRIES; i++) {
		setup();
		wait_beside(wait_inside, is_async, 2, FUTURE_WAITER_FOREVER);
		teardown();
	}
}

static void
finish_and_delete(void)
{
	while (future_poll(FUTURE_AS_RUNNABLE(&copy), NULL) !=
		FUTURE_STATE_COMPLETE)
		;
	data_mover_threads_delete(mover);
	mover = NULL;
}

/* What it owes is to a mover that is no more. */
static void
the_mover_is_deleted(void)
{
	for (int i = 0; i < TRIES; i++) {
		setup();
		wait_beside(finish_and_delete, is_async, 2,
			FUTURE_WAITER_FOREVER);
		teardown();
	}
}

static sem_t entered;
static sem_t leave;

static void *
held_memset(void *str, int c, size_t n, unsigned flags)
{
	(void)flags;
	t_open(&entered);
	t_pass(&leave);
	return memset(str, c, n);
}

/* Looks at what another thread may be writing. Atomic, as helgrind is told. */
__attribute__((noinline, no_sanitize("thread"))) static int
copied(void)
{
	return __atomic_load_n(&dst[N - 1], __ATOMIC_RELAXED) == src[N - 1];
}

/* Its thread returns when somebody else has executed the copy. */
static void *
memcpy_when_copied(void *to, const void *from, size_t n, unsigned flags)
{
	(void)flags;
	while (!copied())
		sched_yield();
	return memcpy(to, from, n);
}

/* A function that nothing is known about, before the copy; one worker is held. */
static void
it_is_in_a_function(void)
{
	static unsigned char byte[3];

	CHECK(sem_init(&entered, 0, 0) == 0);
	CHECK(sem_init(&leave, 0, 0) == 0);
	for (int i = 0; i < TRIES; i++) {
		struct vdm_operation_future fill;
		struct vdm_operation_future call;
		struct future *futs[2];
		struct runtime *r = new_runtime();
		struct vdm *vdm;

		mover = data_mover_threads_new(2, 1, FUTURE_NOTIFIER_WAKER);
		CHECK(mover != NULL);
		vdm = data_mover_threads_get_vdm(mover);
		data_mover_threads_set_memset_fn(mover, held_memset);
		data_mover_threads_set_memcpy_fn(mover, memcpy_when_copied);
		fill = vdm_memset(vdm, &byte[0], 1, 1, 0);
		future_poll(FUTURE_AS_RUNNABLE(&fill), NULL);
		t_pass(&entered);
		waiter = new_waiter();
		t_fill(src, N, 1);
		memset(dst, 0, N);
		call = vdm_memcpy(vdm, &byte[1], &byte[2], 1, 0);
		copy = vdm_memmove(vdm, dst, src, N, 0);
		futs[0] = FUTURE_AS_RUNNABLE(&call);
		futs[1] = FUTURE_AS_RUNNABLE(&copy);
		runtime_wait_multiple(r, futs, 2);
		t_open(&leave);
		poll_out(FUTURE_AS_RUNNABLE(&fill));
		runtime_delete(r);
		teardown();
	}
}

/* Movers beyond the first are not owed: their workers are woken. */
static void
several_movers(void)
{
	enum { MOVERS = 3 };
	static unsigned char bytes[MOVERS][N];
	struct data_mover_threads *movers[MOVERS];
	struct vdm_operation_future fills[MOVERS];
	struct future *futs[MOVERS + 1];
	struct doing d = {.data = nothing};

	waiter = new_waiter();
	for (int i = 0; i < MOVERS; i++) {
		movers[i] = data_mover_threads_new(1, 1, FUTURE_NOTIFIER_WAKER);
		CHECK(movers[i] != NULL);
		fills[i] = vdm_memset(data_mover_threads_get_vdm(movers[i]),
			bytes[i], i + 1, N, 0);
		futs[i] = FUTURE_AS_RUNNABLE(&fills[i]);
	}
	FUTURE_INIT_EXT(&d, doing_task, is_async);
	futs[MOVERS] = FUTURE_AS_RUNNABLE(&d);
	CHECK_INT(future_waiter_wait(waiter, futs, MOVERS + 1, 1,
			  FUTURE_WAITER_FOREVER, 0),
		0);
	for (int i = 0; i < MOVERS; i++) {
		poll_out(futs[i]);
		CHECK_INT(bytes[i][0], i + 1);
		CHECK_INT(bytes[i][N - 1], i + 1);
		data_mover_threads_delete(movers[i]);
	}
	future_waiter_delete(waiter);
}

T_MAIN(T_CASE(it_has_what_it_wants), T_CASE(it_is_late), T_CASE(it_has_helped),
	T_CASE(the_others_work), T_CASE(it_asks_for_a_property),
	T_CASE(it_waits_within), T_CASE(the_mover_is_deleted),
	T_CASE(it_is_in_a_function), T_CASE(several_movers))
