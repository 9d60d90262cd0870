/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_park.c -- a token is neither lost nor doubled, and sleeping ends
 *
 * Built twice where the system has both kinds of parks: with the library's and,
 * as park_posix, with the portable one.
 */

#include "t.h"

#include "clock.h"
#include "park.h"

static struct ma__park park;

static void
new_park(void)
{
	CHECK_INT(ma__park_init(&park), 0);
}

static void
wake_before_wait(void)
{
	new_park();
	for (int i = 0; i < 1000; i++) {
		ma__park_wake(&park);
		CHECK_INT(ma__park_wait(&park, MA__NEVER), 0);
	}
	ma__park_fini(&park);
}

static void
many_wakes_are_one_token(void)
{
	new_park();
	for (int i = 0; i < 10; i++)
		ma__park_wake(&park);
	CHECK_INT(ma__park_wait(&park, MA__NEVER), 0);
	CHECK_INT(ma__park_wait(&park, t_now() + T_MS), ETIMEDOUT);
	/* and none is left over from the time-out */
	CHECK_INT(ma__park_wait(&park, t_now() + T_MS), ETIMEDOUT);
	ma__park_wake(&park);
	CHECK_INT(ma__park_wait(&park, MA__NEVER), 0);
	ma__park_fini(&park);
}

static void
deadlines(void)
{
	static const uint64_t lengths[] = {1, 999, 2 * T_MS, 30 * T_MS};

	new_park();
	for (size_t i = 0; i < T_COUNT(lengths); i++) {
		const uint64_t until = t_now() + lengths[i];

		CHECK_INT(ma__park_wait(&park, until), ETIMEDOUT);
		CHECK(t_now() >= until);
	}
	/* in the past, from the beginning of time on */
	CHECK_INT(ma__park_wait(&park, 0), ETIMEDOUT);
	CHECK_INT(ma__park_wait(&park, 1), ETIMEDOUT);
	CHECK_INT(ma__park_wait(&park, t_now() - T_MS), ETIMEDOUT);
	/* a token is taken although it is late */
	ma__park_wake(&park);
	CHECK_INT(ma__park_wait(&park, 0), 0);
	CHECK_INT(ma__park_wait(&park, 0), ETIMEDOUT);
	ma__park_fini(&park);
}

#define TURNS 2000

/* Written by one side before its wake, read by the other after its wait. */
static long turn;
static struct ma__park other_park;

static void *
answer(void *arg)
{
	(void)arg;
	for (long i = 0; i < TURNS; i++) {
		CHECK_INT(ma__park_wait(&park, MA__NEVER), 0);
		CHECK_INT(turn, 2 * i + 1);
		turn++;
		ma__park_wake(&other_park);
	}
	return NULL;
}

/* Two threads that wake each other in turn: a lost wake would hang. */
static void
ping_pong(void)
{
	pthread_t thread;

	new_park();
	CHECK_INT(ma__park_init(&other_park), 0);
	turn = 0;
	t_start(&thread, answer, NULL);
	for (long i = 0; i < TURNS; i++) {
		turn++;
		ma__park_wake(&park);
		CHECK_INT(ma__park_wait(&other_park, MA__NEVER), 0);
		CHECK_INT(turn, 2 * i + 2);
	}
	t_join(thread);
	ma__park_fini(&park);
	ma__park_fini(&other_park);
}

static atomic_int rc_of_sleeper = -1;
static atomic_int handled;

static void
on_signal(int sig)
{
	(void)sig;
	atomic_fetch_add(&handled, 1);
}

static void *
sleep_for_ever(void *arg)
{
	(void)arg;
	atomic_store(&rc_of_sleeper, ma__park_wait(&park, MA__NEVER));
	return NULL;
}

/*
 * Handlers run in the sleeping thread, some before it sleeps: those it cannot
 * tell. Where the system tells, one ends the sleep, also if its handler is to
 * restart system calls.
 */
static void
signals(void)
{
	static const int flags[] = {0, SA_RESTART};
	struct sigaction action;
	pthread_t thread;

	new_park();
	memset(&action, 0, sizeof(action));
	action.sa_handler = on_signal;
	for (size_t i = 0; i < T_COUNT(flags); i++) {
		action.sa_flags = flags[i];
		CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
		atomic_store(&rc_of_sleeper, -1);
		atomic_store(&handled, 0);
		t_start(&thread, sleep_for_ever, NULL);
#ifdef MA_PARK_POSIX
		while (atomic_load(&handled) < 100) {
			CHECK(pthread_kill(thread, SIGUSR1) == 0);
			sched_yield();
		}
		ma__park_wake(&park);
		t_join(thread);
		CHECK_INT(rc_of_sleeper, 0);
#else
		while (atomic_load(&rc_of_sleeper) == -1) {
			CHECK(pthread_kill(thread, SIGUSR1) == 0);
			sched_yield();
		}
		t_join(thread);
		CHECK_INT(rc_of_sleeper, EINTR);
#endif
		/* the park is as good as new */
		CHECK_INT(ma__park_wait(&park, 0), ETIMEDOUT);
		ma__park_wake(&park);
		CHECK_INT(ma__park_wait(&park, MA__NEVER), 0);
	}
	signal(SIGUSR1, SIG_DFL);
	ma__park_fini(&park);
}

static void
use_after_fork(void *arg)
{
	(void)arg;
	ma__park_renew(&park);
	/* whoever slept here may have left what looks like one token */
	(void)ma__park_wait(&park, t_now() + T_MS);
	CHECK_INT(ma__park_wait(&park, t_now() + T_MS), ETIMEDOUT);
	ma__park_wake(&park);
	CHECK_INT(ma__park_wait(&park, MA__NEVER), 0);
	/* a second time it is the child's own, and keeps its token */
	ma__park_wake(&park);
	ma__park_renew(&park);
	CHECK_INT(ma__park_wait(&park, 0), 0);
	ma__park_fini(&park);
}

static void
end_after_fork(void *arg)
{
	(void)arg;
	ma__park_fini(&park);
}

/* The child has the park, but not the thread that sleeps there. */
static void
forks(void)
{
	pthread_t thread;

	new_park();
	atomic_store(&rc_of_sleeper, -1);
	t_start(&thread, sleep_for_ever, NULL);
	for (int i = 0; i < 5; i++) {
		CHECK_CHILD(use_after_fork, NULL, 10);
		CHECK_CHILD(end_after_fork, NULL, 10);
	}
	ma__park_wake(&park);
	t_join(thread);
	CHECK_INT(rc_of_sleeper, 0);
	/* nothing is renewed where nothing was forked */
	ma__park_wake(&park);
	ma__park_renew(&park);
	CHECK_INT(ma__park_wait(&park, 0), 0);
	ma__park_fini(&park);
}

T_MAIN(T_CASE(wake_before_wait), T_CASE(many_wakes_are_one_token),
	T_CASE(deadlines), T_CASE(ping_pong), T_CASE(signals), T_CASE(forks))
