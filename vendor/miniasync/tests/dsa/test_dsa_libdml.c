/* SPDX-License-Identifier: BSD-3-Clause */
/* test_dsa_libdml.c -- libdml's hardware path, over the emulated device */

#include "dsa_main.h"

#include <dml/dml.h>

#define N 4096
#define READBACK 0x4000 /* has no name in libdml */

static unsigned char src[N];
static unsigned char dst[N];

static dml_job_t *
job_new(void)
{
	dml_job_t *job;
	uint32_t size;

	CHECK_INT(dml_get_job_size(DML_PATH_HW, &size), DML_STATUS_OK);
	job = t_malloc(size);
	CHECK_INT(dml_init_job(DML_PATH_HW, job), DML_STATUS_OK);
	return job;
}

static void
job_delete(dml_job_t *job)
{
	CHECK_INT(dml_finalize_job(job), DML_STATUS_OK);
	free(job);
}

static void
set_copy(dml_job_t *job, void *to, void *from, uint32_t n)
{
	job->operation = DML_OP_MEM_MOVE;
	job->source_first_ptr = from;
	job->destination_first_ptr = to;
	job->source_length = n;
	job->flags = 0;
}

static void
set_fill(dml_job_t *job, void *to, const char pattern[8], uint32_t n)
{
	job->operation = DML_OP_FILL;
	job->destination_first_ptr = to;
	job->destination_length = n;
	memcpy(job->pattern, pattern, 8);
	job->flags = 0;
}

static void
set_flush(dml_job_t *job, void *at, uint32_t n)
{
	job->operation = DML_OP_CACHE_FLUSH;
	job->destination_first_ptr = at;
	job->destination_length = n;
	job->flags = 0;
}

static void
setup(void)
{
	dsa_reset();
	t_fill(src, N, 1);
	t_fill(dst, N, 2);
}

static dml_status_t
run(dml_job_t *job)
{
	return dml_execute_job(job, DML_WAIT_MODE_BUSY_POLL);
}

static dml_status_t
wait_for(dml_job_t *job)
{
	return dml_wait_job(job, DML_WAIT_MODE_BUSY_POLL);
}

static void
test_copy(void)
{
	dml_job_t *job = job_new();
	struct dsa_descriptor d;

	setup();
	set_copy(job, dst + 1, src + 3, 1000);
	job->flags = DML_FLAG_DST1_DURABLE | READBACK;
	CHECK_INT(run(job), DML_STATUS_OK);
	CHECK(memcmp(dst + 1, src + 3, 1000) == 0);
	CHECK_INT(dsa_accepted(), 1);
	CHECK_INT(dsa_executed(), 1);
	d = dsa_seen(0);
	CHECK_INT(d.operation, DSA_MEMMOVE);
	CHECK_INT(d.size, 1000);
	CHECK(d.source == (uintptr_t)(src + 3));
	CHECK(d.destination == (uintptr_t)(dst + 1));
	CHECK_INT(d.flags,
		DSA_DURABLE | DSA_READBACK | DSA_RECORD_VALID |
			DSA_REQUEST_RECORD);
	job_delete(job);
}

/* Every distance and a few lengths, against memmove(). */
static void
test_overlapping_move(void)
{
	static unsigned char expected[N];
	dml_job_t *job = job_new();

	for (int distance = -70; distance <= 70; distance++) {
		for (uint32_t n = 1; n < 200; n += 33) {
			setup();
			memcpy(expected, dst, N);
			memmove(expected + 500 + distance, expected + 500, n);
			set_copy(job, dst + 500 + distance, dst + 500, n);
			CHECK_INT(run(job), DML_STATUS_OK);
			CHECK(memcmp(dst, expected, N) == 0);
			CHECK_INT(job->result,
				distance > 0 && (uint32_t)distance < n);
		}
	}
	job_delete(job);
}

static void
test_fill(void)
{
	dml_job_t *job = job_new();
	unsigned char after;

	for (uint32_t n = 1; n < 100; n++) {
		setup();
		after = dst[5 + n];
		set_fill(job, dst + 5, "abcdefgh", n);
		CHECK_INT(run(job), DML_STATUS_OK);
		for (uint32_t i = 0; i < n; i++)
			CHECK_INT(dst[5 + i], "abcdefgh"[i % 8]);
		CHECK_INT(dst[5 + n], after);
	}
	job_delete(job);
}

