/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_dml_lifetime.c -- how movers and jobs begin and end: deletion, memory that
 * is not there, fork
 *
 * Linked so that the calls of the library that may fail come here.
 */

#include "doubled.h"

/* Of the calls to one function, the n-th from here fails, or none (-1). */
static long calloc_left = -1;
static long malloc_left = -1;
static long mutex_left = -1;
static long fork_left = -1;
static int all_after;

/* The next calloc waits at the gate; the next fork opens it when it begins. */
static atomic_int gated;
static sem_t entered;
static sem_t gate;
static int opens_at_fork;

static int
fails(long *left)
{
	if (*left < 0)
		return 0;
	if (*left > 0) {
		--*left;
		return 0;
	}
	if (!all_after)
		*left = -1;
	return 1;
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *
__wrap_calloc(size_t n, size_t size)
{
	if (atomic_exchange(&gated, 0)) {
		t_open(&entered);
		t_pass(&gate);
	}
	return fails(&calloc_left) ? NULL : __real_calloc(n, size);
}

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *
__wrap_malloc(size_t n)
{
	return fails(&malloc_left) ? NULL : __real_malloc(n);
}

int __real_pthread_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *a);
int __wrap_pthread_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *a);
int
__wrap_pthread_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *a)
{
	return fails(&mutex_left) ? EAGAIN : __real_pthread_mutex_init(m, a);
}

struct ma__forkable;
int __real_ma__fork_add(struct ma__forkable *forkable);
int __wrap_ma__fork_add(struct ma__forkable *forkable);
int
__wrap_ma__fork_add(struct ma__forkable *forkable)
{
	return fails(&fork_left) ? ENOMEM : __real_ma__fork_add(forkable);
}

static void
expect_failure(enum data_mover_dml_type type, int error)
{
	errno = 0;
	CHECK(data_mover_dml_new(type) == NULL);
	CHECK_INT(errno, error);
}

static void
creation_fails_cleanly(void)
{
	double_reset();
	for (int type = 0; type <= DATA_MOVER_DML_AUTO; type++) {
		const enum data_mover_dml_type t =
			(enum data_mover_dml_type)type;

		malloc_left = 0;
		expect_failure(t, ENOMEM);
		for (int i = 0; i < 2; i++) {
			mutex_left = i;
			expect_failure(t, EAGAIN);
		}
		fork_left = 0;
		expect_failure(t, ENOMEM);
		double_fail_size(1);
		expect_failure(t, ENODEV);
		/* A job to look for the device with. */
		if (t == DATA_MOVER_DML_SOFTWARE)
			continue;
		calloc_left = 0;
		expect_failure(t, ENOMEM);
		double_fail_init(1);
		expect_failure(t, ENOMEM);
	}
	CHECK_INT(double_in_flight(), 0);
	for (int type = 0; type <= DATA_MOVER_DML_AUTO; type++)
		data_mover_dml_delete(new_dml((enum data_mover_dml_type)type));
}

static void
without_memory_operations_fail_when_made(void)
{
	struct data_mover_dml *m;
	struct vdm_operation_future f;
	char to[8];

	double_reset();
	m = new_dml(DATA_MOVER_DML_HARDWARE);
	calloc_left = 0;
	f = vdm_memset(data_mover_dml_get_vdm(m), to, 1, 8, 0);
	CHECK_INT(FUTURE_STATE(&f), FUTURE_STATE_COMPLETE);
	CHECK_INT(f.output.result, VDM_ERROR_OUT_OF_MEMORY);
	data_mover_dml_delete(m);
}

