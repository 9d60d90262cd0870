/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_clock.c -- row 12: no wait looks at a clock that somebody can set
 *
 * The wall clock of this program is far in the future, and reading it is
 * counted. A wait on the wall clock could not be written without reading it.
 */

#include "probe.h"

#include <sys/syscall.h>
#include <sys/time.h>

static atomic_int wall_reads;

int
clock_gettime(clockid_t clock, struct timespec *ts)
{
	long rc = syscall(SYS_clock_gettime, clock, ts);

	if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ||
		clock == CLOCK_TAI) {
		atomic_fetch_add(&wall_reads, 1);
		ts->tv_sec += 1000000;
	}
	return (int)rc;
}

int
timespec_get(struct timespec *ts, int base)
{
	clock_gettime(CLOCK_REALTIME, ts);
	return base;
}

time_t
time(time_t *at)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (at != NULL)
		*at = ts.tv_sec;
	return ts.tv_sec;
}

static void *
finish_later(void *arg)
{
	struct probe *p = arg;

	for (int i = 0; i < 2; i++)
		probe_await(&p[i], 1);
	t_pass_time(30 * T_MS);
	for (int i = 0; i < 2; i++)
		probe_finish(&p[i]);
	return NULL;
}

static void
runtime_waits(void)
{
	struct runtime *r = new_runtime();
	struct probe p[2];
	struct future *futs[2];
	pthread_t other;

	for (int i = 0; i < 2; i++) {
		probe_init(&p[i], (enum probe_kind)i);
		futs[i] = probe_future(&p[i]);
	}
	t_start(&other, finish_later, p);
	runtime_wait_multiple(r, futs, 2);
	t_join(other);
	CHECK_INT(atomic_load(&wall_reads), 0);
	runtime_delete(r);
}

static void
waiter_waits(void)
{
	struct future_waiter *w = new_waiter();
	struct probe p;
	struct future *futs[1];

	probe_init(&p, PROBE_WAKER);
	futs[0] = probe_future(&p);
	CHECK_INT(future_waiter_wait(w, futs, 1, 1, t_now() + 20 * T_MS, 0),
		ETIMEDOUT);
	CHECK_INT(atomic_load(&wall_reads), 0);
	future_waiter_delete(w);
}

static void
movers_work(void)
{
	struct data_mover_threads *m = new_queueing_mover(2);
	struct runtime *r = new_runtime();
	char buf[64];

	for (int i = 0; i < 100; i++) {
		struct vdm_operation_future f = vdm_memset(
			data_mover_threads_get_vdm(m), buf, i, sizeof(buf), 0);

		runtime_wait(r, FUTURE_AS_RUNNABLE(&f));
		CHECK_INT(buf[63], i);
	}
	CHECK_INT(atomic_load(&wall_reads), 0);
	runtime_delete(r);
	data_mover_threads_delete(m);
}

/* Without this the rest would prove nothing. */
static void
reading_is_seen(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	CHECK(time(NULL) > 0);
	CHECK_INT(atomic_load(&wall_reads), 2);
}

T_MAIN(T_CASE(runtime_waits), T_CASE(waiter_waits), T_CASE(movers_work),
	T_CASE(reading_is_seen))