static void
test_flush(void)
{
	dml_job_t *job = job_new();
	struct dsa_descriptor d;

	setup();
	memcpy(dst, src, N);
	set_flush(job, dst, 128);
	CHECK_INT(run(job), DML_STATUS_OK);
	CHECK(memcmp(dst, src, N) == 0);
	d = dsa_seen(0);
	CHECK_INT(d.operation, DSA_CACHE_FLUSH);
	CHECK_INT(d.size, 128);
	CHECK(d.destination == (uintptr_t)dst);
	set_flush(job, dst, 128);
	job->flags = DML_FLAG_PREFETCH_CACHE;
	CHECK_INT(run(job), DML_STATUS_JOB_FLAGS_ERROR);
	job_delete(job);
}

/* Nothing is done until the device is told to go on. */
static void
test_asynchrony(void)
{
	dml_job_t *job = job_new();
	unsigned char before;

	setup();
	before = dst[0];
	dsa_hold();
	set_copy(job, dst, src, N);
	CHECK_INT(dml_submit_job(job), DML_STATUS_OK);
	CHECK_INT(dsa_accepted(), 1);
	for (int i = 0; i < 1000; i++)
		CHECK_INT(dml_check_job(job), DML_STATUS_BEING_PROCESSED);
	CHECK_INT(dst[0], before);
	CHECK_INT(dsa_executed(), 0);
	dsa_release();
	CHECK_INT(wait_for(job), DML_STATUS_OK);
	CHECK_INT(dsa_executed(), 1);
	CHECK(memcmp(dst, src, N) == 0);
	CHECK_INT(dml_check_job(job), DML_STATUS_OK);
	job_delete(job);
}

static void
test_any_order(void)
{
	dml_job_t *jobs[3];

	setup();
	dsa_hold();
	for (int i = 0; i < 3; i++) {
		jobs[i] = job_new();
		set_copy(jobs[i], dst + 100 * i, src + 100 * i, 100);
		CHECK_INT(dml_submit_job(jobs[i]), DML_STATUS_OK);
	}
	for (int i = 2; i >= 0; i--) {
		CHECK_INT(dml_check_job(jobs[i]), DML_STATUS_BEING_PROCESSED);
		dsa_finish((size_t)i);
		CHECK_INT(dml_check_job(jobs[i]), DML_STATUS_OK);
		CHECK(memcmp(dst + 100 * i, src + 100 * i, 100) == 0);
	}
	for (int i = 0; i < 3; i++)
		job_delete(jobs[i]);
}

static void
test_queue_full(void)
{
	dml_job_t *jobs[4];

	setup();
	dsa_hold();
	dsa_set_queue_size(2);
	for (int i = 0; i < 4; i++) {
		jobs[i] = job_new();
		set_copy(jobs[i], dst + 100 * i, src + 100 * i, 100);
		CHECK_INT(dml_submit_job(jobs[i]),
			i < 2 ? DML_STATUS_OK
			      : DML_STATUS_WORK_QUEUES_NOT_AVAILABLE);
	}
	CHECK_INT(dsa_accepted(), 2);
	CHECK_INT(dsa_refused(), 2);
	dsa_finish(0);
	CHECK_INT(dml_check_job(jobs[0]), DML_STATUS_OK);
	CHECK_INT(dml_submit_job(jobs[2]), DML_STATUS_OK);
	CHECK_INT(dml_submit_job(jobs[3]),
		DML_STATUS_WORK_QUEUES_NOT_AVAILABLE);
	dsa_release();
	CHECK_INT(wait_for(jobs[1]), DML_STATUS_OK);
	CHECK_INT(wait_for(jobs[2]), DML_STATUS_OK);
	dsa_refuse(2);
	for (int i = 0; i < 3; i++)
		CHECK_INT(dml_submit_job(jobs[3]),
			i == 2 ? DML_STATUS_OK
			       : DML_STATUS_WORK_QUEUES_NOT_AVAILABLE);
	CHECK_INT(wait_for(jobs[3]), DML_STATUS_OK);
	dsa_refuse(DSA_ALWAYS);
	for (int i = 0; i < 500; i++)
		CHECK_INT(dml_submit_job(jobs[0]),
			DML_STATUS_WORK_QUEUES_NOT_AVAILABLE);
	CHECK(memcmp(dst, src, 400) == 0);
	for (int i = 0; i < 4; i++)
		job_delete(jobs[i]);
}

static void
test_page_fault(void)
{
	dml_job_t *job = job_new();

	setup();
	dsa_answer(0, 1, DSA_PAGE_FAULT_WRITE, 1000);
	set_copy(job, dst, src, N);
	CHECK_INT(run(job), DML_STATUS_PAGE_FAULT_ERROR);
	CHECK(memcmp(dst, src, 1000) == 0);
	CHECK(memcmp(dst + 1000, src + 1000, N - 1000) != 0);
	CHECK_INT(run(job), DML_STATUS_OK);
	CHECK(memcmp(dst, src, N) == 0);
	job_delete(job);
}

