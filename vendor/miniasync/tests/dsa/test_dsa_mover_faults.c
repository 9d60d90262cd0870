/* SPDX-License-Identifier: BSD-3-Clause */
/* test_dsa_mover_faults.c -- the DML mover on a device that refuses and fails */

#include "dsa_mover.h"

static const enum vdm_operation_type types[] = {VDM_OPERATION_MEMCPY,
	VDM_OPERATION_MEMMOVE, VDM_OPERATION_MEMSET, VDM_OPERATION_FLUSH};

#define LARGE (256 << 10)

/* A flush is rounded to lines. */
static void
check_all_of_it(uint64_t bytes, enum vdm_operation_type type)
{
	if (type == VDM_OPERATION_FLUSH)
		CHECK(bytes == LARGE || bytes == LARGE + 64);
	else
		CHECK_INT(bytes, LARGE);
}

/* A queue that refuses for ever: tried a bounded number of times. */
static void
test_always_full(void)
{
	struct data_mover_dml_stats s;

	for (size_t i = 0; i < T_COUNT(types); i++) {
		mover_up();
		dsa_refuse(DSA_ALWAYS);
		job_run(types[i], LARGE);
		s = stats();
		CHECK_INT(dsa_accepted(), 0);
		CHECK(dsa_refused() >= 1);
		CHECK_INT(s.retries + 1, dsa_refused());
		CHECK_INT(s.cpu_queue_full, 1);
		check_all_of_it(s.cpu_bytes, types[i]);
		CHECK_INT(s.hardware_jobs, 0);
		mover_down();
	}
}

/* A refusal or two do not matter. */
static void
test_full_for_a_moment(void)
{
	struct data_mover_dml_stats s;

	mover_up();
	dsa_refuse(2);
	job_run(VDM_OPERATION_MEMCPY, LARGE);
	s = stats();
	CHECK_INT(dsa_accepted(), 1);
	CHECK_INT(dsa_refused(), 2);
	CHECK_INT(s.retries, 2);
	CHECK_INT(s.cpu_queue_full, 0);
	CHECK_INT(s.cpu_bytes, 0);
	CHECK_INT(s.hardware_jobs, 1);
	CHECK_INT(s.hardware_bytes, LARGE);
	mover_down();
}

/* A held device with a short queue: all but what it took ends all the same. */
static void
test_short_queue(void)
{
	struct job jobs[5];

	mover_up();
	dsa_hold();
	dsa_set_queue_size(2);
	for (int i = 0; i < 5; i++) {
		job_init(&jobs[i], types[i % 3], LARGE);
		job_poll(&jobs[i]);
	}
	for (int i = 2; i < 5; i++)
		job_finish(&jobs[i]);
	for (int i = 0; i < 2; i++)
		job_check_running(&jobs[i]);
	CHECK_INT(dsa_accepted(), 2);
	CHECK_INT(stats().cpu_queue_full, 3);
	dsa_release();
	for (int i = 0; i < 2; i++)
		job_finish(&jobs[i]);
	CHECK_INT(stats().hardware_jobs, 2);
	mover_down();
}

/* Some bytes are there when the fault comes, or none, or nearly all. */
static void
test_page_faults(void)
{
	static const uint32_t done[] = {0, 1, 4096, LARGE - 1};
	static const unsigned statuses[] = {
		DSA_PAGE_FAULT, DSA_PAGE_FAULT_WRITE};
	struct data_mover_dml_stats s;

	for (size_t i = 0; i < T_COUNT(types); i++) {
		for (size_t j = 0; j < 2 * T_COUNT(done); j++) {
			mover_up();
			dsa_answer(0, DSA_ALWAYS, statuses[j % 2], done[j / 2]);
			job_run(types[i], LARGE);
			s = stats();
			CHECK_INT(dsa_executed(), 1);
			CHECK_INT(s.cpu_page_fault, 1);
			check_all_of_it(s.cpu_bytes, types[i]);
			CHECK_INT(s.hardware_bytes, 0);
			CHECK_INT(s.cpu_device_error, 0);
			mover_down();
		}
	}
}

/* Overlapping: what the device left half done could not be mended. */
static void
test_page_faults_of_moves(void)
{
	static const ptrdiff_t shifts[] = {1, 64, 5000, LARGE - 1};
	struct job job;

	for (size_t i = 0; i < T_COUNT(shifts); i++) {
		for (int sign = -1; sign <= 1; sign += 2) {
			mover_up();
			dsa_answer(0, DSA_ALWAYS, DSA_PAGE_FAULT, 10000);
			job_init_at(&job, VDM_OPERATION_MEMMOVE, LARGE,
				sign * shifts[i], 0);
			job_finish(&job);
			mover_down();
		}
	}
}

/* Of a large piece, the device does what the CPU has not begun. */
static void
test_fault_of_a_large_piece(void)
{
	const size_t n = (size_t)72 << 20;
	struct data_mover_dml_stats s;

	mover_up();
	dsa_set_max_transfer(1u << 31);
	dsa_answer(3, 1, DSA_PAGE_FAULT_WRITE, 12345);
	job_run(VDM_OPERATION_MEMSET, n);
	s = stats();
	CHECK_INT(dsa_seen(3).size, n / 8);
	CHECK_INT(s.cpu_page_fault, 1);
	CHECK(s.cpu_bytes > 0 && s.cpu_bytes < n / 8);
	CHECK_INT(s.hardware_bytes + s.cpu_bytes, n);
	mover_down();
}

