/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_runtime.c -- what runtime_wait and runtime_wait_multiple promise
 *
 * Waking and sleeping have a program of their own, test_wake.c.
 */

#include "probe.h"

#include <sys/mman.h>

static void
lives_and_dies(void)
{
	runtime_delete(NULL);
	for (int i = 0; i < 100; i++)
		runtime_delete(new_runtime());
}

static void
waits(void)
{
	struct runtime *r = new_runtime();
	struct probe p[3];
	struct future *futs[3];

	for (int i = 0; i < 3; i++) {
		probe_init(&p[i], PROBE_NONE);
		p[i].done_at = 1 + 5 * i;
		futs[i] = probe_future(&p[i]);
	}
	runtime_wait(r, futs[2]);
	CHECK_INT(FUTURE_STATE(&p[2].fut), FUTURE_STATE_COMPLETE);
	CHECK_INT(p[2].fut.output, 11);
	CHECK_INT(atomic_load(&p[0].polls), 0);
	runtime_wait_multiple(r, futs, 3);
	for (int i = 0; i < 3; i++) {
		CHECK_INT(FUTURE_STATE(&p[i].fut), FUTURE_STATE_COMPLETE);
		CHECK_INT(atomic_load(&p[i].polls), 1 + 5 * i);
		probe_fini(&p[i]);
	}
	runtime_delete(r);
}

static void
waits_for_none(void)
{
	struct runtime *r = new_runtime();
	struct future *futs[1] = {NULL};

	runtime_wait_multiple(r, futs, 0);
	runtime_wait_multiple(r, NULL, 0);
	runtime_delete(r);
}

/* Rows 1 and 3: complete ones, whose task and has_property are NULL. */
static void
complete_ones_count(void)
{
	struct runtime *r = new_runtime();
	struct probe p[2];
	struct probe_future done[4];
	struct future *futs[6];

	for (int i = 0; i < 4; i++) {
		FUTURE_INIT_COMPLETE(&done[i]);
		futs[i] = FUTURE_AS_RUNNABLE(&done[i]);
	}
	runtime_wait(r, futs[0]);
	runtime_wait_multiple(r, futs, 1);
	runtime_wait_multiple(r, futs, 4);
	for (int i = 0; i < 2; i++)
		probe_init(&p[i], PROBE_NONE);
	p[0].done_at = 1;
	p[1].done_at = 7;
	atomic_store(&p[1].async, 1);
	futs[4] = futs[3];
	futs[1] = probe_future(&p[0]);
	futs[3] = probe_future(&p[1]);
	runtime_wait_multiple(r, futs, 5);
	CHECK_INT(atomic_load(&p[0].polls), 1);
	CHECK_INT(atomic_load(&p[1].polls), 7);
	/* a second time */
	runtime_wait_multiple(r, futs, 5);
	runtime_wait(r, futs[1]);
	CHECK_INT(atomic_load(&p[0].polls), 1);
	CHECK_INT(atomic_load(&p[1].polls), 7);
	runtime_delete(r);
}

/* Row 3 again: no property function on a future that has work to do. */
static void
no_property_function(void)
{
	struct runtime *r = new_runtime();
	struct probe p[3];
	struct future *futs[3];

	for (int i = 0; i < 3; i++) {
		probe_init(&p[i], i == 1 ? PROBE_WAKER : PROBE_NONE);
		p[i].done_at = i == 1 ? 1 : 4;
		p[i].fut.base.has_property = NULL;
		futs[i] = probe_future(&p[i]);
	}
	runtime_wait_multiple(r, futs, 3);
	CHECK_INT(atomic_load(&p[2].polls), 4);
	runtime_delete(r);
}

