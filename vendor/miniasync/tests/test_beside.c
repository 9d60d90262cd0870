/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_beside.c -- a worker that is woken runs beside who wakes it
 *
 * The system's calls are the test's own: they answer for a machine with as many
 * processors as it likes, note what is wanted of them, and change nothing.
 */

#define _GNU_SOURCE

#include "helpers.h"

#include <pthread.h>
#include <sched.h>

#include "os.h"
#include "waiters.h"

enum { MANY = 64 };

/* What was wanted, in order; written by one thread at a time. */
static struct {
	pthread_t thread;
	cpu_set_t set; /* empty: a policy */
	int policy;
} wants[MANY];
static atomic_int nwants;

static int here; /* the processor of whoever asks */
static cpu_set_t allowed; /* of any thread */
static int get_error;
static int set_error;

static int
note_want(pthread_t thread, const cpu_set_t *set, int policy)
{
	const int at = atomic_load(&nwants);

	CHECK(at < MANY);
	wants[at].thread = thread;
	wants[at].policy = policy;
	CPU_ZERO(&wants[at].set);
	if (set != NULL)
		wants[at].set = *set;
	atomic_store(&nwants, at + 1);
	return 0;
}

int __wrap_sched_getcpu(void);
int
__wrap_sched_getcpu(void)
{
	return here;
}

int __wrap_pthread_getaffinity_np(pthread_t thread, size_t size,
	cpu_set_t *set);
int
__wrap_pthread_getaffinity_np(pthread_t thread, size_t size, cpu_set_t *set)
{
	(void)thread;
	CHECK_INT(size, sizeof(*set));
	*set = allowed;
	return get_error;
}

int __wrap_pthread_setaffinity_np(pthread_t thread, size_t size,
	const cpu_set_t *set);
int
__wrap_pthread_setaffinity_np(pthread_t thread, size_t size,
	const cpu_set_t *set)
{
	CHECK_INT(size, sizeof(*set));
	if (set_error != 0)
		return set_error;
	allowed = *set;
	return note_want(thread, set, -1);
}

int __wrap_pthread_setschedparam(pthread_t thread, int policy,
	const struct sched_param *param);
int
__wrap_pthread_setschedparam(pthread_t thread, int policy,
	const struct sched_param *param)
{
	CHECK_INT(param->sched_priority, 0);
	return note_want(thread, NULL, policy);
}

static cpu_set_t
set_of(unsigned bits)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int i = 0; i < 32; i++)
		if (bits & 1U << i)
			CPU_SET(i, &set);
	return set;
}

static void
check_set(int at, unsigned bits)
{
	const cpu_set_t set = set_of(bits);

	CHECK(at < atomic_load(&nwants));
	CHECK(CPU_EQUAL(&wants[at].set, &set));
}

static void
check_policy(int at, int policy)
{
	check_set(at, 0);
	CHECK_INT(wants[at].policy, policy);
}

static void
a_machine(unsigned bits, int processor)
{
	allowed = set_of(bits);
	here = processor;
	get_error = 0;
	set_error = 0;
	atomic_store(&nwants, 0);
}

static void
kept_off_and_let_on(void)
{
	struct ma__os_kept_off from;

	a_machine(0x27, 1);
	CHECK(ma__os_keep_off(pthread_self(), &from));
	CHECK_INT(atomic_load(&nwants), 2);
	check_set(0, 0x25);
	check_policy(1, SCHED_OTHER);
	ma__os_let_on(&from);
	CHECK_INT(atomic_load(&nwants), 4);
	check_policy(2, SCHED_BATCH);
	check_set(3, 0x27);
}

/* Somebody else gives the thread other processors in between: they stay. */
static void
what_others_choose_stays(void)
{
	static const unsigned chosen[] = {0x2, 0x4, 0x26, 0x27, 0x65};
	struct ma__os_kept_off from;

	for (size_t i = 0; i < sizeof(chosen) / sizeof(chosen[0]); i++) {
		a_machine(0x27, 1);
		CHECK(ma__os_keep_off(pthread_self(), &from));
		allowed = set_of(chosen[i]);
		ma__os_let_on(&from);
		CHECK_INT(atomic_load(&nwants), 3);
		check_policy(2, SCHED_BATCH);
	}
	a_machine(0x27, 1);
	CHECK(ma__os_keep_off(pthread_self(), &from));
	get_error = EPERM;
	ma__os_let_on(&from);
	CHECK_INT(atomic_load(&nwants), 3);
}