/* One piece of several: the others are the device's. */
static void
test_fault_of_a_piece(void)
{
	const size_t n = 4 * DSA_MAX_TRANSFER;
	struct data_mover_dml_stats s;

	for (size_t which = 0; which < 4; which++) {
		mover_up();
		dsa_answer(which, 1, DSA_PAGE_FAULT_WRITE, 12345);
		job_run(VDM_OPERATION_MEMCPY, n);
		s = stats();
		CHECK_INT(s.cpu_page_fault, 1);
		CHECK(s.cpu_bytes > 0 && s.cpu_bytes <= DSA_MAX_TRANSFER);
		CHECK_INT(s.hardware_bytes + s.cpu_bytes, n);
		mover_down();
	}
}

/* However much is left to the CPU, a poll comes back after a part of it. */
static void
test_faults_of_all_pieces(void)
{
	const size_t n = 8 * DSA_MAX_TRANSFER;
	struct job job;
	uint64_t done;

	mover_up();
	dsa_hold();
	dsa_answer(0, DSA_ALWAYS, DSA_PAGE_FAULT, 1);
	job_init(&job, VDM_OPERATION_MEMSET, n);
	CHECK_INT(job_poll(&job), FUTURE_STATE_RUNNING);
	CHECK_INT(dsa_accepted(), 8);
	for (size_t i = 0; i < 8; i++)
		dsa_finish(i);
	CHECK_INT(job_poll(&job), FUTURE_STATE_RUNNING);
	done = stats().cpu_bytes;
	CHECK(done > 0 && done <= n / 2);
	job_finish(&job);
	CHECK_INT(stats().cpu_bytes, n);
	CHECK_INT(dsa_accepted(), 8);
	mover_down();
}

/* Whatever the device says, the operation succeeds, and the data is right. */
static void
test_every_status(void)
{
	struct data_mover_dml_stats s;

	for (size_t i = 0; i < T_COUNT(types); i++) {
		for (unsigned status = 2; status < 0x40; status++) {
			mover_up();
			dsa_answer(0, DSA_ALWAYS, status, LARGE / 2);
			job_run(types[i], LARGE);
			s = stats();
			CHECK_INT(s.operations, 1);
			CHECK_INT(s.hardware_jobs, 0);
			check_all_of_it(s.cpu_bytes, types[i]);
			/* Of too long ones, the halves are tried first. */
			if (status == DSA_BAD_SIZE)
				CHECK(s.resubmissions > 0);
			else
				CHECK_INT(s.cpu_page_fault + s.cpu_device_error,
					1);
			mover_down();
		}
	}
}

/* A device that fails now and then, for many operations under way. */
static void
test_failures_among_many(void)
{
	struct job jobs[40];

	mover_up();
	dsa_hold();
	dsa_answer(3, 1, DSA_PAGE_FAULT, 100);
	dsa_answer(10, 5, DSA_HARDWARE_TIMEOUT, 100);
	dsa_answer(20, 1, DSA_PAGE_FAULT_WRITE, 5000);
	for (size_t i = 0; i < T_COUNT(jobs); i++) {
		job_init(&jobs[i], types[i % T_COUNT(types)], LARGE);
		job_poll(&jobs[i]);
	}
	dsa_release();
	for (size_t i = T_COUNT(jobs); i > 0; i--)
		job_finish(&jobs[i - 1]);
	CHECK_INT(stats().cpu_page_fault, 2);
	CHECK_INT(stats().cpu_device_error, 5);
	CHECK_INT(stats().hardware_jobs, T_COUNT(jobs) - 7);
	CHECK_INT(stats().operations, T_COUNT(jobs));
	mover_down();
}

/* A queue with a lower limit than the usual one. */
static void
test_low_limit(void)
{
	for (uint32_t limit = 1024; limit < DSA_MAX_TRANSFER; limit *= 8) {
		for (size_t i = 0; i < T_COUNT(types); i++) {
			mover_up();
			dsa_set_max_transfer(limit);
			job_run(types[i], DSA_MAX_TRANSFER + 100);
			job_run(types[i], LARGE);
			mover_down();
		}
	}
}

/* Durable all the same. */
static void
test_faults_of_durable(void)
{
	static const unsigned statuses[] = {DSA_PAGE_FAULT_WRITE, DSA_BAD_FLAGS,
		DSA_BAD_SIZE, DSA_PAGE_REQUEST_REFUSED};
	struct job job;

	for (size_t i = 0; i < T_COUNT(types); i++) {
		for (size_t j = 0; j < T_COUNT(statuses); j++) {
			mover_up();
			dsa_answer(0, 1, statuses[j], 4096);
			job_init_at(&job, types[i], LARGE, LARGE + 5,
				VDM_F_MEM_DURABLE);
			job_finish(&job);
			mover_down();
		}
	}
}

DSA_MAIN(T_CASE(test_always_full), T_CASE(test_full_for_a_moment),
	T_CASE(test_short_queue), T_CASE(test_page_faults),
	T_CASE(test_page_faults_of_moves), T_CASE(test_fault_of_a_piece),
	T_CASE(test_fault_of_a_large_piece), T_CASE(test_faults_of_all_pieces),
	T_CASE(test_every_status), T_CASE(test_failures_among_many),
	T_CASE(test_low_limit), T_CASE(test_faults_of_durable))
