/* SPDX-License-Identifier: BSD-3-Clause */
/* test_fork_threads.c -- forks while other threads wake, poll and wait */

#include "forked.h"

static sem_t inside_waker;
static sem_t leave_waker;

static void
slow_wake(void *data)
{
	(void)data;
	t_open(&inside_waker);
	t_pass(&leave_waker);
}

/* The bytes are all there: success or not, but an end. */
static void
child_of_a_waking_worker(void *arg)
{
	finish(*(enum how *)arg, copy_future(&copies[0]));
	if (copies[0].fut.output.result != VDM_ERROR_JOB_CORRUPTED)
		copy_check(&copies[0]);
	teardown();
}

static void
worker_in_the_waker(void)
{
	for (int how = 0; how < HOWS; how++) {
		struct future_notifier n;

		setup(1, FUTURE_NOTIFIER_WAKER);
		CHECK(sem_init(&inside_waker, 0, 0) == 0);
		CHECK(sem_init(&leave_waker, 0, 0) == 0);
		memset(&n, 0, sizeof(n));
		n.waker.wake = slow_wake;
		copy_init(&copies[0], data_mover_threads_get_vdm(mover), 1);
		CHECK_INT(copy_poll(&copies[0], &n), FUTURE_STATE_RUNNING);
		t_open(&gate);
		t_pass(&inside_waker);
		CHECK_CHILD(child_of_a_waking_worker, &how, CHILD_SECONDS);
		t_open(&leave_waker);
		/* ends the worker, hence the wake */
		teardown();
		CHECK(memcmp(copies[0].dst, copies[0].src,
			      sizeof(copies[0].dst)) == 0);
	}
}

static atomic_int stop;

/* Both may be in the middle of anything when the process forks. */
static void *
poll_all_the_time(void *arg)
{
	struct counting by;

	(void)arg;
	counting_init(&by);
	for (int i = 0; !atomic_load(&stop); i++)
		CHECK_INT(copy_poll(&copies[i / 2 % 2],
				  i % 3 == 0 ? NULL : &by.notifier),
			FUTURE_STATE_RUNNING);
	/* the notifier ends with this thread */
	for (int i = 0; i < 2; i++)
		CHECK_INT(copy_poll(&copies[i], NULL), FUTURE_STATE_RUNNING);
	return NULL;
}

static void
child_of_a_polling_thread(void *arg)
{
	enum how how = *(enum how *)arg;

	finish(how, copy_future(&copies[0]));
	CHECK_INT(copies[0].fut.output.result, VDM_ERROR_JOB_CORRUPTED);
	t_open(&gate);
	finish(how, copy_future(&copies[1]));
	copy_check(&copies[1]);
	teardown();
}

/* Number 0 is being executed, 1 waits; another thread polls both. */
static void
polled_during_the_fork(void)
{
	pthread_t thread;

	setup(1, FUTURE_NOTIFIER_WAKER);
	for (int i = 0; i < 2; i++) {
		copy_init(&copies[i], data_mover_threads_get_vdm(mover), 1);
		CHECK_INT(copy_poll(&copies[i], NULL), FUTURE_STATE_RUNNING);
	}
	t_pass(&gate_entered);
	atomic_store(&stop, 0);
	t_start(&thread, poll_all_the_time, NULL);
	for (int i = 0; i < 60; i++) {
		int how = i % HOWS;

		CHECK_CHILD(child_of_a_polling_thread, &how, CHILD_SECONDS);
	}
	atomic_store(&stop, 1);
	t_join(thread);
	for (int i = 0; i < 2; i++) {
		t_open(&gate);
		poll_out(copy_future(&copies[i]));
		copy_check(&copies[i]);
	}
	teardown();
}

static void *
keep_busy(void *arg)
{
	struct runtime *r = new_runtime();
	struct copy c[4];
	struct future *futs[4];

	(void)arg;
	for (uint64_t i = 0; !atomic_load(&stop); i++) {
		for (int j = 0; j < 4; j++) {
			copy_init(&c[j], data_mover_threads_get_vdm(mover), i);
			futs[j] = copy_future(&c[j]);
		}
		runtime_wait_multiple(i % 2 == 0 ? r : runtime, futs, 4);
		for (int j = 0; j < 4; j++)
			copy_check(&c[j]);
	}
	runtime_delete(r);
	return NULL;
}

static void
child_in_the_bustle(void *arg)
{
	if (*(int *)arg % 4 == 0)
		child_that_deletes(NULL);
	else
		child_of_an_idle_mover(NULL);
	t_end_child_unchecked();
}

static void
many_forks_in_the_bustle(void)
{
	pthread_t threads[2];

	setup(2, FUTURE_NOTIFIER_WAKER);
	data_mover_threads_set_memcpy_fn(mover, NULL);
	atomic_store(&stop, 0);
	for (int i = 0; i < 2; i++)
		t_start(&threads[i], keep_busy, NULL);
	for (int i = 0; i < 40; i++)
		CHECK_CHILD(child_in_the_bustle, &i, CHILD_SECONDS);
	atomic_store(&stop, 1);
	for (int i = 0; i < 2; i++)
		t_join(threads[i]);
	teardown();
}

T_MAIN(T_CASE(worker_in_the_waker), T_CASE(polled_during_the_fork),
	T_CASE(many_forks_in_the_bustle))
