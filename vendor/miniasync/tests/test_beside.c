/* SPDX-License-Identifier: BSD-3-Clause */
/* test_beside.c -- a worker that is woken runs beside who wakes it */

#define _GNU_SOURCE

#include "machine.h"

static void
kept_off_and_let_on(void)
{
	struct ma__os_kept_off off;

	a_machine(0x27, 1);
	CHECK(ma__os_keep_off(pthread_self(), -1, &off));
	ma__os_let_on(&off);
	check_wants(&wants[0], 0x25, 0x27);
}

static void
kept_here_and_let_on(void)
{
	struct ma__os_kept_off off;

	a_machine(0x27, 1);
	CHECK(ma__os_keep_here(pthread_self(), &off));
	ma__os_let_on(&off);
	CHECK_INT(wants[0].count, 2); /* its policy is what it was */
	check_set(&wants[0], 0, 0x2);
	check_set(&wants[0], 1, 0x27);

	a_machine(0x5, 1); /* not allowed there */
	CHECK(!ma__os_keep_here(pthread_self(), &off));
	a_machine(0x7, -1); /* nobody knows where */
	CHECK(!ma__os_keep_here(pthread_self(), &off));
	a_machine(0x7, 1);
	get_error = EINVAL;
	CHECK(!ma__os_keep_here(pthread_self(), &off));
	get_error = 0;
	set_error = EPERM;
	CHECK(!ma__os_keep_here(pthread_self(), &off));
	CHECK_INT(nthreads, 0);
}

/* Another one is busy: it is left alone, or if need be waited for. */
static void
kept_off_what_is_busy(void)
{
	struct ma__os_kept_off off;

	a_machine(0x27, 1);
	CHECK(ma__os_keep_off(pthread_self(), 5, &off));
	ma__os_let_on(&off);
	check_wants(&wants[0], 0x05, 0x27);

	a_machine(0x27, 1); /* this very one */
	CHECK(ma__os_keep_off(pthread_self(), 1, &off));
	ma__os_let_on(&off);
	check_wants(&wants[0], 0x25, 0x27);

	a_machine(0x27, 1); /* one that it may not use */
	CHECK(ma__os_keep_off(pthread_self(), 3, &off));
	ma__os_let_on(&off);
	check_wants(&wants[0], 0x25, 0x27);

	a_machine(0x3, 1);
	CHECK(ma__os_keep_off(pthread_self(), 0, &off));
	ma__os_let_on(&off);
	CHECK_INT(wants[0].count, 2);
	check_set(&wants[0], 0, 0x1);
	check_set(&wants[0], 1, 0x3);
}

/* Somebody else gives the thread other processors in between: they stay. */
static void
what_others_choose_stays(void)
{
	static const unsigned chosen[] = {0x2, 0x4, 0x26, 0x27, 0x65};
	struct ma__os_kept_off off;

	for (size_t i = 0; i < T_COUNT(chosen); i++) {
		a_machine(0x27, 1);
		CHECK(ma__os_keep_off(pthread_self(), -1, &off));
		note_want(pthread_self(), set_of(chosen[i]), -1);
		ma__os_let_on(&off);
		CHECK_INT(wants[0].count, 4);
		check_policy(&wants[0], 3, SCHED_BATCH);
	}
	a_machine(0x27, 1);
	CHECK(ma__os_keep_off(pthread_self(), -1, &off));
	get_error = EPERM;
	ma__os_let_on(&off);
	CHECK_INT(wants[0].count, 3);
}

static void
nothing_to_do(void)
{
	struct ma__os_kept_off off;

	a_machine(0x2, 1); /* the only one */
	CHECK(!ma__os_keep_off(pthread_self(), 0, &off));
	a_machine(0x5, 1); /* not allowed there as it is */
	CHECK(!ma__os_keep_off(pthread_self(), 2, &off));
	a_machine(0x7, -1); /* nobody knows which */
	CHECK(!ma__os_keep_off(pthread_self(), -1, &off));
	a_machine(0x7, CPU_SETSIZE);
	CHECK(!ma__os_keep_off(pthread_self(), -1, &off));
	a_machine(0x7, 1);
	get_error = EINVAL; /* of a system with more than fit into the set */
	CHECK(!ma__os_keep_off(pthread_self(), -1, &off));
	get_error = 0;
	set_error = EPERM;
	CHECK(!ma__os_keep_off(pthread_self(), -1, &off));
	CHECK_INT(nthreads, 0);
}

/* One worker was kept off, and then let on; nothing else. */
static void
check_beside(struct data_mover_threads *m)
{
	data_mover_threads_delete(m);
	CHECK_INT(nthreads, 1);
	CHECK(!pthread_equal(wants[0].thread, pthread_self()));
	check_wants(&wants[0], 0x6, 0x7);
}

static void
check_anywhere(struct data_mover_threads *m)
{
	data_mover_threads_delete(m);
	CHECK_INT(nthreads, 0);
}

static void
large_ones_that_are_started(void)
{
	struct data_mover_threads *m = new_sleeping_mover(1);
	struct vdm *vdm = data_mover_threads_get_vdm(m);

	start_and_poll_out(vdm_memcpy(vdm, dst, src, 1 << 20, 0));
	check_beside(m);

	/* one that is executed piece by piece, in order */
	m = new_sleeping_mover(1);
	vdm = data_mover_threads_get_vdm(m);
	start_and_poll_out(vdm_memmove(vdm, src + 64, src, 2 << 20, 0));
	check_beside(m);
}

