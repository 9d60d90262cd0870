/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_waiter.c -- future_waiter_wait: deadlines, some of several, arguments
 *
 * Signals and the operations of the threads mover: test_waiter_signal.c and
 * test_waiter_threads.c.
 */

#include "probe.h"

static void
init_all(struct probe *p, struct future **futs, int n, enum probe_kind kind)
{
	for (int i = 0; i < n; i++) {
		probe_init(&p[i], kind);
		futs[i] = probe_future(&p[i]);
	}
}

static void
lives_and_dies(void)
{
	future_waiter_delete(NULL);
	for (int i = 0; i < 100; i++)
		future_waiter_delete(new_waiter());
}

static void
waits_for_all(void)
{
	struct future_waiter *w = new_waiter();
	struct probe p[3];
	struct future *futs[3];

	init_all(p, futs, 3, PROBE_NONE);
	for (int i = 0; i < 3; i++)
		p[i].done_at = 1 + 10 * i;
	CHECK_INT(future_waiter_wait(w, futs, 3, 3, FUTURE_WAITER_FOREVER, 0),
		0);
	for (int i = 0; i < 3; i++) {
		CHECK_INT(FUTURE_STATE(&p[i].fut), FUTURE_STATE_COMPLETE);
		CHECK_INT(atomic_load(&p[i].polls), 1 + 10 * i);
		CHECK(futs[i] == probe_future(&p[i]));
	}
	/* again: nothing left to do, however late it is */
	CHECK_INT(future_waiter_wait(w, futs, 3, 3, 0, 0), 0);
	CHECK_INT(atomic_load(&p[0].polls), 1);
	future_waiter_delete(w);
}

/* A deadline in the past: a poll for everybody, or a second look, no more. */
static void
too_late_polls_nevertheless(void)
{
	static const uint64_t deadlines[] = {0, 1};
	int before;

	for (int kind = PROBE_NONE; kind <= PROBE_POLLER; kind++) {
		struct future_waiter *w = new_waiter();
		struct probe p[5];
		struct future *futs[5];

		init_all(p, futs, 5, (enum probe_kind)kind);
		p[4].done_at = 1;
		for (int i = 0; i < 2; i++) {
			before = atomic_load(&p[0].polls);
			CHECK_INT(future_waiter_wait(w, futs, 5, 5,
					  deadlines[i], 0),
				ETIMEDOUT);
			for (int j = 0; j < 4; j++) {
				CHECK(atomic_load(&p[j].polls) > before);
				CHECK(atomic_load(&p[j].polls) <= before + 2);
				CHECK_INT(FUTURE_STATE(&p[j].fut),
					FUTURE_STATE_RUNNING);
			}
			CHECK_INT(atomic_load(&p[4].polls), 1);
		}
		/* enough complete: on time, although it is late */
		CHECK_INT(future_waiter_wait(w, futs, 5, 1, 0, 0), 0);
		for (int j = 0; j < 4; j++)
			atomic_store(&p[j].done, 1);
		CHECK_INT(future_waiter_wait(w, futs, 5, 5, 0, 0), 0);
		future_waiter_delete(w);
	}
}

static void
not_before_the_deadline(void)
{
	for (int kind = PROBE_NONE; kind <= PROBE_POLLER; kind++) {
		struct future_waiter *w = new_waiter();
		struct probe p[3];
		struct future *futs[3];

		init_all(p, futs, 3, (enum probe_kind)kind);
		p[1].done_at = 1;
		for (uint64_t ms = 1; ms <= 64; ms *= 8) {
			uint64_t deadline = t_now() + ms * T_MS;

			CHECK_INT(future_waiter_wait(w, futs, 3, 2, deadline,
					  0),
				ETIMEDOUT);
			CHECK(t_now() >= deadline);
		}
		future_waiter_delete(w);
	}
}

static void *
finish_once_polled(void *arg)
{
	struct probe *p = arg;

	probe_await(p, 1);
	probe_finish(p);
	return NULL;
}

/* A wait that ran out of time leaves futures that can be waited for again. */
static void
goes_on_after_a_timeout(void)
{
	struct future_waiter *w = new_waiter();
	struct probe p[3];
	struct future *futs[3];
	pthread_t other[3];

	init_all(p, futs, 3, PROBE_WAKER);
	for (int i = 0; i < 3; i++)
		CHECK_INT(future_waiter_wait(w, futs, 3, 3, t_now() + T_MS, 0),
			ETIMEDOUT);
	/* a wake between two waits */
	probe_wake(&p[0]);
	for (int i = 0; i < 3; i++)
		t_start(&other[i], finish_once_polled, &p[i]);
	CHECK_INT(future_waiter_wait(w, futs, 3, 3, FUTURE_WAITER_FOREVER, 0),
		0);
	for (int i = 0; i < 3; i++) {
		t_join(other[i]);
		CHECK_INT(FUTURE_STATE(&p[i].fut), FUTURE_STATE_COMPLETE);
	}
	future_waiter_delete(w);
}

