/* SPDX-License-Identifier: BSD-3-Clause */
/* test_dsa_mover.c -- the DML mover on a device that does as it is told */

#include "dsa_mover.h"

#include <sys/mman.h>

static const enum vdm_operation_type types[] = {VDM_OPERATION_MEMCPY,
	VDM_OPERATION_MEMMOVE, VDM_OPERATION_MEMSET, VDM_OPERATION_FLUSH};

/* Large enough for the device whatever is done by the CPU. */
#define LARGE (256 << 10)

/* Running for as long as the device holds it, and complete after. */
static void
test_asynchrony(void)
{
	struct job job;

	for (size_t i = 0; i < T_COUNT(types); i++) {
		mover_up();
		dsa_hold();
		job_init(&job, types[i], LARGE);
		CHECK_INT(future_has_property(job_future(&job),
				  FUTURE_PROPERTY_ASYNC),
			1);
		job_check_running(&job);
		CHECK(dsa_accepted() >= 1);
		CHECK_INT(dsa_executed(), 0);
		dsa_release();
		job_finish(&job);
		CHECK(dsa_executed() >= 1);
		CHECK_INT(dsa_executed(), dsa_accepted());
		mover_down();
	}
}

/* What the device is asked for covers the operation exactly. */
static void
check_covers(const struct job *job, unsigned char operation)
{
	uint64_t at = (uintptr_t)job->target;
	uint64_t end = at + job->n;
	size_t n = dsa_accepted();

	if (job->type == VDM_OPERATION_FLUSH) {
		at = at / 64 * 64;
		end = (end + 63) / 64 * 64;
	}
	CHECK(n > 0 && n < DSA_LOGGED);
	for (size_t i = 0; i < n; i++) {
		struct dsa_descriptor d = dsa_seen(i);

		CHECK_INT(d.operation, operation);
		CHECK_INT(d.destination, at);
		CHECK(d.size > 0 && d.size <= DSA_MAX_TRANSFER);
		at += d.size;
	}
	CHECK_INT(at, end);
}

static void
test_sizes(void)
{
	static const size_t sizes[] = {0, 1, 7, 8, 63, 64, 65, 4095, 4096,
		LARGE - 1, DSA_MAX_TRANSFER - 1, DSA_MAX_TRANSFER,
		DSA_MAX_TRANSFER + 1, 3 * DSA_MAX_TRANSFER + 12345};

	mover_up();
	for (size_t i = 0; i < T_COUNT(types); i++)
		for (size_t j = 0; j < T_COUNT(sizes); j++)
			job_run(types[i], sizes[j]);
	mover_down();
}

static void
test_descriptors(void)
{
	static const unsigned char operations[] = {
		DSA_MEMMOVE, DSA_MEMMOVE, DSA_FILL, DSA_CACHE_FLUSH};
	struct job job;

	for (size_t i = 0; i < T_COUNT(types); i++) {
		for (size_t n = LARGE + 1; n < 20 * LARGE; n *= 2) {
			mover_up();
			job_init(&job, types[i], n);
			poll_out(job_future(&job));
			check_covers(&job, operations[i]);
			job_end(&job);
			mover_down();
		}
	}
}

static void
test_overlap(void)
{
	static const ptrdiff_t shifts[] = {0, 1, 63, 64, 4096, LARGE - 1, LARGE,
		DSA_MAX_TRANSFER, DSA_MAX_TRANSFER + 1};
	struct job job;

	mover_up();
	for (size_t i = 0; i < T_COUNT(shifts); i++) {
		for (int sign = -1; sign <= 1; sign += 2) {
			job_init_at(&job, VDM_OPERATION_MEMMOVE,
				3 * DSA_MAX_TRANSFER + 77, sign * shifts[i], 0);
			job_finish(&job);
			job_init_at(&job, VDM_OPERATION_MEMMOVE, LARGE,
				sign * shifts[i], 0);
			job_finish(&job);
		}
	}
	job_init_at(&job, VDM_OPERATION_MEMCPY, LARGE, 0, 0);
	job_finish(&job);
	mover_down();
}

