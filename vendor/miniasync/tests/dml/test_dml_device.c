/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_dml_device.c -- what the device is given, and every way in which it ends
 */

#include "doubled.h"

static void
without_a_device_the_cpu_works(void)
{
	struct data_mover_dml *m;
	struct data_mover_dml_stats stats;
	struct bytes b;

	double_reset();
	double_set_device(false);
	errno = 0;
	CHECK(data_mover_dml_new(DATA_MOVER_DML_HARDWARE) == NULL);
	CHECK_INT(errno, ENODEV);

	m = new_dml(DATA_MOVER_DML_AUTO);
	bytes_init(&b, 100000, 0);
	make_doubled(&b, m, VDM_OPERATION_MEMCPY, 100000, 0);
	CHECK_INT(is_async(&b.fut), 0);
	CHECK_INT(poll_dml(&b.fut), FUTURE_STATE_COMPLETE);
	bytes_check(&b);
	bytes_fini(&b);
	stats = stats_of(m);
	CHECK_INT(stats.hardware, 0);
	CHECK_INT(stats.cpu_unavailable, 1);
	CHECK_INT(stats.cpu_bytes, 100000);
	CHECK_INT(double_submissions(), 0);
	data_mover_dml_delete(m);
	double_set_device(true);
}

/* A CPU that libdml was not compiled for must not be made to run it. */
static void
on_other_cpus_libdml_is_not_used(void *arg)
{
	struct data_mover_dml *m;

	(void)arg;
	CHECK(setenv("MINIASYNC_CPU_FEATURES", "-avx2", 1) == 0);
	double_reset();
	CHECK(data_mover_dml_new(DATA_MOVER_DML_HARDWARE) == NULL);
	CHECK_INT(errno, ENODEV);
	m = new_dml(DATA_MOVER_DML_AUTO);
	try_doubled(m, VDM_OPERATION_MEMCPY, 10000, 0);
	CHECK_INT(stats_of(m).cpu_unavailable, 1);
	data_mover_dml_delete(m);
	m = new_dml(DATA_MOVER_DML_SOFTWARE);
	try_doubled(m, VDM_OPERATION_MEMCPY, 10000, 0);
	CHECK_INT(stats_of(m).cpu_unavailable, 1);
	data_mover_dml_delete(m);
	CHECK_INT(double_submissions(), 0);
	CHECK_INT(double_nops(), 0);
}

/* The environment is read once, so this is the first to run, in a child. */
static void
libdml_needs_avx2(void)
{
#ifndef __x86_64__
	return;
#endif
	need_avx2();
	CHECK_CHILD(on_other_cpus_libdml_is_not_used, NULL, 20);
}

static void
a_device_in_any_condition_is_a_device(void)
{
	for (int status = 0; status <= 110; status++) {
		struct data_mover_dml *m;

		if (status == DML_STATUS_LIBACCEL_NOT_FOUND)
			continue;
		double_reset();
		double_refuse((dml_status_t)status, status != 0);
		m = new_dml(DATA_MOVER_DML_HARDWARE);
		CHECK_INT(stats_of(m).hardware, 1);
		CHECK_INT(double_nops(), 1);
		try_doubled(m, VDM_OPERATION_MEMCPY, 100, 0);
		CHECK_INT(stats_of(m).hardware_jobs, 1);
		data_mover_dml_delete(m);
	}
}

