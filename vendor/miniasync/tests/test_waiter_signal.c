/* SPDX-License-Identifier: BSD-3-Clause */
/* test_waiter_signal.c -- waits that a signal ends, and waits that go on */

#include "probe.h"

static atomic_int handled;
static atomic_int stop;

static void
on_signal(int sig)
{
	(void)sig;
	atomic_fetch_add(&handled, 1);
}

static void
install(int flags)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = on_signal;
	action.sa_flags = flags;
	sigemptyset(&action.sa_mask);
	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	atomic_store(&handled, 0);
	atomic_store(&stop, 0);
}

struct target {
	pthread_t thread;
	struct probe *probe;
	int finish_after; /* signals, 0: never */
};

/* Again and again, since a single one may come before the wait. */
static void *
send_signals(void *arg)
{
	struct target *t = arg;

	probe_await(t->probe, 1);
	while (!atomic_load(&stop)) {
		CHECK(pthread_kill(t->thread, SIGUSR1) == 0);
		t_pass_time(2 * T_MS);
		if (t->finish_after != 0 &&
			atomic_load(&handled) >= t->finish_after) {
			probe_finish(t->probe);
			break;
		}
	}
	return NULL;
}

/* Waits for one that only completes after so many signals, if at all. */
static int
wait_under_fire(enum probe_kind kind, int finish_after, uint64_t deadline,
	unsigned flags)
{
	struct future_waiter *w = new_waiter();
	struct probe p;
	struct future *futs[1];
	struct target target = {pthread_self(), &p, finish_after};
	pthread_t sender;
	int rc;

	probe_init(&p, kind);
	futs[0] = probe_future(&p);
	t_start(&sender, send_signals, &target);
	rc = future_waiter_wait(w, futs, 1, 1, deadline, flags);
	atomic_store(&stop, 1);
	t_join(sender);
	CHECK_INT(FUTURE_STATE(&p.fut),
		rc == 0 ? FUTURE_STATE_COMPLETE : FUTURE_STATE_RUNNING);
	if (rc != 0) {
		/* as usable as before */
		probe_finish(&p);
		CHECK_INT(future_waiter_wait(w, futs, 1, 1,
				  FUTURE_WAITER_FOREVER, flags),
			0);
	}
	future_waiter_delete(w);
	return rc;
}

static void
a_signal_ends_the_wait(void)
{
	for (int kind = PROBE_NONE; kind <= PROBE_POLLER; kind++) {
		install(0);
		CHECK_INT(wait_under_fire((enum probe_kind)kind, 0,
				  FUTURE_WAITER_FOREVER,
				  FUTURE_WAITER_F_INTERRUPTIBLE),
			EINTR);
		CHECK(atomic_load(&handled) >= 1);
		install(0);
		CHECK_INT(wait_under_fire((enum probe_kind)kind, 0,
				  t_now() + 3600 * T_SECOND,
				  FUTURE_WAITER_F_INTERRUPTIBLE),
			EINTR);
	}
}

/* A handler has run, also where system calls would be restarted. */
static void
also_with_restart(void)
{
	install(SA_RESTART);
	CHECK_INT(wait_under_fire(PROBE_WAKER, 0, FUTURE_WAITER_FOREVER,
			  FUTURE_WAITER_F_INTERRUPTIBLE),
		EINTR);
	install(SA_RESTART);
	CHECK_INT(wait_under_fire(PROBE_WAKER, 0, t_now() + 3600 * T_SECOND,
			  FUTURE_WAITER_F_INTERRUPTIBLE),
		EINTR);
}

static void
without_the_flag_it_goes_on(void)
{
	for (int kind = PROBE_NONE; kind <= PROBE_POLLER; kind++) {
		install(0);
		CHECK_INT(wait_under_fire((enum probe_kind)kind, 5,
				  FUTURE_WAITER_FOREVER, 0),
			0);
		CHECK(atomic_load(&handled) >= 5);
	}
	install(0);
	CHECK_INT(wait_under_fire(PROBE_WAKER, 0, t_now() + 30 * T_MS, 0),
		ETIMEDOUT);
}

/* A runtime promises to wait until the end. */
static void
a_runtime_goes_on(void)
{
	struct runtime *r = new_runtime();
	struct probe p;
	struct target target = {pthread_self(), &p, 5};
	pthread_t sender;

	install(0);
	probe_init(&p, PROBE_WAKER);
	t_start(&sender, send_signals, &target);
	runtime_wait(r, probe_future(&p));
	t_join(sender);
	CHECK(atomic_load(&handled) >= 5);
	CHECK_INT(FUTURE_STATE(&p.fut), FUTURE_STATE_COMPLETE);
	runtime_delete(r);
}

static void
the_system_tells_of_signals(void)
{
#ifdef MA_PORTABLE
	t_skip("waits on condition variables do not notice signals");
#endif
}

T_MAIN(T_CASE(the_system_tells_of_signals), T_CASE(a_signal_ends_the_wait),
	T_CASE(also_with_restart), T_CASE(without_the_flag_it_goes_on),
	T_CASE(a_runtime_goes_on))
