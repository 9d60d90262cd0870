/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_threads_runtime.c -- runtimes and the operations of the threads mover,
 * also those of programs that carry other headers
 *
 * Such a program gives op_start the notifier of the first poll and asks
 * op_check from then on. old_task does the same.
 */

#include "gated.h"

static atomic_int old_polls;
static sem_t old_polled;

static enum future_state
old_task(struct future_context *context, struct future_notifier *n)
{
	struct vdm_operation_data *data = future_context_get_data(context);
	struct vdm *vdm = data->vdm;
	enum future_state state;

	atomic_fetch_add(&old_polls, 1);
	if (context->state == FUTURE_STATE_IDLE &&
		vdm->op_start(data->data, &data->operation, n) != 0)
		return FUTURE_STATE_IDLE;
	state = vdm->op_check(data->data, &data->operation);
	if (state == FUTURE_STATE_COMPLETE)
		vdm->op_delete(data->data, &data->operation,
			future_context_get_output(context));
	t_open(&old_polled);
	return state;
}

static void
old_init(struct copy *c, struct data_mover_threads *m, uint64_t seed)
{
	copy_init(c, data_mover_threads_get_vdm(m), seed);
	c->fut.base.task = old_task;
	atomic_store(&old_polls, 0);
	CHECK(sem_init(&old_polled, 0, 0) == 0);
}

/* Opens the gate when the runtime has polled, after so long a while. */
static void *
open_when_polled_twice(void *arg)
{
	uint64_t *ns = arg;

	while (atomic_load(&old_polls) < 2)
		t_pass(&old_polled);
	t_pass_time(*ns);
	t_open(&gate);
	return NULL;
}

/* Row 21: whatever the first poll was given, the runtime is woken. */
static void
old_headers(void)
{
	struct runtime *r = new_runtime();
	uint64_t hold = 300 * T_MS;
	pthread_t opener;

	for (int first = 0; first < 2; first++) {
		struct data_mover_threads *m =
			gated_new(1, FUTURE_NOTIFIER_WAKER);
		struct counting by;
		struct copy c;

		counting_init(&by);
		old_init(&c, m, 1);
		CHECK_INT(copy_poll(&c, first == 0 ? NULL : &by.notifier),
			FUTURE_STATE_RUNNING);
		t_start(&opener, open_when_polled_twice, &hold);
		runtime_wait(r, copy_future(&c));
		t_join(opener);
		copy_check(&c);
		/* it slept: polling its way through would take hundreds */
		CHECK(atomic_load(&old_polls) < 64);
		data_mover_threads_delete(m);
	}
	runtime_delete(r);
}

/* First polled by the runtime, but long before the operation ends. */
static void
old_headers_without_a_first_poll(void)
{
	struct runtime *r = new_runtime();
	struct data_mover_threads *m = gated_new(1, FUTURE_NOTIFIER_WAKER);
	struct copy c;

	for (int i = 0; i < 200; i++) {
		old_init(&c, m, (uint64_t)i);
		t_open(&gate);
		if (i % 2 == 0)
			copy_poll(&c, NULL);
		runtime_wait(r, copy_future(&c));
		copy_check(&c);
		sem_destroy(&old_polled);
	}
	data_mover_threads_delete(m);
	runtime_delete(r);
}

static sem_t inside_waker;
static sem_t leave_waker;

static void
slow_wake(void *data)
{
	(void)data;
	t_open(&inside_waker);
	t_pass(&leave_waker);
}

/* op_check alone, during the wake: the waker of the first poll comes again. */
static void
old_headers_polled_during_the_wake(void)
{
	struct data_mover_threads *m = gated_new(1, FUTURE_NOTIFIER_WAKER);
	struct future_notifier n;
	struct copy c[2];

	CHECK(sem_init(&inside_waker, 0, 0) == 0);
	CHECK(sem_init(&leave_waker, 0, 0) == 0);
	memset(&n, 0, sizeof(n));
	n.waker.wake = slow_wake;
	old_init(&c[1], m, 2);
	old_init(&c[0], m, 1);
	CHECK_INT(copy_poll(&c[0], &n), FUTURE_STATE_RUNNING);
	CHECK_INT(copy_poll(&c[1], NULL), FUTURE_STATE_RUNNING);
	t_open(&gate);
	t_pass(&gate_entered);
	t_pass(&inside_waker);
	for (int i = 0; i < 3; i++)
		CHECK_INT(copy_poll(&c[0], NULL), FUTURE_STATE_RUNNING);
	t_open(&leave_waker);
	t_pass(&inside_waker);
	t_open(&leave_waker);
	/* the only worker is in the second: it has left the first */
	t_pass(&gate_entered);
	CHECK_INT(copy_poll(&c[0], NULL), FUTURE_STATE_COMPLETE);
	t_open(&gate);
	poll_out(copy_future(&c[1]));
	for (int i = 0; i < 2; i++)
		copy_check(&c[i]);
	data_mover_threads_delete(m);
}

