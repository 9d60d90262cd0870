/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_monitor_faults.c -- what a monitor asks of the system, and refusals
 *
 * Linked so that the library's calls come here, where they are counted, and
 * where number n of one kind fails. What fails says so, leaves nothing behind
 * and nothing broken, and works the next time.
 */

#include "frozen.h"
#include "probe.h"
#include "watching.h"

#include <stdarg.h>
#include <sys/types.h>

enum kind { MALLOC, CALLOC, EVENTFD, PIPE, FCNTL, READ, WRITE, KINDS };

static enum kind fail_kind = KINDS;
static long fail_at;
static int fail_error;
static long calls[KINDS];

/* What the library has and has to give back. */
static long blocks, descriptors;

static int
fails(enum kind kind)
{
	if (calls[kind]++ != fail_at || kind != fail_kind)
		return 0;
	errno = fail_error;
	return 1;
}

static void
arm(enum kind kind, int error, long at)
{
	memset(calls, 0, sizeof(calls));
	fail_kind = kind;
	fail_error = error;
	fail_at = at;
}

static void
disarm(void)
{
	fail_kind = KINDS;
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

int __real_eventfd(unsigned count, int flags);
int __wrap_eventfd(unsigned count, int flags);
int
__wrap_eventfd(unsigned count, int flags)
{
	const int fd = fails(EVENTFD) ? -1 : __real_eventfd(count, flags);

	descriptors += fd >= 0;
	return fd;
}

int __real_pipe(int fds[2]);
int __wrap_pipe(int fds[2]);
int
__wrap_pipe(int fds[2])
{
	const int rc = fails(PIPE) ? -1 : __real_pipe(fds);

	descriptors += rc == 0 ? 2 : 0;
	return rc;
}

int __real_fcntl(int fd, int cmd, ...);
int __wrap_fcntl(int fd, int cmd, ...);
int
__wrap_fcntl(int fd, int cmd, ...)
{
	va_list args;
	int arg = 0;

	if (fails(FCNTL))
		return -1;
	if (cmd == F_SETFL || cmd == F_SETFD) {
		va_start(args, cmd);
		arg = va_arg(args, int);
		va_end(args);
	}
	return __real_fcntl(fd, cmd, arg);
}

int __real_close(int fd);
int __wrap_close(int fd);
int
__wrap_close(int fd)
{
	descriptors--;
	/* what was refused is still to be reported */
	errno = EIO;
	return __real_close(fd);
}

ssize_t __real_read(int fd, void *buf, size_t n);
ssize_t __wrap_read(int fd, void *buf, size_t n);
ssize_t
__wrap_read(int fd, void *buf, size_t n)
{
	return fails(READ) ? -1 : __real_read(fd, buf, n);
}

ssize_t __real_write(int fd, const void *buf, size_t n);
ssize_t __wrap_write(int fd, const void *buf, size_t n);
ssize_t
__wrap_write(int fd, const void *buf, size_t n)
{
	return fails(WRITE) ? -1 : __real_write(fd, buf, n);
}

/* Every call of a kind fails once; how many there were. */
static long
making_with(enum kind kind, int error)
{
	blocks = descriptors = 0;
	for (long n = 0;; n++) {
		struct future_monitor *m;

		arm(kind, error, n);
		errno = 0;
		m = future_monitor_new();
		disarm();
		if (m != NULL) {
			CHECK(calls[kind] <= n);
			future_monitor_delete(m);
			CHECK_INT(blocks, 0);
			CHECK_INT(descriptors, 0);
			return n;
		}
		CHECK_INT(errno, error);
		CHECK_INT(blocks, 0);
		CHECK_INT(descriptors, 0);
	}
}

static void
making(void)
{
	CHECK_INT(making_with(MALLOC, ENOMEM), 2);
	CHECK_INT(making_with(CALLOC, ENOMEM), 0);
#ifdef MA_PORTABLE
	CHECK_INT(making_with(PIPE, EMFILE), 1);
	CHECK_INT(making_with(PIPE, ENFILE), 1);
	CHECK_INT(making_with(FCNTL, EINVAL), 6);
#else
	CHECK_INT(making_with(EVENTFD, EMFILE), 1);
	CHECK_INT(making_with(EVENTFD, ENFILE), 1);
#endif
}

/* Memory for what is watched is asked for now and then: each time in vain. */
static void
adding(void)
{
	enum { N = 300 };
	static const enum kind kinds[] = {CALLOC, MALLOC};
	struct future_monitor *m = new_monitor();
	struct probe *p = t_malloc(N * sizeof(*p));
	long refused = 0;

	for (int i = 0; i < N; i++) {
		probe_init(&p[i], PROBE_WAKER);
		for (size_t k = 0; k < T_COUNT(kinds); k++) {
			int rc;

			arm(kinds[k], ENOMEM, 0);
			rc = future_monitor_add(m, probe_future(&p[i]), &p[i]);
			disarm();
			if (rc == 0) {
				CHECK_INT(calls[kinds[k]], 0);
				CHECK_INT(future_monitor_remove(m,
						  probe_future(&p[i])),
					0);
				atomic_store(&p[i].polls, 0);
				continue;
			}
			CHECK_INT(rc, ENOMEM);
			refused++;
			CHECK_INT(atomic_load(&p[i].polls), 0);
			CHECK_INT(FUTURE_STATE(&p[i].fut), FUTURE_STATE_IDLE);
			CHECK_INT(future_monitor_count(m), i);
			CHECK_INT(future_monitor_remove(m, probe_future(&p[i])),
				ENOENT);
		}
		CHECK_INT(future_monitor_add(m, probe_future(&p[i]), &p[i]), 0);
	}
	/* tables of 16 to 512, and as many blocks */
	CHECK_INT(refused, 12);
	for (int i = 0; i < N; i++) {
		probe_finish(&p[i]);
		CHECK(next_woken(m) == &p[i]);
	}
	future_monitor_delete(m);
	for (int i = 0; i < N; i++)
		probe_fini(&p[i]);
	free(p);
}

/* Nor is any needed to say that there is nothing to watch. */
static void
adding_complete_ones(void)
{
	struct future_monitor *m = new_monitor();
	struct probe_future done;

	FUTURE_INIT_COMPLETE(&done);
	for (int kind = MALLOC; kind <= CALLOC; kind++) {
		arm((enum kind)kind, ENOMEM, 0);
		CHECK_INT(future_monitor_add(m, FUTURE_AS_RUNNABLE(&done), m),
			EALREADY);
		disarm();
	}
	future_monitor_delete(m);
}

/* A thousand wakes, one system call; and two a run that has nothing to do. */
static void
counting_calls(void)
{
	enum { N = 1000 };
	struct future_monitor *m = new_monitor();
	struct probe *p = t_malloc(N * sizeof(*p));
	void *done[N];
	size_t n = 0;

	arm(KINDS, 0, 0);
	for (int i = 0; i < N; i++) {
		probe_init(&p[i], PROBE_WAKER);
		CHECK_INT(future_monitor_add(m, probe_future(&p[i]), &p[i]), 0);
	}
	CHECK_INT(calls[READ] + calls[WRITE], 0);
	/* each twice as large as the one before */
	CHECK_INT(calls[CALLOC], 7);
	CHECK_INT(calls[MALLOC], 7);
	for (int i = 0; i < N; i++)
		probe_finish(&p[i]);
	CHECK_INT(calls[WRITE], 1);
	for (long runs = 1; n < N; runs++) {
		n += future_monitor_run(m, done, N);
		CHECK_INT(calls[READ], runs);
		/* one for what is left, none at the end */
		CHECK_INT(calls[WRITE], n < N ? 1 + runs : runs);
	}
	future_monitor_delete(m);
	for (int i = 0; i < N; i++)
		probe_fini(&p[i]);
	free(p);
}

static void
ringing_and_draining(void)
{
	static const int errors[] = {EINTR, EAGAIN};

	for (size_t i = 0; i < T_COUNT(errors); i++) {
		struct future_monitor *m = new_monitor();
		struct probe p;

		probe_init(&p, PROBE_WAKER);
		CHECK_INT(future_monitor_add(m, probe_future(&p), &p), 0);
		arm(WRITE, errors[i], 0);
		errno = 77;
		probe_wake(&p);
		CHECK_INT(errno, 77);
		/* EAGAIN says that it has been readable, which is not true here */
		CHECK_INT(readable(m, 0), errors[i] == EINTR);
		arm(READ, errors[i], 0);
		run_in_vain(m);
		disarm();
		CHECK_INT(errno, 77);
		CHECK_INT(calls[READ], errors[i] == EINTR ? 2 : 1);
		CHECK_INT(readable(m, 0), 0);
		CHECK_INT(atomic_load(&p.polls), 2);
		future_monitor_delete(m);
		probe_fini(&p);
	}
}

/* Rung over and over, and never drained: readable, and nobody blocks. */
static void
rung_many_times(void)
{
	struct future_monitor *m = new_monitor();
	struct probe p;
	struct probe other;

	probe_init(&p, PROBE_WAKER);
	probe_init(&other, PROBE_WAKER);
	CHECK_INT(future_monitor_add(m, probe_future(&other), &other), 0);
	arm(KINDS, 0, 0);
	for (int i = 0; i < 200000; i++) {
		CHECK_INT(future_monitor_add(m, probe_future(&p), &p), 0);
		probe_wake(&p);
		CHECK_INT(future_monitor_remove(m, probe_future(&p)), 0);
	}
	/* each time that add was out of memory it looked at the stack */
	CHECK(calls[WRITE] > 10000);
	CHECK_INT(readable(m, 0), 1);
	run_in_vain(m);
	CHECK_INT(readable(m, 0), 0);
	future_monitor_delete(m);
	probe_fini(&p);
	probe_fini(&other);
}

T_MAIN(T_CASE(making), T_CASE(adding), T_CASE(adding_complete_ones),
	T_CASE(counting_calls), T_CASE(ringing_and_draining),
	T_CASE(rung_many_times))
