/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_faults.c -- the system refuses: each call that may fail does so in turn
 *
 * While making something, the call number n of one kind fails, for every n there
 * is. What is made has to say so, leave nothing behind, and be made the next
 * time. (What cannot say so: test_faults_waits.c.)
 */

#include "faults.h"

static void *
make_runtime(void)
{
	return runtime_new();
}

static void *
make_waiter(void)
{
	return future_waiter_new();
}

static void *
make_sync(void)
{
	return data_mover_sync_new();
}

static void *
make_threads(void)
{
	return data_mover_threads_new(3, 16, FUTURE_NOTIFIER_WAKER);
}

static void *
make_default(void)
{
	return data_mover_threads_default();
}

static void
use_vdm(struct vdm *vdm)
{
	struct copy c;

	copy_init(&c, vdm, 1);
	poll_out(copy_future(&c));
	copy_check(&c);
}

static void
delete_runtime(void *r)
{
	struct probe p;

	probe_init(&p, PROBE_NONE);
	p.done_at = 3;
	runtime_wait(r, probe_future(&p));
	CHECK_INT(FUTURE_STATE(&p.fut), FUTURE_STATE_COMPLETE);
	probe_fini(&p);
	runtime_delete(r);
}

static void
delete_waiter(void *w)
{
	struct probe p;
	struct future *fut = probe_future(&p);

	probe_init(&p, PROBE_NONE);
	CHECK_INT(future_waiter_wait(w, &fut, 1, 1, 0, 0), ETIMEDOUT);
	probe_fini(&p);
	future_waiter_delete(w);
}

static void
delete_sync(void *m)
{
	use_vdm(data_mover_sync_get_vdm(m));
	data_mover_sync_delete(m);
}

static void
delete_threads(void *m)
{
	data_mover_threads_set_inline_below(m, 0);
	use_vdm(data_mover_threads_get_vdm(m));
	data_mover_threads_delete(m);
}

/* Things to make, and how each is used and deleted. */
static const struct {
	void *(*make)(void);
	void (*use_and_delete)(void *);
} things[] = {
	{make_runtime, delete_runtime},
	{make_waiter, delete_waiter},
	{make_sync, delete_sync},
	{make_threads, delete_threads},
	{make_default, delete_threads},
};

static void
check_nothing_left(void)
{
	CHECK_INT(blocks, 0);
	CHECK_INT(mutexes, 0);
	CHECK_INT(conds, 0);
	CHECK_INT(condattrs, 0);
	CHECK_INT(threads, 0);
}

/*
 * Every call of a kind fails once; the result is NULL with `error`, or ENOMEM
 * from a runtime or waiter, which have no other. How many calls failed.
 */
static long
fail_in_turn(size_t thing, enum kind kind, int error)
{
	long n = 0;

	blocks = mutexes = conds = condattrs = threads = 0;
	for (;; n++) {
		void *made;

		arm(kind, error, n, 0);
		errno = 0;
		made = things[thing].make();
		disarm();
		if (made != NULL) {
			CHECK(calls[kind] <= n);
			things[thing].use_and_delete(made);
			check_nothing_left();
			return n;
		}
		CHECK(calls[kind] > n);
		CHECK_INT(errno, thing < 2 ? ENOMEM : error);
		check_nothing_left();
		/* and the next one works */
		made = things[thing].make();
		CHECK(made != NULL);
		things[thing].use_and_delete(made);
		check_nothing_left();
	}
}

/* Handlers for a fork: asked for at the start, then by each new mover. */
static void
fork_handlers(void)
{
	if (calls[ATFORK] == 0)
		return; /* no constructors here: they are not asked for early */
	CHECK_INT(calls[ATFORK], 1);
	CHECK_INT(fail_in_turn(3, ATFORK, ENOMEM), 1);
	/* once they are there, nobody asks again */
	arm(ATFORK, ENOMEM, 0, 1);
	delete_threads(make_threads());
	CHECK_INT(calls[ATFORK], 0);
	disarm();
}

static void
making_things(void)
{
	static const struct {
		enum kind kind;
		int error;
		long least[T_COUNT(things)]; /* so many have to have failed */
	} faults[] = {
		{MALLOC, ENOMEM, {2, 2, 1, 2, 2}},
		{CALLOC, ENOMEM, {0, 0, 0, 0, 0}},
		{MUTEX_INIT, EAGAIN, {0, 0, 0, 1, 1}},
		{COND_INIT, EAGAIN, {0, 0, 0, 1, 1}},
		{CONDATTR_INIT, ENOMEM, {0, 0, 0, 0, 0}},
		{CREATE, EAGAIN, {0, 0, 0, 3, 1}},
	};

	for (size_t i = 0; i < T_COUNT(faults); i++) {
		for (size_t j = 0; j < T_COUNT(things); j++)
			CHECK(fail_in_turn(j, faults[i].kind,
				      faults[i].error) >= faults[i].least[j]);
	}
#ifdef MA_PORTABLE
	/* the sleeping place of a wait is made of these there */
	for (size_t j = 0; j < 2; j++) {
		CHECK_INT(fail_in_turn(j, MUTEX_INIT, EAGAIN), 1);
		CHECK_INT(fail_in_turn(j, COND_INIT, EAGAIN), 1);
		CHECK_INT(fail_in_turn(j, CONDATTR_INIT, ENOMEM), 1);
	}
#endif
}

/* No array of threads that large fits into memory; nothing is tried. */
static void
too_many_threads(void)
{
	arm(KINDS, 0, 0, 0);
	blocks = 0;
	errno = 0;
	CHECK(data_mover_threads_new(SIZE_MAX, 1, FUTURE_NOTIFIER_NONE) ==
		NULL);
	CHECK_INT(errno, ENOMEM);
	CHECK_INT(calls[CREATE], 0);
	CHECK_INT(blocks, 0);
}

/* What a worker asks for its own comfort, and what counts processors. */
static void
comforts(void)
{
	static const struct {
		enum kind kind;
		int error;
	} faults[] = {{SETNAME, ERANGE}, {SETSCHEDPARAM, EPERM},
		{FOPEN, EMFILE}, {GETAFFINITY, EPERM}, {GETAFFINITY, EINVAL},
		{CPUALLOC, ENOMEM}};

	for (size_t i = 0; i < T_COUNT(faults); i++) {
		void *made;

		blocks = mutexes = conds = condattrs = threads = 0;
		arm(faults[i].kind, faults[i].error, 0, 1);
		made = make_default();
		CHECK(made != NULL);
		CHECK(data_mover_threads_get_nthreads(made) >= 1);
		CHECK(data_mover_threads_get_nthreads(made) <= 16);
		/* an operation was executed: the workers have been there */
		delete_threads(made);
		disarm();
#ifndef MA_PORTABLE
		CHECK(calls[faults[i].kind] > 0);
#endif
		check_nothing_left();
	}
}

T_MAIN(T_CASE(fork_handlers), T_CASE(making_things), T_CASE(too_many_threads),
	T_CASE(comforts))
