/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_threads_overdue.c -- operations behind a worker that does not come back
 *
 * It is in a fill of the library's own, at a page that is not there yet, and another
 * worker sleeps. Time is the test's own: a microsecond passes with each look at it,
 * and more when the test says so.
 */

#include "helpers.h"

#include "counted_wakes.h"
#include "missing.h"

/* A fill of so much, whose first bytes are missing; most of it stays in the queue. */
#define M ((size_t)2 << 20)

enum { SMALL = 64, ROW = 64 };

static struct missing missing;

struct stuck {
	struct data_mover_threads *mover;
	struct vdm *vdm;
	struct vdm_operation_future fill;
};

static void
stick(struct stuck *s)
{
	s->fill = vdm_memset(s->vdm, missing.bytes, 5, M, 0);
	CHECK_INT(future_poll(FUTURE_AS_RUNNABLE(&s->fill), NULL),
		FUTURE_STATE_RUNNING);
	t_pass(&missing.met);
}

static void
unstick(struct stuck *s)
{
	t_open(&missing.provide);
	poll_out(FUTURE_AS_RUNNABLE(&s->fill));
	CHECK(missing.bytes[0] == 5 && missing.bytes[M - 1] == 5);
	missing_again(&missing);
}

static void
begin(struct stuck *s, size_t nthreads, enum future_notifier_type desired)
{
	missing_init(&missing, M);
	s->mover = data_mover_threads_new(nthreads, 1, desired);
	CHECK(s->mover != NULL);
	s->vdm = data_mover_threads_get_vdm(s->mover);
	data_mover_threads_set_inline_below(s->mover, 0);
	settle(0);
	stick(s);
	settle(1);
	atomic_store(&wakes, 0);
}

static void
end(struct stuck *s)
{
	unstick(s);
	data_mover_threads_delete(s->mover);
	missing_fini(&missing);
}

static unsigned char bytes[ROW][SMALL];

/* Starts a fill by one poll; the word that changes when it is complete. */
static _Atomic uint64_t *
start(struct stuck *s, struct vdm_operation_future *fut, int i)
{
	struct future_notifier n;

	memset(&n, 0, sizeof(n));
	bytes[i][SMALL - 1] = 0;
	*fut = vdm_memset(s->vdm, bytes[i], 7, SMALL, 0);
	future_poll(FUTURE_AS_RUNNABLE(fut), &n);
	CHECK_INT(n.notifier_used, FUTURE_NOTIFIER_POLLER);
	return (_Atomic uint64_t *)n.poller.ptr_to_monitor;
}

/* Without a poll until it is complete. */
static void
watch(struct vdm_operation_future *fut, const _Atomic uint64_t *word, int i)
{
	/* A worker that was woken may be there before the poll is over. */
	while (FUTURE_STATE(fut) != FUTURE_STATE_COMPLETE &&
		atomic_load(word) == 0)
		sched_yield();
	CHECK_INT(future_poll(FUTURE_AS_RUNNABLE(fut), NULL),
		FUTURE_STATE_COMPLETE);
	CHECK_INT(bytes[i][SMALL - 1], 7);
}

/* The start alone sees that the worker is not going to look; again and again. */
static void
started_later(void)
{
	struct stuck s;

	begin(&s, 2, FUTURE_NOTIFIER_POLLER);
	for (int round = 0; round < 10; round++) {
		struct vdm_operation_future fut;

		let_pass(3 * T_MS);
		watch(&fut, start(&s, &fut, 0), 0);
		settle(1);
		if (round % 3 == 2) {
			unstick(&s);
			settle(0);
			stick(&s);
			settle(1);
		}
	}
	end(&s);
}

