/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_faults.c -- the system refuses: each call that may fail does so in turn
 *
 * Linked so that the calls of the library come here. While making something,
 * the call number n of one kind fails, for every n there is. What is made has
 * to say so, leave nothing behind, and be made the next time. What cannot say
 * so, a wait or a worker, has to do without. (Memory for waits and operations:
 * test_memory.c.)
 */

#include "gated.h"
#include "probe.h"

#include <stdarg.h>
#include <sys/syscall.h>

enum kind {
	MALLOC,
	CALLOC,
	MUTEX_INIT,
	COND_INIT,
	CONDATTR_INIT,
	ATFORK,
	CREATE,
	SETNAME,
	SETSCHEDPARAM,
	FOPEN,
	GETAFFINITY,
	CPUALLOC,
	SYSCALL,
	TIMEDWAIT,
	NANOSLEEP,
	YIELD,
	KINDS
};

/* One kind at a time fails: number `fail_at`, and with `fail_after` the rest. */
static _Atomic int fail_kind = KINDS;
static _Atomic int fail_error;
static _Atomic long fail_at;
static _Atomic int fail_after;
static _Atomic long calls[KINDS];

/* Beside that: a handler runs in every nanosleep(). */
static _Atomic int naps_interrupted;

/* What the library has and has to give back. */
static _Atomic long blocks, mutexes, conds, condattrs, threads;

/*
 * The library asks for fork handlers in a constructor: that is refused. Volatile
 * because some compilers run simple constructors themselves.
 */
static volatile int is_early = 1;

__attribute__((constructor)) static void
early_is_over(void)
{
	is_early = 0;
}

static int
refused(enum kind kind)
{
	const long n = atomic_fetch_add(&calls[kind], 1);
	const long at = atomic_load(&fail_at);

	if (kind == ATFORK && is_early)
		return ENOMEM;
	if (atomic_load(&fail_kind) != (int)kind || n < at ||
		(n > at && !atomic_load(&fail_after)))
		return 0;
	return atomic_load(&fail_error);
}

static void
arm(enum kind kind, int error, long at, int after)
{
	atomic_store(&fail_kind, KINDS);
	for (int i = 0; i < KINDS; i++)
		atomic_store(&calls[i], 0);
	atomic_store(&fail_error, error);
	atomic_store(&fail_at, at);
	atomic_store(&fail_after, after);
	atomic_store(&fail_kind, (int)kind);
}

static void
disarm(void)
{
	atomic_store(&fail_kind, KINDS);
}

/* A function that answers with -1 and errno. */
static int
fails(enum kind kind)
{
	const int error = refused(kind);

	if (error != 0)
		errno = error;
	return error != 0;
}

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *
__wrap_malloc(size_t n)
{
	void *p = fails(MALLOC) ? NULL : __real_malloc(n);

	blocks += p != NULL;
	return p;
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *
__wrap_calloc(size_t n, size_t size)
{
	void *p = fails(CALLOC) ? NULL : __real_calloc(n, size);

	blocks += p != NULL;
	return p;
}

void __real_free(void *p);
void __wrap_free(void *p);
void
__wrap_free(void *p)
{
	blocks -= p != NULL;
	__real_free(p);
}

int __real_pthread_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *a);
int __wrap_pthread_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *a);
int
__wrap_pthread_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *a)
{
	const int error = refused(MUTEX_INIT);

	mutexes += error == 0;
	return error != 0 ? error : __real_pthread_mutex_init(m, a);
}

int __real_pthread_mutex_destroy(pthread_mutex_t *m);
int __wrap_pthread_mutex_destroy(pthread_mutex_t *m);
int
__wrap_pthread_mutex_destroy(pthread_mutex_t *m)
{
	mutexes--;
	return __real_pthread_mutex_destroy(m);
}

int __real_pthread_cond_init(pthread_cond_t *c, const pthread_condattr_t *a);
int __wrap_pthread_cond_init(pthread_cond_t *c, const pthread_condattr_t *a);
int
__wrap_pthread_cond_init(pthread_cond_t *c, const pthread_condattr_t *a)
{
	const int error = refused(COND_INIT);

	conds += error == 0;
	return error != 0 ? error : __real_pthread_cond_init(c, a);
}

int __real_pthread_cond_destroy(pthread_cond_t *c);
int __wrap_pthread_cond_destroy(pthread_cond_t *c);
int
__wrap_pthread_cond_destroy(pthread_cond_t *c)
{
	conds--;
	return __real_pthread_cond_destroy(c);
}

