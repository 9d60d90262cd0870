/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_monitor_time.c -- when a monitor wants to be run though nobody woke it
 *
 * The clock stands still unless the test moves it.
 */

#include "frozen.h"
#include "probe.h"
#include "watching.h"

/* At the deadline, and not a nanosecond before, run polls p once more. */
static uint64_t
run_at_deadline(struct future_monitor *m, struct probe *p)
{
	const uint64_t deadline = future_monitor_deadline(m);
	const uint64_t slept = deadline - frozen_ns;
	const int polls = atomic_load(&p->polls);

	CHECK(deadline > frozen_ns && deadline != FUTURE_WAITER_FOREVER);
	CHECK_INT(readable(m, 0), 0);
	frozen_ns = deadline - 1;
	run_in_vain(m);
	CHECK_INT(atomic_load(&p->polls), polls);
	CHECK(future_monitor_deadline(m) == deadline);
	frozen_ns = deadline;
	run_in_vain(m);
	CHECK_INT(atomic_load(&p->polls), polls + 1);
	return slept;
}

/* Runs at once as long as that is wanted; how often that was. */
static int
run_at_once(struct future_monitor *m)
{
	int n = 0;

	for (; future_monitor_deadline(m) == 0; n++) {
		run_in_vain(m);
		frozen_ns += 10 * 1000;
	}
	return n;
}

static void
without_a_waker(void)
{
	static const enum probe_kind kinds[] = {PROBE_NONE, PROBE_POLLER};

	for (size_t i = 0; i < T_COUNT(kinds); i++) {
		struct future_monitor *m = new_monitor();
		const uint64_t start = frozen_ns;
		uint64_t nap = 0;
		struct probe p;
		int n;

		probe_init(&p, kinds[i]);
		CHECK_INT(future_monitor_add(m, probe_future(&p), &p), 0);
		n = run_at_once(m);
		/* 64 rounds and 5 ms, and the clock is not read each time */
		CHECK(n > 64 && frozen_ns - start >= 5 * T_MS);
		CHECK(frozen_ns - start < 6 * T_MS);
		CHECK_INT(atomic_load(&p.polls), n + 1);
		for (int j = 0; j < 12; j++) {
			const uint64_t last = nap;

			nap = run_at_deadline(m, &p);
			CHECK(nap > last || nap == 5 * T_MS);
			CHECK(nap >= T_MS / 100 && nap <= 5 * T_MS);
		}
		CHECK(nap == 5 * T_MS);
		atomic_store(&p.done, 1);
		frozen_ns = future_monitor_deadline(m);
		CHECK(next_done(m) == &p);
		CHECK(future_monitor_deadline(m) == FUTURE_WAITER_FOREVER);
		future_monitor_delete(m);
		probe_fini(&p);
	}
}

static void
take_time(struct probe *p, int poll, struct future_notifier *notifier)
{
	(void)p;
	(void)poll;
	(void)notifier;
	frozen_ns += 10 * T_MS;
}

/* The loop gets its turn, however slow the task is. */
static void
slow_tasks(void)
{
	struct future_monitor *m = new_monitor();
	struct probe p;

	probe_init(&p, PROBE_NONE);
	p.on_poll = take_time;
	CHECK_INT(future_monitor_add(m, probe_future(&p), &p), 0);
	run_at_once(m);
	for (int i = 0; i < 10; i++) {
		CHECK(future_monitor_deadline(m) > frozen_ns);
		frozen_ns = future_monitor_deadline(m);
		run_in_vain(m);
	}
	future_monitor_delete(m);
	probe_fini(&p);
}

static void
forgotten_wakers(void)
{
	struct future_monitor *m = new_monitor();
	uint64_t expected = 4 * T_MS;
	struct probe p;

	for (int kind = PROBE_WAKER; kind <= PROBE_WAKER_ONCE; kind++) {
		/* each starts anew: nothing was watched in between */
		expected = 4 * T_MS;
		probe_init(&p, (enum probe_kind)kind);
		CHECK_INT(future_monitor_add(m, probe_future(&p), &p), 0);
		for (int i = 0; i < 12; i++) {
			CHECK_INT(run_at_deadline(m, &p), expected);
			if (expected < 256 * T_MS)
				expected *= 2;
		}
		atomic_store(&p.done, 1);
		frozen_ns = future_monitor_deadline(m);
		CHECK(next_done(m) == &p);
		probe_fini(&p);
		frozen_ns += 3 * T_SECOND;
	}
	future_monitor_delete(m);
}

