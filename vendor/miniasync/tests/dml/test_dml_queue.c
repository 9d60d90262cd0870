/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_dml_queue.c -- a queue that is full, and when the mover is asynchronous
 */

#include "doubled.h"
#include "frozen.h"

/* Retries in a test, that take all the time there is for them. */
#define RETRIES 50
#define PATIENCE T_MS

static struct data_mover_dml *m;
static struct bytes b;

static void
set_up(size_t n)
{
	double_reset();
	m = new_dml(DATA_MOVER_DML_HARDWARE);
	bytes_init(&b, n, n);
	make_doubled(&b, m, VDM_OPERATION_MEMCPY, n, 0);
}

static void
tear_down(void)
{
	bytes_fini(&b);
	data_mover_dml_delete(m);
}

/* For a millisecond from the first refusal, however often it is polled. */
static void
it_is_tried_again(void)
{
	set_up(1000);
	double_refuse(DML_STATUS_WORK_QUEUES_NOT_AVAILABLE, RETRIES);
	for (int i = 0; i < RETRIES; i++) {
		CHECK_INT(poll_dml(&b.fut), FUTURE_STATE_RUNNING);
		CHECK_INT(is_async(&b.fut), 1);
		frozen_ns += i == 0 ? PATIENCE - 1 : 0;
	}
	frozen_ns += 10 * PATIENCE;
	CHECK_INT(poll_dml(&b.fut), FUTURE_STATE_COMPLETE);
	bytes_check(&b);
	CHECK_INT(stats_of(m).retries, RETRIES);
	CHECK_INT(stats_of(m).hardware_jobs, 1);
	CHECK_INT(stats_of(m).cpu_bytes, 0);
	CHECK_INT(stats_of(m).last_error, 0);
	tear_down();
}

/* And each descriptor as often: what was refused before does not count. */
static void
patience_is_per_descriptor(void)
{
	set_up(8192);
	double_limit(4096);
	finish_dml(&b.fut);
	bytes_check(&b);
	make_doubled(&b, m, VDM_OPERATION_MEMCPY, 8192, 0);
	for (int half = 0; half < 2; half++) {
		double_refuse(DML_STATUS_WORK_QUEUES_NOT_AVAILABLE, RETRIES);
		double_hold(0);
		for (int i = 0; i < RETRIES; i++) {
			CHECK_INT(poll_dml(&b.fut), FUTURE_STATE_RUNNING);
			frozen_ns += (PATIENCE - 1) / RETRIES;
		}
		double_hold(DOUBLE_ALWAYS);
		CHECK_INT(poll_dml(&b.fut), FUTURE_STATE_RUNNING);
		CHECK_INT(double_in_flight(), 1 + 1);
	}
	double_hold(0);
	CHECK_INT(poll_dml(&b.fut), FUTURE_STATE_COMPLETE);
	bytes_check(&b);
	CHECK_INT(stats_of(m).retries, 2 * RETRIES);
	CHECK_INT(stats_of(m).cpu_bytes, 0);
	tear_down();
}

static void
it_is_not_tried_for_ever(void)
{
	struct data_mover_dml_stats stats;

	set_up(1000);
	double_refuse(DML_STATUS_WORK_QUEUES_NOT_AVAILABLE, DOUBLE_ALWAYS);
	for (int i = 0; i < RETRIES; i++) {
		CHECK_INT(poll_dml(&b.fut), FUTURE_STATE_RUNNING);
		frozen_ns += PATIENCE / RETRIES;
	}
	CHECK_INT(poll_dml(&b.fut), FUTURE_STATE_COMPLETE);
	bytes_check(&b);
	stats = stats_of(m);
	CHECK_INT(stats.cpu_queue_full, 1);
	CHECK_INT(stats.cpu_bytes, 1000);
	CHECK_INT(stats.hardware_jobs, 0);
	CHECK_INT(stats.last_error, DML_STATUS_WORK_QUEUES_NOT_AVAILABLE);

	/* The next ones do not wait for what is not coming ... */
	make_doubled(&b, m, VDM_OPERATION_MEMSET, 1000, 0);
	CHECK_INT(is_async(&b.fut), 0);
	CHECK_INT(poll_dml(&b.fut), FUTURE_STATE_COMPLETE);
	bytes_check(&b);
	CHECK_INT(stats_of(m).retries, RETRIES);

	/* ... but for what comes. */
	double_refuse(DML_STATUS_OK, 0);
	make_doubled(&b, m, VDM_OPERATION_MEMMOVE, 1000, 0);
	CHECK_INT(is_async(&b.fut), 0);
	finish_dml(&b.fut);
	bytes_check(&b);
	CHECK_INT(stats_of(m).hardware_jobs, 1);
	make_doubled(&b, m, VDM_OPERATION_MEMMOVE, 1000, 0);
	CHECK_INT(is_async(&b.fut), 1);
	CHECK_INT(vdm_operation_release(&b.fut), 0);
	tear_down();
}