int __real_pthread_condattr_init(pthread_condattr_t *a);
int __wrap_pthread_condattr_init(pthread_condattr_t *a);
int
__wrap_pthread_condattr_init(pthread_condattr_t *a)
{
	const int error = refused(CONDATTR_INIT);

	condattrs += error == 0;
	return error != 0 ? error : __real_pthread_condattr_init(a);
}

int __real_pthread_condattr_destroy(pthread_condattr_t *a);
int __wrap_pthread_condattr_destroy(pthread_condattr_t *a);
int
__wrap_pthread_condattr_destroy(pthread_condattr_t *a)
{
	condattrs--;
	return __real_pthread_condattr_destroy(a);
}

int __real_pthread_atfork(void (*a)(void), void (*b)(void), void (*c)(void));
int __wrap_pthread_atfork(void (*a)(void), void (*b)(void), void (*c)(void));
int
__wrap_pthread_atfork(void (*a)(void), void (*b)(void), void (*c)(void))
{
	const int error = refused(ATFORK);

	return error != 0 ? error : __real_pthread_atfork(a, b, c);
}

int __real_pthread_create(pthread_t *t, const pthread_attr_t *a,
	void *(*body)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a,
	void *(*body)(void *), void *arg);
int
__wrap_pthread_create(pthread_t *t, const pthread_attr_t *a,
	void *(*body)(void *), void *arg)
{
	const int error = refused(CREATE);

	threads += error == 0;
	return error != 0 ? error : __real_pthread_create(t, a, body, arg);
}

int __real_pthread_join(pthread_t t, void **result);
int __wrap_pthread_join(pthread_t t, void **result);
int
__wrap_pthread_join(pthread_t t, void **result)
{
	threads--;
	return __real_pthread_join(t, result);
}

int __real_pthread_setname_np(pthread_t t, const char *name);
int __wrap_pthread_setname_np(pthread_t t, const char *name);
int
__wrap_pthread_setname_np(pthread_t t, const char *name)
{
	const int error = refused(SETNAME);

	return error != 0 ? error : __real_pthread_setname_np(t, name);
}

int __real_pthread_setschedparam(pthread_t t, int policy,
	const struct sched_param *param);
int __wrap_pthread_setschedparam(pthread_t t, int policy,
	const struct sched_param *param);
int
__wrap_pthread_setschedparam(pthread_t t, int policy,
	const struct sched_param *param)
{
	const int error = refused(SETSCHEDPARAM);

	return error != 0 ? error
			  : __real_pthread_setschedparam(t, policy, param);
}

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *
__wrap_fopen(const char *path, const char *mode)
{
	return fails(FOPEN) ? NULL : __real_fopen(path, mode);
}

int __real_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set);
int __wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set);
int
__wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
	return fails(GETAFFINITY) ? -1
				  : __real_sched_getaffinity(pid, size, set);
}

cpu_set_t *__real___sched_cpualloc(size_t count);
cpu_set_t *__wrap___sched_cpualloc(size_t count);
cpu_set_t *
__wrap___sched_cpualloc(size_t count)
{
	return fails(CPUALLOC) ? NULL : __real___sched_cpualloc(count);
}

/* The library's only system call of this kind is futex. */
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long
__wrap_syscall(long number, ...)
{
	long arg[6];
	va_list args;

	if (fails(SYSCALL))
		return -1;
	va_start(args, number);
	for (int i = 0; i < 6; i++)
		arg[i] = va_arg(args, long);
	va_end(args);
	return __real_syscall(number, arg[0], arg[1], arg[2], arg[3], arg[4],
		arg[5]);
}

int __real_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m,
	const struct timespec *until);
int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m,
	const struct timespec *until);
int
__wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m,
	const struct timespec *until)
{
	const int error = refused(TIMEDWAIT);

	return error != 0 ? error : __real_pthread_cond_timedwait(c, m, until);
}

int __real_nanosleep(const struct timespec *time, struct timespec *left);
int __wrap_nanosleep(const struct timespec *time, struct timespec *left);
int
__wrap_nanosleep(const struct timespec *time, struct timespec *left)
{
	if (fails(NANOSLEEP))
		return -1;
	if (atomic_load(&naps_interrupted)) {
		errno = EINTR;
		return -1;
	}
	return __real_nanosleep(time, left);
}