/* From the end, when the move has to begin there. */
static void
test_page_fault_of_a_move(void)
{
	static unsigned char expected[N];
	dml_job_t *job = job_new();

	setup();
	memcpy(expected, dst, N);
	memcpy(expected + 100 + 900, dst + 900, 100);
	dsa_answer(0, 1, DSA_PAGE_FAULT, 100);
	set_copy(job, dst + 100, dst, 1000);
	CHECK_INT(run(job), DML_STATUS_PAGE_FAULT_ERROR);
	CHECK_INT(job->result, 1);
	CHECK(memcmp(dst, expected, N) == 0);
	job_delete(job);
}

static void
test_errors(void)
{
	static const struct {
		unsigned device;
		dml_status_t libdml;
	} errors[] = {
		{DSA_SUCCESS_FALSE, DML_STATUS_FALSE_PREDICATE_OK},
		{DSA_PAGE_REQUEST_REFUSED,
			DML_STATUS_INTL_INVALID_PAGE_REQUEST},
		{DSA_BAD_OPERATION, DML_STATUS_JOB_OPERATION_ERROR},
		{DSA_BAD_FLAGS, DML_STATUS_JOB_FLAGS_ERROR},
		{DSA_RESERVED_FIELD, DML_STATUS_INTL_INVALID_RESERVED_FIELD},
		{DSA_BAD_SIZE, DML_STATUS_JOB_LENGTH_ERROR},
		{DSA_OVERLAP, DML_STATUS_OVERLAPPING_BUFFER_ERROR},
		{DSA_HARDWARE_TIMEOUT, DML_STATUS_INTL_HARDWARE_TIMEOUT},
		{0x30, DML_STATUS_INTERNAL_ERROR},
	};
	dml_job_t *job = job_new();

	setup();
	for (size_t i = 0; i < T_COUNT(errors); i++) {
		dsa_reset();
		dsa_answer(0, 1, errors[i].device, 0);
		set_copy(job, dst, src, N);
		CHECK_INT(run(job), errors[i].libdml);
		CHECK(memcmp(dst, src, N) != 0);
	}
	job_delete(job);
}

/* What the device refuses of its own accord. */
static void
test_limits(void)
{
	dml_job_t *job = job_new();

	setup();
	dsa_set_max_transfer(1000);
	set_copy(job, dst, src, 1001);
	CHECK_INT(run(job), DML_STATUS_JOB_LENGTH_ERROR);
	CHECK(dst[0] != src[0]);
	set_copy(job, dst, src, 1000);
	CHECK_INT(run(job), DML_STATUS_OK);
	dsa_set_capabilities(0);
	CHECK_INT(run(job), DML_STATUS_OK);
	job->flags = READBACK;
	CHECK_INT(run(job), DML_STATUS_JOB_FLAGS_ERROR);
	job->flags = DML_FLAG_PREFETCH_CACHE;
	CHECK_INT(run(job), DML_STATUS_JOB_FLAGS_ERROR);
	job->flags = DML_FLAG_BLOCK_ON_FAULT;
	CHECK_INT(run(job), DML_STATUS_JOB_FLAGS_ERROR);
	job->flags = DML_FLAG_BATCH; /* the bit is the fence */
	CHECK_INT(run(job), DML_STATUS_JOB_FLAGS_ERROR);
	set_copy(job, dst, dst + 1, 1000);
	CHECK_INT(run(job), DML_STATUS_OVERLAPPING_BUFFER_ERROR);
	job->operation = DML_OP_COMPARE;
	job->source_second_ptr = dst;
	CHECK_INT(run(job), DML_STATUS_JOB_OPERATION_ERROR);
	job->operation = DML_OP_NOP;
	job->flags = 0;
	CHECK_INT(run(job), DML_STATUS_OK);
	job_delete(job);
}

#define THREADS 4
#define JOBS 300

static void *
copy_many(void *arg)
{
	unsigned char *at = arg;
	dml_job_t *job = job_new();
	dml_status_t status;

	for (int i = 0; i < JOBS; i++) {
		t_fill(at, 512, (uint64_t)i);
		set_copy(job, at + 512, at, 512);
		while ((status = dml_submit_job(job)) ==
			DML_STATUS_WORK_QUEUES_NOT_AVAILABLE)
			sched_yield();
		CHECK_INT(status, DML_STATUS_OK);
		while ((status = dml_check_job(job)) ==
			DML_STATUS_BEING_PROCESSED)
			sched_yield();
		CHECK_INT(status, DML_STATUS_OK);
		CHECK(memcmp(at, at + 512, 512) == 0);
	}
	job_delete(job);
	return NULL;
}

