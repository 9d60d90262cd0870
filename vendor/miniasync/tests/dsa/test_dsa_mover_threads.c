/* SPDX-License-Identifier: BSD-3-Clause */
/* test_dsa_mover_threads.c -- the DML mover, waits, threads and its deletion */

#include "dsa_mover.h"

#define LARGE (256 << 10)

/* While the device holds its future, those of a threads mover complete. */
static void
test_wait_for_any(void)
{
	struct data_mover_threads *threads = new_queueing_mover(2);
	struct vdm *other = data_mover_threads_get_vdm(threads);
	struct future_waiter *w = new_waiter();
	struct vdm_operation_future fill[3];
	struct future *futs[4];
	unsigned char bytes[3][1000];
	struct job job;

	mover_up();
	dsa_hold();
	job_init(&job, VDM_OPERATION_MEMCPY, LARGE);
	futs[0] = job_future(&job);
	for (int i = 0; i < 3; i++) {
		fill[i] = vdm_memset(other, bytes[i], i, sizeof(bytes[i]), 0);
		futs[i + 1] = FUTURE_AS_RUNNABLE(&fill[i]);
	}
	CHECK_INT(future_waiter_wait(w, futs, 4, 3, FUTURE_WAITER_FOREVER, 0),
		0);
	CHECK_INT(FUTURE_STATE(&job.fut), FUTURE_STATE_RUNNING);
	for (int i = 0; i < 3; i++)
		CHECK_INT(FUTURE_STATE(&fill[i]), FUTURE_STATE_COMPLETE);
	CHECK_INT(future_waiter_wait(w, futs, 4, 4, t_now(), 0), ETIMEDOUT);
	CHECK_INT(FUTURE_STATE(&job.fut), FUTURE_STATE_RUNNING);
	dsa_release();
	wait_with(w, futs[0]);
	job_end(&job);
	mover_down();
	future_waiter_delete(w);
	data_mover_threads_delete(threads);
}

static void *
release_after(void *n)
{
	dsa_await_accepted(*(const size_t *)n);
	dsa_release();
	return NULL;
}

/* runtime_wait_multiple(), with the device going on only in the middle of it. */
static void
test_mixed_wait(void)
{
	struct data_mover_threads *threads = new_queueing_mover(1);
	struct vdm *other = data_mover_threads_get_vdm(threads);
	struct runtime *r = new_runtime();
	struct vdm_operation_future fill[4];
	struct future *futs[8];
	unsigned char bytes[4][1000];
	struct job jobs[4];
	pthread_t thread;
	size_t n = 4;

	mover_up();
	dsa_hold();
	for (int i = 0; i < 4; i++) {
		job_init(&jobs[i], (enum vdm_operation_type)i, LARGE);
		fill[i] = vdm_memset(other, bytes[i], i, sizeof(bytes[i]), 0);
		futs[2 * i] = FUTURE_AS_RUNNABLE(&fill[i]);
		futs[2 * i + 1] = job_future(&jobs[i]);
	}
	t_start(&thread, release_after, &n);
	runtime_wait_multiple(r, futs, 8);
	t_join(thread);
	for (int i = 0; i < 4; i++) {
		CHECK_INT(fill[i].output.result, VDM_SUCCESS);
		job_end(&jobs[i]);
	}
	mover_down();
	runtime_delete(r);
	data_mover_threads_delete(threads);
}

/* Started in one thread, polled in others. */
static void *
poll_and_end(void *job)
{
	job_finish(job);
	return NULL;
}

static void
test_future_that_travels(void)
{
	struct job jobs[3];
	pthread_t threads[3];

	mover_up();
	dsa_hold();
	for (int i = 0; i < 3; i++) {
		job_init(&jobs[i], (enum vdm_operation_type)i, LARGE);
		job_check_running(&jobs[i]);
		t_start(&threads[i], poll_and_end, &jobs[i]);
	}
	dsa_release();
	for (int i = 0; i < 3; i++)
		t_join(threads[i]);
	mover_down();
}

#define THREADS 4
#define OPERATIONS 60
#define TOGETHER 5

static void *
work(void *arg)
{
	uint64_t state = (uintptr_t)arg + 1;
	struct job jobs[TOGETHER];

	for (int i = 0; i < OPERATIONS / TOGETHER; i++) {
		for (int j = 0; j < TOGETHER; j++) {
			job_init_at(&jobs[j],
				(enum vdm_operation_type)(t_random(&state) % 4),
				t_random(&state) % (LARGE / 2), LARGE / 2,
				t_random(&state) % (VDM_F_VALID_FLAGS + 1));
			job_poll(&jobs[j]);
		}
		for (int j = 0; j < TOGETHER; j++)
			job_finish(&jobs[j]);
	}
	return NULL;
}

/* Several at once, on a short queue whose device fails now and then. */
static void
test_threads(void)
{
	pthread_t threads[THREADS];
	struct data_mover_dml_stats s;

	mover_up();
	dsa_set_queue_size(2);
	for (size_t i = 0; i < 12; i++)
		dsa_answer(10 * i + 5, 1,
			i % 2 ? DSA_PAGE_FAULT : DSA_HARDWARE_TIMEOUT, 77);
	for (size_t i = 0; i < THREADS; i++)
		t_start(&threads[i], work, (void *)(7 * i));
	for (size_t i = 0; i < THREADS; i++)
		t_join(threads[i]);
	s = stats();
	CHECK_INT(s.operations, THREADS * OPERATIONS);
	CHECK_INT(s.hardware_jobs + s.cpu_page_fault + s.cpu_device_error +
			s.resubmissions,
		dsa_accepted());
	CHECK_INT(dsa_executed(), dsa_accepted());
	mover_down();
}

static atomic_int deleted;

static void *
delete_mover(void *unused)
{
	data_mover_dml_delete(mover);
	atomic_store(&deleted, 1);
	return unused;
}

/*
 * What is in flight is waited for: its completion records lie in the mover, and
 * nobody may free its memory before.
 */
static void
test_deletion_waits(void)
{
	struct job jobs[3];
	struct job never;
	pthread_t thread;

	mover_up();
	dsa_hold();
	for (int i = 0; i < 3; i++) {
		job_init(&jobs[i], (enum vdm_operation_type)i, LARGE);
		job_poll(&jobs[i]);
	}
	job_init(&never, VDM_OPERATION_MEMCPY, LARGE);
	CHECK_INT(dsa_accepted(), 3);
	atomic_store(&deleted, 0);
	t_start(&thread, delete_mover, NULL);
	for (size_t i = 0; i < 3; i++) {
		/* Long enough for a deletion that does not wait. */
		t_pass_time(20 * T_MS);
		CHECK_INT(atomic_load(&deleted), 0);
		dsa_finish(i);
	}
	t_join(thread);
	CHECK_INT(dsa_executed(), 3);
	for (int i = 0; i < 3; i++)
		free(jobs[i].expected);
	/* Its bytes are the program's again. */
	for (int i = 0; i < 3; i++)
		free(jobs[i].bytes);
	free(never.bytes);
	free(never.expected);
	dsa_reset();
}

DSA_MAIN(T_CASE(test_wait_for_any), T_CASE(test_mixed_wait),
	T_CASE(test_future_that_travels), T_CASE(test_threads),
	T_CASE(test_deletion_waits))
