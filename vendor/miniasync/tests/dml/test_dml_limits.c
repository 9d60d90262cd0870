/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_dml_limits.c -- operations longer than a descriptor, and what is learned of
 * how long one may be
 */

#include "doubled.h"

/* Do the accepted descriptors make up [at, at + n), each byte once? */
static void
check_tiles(const char *at, size_t n, size_t longest)
{
	size_t sum = 0;

	for (size_t i = 0; i < double_submissions(); i++) {
		const struct double_descriptor d = double_submitted(i);
		const char *const dst = (const char *)d.dst;

		CHECK(d.length <= longest);
		CHECK(dst >= at && (size_t)(dst - at) <= n - d.length);
		CHECK(d.src == d.dst + ((size_t)1 << 40));
		sum += d.length;
		for (size_t j = 0; j < i; j++) {
			const struct double_descriptor e = double_submitted(j);

			CHECK(e.dst + e.length <= d.dst ||
				d.dst + d.length <= e.dst);
		}
	}
	CHECK(sum == n);
}

/* Nothing is cut off, and all of it is under way at once. */
static void
large_operations_are_cut_up(void)
{
	static const size_t sizes[] = {2 * MIB, 2 * MIB + 1, 16 * MIB,
		16 * MIB + 1, 100 * MIB + 7, ((size_t)4 << 30) - 1,
		(size_t)4 << 30, ((size_t)4 << 30) + 64,
		((size_t)100 << 30) + 12345};
	char *const at = (char *)((uintptr_t)1 << 44);
	struct data_mover_dml *m;

	double_reset();
	double_keep_off();
	m = new_dml(DATA_MOVER_DML_HARDWARE);
	for (size_t i = 0; i < T_COUNT(sizes); i++) {
		const size_t n = sizes[i];
		const size_t pieces = (n - 1) / (2 * MIB) + 1;
		struct vdm_operation_future f =
			vdm_memcpy(data_mover_dml_get_vdm(m), at,
				at + ((size_t)1 << 40), n, VDM_F_NO_CACHE_HINT);

		double_forget();
		double_hold(DOUBLE_ALWAYS);
		CHECK_INT(poll_dml(&f), FUTURE_STATE_RUNNING);
		CHECK_INT(double_submissions(), pieces < 8 ? pieces : 8);
		/* the one that looked for the device is there, too */
		CHECK_INT(double_in_flight(), (pieces < 8 ? pieces : 8) + 1);
		double_hold(0);
		finish_dml(&f);
		CHECK_INT(f.output.result, VDM_SUCCESS);
		check_tiles(at, n, (size_t)1 << 31);
	}
	data_mover_dml_delete(m);
}

/* So is what is for the software, one after the other. */
static void
large_operations_in_software_are_cut_up(void)
{
	char *const at = (char *)((uintptr_t)1 << 44);
	const size_t n = ((size_t)4 << 30) + 64;
	struct data_mover_dml *m;
	struct vdm_operation_future f;

	double_reset();
	double_keep_off();
	m = new_dml(DATA_MOVER_DML_SOFTWARE);
	f = vdm_memcpy(data_mover_dml_get_vdm(m), at, at + ((size_t)1 << 40), n,
		0);
	CHECK_INT(poll_dml(&f), FUTURE_STATE_COMPLETE);
	CHECK_INT(f.output.result, VDM_SUCCESS);
	CHECK_INT(double_submissions(), 3);
	check_tiles(at, n, (size_t)1 << 31);
	CHECK_INT(stats_of(m).software_bytes, n);
	data_mover_dml_delete(m);
}

static void
the_queues_limit_is_learned(void)
{
	char *const at = (char *)((uintptr_t)1 << 44);
	const size_t n = 256 * MIB + 100;
	struct data_mover_dml *m;
	struct vdm_operation_future f;
	uint64_t resubmissions;

	double_reset();
	double_keep_off();
	double_limit(2 * MIB);
	m = new_dml(DATA_MOVER_DML_HARDWARE);
	f = vdm_memcpy(data_mover_dml_get_vdm(m), at, at + ((size_t)1 << 40), n,
		0);
	finish_dml(&f);
	CHECK_INT(f.output.result, VDM_SUCCESS);
	resubmissions = stats_of(m).resubmissions;
	CHECK(resubmissions > 0 && resubmissions < 100);
	CHECK_INT(stats_of(m).hardware_bytes, n);
	CHECK_INT(stats_of(m).cpu_bytes, 0);

	double_forget();
	f = vdm_memcpy(data_mover_dml_get_vdm(m), at, at + ((size_t)1 << 40),
		n / 4, 0);
	finish_dml(&f);
	CHECK_INT(stats_of(m).resubmissions, resubmissions);
	check_tiles(at, n / 4, 2 * MIB);
	data_mover_dml_delete(m);
}

static void
fill_nothing(struct data_mover_dml *m, size_t n)
{
	struct vdm_operation_future f = vdm_memset(data_mover_dml_get_vdm(m),
		(void *)((uintptr_t)1 << 44), 1, n, 0);

	double_forget();
	finish_dml(&f);
	CHECK_INT(f.output.result, VDM_SUCCESS);
}