int __real_sched_yield(void);
int __wrap_sched_yield(void);
int
__wrap_sched_yield(void)
{
	return fails(YIELD) ? -1 : __real_sched_yield();
}

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

static void *
step_by_step(void *arg)
{
	struct probe *p = arg;

	for (int i = 1; i <= 20; i++) {
		probe_await(p, i);
		probe_wake(p);
	}
	probe_finish(p);
	return NULL;
}

/* A wait ends with its future, however the system calls of sleeping fail. */
static void
wait_while_failing(enum kind kind, int error, int after, enum probe_kind probe)
{
	struct runtime *r = runtime_new();
	struct probe p;
	pthread_t other;

	CHECK(r != NULL);
	probe_init(&p, probe);
	t_start(&other, step_by_step, &p);
	arm(kind, error, 0, after);
	runtime_wait(r, probe_future(&p));
	disarm();
	t_join(other);
	CHECK_INT(FUTURE_STATE(&p.fut), FUTURE_STATE_COMPLETE);
	probe_fini(&p);
	runtime_delete(r);
}

static void
sleeping(void)
{
	static const struct {
		enum kind kind;
		int error;
	} faults[] = {{SYSCALL, EAGAIN}, {SYSCALL, EINTR}, {SYSCALL, EINVAL},
		{SYSCALL, ENOSYS}, {SYSCALL, ETIMEDOUT}, {TIMEDWAIT, EINVAL},
		{TIMEDWAIT, ETIMEDOUT}, {NANOSLEEP, EINTR}, {YIELD, ENOSYS}};

	for (size_t i = 0; i < T_COUNT(faults); i++) {
		for (int after = 0; after < 2; after++) {
			wait_while_failing(faults[i].kind, faults[i].error,
				after, PROBE_WAKER);
			wait_while_failing(faults[i].kind, faults[i].error,
				after, PROBE_NONE);
		}
	}
}

/* The deadline holds, too. */
static void
deadlines(void)
{
	static const int errors[] = {EINTR, EINVAL, ENOSYS, ETIMEDOUT};
	struct future_waiter *w = future_waiter_new();
	struct future *fut;
	struct probe p;

	CHECK(w != NULL);
	for (int kind = PROBE_NONE; kind <= PROBE_POLLER; kind++) {
		for (size_t i = 0; i < T_COUNT(errors); i++) {
			const uint64_t until = t_now() + 10 * T_MS;

			probe_init(&p, (enum probe_kind)kind);
			fut = probe_future(&p);
			arm(SYSCALL, errors[i], 0, 1);
			CHECK_INT(future_waiter_wait(w, &fut, 1, 1, until, 0),
				ETIMEDOUT);
			CHECK(t_now() >= until);
			disarm();
			probe_fini(&p);
		}
	}
	future_waiter_delete(w);
}

#ifndef MA_PORTABLE

/* A handler is told from a failure, and reported to who wants to know. */
static void
interruptions(void)
{
	static const int failures[] = {EINVAL, ENOSYS, ETIMEDOUT};
	struct future_waiter *w = future_waiter_new();
	struct future *fut;
	struct probe p;

	CHECK(w != NULL);
	for (int kind = PROBE_NONE; kind <= PROBE_POLLER; kind++) {
		probe_init(&p, (enum probe_kind)kind);
		fut = probe_future(&p);
		arm(SYSCALL, EINTR, 0, 0);
		CHECK_INT(future_waiter_wait(w, &fut, 1, 1,
				  FUTURE_WAITER_FOREVER,
				  FUTURE_WAITER_F_INTERRUPTIBLE),
			EINTR);
		CHECK_INT(calls[SYSCALL], 1);
		for (size_t i = 0; i < T_COUNT(failures); i++) {
			arm(SYSCALL, failures[i], 0, 1);
			CHECK_INT(future_waiter_wait(w, &fut, 1, 1,
					  t_now() + 10 * T_MS,
					  FUTURE_WAITER_F_INTERRUPTIBLE),
				ETIMEDOUT);
		}
		disarm();
		probe_fini(&p);
	}
	future_waiter_delete(w);
}

#endif

static struct runtime *inner_runtime;
static struct probe inner[2];

