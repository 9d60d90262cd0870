/* SPDX-License-Identifier: BSD-3-Clause */
/* test_wake.c -- what wakes a runtime; how it sleeps: test_pace.c */

#include "probe.h"

static void
wake_itself(struct probe *p, int poll, struct future_notifier *notifier)
{
	struct future_waker waker = notifier->waker;

	(void)p;
	for (int i = 0; i < 1 + poll % 3; i++)
		FUTURE_WAKER_WAKE(&waker);
}

/* A lost one would cost the time of the safety net, 10,000 times. */
static void
woken_from_within_the_poll(void)
{
	struct runtime *r = new_runtime();
	struct probe p;

	probe_init(&p, PROBE_WAKER);
	p.on_poll = wake_itself;
	p.done_at = 10000;
	runtime_wait(r, probe_future(&p));
	CHECK_INT(atomic_load(&p.polls), 10000);
	probe_fini(&p);
	runtime_delete(r);
}

/* Wakes 500 times: each time the poll that the last wake caused was seen. */
static void *
step_by_step(void *arg)
{
	struct probe *p = arg;

	for (int i = 1; i <= 500; i++) {
		probe_await(p, i);
		probe_wake(p);
	}
	probe_await(p, 501);
	probe_finish(p);
	return NULL;
}

static void
woken_from_another_thread(void)
{
	static const enum probe_kind kinds[] = {PROBE_WAKER, PROBE_WAKER_ONCE};

	for (size_t i = 0; i < T_COUNT(kinds); i++) {
		struct runtime *r = new_runtime();
		struct probe p;
		pthread_t waker;

		probe_init(&p, kinds[i]);
		t_start(&waker, step_by_step, &p);
		runtime_wait(r, probe_future(&p));
		t_join(waker);
		CHECK(atomic_load(&p.polls) >= 502);
		/*
		 * And a few by the safety net on a slow machine. One that says
		 * nothing after its wake is polled: it may be a chain that has
		 * come to a future without a waker.
		 */
		if (kinds[i] == PROBE_WAKER)
			CHECK(atomic_load(&p.polls) <= 1200);
		probe_fini(&p);
		runtime_delete(r);
	}
}

static void *
wake_a_lot(void *arg)
{
	struct probe *p = arg;

	probe_await(p, 1);
	for (int i = 0; i < 20000; i++)
		probe_wake(p);
	probe_finish(p);
	return NULL;
}

static void
woken_many_times(void)
{
	struct runtime *r = new_runtime();
	struct probe p[3];
	struct future *futs[3];
	pthread_t waker[3];

	for (int i = 0; i < 3; i++) {
		probe_init(&p[i], PROBE_WAKER);
		futs[i] = probe_future(&p[i]);
		t_start(&waker[i], wake_a_lot, &p[i]);
	}
	runtime_wait_multiple(r, futs, 3);
	for (int i = 0; i < 3; i++) {
		t_join(waker[i]);
		probe_fini(&p[i]);
	}
	runtime_delete(r);
}

static void *
wake_late(void *arg)
{
	struct probe *p = arg;

	for (int i = 0; i < 1000; i++)
		probe_wake(p);
	return NULL;
}

/* Row 7: late wakes are harmless until the runtime is deleted. */
static void
woken_late(void)
{
	enum { N = 40 };
	struct runtime *r = new_runtime();
	struct probe *p = t_malloc(N * sizeof(*p));
	struct future *futs[N];
	pthread_t waker;

	for (int i = 0; i < N; i++) {
		probe_init(&p[i], PROBE_WAKER);
		p[i].on_poll = wake_itself;
		p[i].done_at = 3;
		futs[i] = probe_future(&p[i]);
	}
	runtime_wait_multiple(r, futs, N / 2);
	for (int i = 0; i < N / 2; i++)
		probe_wake(&p[i]);
	/* and while the same runtime waits for others */
	t_start(&waker, wake_late, &p[0]);
	for (int i = N / 2; i < N; i++)
		runtime_wait(r, futs[i]);
	for (int i = 0; i < N; i++)
		wake_late(&p[i]);
	t_join(waker);
	runtime_delete(r);
	free(p);
}

static void *
finish_silently(void *arg)
{
	struct probe *p = arg;

	probe_await(p, 1);
	atomic_store(&p->done, 1);
	return NULL;
}

static void
an_announced_waker_that_never_comes(void)
{
	struct runtime *r = new_runtime();
	struct probe p[2];
	struct future *futs[2];
	pthread_t other;

	for (int i = 0; i < 2; i++) {
		probe_init(&p[i], i == 0 ? PROBE_WAKER : PROBE_WAKER_ONCE);
		futs[i] = probe_future(&p[i]);
	}
	t_start(&other, finish_silently, &p[0]);
	p[1].done_at = 2;
	runtime_wait_multiple(r, futs, 2);
	t_join(other);
	CHECK_INT(FUTURE_STATE(&p[1].fut), FUTURE_STATE_COMPLETE);
	runtime_delete(r);
}

