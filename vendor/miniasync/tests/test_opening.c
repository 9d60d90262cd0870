/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_opening.c -- the first poll of a lone future, before the wait is set up
 *
 * A wake that is lost is made up for by the poll of all after 4 ms. So time is
 * counted: some passes with each look at the clock, which is behind the system's,
 * so that no sleep lasts.
 */

#include "probe.h"
#include "ticking.h"

#include <stdbool.h>

#include "clock.h"
#include "waiters.h"

#define AT_ONCE (T_MS / 2)

static struct runtime *runtime;

static void
wait_at_once(struct probe *p)
{
	const uint64_t since = now_ns;

	runtime_wait(runtime, probe_future(p));
	CHECK(now_ns - since < AT_ONCE);
}

static void
wake_first(struct probe *p, int poll, struct future_notifier *notifier)
{
	(void)notifier;
	if (poll == 1)
		probe_wake(p->arg);
}

/* The wake is on the stack before the wait has a list that it could be for. */
static void
woken_in_the_opening(void)
{
	runtime = new_runtime();
	for (int i = 0; i < 3; i++) {
		struct probe p;

		probe_init(&p, PROBE_WAKER);
		p.done_at = 2;
		p.on_poll = wake_first;
		p.arg = &p;
		wait_at_once(&p);
		CHECK_INT(atomic_load(&p.polls), 2);
		probe_fini(&p);
	}
	runtime_delete(runtime);
}

/* The same, of a task that says nothing later: it is polled from then on. */
static void
woken_in_the_opening_and_silent(void)
{
	struct probe p;

	runtime = new_runtime();
	probe_init(&p, PROBE_WAKER_ONCE);
	p.done_at = 20;
	p.on_poll = wake_first;
	p.arg = &p;
	wait_at_once(&p);
	CHECK_INT(atomic_load(&p.polls), 20);
	probe_fini(&p);
	runtime_delete(runtime);
}

/*
 * The waker of a future that is complete is called once more: before a wait begins
 * (`late`), or in its opening. It stands for the cell that this wait is to use.
 */
static void
check_late_wake(bool late)
{
	struct probe old;
	struct probe p;

	runtime = new_runtime();
	probe_init(&old, PROBE_WAKER);
	old.done_at = 1;
	wait_at_once(&old);
	if (late)
		probe_wake(&old);

	probe_init(&p, PROBE_WAKER);
	p.done_at = 2;
	p.on_poll = wake_first;
	p.arg = late ? &p : &old;
	wait_at_once(&p);
	CHECK_INT(atomic_load(&p.polls), 2);
	probe_fini(&p);

	/* And what comes after it is as if nothing had been. */
	probe_init(&p, PROBE_WAKER);
	p.done_at = 2;
	p.on_poll = wake_first;
	p.arg = &p;
	wait_at_once(&p);
	CHECK_INT(atomic_load(&p.polls), 2);
	probe_fini(&p);
	probe_fini(&old);
	runtime_delete(runtime);
}

static void
late_wakes(void)
{
	check_late_wake(true);
	check_late_wake(false);
}

/* A cell that is never going to be on the stack, as after a fork, is not used. */
static void
not_with_a_lost_cell(void)
{
	struct ma__waiters waiters;
	const uint64_t since = now_ns;
	struct probe p;
	struct future *fut = probe_future(&p);

	CHECK_INT(ma__waiters_init(&waiters), 0);
	atomic_store(&atomic_load(&waiters.first)->own[0].flags,
		MA__CELL_READY);
	probe_init(&p, PROBE_WAKER);
	p.done_at = 2;
	p.on_poll = wake_first;
	p.arg = &p;
	CHECK_INT(ma__wait(&waiters, &fut, 1, 1, MA__NEVER, false), 0);
	CHECK(now_ns - since < AT_ONCE);
	probe_fini(&p);
	ma__waiters_fini(&waiters);
}

/* Without a wake the opening is a poll like others: it is not repeated at once. */
static void
not_woken(void)
{
	const uint64_t since = now_ns;
	struct probe p;

	runtime = new_runtime();
	probe_init(&p, PROBE_WAKER);
	p.done_at = 2;
	runtime_wait(runtime, probe_future(&p));
	CHECK(now_ns - since >= 4 * T_MS);
	CHECK_INT(atomic_load(&p.polls), 2);
	probe_fini(&p);
	runtime_delete(runtime);
}

/* It is the one poll of a wait whose deadline is past. */
static void
once(void)
{
	struct future_waiter *const waiter = new_waiter();
	struct probe p;
	struct future *fut = probe_future(&p);

	probe_init(&p, PROBE_WAKER);
	for (int polls = 1; polls <= 3; polls++) {
		CHECK_INT(future_waiter_wait(waiter, &fut, 1, 1, 0, 0),
			ETIMEDOUT);
		CHECK_INT(atomic_load(&p.polls), polls);
	}
	probe_fini(&p);
	future_waiter_delete(waiter);
}

static void
wait_for_another(struct probe *p, int poll, struct future_notifier *notifier)
{
	(void)notifier;
	if (poll == 1)
		wait_at_once(p->arg);
	probe_wake(p);
}

/* A wait in the opening of another one has a cell of its own. */
static void
one_in_the_other(void)
{
	struct probe inner;
	struct probe outer;

	runtime = new_runtime();
	probe_init(&inner, PROBE_WAKER);
	inner.done_at = 2;
	inner.on_poll = wake_first;
	inner.arg = &inner;
	probe_init(&outer, PROBE_WAKER);
	outer.done_at = 3;
	outer.on_poll = wait_for_another;
	outer.arg = &inner;
	wait_at_once(&outer);
	CHECK_INT(atomic_load(&inner.polls), 2);
	CHECK_INT(atomic_load(&outer.polls), 3);
	probe_fini(&inner);
	probe_fini(&outer);
	runtime_delete(runtime);
}

T_MAIN(T_CASE(woken_in_the_opening), T_CASE(woken_in_the_opening_and_silent),
	T_CASE(late_wakes), T_CASE(not_with_a_lost_cell), T_CASE(not_woken),
	T_CASE(once), T_CASE(one_in_the_other))