static void
nothing_to_do(void)
{
	struct ma__os_kept_off from;

	a_machine(0x2, 1); /* the only one */
	CHECK(!ma__os_keep_off(pthread_self(), &from));
	a_machine(0x5, 1); /* not allowed there as it is */
	CHECK(!ma__os_keep_off(pthread_self(), &from));
	a_machine(0x7, -1); /* nobody knows which */
	CHECK(!ma__os_keep_off(pthread_self(), &from));
	a_machine(0x7, CPU_SETSIZE);
	CHECK(!ma__os_keep_off(pthread_self(), &from));
	a_machine(0x7, 1);
	get_error = EINVAL; /* of a system with more than fit into the set */
	CHECK(!ma__os_keep_off(pthread_self(), &from));
	get_error = 0;
	set_error = EPERM;
	CHECK(!ma__os_keep_off(pthread_self(), &from));
	CHECK_INT(atomic_load(&nwants), 0);
}

static unsigned char dst[9 << 20];
static unsigned char src[sizeof(dst) + (1 << 20)];

/* A mover of one worker, which sleeps. */
static struct data_mover_threads *
new_sleeping_mover(void)
{
	struct data_mover_threads *m =
		data_mover_threads_new(1, 1, FUTURE_NOTIFIER_WAKER);

	CHECK(m != NULL);
	while (atomic_load(&ma__workers_running) != 0)
		sched_yield();
	a_machine(0x3, 0);
	return m;
}

/* The worker was kept off, and what followed ended that; nothing else. */
static void
check_beside(struct data_mover_threads *m)
{
	pthread_t worker;

	data_mover_threads_delete(m);
	CHECK_INT(atomic_load(&nwants), 4);
	worker = wants[0].thread;
	CHECK(!pthread_equal(worker, pthread_self()));
	for (int i = 1; i < 4; i++)
		CHECK(pthread_equal(wants[i].thread, worker));
	check_set(0, 0x2);
	check_policy(1, SCHED_OTHER);
	check_policy(2, SCHED_BATCH);
	check_set(3, 0x3);
}

static void
check_anywhere(struct data_mover_threads *m)
{
	data_mover_threads_delete(m);
	CHECK_INT(atomic_load(&nwants), 0);
}

static void
start_and_poll_out(struct vdm_operation_future fut)
{
	future_poll(FUTURE_AS_RUNNABLE(&fut), NULL);
	poll_out(FUTURE_AS_RUNNABLE(&fut));
}

static void
large_ones_that_are_started(void)
{
	struct data_mover_threads *m = new_sleeping_mover();
	struct vdm *vdm = data_mover_threads_get_vdm(m);

	start_and_poll_out(vdm_memcpy(vdm, dst, src, 1 << 20, 0));
	check_beside(m);

	/* one that is executed piece by piece, in order */
	m = new_sleeping_mover();
	vdm = data_mover_threads_get_vdm(m);
	start_and_poll_out(vdm_memmove(vdm, src + 64, src, 2 << 20, 0));
	check_beside(m);
}

static void
large_ones_that_are_helped_with(void)
{
	struct data_mover_threads *m = new_sleeping_mover();
	struct vdm *vdm = data_mover_threads_get_vdm(m);
	struct runtime *r = new_runtime();
	struct vdm_operation_future fut =
		vdm_memcpy(vdm, dst, src, sizeof(dst), 0);

	runtime_wait(r, FUTURE_AS_RUNNABLE(&fut));
	runtime_delete(r);
	check_beside(m);
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
	struct data_mover_threads *m = new_sleeping_mover();

	data_mover_threads_set_memcpy_fn(m, slow_memcpy);
	start_and_poll_out(vdm_memcpy(data_mover_threads_get_vdm(m), dst, src,
		64, 0));
	check_beside(m);
}

/* Nor does it matter to anything else. */
static void
if_the_system_refuses(void)
{
	struct data_mover_threads *m = new_sleeping_mover();

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
	struct data_mover_threads *m = new_sleeping_mover();

	start_and_poll_out(vdm_memcpy(data_mover_threads_get_vdm(m), dst, src,
		(1 << 20) - 1, 0));
	check_anywhere(m);
}

T_MAIN(T_CASE(kept_off_and_let_on), T_CASE(what_others_choose_stays),
	T_CASE(nothing_to_do), T_CASE(large_ones_that_are_started),
	T_CASE(large_ones_that_are_helped_with),
	T_CASE(functions_that_are_not_known), T_CASE(if_the_system_refuses),
	T_CASE(small_ones_anywhere))
