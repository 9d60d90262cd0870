/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_help_workers.c -- workers beside helpers, and beside one that blocks
 */

#include "bytes.h"

enum { MANY = 3 };

/* Functions that leave when as many are inside as there should be. */
static atomic_int inside;
static int wanted;

static void *
meeting_memcpy(void *dst, const void *src, size_t n, unsigned flags)
{
	(void)flags;
	atomic_fetch_add(&inside, 1);
	while (atomic_load(&inside) < wanted)
		sched_yield();
	return memcpy(dst, src, n);
}

/* As many functions are called at a time as there are workers. */
static void
functions_meet(void)
{
	static unsigned char bytes[MANY][2][64];

	for (int i = 0; i < 60; i++) {
		const int n = 1 + i % MANY;
		struct data_mover_threads *m = data_mover_threads_new((size_t)n,
			1, FUTURE_NOTIFIER_WAKER);
		struct future_waiter *w = new_waiter();
		struct vdm_operation_future f[MANY];
		struct future *futs[MANY];

		CHECK(m != NULL);
		data_mover_threads_set_memcpy_fn(m, meeting_memcpy);
		/* two rounds: workers that were idle, and that were not */
		for (int round = 1; round <= 2; round++) {
			atomic_store(&inside, 0);
			wanted = n;
			for (int j = 0; j < n; j++) {
				f[j] = vdm_memcpy(data_mover_threads_get_vdm(m),
					bytes[j][0], bytes[j][1], 64, 0);
				futs[j] = FUTURE_AS_RUNNABLE(&f[j]);
			}
			if (i % 2 == 0)
				for (int j = 0; j < n; j++)
					future_poll(futs[j], NULL);
			/* with a deadline: this thread calls none of them */
			CHECK_INT(future_waiter_wait(w, futs, (size_t)n,
					  (size_t)n, t_now() + 40 * T_SECOND,
					  0),
				0);
		}
		future_waiter_delete(w);
		data_mover_threads_delete(m);
	}
}

static sem_t in_waker;
static sem_t leave_waker;
static atomic_int blocks;

/* Blocks the first time only: it is called again if a poll missed the call. */
static void
blocking_wake(void *data)
{
	(void)data;
	if (!atomic_exchange(&blocks, 0))
		return;
	t_open(&in_waker);
	t_pass(&leave_waker);
}

/* A waker that blocks keeps its worker, and nobody else's. */
static void
a_waker_blocks(void)
{
	static unsigned char bytes[2][100000];
	struct future_notifier n;

	memset(&n, 0, sizeof(n));
	n.waker.wake = blocking_wake;
	CHECK(sem_init(&in_waker, 0, 0) == 0);
	CHECK(sem_init(&leave_waker, 0, 0) == 0);
	for (int i = 0; i < 200; i++) {
		struct data_mover_threads *m = new_queueing_mover(2);
		struct vdm *vdm = data_mover_threads_get_vdm(m);
		struct vdm_operation_future f[2];

		atomic_store(&blocks, 1);
		for (int j = 0; j < 2; j++)
			f[j] = vdm_memset(vdm, bytes[j], i, sizeof(bytes[j]),
				0);
		future_poll(FUTURE_AS_RUNNABLE(&f[0]), &n);
		/* queued before the first is in its waker, or after that */
		if (i % 2 == 0)
			t_pass(&in_waker);
		poll_out(FUTURE_AS_RUNNABLE(&f[1]));
		if (i % 2 != 0)
			t_pass(&in_waker);
		t_open(&leave_waker);
		poll_out(FUTURE_AS_RUNNABLE(&f[0]));
		data_mover_threads_delete(m);
		CHECK(bytes[1][99999] == (unsigned char)i);
	}
}

static struct runtime *runtime;

static void
finish_by_helping(struct vdm_operation_future *fut)
{
	future_poll(FUTURE_AS_RUNNABLE(fut), NULL);
	runtime_wait(runtime, FUTURE_AS_RUNNABLE(fut));
}

static void
finish_in_slices(struct vdm_operation_future *fut)
{
	struct future_waiter *w = new_waiter();
	struct future *futs[1] = {FUTURE_AS_RUNNABLE(fut)};

	for (unsigned i = 0; future_waiter_wait(w, futs, 1, 1,
				     t_now() + i % 64 * 1000, 0) != 0;
		i++)
		if (i % 3 == 0)
			future_poll(futs[0], NULL);
	future_waiter_delete(w);
}