/* Row 2: in memory that cannot be written, a swap would crash. */
static void
array_is_only_read(void)
{
	enum { N = 64 };
	struct runtime *r = new_runtime();
	struct probe p[N];
	struct future **futs;
	long page = sysconf(_SC_PAGESIZE);

	futs = mmap(NULL, (size_t)page, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(futs != MAP_FAILED);
	for (int i = 0; i < N; i++) {
		probe_init(&p[i], PROBE_NONE);
		p[i].done_at = 1 + (i * 7) % 13;
		atomic_store(&p[i].async, i % 3 == 0);
		futs[i] = probe_future(&p[i]);
	}
	CHECK(mprotect(futs, (size_t)page, PROT_READ) == 0);
	runtime_wait_multiple(r, futs, N);
	for (int i = 0; i < N; i++) {
		CHECK(futs[i] == probe_future(&p[i]));
		CHECK_INT(atomic_load(&p[i].polls), p[i].done_at);
	}
	CHECK(munmap(futs, (size_t)page) == 0);
	runtime_delete(r);
}

static int order[256];
static int ordered;

static void
note_order(struct probe *p, int poll, struct future_notifier *notifier)
{
	(void)poll;
	(void)notifier;
	CHECK(ordered < (int)T_COUNT(order));
	order[ordered++] = p->id;
}

static void
check_order(const int *expected, int n)
{
	CHECK_INT(ordered, n);
	for (int i = 0; i < n; i++)
		CHECK_INT(order[i], expected[i]);
	ordered = 0;
}

/* 0 and 2 are synchronous, 1 and 3 are not. */
static void
init_order(struct probe *p, struct future **futs, enum probe_kind kind)
{
	ordered = 0;
	for (int i = 0; i < 4; i++) {
		probe_init(&p[i], kind);
		p[i].id = i;
		p[i].on_poll = note_order;
		atomic_store(&p[i].async, i % 2);
		futs[i] = probe_future(&p[i]);
	}
}

static void
async_first_then_array_order(void)
{
	static const int expected[] = {1, 3, 0, 2, 1, 3, 0, 2, 3, 2, 2};
	struct runtime *r = new_runtime();
	struct probe p[4];
	struct future *futs[4];

	init_order(p, futs, PROBE_NONE);
	p[0].done_at = 2;
	p[1].done_at = 2;
	p[2].done_at = 4;
	p[3].done_at = 3;
	runtime_wait_multiple(r, futs, 4);
	check_order(expected, T_COUNT(expected));
	runtime_delete(r);
}

/* Number 0 turns asynchronous by its first poll, number 3 synchronous. */
static void
change_async(struct probe *p, int poll, struct future_notifier *notifier)
{
	note_order(p, poll, notifier);
	if (p->id == 0)
		atomic_store(&p->async, 1);
	if (p->id == 3)
		atomic_store(&p->async, 0);
}

static void
what_they_answer_now_counts(void)
{
	static const int expected[] = {1, 3, 0, 2, 0, 1, 2, 3, 0, 1, 2, 3};
	struct runtime *r = new_runtime();
	struct probe p[4];
	struct future *futs[4];

	init_order(p, futs, PROBE_NONE);
	for (int i = 0; i < 4; i++) {
		p[i].on_poll = change_async;
		p[i].done_at = 3;
	}
	runtime_wait_multiple(r, futs, 4);
	check_order(expected, T_COUNT(expected));
	runtime_delete(r);
}

/* The last to be polled in the first round wakes the others, jumbled. */
static void
wake_the_others(struct probe *p, int poll, struct future_notifier *notifier)
{
	static const int jumbled[] = {2, 3, 0, 1};
	struct probe *others = p->arg;

	note_order(p, poll, notifier);
	for (int i = 0; i < 4; i++)
		probe_wake(&others[jumbled[i]]);
}

static void
woken_ones_keep_the_order(void)
{
	static const int expected[] = {1, 3, 0, 2, 4, 1, 3, 0, 2, 4};
	struct runtime *r = new_runtime();
	struct probe p[5];
	struct future *futs[5];

	init_order(p, futs, PROBE_WAKER);
	probe_init(&p[4], PROBE_NONE);
	p[4].id = 4;
	p[4].on_poll = wake_the_others;
	p[4].arg = p;
	futs[4] = probe_future(&p[4]);
	for (int i = 0; i < 5; i++)
		p[i].done_at = 2;
	runtime_wait_multiple(r, futs, 5);
	check_order(expected, T_COUNT(expected));
	runtime_delete(r);
}

static void
duplicates(void)
{
	struct runtime *r = new_runtime();
	struct probe p[2];
	struct future *futs[6];

	for (int kind = PROBE_NONE; kind <= PROBE_WAKER; kind++) {
		probe_init(&p[0], (enum probe_kind)kind);
		probe_init(&p[1], PROBE_NONE);
		p[0].done_at = 1;
		p[1].done_at = 9;
		for (int i = 0; i < 6; i++)
			futs[i] = probe_future(&p[i % 2]);
		runtime_wait_multiple(r, futs, 6);
		/* complete means: never polled again */
		CHECK_INT(atomic_load(&p[0].polls), 1);
		CHECK_INT(atomic_load(&p[1].polls), 9);
		for (int i = 0; i < 6; i++)
			futs[i] = probe_future(&p[0]);
		runtime_wait_multiple(r, futs, 6);
	}
	runtime_delete(r);
}

static struct runtime *inner_runtime;

static void
wait_inside(struct probe *p, int poll, struct future_notifier *notifier)
{
	struct probe inner[2];
	struct future *futs[2];

	(void)poll;
	(void)notifier;
	for (int i = 0; i < 2; i++) {
		probe_init(&inner[i], PROBE_NONE);
		inner[i].done_at = 10 + i;
		futs[i] = probe_future(&inner[i]);
	}
	/* three levels deep */
	if (p->id < 2) {
		inner[0].id = p->id + 1;
		inner[0].done_at = 2;
		inner[0].on_poll = wait_inside;
	}
	runtime_wait_multiple(inner_runtime, futs, 2);
	CHECK_INT(FUTURE_STATE(&inner[0].fut), FUTURE_STATE_COMPLETE);
	CHECK_INT(atomic_load(&inner[1].polls), 11);
}

static void
nested(void)
{
	struct runtime *r = new_runtime();
	struct runtime *other = new_runtime();

	for (int i = 0; i < 2; i++) {
		struct probe p[3];
		struct future *futs[3];

		inner_runtime = i == 0 ? r : other;
		for (int j = 0; j < 3; j++) {
			probe_init(&p[j], PROBE_NONE);
			p[j].done_at = 3 + j;
			futs[j] = probe_future(&p[j]);
		}
		p[1].on_poll = wait_inside;
		runtime_wait_multiple(r, futs, 3);
		for (int j = 0; j < 3; j++)
			CHECK_INT(atomic_load(&p[j].polls), 3 + j);
	}
	runtime_delete(other);
	runtime_delete(r);
}

/* Row 18, and what is complete before the wait in general. */
static void
first_polled_by_hand(void)
{
	struct runtime *r = new_runtime();
	struct data_mover_threads *m = new_queueing_mover(2);
	char src[64];
	char dst[64];

	t_fill(src, sizeof(src), 1);
	for (int i = 0; i < 1000; i++) {
		struct vdm_operation_future f =
			vdm_memcpy(data_mover_threads_get_vdm(m), dst, src,
				sizeof(src), 0);

		memset(dst, 0, sizeof(dst));
		future_poll(FUTURE_AS_RUNNABLE(&f), NULL);
		if (i % 3 == 0)
			poll_out(FUTURE_AS_RUNNABLE(&f));
		runtime_wait(r, FUTURE_AS_RUNNABLE(&f));
		CHECK(memcmp(dst, src, sizeof(dst)) == 0);
		CHECK_INT(f.output.result, VDM_SUCCESS);
	}
	data_mover_threads_delete(m);
	runtime_delete(r);
}

/*
 * Row 2: each of n futures is woken once, by the one before it. A runtime that
 * goes over all of them for each completion polls or asks n * n / 2 times.
 */
static void
wake_next(struct probe *p, int poll, struct future_notifier *notifier)
{
	(void)poll;
	(void)notifier;
	if (atomic_load(&p->done) && p->arg != NULL)
		probe_finish(p->arg);
}

static void
a_completion_costs_constant_work(void)
{
	/* within the time that it takes, hardly any is polled to make sure */
	enum { N = T_SLOW > 1 ? 200 : 2000 };
	struct runtime *r = new_runtime();
	struct probe *p = t_malloc(N * sizeof(*p));
	struct future **futs = t_malloc(N * sizeof(*futs));
	long polls = 0;
	long questions = 0;

	for (int i = 0; i < N; i++) {
		probe_init(&p[i], PROBE_WAKER);
		p[i].on_poll = wake_next;
		futs[i] = probe_future(&p[i]);
	}
	/* backwards, so that one completes in a round */
	for (int i = 0; i < N; i++)
		p[i].arg = i > 0 ? &p[i - 1] : NULL;
	atomic_store(&p[N - 1].done, 1);
	runtime_wait_multiple(r, futs, N);
	for (int i = 0; i < N; i++) {
		polls += atomic_load(&p[i].polls);
		questions += atomic_load(&p[i].questions);
	}
	CHECK(polls >= 2 * N - 1);
	CHECK(polls <= 10 * N);
	CHECK(questions <= 10 * N);
	free(futs);
	free(p);
	runtime_delete(r);
}

T_MAIN(T_CASE(lives_and_dies), T_CASE(waits), T_CASE(waits_for_none),
	T_CASE(complete_ones_count), T_CASE(no_property_function),
	T_CASE(array_is_only_read), T_CASE(async_first_then_array_order),
	T_CASE(what_they_answer_now_counts), T_CASE(woken_ones_keep_the_order),
	T_CASE(duplicates), T_CASE(nested), T_CASE(first_polled_by_hand),
	T_CASE(a_completion_costs_constant_work))
