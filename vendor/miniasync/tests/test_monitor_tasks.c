/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_monitor_tasks.c -- tasks that use the monitor that polls them
 *
 * The clock stands still, so only what is woken or has no waker is polled.
 */

#include "frozen.h"
#include "probe.h"
#include "watching.h"

#define MOST 40

static struct future_monitor *monitor;
static struct probe probes[MOST];

static void
setup(enum probe_kind kind)
{
	monitor = new_monitor();
	for (int i = 0; i < MOST; i++) {
		probe_init(&probes[i], kind);
		probes[i].id = i;
	}
}

static void
teardown(void)
{
	future_monitor_delete(monitor);
	for (int i = 0; i < MOST; i++)
		probe_fini(&probes[i]);
}

static int
add(int i)
{
	return future_monitor_add(monitor, probe_future(&probes[i]),
		&probes[i]);
}

static int
drop(int i)
{
	return future_monitor_remove(monitor, probe_future(&probes[i]));
}

/* Adds the next one, which does the same. */
static void
add_next(struct probe *p, int poll, struct future_notifier *notifier)
{
	(void)notifier;
	if (poll == 1 && p->id + 1 < MOST) {
		CHECK_INT(add(p->id + 1), 0);
		CHECK_INT(add(p->id + 1), EEXIST);
	}
}

static void
adding_from_within_add(void)
{
	setup(PROBE_WAKER);
	for (int i = 0; i < MOST; i++)
		probes[i].on_poll = add_next;
	CHECK_INT(add(0), 0);
	CHECK_INT(future_monitor_count(monitor), MOST);
	for (int i = MOST - 1; i >= 0; i--) {
		CHECK_INT(atomic_load(&probes[i].polls), 1);
		probe_finish(&probes[i]);
		CHECK(next_woken(monitor) == &probes[i]);
	}
	teardown();
}

static void
add_all_others(struct probe *p, int poll, struct future_notifier *notifier)
{
	(void)notifier;
	for (int i = 0; poll == 2 && i < MOST; i++)
		CHECK_INT(add(i), i == p->id ? EEXIST : 0);
}

/* The table and the memory grow under the feet of run. */
static void
adding_from_within_run(void)
{
	for (int kind = PROBE_NONE; kind <= PROBE_WAKER; kind++) {
		setup((enum probe_kind)kind);
		probes[7].on_poll = add_all_others;
		CHECK_INT(add(7), 0);
		probe_wake(&probes[7]);
		run_in_vain(monitor);
		CHECK_INT(future_monitor_count(monitor), MOST);
		for (int i = 0; i < MOST; i++) {
			/* new ones without a waker in the next round only */
			CHECK_INT(atomic_load(&probes[i].polls),
				i == 7 ? 2 : 1);
			probe_finish(&probes[i]);
		}
		for (int i = 0; i < MOST; i++) {
			struct probe *p = next_woken(monitor);

			CHECK_INT(FUTURE_STATE(&p->fut), FUTURE_STATE_COMPLETE);
			CHECK_INT(drop(p->id), ENOENT);
		}
		CHECK_INT(future_monitor_count(monitor), 0);
		teardown();
	}
}

static void
wake_and_add(struct probe *p, int poll, struct future_notifier *notifier)
{
	struct future_waker waker = notifier->waker;

	(void)p;
	if (poll > 2)
		return;
	FUTURE_WAKER_WAKE(&waker);
	for (int i = 1; i < MOST; i++)
		CHECK_INT(add(i), poll == 1 ? 0 : EEXIST);
}

/* A wake from within a poll counts, though memory is looked for after it. */
static void
woken_before_adding(void)
{
	setup(PROBE_WAKER);
	probes[0].on_poll = wake_and_add;
	CHECK_INT(add(0), 0);
	for (int i = 2; i < 4; i++) {
		CHECK_INT(readable(monitor, 0), 1);
		run_in_vain(monitor);
		CHECK_INT(atomic_load(&probes[0].polls), i);
	}
	CHECK_INT(readable(monitor, 0), 0);
	teardown();
}

/* Complete ones, those that are woken, and those that are left alone. */
static void
remove_all_others(struct probe *p, int poll, struct future_notifier *notifier)
{
	(void)notifier;
	for (int i = 0; poll == 2 && i < MOST; i++)
		CHECK_INT(drop(i), i == p->id ? EBUSY : 0);
}

