/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_doze.c -- pauses between rounds where the processor knows umwait
 *
 * The instruction is emulated. Time is the test's own: a little passes with each
 * look at it, and as much as a test wants while the thread has stopped.
 */

#include "waitpkg.h"

#if defined(__x86_64__)

#include "doze.h"
#include "pace.h"
#include "probe.h"
#include "waiters.h"

#define LOOK 100 /* nanoseconds */

static uint64_t now_ns = 1000 * T_SECOND;

int __wrap_clock_gettime(clockid_t id, struct timespec *ts);
int
__wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	(void)id;
	now_ns += LOOK;
	ts->tv_sec = (time_t)(now_ns / T_SECOND);
	ts->tv_nsec = (long)(now_ns % T_SECOND);
	return 0;
}

static struct runtime *runtime;
static struct future_waiter *waiter;
static struct probe probes[2];
static struct future *futs[2];

static void
begin(enum probe_kind first, enum probe_kind second)
{
	runtime = new_runtime();
	waiter = new_waiter();
	probe_init(&probes[0], first);
	probe_init(&probes[1], second);
	futs[0] = probe_future(&probes[0]);
	futs[1] = probe_future(&probes[1]);
	waitpkg_reset();
}

static void
end(void)
{
	for (int i = 0; i < 2; i++)
		probe_fini(&probes[i]);
	future_waiter_delete(waiter);
	runtime_delete(runtime);
	waitpkg_reset();
}

static int
polls(int i)
{
	return atomic_load(&probes[i].polls);
}

static void
wait_for_one(void)
{
	runtime_wait(runtime, futs[0]);
}

/* What waits some more rounds, and whether it is to doze in between. */
static void
count_watches(void *arg)
{
	begin(PROBE_NONE, PROBE_NONE);
	probes[0].done_at = 2 * MA__BUSY_ROUNDS;
	wait_for_one();
	CHECK((waitpkg.watches != 0) == *(const bool *)arg);
	end();
}

static void
count_watches_without_the_feature(void *arg)
{
	CHECK(setenv("MINIASYNC_CPU_FEATURES", "-waitpkg", 1) == 0);
	count_watches(arg);
}

#ifndef MA_PORTABLE /* it does not look at the affinity */
static void
count_watches_on_one_processor(void *arg)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	CHECK(sched_setaffinity(0, sizeof(set), &set) == 0);
	count_watches(arg);
}
#endif

/* The library finds out once, hence children; before anything has waited. */
static void
where_it_dozes(void)
{
	bool does = true;
	bool does_not = false;

	CHECK_CHILD(count_watches_without_the_feature, &does_not, 30);
#ifndef MA_PORTABLE
	CHECK_CHILD(count_watches_on_one_processor, &does_not, 30);
#endif
	if (ma__waiters_cpus() == 1)
		t_skip("there is only one processor");
	CHECK_CHILD(count_watches, &does, 30);
}

static void
not_beside_busy_workers(void)
{
	bool does_not = false;

	atomic_fetch_add(&ma__workers_running, 1000000);
	count_watches(&does_not);
	atomic_fetch_sub(&ma__workers_running, 1000000);
}

static void
not_in_the_first_rounds(void)
{
	begin(PROBE_POLLER, PROBE_NONE);
	probes[0].done_at = MA__BUSY_ROUNDS + 1;
	wait_for_one();
	CHECK_INT(waitpkg.watches, 0);
	end();
}

static void
pass_a_microsecond(void)
{
	now_ns += MA__US;
}

/* By how much the poll comes after what it was polled for, at most. */
static uint64_t last_poll;
static uint64_t began;

static void
check_gap(struct probe *p, int poll, struct future_notifier *notifier)
{
	const uint64_t now = now_ns;

	(void)notifier;
	if (poll == 1)
		began = now;
	if (poll > MA__BUSY_ROUNDS + 2) {
		const uint64_t eighth = (last_poll - began) / 8;
		const uint64_t doze =
			eighth < MA__NAP_MIN ? eighth : MA__NAP_MIN;

		CHECK(now - last_poll + MA__US >= doze);
		CHECK(now - last_poll <= doze + 3 * MA__US);
	}
	last_poll = now;
	if (now - began >= 4 * MA__MS)
		atomic_store(&p->done, 1);
}