/* What was refused once is tried again after a while: up to what is allowed. */
static void
a_learned_limit_grows(void)
{
	struct data_mover_dml *m;
	size_t longest = 0;

	double_reset();
	double_keep_off();
	double_limit(4096);
	m = new_dml(DATA_MOVER_DML_HARDWARE);
	fill_nothing(m, 16384);
	CHECK_INT(stats_of(m).resubmissions, 2);

	/* It is real: a refusal in so many descriptors. */
	for (int i = 0; i < 8; i++)
		fill_nothing(m, MIB);
	CHECK_INT(stats_of(m).hardware_jobs, 4 + 8 * 256);
	CHECK_INT(stats_of(m).resubmissions, 2 + 8);

	/* It is gone. Shorter descriptors say nothing of longer ones. */
	double_limit(SIZE_MAX);
	for (int i = 0; i < 2048; i++)
		fill_nothing(m, 4095);
	fill_nothing(m, 16384);
	CHECK_INT(double_submitted(0).length, 4096);
	for (int i = 0; i < 400 && longest < 2 * MIB; i++) {
		fill_nothing(m, 2 * MIB);
		longest = double_submitted(0).length;
		CHECK(longest % 4096 == 0);
	}
	CHECK_INT(longest, 2 * MIB);
	CHECK_INT(stats_of(m).resubmissions, 2 + 8);
	CHECK_INT(stats_of(m).cpu_bytes, 0);
	data_mover_dml_delete(m);
}

/* To what a descriptor can say, and no further. */
static void
a_learned_limit_ends(void)
{
	char *const at = (char *)((uintptr_t)1 << 44);
	const size_t most = (size_t)1 << 31;
	struct data_mover_dml *m;
	struct vdm_operation_future f;

	double_reset();
	double_keep_off();
	m = new_dml(DATA_MOVER_DML_HARDWARE);
	double_fail(DML_STATUS_JOB_LENGTH_ERROR, 0, 1);
	for (int i = 0; i < 40; i++) {
		f = vdm_memcpy(data_mover_dml_get_vdm(m), at,
			at + ((size_t)1 << 40), 64 * most, 0);
		finish_dml(&f);
		CHECK_INT(f.output.result, VDM_SUCCESS);
	}
	double_forget();
	f = vdm_memcpy(data_mover_dml_get_vdm(m), at, at + ((size_t)1 << 40),
		64 * most, 0);
	finish_dml(&f);
	check_tiles(at, 64 * most, most);
	CHECK_INT(double_submissions(), 64);
	CHECK_INT(stats_of(m).resubmissions, 1);

	/* Also where doubling does not meet it. */
	double_fail(DML_STATUS_JOB_LENGTH_ERROR, 0, 1);
	f = vdm_memcpy(data_mover_dml_get_vdm(m), at, at + ((size_t)1 << 40),
		8 * 12 * MIB, 0);
	finish_dml(&f);
	CHECK_INT(stats_of(m).resubmissions, 2);
	for (int i = 0; i < 40; i++) {
		f = vdm_memcpy(data_mover_dml_get_vdm(m), at,
			at + ((size_t)1 << 40), 64 * most, 0);
		finish_dml(&f);
	}
	double_forget();
	f = vdm_memcpy(data_mover_dml_get_vdm(m), at, at + ((size_t)1 << 40),
		64 * most, 0);
	finish_dml(&f);
	CHECK_INT(double_submissions(), 64);
	data_mover_dml_delete(m);
}

/* Down to a page, which is not cut up. */
static void
a_limit_of_a_page_is_learned(void)
{
	struct data_mover_dml *m;

	double_reset();
	double_limit(4096);
	m = new_dml(DATA_MOVER_DML_HARDWARE);
	try_doubled(m, VDM_OPERATION_MEMCPY, 5000, 0);
	CHECK_INT(stats_of(m).resubmissions, 1);
	CHECK_INT(stats_of(m).hardware_jobs, 2);
	CHECK_INT(stats_of(m).cpu_bytes, 0);
	data_mover_dml_delete(m);
}

/* Then not even a page goes. */
static void
a_limit_below_a_page_is_for_the_cpu(void)
{
	struct data_mover_dml *m;

	double_reset();
	double_limit(100);
	m = new_dml(DATA_MOVER_DML_HARDWARE);
	for (int type = 0; type <= VDM_OPERATION_FLUSH; type++)
		try_doubled(m, (enum vdm_operation_type)type, 20001, 0);
	CHECK_INT(stats_of(m).hardware_jobs, 0);
	CHECK(stats_of(m).cpu_device_error > 0);
	CHECK_INT(stats_of(m).last_error, DML_STATUS_JOB_LENGTH_ERROR);
	/* and what is shorter still goes to the device */
	try_doubled(m, VDM_OPERATION_MEMCPY, 99, 0);
	CHECK_INT(stats_of(m).hardware_jobs, 1);
	data_mover_dml_delete(m);
}

static void
libdml_can_run_here(void)
{
	need_avx2();
}

T_MAIN(T_CASE(libdml_can_run_here), T_CASE(large_operations_are_cut_up),
	T_CASE(large_operations_in_software_are_cut_up),
	T_CASE(the_queues_limit_is_learned), T_CASE(a_learned_limit_grows),
	T_CASE(a_learned_limit_ends), T_CASE(a_limit_of_a_page_is_learned),
	T_CASE(a_limit_below_a_page_is_for_the_cpu))