static void
test_threads(void)
{
	static unsigned char bytes[THREADS][1024];
	pthread_t threads[THREADS];

	setup();
	dsa_set_queue_size(1);
	for (int i = 0; i < THREADS; i++)
		t_start(&threads[i], copy_many, bytes[i]);
	for (int i = 0; i < THREADS; i++)
		t_join(threads[i]);
	CHECK_INT(dsa_accepted(), THREADS * JOBS);
	CHECK_INT(dsa_executed(), THREADS * JOBS);
}

/* Waiting for what the device has not even got yet. */
static void *
release_after_three(void *unused)
{
	dsa_await_accepted(3);
	dsa_await_refused(1);
	dsa_release();
	return unused;
}

static void
test_await(void)
{
	dml_job_t *jobs[4];
	pthread_t thread;

	setup();
	dsa_hold();
	dsa_set_queue_size(3);
	t_start(&thread, release_after_three, NULL);
	for (int i = 0; i < 4; i++) {
		jobs[i] = job_new();
		set_copy(jobs[i], dst + 100 * i, src + 100 * i, 100);
		while (dml_submit_job(jobs[i]) != DML_STATUS_OK)
			sched_yield();
	}
	for (int i = 0; i < 4; i++) {
		CHECK_INT(wait_for(jobs[i]), DML_STATUS_OK);
		job_delete(jobs[i]);
	}
	t_join(thread);
	CHECK(dsa_refused() >= 1);
	CHECK(memcmp(dst, src, 400) == 0);
}

static void
child_that_submits(void *arg)
{
	dml_job_t *job = job_new();

	(void)arg;
	set_copy(job, dst, src, N);
	run(job);
}

static void
test_portal_is_not_for_children(void)
{
	struct t_ending ending;
	dml_job_t *job = job_new();

	setup();
	set_copy(job, dst, src, N);
	CHECK_INT(run(job), DML_STATUS_OK);
	ending = t_in_child(child_that_submits, NULL, 10);
	CHECK_INT(ending.end, T_KILLED);
	CHECK_INT(ending.code, SIGSEGV);
	CHECK_INT(run(job), DML_STATUS_OK);
	CHECK_INT(dsa_accepted(), 2);
	job_delete(job);
}

struct in_setup {
	enum dsa_setup setup;
	dml_status_t status;
};

static void
child_with_a_setup(void *arg)
{
	const struct in_setup *expected = arg;
	dml_job_t *job = job_new();

	dsa_set_setup(expected->setup);
	set_copy(job, dst, src, N);
	for (int i = 0; i < 3; i++)
		CHECK_INT(dml_submit_job(job), expected->status);
	job_delete(job);
}

/* In children, since libdml looks for the device once; so before all others. */
static void
test_setups(void)
{
	struct in_setup setups[] = {
		{DSA_NO_CONTEXT, DML_STATUS_LIBACCEL_NOT_FOUND},
		{DSA_NO_DEVICE, DML_STATUS_LIBACCEL_NOT_FOUND},
		{DSA_DEVICE_DISABLED, DML_STATUS_LIBACCEL_NOT_FOUND},
		{DSA_NO_QUEUE, DML_STATUS_LIBACCEL_NOT_FOUND},
		{DSA_QUEUE_DISABLED, DML_STATUS_LIBACCEL_NOT_FOUND},
		{DSA_QUEUE_DEDICATED, DML_STATUS_LIBACCEL_NOT_FOUND},
		{DSA_NO_ACCESS, DML_STATUS_LIBACCEL_NOT_FOUND},
		{DSA_NO_NODE, DML_STATUS_WORK_QUEUES_NOT_AVAILABLE},
	};

	for (size_t i = 0; i < T_COUNT(setups); i++)
		CHECK_CHILD(child_with_a_setup, &setups[i], 10);
}

DSA_MAIN(T_CASE(test_setups), T_CASE(test_copy), T_CASE(test_overlapping_move),
	T_CASE(test_fill), T_CASE(test_flush), T_CASE(test_asynchrony),
	T_CASE(test_any_order), T_CASE(test_queue_full),
	T_CASE(test_page_fault), T_CASE(test_page_fault_of_a_move),
	T_CASE(test_errors), T_CASE(test_limits), T_CASE(test_threads),
	T_CASE(test_await), T_CASE(test_portal_is_not_for_children))
