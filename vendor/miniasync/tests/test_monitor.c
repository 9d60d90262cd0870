/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_monitor.c -- what each function of a monitor promises
 *
 * In one thread, and with a clock that stands still unless it is moved: what
 * happens, and when, is the test's choice. Wakes from other threads:
 * test_monitor_wake.c; from movers: test_monitor_threads.c.
 */

#include "frozen.h"
#include "probe.h"
#include "watching.h"

#include <sys/resource.h>

static void
lives_and_dies(void)
{
	struct future_monitor *m = new_monitor();
	const int fd = future_monitor_fd(m);

	CHECK_INT(future_monitor_count(m), 0);
	CHECK(future_monitor_deadline(m) == FUTURE_WAITER_FOREVER);
	CHECK_INT(readable(m, 0), 0);
	run_in_vain(m);
	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
	future_monitor_delete(m);
	/* nothing is running: the descriptor is gone */
	CHECK(fcntl(fd, F_GETFD) == -1 && errno == EBADF);
	future_monitor_delete(NULL);
}

static void
no_descriptor_leaks(void)
{
	const int before = open("/dev/null", O_RDONLY);

	CHECK(before >= 0);
	close(before);
	for (int i = 0; i < 100; i++)
		future_monitor_delete(new_monitor());

	const int after = open("/dev/null", O_RDONLY);

	CHECK_INT(after, before);
	close(after);
}

static void
bad_arguments(void)
{
	struct future_monitor *m = new_monitor();
	struct probe p;
	void *done[1];

	probe_init(&p, PROBE_WAKER);
	CHECK_INT(future_monitor_add(NULL, probe_future(&p), NULL), EINVAL);
	CHECK_INT(future_monitor_add(m, NULL, NULL), EINVAL);
	CHECK_INT(future_monitor_remove(NULL, probe_future(&p)), EINVAL);
	CHECK_INT(future_monitor_remove(m, NULL), EINVAL);
	CHECK_INT(future_monitor_remove(m, probe_future(&p)), ENOENT);
	CHECK_INT(future_monitor_run(NULL, done, 1), 0);
	CHECK_INT(future_monitor_run(m, NULL, 1), 0);
	CHECK_INT(future_monitor_run(m, NULL, 0), 0);
	CHECK_INT(atomic_load(&p.polls), 0);
	CHECK_INT(future_monitor_count(m), 0);
	future_monitor_delete(m);
	probe_fini(&p);
}

static void
no_descriptors_left(void)
{
	struct rlimit old;
	struct rlimit none;
	int fd = open("/dev/null", O_RDONLY);

	CHECK(fd >= 0);
	CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
	none = old;
	none.rlim_cur = (rlim_t)fd;
	close(fd);
	CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
	for (int i = 0; i < 3; i++) {
		errno = 0;
		CHECK(future_monitor_new() == NULL);
		CHECK_INT(errno, EMFILE);
	}
	CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
	future_monitor_delete(new_monitor());
}

static void
complete_ones_are_not_watched(void)
{
	struct future_monitor *m = new_monitor();
	struct probe_future done;
	struct probe p;

	/* neither a task nor a property function */
	FUTURE_INIT_COMPLETE(&done);
	CHECK_INT(future_monitor_add(m, FUTURE_AS_RUNNABLE(&done), NULL),
		EALREADY);
	for (int kind = PROBE_NONE; kind <= PROBE_POLLER; kind++) {
		probe_init(&p, (enum probe_kind)kind);
		p.done_at = 1;
		CHECK_INT(future_monitor_add(m, probe_future(&p), &p),
			EALREADY);
		CHECK_INT(atomic_load(&p.polls), 1);
		CHECK_INT(future_monitor_add(m, probe_future(&p), &p),
			EALREADY);
		CHECK_INT(atomic_load(&p.polls), 1);
		CHECK_INT(future_monitor_remove(m, probe_future(&p)), ENOENT);
		/* a wake that comes too late */
		probe_wake(&p);
		run_in_vain(m);
	}
	CHECK_INT(future_monitor_count(m), 0);
	CHECK(future_monitor_deadline(m) == FUTURE_WAITER_FOREVER);
	future_monitor_delete(m);
}

