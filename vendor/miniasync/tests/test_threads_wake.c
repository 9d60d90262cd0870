/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_threads_wake.c -- the notifiers of the threads mover
 *
 * The waker contract: called before COMPLETE can be seen by another thread,
 * never after it was seen, at least once after each poll that said RUNNING, and
 * always the one of the latest poll. Wakers that poll, start, free and dawdle:
 * test_threads_waker.c.
 */

#include "gated.h"

static void
announces_what_was_desired(void)
{
	for (int type = 0; type <= FUTURE_NOTIFIER_POLLER; type++) {
		struct data_mover_threads *m =
			gated_new(1, (enum future_notifier_type)type);
		struct counting by;
		_Atomic uint64_t *word;
		struct copy c;

		counting_init(&by);
		copy_init(&c, data_mover_threads_get_vdm(m), 1);
		for (int i = 0; i < 3; i++) {
			by.notifier.notifier_used = FUTURE_NOTIFIER_NONE;
			by.notifier.poller.ptr_to_monitor = NULL;
			CHECK_INT(copy_poll(&c, &by.notifier),
				FUTURE_STATE_RUNNING);
			CHECK_INT(by.notifier.notifier_used, type);
		}
		t_pass(&gate_entered);
		word = (_Atomic uint64_t *)by.notifier.poller.ptr_to_monitor;
		if (type == FUTURE_NOTIFIER_POLLER) {
			CHECK(word != NULL);
			CHECK_INT(atomic_load(word), 0);
			t_open(&gate);
			while (atomic_load(word) == 0)
				sched_yield();
			CHECK_INT(atomic_load(word), 1);
			/* once it has changed nothing else will tell */
			CHECK_INT(copy_poll(&c, &by.notifier),
				FUTURE_STATE_COMPLETE);
		} else if (type == FUTURE_NOTIFIER_WAKER) {
			t_open(&gate);
			copy_await(&c, &by);
			CHECK(atomic_load(&by.calls) >= 1);
		} else {
			t_open(&gate);
			while (copy_poll(&c, &by.notifier) !=
				FUTURE_STATE_COMPLETE)
				sched_yield();
		}
		copy_check(&c);
		data_mover_threads_delete(m);
		if (type != FUTURE_NOTIFIER_WAKER)
			CHECK_INT(atomic_load(&by.calls), 0);
	}
}

/* Row 21. The worker is in the middle of the operation all the while. */
static void
the_latest_waker_is_called(void)
{
	struct data_mover_threads *m = gated_new(1, FUTURE_NOTIFIER_WAKER);
	struct counting by[4];
	struct copy c;

	for (int i = 0; i < 4; i++)
		counting_init(&by[i]);
	copy_init(&c, data_mover_threads_get_vdm(m), 1);
	CHECK_INT(copy_poll(&c, &by[0].notifier), FUTURE_STATE_RUNNING);
	t_pass(&gate_entered);
	CHECK_INT(copy_poll(&c, &by[1].notifier), FUTURE_STATE_RUNNING);
	CHECK_INT(copy_poll(&c, NULL), FUTURE_STATE_RUNNING);
	CHECK_INT(copy_poll(&c, &by[2].notifier), FUTURE_STATE_RUNNING);
	CHECK_INT(copy_poll(&c, &by[3].notifier), FUTURE_STATE_RUNNING);
	t_open(&gate);
	t_pass(&by[3].called);
	copy_await(&c, &by[3]);
	copy_check(&c);
	data_mover_threads_delete(m);
	for (int i = 0; i < 3; i++)
		CHECK_INT(atomic_load(&by[i].calls), 0);
}

static void
null_disarms(void)
{
	struct data_mover_threads *m = gated_new(1, FUTURE_NOTIFIER_WAKER);
	struct counting by;
	struct copy c;

	counting_init(&by);
	copy_init(&c, data_mover_threads_get_vdm(m), 1);
	CHECK_INT(copy_poll(&c, &by.notifier), FUTURE_STATE_RUNNING);
	t_pass(&gate_entered);
	CHECK_INT(copy_poll(&c, NULL), FUTURE_STATE_RUNNING);
	/* the notifier's memory is the caller's again */
	memset(&by.notifier, 0xff, sizeof(by.notifier));
	t_open(&gate);
	poll_out(copy_future(&c));
	copy_check(&c);
	data_mover_threads_delete(m);
	CHECK_INT(atomic_load(&by.calls), 0);
}

