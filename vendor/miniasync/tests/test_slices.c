/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_slices.c -- waits that go on where the one before ended in vain
 *
 * Counted in polls. Some time passes with each look at the clock, which is behind
 * the system's, so that no sleep lasts.
 */

#include "probe.h"
#include "ticking.h"

#define BUSY 64 /* rounds that every wait begins with, unless it goes on */

static struct future_waiter *waiter;
static struct probe probes[3];
static struct future *futs[3];

static void
begin(enum probe_kind kind)
{
	waiter = new_waiter();
	for (int i = 0; i < 3; i++) {
		probe_init(&probes[i], kind);
		futs[i] = probe_future(&probes[i]);
	}
}

static void
end(void)
{
	for (int i = 0; i < 3; i++)
		probe_fini(&probes[i]);
	future_waiter_delete(waiter);
}

/* Waits for the first n in vain, for so long; how often was the first polled? */
static int
slice(size_t n, uint64_t ns)
{
	const int before = atomic_load(&probes[0].polls);

	CHECK_INT(future_waiter_wait(waiter, futs, n, n, now_ns + ns, 0),
		ETIMEDOUT);
	return atomic_load(&probes[0].polls) - before;
}

static void
polls_stay_rare(void)
{
	for (size_t n = 1; n <= 3; n++) {
		begin(PROBE_NONE);
		CHECK(slice(n, 20 * T_MS) > BUSY);
		for (int i = 0; i < 20; i++)
			CHECK(slice(n, 20 * T_MS) < 8);
		/* as many as in one wait: one more in each, at most */
		CHECK(slice(n, 200 * T_MS) < 50);
		end();
	}
}

/* Short ones add up: it is no reason to stop polling early, either. */
static void
short_slices_add_up(void)
{
	int polls = 0;
	int late = 0;

	begin(PROBE_NONE);
	for (int i = 0; i < 200; i++) {
		const int n = slice(1, T_MS / 10);

		if (i < 40)
			polls += n;
		if (i >= 150)
			late += n;
	}
	CHECK(polls > 4 * BUSY);
	CHECK(late <= 50 * 3);
	end();
}

static void
the_end_is_seen(void)
{
	uint64_t since;

	begin(PROBE_NONE);
	for (int i = 0; i < 5; i++)
		slice(1, 20 * T_MS);
	atomic_store(&probes[0].done, 1);
	since = now_ns;
	wait_with(waiter, futs[0]);
	CHECK(now_ns - since < T_MS);
	end();
}

/* Those that announced a waker are looked at ever more rarely, too. */
static void
checks_stay_rare(void)
{
	int polls = 0;

	begin(PROBE_WAKER);
	for (int i = 0; i < 10; i++)
		polls += slice(1, 50 * T_MS);
	/* one in each slice, and after 4, 12, 28, 60, 124, 252 ms */
	CHECK(polls <= 10 + 1 + 6 + 2 * 10);
	end();
}

static void
other_futures_begin_anew(void)
{
	begin(PROBE_NONE);
	slice(1, 20 * T_MS);
	CHECK(slice(2, 20 * T_MS) > BUSY);
	CHECK(slice(1, 20 * T_MS) > BUSY);
	CHECK(slice(1, 20 * T_MS) < 8);

	/* another one in the same place */
	probe_fini(&probes[0]);
	probe_init(&probes[0], PROBE_NONE);
	CHECK(slice(1, 20 * T_MS) > BUSY);

	/* one of them is new */
	slice(3, 20 * T_MS);
	CHECK(slice(3, 20 * T_MS) < 8);
	probe_fini(&probes[2]);
	probe_init(&probes[2], PROBE_NONE);
	CHECK(slice(3, 20 * T_MS) > BUSY);

	/* another wait in between */
	slice(1, 20 * T_MS);
	atomic_store(&probes[2].done, 1);
	wait_with(waiter, futs[2]);
	CHECK(slice(1, 20 * T_MS) > BUSY);
	end();
}

static void
a_pause_begins_anew(void)
{
	begin(PROBE_NONE);
	slice(1, 20 * T_MS);
	now_ns += 90 * T_MS;
	CHECK(slice(1, 20 * T_MS) < 8);
	now_ns += 110 * T_MS;
	CHECK(slice(1, 20 * T_MS) > BUSY);
	end();
}

/* A completion makes polling worth its while again. */
static void
a_completion_begins_anew(void)
{
	int before;

	begin(PROBE_NONE);
	for (int i = 0; i < 3; i++)
		slice(2, 20 * T_MS);
	before = atomic_load(&probes[0].polls);
	atomic_store(&probes[1].done, 1);
	CHECK(slice(2, 20 * T_MS) > BUSY);
	CHECK(atomic_load(&probes[0].polls) > before);
	end();
}

T_MAIN(T_CASE(polls_stay_rare), T_CASE(short_slices_add_up),
	T_CASE(the_end_is_seen), T_CASE(checks_stay_rare),
	T_CASE(other_futures_begin_anew), T_CASE(a_pause_begins_anew),
	T_CASE(a_completion_begins_anew))
