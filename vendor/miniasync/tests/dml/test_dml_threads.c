/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_dml_threads.c -- one mover, several threads, and a device that works on
 * its own
 */

#include "doubled.h"

#define THREADS 4
#define ROUNDS 150
#define AT_A_TIME 6

static struct data_mover_dml *mover;
static atomic_size_t made;

static void *
make_poll_and_check(void *arg)
{
	struct runtime *r = new_runtime();
	struct bytes b[AT_A_TIME];
	uint64_t random = (uintptr_t)arg + 1;

	for (int i = 0; i < AT_A_TIME; i++)
		bytes_init(&b[i], 40000, 40000);
	for (int round = 0; round < ROUNDS; round++) {
		struct future *futs[AT_A_TIME];

		for (int i = 0; i < AT_A_TIME; i++) {
			make_doubled(&b[i], mover,
				(enum vdm_operation_type)(t_random(&random) %
					4),
				t_random(&random) % 40000,
				t_random(&random) % 4);
			futs[i] = FUTURE_AS_RUNNABLE(&b[i].fut);
		}
		if (round % 2 == 0) {
			runtime_wait_multiple(r, futs, AT_A_TIME);
		} else {
			for (int i = 0; i < AT_A_TIME; i++)
				(void)poll_dml(&b[i].fut);
			for (int i = AT_A_TIME - 1; i >= 0; i--)
				poll_out(futs[i]);
		}
		for (int i = 0; i < AT_A_TIME; i++)
			bytes_check(&b[i]);
		atomic_fetch_add(&made, AT_A_TIME);
	}
	for (int i = 0; i < AT_A_TIME; i++)
		bytes_fini(&b[i]);
	runtime_delete(r);
	return NULL;
}

static atomic_int stop;

/* A device in a bad mood, while somebody looks at the numbers. */
static void *
disturb(void *arg)
{
	uint64_t seen = 0;

	for (unsigned i = 0; !atomic_load(&stop); i++) {
		const uint64_t now = stats_of(mover).operations;

		CHECK(now >= seen);
		seen = now;
		if (i % 3 == 0)
			double_fail(DML_STATUS_PAGE_FAULT_ERROR, i % 5000, 2);
		if (i % 3 == 1)
			double_fail((dml_status_t)(i % 50 + 3), i % 5000, 1);
		if (i % 3 == 2)
			double_refuse(DML_STATUS_WORK_QUEUES_NOT_AVAILABLE, 5);
		sched_yield();
	}
	return arg;
}

static void
threads_share_a_mover(void)
{
	pthread_t threads[THREADS];
	pthread_t disturber;

	double_reset();
	atomic_store(&made, 0);
	atomic_store(&stop, 0);
	double_start();
	mover = new_dml(DATA_MOVER_DML_HARDWARE);
	for (size_t i = 0; i < THREADS; i++)
		t_start(&threads[i], make_poll_and_check, (void *)i);
	t_start(&disturber, disturb, NULL);
	for (size_t i = 0; i < THREADS; i++)
		t_join(threads[i]);
	atomic_store(&stop, 1);
	t_join(disturber);
	CHECK_INT(stats_of(mover).operations, atomic_load(&made));
	CHECK(stats_of(mover).hardware_jobs > 0);
	data_mover_dml_delete(mover);
	double_stop();
}

static struct bytes handed;

static void *
poll_once(void *arg)
{
	(void)poll_dml(&handed.fut);
	return arg;
}

/* Each poll in another thread, one after the other. */
static void
polls_wander_from_thread_to_thread(void)
{
	double_reset();
	mover = new_dml(DATA_MOVER_DML_HARDWARE);
	bytes_init(&handed, 5 * MIB, 0);
	make_doubled(&handed, mover, VDM_OPERATION_MEMCPY, 5 * MIB,
		VDM_F_MEM_DURABLE);
	double_hold(3);
	while (FUTURE_STATE(&handed.fut) != FUTURE_STATE_COMPLETE) {
		pthread_t thread;

		t_start(&thread, poll_once, NULL);
		t_join(thread);
	}
	bytes_check(&handed);
	bytes_fini(&handed);
	data_mover_dml_delete(mover);
}

static void *
make_and_delete(void *arg)
{
	for (int i = 0; i < 200; i++) {
		struct data_mover_dml *m = new_dml(DATA_MOVER_DML_HARDWARE);

		try_doubled(m, VDM_OPERATION_MEMCPY, 5000, 0);
		data_mover_dml_delete(m);
	}
	return arg;
}

static void
threads_have_movers_of_their_own(void)
{
	pthread_t threads[THREADS];

	double_reset();
	for (size_t i = 0; i < THREADS; i++)
		t_start(&threads[i], make_and_delete, NULL);
	for (size_t i = 0; i < THREADS; i++)
		t_join(threads[i]);
}

static void
libdml_can_run_here(void)
{
	need_avx2();
}

T_MAIN(T_CASE(libdml_can_run_here), T_CASE(threads_share_a_mover),
	T_CASE(polls_wander_from_thread_to_thread),
	T_CASE(threads_have_movers_of_their_own))
