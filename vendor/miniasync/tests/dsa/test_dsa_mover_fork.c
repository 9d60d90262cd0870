/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_dsa_mover_fork.c -- the DML mover in forked children, and without device
 *
 * A child that submits to the portal of its parent is killed.
 */

#include "dsa_mover.h"

#define CHILD_SECONDS 10
#define LARGE (256 << 10)

static struct job jobs[3];

/* A device that libdml cannot use. */
static void
child_without_device(void *setup)
{
	dsa_set_setup(*(const enum dsa_setup *)setup);
	for (int i = 0; i < 2; i++) {
		errno = 0;
		mover = data_mover_dml_new(DATA_MOVER_DML_HARDWARE);
		CHECK(mover == NULL);
		CHECK_INT(errno, ENODEV);
	}
	mover = data_mover_dml_new(DATA_MOVER_DML_AUTO);
	CHECK(mover != NULL);
	vdm = data_mover_dml_get_vdm(mover);
	for (int i = 0; i < 4; i++)
		job_run((enum vdm_operation_type)i, LARGE);
	CHECK_INT(stats().hardware, 0);
	CHECK_INT(stats().cpu_unavailable + stats().cpu_flush +
			stats().software_jobs,
		4);
	CHECK_INT(dsa_accepted(), 0);
	data_mover_dml_delete(mover);
}

/* First, before this process has looked for a device. */
static void
test_no_device(void)
{
	enum dsa_setup setups[] = {DSA_NO_CONTEXT, DSA_NO_DEVICE,
		DSA_DEVICE_DISABLED, DSA_NO_QUEUE, DSA_QUEUE_DISABLED,
		DSA_QUEUE_DEDICATED, DSA_NO_ACCESS};

	for (size_t i = 0; i < T_COUNT(setups); i++)
		CHECK_CHILD(child_without_device, &setups[i], CHILD_SECONDS);
}

/* There is a device, but it takes nothing: not now, or not from here. */
static void
child_with_a_full_device(void *setup)
{
	dsa_set_setup(*(const enum dsa_setup *)setup);
	dsa_refuse(DSA_ALWAYS);
	mover = data_mover_dml_new(DATA_MOVER_DML_HARDWARE);
	CHECK(mover != NULL);
	vdm = data_mover_dml_get_vdm(mover);
	for (int i = 0; i < 4; i++)
		job_run((enum vdm_operation_type)i, LARGE);
	CHECK_INT(dsa_accepted(), 0);
	CHECK_INT(stats().cpu_queue_full, 4);
	data_mover_dml_delete(mover);
}

static void
test_full_device(void)
{
	enum dsa_setup setups[] = {DSA_READY, DSA_NO_NODE};

	for (size_t i = 0; i < T_COUNT(setups); i++)
		CHECK_CHILD(child_with_a_full_device, &setups[i],
			CHILD_SECONDS);
}

/* Auto: the device for large operations. */
static void
child_with_auto(void *unused)
{
	struct job job;

	(void)unused;
	mover = data_mover_dml_new(DATA_MOVER_DML_AUTO);
	CHECK(mover != NULL);
	vdm = data_mover_dml_get_vdm(mover);
	dsa_reset();
	CHECK_INT(stats().hardware, 1);
	dsa_hold();
	job_init(&job, VDM_OPERATION_MEMCPY, 16 * LARGE);
	CHECK_INT(future_has_property(job_future(&job), FUTURE_PROPERTY_ASYNC),
		1);
	job_check_running(&job);
	dsa_release();
	job_finish(&job);
	CHECK(stats().hardware_bytes > 0);
	job_run(VDM_OPERATION_MEMCPY, 8);
	CHECK_INT(stats().cpu_small, 1);
	data_mover_dml_delete(mover);
}

static void
test_auto(void)
{
	CHECK_CHILD(child_with_auto, NULL, CHILD_SECONDS);
}

static void *
new_and_use(void *type)
{
	struct data_mover_dml *m =
		data_mover_dml_new(*(const enum data_mover_dml_type *)type);
	struct vdm_operation_future fut;
	unsigned char bytes[10000];

	CHECK(m != NULL);
	fut = vdm_memset(data_mover_dml_get_vdm(m), bytes, 7, sizeof(bytes), 0);
	poll_out(FUTURE_AS_RUNNABLE(&fut));
	CHECK_INT(fut.output.result, VDM_SUCCESS);
	for (size_t i = 0; i < sizeof(bytes); i++)
		CHECK_INT(bytes[i], 7);
	data_mover_dml_delete(m);
	return NULL;
}

