/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_dml.c -- the DML mover, as programs see it
 *
 * Built twice: on the test double of libdml, and on libdml itself. There the
 * device is tested, too, if this machine has one.
 */

#include "dml_helpers.h"

static struct runtime *runtime;

static void
finish_with_runtime(struct vdm_operation_future *fut)
{
	runtime_wait(runtime, FUTURE_AS_RUNNABLE(fut));
}

/* A mover of each type that this machine has. */
static size_t
make_all(struct data_mover_dml *movers[3])
{
	size_t n = 0;

	movers[n++] = new_dml(DATA_MOVER_DML_SOFTWARE);
	movers[n++] = new_dml(DATA_MOVER_DML_AUTO);
	movers[n] = data_mover_dml_new(DATA_MOVER_DML_HARDWARE);
	if (movers[n] != NULL)
		return n + 1;
	CHECK_INT(errno, ENODEV);
	return n;
}

static void
delete_all(struct data_mover_dml *movers[3], size_t n)
{
	while (n-- > 0)
		data_mover_dml_delete(movers[n]);
}

static void
every_byte_is_right(void)
{
	struct data_mover_dml *movers[3];
	const size_t n = make_all(movers);

	runtime = new_runtime();
	for (size_t i = 0; i < n; i++) {
		struct vdm *vdm = data_mover_dml_get_vdm(movers[i]);

		bytes_try_all(vdm, T_SLOW ? 262144 : 3145733, finish_dml);
		bytes_try_all(vdm, 4097, finish_with_runtime);
	}
	runtime_delete(runtime);
	delete_all(movers, n);
}

/* Of any kind, in one wait, beside operations that have wakers. */
static void
they_are_waited_for_with_others(void)
{
	struct data_mover_threads *threads = new_queueing_mover(1);
	struct data_mover_dml *movers[3];
	const size_t n = make_all(movers);
	struct bytes b[40];
	struct future *futs[40];

	runtime = new_runtime();
	for (size_t i = 0; i < 40; i++) {
		struct vdm *vdm = i % 4 < n
			? data_mover_dml_get_vdm(movers[i % 4])
			: data_mover_threads_get_vdm(threads);

		bytes_init(&b[i], 20000, 0);
		bytes_make(&b[i], vdm, VDM_OPERATION_MEMCPY, 20000, i, i, 0);
		futs[i] = FUTURE_AS_RUNNABLE(&b[i].fut);
	}
	runtime_wait_multiple(runtime, futs, 40);
	for (size_t i = 0; i < 40; i++) {
		bytes_check(&b[i]);
		bytes_fini(&b[i]);
	}
	runtime_delete(runtime);
	delete_all(movers, n);
	data_mover_threads_delete(threads);
}

static void
unknown_types_are_refused(void)
{
	errno = 0;
	CHECK(data_mover_dml_new((enum data_mover_dml_type)3) == NULL);
	CHECK_INT(errno, EINVAL);
	data_mover_dml_delete(NULL);
}

static void
both_flags_are_supported(void)
{
	struct data_mover_dml *movers[3];
	const size_t n = make_all(movers);

	for (size_t i = 0; i < n; i++)
		CHECK(vdm_is_supported(data_mover_dml_get_vdm(movers[i]),
			VDM_F_MEM_DURABLE | VDM_F_NO_CACHE_HINT));
	delete_all(movers, n);
}

