/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_help.c -- a thread that waits executes what it waits for
 *
 * Operations that were started before. The only worker is held, so whatever ends
 * was executed by the wait. Wakes that a wait owes: test_help_owed.c.
 */

#include "held.h"

#define LARGE ((size_t)24 << 20)

static const size_t sizes[] = {
	4096, 65536, (1 << 20) + 1, (3 << 20) + 4097, LARGE};

static void
a_started_one(void)
{
	struct held h;

	hold(&h, LARGE, 4096);
	for (size_t i = 0; i < T_COUNT(sizes); i++) {
		struct vdm_operation_future c = held_copy(&h, sizes[i]);

		start_it(&c, NULL);
		runtime_wait(h.runtime, FUTURE_AS_RUNNABLE(&c));
		check_held_copy(&h, &c);

		c = held_copy(&h, sizes[i]);
		start_it(&c, NULL);
		CHECK_INT(wait_for(&h, FUTURE_AS_RUNNABLE(&c), T_SECOND * 40),
			0);
		check_held_copy(&h, &c);
	}
	let_go(&h);
}

/* A poll outside a wait moves nothing. */
static void
not_by_polling(void)
{
	struct vdm_operation_future c;
	unsigned char *before = t_malloc(LARGE);
	struct held h;

	hold(&h, LARGE, 4096);
	c = held_copy(&h, LARGE);
	memcpy(before, h.dst, LARGE);
	for (int i = 0; i < 100; i++)
		start_it(&c, NULL);
	CHECK(memcmp(h.dst, before, LARGE) == 0);
	runtime_wait(h.runtime, FUTURE_AS_RUNNABLE(&c));
	check_held_copy(&h, &c);
	let_go(&h);
	free(before);
}

/* Twelve, some large, some started before, one of them listed twice. */
static void
several(void)
{
	enum { N = 12 };
	struct vdm_operation_future c[N];
	struct future *futs[N + 1];
	struct held h;

	hold(&h, LARGE, 4096);
	for (int i = 0; i < N; i++) {
		const size_t at = (size_t)i * (2 << 20);
		const size_t n = i % 3 == 0 ? 2 << 20 : 5000;

		c[i] = vdm_memcpy(h.vdm, h.dst + at, h.src + at, n, 0);
		if (i % 2 == 0)
			start_it(&c[i], NULL);
		futs[i] = FUTURE_AS_RUNNABLE(&c[i]);
	}
	futs[N] = futs[6];
	runtime_wait_multiple(h.runtime, futs, N + 1);
	for (int i = 0; i < N; i++) {
		const size_t at = (size_t)i * (2 << 20);
		const size_t n = i % 3 == 0 ? 2 << 20 : 5000;

		CHECK_INT(FUTURE_STATE(&c[i]), FUTURE_STATE_COMPLETE);
		CHECK(memcmp(h.dst + at, h.src + at, n) == 0);
		CHECK(h.dst[at + n - 1] == h.src[at + n - 1]);
	}
	let_go(&h);
}

/* It looks at its deadline in between, and goes on where it stopped. */
static void
the_deadline(void)
{
	struct vdm_operation_future c;
	struct held h;
	int rc;

	hold(&h, 64 << 20, 4096);
	for (int i = 0; i < 3; i++) {
		int late = 0;

		c = held_copy(&h, h.n);
		start_it(&c, NULL);
		/* no machine copies that much in the time */
		CHECK_INT(wait_for(&h, FUTURE_AS_RUNNABLE(&c), T_MS / 5),
			ETIMEDOUT);
		CHECK_INT(FUTURE_STATE(&c), FUTURE_STATE_RUNNING);
		do {
			rc = wait_for(&h, FUTURE_AS_RUNNABLE(&c), T_MS / 5);
			late += rc != 0;
		} while (rc != 0);
		CHECK(late > 0);
		check_held_copy(&h, &c);
	}
	let_go(&h);
}

/* A move that one thread at a time can work at is cut all the same. */
static void
overlapping(void)
{
	struct held h;

	hold(&h, LARGE, 4096);
	for (int up = 0; up <= 1; up++) {
		const size_t n = LARGE - 10;
		unsigned char *expected = t_malloc(LARGE);
		struct vdm_operation_future f;
		int late = 0;

		memcpy(expected, h.src, LARGE);
		memmove(expected + 10 * up, expected + 10 * !up, n);
		f = vdm_memmove(h.vdm, h.src + 10 * up, h.src + 10 * !up, n, 0);
		while (wait_for(&h, FUTURE_AS_RUNNABLE(&f), T_MS / 20) != 0)
			late++;
		CHECK(late > 0);
		CHECK(memcmp(h.src, expected, LARGE) == 0);
		free(expected);
	}
	let_go(&h);
}

