/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * faults.h -- a system that refuses
 *
 * For programs linked so that the calls of the library come here.
 * Of one kind of calls number `fail_at` fails, and those after it if so wished.
 */

#ifndef FAULTS_H
#define FAULTS_H

#include "gated.h"
#include "probe.h"

#include <pthread.h>
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

static inline int
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

static inline void
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

static inline void
disarm(void)
{
	atomic_store(&fail_kind, KINDS);
}

/* A function that answers with -1 and errno. */
static inline int
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

#endif /* FAULTS_H */