static void
removing_from_within_run(void)
{
	for (int kind = PROBE_NONE; kind <= PROBE_WAKER; kind++) {
		setup((enum probe_kind)kind);
		/* in the middle of what is polled */
		probes[20].on_poll = remove_all_others;
		for (int i = 0; i < MOST; i++)
			CHECK_INT(add(i), 0);
		for (int i = 0; i < MOST; i++) {
			atomic_store(&probes[i].done, i % 5 == 1);
			if (i % 3 != 2 || i == 20)
				probe_wake(&probes[i]);
		}
		run_in_vain(monitor);
		CHECK_INT(future_monitor_count(monitor), 1);
		for (int i = 21; i < MOST; i++)
			CHECK_INT(atomic_load(&probes[i].polls), 1);
		/* all of them can be watched again */
		for (int i = 0; i < MOST; i++) {
			const int complete = FUTURE_STATE(&probes[i].fut) ==
				FUTURE_STATE_COMPLETE;

			if (i == 20)
				CHECK_INT(add(i), EEXIST);
			else
				CHECK_INT(add(i),
					complete || i % 5 == 1 ? EALREADY : 0);
		}
		for (int i = 0; i < MOST; i++)
			probe_finish(&probes[i]);
		while (future_monitor_count(monitor) > 0)
			CHECK(next_woken(monitor) != NULL);
		teardown();
	}
}

static int inside;

static void
look_around(struct probe *p, int poll, struct future_notifier *notifier)
{
	void *done[MOST];

	(void)notifier;
	CHECK_INT(drop(p->id), EBUSY);
	CHECK_INT(add(p->id), EEXIST);
	CHECK_INT(future_monitor_count(monitor), 2);
	CHECK(future_monitor_fd(monitor) >= 0);
	(void)future_monitor_deadline(monitor);
	if (poll == 1)
		return;
	/* number 1 is complete and not polled yet, and its wake is not lost */
	probe_finish(&probes[1]);
	CHECK_INT(future_monitor_run(monitor, done, MOST), 0);
	CHECK_INT(readable(monitor, 0), 1);
	CHECK_INT(atomic_load(&probes[1].polls), 1);
	inside++;
}

static void
asking_from_within(void)
{
	setup(PROBE_WAKER);
	probes[0].on_poll = look_around;
	CHECK_INT(add(1), 0);
	CHECK_INT(add(0), 0);
	probe_wake(&probes[0]);
	run_in_vain(monitor);
	CHECK_INT(inside, 1);
	CHECK(next_woken(monitor) == &probes[1]);
	teardown();
}

/* A task that does not add, remove or complete itself, but others in a row. */
static void
replace_the_next(struct probe *p, int poll, struct future_notifier *notifier)
{
	(void)notifier;
	if (poll != 2 || p->id + 1 >= MOST)
		return;
	CHECK_INT(drop(p->id + 1), 0);
	CHECK_INT(add(p->id + 1), 0);
	probe_wake(&probes[p->id + 1]);
}

static void
replacing_from_within_run(void)
{
	setup(PROBE_WAKER);
	for (int i = 0; i < MOST; i += 2)
		probes[i].on_poll = replace_the_next;
	for (int i = 0; i < MOST; i++)
		CHECK_INT(add(i), 0);
	for (int i = 0; i < MOST; i++)
		probe_wake(&probes[i]);
	run_in_vain(monitor);
	for (int i = 0; i < MOST; i++)
		CHECK_INT(atomic_load(&probes[i].polls), 2);
	CHECK_INT(readable(monitor, 0), 1);
	run_in_vain(monitor);
	for (int i = 0; i < MOST; i++)
		CHECK_INT(atomic_load(&probes[i].polls), i % 2 == 0 ? 2 : 3);
	for (int i = 0; i < MOST; i++) {
		probe_finish(&probes[i]);
		CHECK(next_woken(monitor) == &probes[i]);
	}
	teardown();
}

static void
wait_inside(struct probe *p, int poll, struct future_notifier *notifier)
{
	struct probe other;
	struct future_waiter *w = new_waiter();

	(void)p;
	(void)poll;
	(void)notifier;
	probe_init(&other, PROBE_NONE);
	other.done_at = 3;
	wait_with(w, probe_future(&other));
	probe_fini(&other);
	future_waiter_delete(w);
}

static void
waiting_from_within(void)
{
	setup(PROBE_WAKER);
	probes[0].on_poll = wait_inside;
	CHECK_INT(add(0), 0);
	probe_finish(&probes[0]);
	CHECK(next_woken(monitor) == &probes[0]);
	teardown();
}

T_MAIN(T_CASE(adding_from_within_add), T_CASE(adding_from_within_run),
	T_CASE(woken_before_adding), T_CASE(removing_from_within_run),
	T_CASE(asking_from_within), T_CASE(replacing_from_within_run),
	T_CASE(waiting_from_within))