static void
keep_waker(struct probe *p, int poll, struct future_notifier *notifier)
{
	(void)poll;
	p->waker = notifier->waker;
}

/* Announces nothing, and wakes all the same: polled at once. */
static void
woken_from_a_nap(void)
{
	struct future_monitor *m = new_monitor();
	struct probe p;
	int polls;

	probe_init(&p, PROBE_NONE);
	p.on_poll = keep_waker;
	CHECK_INT(future_monitor_add(m, probe_future(&p), &p), 0);
	run_at_once(m);
	polls = atomic_load(&p.polls);
	for (int i = 1; i < 10; i++) {
		const uint64_t deadline = future_monitor_deadline(m);

		probe_wake(&p);
		CHECK_INT(readable(m, 0), 1);
		run_in_vain(m);
		CHECK_INT(atomic_load(&p.polls), polls + i);
		/* it has said nothing new */
		CHECK(future_monitor_deadline(m) == deadline);
	}
	future_monitor_delete(m);
	probe_fini(&p);
}

/* A chain that has come to a future without a waker looks like that. */
static void
silent_after_a_wake(void)
{
	struct future_monitor *m = new_monitor();
	struct probe slow;
	struct probe p;

	probe_init(&slow, PROBE_NONE);
	CHECK_INT(future_monitor_add(m, probe_future(&slow), &slow), 0);
	run_at_once(m);
	for (int i = 0; i < 10; i++)
		run_at_deadline(m, &slow);
	probe_init(&p, PROBE_WAKER_ONCE);
	CHECK_INT(future_monitor_add(m, probe_future(&p), &p), 0);
	CHECK(future_monitor_deadline(m) != 0);
	run_in_vain(m);
	CHECK_INT(atomic_load(&p.polls), 1);
	probe_wake(&p);
	run_in_vain(m);
	/* not in the 5 ms that the other one naps */
	CHECK(future_monitor_deadline(m) == 0);
	atomic_store(&p.done, 1);
	CHECK(next_done(m) == &p);
	future_monitor_delete(m);
	probe_fini(&slow);
	probe_fini(&p);
}

/* Those that are woken do not make the others be polled all the time. */
static void
naps_go_on(void)
{
	struct future_monitor *m = new_monitor();
	struct probe slow;

	probe_init(&slow, PROBE_NONE);
	CHECK_INT(future_monitor_add(m, probe_future(&slow), &slow), 0);
	run_at_once(m);
	for (int i = 0; i < 10; i++)
		run_at_deadline(m, &slow);
	for (int i = 0; i < 20; i++) {
		struct probe p;

		probe_init(&p, PROBE_WAKER);
		CHECK_INT(future_monitor_add(m, probe_future(&p), &p), 0);
		probe_wake(&p);
		run_in_vain(m);
		probe_finish(&p);
		CHECK(next_woken(m) == &p);
		CHECK(future_monitor_deadline(m) > frozen_ns);
		probe_fini(&p);
	}
	/* one without a waker does, when it comes and when it completes */
	for (int i = 0; i < 2; i++) {
		struct probe p;

		probe_init(&p, PROBE_NONE);
		CHECK_INT(future_monitor_add(m, probe_future(&p), &p), 0);
		CHECK(run_at_once(m) > 64);
		atomic_store(&p.done, 1);
		frozen_ns = future_monitor_deadline(m);
		CHECK(next_done(m) == &p);
		CHECK(run_at_once(m) > 64);
		probe_fini(&p);
	}
	future_monitor_delete(m);
	probe_fini(&slow);
}