static void
the_device_works_in_the_background(void)
{
	struct data_mover_dml *m;
	struct bytes b;

	double_reset();
	m = new_dml(DATA_MOVER_DML_HARDWARE);
	bytes_init(&b, 5000, 5000);
	for (int type = 0; type <= VDM_OPERATION_FLUSH; type++) {
		struct data_mover_dml_stats stats;

		double_hold(DOUBLE_ALWAYS);
		make_doubled(&b, m, (enum vdm_operation_type)type, 5000, 0);
		CHECK_INT(is_async(&b.fut), 1);
		for (int i = 0; i < 1000; i++)
			CHECK_INT(poll_dml(&b.fut), FUTURE_STATE_RUNNING);
		CHECK_INT(is_async(&b.fut), 1);
		CHECK_INT(vdm_operation_release(&b.fut), EBUSY);
		CHECK(memcmp(b.at, b.before, b.used) == 0);
		double_hold(0);
		CHECK_INT(poll_dml(&b.fut), FUTURE_STATE_COMPLETE);
		bytes_check(&b);
		stats = stats_of(m);
		CHECK_INT(stats.hardware_jobs, type + 1);
		CHECK_INT(stats.operations, type + 1);
		CHECK_INT(stats.cpu_bytes, 0);
	}
	bytes_fini(&b);
	data_mover_dml_delete(m);
}

static void
descriptors_say_what_is_asked_for(void)
{
	static const dml_operation_t operations[] = {DML_OP_MEM_MOVE,
		DML_OP_MEM_MOVE, DML_OP_FILL, DML_OP_CACHE_FLUSH};
	struct data_mover_dml *m;
	struct bytes b;

	double_reset();
	m = new_dml(DATA_MOVER_DML_HARDWARE);
	bytes_init(&b, 5000, 5000);
	for (int type = 0; type <= VDM_OPERATION_FLUSH; type++) {
		struct double_descriptor d;
		const unsigned char *dst;

		make_doubled(&b, m, (enum vdm_operation_type)type, 5000, 0);
		finish_dml(&b.fut);
		bytes_check(&b);
		d = double_submitted((size_t)type);
		dst = bytes_dest(&b, DEST_SHIFT);
		CHECK_INT(d.path, DML_PATH_HW);
		CHECK_INT(d.operation, operations[type]);
		if (type == VDM_OPERATION_FLUSH) {
			/* whole lines, as many as the bytes are in */
			CHECK_INT((uintptr_t)d.dst % 64, 0);
			CHECK_INT(d.length % 64, 0);
			CHECK(d.dst <= dst && dst - d.dst < 64);
			CHECK(d.dst + d.length >= dst + 5000);
			CHECK(d.dst + d.length < dst + 5000 + 64);
		} else {
			CHECK(d.dst == dst);
			CHECK_INT(d.length, 5000);
		}
		if (type == VDM_OPERATION_MEMCPY)
			CHECK(d.src == b.src + SRC_SHIFT);
		if (type == VDM_OPERATION_MEMMOVE)
			CHECK(d.src == dst + 5000);
	}
	bytes_fini(&b);
	data_mover_dml_delete(m);
}

static void
flushes_miss_no_line(void)
{
	struct data_mover_dml *m;
	unsigned char *at = aligned_alloc(64, 1024);

	CHECK(at != NULL);
	double_reset();
	m = new_dml(DATA_MOVER_DML_HARDWARE);
	for (size_t shift = 0; shift < 64; shift++)
		for (size_t n = 1; n < 200; n++) {
			struct vdm_operation_future f =
				vdm_flush(data_mover_dml_get_vdm(m), at + shift,
					n, VDM_F_NO_CACHE_HINT);
			struct double_descriptor d;

			finish_dml(&f);
			CHECK_INT(f.output.result, VDM_SUCCESS);
			/* the log is not endless */
			d = double_submitted(0);
			CHECK(d.dst == at);
			CHECK_INT(d.length, (shift + n + 63) / 64 * 64);
			CHECK_INT(d.flags, 0);
			double_forget();
		}
	free(at);
	data_mover_dml_delete(m);
}