static void
woken_and_returned(void)
{
	static const enum probe_kind kinds[] = {PROBE_WAKER, PROBE_WAKER_ONCE};
	struct future_monitor *m = new_monitor();

	for (size_t i = 0; i < T_COUNT(kinds); i++) {
		void *done[2] = {NULL, m};
		struct probe p;

		probe_init(&p, kinds[i]);
		CHECK_INT(future_monitor_add(m, probe_future(&p), &p.id), 0);
		CHECK_INT(future_monitor_add(m, probe_future(&p), NULL),
			EEXIST);
		CHECK_INT(atomic_load(&p.polls), 1);
		CHECK_INT(future_monitor_count(m), 1);
		CHECK_INT(readable(m, 0), 0);
		probe_finish(&p);
		CHECK_INT(readable(m, 0), 1);
		CHECK_INT(atomic_load(&p.polls), 1);
		CHECK_INT(future_monitor_count(m), 1);
		CHECK_INT(future_monitor_run(m, done, 2), 1);
		CHECK(done[0] == &p.id && done[1] == m);
		CHECK_INT(atomic_load(&p.polls), 2);
		CHECK_INT(future_monitor_count(m), 0);
		CHECK_INT(readable(m, 0), 0);
		CHECK_INT(future_monitor_remove(m, probe_future(&p)), ENOENT);
		run_in_vain(m);
		probe_fini(&p);
	}
	future_monitor_delete(m);
}

/* NULL is as good as any other data. */
static void
any_data(void)
{
	struct future_monitor *m = new_monitor();
	void *done[2] = {m, m};
	struct probe p;

	probe_init(&p, PROBE_WAKER);
	CHECK_INT(future_monitor_add(m, probe_future(&p), NULL), 0);
	probe_finish(&p);
	CHECK_INT(future_monitor_run(m, done, 2), 1);
	CHECK(done[0] == NULL);
	future_monitor_delete(m);
	probe_fini(&p);
}

/* Woken, but not complete: polled once for each run, whatever woke it. */
static void
woken_in_vain(void)
{
	struct future_monitor *m = new_monitor();
	struct probe p;

	probe_init(&p, PROBE_WAKER);
	CHECK_INT(future_monitor_add(m, probe_future(&p), &p), 0);
	for (int i = 2; i < 100; i++) {
		for (int j = 0; j < 1 + i % 3; j++)
			probe_wake(&p);
		CHECK_INT(readable(m, 0), 1);
		run_in_vain(m);
		CHECK_INT(atomic_load(&p.polls), i);
		CHECK_INT(readable(m, 0), 0);
	}
	future_monitor_delete(m);
	probe_fini(&p);
}

static void
wake_itself(struct probe *p, int poll, struct future_notifier *notifier)
{
	struct future_waker waker = notifier->waker;

	(void)p;
	for (int i = 0; i < 1 + poll % 3; i++)
		FUTURE_WAKER_WAKE(&waker);
}

/* One that wakes itself in each poll is polled once in each run. */
static void
a_run_ends(void)
{
	struct future_monitor *m = new_monitor();
	struct probe p[2];

	for (int i = 0; i < 2; i++) {
		probe_init(&p[i], PROBE_WAKER);
		p[i].on_poll = wake_itself;
		p[i].done_at = 100;
		CHECK_INT(future_monitor_add(m, probe_future(&p[i]), &p[i]), 0);
	}
	for (int i = 2; i < 100; i++) {
		CHECK_INT(readable(m, 0), 1);
		run_in_vain(m);
		for (int j = 0; j < 2; j++)
			CHECK_INT(atomic_load(&p[j].polls), i);
	}
	CHECK(next_woken(m) == &p[0]);
	CHECK(next_woken(m) == &p[1]);
	run_in_vain(m);
	CHECK_INT(readable(m, 0), 0);
	future_monitor_delete(m);
	for (int i = 0; i < 2; i++)
		probe_fini(&p[i]);
}