/* The sweep over many takes several calls, and every one gets its turn. */
static void
thousands_are_checked(void)
{
	enum { N = 5000 };
	struct future_monitor *m = new_monitor();
	struct probe *p = t_malloc(N * sizeof(*p));
	int calls = 0;

	for (int i = 0; i < N; i++) {
		probe_init(&p[i], PROBE_WAKER);
		CHECK_INT(future_monitor_add(m, probe_future(&p[i]), &p[i]), 0);
	}
	for (int i = 0; i < N; i += 1000)
		atomic_store(&p[i].done, 1);
	frozen_ns = future_monitor_deadline(m);
	do {
		void *done[N];
		size_t n = future_monitor_run(m, done, N);

		for (size_t i = 0; i < n; i++)
			atomic_store(&((struct probe *)done[i])->done, 2);
		calls++;
	} while (future_monitor_deadline(m) == 0);
	CHECK(calls > 10);
	CHECK(future_monitor_deadline(m) == frozen_ns + 8 * T_MS);
	for (int i = 0; i < N; i++) {
		CHECK_INT(atomic_load(&p[i].polls), 2);
		CHECK_INT(atomic_load(&p[i].done), i % 1000 == 0 ? 2 : 0);
	}
	/* woken, or removed, in the middle of a sweep */
	frozen_ns = future_monitor_deadline(m);
	run_in_vain(m);
	CHECK_INT(future_monitor_deadline(m), 0);
	CHECK_INT(atomic_load(&p[N - 1].polls), 2);
	CHECK_INT(future_monitor_remove(m, probe_future(&p[N - 2])), 0);
	probe_finish(&p[N - 1]);
	CHECK(next_woken(m) == &p[N - 1]);
	while (future_monitor_deadline(m) == 0)
		run_in_vain(m);
	CHECK_INT(atomic_load(&p[N - 2].polls), 2);
	CHECK_INT(atomic_load(&p[N - 3].polls), 3);
	future_monitor_delete(m);
	for (int i = 0; i < N; i++)
		probe_fini(&p[i]);
	free(p);
}

/* The same of those without a waker: one round, in several calls. */
static void
thousands_without_a_waker(void)
{
	enum { N = 1000 };
	struct future_monitor *m = new_monitor();
	struct probe *p = t_malloc(N * sizeof(*p));

	for (int i = 0; i < N; i++) {
		probe_init(&p[i], PROBE_NONE);
		CHECK_INT(future_monitor_add(m, probe_future(&p[i]), &p[i]), 0);
	}
	run_at_once(m);
	for (int i = 0; i < N; i++)
		CHECK_INT(atomic_load(&p[i].polls), atomic_load(&p[0].polls));
	for (int i = 0; i < N; i++)
		p[i].done_at = atomic_load(&p[i].polls) + 1;
	frozen_ns = future_monitor_deadline(m);
	for (int i = 0; i < N;) {
		void *done[N];
		size_t n = future_monitor_run(m, done, N);

		CHECK(n > 0 && n < N);
		for (size_t j = 0; j < n; j++)
			CHECK(done[j] == &p[i++]);
		/* the rest of the round follows at once */
		CHECK(future_monitor_deadline(m) ==
			(i < N ? 0 : FUTURE_WAITER_FOREVER));
	}
	future_monitor_delete(m);
	for (int i = 0; i < N; i++)
		probe_fini(&p[i]);
	free(p);
}

/* Polled so far, it announces a waker, and may forget it from then on. */
static void
a_waker_at_last(void)
{
	struct future_monitor *m = new_monitor();
	struct probe p;

	probe_init(&p, PROBE_NONE);
	CHECK_INT(future_monitor_add(m, probe_future(&p), &p), 0);
	CHECK(future_monitor_deadline(m) == 0);
	p.kind = PROBE_WAKER;
	run_in_vain(m);
	CHECK(future_monitor_deadline(m) == frozen_ns + 4 * T_MS);
	future_monitor_delete(m);
	probe_fini(&p);
}

/* A new future without a waker does not wait for the naps of the others. */
static void
the_earlier_of_two(void)
{
	struct future_monitor *m = new_monitor();
	struct probe waker;
	struct probe none;

	probe_init(&waker, PROBE_WAKER);
	probe_init(&none, PROBE_NONE);
	CHECK_INT(future_monitor_add(m, probe_future(&waker), &waker), 0);
	CHECK(future_monitor_deadline(m) == frozen_ns + 4 * T_MS);
	CHECK_INT(future_monitor_add(m, probe_future(&none), &none), 0);
	CHECK(future_monitor_deadline(m) == 0);
	CHECK_INT(future_monitor_remove(m, probe_future(&none)), 0);
	CHECK(future_monitor_deadline(m) == frozen_ns + 4 * T_MS);
	CHECK_INT(future_monitor_remove(m, probe_future(&waker)), 0);
	CHECK(future_monitor_deadline(m) == FUTURE_WAITER_FOREVER);
	future_monitor_delete(m);
	probe_fini(&waker);
	probe_fini(&none);
}

T_MAIN(T_CASE(without_a_waker), T_CASE(slow_tasks), T_CASE(forgotten_wakers),
	T_CASE(woken_from_a_nap), T_CASE(silent_after_a_wake),
	T_CASE(naps_go_on), T_CASE(thousands_are_checked),
	T_CASE(thousands_without_a_waker), T_CASE(a_waker_at_last),
	T_CASE(the_earlier_of_two))