/* The device takes them in any order: each ends with its own descriptors. */
static void
test_any_order(void)
{
	struct job jobs[6];

	mover_up();
	dsa_hold();
	for (int i = 0; i < 6; i++) {
		job_init(&jobs[i], VDM_OPERATION_MEMCPY, LARGE);
		job_check_running(&jobs[i]);
	}
	CHECK_INT(dsa_accepted(), 6);
	for (int i = 5; i >= 0; i--) {
		job_check_running(&jobs[i]);
		dsa_finish((size_t)i);
		CHECK_INT(job_poll(&jobs[i]), FUTURE_STATE_COMPLETE);
		job_end(&jobs[i]);
	}
	mover_down();
}

/* Pieces of one operation, too, where several are under way at a time. */
static void
test_any_order_of_pieces(void)
{
	struct job job;
	size_t done = 0;

	mover_up();
	dsa_hold();
	job_init(&job, VDM_OPERATION_MEMCPY, 5 * DSA_MAX_TRANSFER);
	while (job_poll(&job) != FUTURE_STATE_COMPLETE) {
		size_t accepted = dsa_accepted();

		job_check_running(&job);
		CHECK_INT(dsa_accepted(), accepted);
		for (size_t i = accepted; i > done; i--)
			dsa_finish(i - 1);
		CHECK(accepted > done);
		done = accepted;
	}
	CHECK(done >= 5);
	job_end(&job);
	mover_down();
}

#define HUGE_N (((size_t)5 << 30) + 12345)

static int
by_destination(const void *a, const void *b)
{
	const struct dsa_descriptor *const *one = a;
	const struct dsa_descriptor *const *other = b;

	return ((*one)->destination > (*other)->destination) -
		((*one)->destination < (*other)->destination);
}

/* What was not too long covers it, each byte once. */
static void
check_covers_in_any_order(uint64_t at, uint64_t end, uint32_t max)
{
	static struct dsa_descriptor all[DSA_LOGGED];
	static const struct dsa_descriptor *order[DSA_LOGGED];
	uint64_t distance = 0;
	size_t n = 0;

	CHECK(dsa_accepted() <= DSA_LOGGED);
	for (size_t i = 0; i < dsa_accepted(); i++) {
		all[n] = dsa_seen(i);
		if (all[n].size <= max) {
			order[n] = &all[n];
			n++;
		}
	}
	qsort(order, n, sizeof(order[0]), by_destination);
	for (size_t i = 0; i < n; i++) {
		if (i == 0)
			distance = at - order[i]->source;
		CHECK_INT(order[i]->destination, at);
		if (order[i]->operation == DSA_MEMMOVE)
			CHECK_INT(at - order[i]->source, distance);
		at += order[i]->size;
	}
	CHECK_INT(at, end);
}