/* In the order of the wakes, and readable to the end. */
static void
a_few_at_a_time(void)
{
	enum { N = 10 };
	struct future_monitor *m = new_monitor();
	struct probe p[N];
	void *done[4];

	for (int i = 0; i < N; i++) {
		probe_init(&p[i], PROBE_WAKER);
		CHECK_INT(future_monitor_add(m, probe_future(&p[i]), &p[i]), 0);
	}
	for (int i = 0; i < N; i++)
		probe_finish(&p[N - 1 - i]);
	/* without room for any, they are polled all the same, and kept */
	CHECK_INT(future_monitor_run(m, NULL, 0), 0);
	CHECK_INT(future_monitor_count(m), N);
	for (int i = 0; i < 4; i++) {
		CHECK_INT(FUTURE_STATE(&p[N - 1 - i].fut),
			FUTURE_STATE_COMPLETE);
		CHECK_INT(readable(m, 0), 1);
		CHECK(future_monitor_deadline(m) == 0);
		CHECK_INT(future_monitor_run(m, done, 1), 1);
		CHECK(done[0] == &p[N - 1 - i]);
		CHECK_INT(future_monitor_count(m), N - 1 - i);
	}
	/* complete and not returned: watched still */
	CHECK_INT(future_monitor_add(m, probe_future(&p[0]), NULL), EEXIST);
	CHECK_INT(future_monitor_remove(m, probe_future(&p[3])), 0);
	CHECK_INT(future_monitor_remove(m, probe_future(&p[3])), ENOENT);
	CHECK_INT(future_monitor_run(m, done, 4), 4);
	CHECK(done[0] == &p[5] && done[1] == &p[4]);
	CHECK(done[2] == &p[2] && done[3] == &p[1]);
	CHECK_INT(readable(m, 0), 1);
	CHECK_INT(future_monitor_run(m, done, 4), 1);
	CHECK(done[0] == &p[0]);
	CHECK_INT(readable(m, 0), 0);
	CHECK_INT(future_monitor_count(m), 0);
	future_monitor_delete(m);
	for (int i = 0; i < N; i++)
		probe_fini(&p[i]);
}

/* However many are woken, a call of run polls a limited number of them. */
static void
limited_and_fair(void)
{
	enum { N = 1000 };
	struct future_monitor *m = new_monitor();
	struct probe *p = t_malloc(N * sizeof(*p));
	int most = 0;
	int calls = 0;

	for (int i = 0; i < N; i++) {
		probe_init(&p[i], PROBE_WAKER);
		CHECK_INT(future_monitor_add(m, probe_future(&p[i]), NULL), 0);
	}
	for (int i = 0; i < N; i++)
		probe_wake(&p[i]);
	for (int polled = 0; polled < N; calls++) {
		int before = polled;

		CHECK_INT(readable(m, 0), 1);
		CHECK(before == 0 || future_monitor_deadline(m) == 0);
		run_in_vain(m);
		for (polled = 0; polled < N; polled++)
			if (atomic_load(&p[polled].polls) < 2)
				break;
		CHECK(polled > before);
		if (polled - before > most)
			most = polled - before;
		/* what has been polled gets behind what has not */
		probe_wake(&p[0]);
		for (int i = polled; i < N; i++)
			CHECK_INT(atomic_load(&p[i].polls), 1);
	}
	CHECK(most <= 200 && calls > 2);
	run_in_vain(m);
	CHECK_INT(atomic_load(&p[0].polls), 4);
	future_monitor_delete(m);
	for (int i = 0; i < N; i++)
		probe_fini(&p[i]);
	free(p);
}

static void
removed(void)
{
	struct future_monitor *m = new_monitor();
	struct future_waiter *w = new_waiter();
	struct probe p;

	for (int kind = PROBE_NONE; kind <= PROBE_POLLER; kind++) {
		probe_init(&p, (enum probe_kind)kind);
		CHECK_INT(future_monitor_add(m, probe_future(&p), &p), 0);
		CHECK_INT(future_monitor_remove(m, probe_future(&p)), 0);
		CHECK_INT(future_monitor_count(m), 0);
		CHECK(future_monitor_deadline(m) == FUTURE_WAITER_FOREVER);
		/* its task has the waker still */
		probe_wake(&p);
		run_in_vain(m);
		CHECK_INT(atomic_load(&p.polls), 1);
		CHECK_INT(readable(m, 0), 0);
		probe_finish(&p);
		wait_with(w, probe_future(&p));
		probe_fini(&p);
	}
	future_waiter_delete(w);
	future_monitor_delete(m);
}

/* Removed after it was woken; and its place is taken by another future. */
static void
removed_when_woken(void)
{
	struct future_monitor *m = new_monitor();
	struct probe p;

	for (int i = 0; i < 1000; i++) {
		probe_init(&p, PROBE_WAKER);
		CHECK_INT(future_monitor_add(m, probe_future(&p), &p.id), 0);
		probe_wake(&p);
		CHECK_INT(readable(m, 0), 1);
		CHECK_INT(future_monitor_remove(m, probe_future(&p)), 0);
		/* on the stack, or given back by run */
		if (i % 3 == 0)
			run_in_vain(m);
		CHECK_INT(future_monitor_add(m, probe_future(&p), &p), 0);
		if (i % 2 == 0)
			run_in_vain(m);
		CHECK_INT(atomic_load(&p.polls), 2);
		probe_finish(&p);
		CHECK(next_woken(m) == &p);
		CHECK_INT(atomic_load(&p.polls), 3);
		probe_fini(&p);
	}
	future_monitor_delete(m);
}