/* The one hint, where the CPU, too, would leave the bytes in the cache. */
static void
no_flags_but_the_hint(void)
{
	static const struct {
		enum vdm_operation_type type;
		uint64_t flags;
		size_t n;
		uint64_t expected;
	} tries[] = {
		{VDM_OPERATION_MEMCPY, 0, 64, DML_FLAG_PREFETCH_CACHE},
		{VDM_OPERATION_MEMMOVE, 0, 64, DML_FLAG_PREFETCH_CACHE},
		{VDM_OPERATION_MEMSET, 0, 64, DML_FLAG_PREFETCH_CACHE},
		{VDM_OPERATION_FLUSH, 0, 64, 0},
		{VDM_OPERATION_MEMCPY, VDM_F_NO_CACHE_HINT, 64, 0},
		{VDM_OPERATION_MEMSET, VDM_F_NO_CACHE_HINT, 64, 0},
		{VDM_OPERATION_MEMCPY, VDM_F_MEM_DURABLE, 64, 0},
		{VDM_OPERATION_MEMSET, VDM_F_VALID_FLAGS, 64, 0},
		/* unknown ones are ignored */
		{VDM_OPERATION_MEMCPY, ~(uint64_t)VDM_F_VALID_FLAGS, 64,
			DML_FLAG_PREFETCH_CACHE},
		/* larger than any cache */
		{VDM_OPERATION_MEMCPY, 0, (size_t)1 << 32, 0},
		{VDM_OPERATION_MEMSET, 0, (size_t)1 << 32, 0},
	};
	char *const at = (char *)((uintptr_t)1 << 44);
	struct data_mover_dml *m;

	double_reset();
	double_keep_off();
	m = new_dml(DATA_MOVER_DML_HARDWARE);
	for (size_t i = 0; i < T_COUNT(tries); i++) {
		struct vdm *vdm = data_mover_dml_get_vdm(m);
		struct vdm_operation_future f;

		double_hold(DOUBLE_ALWAYS);
		switch (tries[i].type) {
		case VDM_OPERATION_MEMCPY:
			f = vdm_memcpy(vdm, at, at + ((size_t)1 << 40),
				tries[i].n, tries[i].flags);
			break;
		case VDM_OPERATION_MEMMOVE:
			f = vdm_memmove(vdm, at, at + ((size_t)1 << 40),
				tries[i].n, tries[i].flags);
			break;
		case VDM_OPERATION_MEMSET:
			f = vdm_memset(vdm, at, 1, tries[i].n, tries[i].flags);
			break;
		default:
			f = vdm_flush(vdm, at, tries[i].n, tries[i].flags);
		}
		CHECK_INT(poll_dml(&f), FUTURE_STATE_RUNNING);
		for (size_t j = 0; j < double_submissions(); j++)
			CHECK_INT(double_submitted(j).flags, tries[i].expected);
		double_forget();
		/* Its bytes are not there to be written back. */
		if (tries[i].flags & VDM_F_MEM_DURABLE &&
			tries[i].flags <= VDM_F_VALID_FLAGS)
			continue;
		double_hold(0);
		finish_dml(&f);
		double_forget();
	}
	double_hold(0);
	data_mover_dml_delete(m);
}

static void
a_refused_hint_is_not_repeated(void)
{
	struct data_mover_dml *m;

	double_reset();
	m = new_dml(DATA_MOVER_DML_HARDWARE);
	double_refuse_hints();
	try_doubled(m, VDM_OPERATION_MEMCPY, 5000, 0);
	CHECK_INT(double_submissions(), 2);
	CHECK_INT(double_submitted(0).flags, DML_FLAG_PREFETCH_CACHE);
	CHECK_INT(double_submitted(1).flags, 0);
	try_doubled(m, VDM_OPERATION_MEMSET, 5000, 0);
	CHECK_INT(double_submissions(), 3);
	CHECK_INT(double_submitted(2).flags, 0);
	CHECK_INT(stats_of(m).resubmissions, 1);
	CHECK_INT(stats_of(m).hardware_jobs, 2);
	CHECK_INT(stats_of(m).cpu_bytes, 0);
	data_mover_dml_delete(m);
}

/* Whatever a job ends with, and whatever was done by then. (Of at most a page:
 * longer ones that are too long are sent again in halves.) */
