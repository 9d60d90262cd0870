/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_beside.c -- a worker that is woken runs beside who wakes it
 *
 * The system's calls are the test's own: they answer for a machine with as many
 * processors as it likes, note what is wanted of them, and change nothing. If it
 * wants, the clock is, too: then time passes with each look at it.
 */

#define _GNU_SOURCE

#include "helpers.h"

#include <pthread.h>
#include <sched.h>

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

static void
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
static cpu_set_t
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

static void
check_set(const struct wants *of, int at, unsigned bits)
{
	const cpu_set_t set = set_of(bits);

	CHECK(at < of->count);
	CHECK(CPU_EQUAL(&of->sets[at], &set));
}

static void
check_policy(const struct wants *of, int at, int policy)
{
	check_set(of, at, 0);
	CHECK_INT(of->policies[at], policy);
}

/* Kept to some processors, urgently, and then let on to all. */
static void
check_wants(const struct wants *of, unsigned some, unsigned all)
{
	CHECK_INT(of->count, 4);
	check_set(of, 0, some);
	check_policy(of, 1, SCHED_OTHER);
	check_policy(of, 2, SCHED_BATCH);
	check_set(of, 3, all);
}

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

static unsigned char dst[16 << 20];
static unsigned char src[sizeof(dst) + (1 << 20)];

/* A mover whose workers sleep, on a machine of three processors. */
static struct data_mover_threads *
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
start_and_poll_out(struct vdm_operation_future fut)
{
	future_poll(FUTURE_AS_RUNNABLE(&fut), NULL);
	poll_out(FUTURE_AS_RUNNABLE(&fut));
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

static int
count_wants(void)
{
	int count;

	pthread_mutex_lock(&lock);
	count = nthreads == 0 ? 0 : wants[0].count;
	pthread_mutex_unlock(&lock);
	return count;
}

static struct runtime *runtime;

static void
wait_for_copy(struct data_mover_threads *m)
{
	struct vdm_operation_future fut =
		vdm_memcpy(data_mover_threads_get_vdm(m), dst, src, 5000, 0);

	runtime_wait(runtime, FUTURE_AS_RUNNABLE(&fut));
}

static void
poll_copy(struct data_mover_threads *m)
{
	start_and_poll_out(vdm_memcpy(data_mover_threads_get_vdm(m), dst, src,
		5000, 0));
}

/*
 * Small copies, each begun so long after the worker slept, until something is wanted
 * of it, but no more than so many; how many?
 */
static int
crowd(struct data_mover_threads *m, void (*copy)(struct data_mover_threads *m),
	uint64_t pause, int most)
{
	const int before = count_wants();
	int copies = 0;

	while (count_wants() == before && copies < most) {
		atomic_fetch_add(&now_ns, pause);
		copy(m);
		while (atomic_load(&ma__workers_running) != 0)
			sched_yield();
		copies++;
	}
	return copies;
}

static struct data_mover_threads *
new_crowded_mover(int processor)
{
	struct data_mover_threads *m;

	atomic_store(&now_ns, T_SECOND);
	runtime = new_runtime();
	m = new_sleeping_mover(1);
	data_mover_threads_set_inline_below(m, 0);
	atomic_store(&here, processor);
	return m;
}

static void
end_crowd(struct data_mover_threads *m)
{
	data_mover_threads_delete(m);
	runtime_delete(runtime);
	moves_late = false;
	atomic_store(&now_ns, 0);
}

/* Again and again on one processor: it moves, comes back, and is more patient. */
static void
small_ones_in_a_crowd(void)
{
	struct data_mover_threads *m = new_crowded_mover(1);
	const int first = crowd(m, wait_for_copy, 0, 100);
	int second;

	CHECK(first >= 4 && first <= 8);
	CHECK_INT(count_wants(), 4);
	check_wants(&wants[0], 0x5, 0x7);

	CHECK_INT(crowd(m, wait_for_copy, 0, 100), 1);
	CHECK_INT(wants[0].count, 6);
	check_set(&wants[0], 4, 0x2);
	check_set(&wants[0], 5, 0x7);

	second = crowd(m, wait_for_copy, 0, 100);
	CHECK(second > first && second <= 16);
	CHECK_INT(wants[0].count, 10);
	check_set(&wants[0], 6, 0x5);
	check_policy(&wants[0], 7, SCHED_OTHER);

	CHECK_INT(crowd(m, wait_for_copy, 0, 100), 1);
	CHECK(crowd(m, wait_for_copy, 0, 100) > second);
	end_crowd(m);
}

/* Others run there, and it had to wait for them: not again soon. */
static void
small_ones_behind_others(void)
{
	struct data_mover_threads *m = new_crowded_mover(1);

	moves_late = true;
	CHECK(crowd(m, wait_for_copy, 0, 100) <= 8);
	CHECK_INT(crowd(m, wait_for_copy, 0, 100), 1);
	CHECK(crowd(m, wait_for_copy, 0, 100) >= 30);
	end_crowd(m);
}

/* Neither now and then, nor from another processor, nor outside a wait. */
static void
small_ones_without_a_crowd(void)
{
	struct data_mover_threads *m = new_crowded_mover(1);

	CHECK_INT(crowd(m, wait_for_copy, T_MS, 50), 50);
	end_crowd(m);
	m = new_crowded_mover(0);
	CHECK_INT(crowd(m, wait_for_copy, 0, 50), 50);
	end_crowd(m);
	m = new_crowded_mover(1);
	CHECK_INT(crowd(m, poll_copy, 0, 50), 50);
	end_crowd(m);
}

/* Who does not wait may go on for long: the worker is not brought to it. */
static void
not_brought_back_to_a_poll(void)
{
	struct data_mover_threads *m = new_crowded_mover(1);

	crowd(m, wait_for_copy, 0, 100);
	CHECK_INT(count_wants(), 4);
	CHECK_INT(crowd(m, poll_copy, 0, 50), 50);
	end_crowd(m);
}

static void
crowd_on_one(void *arg)
{
	struct data_mover_threads *m;

	(void)arg;
	cpus = 1;
	m = new_crowded_mover(1);
	CHECK_INT(crowd(m, wait_for_copy, 0, 50), 50);
	end_crowd(m);
}

/* Where nobody may look there is no point in moving. */
static void
small_ones_with_one_processor(void)
{
	CHECK_CHILD(crowd_on_one, NULL, 30);
}

T_MAIN(T_CASE(kept_off_and_let_on), T_CASE(kept_here_and_let_on),
	T_CASE(kept_off_what_is_busy), T_CASE(what_others_choose_stays),
	T_CASE(nothing_to_do), T_CASE(small_ones_with_one_processor),
	T_CASE(no_worker_in_place_of_the_program),
	T_CASE(no_worker_in_place_of_who_waits),
	T_CASE(large_ones_that_are_started),
	T_CASE(large_ones_that_are_helped_with),
	T_CASE(workers_that_workers_wake), T_CASE(functions_that_are_not_known),
	T_CASE(if_the_system_refuses), T_CASE(small_ones_anywhere),
	T_CASE(small_ones_in_a_crowd), T_CASE(small_ones_behind_others),
	T_CASE(not_brought_back_to_a_poll), T_CASE(small_ones_without_a_crowd))
