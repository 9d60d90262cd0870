/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * machine.h -- a machine whose processors, and time, are the test's own
 *
 * The system's calls answer for a machine with as many processors as the test likes,
 * note what is wanted of threads, and change nothing. Once now_ns is set, time passes
 * with each look at the clock.
 *
 * Included after _GNU_SOURCE was defined. The program wraps sched_getcpu,
 * pthread_getaffinity_np, pthread_setaffinity_np, pthread_setschedparam,
 * clock_gettime and ma__os_cpus.
 */

#ifndef MACHINE_H
#define MACHINE_H

#include "helpers.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>

#include "os.h"
#include "waiters.h"

enum { THREADS = 4, WANTS = 32 };

/* What is wanted of one thread, in order. */
struct wants {
	pthread_t thread;
	int count;
	cpu_set_t sets[WANTS]; /* empty: a policy */
	int policies[WANTS];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct wants wants[THREADS]; /* in the order in which they turn up */
static int nthreads;
static cpu_set_t machine; /* the processors */
static atomic_int here; /* the one of the thread that runs the test */
static _Thread_local bool is_tester; /* all others are on processor 1 */
static int get_error;
static int set_error;

static size_t cpus = 3; /* that the library is told of, once in a process */

size_t __wrap_ma__os_cpus(void);
size_t
__wrap_ma__os_cpus(void)
{
	return cpus;
}

static _Atomic uint64_t now_ns; /* 0: the system's time */
static _Atomic uint64_t look_ns = 5; /* what passes with each look */
static bool
	moves_late; /* while a worker is kept off: a millisecond, or nothing */

int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);
int
__wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	uint64_t now;

	if (atomic_load(&now_ns) == 0)
		return __real_clock_gettime(id, ts);
	now = atomic_fetch_add(&now_ns, atomic_load(&look_ns));
	ts->tv_sec = (time_t)(now / T_SECOND);
	ts->tv_nsec = (long)(now % T_SECOND);
	return 0;
}

static inline cpu_set_t
set_of(unsigned bits)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int i = 0; i < 32; i++)
		if (bits & 1U << i)
			CPU_SET(i, &set);
	return set;
}

static inline void
a_machine(unsigned bits, int processor)
{
	machine = set_of(bits);
	atomic_store(&here, processor);
	is_tester = true;
	get_error = 0;
	set_error = 0;
	pthread_mutex_lock(&lock);
	nthreads = 0;
	pthread_mutex_unlock(&lock);
}

static inline void
note_want(pthread_t thread, cpu_set_t set, int policy)
{
	struct wants *of = wants;

	pthread_mutex_lock(&lock);
	while (of < wants + nthreads && !pthread_equal(of->thread, thread))
		of++;
	if (of == wants + nthreads) {
		CHECK(nthreads++ < THREADS);
		of->thread = thread;
		of->count = 0;
	}
	CHECK(of->count < WANTS);
	of->sets[of->count] = set;
	of->policies[of->count++] = policy;
	pthread_mutex_unlock(&lock);
}

/* Where the thread may run: what was wanted last, or anywhere. */
static inline cpu_set_t
allowed(pthread_t thread)
{
	cpu_set_t set = machine;

	pthread_mutex_lock(&lock);
	for (int i = 0; i < nthreads; i++)
		for (int j = 0; j < wants[i].count; j++)
			if (pthread_equal(wants[i].thread, thread) &&
				CPU_COUNT(&wants[i].sets[j]) != 0)
				set = wants[i].sets[j];
	pthread_mutex_unlock(&lock);
	return set;
}

int __wrap_sched_getcpu(void);
int
__wrap_sched_getcpu(void)
{
	return is_tester ? atomic_load(&here) : 1;
}

int __wrap_pthread_getaffinity_np(pthread_t thread, size_t size,
	cpu_set_t *set);
int
__wrap_pthread_getaffinity_np(pthread_t thread, size_t size, cpu_set_t *set)
{
	CHECK_INT(size, sizeof(*set));
	*set = allowed(thread);
	return get_error;
}

int __wrap_pthread_setaffinity_np(pthread_t thread, size_t size,
	const cpu_set_t *set);
int
__wrap_pthread_setaffinity_np(pthread_t thread, size_t size,
	const cpu_set_t *set)
{
	CHECK_INT(size, sizeof(*set));
	if (set_error == 0)
		note_want(thread, *set, -1);
	return set_error;
}

int __wrap_pthread_setschedparam(pthread_t thread, int policy,
	const struct sched_param *param);
int
__wrap_pthread_setschedparam(pthread_t thread, int policy,
	const struct sched_param *param)
{
	CHECK_INT(param->sched_priority, 0);
	note_want(thread, set_of(0), policy);
	atomic_store(&look_ns,
		policy != SCHED_OTHER ? 5
			: moves_late  ? T_MS
				      : 0);
	return 0;
}

static inline void
check_set(const struct wants *of, int at, unsigned bits)
{
	const cpu_set_t set = set_of(bits);

	CHECK(at < of->count);
	CHECK(CPU_EQUAL(&of->sets[at], &set));
}

static inline void
check_policy(const struct wants *of, int at, int policy)
{
	check_set(of, at, 0);
	CHECK_INT(of->policies[at], policy);
}

/* Kept to some processors, urgently, and then let on to all. */
static inline void
check_wants(const struct wants *of, unsigned some, unsigned all)
{
	CHECK_INT(of->count, 4);
	check_set(of, 0, some);
	check_policy(of, 1, SCHED_OTHER);
	check_policy(of, 2, SCHED_BATCH);
	check_set(of, 3, all);
}

static unsigned char dst[16 << 20];
static unsigned char src[sizeof(dst) + (1 << 20)];

/* A mover whose workers sleep, on a machine of three processors. */
static inline struct data_mover_threads *
new_sleeping_mover(size_t count)
{
	struct data_mover_threads *m =
		data_mover_threads_new(count, 1, FUTURE_NOTIFIER_WAKER);

	CHECK(m != NULL);
	while (atomic_load(&ma__workers_running) != 0)
		sched_yield();
	a_machine(0x7, 0);
	return m;
}

static inline void
start_and_poll_out(struct vdm_operation_future fut)
{
	future_poll(FUTURE_AS_RUNNABLE(&fut), NULL);
	poll_out(FUTURE_AS_RUNNABLE(&fut));
}

#endif /* MACHINE_H */