/* An eighth of what was waited in vain, and 50 us at most. */
static void
dozes_grow(void)
{
	begin(PROBE_NONE, PROBE_NONE);
	probes[0].on_poll = check_gap;
	waitpkg.on_stop = pass_a_microsecond;
	wait_for_one();
	CHECK(polls(0) < 300);
	CHECK_INT(waitpkg.writes, 0);
	end();
}

static int stopped_at; /* the number of polls, at the latest stop */

static void
complete_the_first(void)
{
	stopped_at = polls(0);
	pass_a_microsecond();
	if (waitpkg.stops == 5) {
		CHECK(waitpkg.at == (const volatile uint64_t *)&probes[0].word);
		probe_finish(&probes[0]);
	}
}

static void
a_word_ends_a_doze(void)
{
	begin(PROBE_POLLER, PROBE_NONE);
	waitpkg.on_stop = complete_the_first;
	wait_for_one();
	CHECK_INT(waitpkg.stops, 5);
	CHECK_INT(waitpkg.writes, 1);
	CHECK_INT(polls(0), stopped_at + 1);
	end();
}

/* The word changes as soon as the poll has looked. */
static void
change_the_word(struct probe *p, int poll, struct future_notifier *notifier)
{
	(void)notifier;
	if (poll == MA__BUSY_ROUNDS + 10)
		atomic_store(&p->word, 1);
	if (poll == MA__BUSY_ROUNDS + 11)
		atomic_store(&p->done, 1);
}

static void
not_between_these_polls(void)
{
	CHECK(polls(0) != MA__BUSY_ROUNDS + 10);
	now_ns += MA__NAP_MIN;
}

static void
a_change_before_the_doze_is_seen(void)
{
	begin(PROBE_POLLER, PROBE_NONE);
	probes[0].on_poll = change_the_word;
	waitpkg.on_stop = not_between_these_polls;
	wait_for_one();
	CHECK(waitpkg.stops > 1);
	end();
}

/* The word changes after it was looked at, before it is watched. */
static void
complete_before_the_watch(void)
{
	if (waitpkg.watches == 5)
		probe_finish(&probes[0]);
}

static void
count_polls_before_the_watch(void)
{
	CHECK(waitpkg.watches < 5);
	now_ns += MA__NAP_MIN;
}

static void
a_change_before_the_watch_is_seen(void)
{
	begin(PROBE_POLLER, PROBE_NONE);
	waitpkg.on_watch = complete_before_the_watch;
	waitpkg.on_stop = count_polls_before_the_watch;
	wait_for_one();
	CHECK_INT(waitpkg.watches, 5);
	end();
}

static void
wake_before_the_watch(void)
{
	if (waitpkg.watches == 5)
		probe_finish(&probes[1]);
}

static void
a_wake_before_the_watch_is_seen(void)
{
	begin(PROBE_NONE, PROBE_WAKER);
	waitpkg.on_watch = wake_before_the_watch;
	waitpkg.on_stop = count_polls_before_the_watch;
	CHECK_INT(future_waiter_wait(waiter, futs, 2, 1, FUTURE_WAITER_FOREVER,
			  0),
		0);
	CHECK_INT(waitpkg.watches, 5);
	end();
}

static void
wake_the_second(void)
{
	stopped_at = polls(0);
	pass_a_microsecond();
	CHECK(waitpkg.at != (const volatile uint64_t *)&probes[0].word);
	if (waitpkg.stops == 5)
		probe_finish(&probes[1]);
}

/* Whatever else there is to be polled. */
static void
a_wake_ends_a_doze(void)
{
	for (int kind = PROBE_NONE; kind <= PROBE_POLLER;
		kind += PROBE_POLLER) {
		begin((enum probe_kind)kind, PROBE_WAKER);
		waitpkg.on_stop = wake_the_second;
		CHECK_INT(future_waiter_wait(waiter, futs, 2, 1,
				  FUTURE_WAITER_FOREVER, 0),
			0);
		CHECK_INT(waitpkg.stops, 5);
		CHECK_INT(waitpkg.writes, 1);
		CHECK(polls(0) <= stopped_at + 1);
		end();
	}
}

/* Two words cannot be watched: it looks by itself often enough. */
static void
finish_both(void)
{
	pass_a_microsecond();
	for (int i = 0; i < 2; i++) {
		CHECK(waitpkg.at != (const volatile uint64_t *)&probes[i].word);
		if (waitpkg.stops == 5)
			probe_finish(&probes[i]);
	}
}

