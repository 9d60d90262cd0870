/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_dsa_mover_durable.c -- what the CPU writes back for the DML mover
 *
 * Nothing tells from outside whether a line has been written back, so this takes
 * notes of what is asked for. What the device did is to be written back after
 * that; what the CPU did is the engine's affair, which has a test of its own.
 */

#include "dsa_mover.h"

#define LARGE (256 << 10)
#define MAX_N (3 * DSA_MAX_TRANSFER)

static const enum vdm_operation_type types[] = {VDM_OPERATION_MEMCPY,
	VDM_OPERATION_MEMMOVE, VDM_OPERATION_MEMSET, VDM_OPERATION_FLUSH};

/* The job whose destination is looked at. */
static const struct job *watched;
static unsigned char noted[MAX_N];
static size_t noted_bytes;

void __wrap_ma__flush(const void *p, size_t n);
void __real_ma__flush(const void *p, size_t n);

/* The bytes have to be there by then. */
void
__wrap_ma__flush(const void *p, size_t n)
{
	const unsigned char *at = p;
	const unsigned char *target = watched->target;

	CHECK(at + n >= target && at <= target + watched->n);
	for (size_t i = 0; i < n; i++) {
		size_t place = (size_t)(at + i - target);

		if (at + i < target || place >= watched->n)
			continue;
		CHECK(noted[place] == 0);
		noted[place] = 1;
		noted_bytes++;
	}
	CHECK(memcmp(at, watched->expected + (at - watched->bytes), n) == 0);
	__real_ma__flush(p, n);
}

static void
start(struct job *job, enum vdm_operation_type type, size_t n, uint64_t flags)
{
	mover_up();
	job_init_at(job, type, n, (ptrdiff_t)n + 5, flags);
	memset(noted, 0, sizeof(noted));
	noted_bytes = 0;
	watched = job;
}

/* Everything, once, and nothing before the device is done with it. */
static void
test_all_of_it(void)
{
	static const size_t sizes[] = {1, 65, LARGE - 1, MAX_N - 77};
	struct job job;

	for (size_t i = 0; i < T_COUNT(types); i++) {
		for (size_t j = 0; j < T_COUNT(sizes); j++) {
			start(&job, types[i], sizes[j], VDM_F_MEM_DURABLE);
			dsa_hold();
			job_check_running(&job);
			CHECK_INT(noted_bytes, 0);
			dsa_release();
			job_finish(&job);
			CHECK_INT(noted_bytes, sizes[j]);
			CHECK(stats().hardware_bytes >= sizes[j]);
			CHECK_INT(stats().cpu_bytes, 0);
			mover_down();
		}
	}
}

/* The pieces of the device, if the CPU did others. */
static void
test_pieces(void)
{
	struct job job;

	for (size_t which = 0; which < 3; which++) {
		start(&job, VDM_OPERATION_MEMCPY, MAX_N, VDM_F_MEM_DURABLE);
		dsa_answer(which, 1, DSA_PAGE_FAULT, 5000);
		poll_out(job_future(&job));
		CHECK_INT(stats().cpu_bytes, DSA_MAX_TRANSFER);
		CHECK(noted_bytes >= MAX_N - DSA_MAX_TRANSFER);
		for (size_t i = 0; i < MAX_N; i++)
			CHECK(noted[i] == 1 || i / DSA_MAX_TRANSFER == which);
		job_end(&job);
		mover_down();
	}
}

/* What is not to be durable is not written back. */
static void
test_none_of_it(void)
{
	struct job job;

	for (size_t i = 0; i < T_COUNT(types); i++) {
		start(&job, types[i], LARGE, 0);
		job_finish(&job);
		CHECK_INT(noted_bytes, 0);
		mover_down();
	}
}

DSA_MAIN(T_CASE(test_all_of_it), T_CASE(test_pieces), T_CASE(test_none_of_it))