FUTURE(counted_future, int, int);

/* Is complete at its third poll. */
static enum future_state
counted_task(struct future_context *context, struct future_notifier *n)
{
	int *polls = future_context_get_data(context);

	(void)n;
	return ++*polls == 3 ? FUTURE_STATE_COMPLETE : FUTURE_STATE_RUNNING;
}

/* It looks at what it has, and does not want all of it. */
static void
one_of_two(void)
{
	struct counted_future counted = {.data = 0};
	struct vdm_operation_future c;
	struct future *futs[2];
	struct held h;

	hold(&h, LARGE, 4096);
	c = held_copy(&h, LARGE);
	FUTURE_INIT(&counted, counted_task);
	futs[0] = FUTURE_AS_RUNNABLE(&c);
	futs[1] = FUTURE_AS_RUNNABLE(&counted);
	CHECK_INT(future_waiter_wait(h.waiter, futs, 2, 1,
			  FUTURE_WAITER_FOREVER, 0),
		0);
	CHECK_INT(FUTURE_STATE(&counted), FUTURE_STATE_COMPLETE);
	CHECK_INT(counted.data, 3);
	CHECK_INT(FUTURE_STATE(&c), FUTURE_STATE_RUNNING);
	runtime_wait(h.runtime, FUTURE_AS_RUNNABLE(&c));
	check_held_copy(&h, &c);
	let_go(&h);
}

/* It wants none: it only starts or polls. */
static void
none_of_one(void)
{
	struct vdm_operation_future c;
	struct future *fut = FUTURE_AS_RUNNABLE(&c);
	struct held h;

	hold(&h, 65536, 4096);
	c = held_copy(&h, h.n);
	for (int i = 0; i < 2; i++) {
		CHECK_INT(future_waiter_wait(h.waiter, &fut, 1, 0,
				  FUTURE_WAITER_FOREVER, 0),
			0);
		CHECK_INT(FUTURE_STATE(&c), FUTURE_STATE_RUNNING);
	}
	runtime_wait(h.runtime, fut);
	check_held_copy(&h, &c);
	let_go(&h);
}

/* How many of the copies of `each` bytes have been begun. */
static size_t
begun(const struct held *h, size_t each)
{
	size_t count = 0;

	for (size_t at = 0; at < h->n; at += each)
		count += memcmp(h->dst + at, h->src + at, 64) == 0;
	return count;
}

/* So it does between two operations, which are polled in the same round. */
static void
within_a_round(void)
{
	enum { N = 33, EACH = 2 << 20 };
	struct vdm_operation_future c[N];
	struct future *futs[N];
	struct held h;

	hold(&h, (size_t)N * EACH, 4096);
	for (size_t i = 0; i < N; i++) {
		/* the first one is small */
		c[i] = vdm_memcpy(h.vdm, h.dst + i * EACH, h.src + i * EACH,
			i == 0 ? 5000 : EACH, 0);
		futs[i] = FUTURE_AS_RUNNABLE(&c[i]);
		start_it(&c[i], NULL);
	}
	memset(h.dst, 8, h.n);
	CHECK_INT(future_waiter_wait(h.waiter, futs, N, 1,
			  FUTURE_WAITER_FOREVER, 0),
		0);
	CHECK_INT(begun(&h, EACH), 1);
	/* no machine copies a piece of each in the time */
	CHECK_INT(future_waiter_wait(h.waiter, futs, N, N, t_now() + T_MS / 20,
			  0),
		ETIMEDOUT);
	CHECK(begun(&h, EACH) < N);
	runtime_wait_multiple(h.runtime, futs, N);
	CHECK_INT(begun(&h, EACH), N);
	let_go(&h);
}

/* Somebody else's task, which waits for a copy. */
FUTURE(task_future, struct vdm_operation_future *, int);

static enum future_state
task(struct future_context *context, struct future_notifier *n)
{
	struct vdm_operation_future **c = future_context_get_data(context);

	return future_poll(FUTURE_AS_RUNNABLE(*c), n);
}

static void
within_a_task(void)
{
	struct held h;

	hold(&h, LARGE, 4096);
	for (size_t i = 0; i < 2 * T_COUNT(sizes); i++) {
		struct vdm_operation_future c = held_copy(&h, sizes[i / 2]);
		struct task_future t = {.data = &c};

		FUTURE_INIT(&t, task);
		if (i % 2 == 0)
			start_it(&c, NULL);
		runtime_wait(h.runtime, FUTURE_AS_RUNNABLE(&t));
		check_held_copy(&h, &c);
	}
	let_go(&h);
}

enum { MANY = 24, EACH = 1 << 20 };

FUTURE(all_future, struct vdm_operation_future *, int);