/* A device that claims success, for memory that is not even there. */
static void
test_beyond_4_gib(void)
{
	static const uint32_t limits[] = {1u << 24, 1u << 31};
	char *at = mmap(NULL, 2 * HUGE_N, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct vdm_operation_future fut;

	CHECK(at != MAP_FAILED);
	for (size_t i = 0; i < 2 * T_COUNT(types); i++) {
		uint32_t limit = limits[i % 2];
		size_t n = HUGE_N;

		mover_up();
		dsa_set_max_transfer(limit);
		if (types[i / 2] == VDM_OPERATION_FLUSH)
			fut = vdm_flush(vdm, at, n = n / 64 * 64, 0);
		else if (types[i / 2] == VDM_OPERATION_MEMSET)
			fut = vdm_memset(vdm, at, 1, n, 0);
		else
			fut = vdm_memcpy(vdm, at, at + HUGE_N, n, 0);
		dsa_answer(0, DSA_ALWAYS, DSA_SUCCESS, 0);
		poll_out(FUTURE_AS_RUNNABLE(&fut));
		CHECK_INT(fut.output.result, VDM_SUCCESS);
		check_covers_in_any_order((uintptr_t)at, (uintptr_t)at + n,
			limit);
		CHECK_INT(stats().hardware_bytes, n);
		mover_down();
	}
	CHECK(munmap(at, 2 * HUGE_N) == 0);
}

struct copy_and_flush_data {
	FUTURE_CHAIN_ENTRY(struct vdm_operation_future, copy);
	FUTURE_CHAIN_ENTRY_LAST(struct vdm_operation_future, flush);
};

struct no_output {
	int unused;
};

FUTURE(copy_and_flush, struct copy_and_flush_data, struct no_output);

/* The second goes to the device when the first has come back. */
static void
test_chain(void)
{
	struct runtime *r = new_runtime();
	struct copy_and_flush chain;
	struct job job;

	mover_up();
	dsa_hold();
	job_init(&job, VDM_OPERATION_MEMCPY, LARGE);
	FUTURE_CHAIN_ENTRY_INIT(&chain.data.copy, job.fut, NULL, NULL);
	FUTURE_CHAIN_ENTRY_INIT(&chain.data.flush,
		vdm_flush(vdm, job.target, job.n, 0), NULL, NULL);
	FUTURE_CHAIN_INIT(&chain);
	for (size_t i = 0; i < 2; i++) {
		for (int j = 0; j < 20; j++)
			CHECK_INT(future_poll(FUTURE_AS_RUNNABLE(&chain), NULL),
				FUTURE_STATE_RUNNING);
		CHECK_INT(dsa_accepted(), i + 1);
		dsa_finish(i);
	}
	runtime_wait(r, FUTURE_AS_RUNNABLE(&chain));
	CHECK_INT(dsa_seen(0).operation, DSA_MEMMOVE);
	CHECK_INT(dsa_seen(1).operation, DSA_CACHE_FLUSH);
	job.fut = chain.data.copy.fut;
	job_end(&job);
	mover_down();
	runtime_delete(r);
}

/* The device need not have done anything by then. */
static void
test_creation_does_not_wait(void)
{
	struct data_mover_dml *other;

	mover_up();
	dsa_hold();
	other = data_mover_dml_new(DATA_MOVER_DML_HARDWARE);
	CHECK(other != NULL);
	CHECK_INT(dsa_accepted(), 1);
	CHECK_INT(dsa_executed(), 0);
	dsa_release();
	data_mover_dml_delete(other);
	mover_down();
}

static void
test_durable(void)
{
	struct job job;

	for (size_t i = 0; i < T_COUNT(types); i++) {
		mover_up();
		CHECK(vdm_is_supported(vdm, VDM_F_MEM_DURABLE));
		job_init_at(&job, types[i], LARGE, LARGE + 5,
			VDM_F_MEM_DURABLE);
		job_finish(&job);
		mover_down();
	}
}

/* What a device need not be able to do is asked of it in vain, or not at all. */
static void
test_poor_device(void)
{
	struct job job;

	for (size_t i = 0; i < T_COUNT(types); i++) {
		for (unsigned flags = 0; flags <= VDM_F_VALID_FLAGS; flags++) {
			mover_up();
			dsa_set_capabilities(0);
			job_init_at(&job, types[i], LARGE, LARGE + 5, flags);
			job_finish(&job);
			mover_down();
		}
	}
	mover_up();
	dsa_set_capabilities(0);
	job_init_at(&job, VDM_OPERATION_MEMMOVE, LARGE, 100, 0);
	job_finish(&job);
	mover_down();
}

static void
test_flush_keeps_nothing(void)
{
	struct job job;
	struct dsa_descriptor d;

	mover_up();
	for (size_t n = 1; n < 200; n += 7)
		job_run(VDM_OPERATION_FLUSH, n);
	job_init(&job, VDM_OPERATION_FLUSH, LARGE);
	poll_out(job_future(&job));
	d = dsa_seen(dsa_accepted() - 1);
	CHECK_INT(d.flags & DSA_CACHE_CONTROL, 0);
	job_end(&job);
	mover_down();
}

DSA_MAIN(T_CASE(test_asynchrony), T_CASE(test_sizes), T_CASE(test_descriptors),
	T_CASE(test_overlap), T_CASE(test_any_order),
	T_CASE(test_any_order_of_pieces), T_CASE(test_beyond_4_gib),
	T_CASE(test_chain), T_CASE(test_creation_does_not_wait),
	T_CASE(test_durable), T_CASE(test_poor_device),
	T_CASE(test_flush_keeps_nothing))
