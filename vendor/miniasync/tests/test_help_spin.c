/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_help_spin.c -- a wait that looks for a wake, and its deadline
 *
 * The only piece of what it waits for is being executed, so a wake is near and it
 * looks longer. The worker meets a page that is not there, and stays. Time is the
 * test's own: a microsecond passes with each look at it.
 */

#include "helpers.h"

#include <sys/mman.h>

static atomic_uint_least64_t now_us;

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);
int
__wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	const uint64_t us = atomic_fetch_add(&now_us, 1);

	(void)clock;
	ts->tv_sec = (time_t)(us / 1000000);
	ts->tv_nsec = (long)(us % 1000000 * 1000);
	return 0;
}

enum { N = 65536 };

static unsigned char *missing;
static sem_t at_missing;
static sem_t provide;

static void
on_segv(int sig)
{
	(void)sig;
	t_open(&at_missing);
	t_pass(&provide);
	CHECK(mprotect(missing, N, PROT_READ | PROT_WRITE) == 0);
}

static void
not_beyond_the_deadline(void)
{
	struct data_mover_threads *m = new_queueing_mover(1);
	struct future_waiter *w = new_waiter();
	struct vdm_operation_future fill;
	struct future *fut = FUTURE_AS_RUNNABLE(&fill);
	struct sigaction action;

	CHECK(sem_init(&at_missing, 0, 0) == 0);
	CHECK(sem_init(&provide, 0, 0) == 0);
	memset(&action, 0, sizeof(action));
	action.sa_handler = on_segv;
	sigemptyset(&action.sa_mask);
	CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
	missing = mmap(NULL, N, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(missing != MAP_FAILED);
	data_mover_threads_set_inline_below(m, 1);
	fill = vdm_memset(data_mover_threads_get_vdm(m), missing, 5, N, 0);
	future_poll(fut, NULL);
	t_pass(&at_missing);
	for (int i = 0; i < 3; i++) {
		const uint64_t deadline = t_now() + T_MS / 50;

		CHECK_INT(future_waiter_wait(w, &fut, 1, 1, deadline, 0),
			ETIMEDOUT);
		/* what it takes beside */
		CHECK(t_now() < deadline + T_MS / 50);
	}
	t_open(&provide);
	poll_out(fut);
	CHECK_INT(missing[N - 1], 5);
	future_waiter_delete(w);
	data_mover_threads_delete(m);
	CHECK(munmap(missing, N) == 0);
}

T_MAIN(T_CASE(not_beyond_the_deadline))