/* A mover that does not call wakers: the wait must not rely on being woken. */
static void
old_headers_without_wakers(void)
{
	static const enum future_notifier_type kinds[] = {
		FUTURE_NOTIFIER_NONE, FUTURE_NOTIFIER_POLLER};
	struct runtime *r = new_runtime();

	for (size_t i = 0; i < T_COUNT(kinds); i++) {
		struct data_mover_threads *m = gated_new(1, kinds[i]);
		uint64_t hold = 0;
		pthread_t opener;
		struct copy c;

		old_init(&c, m, 1);
		CHECK_INT(copy_poll(&c, NULL), FUTURE_STATE_RUNNING);
		t_start(&opener, open_when_polled_twice, &hold);
		runtime_wait(r, copy_future(&c));
		t_join(opener);
		copy_check(&c);
		data_mover_threads_delete(m);
	}
	runtime_delete(r);
}

struct inner {
	struct copy copy;
	struct runtime *runtime;
	sem_t waited;
};

static void
wait_within_the_waker(void *data)
{
	struct inner *in = data;

	runtime_wait(in->runtime, copy_future(&in->copy));
	copy_check(&in->copy);
	t_open(&in->waited);
}

/* The call is going on, but the wait is the program's own code within it. */
static void
old_headers_waited_for_within_the_waker(void)
{
	struct data_mover_threads *m = gated_new(1, FUTURE_NOTIFIER_WAKER);
	struct future_notifier n;
	struct inner in;

	in.runtime = new_runtime();
	CHECK(sem_init(&in.waited, 0, 0) == 0);
	memset(&n, 0, sizeof(n));
	n.waker.data = &in;
	n.waker.wake = wait_within_the_waker;
	old_init(&in.copy, m, 1);
	CHECK_INT(copy_poll(&in.copy, &n), FUTURE_STATE_RUNNING);
	t_open(&gate);
	t_pass(&in.waited);
	data_mover_threads_delete(m);
	runtime_delete(in.runtime);
}

/* A task of several parts that loses interest in one while it runs. */
FUTURE(fickle, struct copy *, int);

static enum future_state
fickle_task(struct future_context *context, struct future_notifier *n)
{
	struct copy *c = *(struct copy **)future_context_get_data(context);
	int *polls = future_context_get_output(context);

	CHECK_INT(copy_poll(c, n), FUTURE_STATE_RUNNING);
	n->notifier_used = FUTURE_NOTIFIER_NONE;
	return ++*polls == 3 ? FUTURE_STATE_COMPLETE : FUTURE_STATE_RUNNING;
}

/* Nothing of the wait may be left behind in the operation. */
static void
dropped_in_the_middle(void)
{
	for (int i = 0; i < 40; i++) {
		struct data_mover_threads *m =
			gated_new(1, FUTURE_NOTIFIER_WAKER);
		struct runtime *r = new_runtime();
		struct fickle f;
		struct copy c;

		if (i % 2 == 0)
			copy_init(&c, data_mover_threads_get_vdm(m), 1);
		else
			old_init(&c, m, 1);
		if (i % 4 == 1)
			copy_poll(&c, NULL);
		f.data = &c;
		f.output = 0;
		FUTURE_INIT(&f, fickle_task);
		runtime_wait(r, FUTURE_AS_RUNNABLE(&f));
		runtime_delete(r);
		t_open(&gate);
		if (i % 3 == 0)
			poll_out(copy_future(&c));
		data_mover_threads_delete(m);
		CHECK(memcmp(c.dst, c.src, sizeof(c.dst)) == 0);
	}
}

