/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_doze_rate.c -- how long the processor is told to stop
 *
 * The instruction is emulated, and time is the test's own, as in test_doze.c. The
 * cycles that the library counts are the processor's.
 */

#include "waitpkg.h"

#if defined(__x86_64__)

#include "clock.h"
#include "doze.h"

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

/* Cycles that ma__doze() asks for, where it is to stop for a tenth of a second. */
static uint64_t passed;

static void
pass_time(void)
{
	now_ns += passed;
}

static uint64_t
asked_for(uint64_t ns)
{
	static uint64_t word;
	const uint64_t now = ma__now();
	uint64_t ended;

	passed = ns;
	waitpkg.on_stop = pass_time;
	ma__doze_watch(&word);
	ended = ma__doze(now, now + 100 * MA__MS);
	CHECK_INT(ended, now_ns);
	CHECK(waitpkg.until > waitpkg.now);
	return waitpkg.until - waitpkg.now;
}

/*
 * The rate of the cycles is learnt, and never taken for higher than it was. An
 * emulated stop takes thousands of cycles.
 */
static void
the_rate_is_learnt(void)
{
	const uint64_t least = 50 * MA__MS; /* half a gigahertz */
	/* For a stop of some microseconds, or of many milliseconds on a machine
	 * that is busy with other things. */
	const uint64_t slow = T_SECOND;
	uint64_t asked;
	uint64_t more;

	waitpkg_reset();
	/* too short to be measured, and too slow to be believed */
	for (int i = 0; i < 3; i++) {
		asked = asked_for(i == 0 ? 0 : slow);
		CHECK(asked <= least);
		CHECK(asked >= least - least / 10);
	}
	(void)asked_for(MA__US - LOOK);
	asked = asked_for(slow);
	CHECK(asked > least);
	(void)asked_for(MA__US / 2);
	more = asked_for(slow);
	CHECK(more >= asked - asked / 10);
	CHECK(more <= asked + asked / 10);
}

static void
nothing_watched(void)
{
	const uint64_t now = ma__now();

	waitpkg_reset();
	CHECK(ma__doze_can());
	CHECK(ma__doze(now, now + MA__MS) < now + MA__US);
	CHECK_INT(waitpkg.stops, 0);
}

int
main(int argc, char *argv[])
{
	/* In this order: what is learnt stays. */
	static const struct t_case cases[] = {
		T_CASE(the_rate_is_learnt), T_CASE(nothing_watched)};
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