static void
without_jobs_the_cpu_works(void)
{
	struct data_mover_dml *m;
	struct bytes b;

	double_reset();
	bytes_init(&b, 16 * MIB, 0);
	m = new_dml(DATA_MOVER_DML_HARDWARE);
	make_doubled(&b, m, VDM_OPERATION_MEMCPY, 16 * MIB, 0);
	all_after = 1;
	calloc_left = 0;
	CHECK_INT(poll_dml(&b.fut), FUTURE_STATE_COMPLETE);
	bytes_check(&b);
	CHECK_INT(stats_of(m).cpu_no_memory, 1);
	CHECK_INT(stats_of(m).cpu_bytes, 16 * MIB);
	CHECK_INT(stats_of(m).hardware_jobs, 0);

	/* With fewer than one would like they do one piece after the other. */
	calloc_left = -1;
	make_doubled(&b, m, VDM_OPERATION_MEMCPY, 16 * MIB, 0);
	calloc_left = 3;
	double_hold(DOUBLE_ALWAYS);
	CHECK_INT(poll_dml(&b.fut), FUTURE_STATE_RUNNING);
	CHECK_INT(double_in_flight(), 1 + 3);
	double_hold(0);
	finish_dml(&b.fut);
	bytes_check(&b);
	CHECK_INT(stats_of(m).hardware_jobs, 8);
	CHECK_INT(stats_of(m).cpu_no_memory, 1);
	calloc_left = -1;
	all_after = 0;

	/* The same if it is libdml that refuses. */
	data_mover_dml_delete(m);
	m = new_dml(DATA_MOVER_DML_HARDWARE);
	make_doubled(&b, m, VDM_OPERATION_MEMCPY, 5000, 0);
	double_fail_init(1);
	CHECK_INT(poll_dml(&b.fut), FUTURE_STATE_COMPLETE);
	bytes_check(&b);
	CHECK_INT(stats_of(m).cpu_no_memory, 1);
	make_doubled(&b, m, VDM_OPERATION_MEMCPY, 5000, 0);
	finish_dml(&b.fut);
	bytes_check(&b);
	CHECK_INT(stats_of(m).hardware_jobs, 1);
	bytes_fini(&b);
	data_mover_dml_delete(m);
}

/* Ten thousand operations, one after the other, need the memory of one. */
static void
memory_is_used_again(void)
{
	struct data_mover_dml *m;

	double_reset();
	m = new_dml(DATA_MOVER_DML_HARDWARE);
	try_doubled(m, VDM_OPERATION_MEMCPY, 100, 0);
	all_after = 1;
	calloc_left = 0;
	for (int i = 0; i < 10000; i++) {
		char to[8] = "";
		struct vdm_operation_future f =
			vdm_memset(data_mover_dml_get_vdm(m), to, 'x', 8, 0);

		finish_dml(&f);
		CHECK_INT(f.output.result, VDM_SUCCESS);
		CHECK_INT(to[7], 'x');
	}
	calloc_left = -1;
	all_after = 0;
	CHECK_INT(stats_of(m).hardware_jobs, 10001);
	CHECK_INT(stats_of(m).cpu_no_memory, 0);
	data_mover_dml_delete(m);
}

static struct data_mover_dml *mover;
static atomic_int deleted;

static void *
delete_mover(void *arg)
{
	data_mover_dml_delete(mover);
	atomic_store(&deleted, 1);
	return arg;
}

/* Its memory, and that of the program, is the device's until then. */
static void
deleting_waits_for_the_device(void)
{
	struct bytes b[3];
	pthread_t thread;
	uint64_t checks;

	double_reset();
	mover = new_dml(DATA_MOVER_DML_HARDWARE);
	double_hold(DOUBLE_ALWAYS);
	for (int i = 0; i < 3; i++) {
		bytes_init(&b[i], 5 * MIB, 0);
		make_doubled(&b[i], mover, VDM_OPERATION_MEMCPY, 5 * MIB, 0);
		CHECK_INT(poll_dml(&b[i].fut), FUTURE_STATE_RUNNING);
	}
	atomic_store(&deleted, 0);
	checks = double_checks();
	t_start(&thread, delete_mover, NULL);
	/* long enough for it to have begun to sleep in between */
	while (double_checks() < checks + 1010)
		sched_yield();
	CHECK_INT(atomic_load(&deleted), 0);
	CHECK_INT(double_in_flight(), 1 + 3 * 3);
	double_hold(0);
	t_join(thread);
	CHECK_INT(double_in_flight(), 0);
	for (int i = 0; i < 3; i++) {
		/* Nobody has seen it, but it was done. */
		CHECK(memcmp(b[i].at, b[i].expected, b[i].used) == 0);
		bytes_fini(&b[i]);
	}
}