static void
every_end_is_mended(void)
{
	struct data_mover_dml *m;

	for (int status = 1; status <= 110; status++) {
		struct data_mover_dml_stats stats;
		int faults;

		if (status == DML_STATUS_BEING_PROCESSED)
			continue;
		faults = status == DML_STATUS_PAGE_FAULT_ERROR ||
			status == DML_STATUS_INTL_INVALID_PAGE_REQUEST;
		double_reset();
		m = new_dml(DATA_MOVER_DML_HARDWARE);
		for (int type = 0; type <= VDM_OPERATION_FLUSH; type++) {
			double_fail((dml_status_t)status, 1001, 1);
			try_doubled(m, (enum vdm_operation_type)type, 4000,
				type % 2 ? VDM_F_NO_CACHE_HINT : 0);
		}
		stats = stats_of(m);
		CHECK_INT(stats.operations, 4);
		if (status == DML_STATUS_JOB_FLAGS_ERROR) {
			/* the hint is given up, and it is not the hint */
			CHECK_INT(stats.resubmissions, 1);
			CHECK_INT(stats.cpu_device_error, 3);
			CHECK_INT(stats.hardware_jobs, 1);
		} else {
			CHECK_INT(stats.cpu_page_fault, faults ? 4 : 0);
			CHECK_INT(stats.cpu_device_error, faults ? 0 : 4);
			CHECK_INT(stats.hardware_jobs, 0);
		}
		CHECK_INT(stats.last_error, status);
		CHECK_INT(stats.cpu_refused, 0);
		data_mover_dml_delete(m);
	}
}

/* Whatever the answer to a submission is; of the software, too. */
static void
every_refusal_is_mended(void)
{
	for (int status = 1; status <= 110; status++) {
		struct data_mover_dml *m;
		struct data_mover_dml_stats stats;

		if (status == DML_STATUS_WORK_QUEUES_NOT_AVAILABLE)
			continue;
		for (int type = 0; type <= VDM_OPERATION_FLUSH; type++) {
			double_reset();
			m = new_dml(DATA_MOVER_DML_HARDWARE);
			double_refuse((dml_status_t)status, 1);
			try_doubled(m, (enum vdm_operation_type)type, 4096, 0);
			stats = stats_of(m);
			CHECK_INT(stats.cpu_refused, 1);
			CHECK_INT(stats.last_error, status);
			CHECK_INT(stats.hardware_jobs, 0);
			data_mover_dml_delete(m);
		}
		m = new_dml(DATA_MOVER_DML_SOFTWARE);
		double_refuse((dml_status_t)status, 1);
		try_doubled(m, VDM_OPERATION_MEMSET, 4096, VDM_F_MEM_DURABLE);
		CHECK_INT(stats_of(m).cpu_refused, 1);
		CHECK_INT(stats_of(m).software_jobs, 0);
		data_mover_dml_delete(m);
	}
}

/*
 * Memory that nobody has touched yet: every descriptor faults at once. The polls
 * stay short, and what the device is given gets smaller.
 */
static void
faults_everywhere_do_not_make_polls_long(void)
{
	const size_t n = 96 * MIB;
	struct data_mover_dml *m;
	struct vdm_operation_future f;
	unsigned char *at = calloc(1, n);
	uint64_t before = 0;
	size_t submissions;
	int polls = 0;

	CHECK(at != NULL);
	double_reset();
	m = new_dml(DATA_MOVER_DML_HARDWARE);
	double_fail(DML_STATUS_PAGE_FAULT_ERROR, 0, DOUBLE_ALWAYS);
	f = vdm_memset(data_mover_dml_get_vdm(m), at, 7, n, 0);
	double_hold(DOUBLE_ALWAYS);
	CHECK_INT(poll_dml(&f), FUTURE_STATE_RUNNING);
	CHECK_INT(double_submissions(), 8);
	double_hold(0);
	while (poll_dml(&f) != FUTURE_STATE_COMPLETE) {
		const uint64_t now = stats_of(m).cpu_bytes;

		CHECK(now - before <= 8 * MIB);
		CHECK_INT(is_async(&f), 1);
		before = now;
		polls++;
	}
	CHECK(polls >= 11);
	CHECK_INT(f.output.result, VDM_SUCCESS);
	CHECK_INT(at[0], 7);
	CHECK(memcmp(at, at + 1, n - 1) == 0);
	CHECK_INT(stats_of(m).cpu_bytes, n);
	submissions = double_submissions();
	CHECK_INT(double_submitted(7).length, 12 * MIB);
	CHECK(double_submitted(submissions - 1).length <= 2 * MIB);

	/* One fault: the CPU does the beginning, and the device the rest. */
	data_mover_dml_delete(m);
	double_reset();
	m = new_dml(DATA_MOVER_DML_HARDWARE);
	double_fail(DML_STATUS_PAGE_FAULT_ERROR, 0, 1);
	f = vdm_memset(data_mover_dml_get_vdm(m), at, 8, n, 0);
	finish_dml(&f);
	CHECK_INT(at[0], 8);
	CHECK(memcmp(at, at + 1, n - 1) == 0);
	CHECK_INT(stats_of(m).cpu_bytes, 8 * MIB);
	CHECK_INT(stats_of(m).hardware_bytes, n - 8 * MIB);
	free(at);
	data_mover_dml_delete(m);
}