static void
some_of_several(void)
{
	struct future_waiter *w = new_waiter();
	struct probe p[5];
	struct future *futs[5];
	pthread_t other;
	int complete = 0;

	for (int kind = PROBE_NONE; kind <= PROBE_WAKER; kind++) {
		init_all(p, futs, 5, (enum probe_kind)kind);
		t_start(&other, finish_once_polled, &p[3]);
		CHECK_INT(future_waiter_wait(w, futs, 5, 1,
				  FUTURE_WAITER_FOREVER, 0),
			0);
		t_join(other);
		CHECK_INT(FUTURE_STATE(&p[3].fut), FUTURE_STATE_COMPLETE);
		for (int i = 0; i < 5; i++)
			CHECK(atomic_load(&p[i].polls) >= 1);
		/* a complete one counts; another is wanted */
		t_start(&other, finish_once_polled, &p[0]);
		CHECK_INT(future_waiter_wait(w, futs, 5, 2,
				  FUTURE_WAITER_FOREVER, 0),
			0);
		t_join(other);
		complete = 0;
		for (int i = 0; i < 5; i++)
			complete += FUTURE_STATE(&p[i].fut) ==
				FUTURE_STATE_COMPLETE;
		CHECK_INT(complete, 2);
		/* the rest is as usable as before */
		for (int i = 0; i < 5; i++)
			probe_finish(&p[i]);
		CHECK_INT(future_waiter_wait(w, futs, 5, 5,
				  FUTURE_WAITER_FOREVER, 0),
			0);
	}
	future_waiter_delete(w);
}

static void
none_wanted(void)
{
	struct future_waiter *w = new_waiter();
	struct probe p[2];
	struct future *futs[2];

	init_all(p, futs, 2, PROBE_WAKER);
	CHECK_INT(future_waiter_wait(w, futs, 2, 0, FUTURE_WAITER_FOREVER, 0),
		0);
	CHECK_INT(future_waiter_wait(w, futs, 2, 0, 0, 0), 0);
	CHECK_INT(future_waiter_wait(w, futs, 0, 0, FUTURE_WAITER_FOREVER, 0),
		0);
	CHECK_INT(future_waiter_wait(w, NULL, 0, 0, 0,
			  FUTURE_WAITER_F_INTERRUPTIBLE),
		0);
	future_waiter_delete(w);
}

static void
complete_ones_count(void)
{
	struct future_waiter *w = new_waiter();
	struct probe_future done[2];
	struct probe p[2];
	struct future *futs[4];

	init_all(p, futs, 2, PROBE_NONE);
	for (int i = 0; i < 2; i++) {
		/* neither a task nor a property function */
		FUTURE_INIT_COMPLETE(&done[i]);
		futs[2 + i] = FUTURE_AS_RUNNABLE(&done[i]);
	}
	CHECK_INT(future_waiter_wait(w, futs + 2, 2, 2, 0, 0), 0);
	CHECK_INT(future_waiter_wait(w, futs, 4, 2, 0, 0), 0);
	CHECK_INT(future_waiter_wait(w, futs, 4, 3, 0, 0), ETIMEDOUT);
	p[1].done_at = atomic_load(&p[1].polls) + 5;
	CHECK_INT(future_waiter_wait(w, futs, 4, 3, FUTURE_WAITER_FOREVER, 0),
		0);
	CHECK_INT(atomic_load(&p[1].polls), p[1].done_at);
	future_waiter_delete(w);
}

static void
duplicates_count_twice(void)
{
	struct future_waiter *w = new_waiter();

	for (int kind = PROBE_NONE; kind <= PROBE_WAKER; kind++) {
		struct probe p[2];
		struct future *futs[4];
		pthread_t other;

		init_all(p, futs, 2, (enum probe_kind)kind);
		futs[2] = futs[0];
		futs[3] = futs[1];
		t_start(&other, finish_once_polled, &p[0]);
		CHECK_INT(future_waiter_wait(w, futs, 4, 2,
				  FUTURE_WAITER_FOREVER, 0),
			0);
		t_join(other);
		CHECK_INT(FUTURE_STATE(&p[0].fut), FUTURE_STATE_COMPLETE);
		CHECK_INT(FUTURE_STATE(&p[1].fut), FUTURE_STATE_RUNNING);
		CHECK_INT(future_waiter_wait(w, futs, 4, 3, 0, 0), ETIMEDOUT);
		t_start(&other, finish_once_polled, &p[1]);
		CHECK_INT(future_waiter_wait(w, futs, 4, 4,
				  FUTURE_WAITER_FOREVER, 0),
			0);
		t_join(other);
	}
	future_waiter_delete(w);
}

/* Complete at its second poll, by its second place: both places count. */
static void
duplicates_count_twice_at_once(void)
{
	struct future_waiter *w = new_waiter();

	for (int kind = PROBE_NONE; kind <= PROBE_POLLER; kind++) {
		for (int n = 2; n <= 5; n++) {
			struct probe p;
			struct future *futs[5];

			probe_init(&p, (enum probe_kind)kind);
			p.done_at = n;
			for (int i = 0; i < n; i++)
				futs[i] = probe_future(&p);
			CHECK_INT(future_waiter_wait(w, futs, (size_t)n,
					  (size_t)n, 0, 0),
				0);
			CHECK_INT(atomic_load(&p.polls), n);
		}
	}
	future_waiter_delete(w);
}

