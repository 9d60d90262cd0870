/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_waiter_threads.c -- waiters and the operations of the threads mover
 *
 * A worker is held at the gate, so an operation runs for as long as the test
 * wants, whatever becomes of those who waited for it.
 */

#include "gated.h"

static void *
open_gate(void *arg)
{
	(void)arg;
	t_pass(&gate_entered);
	t_open(&gate);
	return NULL;
}

static void
the_waiter_may_go_first(void)
{
	struct data_mover_threads *m = gated_new(1, FUTURE_NOTIFIER_WAKER);
	struct copy c;
	struct future *futs[1] = {copy_future(&c)};

	for (int i = 0; i < 50; i++) {
		struct future_waiter *w = new_waiter();
		struct counting counting;

		copy_init(&c, data_mover_threads_get_vdm(m), (uint64_t)i);
		CHECK_INT(future_waiter_wait(w, futs, 1, 1,
				  i % 2 == 0 ? 0 : t_now() + T_MS, 0),
			ETIMEDOUT);
		t_pass(&gate_entered);
		future_waiter_delete(w);
		/* the worker finishes after the waiter was freed */
		counting_init(&counting);
		if (i % 3 == 0)
			CHECK_INT(copy_poll(&c, &counting.notifier),
				FUTURE_STATE_RUNNING);
		t_open(&gate);
		if (i % 3 == 0)
			copy_await(&c, &counting);
		else
			poll_out(copy_future(&c));
		copy_check(&c);
		sem_destroy(&counting.called);
	}
	data_mover_threads_delete(m);
}

/* The same for the waiter of a wait that ended because others were enough. */
static void
the_waiter_may_go_first_having_had_enough(void)
{
	struct data_mover_threads *m = gated_new(2, FUTURE_NOTIFIER_WAKER);
	struct future_waiter *w = new_waiter();
	struct copy c[2];
	struct future *futs[2] = {copy_future(&c[0]), copy_future(&c[1])};
	pthread_t opener;

	for (int i = 0; i < 2; i++)
		copy_init(&c[i], data_mover_threads_get_vdm(m), (uint64_t)i);
	t_start(&opener, open_gate, NULL);
	CHECK_INT(future_waiter_wait(w, futs, 2, 1, FUTURE_WAITER_FOREVER, 0),
		0);
	t_join(opener);
	future_waiter_delete(w);
	t_open(&gate);
	for (int i = 0; i < 2; i++) {
		poll_out(copy_future(&c[i]));
		copy_check(&c[i]);
	}
	data_mover_threads_delete(m);
}

static void
moves_between_waiters(void)
{
	struct data_mover_threads *m = gated_new(1, FUTURE_NOTIFIER_WAKER);
	struct copy c;
	struct future *futs[1] = {copy_future(&c)};
	pthread_t opener;

	for (int i = 0; i < 50; i++) {
		struct future_waiter *first = new_waiter();
		struct future_waiter *second = new_waiter();

		copy_init(&c, data_mover_threads_get_vdm(m), (uint64_t)i);
		CHECK_INT(future_waiter_wait(first, futs, 1, 1, 0, 0),
			ETIMEDOUT);
		if (i % 2 == 0)
			future_waiter_delete(first);
		t_start(&opener, open_gate, NULL);
		CHECK_INT(future_waiter_wait(second, futs, 1, 1,
				  FUTURE_WAITER_FOREVER, 0),
			0);
		copy_check(&c);
		/* nothing of ours is in flight: deleting at once is safe */
		future_waiter_delete(second);
		if (i % 2 != 0)
			future_waiter_delete(first);
		t_join(opener);
	}
	data_mover_threads_delete(m);
}

static void
from_waiter_to_runtime_and_back(void)
{
	struct data_mover_threads *m = gated_new(1, FUTURE_NOTIFIER_WAKER);
	struct copy c;
	struct future *futs[1] = {copy_future(&c)};
	pthread_t opener;

	for (int i = 0; i < 20; i++) {
		struct future_waiter *w = new_waiter();
		struct runtime *r = new_runtime();
		struct counting counting;

		counting_init(&counting);
		copy_init(&c, data_mover_threads_get_vdm(m), (uint64_t)i);
		CHECK_INT(copy_poll(&c, &counting.notifier),
			FUTURE_STATE_RUNNING);
		CHECK_INT(future_waiter_wait(w, futs, 1, 1, 0, 0), ETIMEDOUT);
		t_start(&opener, open_gate, NULL);
		runtime_wait(r, futs[0]);
		copy_check(&c);
		runtime_delete(r);
		future_waiter_delete(w);
		t_join(opener);
		/* replaced before the gate was opened */
		CHECK_INT(atomic_load(&counting.calls), 0);
		sem_destroy(&counting.called);
	}
	data_mover_threads_delete(m);
}

/* Deadlines that fall into the moment of completion, over and over. */
static void
deadlines_close_to_completion(void)
{
	struct data_mover_threads *m = new_queueing_mover(2);
	uint64_t random = 42;
	struct copy c[8];
	struct future *futs[8];

	for (int i = 0; i < 1000; i++) {
		int rc;

		for (int j = 0; j < 8; j++) {
			copy_init(&c[j], data_mover_threads_get_vdm(m),
				(uint64_t)(i + j));
			futs[j] = copy_future(&c[j]);
		}
		do {
			struct future_waiter *w = new_waiter();

			rc = future_waiter_wait(w, futs, 8,
				1 + t_random(&random) % 8,
				t_now() + t_random(&random) % 20000, 0);
			future_waiter_delete(w);
			if (rc != 0)
				CHECK_INT(rc, ETIMEDOUT);
		} while (rc != 0);
		for (int j = 0; j < 8; j++) {
			poll_out(copy_future(&c[j]));
			copy_check(&c[j]);
		}
	}
	data_mover_threads_delete(m);
}

static pthread_t waiting_thread;
static atomic_int ran_on_waiting_thread;

static void *
watching_memcpy(void *dst, const void *src, size_t n, unsigned flags)
{
	(void)flags;
	if (pthread_equal(pthread_self(), waiting_thread))
		atomic_fetch_add(&ran_on_waiting_thread, 1);
	return memcpy(dst, src, n);
}

/* Somebody's own function could take any time: a deadline forbids it here. */
static void
own_functions_stay_with_the_workers(void)
{
	struct data_mover_threads *m = new_queueing_mover(1);
	struct future_waiter *w = new_waiter();
	struct copy c[16];
	struct future *futs[16];

	waiting_thread = pthread_self();
	data_mover_threads_set_memcpy_fn(m, watching_memcpy);
	for (int i = 0; i < 100; i++) {
		for (int j = 0; j < 16; j++) {
			copy_init(&c[j], data_mover_threads_get_vdm(m),
				(uint64_t)(i + j));
			futs[j] = copy_future(&c[j]);
		}
		CHECK_INT(future_waiter_wait(w, futs, 16, 16,
				  t_now() + 3600 * T_SECOND, 0),
			0);
		for (int j = 0; j < 16; j++)
			copy_check(&c[j]);
	}
	CHECK_INT(atomic_load(&ran_on_waiting_thread), 0);
	future_waiter_delete(w);
	data_mover_threads_delete(m);
}

T_MAIN(T_CASE(the_waiter_may_go_first),
	T_CASE(the_waiter_may_go_first_having_had_enough),
	T_CASE(moves_between_waiters), T_CASE(from_waiter_to_runtime_and_back),
	T_CASE(deadlines_close_to_completion),
	T_CASE(own_functions_stay_with_the_workers))