static void
starting_again_changes_nothing(void)
{
	struct data_mover_dml *m;
	struct vdm *vdm;
	struct bytes b;

	double_reset();
	m = new_dml(DATA_MOVER_DML_HARDWARE);
	vdm = data_mover_dml_get_vdm(m);
	bytes_init(&b, 5000, 0);
	make_doubled(&b, m, VDM_OPERATION_MEMCPY, 5000, 0);
	double_hold(DOUBLE_ALWAYS);
	CHECK_INT(poll_dml(&b.fut), FUTURE_STATE_RUNNING);
	CHECK_INT(vdm->op_start(b.fut.data.data, &b.fut.data.operation, NULL),
		0);
	CHECK_INT(double_submissions(), 1);
	double_hold(0);
	finish_dml(&b.fut);
	bytes_check(&b);
	CHECK_INT(double_submissions(), 1);
	bytes_fini(&b);
	data_mover_dml_delete(m);
}

static struct bytes running;

/* The device never ends its jobs here. */
static void
child(void *arg)
{
	struct data_mover_dml_stats stats;

	(void)arg;
	CHECK_INT(is_async(&running.fut), 0);
	CHECK_INT(poll_dml(&running.fut), FUTURE_STATE_COMPLETE);
	bytes_check(&running);
	try_doubled(mover, VDM_OPERATION_MEMCPY, 100000, VDM_F_MEM_DURABLE);
	stats = stats_of(mover);
	CHECK_INT(stats.hardware, 0);
	CHECK_INT(stats.cpu_forked, 2);
	bytes_fini(&running);
	data_mover_dml_delete(mover);
}

static void
child_that_deletes(void *arg)
{
	(void)arg;
	data_mover_dml_delete(mover);
	bytes_fini(&running);
}

static void
a_child_has_no_device(void)
{
	static const enum vdm_operation_type types[] = {VDM_OPERATION_MEMCPY,
		VDM_OPERATION_MEMSET, VDM_OPERATION_FLUSH};

	for (size_t i = 0; i < T_COUNT(types); i++) {
		double_reset();
		mover = new_dml(DATA_MOVER_DML_HARDWARE);
		bytes_init(&running, 5 * MIB, 0);
		make_doubled(&running, mover, types[i], 5 * MIB, 0);
		double_hold(DOUBLE_ALWAYS);
		CHECK_INT(poll_dml(&running.fut), FUTURE_STATE_RUNNING);
		CHECK_CHILD(child, NULL, 20);
		CHECK_CHILD(child_that_deletes, NULL, 20);
		double_hold(0);
		finish_dml(&running.fut);
		bytes_check(&running);
		CHECK_INT(stats_of(mover).hardware_jobs, 3);
		CHECK_INT(stats_of(mover).cpu_forked, 0);
		bytes_fini(&running);
		data_mover_dml_delete(mover);
	}
}

static void *
make_one(void *arg)
{
	char to[8];
	struct vdm_operation_future f =
		vdm_memset(data_mover_dml_get_vdm(mover), to, 1, 8, 0);

	finish_dml(&f);
	return arg;
}

static void
open_at_fork(void)
{
	if (opens_at_fork)
		t_open(&gate);
}

static void
child_that_uses_it(void *arg)
{
	(void)arg;
	try_doubled(mover, VDM_OPERATION_MEMCPY, 10000, 0);
	t_end_child_unchecked();
}

/* A thread that is taking from the stock is waited for. */
static void
forks_leave_no_lock_locked(void)
{
	CHECK(sem_init(&entered, 0, 0) == 0 && sem_init(&gate, 0, 0) == 0);
	/* What is registered last is called first: before the library waits. */
	CHECK(pthread_atfork(open_at_fork, NULL, NULL) == 0);
	double_reset();
	for (int i = 0; i < 20; i++) {
		pthread_t thread;

		mover = new_dml(DATA_MOVER_DML_SOFTWARE);
		atomic_store(&gated, 1);
		t_start(&thread, make_one, NULL);
		t_pass(&entered);
		opens_at_fork = 1;
		CHECK_CHILD(child_that_uses_it, NULL, 20);
		opens_at_fork = 0;
		t_join(thread);
		data_mover_dml_delete(mover);
	}
}

static void
libdml_can_run_here(void)
{
	need_avx2();
}

T_MAIN(T_CASE(libdml_can_run_here), T_CASE(creation_fails_cleanly),
	T_CASE(without_memory_operations_fail_when_made),
	T_CASE(without_jobs_the_cpu_works), T_CASE(memory_is_used_again),
	T_CASE(deleting_waits_for_the_device),
	T_CASE(starting_again_changes_nothing), T_CASE(a_child_has_no_device),
	T_CASE(forks_leave_no_lock_locked))