/* A waker that stays inside until it is let out, or only the first time. */
struct slow {
	struct future_notifier notifier;
	int once;
	atomic_int calls;
	sem_t inside;
	sem_t leave;
};

static void
slow_wake(void *data)
{
	struct slow *s = data;

	if (atomic_fetch_add(&s->calls, 1) > 0 && s->once)
		return;
	t_open(&s->inside);
	t_pass(&s->leave);
}

/* A copy whose worker is inside the waker. */
static struct data_mover_threads *
into_the_waker(struct copy *c, struct slow *s, int once)
{
	struct data_mover_threads *m = gated_new(1, FUTURE_NOTIFIER_WAKER);

	memset(s, 0, sizeof(*s));
	s->once = once;
	s->notifier.waker.data = s;
	s->notifier.waker.wake = slow_wake;
	CHECK(sem_init(&s->inside, 0, 0) == 0);
	CHECK(sem_init(&s->leave, 0, 0) == 0);
	copy_init(c, data_mover_threads_get_vdm(m), 1);
	CHECK_INT(copy_poll(c, &s->notifier), FUTURE_STATE_RUNNING);
	t_open(&gate);
	t_pass(&s->inside);
	return m;
}

/* The only worker is in the second copy at the gate: it has left the first. */
static void
leave_the_first(struct data_mover_threads *m, struct copy *c, struct slow *s)
{
	CHECK_INT(copy_poll(&c[0], &s->notifier), FUTURE_STATE_COMPLETE);
	t_open(&gate);
	poll_out(copy_future(&c[1]));
	for (int i = 0; i < 2; i++)
		copy_check(&c[i]);
	data_mover_threads_delete(m);
}

/* Polls in there neither block nor see COMPLETE, and are not forgotten. */
static void
polled_during_the_wake(void)
{
	for (int polls = 0; polls < 10; polls++) {
		struct slow s;
		struct copy c[2];
		struct data_mover_threads *m = into_the_waker(&c[0], &s, 0);

		t_pass(&gate_entered);
		copy_init(&c[1], data_mover_threads_get_vdm(m), 2);
		CHECK_INT(copy_poll(&c[1], NULL), FUTURE_STATE_RUNNING);
		for (int i = 0; i < polls; i++)
			CHECK_INT(copy_poll(&c[0], &s.notifier),
				FUTURE_STATE_RUNNING);
		CHECK_INT(atomic_load(&s.calls), 1);
		t_open(&s.leave);
		if (polls > 0) {
			/* RUNNING was the answer, so there is another call */
			t_pass(&s.inside);
			t_open(&s.leave);
		}
		t_pass(&gate_entered);
		leave_the_first(m, c, &s);
		CHECK_INT(atomic_load(&s.calls), polls > 0 ? 2 : 1);
	}
}

static void
replaced_during_the_wake(void)
{
	for (int disarm = 0; disarm <= 1; disarm++) {
		struct slow s;
		struct copy c;
		struct counting by;
		struct data_mover_threads *m = into_the_waker(&c, &s, 1);

		counting_init(&by);
		CHECK_INT(copy_poll(&c, disarm ? NULL : &by.notifier),
			FUTURE_STATE_RUNNING);
		t_open(&s.leave);
		/* NONE would mean that nobody will call: poll again */
		if (!disarm &&
			by.notifier.notifier_used == FUTURE_NOTIFIER_WAKER) {
			t_pass(&by.called);
			copy_await(&c, &by);
		} else {
			poll_out(copy_future(&c));
		}
		copy_check(&c);
		data_mover_threads_delete(m);
		/* the earlier waker is called no longer */
		CHECK_INT(atomic_load(&s.calls), 1);
	}
}

T_MAIN(T_CASE(announces_what_was_desired), T_CASE(the_latest_waker_is_called),
	T_CASE(null_disarms), T_CASE(polled_during_the_wake),
	T_CASE(replaced_during_the_wake))