/* Several movers, of all types, and none of them the first to look. */
static void
child_with_several(void *unused)
{
	static enum data_mover_dml_type type[] = {DATA_MOVER_DML_HARDWARE,
		DATA_MOVER_DML_AUTO, DATA_MOVER_DML_SOFTWARE,
		DATA_MOVER_DML_HARDWARE};
	pthread_t threads[T_COUNT(type)];

	(void)unused;
	for (size_t i = 0; i < T_COUNT(type); i++)
		t_start(&threads[i], new_and_use, &type[i]);
	for (size_t i = 0; i < T_COUNT(type); i++)
		t_join(threads[i]);
	/* The three that look submit a job for it, and one for the fill. */
	CHECK_INT(dsa_executed(), 6);
}

static void
test_several(void)
{
	/* ThreadSanitizer cannot follow threads that a child starts. */
	for (int i = 0; i < 20 && !T_TSAN; i++)
		CHECK_CHILD(child_with_several, NULL, CHILD_SECONDS);
}

/* libdml's code even if there is a device. */
static void
child_with_software(void *unused)
{
	(void)unused;
	mover = data_mover_dml_new(DATA_MOVER_DML_SOFTWARE);
	CHECK(mover != NULL);
	vdm = data_mover_dml_get_vdm(mover);
	for (int i = 0; i < 4; i++)
		job_run((enum vdm_operation_type)i, LARGE);
	CHECK_INT(stats().hardware, 0);
	CHECK_INT(dsa_accepted(), 0);
	data_mover_dml_delete(mover);
}

static void
test_software(void)
{
	CHECK_CHILD(child_with_software, NULL, CHILD_SECONDS);
}

static void
child_of_a_mover(void *unused)
{
	struct job job;

	(void)unused;
	/* What the device has in hand in the parent. */
	for (int i = 0; i < 3; i++)
		job_finish(&jobs[i]);
	for (int i = 0; i < 4; i++) {
		job_init(&job, (enum vdm_operation_type)i, LARGE);
		job_finish(&job);
	}
	CHECK_INT(dsa_accepted(), 3);
	data_mover_dml_delete(mover);
	errno = 0;
	CHECK(data_mover_dml_new(DATA_MOVER_DML_HARDWARE) == NULL);
	CHECK_INT(errno, ENODEV);
	mover = data_mover_dml_new(DATA_MOVER_DML_AUTO);
	CHECK(mover != NULL);
	vdm = data_mover_dml_get_vdm(mover);
	for (int i = 0; i < 4; i++)
		job_run((enum vdm_operation_type)i, LARGE);
	CHECK_INT(dsa_accepted(), 3);
	data_mover_dml_delete(mover);
}

static void
child_that_deletes(void *unused)
{
	(void)unused;
	data_mover_dml_delete(mover);
}

/* Running, begun and complete, or not begun at the fork. */
static void
test_fork(void)
{
	mover_up();
	dsa_hold();
	for (int i = 0; i < 3; i++) {
		job_init(&jobs[i], (enum vdm_operation_type)i, LARGE);
		job_check_running(&jobs[i]);
	}
	dsa_finish(1);
	CHECK_CHILD(child_that_deletes, NULL, CHILD_SECONDS);
	CHECK_CHILD(child_of_a_mover, NULL, CHILD_SECONDS);
	/* The parent's are still its own. */
	job_check_running(&jobs[0]);
	job_finish(&jobs[1]);
	dsa_release();
	job_finish(&jobs[0]);
	job_finish(&jobs[2]);
	CHECK_INT(dsa_executed(), 3);
	mover_down();
}

static atomic_int stop;

static void *
work_until_stopped(void *unused)
{
	while (!atomic_load(&stop))
		job_run(VDM_OPERATION_MEMCPY, LARGE);
	return unused;
}

static void
child_amid_work(void *unused)
{
	(void)unused;
	for (int i = 0; i < 4; i++)
		job_run((enum vdm_operation_type)i, LARGE);
	data_mover_dml_delete(mover);
}

/* Whatever another thread does with the mover at the fork. */
static void
test_fork_amid_work(void)
{
	pthread_t threads[2];

	mover_up();
	atomic_store(&stop, 0);
	for (int i = 0; i < 2; i++)
		t_start(&threads[i], work_until_stopped, NULL);
	for (int i = 0; i < 20; i++) {
		dsa_await_accepted((size_t)i * 3);
		CHECK_CHILD(child_amid_work, NULL, CHILD_SECONDS);
	}
	atomic_store(&stop, 1);
	for (int i = 0; i < 2; i++)
		t_join(threads[i]);
	mover_down();
}

DSA_MAIN(T_CASE(test_no_device), T_CASE(test_full_device), T_CASE(test_auto),
	T_CASE(test_several), T_CASE(test_software), T_CASE(test_fork),
	T_CASE(test_fork_amid_work))
