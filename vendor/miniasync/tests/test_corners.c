/* SPDX-License-Identifier: BSD-3-Clause */
/* test_corners.c -- what programs hardly do, and movers have to stand */

#include "gated.h"

#include <stdbool.h>

#include "clock.h"
#include "fork.h"
#include "request.h"

#define UNKNOWN ((enum vdm_operation_type)77)

static unsigned char from[64];
static unsigned char to[64];

/* A type that nobody knows: reported, and no byte is touched. */
static void
check_unknown(struct vdm *vdm, struct future_notifier *n)
{
	struct vdm_operation_future f =
		vdm_memcpy(vdm, to, from, sizeof(to), 0);

	memset(to, 1, sizeof(to));
	memset(from, 2, sizeof(from));
	f.data.operation.type = UNKNOWN;
	CHECK_INT(future_poll(FUTURE_AS_RUNNABLE(&f), n),
		FUTURE_STATE_COMPLETE);
	CHECK_INT(f.output.result, VDM_ERROR_JOB_CORRUPTED);
	CHECK_INT(f.output.type, UNKNOWN);
	CHECK(f.output.output.memcpy.dest == NULL);
	for (size_t i = 0; i < sizeof(to); i++)
		CHECK_INT(to[i], 1);
}

static void
unknown_operations(void)
{
	struct data_mover_sync *sync = data_mover_sync_new();
	struct data_mover_threads *threads =
		data_mover_threads_new(2, 16, FUTURE_NOTIFIER_WAKER);
	struct counting by;

	CHECK(sync != NULL && threads != NULL);
	counting_init(&by);
	check_unknown(data_mover_sync_get_vdm(sync), NULL);
	check_unknown(data_mover_sync_get_vdm(sync), &by.notifier);
	check_unknown(data_mover_threads_get_vdm(threads), NULL);
	check_unknown(data_mover_threads_get_vdm(threads), &by.notifier);
	CHECK_INT(by.notifier.notifier_used, FUTURE_NOTIFIER_NONE);
	CHECK_INT(atomic_load(&by.calls), 0);
	data_mover_sync_delete(sync);
	data_mover_threads_delete(threads);
}

static void
unknown_request(void)
{
	struct ma__request request = {.type = UNKNOWN,
		.dst = (char *)to,
		.src = (const char *)from,
		.n = sizeof(to)};

	memset(to, 1, sizeof(to));
	memset(from, 2, sizeof(from));
	ma__request_run(&request, 0, sizeof(to));
	for (size_t i = 0; i < sizeof(to); i++)
		CHECK_INT(to[i], 1);
}

/* The destination is told with success only. */
static void
outputs(void)
{
	static const enum vdm_operation_result results[] = {
		VDM_SUCCESS, VDM_ERROR_OUT_OF_MEMORY, VDM_ERROR_JOB_CORRUPTED};

	for (size_t i = 0; i < T_COUNT(results); i++) {
		void *told = results[i] == VDM_SUCCESS ? to : NULL;
		struct vdm_operation_output output;
		struct vdm_operation operation;

		memset(&operation, 0, sizeof(operation));
		operation.type = VDM_OPERATION_MEMCPY;
		operation.data.memcpy.dest = to;
		ma__request_output(&operation, results[i], &output);
		CHECK_INT(output.result, results[i]);
		CHECK(output.output.memcpy.dest == told);

		operation.type = VDM_OPERATION_MEMMOVE;
		operation.data.memmove.dest = to;
		ma__request_output(&operation, results[i], &output);
		CHECK_INT(output.type, VDM_OPERATION_MEMMOVE);
		CHECK(output.output.memmove.dest == told);

		operation.type = VDM_OPERATION_MEMSET;
		operation.data.memset.str = to;
		ma__request_output(&operation, results[i], &output);
		CHECK_INT(output.type, VDM_OPERATION_MEMSET);
		CHECK(output.output.memset.str == told);

		operation.type = VDM_OPERATION_FLUSH;
		ma__request_output(&operation, results[i], &output);
		CHECK_INT(output.type, VDM_OPERATION_FLUSH);
		CHECK_INT(output.output.flush.unused, 0);
	}
}

static bool
overlap(char *dst, const char *src, size_t n)
{
	const struct ma__request request = {
		.type = VDM_OPERATION_MEMMOVE, .dst = dst, .src = src, .n = n};

	return ma__request_overlaps(&request);
}