/* No bytes: complete at the first poll, whatever the addresses are. */
static void
nothing_is_done_at_once(void)
{
	struct data_mover_dml *movers[3];
	const size_t n = make_all(movers);

	for (size_t i = 0; i < n; i++) {
		struct vdm *vdm = data_mover_dml_get_vdm(movers[i]);
		struct vdm_operation_future f[4] = {
			vdm_memcpy(vdm, NULL, NULL, 0, 0),
			vdm_memmove(vdm, NULL, NULL, 0, VDM_F_MEM_DURABLE),
			vdm_memset(vdm, NULL, 1, 0, 0),
			vdm_flush(vdm, NULL, 0, 0),
		};

		for (int j = 0; j < 4; j++) {
			CHECK_INT(is_async(&f[j]), 0);
			CHECK_INT(poll_dml(&f[j]), FUTURE_STATE_COMPLETE);
			CHECK_INT(f[j].output.result, VDM_SUCCESS);
			CHECK_INT(f[j].output.type, j);
		}
		CHECK_INT(stats_of(movers[i]).operations, 4);
		CHECK_INT(stats_of(movers[i]).cpu_bytes, 0);
	}
	delete_all(movers, n);
}

static void
a_copy_onto_itself_changes_nothing(void)
{
	struct data_mover_dml *movers[3];
	const size_t n = make_all(movers);
	unsigned char *at = t_malloc(100000);
	unsigned char *same = t_malloc(100000);

	t_fill(at, 100000, 1);
	memcpy(same, at, 100000);
	for (size_t i = 0; i < n; i++) {
		static const size_t sizes[] = {1, 64, 4096, 100000};

		for (size_t j = 0; j < T_COUNT(sizes); j++) {
			struct vdm_operation_future f =
				vdm_memcpy(data_mover_dml_get_vdm(movers[i]),
					at, at, sizes[j],
					j % 2 ? VDM_F_MEM_DURABLE : 0);

			finish_dml(&f);
			CHECK_INT(f.output.result, VDM_SUCCESS);
			CHECK(f.output.output.memcpy.dest == at);
		}
	}
	CHECK(memcmp(at, same, 100000) == 0);
	free(at);
	free(same);
	delete_all(movers, n);
}

/* libdml refuses a forward overlap if it is told that it is a copy. */
static void
a_copy_that_overlaps_is_a_move(void)
{
	struct data_mover_dml *movers[3];
	const size_t n = make_all(movers);
	unsigned char *at = t_malloc(20000);
	unsigned char *same = t_malloc(20000);

	for (size_t i = 0; i < n; i++) {
		struct vdm_operation_future f;

		t_fill(at, 20000, i);
		memcpy(same, at, 20000);
		memmove(same + 100, same, 10000);
		f = vdm_memcpy(data_mover_dml_get_vdm(movers[i]), at + 100, at,
			10000, 0);
		CHECK_INT(is_async(&f), 0);
		finish_dml(&f);
		CHECK_INT(f.output.result, VDM_SUCCESS);
		CHECK_INT(f.output.type, VDM_OPERATION_MEMCPY);
		CHECK(memcmp(at, same, 20000) == 0);
		CHECK_INT(stats_of(movers[i]).hardware_jobs, 0);
		CHECK_INT(stats_of(movers[i]).software_jobs, 0);
	}
	free(at);
	free(same);
	delete_all(movers, n);
}

static void
unknown_operations_fail(void)
{
	struct data_mover_dml *movers[3];
	const size_t n = make_all(movers);

	for (size_t i = 0; i < n; i++) {
		struct vdm_operation_future f;

		memset(&f, 0, sizeof(f));
		f.data.operation.type = (enum vdm_operation_type)17;
		vdm_generic_operation(data_mover_dml_get_vdm(movers[i]), &f);
		CHECK_INT(is_async(&f), 0);
		CHECK_INT(poll_dml(&f), FUTURE_STATE_COMPLETE);
		CHECK_INT(f.output.result, VDM_ERROR_JOB_CORRUPTED);
	}
	delete_all(movers, n);
}