/* Polls all it waits for, each time. */
static enum future_state
all_task(struct future_context *context, struct future_notifier *n)
{
	struct vdm_operation_future **c = future_context_get_data(context);
	enum future_state state = FUTURE_STATE_COMPLETE;

	for (int i = 0; i < MANY; i++)
		if (future_poll(FUTURE_AS_RUNNABLE(&(*c)[i]), n) !=
			FUTURE_STATE_COMPLETE)
			state = FUTURE_STATE_RUNNING;
	return state;
}

/* One poll of a task executes about 1 MiB: here, a quarter of each of five. */
static void
within_a_large_task(void)
{
	struct vdm_operation_future c[MANY];
	struct all_future t = {.data = c};
	struct held h;
	size_t before = 0;

	hold(&h, MANY * EACH, 4096);
	for (size_t i = 0; i < MANY; i++) {
		c[i] = vdm_memcpy(h.vdm, h.dst + i * EACH, h.src + i * EACH,
			EACH, 0);
		start_it(&c[i], NULL);
	}
	FUTURE_INIT(&t, all_task);
	for (int i = 0; i < 4; i++) {
		/* late as it is, it polls once */
		CHECK_INT(wait_for(&h, FUTURE_AS_RUNNABLE(&t), 0), ETIMEDOUT);
		CHECK(begun(&h, EACH) <= before + 5);
		before = begun(&h, EACH);
	}
	runtime_wait(h.runtime, FUTURE_AS_RUNNABLE(&t));
	CHECK(memcmp(h.dst, h.src, h.n) == 0);
	let_go(&h);
}

/* A program with the original's headers: op_start once, op_check from then on. */
static enum future_state
old_task(struct future_context *context, struct future_notifier *n)
{
	struct vdm_operation_data *data = future_context_get_data(context);
	struct vdm *vdm = data->vdm;
	enum future_state state;

	if (context->state == FUTURE_STATE_IDLE &&
		vdm->op_start(data->data, &data->operation, n) != 0)
		return FUTURE_STATE_IDLE;
	state = vdm->op_check(data->data, &data->operation);
	if (state == FUTURE_STATE_COMPLETE)
		vdm->op_delete(data->data, &data->operation,
			future_context_get_output(context));
	return state;
}

static sem_t woken;

static void
wake(void *data)
{
	(void)data;
	t_open(&woken);
}

static void
old_headers(void)
{
	struct future_notifier n;
	struct vdm_operation_future c;
	struct held h;

	memset(&n, 0, sizeof(n));
	n.waker.wake = wake;
	CHECK(sem_init(&woken, 0, 0) == 0);
	hold(&h, LARGE, 4096);
	/* no waker to be called: it is helped */
	c = held_copy(&h, LARGE);
	c.base.task = old_task;
	start_it(&c, NULL);
	runtime_wait(h.runtime, FUTURE_AS_RUNNABLE(&c));
	check_held_copy(&h, &c);
	/* one that only a worker may call: it is not */
	c = held_copy(&h, 65536);
	c.base.task = old_task;
	start_it(&c, &n);
	CHECK_INT(n.notifier_used, FUTURE_NOTIFIER_WAKER);
	CHECK_INT(wait_for(&h, FUTURE_AS_RUNNABLE(&c), 20 * T_MS), ETIMEDOUT);
	t_open(&held_leave);
	t_pass(&woken);
	runtime_wait(h.runtime, FUTURE_AS_RUNNABLE(&c));
	check_held_copy(&h, &c);
	let_go(&h);
}

static pthread_t copier;
static atomic_int copies;

static void *
own_memcpy(void *dst, const void *src, size_t n, unsigned flags)
{
	(void)flags;
	copier = pthread_self();
	atomic_fetch_add(&copies, 1);
	return memcpy(dst, src, n);
}

/* One's own function: without a deadline only. */
static void
own_functions(void)
{
	struct held h;

	hold(&h, LARGE, 4096);
	data_mover_threads_set_memcpy_fn(h.mover, own_memcpy);
	for (size_t i = 0; i < 2 * T_COUNT(sizes); i++) {
		struct vdm_operation_future c = held_copy(&h, sizes[i / 2]);
		struct vdm_operation_future move =
			vdm_memmove(h.vdm, h.dst, h.dst, 1 << 20, 0);
		struct future *futs[2];

		if (i % 2 == 0)
			start_it(&c, NULL);
		atomic_store(&copies, 0);
		CHECK_INT(wait_for(&h, FUTURE_AS_RUNNABLE(&c), T_MS),
			ETIMEDOUT);
		CHECK_INT(atomic_load(&copies), 0);
		if (i % 4 < 2) {
			runtime_wait(h.runtime, FUTURE_AS_RUNNABLE(&c));
		} else {
			futs[0] = FUTURE_AS_RUNNABLE(&move);
			futs[1] = FUTURE_AS_RUNNABLE(&c);
			CHECK_INT(future_waiter_wait(h.waiter, futs, 2, 2,
					  FUTURE_WAITER_FOREVER, 0),
				0);
		}
		check_held_copy(&h, &c);
		CHECK_INT(atomic_load(&copies), 1);
		CHECK(pthread_equal(copier, pthread_self()));
		if (i % 4 < 2)
			CHECK_INT(vdm_operation_release(&move), 0);
	}
	let_go(&h);
}