static void
wait_inside(struct probe *p, int poll, struct future_notifier *notifier)
{
	struct future *fut = probe_future(&inner[poll - 1]);

	(void)p;
	(void)notifier;
	runtime_wait(inner_runtime, fut);
	CHECK_INT(fut->context.state, FUTURE_STATE_COMPLETE);
}

/* A wait within a wait needs a second place to sleep, and does without. */
static void
nowhere_to_sleep(void)
{
	static const enum kind kinds[] = {
		MALLOC, MUTEX_INIT, COND_INIT, CONDATTR_INIT, NANOSLEEP};

	for (size_t i = 0; i < T_COUNT(kinds); i++) {
		struct runtime *r = runtime_new();
		struct probe p;

		CHECK(r != NULL);
		inner_runtime = r;
		for (size_t j = 0; j < T_COUNT(inner); j++) {
			probe_init(&inner[j], PROBE_NONE);
			inner[j].done_at = 300;
		}
		probe_init(&p, PROBE_NONE);
		p.done_at = (int)T_COUNT(inner);
		p.on_poll = wait_inside;
		arm(kinds[i], kinds[i] == NANOSLEEP ? EINTR : ENOMEM, 0, 1);
		runtime_wait(r, probe_future(&p));
		disarm();
		CHECK_INT(FUTURE_STATE(&p.fut), FUTURE_STATE_COMPLETE);
		probe_fini(&p);
		runtime_delete(r);
	}
}

static void
finish_after_naps(struct probe *p, int poll, struct future_notifier *notifier)
{
	(void)poll;
	(void)notifier;
	if (atomic_load(&calls[NANOSLEEP]) >= 3)
		atomic_store(&p->done, 1);
}

/* Without memory for cells: nanosleep is the sleep, and tells of handlers. */
static void
interrupted_without_memory(void)
{
	struct future_waiter *w = future_waiter_new();
	struct probe p[5];
	struct future *futs[5];

	CHECK(w != NULL);
	for (int i = 0; i < 4; i++) {
		const int interruptible = i / 2;
		const int interrupted = i % 2;

		for (int j = 0; j < 5; j++) {
			probe_init(&p[j], PROBE_NONE);
			p[j].on_poll = finish_after_naps;
			futs[j] = probe_future(&p[j]);
		}
		/* five cells need a block, which is refused */
		arm(MALLOC, ENOMEM, 0, 1);
		atomic_store(&naps_interrupted, interrupted);
		CHECK_INT(future_waiter_wait(w, futs, 5, 1,
				  FUTURE_WAITER_FOREVER,
				  interruptible ? FUTURE_WAITER_F_INTERRUPTIBLE
						: 0),
			interruptible && interrupted ? EINTR : 0);
		atomic_store(&naps_interrupted, 0);
		disarm();
		CHECK(calls[MALLOC] > 0);
		CHECK(calls[NANOSLEEP] > 0);
		for (int j = 0; j < 5; j++)
			probe_fini(&p[j]);
	}
	future_waiter_delete(w);
}

/* The system calls of a mover's workers and of who waits for them. */
static void
operations(void)
{
	static const enum kind kinds[] = {SYSCALL, TIMEDWAIT, NANOSLEEP, YIELD};

	for (size_t i = 0; i < T_COUNT(kinds); i++) {
		struct data_mover_threads *m = make_threads();
		struct runtime *r = runtime_new();
		struct copy c[50];
		struct future *futs[50];

		CHECK(m != NULL && r != NULL);
		data_mover_threads_set_inline_below(m, 0);
		for (int j = 0; j < 50; j++) {
			copy_init(&c[j], data_mover_threads_get_vdm(m),
				(uint64_t)j);
			futs[j] = copy_future(&c[j]);
		}
		arm(kinds[i], EINTR, 0, 1);
		runtime_wait_multiple(r, futs, 50);
		disarm();
		for (int j = 0; j < 50; j++)
			copy_check(&c[j]);
		runtime_delete(r);
		data_mover_threads_delete(m);
	}
}

#ifndef MA_PORTABLE
#define ON_FUTEXES T_CASE(interruptions),
#else
#define ON_FUTEXES
#endif

T_MAIN(T_CASE(fork_handlers), T_CASE(making_things), T_CASE(too_many_threads),
	T_CASE(comforts), T_CASE(sleeping), T_CASE(deadlines),
	ON_FUTEXES T_CASE(nowhere_to_sleep), T_CASE(interrupted_without_memory),
	T_CASE(operations))