/* Row 7: once the wait has returned, no waker of our movers is in flight. */
static void
deleted_right_after_the_wait(void)
{
	struct data_mover_threads *m = new_queueing_mover(2);

	for (int i = 0; i < 3000; i++) {
		struct runtime *r = new_runtime();
		struct future *futs[3];
		struct copy c[3];

		for (int j = 0; j < 3; j++) {
			copy_init(&c[j], data_mover_threads_get_vdm(m),
				(uint64_t)(i + j));
			futs[j] = copy_future(&c[j]);
		}
		if (i % 2 == 0)
			copy_poll(&c[2], NULL);
		runtime_wait_multiple(r, futs, 3);
		runtime_delete(r);
		for (int j = 0; j < 3; j++)
			copy_check(&c[j]);
		memset(c, 0xff, sizeof(c));
	}
	data_mover_threads_delete(m);
}

static _Atomic uint64_t work_ended;

/* Takes long enough for whoever waits to fall asleep. */
static void *
lengthy_memcpy(void *dst, const void *src, size_t n, unsigned flags)
{
	uint64_t until = t_now() + T_MS;

	(void)flags;
	while (t_now() < until)
		;
	memcpy(dst, src, n);
	atomic_store(&work_ended, t_now());
	return dst;
}

/*
 * Rows 6 and 19: the wait ends when the work does. A wake-up that is lost and
 * made up for by a timer shows in every wait; a busy machine in many.
 */
static void
the_wait_ends_with_the_work(void)
{
	enum { N = 101 };
	struct data_mover_threads *m =
		data_mover_threads_new(1, 16, FUTURE_NOTIFIER_WAKER);
	struct runtime *r = new_runtime();
	struct copy c;
	int prompt = 0;

	CHECK(m != NULL);
	data_mover_threads_set_memcpy_fn(m, lengthy_memcpy);
	for (int i = 0; i < N; i++) {
		copy_init(&c, data_mover_threads_get_vdm(m), (uint64_t)i);
		if (i % 2 == 0)
			copy_poll(&c, NULL);
		runtime_wait(r, copy_future(&c));
		prompt += t_now() - atomic_load(&work_ended) < T_MS / 2;
		copy_check(&c);
	}
	CHECK(prompt > N / 10);
	runtime_delete(r);
	data_mover_threads_delete(m);
}

struct waiting {
	struct data_mover_threads *mover;
	struct runtime *runtime;
	int seed;
};

static void *
wait_a_lot(void *arg)
{
	enum { BATCH = 16 };
	struct waiting *w = arg;
	struct copy *c = t_malloc(BATCH * sizeof(*c));
	struct future *futs[BATCH + 2];

	for (int i = 0; i < 300; i++) {
		for (int j = 0; j < BATCH; j++) {
			copy_init(&c[j], data_mover_threads_get_vdm(w->mover),
				(uint64_t)(i * BATCH + j + w->seed));
			futs[j] = copy_future(&c[j]);
			if ((i + j) % 5 == 0)
				copy_poll(&c[j], NULL);
		}
		futs[BATCH] = futs[i % BATCH];
		futs[BATCH + 1] = futs[0];
		runtime_wait_multiple(w->runtime, futs, BATCH + 2);
		for (int j = 0; j < BATCH; j++)
			copy_check(&c[j]);
	}
	free(c);
	return NULL;
}

/* One mover, one runtime, everybody waiting at once. */
static void
several_threads(void)
{
	for (int type = 0; type <= FUTURE_NOTIFIER_POLLER; type++) {
		struct waiting w[3];
		pthread_t threads[3];
		struct runtime *r = new_runtime();
		struct data_mover_threads *m = data_mover_threads_new(2, 4,
			(enum future_notifier_type)type);

		CHECK(m != NULL);
		data_mover_threads_set_inline_below(m, 0);
		for (int i = 0; i < 3; i++) {
			w[i].mover = m;
			w[i].runtime = r;
			w[i].seed = i;
			t_start(&threads[i], wait_a_lot, &w[i]);
		}
		for (int i = 0; i < 3; i++)
			t_join(threads[i]);
		runtime_delete(r);
		data_mover_threads_delete(m);
	}
}

T_MAIN(T_CASE(old_headers), T_CASE(old_headers_without_a_first_poll),
	T_CASE(old_headers_polled_during_the_wake),
	T_CASE(old_headers_without_wakers),
	T_CASE(old_headers_waited_for_within_the_waker),
	T_CASE(dropped_in_the_middle), T_CASE(deleted_right_after_the_wait),
	T_CASE(the_wait_ends_with_the_work), T_CASE(several_threads))