static void
overlaps(void)
{
	static char bytes[64];

	CHECK(overlap(bytes, bytes, 1));
	CHECK(!overlap(bytes, bytes, 0));
	CHECK(overlap(bytes, bytes + 15, 16));
	CHECK(!overlap(bytes, bytes + 16, 16));
	CHECK(overlap(bytes + 15, bytes, 16));
	CHECK(!overlap(bytes + 16, bytes, 16));
	CHECK(!overlap(bytes, NULL, 64));
}

static int
own_start(void *data, const struct vdm_operation *operation,
	struct future_notifier *n)
{
	(void)data;
	(void)operation;
	(void)n;
	return 0;
}

/* A mover with another op_start does not promise what ours does. */
static void
properties(void)
{
	struct data_mover_threads *m =
		data_mover_threads_new(1, 1, FUTURE_NOTIFIER_WAKER);
	struct vdm_operation_future f;
	struct vdm *ours;
	struct vdm theirs;

	CHECK(m != NULL);
	ours = data_mover_threads_get_vdm(m);
	theirs = *ours;
	theirs.op_start = own_start;
	memset(&f, 0, sizeof(f));
	f.data.vdm = ours;
	CHECK_INT(ours->has_property(&f, FUTURE_PROPERTY_ASYNC), 1);
	CHECK_INT(ours->has_property(&f, FUTURE_PROPERTY_RENOTIFY),
		FUTURE_PROPERTY_RENOTIFY_YES);
	CHECK_INT(ours->has_property(&f, (enum future_property)77), 0);
	f.data.vdm = &theirs;
	CHECK_INT(theirs.has_property(&f, FUTURE_PROPERTY_ASYNC), 1);
	CHECK_INT(theirs.has_property(&f, FUTURE_PROPERTY_RENOTIFY), 0);
	data_mover_threads_delete(m);
}

static struct {
	size_t n;
	void *dst;
	int calls;
} seen;

static void *
seen_memcpy(void *dst, const void *src, size_t n, unsigned flags)
{
	(void)flags;
	seen.n = n;
	seen.dst = dst;
	seen.calls++;
	return memcpy(dst, src, n);
}

static void *
seen_memmove(void *dst, const void *src, size_t n, unsigned flags)
{
	(void)flags;
	seen.n = n;
	seen.dst = dst;
	seen.calls++;
	return memmove(dst, src, n);
}

static void *
seen_memset(void *str, int c, size_t n, unsigned flags)
{
	(void)flags;
	seen.n = n;
	seen.dst = str;
	seen.calls++;
	return memset(str, c, n);
}

static void
check_seen_once(struct vdm_operation_future f, void *dst, size_t n)
{
	memset(&seen, 0, sizeof(seen));
	poll_out(FUTURE_AS_RUNNABLE(&f));
	CHECK_INT(f.output.result, VDM_SUCCESS);
	CHECK_INT(seen.calls, 1);
	CHECK_INT(seen.n, n);
	CHECK(seen.dst == dst);
}

/* One's own function gets the whole operation, however large it is. */
static void
large_operations_of_own_functions(void)
{
	const size_t n = ((size_t)8 << 20) + 1;
	struct data_mover_threads *m =
		data_mover_threads_new(2, 16, FUTURE_NOTIFIER_WAKER);
	char *a = t_malloc(n);
	char *b = t_malloc(n);
	struct vdm *vdm;

	CHECK(m != NULL);
	vdm = data_mover_threads_get_vdm(m);
	t_fill(a, n, 1);
	data_mover_threads_set_memcpy_fn(m, seen_memcpy);
	data_mover_threads_set_memmove_fn(m, seen_memmove);
	data_mover_threads_set_memset_fn(m, seen_memset);
	check_seen_once(vdm_memcpy(vdm, b, a, n, 0), b, n);
	CHECK(memcmp(a, b, n) == 0);
	check_seen_once(vdm_memset(vdm, b, 3, n, 0), b, n);
	CHECK(b[0] == 3 && b[n - 1] == 3);
	check_seen_once(vdm_memmove(vdm, b, a, n, 0), b, n);
	CHECK(memcmp(a, b, n) == 0);
	data_mover_threads_delete(m);
	free(a);
	free(b);
}

/* Polled from within its own waker, by a runtime whose cell it does not have. */
static struct copy woken;
static struct runtime *runtime_of_waker;

static void
wait_in_waker(void *data)
{
	runtime_wait(runtime_of_waker, copy_future(&woken));
	t_open((sem_t *)data);
}