/* Popped, left over by a run for the next one, and removed then. */
static void
removed_from_what_is_left(void)
{
	enum { N = 600 };
	struct future_monitor *m = new_monitor();
	struct probe *p = t_malloc(N * sizeof(*p));
	int polls = 0;

	for (int i = 0; i < N; i++) {
		probe_init(&p[i], PROBE_WAKER);
		CHECK_INT(future_monitor_add(m, probe_future(&p[i]), &p[i]), 0);
	}
	for (int i = 0; i < N; i++)
		probe_wake(&p[i]);
	run_in_vain(m);
	CHECK_INT(atomic_load(&p[N - 1].polls), 1);
	for (int i = 1; i < N; i++)
		CHECK_INT(future_monitor_remove(m, probe_future(&p[i])), 0);
	for (int i = 1; i < N; i++) {
		probe_wake(&p[i]);
		polls += atomic_load(&p[i].polls);
	}
	run_in_vain(m);
	CHECK_INT(readable(m, 0), 0);
	for (int i = 1; i < N; i++) {
		polls -= atomic_load(&p[i].polls);
		CHECK_INT(future_monitor_add(m, probe_future(&p[i]), &p[i]), 0);
	}
	CHECK_INT(polls, 0);
	for (int i = N - 1; i >= 0; i--) {
		probe_finish(&p[i]);
		CHECK(next_woken(m) == &p[i]);
	}
	CHECK_INT(future_monitor_count(m), 0);
	future_monitor_delete(m);
	for (int i = 0; i < N; i++)
		probe_fini(&p[i]);
	free(p);
}

static void
deleted_while_watching(void)
{
	struct future_monitor *m = new_monitor();
	struct future_waiter *w = new_waiter();
	struct probe p[8];

	for (int i = 0; i < 8; i++) {
		probe_init(&p[i], (enum probe_kind)(i % 4));
		CHECK_INT(future_monitor_add(m, probe_future(&p[i]), NULL), 0);
	}
	for (int i = 1; i < 4; i++)
		probe_wake(&p[i]);
	future_monitor_delete(m);
	for (int i = 0; i < 8; i++) {
		CHECK_INT(FUTURE_STATE(&p[i].fut), FUTURE_STATE_RUNNING);
		CHECK_INT(atomic_load(&p[i].polls), 1);
		p[i].done_at = 2;
		wait_with(w, probe_future(&p[i]));
		probe_fini(&p[i]);
	}
	future_waiter_delete(w);
}

/* Two monitors and a waiter, one after the other. */
static void
moves_between_monitors(void)
{
	struct future_monitor *a = new_monitor();
	struct future_monitor *b = new_monitor();
	struct probe p;

	probe_init(&p, PROBE_WAKER);
	CHECK_INT(future_monitor_add(a, probe_future(&p), NULL), 0);
	CHECK_INT(future_monitor_remove(b, probe_future(&p)), ENOENT);
	CHECK_INT(future_monitor_remove(a, probe_future(&p)), 0);
	CHECK_INT(future_monitor_add(b, probe_future(&p), &p), 0);
	probe_finish(&p);
	CHECK_INT(readable(a, 0), 0);
	CHECK_INT(readable(b, 0), 1);
	CHECK(next_woken(b) == &p);
	future_monitor_delete(a);
	future_monitor_delete(b);
	probe_fini(&p);
}

T_MAIN(T_CASE(lives_and_dies), T_CASE(no_descriptor_leaks),
	T_CASE(bad_arguments), T_CASE(no_descriptors_left),
	T_CASE(complete_ones_are_not_watched), T_CASE(woken_and_returned),
	T_CASE(any_data), T_CASE(woken_in_vain), T_CASE(a_run_ends),
	T_CASE(a_few_at_a_time), T_CASE(limited_and_fair), T_CASE(removed),
	T_CASE(removed_when_woken), T_CASE(removed_from_what_is_left),
	T_CASE(deleted_while_watching), T_CASE(moves_between_monitors))
