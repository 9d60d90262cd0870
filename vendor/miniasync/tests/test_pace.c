/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_pace.c -- row 8: what an idle wait costs, counted in polls
 *
 * Processor time is looked at only where the bound is generous.
 */

#include "probe.h"

#include <sys/resource.h>

static uint64_t
cpu_time(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * T_SECOND + (uint64_t)ts.tv_nsec;
}

enum { IDLERS = 64 };

static void *
finish_all_later(void *arg)
{
	struct probe *p = arg;

	for (int i = 0; i < IDLERS; i++)
		probe_await(&p[i], 1);
	t_pass_time(600 * T_MS);
	for (int i = 0; i < IDLERS; i++)
		probe_finish(&p[i]);
	return NULL;
}

/* Row 8, for futures with a waker: almost no polls, almost no CPU time. */
static void
idle_wakers_cost_nothing(void)
{
	static const enum probe_kind kinds[] = {PROBE_WAKER, PROBE_WAKER_ONCE};

	for (size_t k = 0; k < T_COUNT(kinds); k++) {
		struct runtime *r = new_runtime();
		struct probe p[IDLERS];
		struct future *futs[IDLERS];
		pthread_t other;
		uint64_t cpu;

		for (int i = 0; i < IDLERS; i++) {
			probe_init(&p[i], kinds[k]);
			futs[i] = probe_future(&p[i]);
		}
		t_start(&other, finish_all_later, p);
		cpu = cpu_time();
		runtime_wait_multiple(r, futs, IDLERS);
		cpu = cpu_time() - cpu;
		t_join(other);
		for (int i = 0; i < IDLERS; i++) {
			/* a rare look by the safety net is welcome */
			CHECK(atomic_load(&p[i].polls) <= 20);
			probe_fini(&p[i]);
		}
		/* 0.5 % is promised, of 600 ms; this is 10 % */
		if (!T_SLOW)
			CHECK(cpu < 60 * T_MS);
		runtime_delete(r);
	}
}

struct stamps {
	uint64_t at[4096];
	int n;
	uint64_t end;
};

static void
stamp(struct probe *p, int poll, struct future_notifier *notifier)
{
	struct stamps *s = p->arg;
	uint64_t now = t_now();

	(void)poll;
	(void)notifier;
	if (s->end == 0)
		s->end = now + 600 * T_MS;
	s->at[s->n++ % (int)T_COUNT(s->at)] = now;
	if (now >= s->end)
		atomic_store(&p->done, 1);
}

/* Row 8, for futures without: polled ever more rarely, to every 5 ms. */
static void
idle_others_are_polled_ever_more_rarely(void)
{
	struct runtime *r = new_runtime();
	struct stamps *s = t_malloc(sizeof(*s));
	struct probe p;
	int late = 0;
	uint64_t now;

	memset(s, 0, sizeof(*s));
	probe_init(&p, PROBE_NONE);
	p.on_poll = stamp;
	p.arg = s;
	runtime_wait(r, probe_future(&p));
	now = t_now();
	/* in the last 400 ms: 80 at 5 ms each */
	for (int i = 0; i < (int)T_COUNT(s->at) && i < s->n; i++)
		late += s->at[i] + 400 * T_MS >= now;
	CHECK(late <= 160);
	CHECK(late >= 20);
	CHECK(s->n > 64);
	free(s);
	runtime_delete(r);
}

/* Rounds are what counts, and time: either alone is not enough to sleep. */
static void
slow_poll(struct probe *p, int poll, struct future_notifier *notifier)
{
	uint64_t until = t_now() + T_MS / 4;

	(void)p;
	(void)poll;
	(void)notifier;
	while (t_now() < until)
		;
}

static void
done_after_3_ms(struct probe *p, int poll, struct future_notifier *notifier)
{
	struct stamps *s = p->arg;

	(void)notifier;
	if (poll == 1)
		s->end = t_now() + 3 * T_MS;
	if (t_now() >= s->end)
		atomic_store(&p->done, 1);
}

/* How often the thread sleeps in a wait for a probe that announces nothing. */
static long
sleeps(struct runtime *r, int done_at,
	void (*on_poll)(struct probe *, int, struct future_notifier *))
{
	struct rusage before, after;
	struct stamps s;
	struct probe p;

	probe_init(&p, PROBE_NONE);
	p.done_at = done_at;
	p.on_poll = on_poll;
	p.arg = &s;
	CHECK(getrusage(RUSAGE_THREAD, &before) == 0);
	runtime_wait(r, probe_future(&p));
	CHECK(getrusage(RUSAGE_THREAD, &after) == 0);
	probe_fini(&p);
	return after.ru_nvcsw - before.ru_nvcsw;
}

/* The machine may be busy: of each kind, one wait without a sleep is proof. */
static void
no_sleep_at_first(void)
{
	struct runtime *r = new_runtime();
	int left = 7;

	for (int i = 0; i < 50 && left != 0; i++) {
		if (sleeps(r, 64, NULL) == 0)
			left &= ~1;
		if (sleeps(r, 0, done_after_3_ms) == 0)
			left &= ~2;
		if (sleeps(r, 64, slow_poll) == 0)
			left &= ~4;
	}
	CHECK_INT(left, 0);
	runtime_delete(r);
}

T_MAIN(T_CASE(idle_wakers_cost_nothing),
	T_CASE(idle_others_are_polled_ever_more_rarely),
	T_CASE(no_sleep_at_first))