/* Who waits works, too, so that one worker more is enough. */
static void
large_ones_that_are_helped_with(void)
{
	struct data_mover_threads *m = new_sleeping_mover(1);
	struct vdm *vdm = data_mover_threads_get_vdm(m);
	struct runtime *r = new_runtime();
	struct vdm_operation_future fut =
		vdm_memcpy(vdm, dst, src, sizeof(dst), 0);

	runtime_wait(r, FUTURE_AS_RUNNABLE(&fut));
	runtime_delete(r);
	check_beside(m);
}

/* The second worker leaves alone the processor of who started the copy. */
static void
workers_that_workers_wake(void)
{
	struct data_mover_threads *m = new_sleeping_mover(2);

	start_and_poll_out(vdm_memcpy(data_mover_threads_get_vdm(m), dst, src,
		sizeof(dst), 0));
	data_mover_threads_delete(m);
	CHECK_INT(nthreads, 2);
	check_wants(&wants[0], 0x6, 0x7);
	check_wants(&wants[1], 0x4, 0x7);
}

static void
two_workers_on_two(void *arg)
{
	struct data_mover_threads *m;

	(void)arg;
	cpus = 2;
	m = new_sleeping_mover(2);
	start_and_poll_out(vdm_memcpy(data_mover_threads_get_vdm(m), dst, src,
		sizeof(dst), 0));
	check_beside(m);
}

/* One processor is left to a program that does not help. */
static void
no_worker_in_place_of_the_program(void)
{
	CHECK_CHILD(two_workers_on_two, NULL, 30);
}

FUTURE(sleeper, struct { int unused; }, struct { int unused; });

/* Keeps the thread from helping until the workers have done all there is. */
static enum future_state
wait_for_workers(struct future_context *context,
	struct future_notifier *notifier)
{
	(void)context;
	(void)notifier;
	for (bool done = false; !done; sched_yield()) {
		pthread_mutex_lock(&lock);
		done = nthreads != 0 && wants[0].count == 4;
		pthread_mutex_unlock(&lock);
		done = done && atomic_load(&ma__workers_running) == 0;
	}
	return FUTURE_STATE_COMPLETE;
}

struct machine {
	size_t cpus;
	size_t size; /* of the copy */
};

static void
wait_on(void *arg)
{
	const struct machine *const of = arg;
	struct data_mover_threads *m;
	struct runtime *r;
	struct vdm_operation_future fut;
	struct sleeper sleeper;
	struct future *futs[2] = {
		FUTURE_AS_RUNNABLE(&fut), FUTURE_AS_RUNNABLE(&sleeper)};

	cpus = of->cpus;
	r = new_runtime();
	m = new_sleeping_mover(2);
	/* From now on the test's own: on a busy machine the worker would be overdue. */
	atomic_store(&now_ns, T_SECOND);
	fut = vdm_memcpy(data_mover_threads_get_vdm(m), dst, src, of->size, 0);
	memset(&sleeper, 0, sizeof(sleeper));
	FUTURE_INIT(&sleeper, wait_for_workers);
	runtime_wait_multiple(r, futs, 2);
	runtime_delete(r);
	check_beside(m);
}

/* Who waits counts as one that works, even before it does. */
static void
no_worker_in_place_of_who_waits(void)
{
	/* No third processor; and not enough for three. */
	CHECK_CHILD(wait_on, &((struct machine){2, sizeof(dst)}), 30);
	CHECK_CHILD(wait_on, &((struct machine){3, 12 << 20}), 30);
}

static void *
slow_memcpy(void *to, const void *from, size_t n, unsigned flags)
{
	(void)flags;
	return memcpy(to, from, n);
}

/* A program's function may take any time, until it is known. */
static void
functions_that_are_not_known(void)
{
	struct data_mover_threads *m = new_sleeping_mover(1);

	data_mover_threads_set_memcpy_fn(m, slow_memcpy);
	start_and_poll_out(vdm_memcpy(data_mover_threads_get_vdm(m), dst, src,
		64, 0));
	check_beside(m);
}

/* Nor does it matter to anything else. */
static void
if_the_system_refuses(void)
{
	struct data_mover_threads *m = new_sleeping_mover(1);

	set_error = EPERM;
	start_and_poll_out(vdm_memset(data_mover_threads_get_vdm(m), dst, 3,
		sizeof(dst), 0));
	CHECK_INT(dst[sizeof(dst) - 1], 3);
	check_anywhere(m);
}

/* Waking across processors takes longer than these. */
static void
small_ones_anywhere(void)
{
	struct data_mover_threads *m = new_sleeping_mover(1);

	start_and_poll_out(vdm_memcpy(data_mover_threads_get_vdm(m), dst, src,
		(1 << 20) - 1, 0));
	check_anywhere(m);
}

T_MAIN(T_CASE(kept_off_and_let_on), T_CASE(kept_here_and_let_on),
	T_CASE(kept_off_what_is_busy), T_CASE(what_others_choose_stays),
	T_CASE(nothing_to_do), T_CASE(no_worker_in_place_of_the_program),
	T_CASE(no_worker_in_place_of_who_waits),
	T_CASE(large_ones_that_are_started),
	T_CASE(large_ones_that_are_helped_with),
	T_CASE(workers_that_workers_wake), T_CASE(functions_that_are_not_known),
	T_CASE(if_the_system_refuses), T_CASE(small_ones_anywhere))
