/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_dml_durable.c -- durable data is written back, whoever wrote it
 *
 * Linked so that the library's write-backs come here. What the CPU does itself
 * may bypass the caches instead, from 1 KiB on (test_engine_durable.c).
 */

#include "doubled.h"

static unsigned char *noted; /* how often each byte was written back */
static const unsigned char *base;
static size_t size;
static size_t calls;
static size_t bytes;

void __wrap_ma__flush(const void *p, size_t n);
void
__wrap_ma__flush(const void *p, size_t n)
{
	const unsigned char *at = p;

	calls++;
	bytes += n;
	CHECK(at >= base && n <= size && at + n <= base + size);
	for (size_t i = 0; i < n; i++) {
		/* What is written back is there by then. */
		CHECK(at[i] == 0x5a);
		noted[at - base + (ptrdiff_t)i] += 1;
	}
}

static void
set_up(size_t n)
{
	double_reset();
	base = t_malloc(n);
	noted = calloc(1, n);
	CHECK(noted != NULL);
	memset((void *)(uintptr_t)base, 0, n);
	size = n;
	calls = 0;
	bytes = 0;
}

static void
tear_down(void)
{
	free(noted);
	free((void *)(uintptr_t)base);
}

static struct vdm_operation_future
fill(struct data_mover_dml *m, uint64_t flags)
{
	return vdm_memset(data_mover_dml_get_vdm(m), (void *)(uintptr_t)base,
		0x5a, size, flags);
}

static void
check_all_noted(void)
{
	for (size_t i = 0; i < size; i++)
		if (noted[i] == 0)
			CHECK_INT(noted[i], 1);
}

static void
by_whoever(enum data_mover_dml_type type, dml_status_t status)
{
	static const size_t sizes[] = {1, 63, 64, 1000, 5000, 5 * MIB};
	const size_t by_cpu = 4;

	for (size_t i = 0; i < (status != 0 ? by_cpu : T_COUNT(sizes)); i++) {
		struct data_mover_dml *m;
		struct vdm_operation_future f;

		set_up(sizes[i]);
		m = new_dml(type);
		double_fail(status, 0, status != 0 ? DOUBLE_ALWAYS : 0);
		f = fill(m, VDM_F_MEM_DURABLE);
		CHECK_INT(calls, 0);
		finish_dml(&f);
		CHECK_INT(f.output.result, VDM_SUCCESS);
		check_all_noted();
		data_mover_dml_delete(m);
		tear_down();
	}
}

static void
the_devices_bytes_are_written_back(void)
{
	by_whoever(DATA_MOVER_DML_HARDWARE, DML_STATUS_OK);
	by_whoever(DATA_MOVER_DML_AUTO, DML_STATUS_OK);
}

static void
the_softwares_bytes_are_written_back(void)
{
	by_whoever(DATA_MOVER_DML_SOFTWARE, DML_STATUS_OK);
}

static void
the_cpus_bytes_are_written_back(void)
{
	by_whoever(DATA_MOVER_DML_HARDWARE, DML_STATUS_PAGE_FAULT_ERROR);
	by_whoever(DATA_MOVER_DML_SOFTWARE, DML_STATUS_INTERNAL_ERROR);
}

static void
others_are_not(void)
{
	struct data_mover_dml *m;
	struct vdm_operation_future f;

	for (int type = 0; type <= DATA_MOVER_DML_AUTO; type++) {
		set_up(5000);
		m = new_dml((enum data_mover_dml_type)type);
		f = fill(m, VDM_F_NO_CACHE_HINT);
		finish_dml(&f);
		CHECK_INT(calls, 0);
		data_mover_dml_delete(m);
		tear_down();
	}
}

/* Nothing is written back before the device is done, and not too much by a poll. */
static void
polls_stay_short(void)
{
	struct data_mover_dml *m;
	struct vdm_operation_future f;
	size_t before = 0;
	int polls = 0;

	set_up(20 * MIB);
	m = new_dml(DATA_MOVER_DML_HARDWARE);
	double_hold(DOUBLE_ALWAYS);
	f = fill(m, VDM_F_MEM_DURABLE);
	for (int i = 0; i < 10; i++)
		CHECK_INT(poll_dml(&f), FUTURE_STATE_RUNNING);
	CHECK_INT(calls, 0);
	double_hold(0);
	while (poll_dml(&f) != FUTURE_STATE_COMPLETE) {
		CHECK(bytes - before <= 8 * MIB);
		before = bytes;
		polls++;
	}
	CHECK(polls >= 2);
	CHECK_INT(bytes, size);
	check_all_noted();
	data_mover_dml_delete(m);
	tear_down();
}

/* The software's flush is not to be relied on: the CPU does it. */
static void
flushes_in_software_are_ours(void)
{
	struct data_mover_dml *m;
	struct vdm_operation_future f;

	set_up(50);
	memset((void *)(uintptr_t)base, 0x5a, 50);
	m = new_dml(DATA_MOVER_DML_SOFTWARE);
	f = vdm_flush(data_mover_dml_get_vdm(m), (void *)(uintptr_t)base, 50,
		0);
	finish_dml(&f);
	check_all_noted();
	CHECK_INT(double_submissions(), 0);
	data_mover_dml_delete(m);
	tear_down();
}

static void
libdml_can_run_here(void)
{
	need_avx2();
}

T_MAIN(T_CASE(libdml_can_run_here), T_CASE(the_devices_bytes_are_written_back),
	T_CASE(the_softwares_bytes_are_written_back),
	T_CASE(the_cpus_bytes_are_written_back), T_CASE(others_are_not),
	T_CASE(polls_stay_short), T_CASE(flushes_in_software_are_ours))