static void
small_ones_are_not_worth_it(void)
{
	struct data_mover_dml *m;

	double_reset();
	m = new_dml(DATA_MOVER_DML_AUTO);
	CHECK_INT(stats_of(m).hardware, 1);
	try_doubled(m, VDM_OPERATION_MEMCPY, 4095, 0);
	CHECK_INT(stats_of(m).cpu_small, 1);
	CHECK_INT(stats_of(m).hardware_jobs, 0);
	try_doubled(m, VDM_OPERATION_MEMCPY, 4096, 0);
	CHECK_INT(stats_of(m).hardware_jobs, 1);
	data_mover_dml_delete(m);
	m = new_dml(DATA_MOVER_DML_HARDWARE);
	try_doubled(m, VDM_OPERATION_MEMCPY, 1, 0);
	CHECK_INT(stats_of(m).hardware_jobs, 1);
	data_mover_dml_delete(m);
}

/*
 * What the original did: a durable copy had a wrong flag (1 < 14, the fence), a
 * refused submission was polled for ever, an unexpected status was undefined
 * behaviour. (A failed creation: test_dml_lifetime.c.)
 */
static void
the_originals_faults_are_not_here(void)
{
	struct data_mover_dml *m;

	double_reset();
	m = new_dml(DATA_MOVER_DML_HARDWARE);
	try_doubled(m, VDM_OPERATION_MEMCPY, 4096, VDM_F_MEM_DURABLE);
	CHECK_INT(double_submitted(0).flags & 1, 0);
	double_refuse(DML_STATUS_WORK_QUEUES_NOT_AVAILABLE, DOUBLE_ALWAYS);
	try_doubled(m, VDM_OPERATION_MEMCPY, 4096, 0);
	double_refuse(DML_STATUS_OK, 0);
	double_fail(DML_STATUS_INTL_ADDRESS_TRANSLATION_ERROR, 0, 1);
	try_doubled(m, VDM_OPERATION_MEMCPY, 4096, 0);
	double_fail(DML_STATUS_FALSE_PREDICATE_OK, 0, 1);
	try_doubled(m, VDM_OPERATION_MEMCPY, 4096, 0);
	data_mover_dml_delete(m);
}

T_MAIN(T_CASE(libdml_needs_avx2), T_CASE(without_a_device_the_cpu_works),
	T_CASE(a_device_in_any_condition_is_a_device),
	T_CASE(the_device_works_in_the_background),
	T_CASE(descriptors_say_what_is_asked_for), T_CASE(flushes_miss_no_line),
	T_CASE(no_flags_but_the_hint), T_CASE(a_refused_hint_is_not_repeated),
	T_CASE(every_end_is_mended), T_CASE(every_refusal_is_mended),
	T_CASE(faults_everywhere_do_not_make_polls_long),
	T_CASE(small_ones_are_not_worth_it),
	T_CASE(the_originals_faults_are_not_here))