static void
bad_arguments(void)
{
	struct future_waiter *w = new_waiter();
	struct probe p[2];
	struct future *futs[2];

	init_all(p, futs, 2, PROBE_NONE);
	for (int i = 0; i < 2; i++)
		p[i].done_at = 1;
	CHECK_INT(future_waiter_wait(NULL, futs, 2, 2, 0, 0), EINVAL);
	CHECK_INT(future_waiter_wait(w, NULL, 2, 2, 0, 0), EINVAL);
	CHECK_INT(future_waiter_wait(w, NULL, 2, 0, 0, 0), EINVAL);
	CHECK_INT(future_waiter_wait(w, futs, 2, 3, 0, 0), EINVAL);
	CHECK_INT(future_waiter_wait(w, futs, 0, 1, 0, 0), EINVAL);
	CHECK_INT(future_waiter_wait(w, futs, 2, SIZE_MAX, 0, 0), EINVAL);
	for (unsigned bit = 1; bit < 32; bit++)
		CHECK_INT(future_waiter_wait(w, futs, 2, 2, 0, 1U << bit),
			EINVAL);
	CHECK_INT(future_waiter_wait(w, futs, 2, 2, 0,
			  ~FUTURE_WAITER_F_VALID_FLAGS),
		EINVAL);
	for (int i = 0; i < 2; i++)
		CHECK_INT(atomic_load(&p[i].polls), 0);
	CHECK_INT(future_waiter_wait(w, futs, 2, 2, 0,
			  FUTURE_WAITER_F_INTERRUPTIBLE),
		0);
	future_waiter_delete(w);
}

static void *
wait_a_lot(void *arg)
{
	struct future_waiter *w = arg;

	for (int round = 0; round < 60; round++) {
		struct probe p[4];
		struct future *futs[4];
		pthread_t other[2];
		uint64_t deadline = FUTURE_WAITER_FOREVER;
		int rc;

		init_all(p, futs, 4, PROBE_WAKER);
		p[0].done_at = 1;
		atomic_store(&p[1].done, 1);
		t_start(&other[0], finish_once_polled, &p[2]);
		t_start(&other[1], finish_once_polled, &p[3]);
		if (round % 2 == 0)
			deadline = t_now() + T_MS / 10;
		do {
			rc = future_waiter_wait(w, futs, 4, 4, deadline, 0);
			deadline = FUTURE_WAITER_FOREVER;
		} while (rc == ETIMEDOUT);
		CHECK_INT(rc, 0);
		for (int i = 0; i < 2; i++)
			t_join(other[i]);
		for (int i = 0; i < 4; i++) {
			CHECK_INT(FUTURE_STATE(&p[i].fut),
				FUTURE_STATE_COMPLETE);
			probe_fini(&p[i]);
		}
	}
	return NULL;
}

static void
one_waiter_for_several_threads(void)
{
	struct future_waiter *w = new_waiter();
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		t_start(&threads[i], wait_a_lot, w);
	for (int i = 0; i < 4; i++)
		t_join(threads[i]);
	future_waiter_delete(w);
}

static void *
wake_both(void *arg)
{
	struct probe *p = arg;

	for (int i = 2; i < 100; i++) {
		probe_await(p, i);
		probe_wake(p);
	}
	probe_finish(p);
	return NULL;
}

/* Waited for by one waiter, then by another: the latter is the one woken. */
static void
moves_between_waiters(void)
{
	struct future_waiter *first = new_waiter();
	struct future_waiter *second = new_waiter();
	struct probe p;
	struct future *futs[1];
	pthread_t other;

	probe_init(&p, PROBE_WAKER);
	futs[0] = probe_future(&p);
	CHECK_INT(future_waiter_wait(first, futs, 1, 1, 0, 0), ETIMEDOUT);
	t_start(&other, wake_both, &p);
	CHECK_INT(future_waiter_wait(second, futs, 1, 1, FUTURE_WAITER_FOREVER,
			  0),
		0);
	t_join(other);
	/* by 99 wakes, not by a safety net that saves the day */
	CHECK(atomic_load(&p.polls) < 300);
	future_waiter_delete(first);
	future_waiter_delete(second);
}

T_MAIN(T_CASE(lives_and_dies), T_CASE(waits_for_all),
	T_CASE(too_late_polls_nevertheless), T_CASE(not_before_the_deadline),
	T_CASE(goes_on_after_a_timeout), T_CASE(some_of_several),
	T_CASE(none_wanted), T_CASE(complete_ones_count),
	T_CASE(duplicates_count_twice), T_CASE(duplicates_count_twice_at_once),
	T_CASE(bad_arguments), T_CASE(one_waiter_for_several_threads),
	T_CASE(moves_between_waiters))