/* Workers and a helper at one operation, all bytes looked at. */
static void
side_by_side(void)
{
	runtime = new_runtime();
	for (size_t threads = 1; threads <= 4; threads++) {
		struct data_mover_threads *m = data_mover_threads_new(threads,
			1, FUTURE_NOTIFIER_WAKER);
		struct vdm *vdm = data_mover_threads_get_vdm(m);

		CHECK(m != NULL);
		data_mover_threads_set_inline_below(m, 1);
		bytes_try_all(vdm, threads == 2 && !T_SLOW ? 8388609 : 262144,
			finish_by_helping);
		bytes_try_all(vdm, 262144, finish_in_slices);
		data_mover_threads_delete(m);
	}
	runtime_delete(runtime);
}

static void
large_ones_side_by_side(void)
{
	const size_t n = ((T_SLOW ? 4 : 40) << 20) + 12345;
	struct data_mover_threads *m =
		data_mover_threads_new(2, 1, FUTURE_NOTIFIER_WAKER);
	struct bytes b;

	CHECK(m != NULL);
	runtime = new_runtime();
	bytes_init(&b, n, 0);
	for (size_t i = 0; i < 8; i++) {
		bytes_make(&b, data_mover_threads_get_vdm(m),
			i % 4 == 3 ? VDM_OPERATION_MEMSET
				   : VDM_OPERATION_MEMCPY,
			n - i, i, 1, i % 2 == 0 ? 0 : VDM_F_MEM_DURABLE);
		if (i % 3 == 0)
			finish_in_slices(&b.fut);
		else
			finish_by_helping(&b.fut);
		bytes_check(&b);
	}
	bytes_fini(&b);
	runtime_delete(runtime);
	data_mover_threads_delete(m);
}

/* Overlapping moves, whose pieces depend on one another. */
static void
moves_side_by_side(void)
{
	static const size_t shifts[] = {
		1, 4096, 70000, 700000, 1 << 20, 2500000, 6000000};
	const size_t n = ((T_SLOW ? 3 : 12) << 20) + 12345;

	runtime = new_runtime();
	for (size_t threads = 1; threads <= 3; threads++) {
		struct data_mover_threads *m = data_mover_threads_new(threads,
			1, FUTURE_NOTIFIER_WAKER);
		struct vdm *vdm = data_mover_threads_get_vdm(m);
		struct bytes b;

		CHECK(m != NULL);
		bytes_init(&b, n, 6000000);
		for (size_t i = 0; i < 4 * T_COUNT(shifts); i++) {
			const size_t shift = shifts[i / 4];
			const int up = i % 2 == 0;

			if (shift > n)
				continue;
			/* from BYTES_MARGIN, or to it */
			bytes_make(&b, vdm, VDM_OPERATION_MEMMOVE, n,
				up ? shift : 0, BYTES_MARGIN + (up ? 0 : shift),
				0);
			if (i % 4 < 2)
				finish_in_slices(&b.fut);
			else if (threads == 2)
				poll_out(FUTURE_AS_RUNNABLE(&b.fut));
			else
				finish_by_helping(&b.fut);
			bytes_check(&b);
		}
		bytes_fini(&b);
		data_mover_threads_delete(m);
	}
	runtime_delete(runtime);
}

/* Deleting finishes what was started, also what one worker can work at only. */
static void
deleted_in_the_middle(void)
{
	const size_t n = 12 << 20;
	unsigned char *bytes = t_malloc(n + 1);
	unsigned char *expected = t_malloc(n + 1);

	for (int i = 0; i < 8; i++) {
		struct data_mover_threads *m =
			data_mover_threads_new(3, 1, FUTURE_NOTIFIER_WAKER);
		struct vdm_operation_future f;
		struct future_waiter *w = new_waiter();
		struct future *fut = FUTURE_AS_RUNNABLE(&f);

		CHECK(m != NULL);
		t_fill(bytes, n + 1, (uint64_t)i);
		memcpy(expected, bytes, n + 1);
		memmove(expected + i % 2, expected + (i + 1) % 2, n);
		f = vdm_memmove(data_mover_threads_get_vdm(m), bytes + i % 2,
			bytes + (i + 1) % 2, n, 0);
		/* started by a poll, or by a wait that helps a little */
		if (i % 4 < 2)
			future_poll(fut, NULL);
		else
			future_waiter_wait(w, &fut, 1, 1, t_now() + T_MS / 10,
				0);
		data_mover_threads_delete(m);
		CHECK(memcmp(bytes, expected, n + 1) == 0);
		future_waiter_delete(w);
	}
	free(bytes);
	free(expected);
}

T_MAIN(T_CASE(functions_meet), T_CASE(a_waker_blocks), T_CASE(side_by_side),
	T_CASE(large_ones_side_by_side), T_CASE(moves_side_by_side),
	T_CASE(deleted_in_the_middle))