static void
software_works_in_the_poll(void)
{
	struct data_mover_dml *m = new_dml(DATA_MOVER_DML_SOFTWARE);
	struct vdm *vdm = data_mover_dml_get_vdm(m);
	struct data_mover_dml_stats stats;
	struct bytes b;

	bytes_init(&b, 1048577, 0);
	bytes_make(&b, vdm, VDM_OPERATION_MEMCPY, 1048577, 3, 5,
		VDM_F_MEM_DURABLE);
	CHECK_INT(is_async(&b.fut), 0);
	CHECK_INT(poll_dml(&b.fut), FUTURE_STATE_COMPLETE);
	bytes_check(&b);
	bytes_make(&b, vdm, VDM_OPERATION_MEMSET, 1048577, 3, 5, 0);
	CHECK_INT(poll_dml(&b.fut), FUTURE_STATE_COMPLETE);
	bytes_check(&b);
	bytes_make(&b, vdm, VDM_OPERATION_FLUSH, 50, 3, 5, 0);
	CHECK_INT(poll_dml(&b.fut), FUTURE_STATE_COMPLETE);
	bytes_check(&b);
	bytes_fini(&b);

	stats = stats_of(m);
	CHECK_INT(stats.hardware, 0);
	CHECK_INT(stats.operations, 3);
	CHECK_INT(stats.software_jobs, 2);
	CHECK_INT(stats.software_bytes, 2 * 1048577);
	CHECK_INT(stats.cpu_flush, 1);
	CHECK_INT(stats.cpu_bytes, 50);
	CHECK_INT(stats.hardware_jobs, 0);
	data_mover_dml_delete(m);
}

static void
operations_that_never_start_are_released(void)
{
	struct data_mover_dml *movers[3];
	const size_t n = make_all(movers);
	char to[8];

	for (size_t i = 0; i < n; i++) {
		struct vdm *vdm = data_mover_dml_get_vdm(movers[i]);
		struct vdm_operation_future f = vdm_memset(vdm, to, 1, 8, 0);

		/* One is released; the other one's memory is the mover's. */
		(void)vdm_memset(vdm, to, 1, 8, 0);
		CHECK_INT(vdm_operation_release(&f), 0);
		CHECK_INT(f.output.result, VDM_ERROR_JOB_CORRUPTED);
		CHECK_INT(stats_of(movers[i]).operations, 0);
	}
	delete_all(movers, n);
}

static void
the_environment_limits_operations(void)
{
	struct vdm_operation_future f[4];
	struct data_mover_dml *m;
	char to[8];

	CHECK(setenv("MINIASYNC_MAX_OPERATIONS", "3", 1) == 0);
	m = new_dml(DATA_MOVER_DML_AUTO);
	CHECK(unsetenv("MINIASYNC_MAX_OPERATIONS") == 0);
	for (int i = 0; i < 4; i++)
		f[i] = vdm_memset(data_mover_dml_get_vdm(m), to, 1, 8, 0);
	CHECK_INT(FUTURE_STATE(&f[3]), FUTURE_STATE_COMPLETE);
	CHECK_INT(f[3].output.result, VDM_ERROR_OUT_OF_MEMORY);
	finish_dml(&f[1]);
	CHECK_INT(f[1].output.result, VDM_SUCCESS);
	f[3] = vdm_memset(data_mover_dml_get_vdm(m), to, 1, 8, 0);
	CHECK_INT(FUTURE_STATE(&f[3]), FUTURE_STATE_IDLE);
	data_mover_dml_delete(m);
}