/* Its later polls see it. */
static void
started_at_once(void)
{
	struct stuck s;
	struct vdm_operation_future fut;

	begin(&s, 2, FUTURE_NOTIFIER_POLLER);
	start(&s, &fut, 0);
	CHECK_INT(future_poll(FUTURE_AS_RUNNABLE(&fut), NULL),
		FUTURE_STATE_RUNNING);
	CHECK_INT(atomic_load(&wakes), 0);
	let_pass(3 * T_MS);
	poll_out(FUTURE_AS_RUNNABLE(&fut));
	CHECK_INT(atomic_load(&wakes), 1);
	CHECK_INT(bytes[0][SMALL - 1], 7);
	end(&s);
}

/* Those of an event loop, which comes back when the monitor says so. */
static void
watched(void)
{
	struct stuck s;
	struct vdm_operation_future fut;
	struct future_monitor *const monitor = future_monitor_new();
	void *done = NULL;

	CHECK(monitor != NULL);
	begin(&s, 2, FUTURE_NOTIFIER_WAKER);
	/* This one is polled first, and waits for nobody. */
	CHECK_INT(future_monitor_add(monitor, FUTURE_AS_RUNNABLE(&s.fill),
			  &s.fill),
		0);
	fut = vdm_memset(s.vdm, bytes[0], 7, SMALL, 0);
	CHECK_INT(future_monitor_add(monitor, FUTURE_AS_RUNNABLE(&fut), &fut),
		0);
	CHECK_INT(atomic_load(&wakes), 0);
	atomic_store(&passing_ns, future_monitor_deadline(monitor));
	while (future_monitor_run(monitor, &done, 1) == 0)
		sched_yield();
	CHECK(done == &fut);
	CHECK_INT(atomic_load(&wakes), 1);
	CHECK_INT(future_monitor_remove(monitor, FUTURE_AS_RUNNABLE(&s.fill)),
		0);
	future_monitor_delete(monitor);
	end(&s);
}

/* One that is looking, or has just been woken, is left alone. */
static void
in_a_row(void)
{
	struct stuck s;
	struct vdm_operation_future futs[ROW];
	_Atomic uint64_t *words[ROW];

	begin(&s, 3, FUTURE_NOTIFIER_POLLER);
	for (int i = 0; i < ROW / 2; i++)
		words[i] = start(&s, &futs[i], i);
	CHECK_INT(atomic_load(&wakes), 0);
	let_pass(3 * T_MS);
	atomic_store(&hold_next, 1);
	for (int i = ROW / 2; i < ROW; i++)
		words[i] = start(&s, &futs[i], i);
	CHECK_INT(atomic_load(&wakes), 1);
	CHECK(__real_pthread_cond_signal(held) == 0);
	for (int i = 0; i < ROW; i++)
		watch(&futs[i], words[i], i);
	CHECK_INT(atomic_load(&wakes), 1);
	end(&s);
}

/* Polls that come one behind the other look at the workers once. */
static void
polled_in_a_row(void)
{
	struct stuck s;
	struct vdm_operation_future futs[ROW];
	uint64_t since;

	begin(&s, 2, FUTURE_NOTIFIER_POLLER);
	for (int i = 0; i < ROW; i++)
		start(&s, &futs[i], i);
	since = atomic_load(&passing_ns);
	for (int i = 0; i < ROW; i++)
		CHECK_INT(future_poll(FUTURE_AS_RUNNABLE(&futs[i]), NULL),
			FUTURE_STATE_RUNNING);
	/* A microsecond for each look at the clock, and one poll in 100 has two. */
	CHECK(atomic_load(&passing_ns) - since <= (ROW + 2) * (T_MS / 1000));
	CHECK_INT(atomic_load(&wakes), 0);
	unstick(&s);
	for (int i = 0; i < ROW; i++)
		poll_out(FUTURE_AS_RUNNABLE(&futs[i]));
	data_mover_threads_delete(s.mover);
	missing_fini(&missing);
}

T_MAIN(T_CASE(started_later), T_CASE(started_at_once), T_CASE(watched),
	T_CASE(in_a_row), T_CASE(polled_in_a_row))