static void *
finish_poller(void *arg)
{
	struct probe *p = arg;

	probe_await(p, 100);
	atomic_store(&p->done, 1);
	atomic_store(&p->word, 1);
	return NULL;
}

static void
pollers(void)
{
	struct runtime *r = new_runtime();
	struct probe p;
	pthread_t other;

	probe_init(&p, PROBE_POLLER);
	t_start(&other, finish_poller, &p);
	runtime_wait(r, probe_future(&p));
	t_join(other);
	CHECK_INT(FUTURE_STATE(&p.fut), FUTURE_STATE_COMPLETE);
	runtime_delete(r);
}

static _Atomic uint64_t finished_at;

static void *
finish_after_300_ms(void *arg)
{
	probe_await(arg, 3);
	t_pass_time(300 * T_MS);
	atomic_store(&finished_at, t_now());
	probe_finish(arg);
	return NULL;
}

/*
 * One wake for all the places of a future in the array. By then the safety net
 * looks so rarely that a place left to it would be some 200 ms late.
 */
static void
duplicates_are_woken_together(void)
{
	struct runtime *r = new_runtime();
	struct future *futs[3];
	struct probe p;
	pthread_t other;

	probe_init(&p, PROBE_WAKER);
	for (int i = 0; i < 3; i++)
		futs[i] = probe_future(&p);
	t_start(&other, finish_after_300_ms, &p);
	runtime_wait_multiple(r, futs, 3);
	CHECK(t_now() - atomic_load(&finished_at) < 100 * T_MS);
	t_join(other);
	runtime_delete(r);
}

static void
mixed_kinds(void)
{
	struct runtime *r = new_runtime();
	struct probe p[3];
	struct future *futs[3];
	pthread_t waker;

	probe_init(&p[0], PROBE_WAKER);
	probe_init(&p[1], PROBE_NONE);
	probe_init(&p[2], PROBE_POLLER);
	for (int i = 0; i < 3; i++)
		futs[i] = probe_future(&p[i]);
	p[1].done_at = 300;
	p[2].done_at = 200;
	t_start(&waker, step_by_step, &p[0]);
	runtime_wait_multiple(r, futs, 3);
	t_join(waker);
	for (int i = 0; i < 3; i++)
		CHECK_INT(FUTURE_STATE(&p[i].fut), FUTURE_STATE_COMPLETE);
	CHECK_INT(atomic_load(&p[1].polls), 300);
	CHECK_INT(atomic_load(&p[2].polls), 200);
	runtime_delete(r);
}

static void *
finish_once_polled(void *arg)
{
	struct probe *p = arg;

	probe_await(p, 1);
	probe_finish(p);
	return NULL;
}

/*
 * No thread is made while another is joined: helgrind aborts when the joined
 * one's handle is used again at that moment.
 */
static pthread_mutex_t starting_or_joining = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t all_joined;

static void *
share(void *arg)
{
	for (int round = 0; round < 100; round++) {
		struct probe p[4];
		struct future *futs[4];
		pthread_t waker;

		for (int i = 0; i < 4; i++) {
			probe_init(&p[i], i == 3 ? PROBE_NONE : PROBE_WAKER);
			p[i].done_at = i == 0 ? 0 : 1 + i * round % 7;
			if (p[i].kind == PROBE_WAKER && i > 0)
				p[i].on_poll = wake_itself;
			futs[i] = probe_future(&p[i]);
		}
		pthread_mutex_lock(&starting_or_joining);
		t_start(&waker, finish_once_polled, &p[0]);
		pthread_mutex_unlock(&starting_or_joining);
		runtime_wait_multiple(arg, futs, 4);
		pthread_mutex_lock(&starting_or_joining);
		t_join(waker);
		pthread_mutex_unlock(&starting_or_joining);
		for (int i = 0; i < 4; i++) {
			CHECK_INT(FUTURE_STATE(&p[i].fut),
				FUTURE_STATE_COMPLETE);
			probe_fini(&p[i]);
		}
	}
	pthread_barrier_wait(&all_joined);
	return NULL;
}

static void
one_runtime_for_several_threads(void)
{
	pthread_t threads[4];
	struct runtime *r = new_runtime();

	CHECK(pthread_barrier_init(&all_joined, NULL, 4) == 0);
	pthread_mutex_lock(&starting_or_joining);
	for (int i = 0; i < 4; i++)
		t_start(&threads[i], share, r);
	pthread_mutex_unlock(&starting_or_joining);
	for (int i = 0; i < 4; i++)
		t_join(threads[i]);
	runtime_delete(r);
}

T_MAIN(T_CASE(woken_from_within_the_poll), T_CASE(woken_from_another_thread),
	T_CASE(woken_many_times), T_CASE(woken_late),
	T_CASE(an_announced_waker_that_never_comes), T_CASE(pollers),
	T_CASE(duplicates_are_woken_together), T_CASE(mixed_kinds),
	T_CASE(one_runtime_for_several_threads))