static void
stats_fit_any_size(void)
{
	struct data_mover_dml *m = new_dml(DATA_MOVER_DML_SOFTWARE);
	struct {
		struct data_mover_dml_stats stats;
		uint64_t later[4];
	} room;

	memset(&room, 0xa5, sizeof(room));
	/* a program that knows more than this library */
	room.stats.size = sizeof(room);
	CHECK_INT(data_mover_dml_get_stats(m, &room.stats), 0);
	CHECK_INT(room.stats.size, sizeof(room.stats));
	CHECK_INT(room.stats.last_error, 0);
	CHECK(room.later[0] == UINT64_C(0xa5a5a5a5a5a5a5a5));
	/* and one that knows less */
	memset(&room, 0xa5, sizeof(room));
	room.stats.size = offsetof(struct data_mover_dml_stats, hardware_bytes);
	CHECK_INT(data_mover_dml_get_stats(m, &room.stats), 0);
	CHECK_INT(room.stats.size,
		offsetof(struct data_mover_dml_stats, hardware_bytes));
	CHECK_INT(room.stats.hardware_jobs, 0);
	CHECK(room.stats.hardware_bytes == UINT64_C(0xa5a5a5a5a5a5a5a5));

	room.stats.size = sizeof(size_t) - 1;
	CHECK_INT(data_mover_dml_get_stats(m, &room.stats), EINVAL);
	room.stats.size = sizeof(room.stats);
	CHECK_INT(data_mover_dml_get_stats(NULL, &room.stats), EINVAL);
	CHECK_INT(data_mover_dml_get_stats(m, NULL), EINVAL);
	data_mover_dml_delete(m);
}

static struct data_mover_dml *inherited[3];
static size_t inherited_count;
static struct bytes started[3];

static void
child(void *arg)
{
	struct data_mover_dml *m;

	(void)arg;
	/* what was started before the fork, and what is made after it */
	for (size_t i = 0; i < inherited_count; i++) {
		struct vdm *vdm = data_mover_dml_get_vdm(inherited[i]);

		finish_dml(&started[i].fut);
		bytes_check(&started[i]);
		bytes_fini(&started[i]);
		bytes_try_all(vdm, 4097, finish_dml);
		CHECK_INT(stats_of(inherited[i]).hardware, 0);
		CHECK(stats_of(inherited[i]).cpu_forked != 0);
	}
	m = new_dml(DATA_MOVER_DML_AUTO);
	bytes_try_all(data_mover_dml_get_vdm(m), 4097, finish_dml);
	CHECK_INT(stats_of(m).hardware, 0);
	data_mover_dml_delete(m);
	m = new_dml(DATA_MOVER_DML_SOFTWARE);
	bytes_try_all(data_mover_dml_get_vdm(m), 4097, finish_dml);
	data_mover_dml_delete(m);
	errno = 0;
	CHECK(data_mover_dml_new(DATA_MOVER_DML_HARDWARE) == NULL);
	CHECK_INT(errno, ENODEV);
	delete_all(inherited, inherited_count);
}

static void
a_forked_child_works(void)
{
	inherited_count = make_all(inherited);
	for (size_t i = 0; i < inherited_count; i++) {
		bytes_init(&started[i], 30000, 0);
		bytes_make(&started[i], data_mover_dml_get_vdm(inherited[i]),
			VDM_OPERATION_MEMCPY, 30000, 1, 2, 0);
		if (i != 0)
			poll_dml(&started[i].fut);
	}
	CHECK_CHILD(child, NULL, 20);
	for (size_t i = 0; i < inherited_count; i++) {
		finish_dml(&started[i].fut);
		bytes_check(&started[i]);
		bytes_fini(&started[i]);
		CHECK_INT(stats_of(inherited[i]).cpu_forked, 0);
	}
	delete_all(inherited, inherited_count);
}

static void
libdml_can_run_here(void)
{
	need_avx2();
}

T_MAIN(T_CASE(libdml_can_run_here), T_CASE(every_byte_is_right),
	T_CASE(they_are_waited_for_with_others),
	T_CASE(unknown_types_are_refused), T_CASE(both_flags_are_supported),
	T_CASE(nothing_is_done_at_once),
	T_CASE(a_copy_onto_itself_changes_nothing),
	T_CASE(a_copy_that_overlaps_is_a_move), T_CASE(unknown_operations_fail),
	T_CASE(software_works_in_the_poll),
	T_CASE(operations_that_never_start_are_released),
	T_CASE(the_environment_limits_operations), T_CASE(stats_fit_any_size),
	T_CASE(a_forked_child_works))