/* Nor if the wait may end before, which its thread would not see in there. */
static void
not_if_it_may_end(void)
{
	struct counted_future counted = {.data = 0};
	struct vdm_operation_future c;
	struct future *futs[2];
	struct held h;

	hold(&h, 65536, 4096);
	data_mover_threads_set_memcpy_fn(h.mover, own_memcpy);
	atomic_store(&copies, 0);
	c = held_copy(&h, 65536);
	FUTURE_INIT(&counted, counted_task);
	futs[0] = FUTURE_AS_RUNNABLE(&c);
	futs[1] = FUTURE_AS_RUNNABLE(&counted);
	CHECK_INT(future_waiter_wait(h.waiter, futs, 2, 1,
			  FUTURE_WAITER_FOREVER, 0),
		0);
	CHECK_INT(FUTURE_STATE(&counted), FUTURE_STATE_COMPLETE);
	CHECK_INT(atomic_load(&copies), 0);
	t_open(&held_leave);
	poll_out(futs[0]);
	check_held_copy(&h, &c);

	c = held_copy(&h, 65536);
	CHECK_INT(future_waiter_wait(h.waiter, futs, 1, 1,
			  FUTURE_WAITER_FOREVER, FUTURE_WAITER_F_INTERRUPTIBLE),
		0);
	check_held_copy(&h, &c);
	CHECK_INT(atomic_load(&copies), 2);
	CHECK(!pthread_equal(copier, pthread_self()));
	let_go(&h);
}

static void
never_if_the_user_says_so(void)
{
	struct vdm_operation_future c;
	struct held h;

	hold(&h, LARGE, 0);
	for (size_t i = 0; i < T_COUNT(sizes); i++) {
		c = held_copy(&h, sizes[i]);
		if (i % 2 == 0)
			start_it(&c, NULL);
		CHECK_INT(wait_for(&h, FUTURE_AS_RUNNABLE(&c), 5 * T_MS),
			ETIMEDOUT);
		t_open(&held_leave);
		poll_out(FUTURE_AS_RUNNABLE(&c));
		check_held_copy(&h, &c);
		/* and hold it again */
		poll_out(FUTURE_AS_RUNNABLE(&h.fill));
		h.fill = vdm_memset(h.vdm, &h.byte, 1, 1, 0);
		start_it(&h.fill, NULL);
		t_pass(&held_entered);
	}
	let_go(&h);
}

/* What a function or a task polls within a wait is no part of that wait. */
static struct vdm_operation_future inner;
static enum future_state inner_state;

static void *
polling_memcpy(void *dst, const void *src, size_t n, unsigned flags)
{
	(void)flags;
	inner_state = future_poll(FUTURE_AS_RUNNABLE(&inner), NULL);
	return memcpy(dst, src, n);
}

static void
polling_within_a_function(void)
{
	static unsigned char bytes[2][65536];
	struct held h;

	hold(&h, LARGE, 4096);
	data_mover_threads_set_memcpy_fn(h.mover, polling_memcpy);
	for (int i = 0; i < 2; i++) {
		struct vdm_operation_future c = held_copy(&h, 65536);

		inner = vdm_memmove(h.vdm, bytes[0], bytes[1], 65536, 0);
		if (i == 0)
			start_it(&inner, NULL);
		runtime_wait(h.runtime, FUTURE_AS_RUNNABLE(&c));
		check_held_copy(&h, &c);
		CHECK_INT(inner_state, FUTURE_STATE_RUNNING);
		runtime_wait(h.runtime, FUTURE_AS_RUNNABLE(&inner));
	}
	let_go(&h);
}

T_MAIN(T_CASE(a_started_one), T_CASE(not_by_polling), T_CASE(several),
	T_CASE(the_deadline), T_CASE(overlapping), T_CASE(one_of_two),
	T_CASE(none_of_one), T_CASE(within_a_round), T_CASE(within_a_task),
	T_CASE(within_a_large_task), T_CASE(old_headers), T_CASE(own_functions),
	T_CASE(not_if_it_may_end), T_CASE(never_if_the_user_says_so),
	T_CASE(polling_within_a_function))