/* Seldom polls do not make it wait for longer, but it is tried twice. */
static void
it_is_tried_twice(void)
{
	set_up(1000);
	double_refuse(DML_STATUS_WORK_QUEUES_NOT_AVAILABLE, DOUBLE_ALWAYS);
	CHECK_INT(poll_dml(&b.fut), FUTURE_STATE_RUNNING);
	frozen_ns += 5 * T_MS;
	CHECK_INT(poll_dml(&b.fut), FUTURE_STATE_COMPLETE);
	bytes_check(&b);
	CHECK_INT(stats_of(m).retries, 1);
	tear_down();
}

/* What is not asynchronous is done by its first poll, however large. */
static void
without_the_device_there_is_one_poll(void)
{
	set_up(10 * MIB);
	double_refuse(DML_STATUS_WORK_QUEUES_NOT_AVAILABLE, DOUBLE_ALWAYS);
	CHECK_INT(poll_dml(&b.fut), FUTURE_STATE_RUNNING);
	frozen_ns += PATIENCE;
	finish_dml(&b.fut);
	bytes_check(&b);
	make_doubled(&b, m, VDM_OPERATION_MEMCPY, 10 * MIB, 0);
	CHECK_INT(poll_dml(&b.fut), FUTURE_STATE_COMPLETE);
	bytes_check(&b);
	CHECK_INT(stats_of(m).cpu_bytes, 20 * MIB);
	tear_down();
}

/* Room for some: those run while the others are tried again. */
static void
one_full_queue_does_not_stop_what_is_in_it(void)
{
	struct bytes others[3];

	set_up(5000);
	double_hold(DOUBLE_ALWAYS);
	CHECK_INT(poll_dml(&b.fut), FUTURE_STATE_RUNNING);
	double_refuse(DML_STATUS_WORK_QUEUES_NOT_AVAILABLE, DOUBLE_ALWAYS);
	for (int i = 0; i < 3; i++) {
		bytes_init(&others[i], 5000, 0);
		make_doubled(&others[i], m, VDM_OPERATION_MEMSET, 5000, 0);
		CHECK_INT(poll_dml(&others[i].fut), FUTURE_STATE_RUNNING);
	}
	double_hold(0);
	CHECK_INT(poll_dml(&b.fut), FUTURE_STATE_COMPLETE);
	bytes_check(&b);
	double_refuse(DML_STATUS_OK, 0);
	for (int i = 0; i < 3; i++) {
		finish_dml(&others[i].fut);
		bytes_check(&others[i]);
		bytes_fini(&others[i]);
	}
	CHECK_INT(stats_of(m).hardware_jobs, 4);
	CHECK_INT(stats_of(m).retries, 3);
	tear_down();
}

/* A device that takes everything and does nothing right is not in use either. */
static void
errors_end_asynchrony_and_success_brings_it_back(void)
{
	set_up(5000);
	double_fail(DML_STATUS_INTERNAL_ERROR, 0, 2);
	CHECK_INT(is_async(&b.fut), 1);
	finish_dml(&b.fut);
	bytes_check(&b);
	make_doubled(&b, m, VDM_OPERATION_MEMCPY, 5000, 0);
	CHECK_INT(is_async(&b.fut), 0);
	finish_dml(&b.fut);
	bytes_check(&b);
	make_doubled(&b, m, VDM_OPERATION_MEMCPY, 5000, 0);
	CHECK_INT(is_async(&b.fut), 0);
	finish_dml(&b.fut);
	bytes_check(&b);
	CHECK_INT(stats_of(m).hardware_jobs, 1);
	CHECK_INT(stats_of(m).cpu_device_error, 2);
	make_doubled(&b, m, VDM_OPERATION_MEMCPY, 5000, 0);
	CHECK_INT(is_async(&b.fut), 1);
	/* A fault is the memory's condition, not the device's. */
	double_fail(DML_STATUS_PAGE_FAULT_ERROR, 10, 1);
	finish_dml(&b.fut);
	bytes_check(&b);
	make_doubled(&b, m, VDM_OPERATION_MEMCPY, 5000, 0);
	CHECK_INT(is_async(&b.fut), 1);
	CHECK_INT(vdm_operation_release(&b.fut), 0);
	tear_down();
}

static void
waits_end_when_the_device_has_done_it(void)
{
	struct runtime *r = new_runtime();

	set_up(5000);
	double_hold(50);
	runtime_wait(r, FUTURE_AS_RUNNABLE(&b.fut));
	bytes_check(&b);
	CHECK(double_checks() > 50);
	runtime_delete(r);
	tear_down();
}

static void
libdml_can_run_here(void)
{
	need_avx2();
}

T_MAIN(T_CASE(libdml_can_run_here), T_CASE(it_is_tried_again),
	T_CASE(patience_is_per_descriptor), T_CASE(it_is_not_tried_for_ever),
	T_CASE(it_is_tried_twice), T_CASE(without_the_device_there_is_one_poll),
	T_CASE(one_full_queue_does_not_stop_what_is_in_it),
	T_CASE(errors_end_asynchrony_and_success_brings_it_back),
	T_CASE(waits_end_when_the_device_has_done_it))