static void
several_words(void)
{
	begin(PROBE_POLLER, PROBE_POLLER);
	waitpkg.on_stop = finish_both;
	runtime_wait_multiple(runtime, futs, 2);
	CHECK(waitpkg.stops >= 5);
	end();
}

/* One is complete: the other's word is watched. */
static void
the_last_word(void)
{
	begin(PROBE_POLLER, PROBE_POLLER);
	probes[1].done_at = MA__BUSY_ROUNDS;
	waitpkg.on_stop = complete_the_first;
	runtime_wait_multiple(runtime, futs, 2);
	CHECK_INT(waitpkg.stops, 5);
	end();
}

/* The word of a poll is not looked at after one that announced none. */
static void
fall_silent(struct probe *p, int poll, struct future_notifier *notifier)
{
	if (poll >= MA__BUSY_ROUNDS + 10)
		notifier->notifier_used = FUTURE_NOTIFIER_NONE;
	if (poll == MA__BUSY_ROUNDS + 30)
		atomic_store(&p->done, 1);
}

static void
check_silence(void)
{
	const bool is_word =
		waitpkg.at == (const volatile uint64_t *)&probes[0].word;

	now_ns += 10 * MA__US;
	CHECK(is_word == (polls(0) < MA__BUSY_ROUNDS + 10));
}

static void
a_word_is_forgotten(void)
{
	begin(PROBE_POLLER, PROBE_NONE);
	probes[0].on_poll = fall_silent;
	waitpkg.on_stop = check_silence;
	wait_for_one();
	CHECK(waitpkg.stops >= 10);
	end();
}

static void
announce_nothing(struct probe *p, int poll, struct future_notifier *notifier)
{
	(void)p;
	(void)poll;
	notifier->poller.ptr_to_monitor = NULL;
}

static void
no_word_at_all(void)
{
	begin(PROBE_POLLER, PROBE_NONE);
	probes[0].done_at = 2 * MA__BUSY_ROUNDS;
	probes[0].on_poll = announce_nothing;
	waitpkg.on_stop = pass_a_microsecond;
	wait_for_one();
	CHECK(waitpkg.stops != 0);
	end();
}

/* Interrupts, and the system's limit: no poll comes of them. */
static void
stops_that_end_early(void)
{
	for (int kind = PROBE_NONE; kind <= PROBE_POLLER;
		kind += PROBE_POLLER) {
		begin((enum probe_kind)kind, PROBE_NONE);
		probes[0].done_at = 2 * MA__BUSY_ROUNDS;
		wait_for_one();
		CHECK(waitpkg.stops > 2 * MA__BUSY_ROUNDS);
		CHECK_INT(polls(0), 2 * MA__BUSY_ROUNDS);
		end();
	}
}

static void
not_beyond_the_deadline(void)
{
	for (int kind = PROBE_NONE; kind <= PROBE_POLLER;
		kind += PROBE_POLLER) {
		for (uint64_t us = 20; us < 3000; us = us * 5 / 4) {
			const uint64_t deadline = now_ns + us * MA__US;

			begin((enum probe_kind)kind, PROBE_NONE);
			waitpkg.on_stop = pass_a_microsecond;
			CHECK_INT(future_waiter_wait(waiter, futs, 1, 1,
					  deadline, 0),
				ETIMEDOUT);
			CHECK(now_ns >= deadline);
			CHECK(now_ns < deadline + 4 * MA__US);
			end();
		}
	}
}

static const struct t_case cases[] = {T_CASE(where_it_dozes),
	T_CASE(not_beside_busy_workers), T_CASE(not_in_the_first_rounds),
	T_CASE(dozes_grow), T_CASE(a_word_ends_a_doze),
	T_CASE(a_change_before_the_doze_is_seen),
	T_CASE(a_change_before_the_watch_is_seen),
	T_CASE(a_wake_before_the_watch_is_seen), T_CASE(a_wake_ends_a_doze),
	T_CASE(several_words), T_CASE(the_last_word),
	T_CASE(a_word_is_forgotten), T_CASE(no_word_at_all),
	T_CASE(stops_that_end_early), T_CASE(not_beyond_the_deadline)};

int
main(int argc, char *argv[])
{
	const char *why = waitpkg_start();

	if (why != NULL)
		t_skip(why);
	return t_run(cases, T_COUNT(cases), argc, argv);
}

#else

int
main(void)
{
	t_skip("only processors of x86-64 know umwait");
}

#endif