static void
waiting_within_the_waker(void)
{
	struct data_mover_threads *m = gated_new(1, FUTURE_NOTIFIER_WAKER);
	struct future_notifier n;
	sem_t done;

	CHECK(sem_init(&done, 0, 0) == 0);
	runtime_of_waker = runtime_new();
	CHECK(runtime_of_waker != NULL);
	memset(&n, 0, sizeof(n));
	n.waker.data = &done;
	n.waker.wake = wait_in_waker;
	copy_init(&woken, data_mover_threads_get_vdm(m), 5);
	CHECK_INT(copy_poll(&woken, &n), FUTURE_STATE_RUNNING);
	t_open(&gate);
	t_pass(&done);
	copy_check(&woken);
	data_mover_threads_delete(m);
	runtime_delete(runtime_of_waker);
	sem_destroy(&done);
}

static void
times(void)
{
	CHECK(ma__after(5, 7) == 12);
	CHECK(ma__after(MA__NEVER - 7, 7) == MA__NEVER);
	CHECK(ma__after(MA__NEVER - 6, 7) == MA__NEVER);
	CHECK(ma__after(7, MA__NEVER) == MA__NEVER);
	CHECK(ma__earlier(1, 2) == 1 && ma__earlier(2, 1) == 1);
}

static int told[3][3]; /* who, and of what */

struct listener {
	struct ma__forkable forkable; /* first */
	int id;
};

static void
tell_prepare(struct ma__forkable *self)
{
	told[((struct listener *)self)->id][0]++;
}

static void
tell_parent(struct ma__forkable *self)
{
	told[((struct listener *)self)->id][1]++;
}

static void
tell_child(struct ma__forkable *self)
{
	told[((struct listener *)self)->id][2]++;
}

static void
look_in_child(void *present)
{
	for (int i = 0; i < 3; i++)
		CHECK_INT(told[i][2], ((int *)present)[i]);
}

/* Those in the list are told about a fork, in whatever order they leave it. */
static void
fork_list(void)
{
	static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
		{1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

	for (size_t i = 0; i < T_COUNT(orders); i++) {
		struct listener listeners[3];
		int present[3] = {1, 1, 1};

		for (int j = 0; j < 3; j++) {
			listeners[j].id = j;
			listeners[j].forkable.prepare = tell_prepare;
			listeners[j].forkable.parent = tell_parent;
			listeners[j].forkable.child = tell_child;
			CHECK_INT(ma__fork_add(&listeners[j].forkable), 0);
		}
		for (int j = 0; j < 3; j++) {
			memset(told, 0, sizeof(told));
			CHECK_CHILD(look_in_child, present, 10);
			for (int k = 0; k < 3; k++) {
				CHECK_INT(told[k][0], present[k]);
				CHECK_INT(told[k][1], present[k]);
				CHECK_INT(told[k][2], 0);
			}
			ma__fork_remove(&listeners[orders[i][j]].forkable);
			present[orders[i][j]] = 0;
		}
	}
}

/* No bytes may be nowhere. */
static void
nothing_from_nowhere(void)
{
	struct data_mover_sync *sync = data_mover_sync_new();
	struct data_mover_threads *threads =
		data_mover_threads_new(1, 1, FUTURE_NOTIFIER_WAKER);
	struct vdm *vdms[2];

	CHECK(sync != NULL && threads != NULL);
	vdms[0] = data_mover_sync_get_vdm(sync);
	vdms[1] = data_mover_threads_get_vdm(threads);
	for (int i = 0; i < 2; i++) {
		const uint64_t flags = i == 0 ? 0 : VDM_F_MEM_DURABLE;
		struct vdm_operation_future futs[4] = {
			vdm_memcpy(vdms[i], NULL, NULL, 0, flags),
			vdm_memmove(vdms[i], NULL, NULL, 0, flags),
			vdm_memset(vdms[i], NULL, 1, 0, flags),
			vdm_flush(vdms[i], NULL, 0, flags),
		};

		for (size_t j = 0; j < T_COUNT(futs); j++) {
			poll_out(FUTURE_AS_RUNNABLE(&futs[j]));
			CHECK_INT(futs[j].output.result, VDM_SUCCESS);
		}
	}
	data_mover_threads_delete(threads);
	data_mover_sync_delete(sync);
}

T_MAIN(T_CASE(nothing_from_nowhere), T_CASE(unknown_operations),
	T_CASE(unknown_request), T_CASE(outputs), T_CASE(overlaps),
	T_CASE(properties), T_CASE(large_operations_of_own_functions),
	T_CASE(waiting_within_the_waker), T_CASE(times), T_CASE(fork_list))
