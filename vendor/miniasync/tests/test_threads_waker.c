/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_threads_waker.c -- what a waker of the threads mover may do, and when it
 * is called
 */

#include "gated.h"

/* Its waker polls it in the worker's thread, and frees it all. */
struct owned {
	struct copy c;
	struct future_notifier notifier;
};

static sem_t owned_freed;

static void
poll_and_free(void *data)
{
	struct owned *o = data;

	CHECK_INT(copy_poll(&o->c, NULL), FUTURE_STATE_COMPLETE);
	copy_check(&o->c);
	memset(o, 0xff, sizeof(*o));
	free(o);
	t_open(&owned_freed);
}

static void
the_waker_polls_and_frees(void)
{
	struct data_mover_threads *m = gated_new(2, FUTURE_NOTIFIER_WAKER);

	CHECK(sem_init(&owned_freed, 0, 0) == 0);
	for (int i = 0; i < 200; i++) {
		struct owned *o = t_malloc(sizeof(*o));

		memset(&o->notifier, 0, sizeof(o->notifier));
		o->notifier.waker.data = o;
		o->notifier.waker.wake = poll_and_free;
		copy_init(&o->c, data_mover_threads_get_vdm(m), (uint64_t)i);
		/* the gate keeps the two polls apart */
		CHECK_INT(copy_poll(&o->c, &o->notifier), FUTURE_STATE_RUNNING);
		t_open(&gate);
		t_pass(&owned_freed);
	}
	data_mover_threads_delete(m);
	CHECK_INT(atomic_load(&gate_calls), 200);
}

/* A waker that starts the next copy, so that each is begun by a worker. */
struct relay {
	struct copy c[100];
	struct future_notifier notifier;
	struct vdm *vdm;
	int at;
	sem_t finished;
};

static void
relay_wake(void *data)
{
	struct relay *r = data;

	CHECK_INT(copy_poll(&r->c[r->at], NULL), FUTURE_STATE_COMPLETE);
	if (++r->at == (int)T_COUNT(r->c)) {
		t_open(&r->finished);
		return;
	}
	copy_init(&r->c[r->at], r->vdm, (uint64_t)r->at);
	CHECK_INT(copy_poll(&r->c[r->at], &r->notifier), FUTURE_STATE_RUNNING);
}

static void
the_waker_starts_another(void)
{
	/* one worker: the next copy cannot run before the waker is left */
	struct data_mover_threads *m = gated_new(1, FUTURE_NOTIFIER_WAKER);
	struct relay *r = t_malloc(sizeof(*r));

	memset(r, 0, sizeof(*r));
	r->notifier.waker.data = r;
	r->notifier.waker.wake = relay_wake;
	r->vdm = data_mover_threads_get_vdm(m);
	CHECK(sem_init(&r->finished, 0, 0) == 0);
	copy_init(&r->c[0], r->vdm, 0);
	CHECK_INT(copy_poll(&r->c[0], &r->notifier), FUTURE_STATE_RUNNING);
	for (size_t i = 0; i < T_COUNT(r->c); i++)
		t_open(&gate);
	t_pass(&r->finished);
	data_mover_threads_delete(m);
	for (size_t i = 0; i < T_COUNT(r->c); i++)
		copy_check(&r->c[i]);
	free(r);
}

/* Its life ends when COMPLETE was seen; a wake after that is a crime. */
struct mortal {
	atomic_int dead;
	int scribble; /* not atomic: a race would be one on this */
};

static void
mortal_wake(void *data)
{
	struct mortal *m = data;

	CHECK(!atomic_load(&m->dead));
	m->scribble++;
	CHECK(!atomic_load(&m->dead));
}

static void
never_called_after_completion(void)
{
	enum { N = 20000 };
	struct data_mover_threads *m = new_queueing_mover(2);
	struct mortal *mortals = calloc(N, sizeof(*mortals));

	CHECK(mortals != NULL);
	for (int i = 0; i < N; i++) {
		struct future_notifier n;
		struct copy c;
		int polls = 0;

		memset(&n, 0, sizeof(n));
		n.waker.data = &mortals[i];
		n.waker.wake = mortal_wake;
		copy_init(&c, data_mover_threads_get_vdm(m), (uint64_t)i);
		while (copy_poll(&c, &n) != FUTURE_STATE_COMPLETE) {
			if (++polls % 64 == 0)
				sched_yield();
		}
		atomic_store(&mortals[i].dead, 1);
		mortals[i].scribble = -1;
		copy_check(&c);
	}
	data_mover_threads_delete(m);
	for (int i = 0; i < N; i++)
		CHECK_INT(mortals[i].scribble, -1);
	free(mortals);
}

/* Sleeping between the polls: a lost wake would hang. */
static void
sleep_until_woken(int operations)
{
	struct data_mover_threads *m = new_queueing_mover(2);

	for (int i = 0; i < operations; i++) {
		struct counting by;
		struct copy c;

		counting_init(&by);
		copy_init(&c, data_mover_threads_get_vdm(m), (uint64_t)i);
		copy_await(&c, &by);
		copy_check(&c);
		sem_destroy(&by.called);
	}
	data_mover_threads_delete(m);
}

static void
no_wake_is_lost(void)
{
	sleep_until_woken(20000);
}

/* Who is woken takes the processor from the waker before it has returned. */
static void
no_wake_is_lost_on_one_processor(void)
{
	cpu_set_t all, one;
	int cpu = 0;

	CHECK(sched_getaffinity(0, sizeof(all), &all) == 0);
	while (!CPU_ISSET(cpu, &all))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
	sleep_until_woken(5000);
	CHECK(sched_setaffinity(0, sizeof(all), &all) == 0);
}

/* A waker that tells first and then has other things to do. */
struct chatty {
	struct future_notifier notifier;
	atomic_int calls;
	sem_t called;
};

static void
chatty_wake(void *data)
{
	struct chatty *c = data;
	uint64_t until;

	atomic_fetch_add(&c->calls, 1);
	t_open(&c->called);
	until = t_now() + T_MS / 3;
	while (t_now() < until)
		future_cpu_pause();
}

/* Who polls when told always comes too early: that must end, too. */
static void
told_before_the_waker_returns(void)
{
	struct data_mover_threads *m = new_queueing_mover(1);

	for (int i = 0; i < 100; i++) {
		struct chatty by;
		struct copy c;

		memset(&by, 0, sizeof(by));
		by.notifier.waker.data = &by;
		by.notifier.waker.wake = chatty_wake;
		CHECK(sem_init(&by.called, 0, 0) == 0);
		copy_init(&c, data_mover_threads_get_vdm(m), (uint64_t)i);
		while (copy_poll(&c, &by.notifier) != FUTURE_STATE_COMPLETE)
			t_pass(&by.called);
		copy_check(&c);
		CHECK(atomic_load(&by.calls) <= 100);
		sem_destroy(&by.called);
	}
	data_mover_threads_delete(m);
}

T_MAIN(T_CASE(the_waker_polls_and_frees), T_CASE(the_waker_starts_another),
	T_CASE(never_called_after_completion), T_CASE(no_wake_is_lost),
	T_CASE(no_wake_is_lost_on_one_processor),
	T_CASE(told_before_the_waker_returns))
