/* SPDX-License-Identifier: BSD-3-Clause */
/* test_crowded.c -- a worker that shares its waiter's processor for long moves */

#define _GNU_SOURCE

#include "machine.h"

static int
count_wants(void)
{
	int count;

	pthread_mutex_lock(&lock);
	count = nthreads == 0 ? 0 : wants[0].count;
	pthread_mutex_unlock(&lock);
	return count;
}

static struct runtime *runtime;

static void
wait_for_copy(struct data_mover_threads *m)
{
	struct vdm_operation_future fut =
		vdm_memcpy(data_mover_threads_get_vdm(m), dst, src, 5000, 0);

	runtime_wait(runtime, FUTURE_AS_RUNNABLE(&fut));
}

static void
poll_copy(struct data_mover_threads *m)
{
	start_and_poll_out(vdm_memcpy(data_mover_threads_get_vdm(m), dst, src,
		5000, 0));
}

/*
 * Small copies, each begun so long after the worker slept, until something is wanted
 * of it, but no more than so many; how many?
 */
static int
crowd(struct data_mover_threads *m, void (*copy)(struct data_mover_threads *m),
	uint64_t pause, int most)
{
	const int before = count_wants();
	int copies = 0;

	while (count_wants() == before && copies < most) {
		atomic_fetch_add(&now_ns, pause);
		copy(m);
		while (atomic_load(&ma__workers_running) != 0)
			sched_yield();
		copies++;
	}
	return copies;
}

static struct data_mover_threads *
new_crowded_mover(int processor)
{
	struct data_mover_threads *m;

	atomic_store(&now_ns, T_SECOND);
	runtime = new_runtime();
	m = new_sleeping_mover(1);
	data_mover_threads_set_inline_below(m, 0);
	atomic_store(&here, processor);
	return m;
}

static void
end_crowd(struct data_mover_threads *m)
{
	data_mover_threads_delete(m);
	runtime_delete(runtime);
	moves_late = false;
	atomic_store(&now_ns, 0);
}

/* Again and again on one processor: it moves, comes back, and is more patient. */
static void
small_ones_in_a_crowd(void)
{
	struct data_mover_threads *m = new_crowded_mover(1);
	const int first = crowd(m, wait_for_copy, 0, 100);
	int second;

	CHECK(first >= 4 && first <= 8);
	CHECK_INT(count_wants(), 4);
	check_wants(&wants[0], 0x5, 0x7);

	CHECK_INT(crowd(m, wait_for_copy, 0, 100), 1);
	CHECK_INT(wants[0].count, 6);
	check_set(&wants[0], 4, 0x2);
	check_set(&wants[0], 5, 0x7);

	second = crowd(m, wait_for_copy, 0, 100);
	CHECK(second > first && second <= 16);
	CHECK_INT(wants[0].count, 10);
	check_set(&wants[0], 6, 0x5);
	check_policy(&wants[0], 7, SCHED_OTHER);

	CHECK_INT(crowd(m, wait_for_copy, 0, 100), 1);
	CHECK(crowd(m, wait_for_copy, 0, 100) > second);
	end_crowd(m);
}

/* Others run there, and it had to wait for them: not again soon. */
static void
small_ones_behind_others(void)
{
	struct data_mover_threads *m = new_crowded_mover(1);

	moves_late = true;
	CHECK(crowd(m, wait_for_copy, 0, 100) <= 8);
	CHECK_INT(crowd(m, wait_for_copy, 0, 100), 1);
	CHECK(crowd(m, wait_for_copy, 0, 100) >= 30);
	end_crowd(m);
}

/* Neither now and then, nor from another processor, nor outside a wait. */
static void
small_ones_without_a_crowd(void)
{
	struct data_mover_threads *m = new_crowded_mover(1);

	CHECK_INT(crowd(m, wait_for_copy, T_MS, 50), 50);
	end_crowd(m);
	m = new_crowded_mover(0);
	CHECK_INT(crowd(m, wait_for_copy, 0, 50), 50);
	end_crowd(m);
	m = new_crowded_mover(1);
	CHECK_INT(crowd(m, poll_copy, 0, 50), 50);
	end_crowd(m);
}

/* Who does not wait may go on for long: the worker is not brought to it. */
static void
not_brought_back_to_a_poll(void)
{
	struct data_mover_threads *m = new_crowded_mover(1);

	crowd(m, wait_for_copy, 0, 100);
	CHECK_INT(count_wants(), 4);
	CHECK_INT(crowd(m, poll_copy, 0, 50), 50);
	end_crowd(m);
}

static void
crowd_on_one(void *arg)
{
	struct data_mover_threads *m;

	(void)arg;
	cpus = 1;
	m = new_crowded_mover(1);
	CHECK_INT(crowd(m, wait_for_copy, 0, 50), 50);
	end_crowd(m);
}

/* Where nobody may look there is no point in moving. */
static void
small_ones_with_one_processor(void)
{
	CHECK_CHILD(crowd_on_one, NULL, 30);
}

T_MAIN(T_CASE(small_ones_with_one_processor), T_CASE(small_ones_in_a_crowd),
	T_CASE(small_ones_behind_others), T_CASE(not_brought_back_to_a_poll),
	T_CASE(small_ones_without_a_crowd))
