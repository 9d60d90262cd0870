/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_threads.c -- operations of the threads mover, and functions of one's own
 *
 * Notifiers: test_threads_wake.c. Thousands at a time, large ones and limits:
 * test_threads_many.c. Making and unmaking movers: test_threads_new.c.
 */

#include "bytes.h"
#include "gated.h"

static struct data_mover_threads *mover;
static struct vdm *vdm;
static struct runtime *runtime;
static struct future_waiter *waiter;

static void
setup(size_t nthreads, enum future_notifier_type desired, int queued)
{
	mover = data_mover_threads_new(nthreads, 16, desired);
	CHECK(mover != NULL);
	vdm = data_mover_threads_get_vdm(mover);
	CHECK(vdm != NULL);
	if (queued)
		data_mover_threads_set_inline_below(mover, 0);
	runtime = new_runtime();
	waiter = new_waiter();
}

static void
teardown(void)
{
	future_waiter_delete(waiter);
	runtime_delete(runtime);
	data_mover_threads_delete(mover);
}

static void
finish_by_runtime(struct vdm_operation_future *fut)
{
	runtime_wait(runtime, FUTURE_AS_RUNNABLE(fut));
}

static void
finish_by_waiter(struct vdm_operation_future *fut)
{
	wait_with(waiter, FUTURE_AS_RUNNABLE(fut));
}

static void
finish_by_polling(struct vdm_operation_future *fut)
{
	poll_out(FUTURE_AS_RUNNABLE(fut));
}

static void
every_operation(void)
{
	for (int type = 0; type <= FUTURE_NOTIFIER_POLLER; type++) {
		for (int queued = 0; queued <= 1; queued++) {
			setup(2, (enum future_notifier_type)type, queued);
			bytes_try_all(vdm, 16384, finish_by_runtime);
			bytes_try_all(vdm, 4096, finish_by_waiter);
			bytes_try_all(vdm, 16384, finish_by_polling);
			teardown();
		}
	}
}

static void
every_operation_up_to_megabytes(void)
{
	setup(2, FUTURE_NOTIFIER_WAKER, 0);
	bytes_try_all(vdm, 3145733, finish_by_runtime);
	bytes_try_all(vdm, 262144, finish_by_waiter);
	teardown();
}

static void
inline_below(void)
{
	struct vdm_operation_future f[3];
	struct copy c;
	char buf[300];
	size_t usual;

	setup(1, FUTURE_NOTIFIER_WAKER, 0);
	usual = data_mover_threads_get_inline_below(mover);
	CHECK(usual > 0);
	CHECK(usual <= 1024 * 1024);
	data_mover_threads_set_inline_below(mover, 100);
	CHECK_INT(data_mover_threads_get_inline_below(mover), 100);
	for (size_t n = 0; n < 100; n++) {
		/* done by the first poll, on this thread */
		f[0] = vdm_memset(vdm, buf, 1, n, 0);
		CHECK_INT(future_poll(FUTURE_AS_RUNNABLE(&f[0]), NULL),
			FUTURE_STATE_COMPLETE);
	}
	/* with the worker held, the difference shows */
	CHECK(sem_init(&gate_entered, 0, 0) == 0);
	CHECK(sem_init(&gate, 0, 0) == 0);
	data_mover_threads_set_memcpy_fn(mover, gated_memcpy);
	copy_init(&c, vdm, 1);
	CHECK_INT(copy_poll(&c, NULL), FUTURE_STATE_RUNNING);
	t_pass(&gate_entered);
	for (size_t n = 99; n <= 101; n++) {
		f[n - 99] = vdm_memset(vdm, buf, 1, n, 0);
		CHECK_INT(future_poll(FUTURE_AS_RUNNABLE(&f[n - 99]), NULL),
			n < 100 ? FUTURE_STATE_COMPLETE : FUTURE_STATE_RUNNING);
	}
	t_open(&gate);
	for (int i = 0; i < 3; i++)
		poll_out(FUTURE_AS_RUNNABLE(&f[i]));
	poll_out(copy_future(&c));
	copy_check(&c);
	data_mover_threads_set_inline_below(mover, 0);
	CHECK_INT(data_mover_threads_get_inline_below(mover), 0);
	data_mover_threads_set_inline_below(mover, SIZE_MAX);
	CHECK(data_mover_threads_get_inline_below(mover) == SIZE_MAX);
	teardown();
}

/* What a function of ours was called with. */
static struct {
	atomic_int calls;
	void *dst;
	const void *src;
	int c;
	size_t n;
	unsigned flags;
	pthread_t thread;
	sigset_t blocked;
} seen;

static void *
my_copy(void *dst, const void *src, size_t n, unsigned flags)
{
	atomic_fetch_add(&seen.calls, 1);
	seen.dst = dst;
	seen.src = src;
	seen.n = n;
	seen.flags = flags;
	seen.thread = pthread_self();
	pthread_sigmask(SIG_BLOCK, NULL, &seen.blocked);
	return memmove(dst, src, n);
}

static void *
my_set(void *str, int c, size_t n, unsigned flags)
{
	seen.c = c;
	/* the bytes shall show whose function it was */
	my_copy(str, str, n, flags);
	return memset(str, c + 1, n);
}

/* One operation of n bytes; the function is called once, with all of it. */
static void
check_own(size_t n, enum vdm_operation_type type)
{
	const uint64_t flags = UINT64_C(0x700000000) + VDM_F_NO_CACHE_HINT + 4;
	unsigned char *from = t_malloc(n);
	unsigned char *to = t_malloc(n);
	struct vdm_operation_future f;

	t_fill(from, n, n);
	memset(to, 0, n);
	memset(&seen, 0, sizeof(seen));
	if (type == VDM_OPERATION_MEMCPY)
		f = vdm_memcpy(vdm, to, from, n, flags);
	else if (type == VDM_OPERATION_MEMMOVE)
		f = vdm_memmove(vdm, to, from, n, flags);
	else
		f = vdm_memset(vdm, to, 'x', n, flags);
	finish_by_polling(&f);
	CHECK_INT(f.output.result, VDM_SUCCESS);
	CHECK(f.output.output.memcpy.dest == to);
	CHECK_INT(atomic_load(&seen.calls), 1);
	CHECK(seen.dst == to);
	CHECK(seen.n == n);
	CHECK_INT(seen.flags, (unsigned)flags);
	/* never inline, however small */
	CHECK(!pthread_equal(seen.thread, pthread_self()));
	if (type == VDM_OPERATION_MEMSET) {
		CHECK_INT(seen.c, 'x');
		for (size_t i = 0; i < n; i++)
			CHECK(to[i] == 'x' + 1);
	} else {
		CHECK(seen.src == from);
		CHECK(memcmp(to, from, n) == 0);
	}
	free(to);
	free(from);
}

static void
own_functions(void)
{
	static const size_t sizes[] = {1, 64, 5000, 1048577, 16777217};

	for (int queued = 0; queued <= 1; queued++) {
		setup(3, FUTURE_NOTIFIER_WAKER, queued);
		data_mover_threads_set_memcpy_fn(mover, my_copy);
		data_mover_threads_set_memmove_fn(mover, my_copy);
		data_mover_threads_set_memset_fn(mover, my_set);
		for (size_t i = 0; i < T_COUNT(sizes); i++) {
			check_own(sizes[i], VDM_OPERATION_MEMCPY);
			check_own(sizes[i], VDM_OPERATION_MEMMOVE);
			check_own(sizes[i], VDM_OPERATION_MEMSET);
		}
		teardown();
	}
}

static void
own_functions_are_apart(void)
{
	setup(2, FUTURE_NOTIFIER_WAKER, 1);
	data_mover_threads_set_memcpy_fn(mover, my_copy);
	data_mover_threads_set_memset_fn(mover, my_set);
	data_mover_threads_set_memset_fn(mover, NULL);
	check_own(100, VDM_OPERATION_MEMCPY);
	/* NULL restored the ones of the mover */
	data_mover_threads_set_memcpy_fn(mover, NULL);
	memset(&seen, 0, sizeof(seen));
	bytes_try_all(vdm, 65537, finish_by_polling);
	bytes_try_all(vdm, 4096, finish_by_runtime);
	CHECK_INT(atomic_load(&seen.calls), 0);
	teardown();
	setup(2, FUTURE_NOTIFIER_WAKER, 1);
	/* a new mover knows nothing of the old one's */
	bytes_try_all(vdm, 4096, finish_by_polling);
	CHECK_INT(atomic_load(&seen.calls), 0);
	teardown();
}

static void
properties(void)
{
	char buf[8];
	struct vdm_operation_future f;

	setup(1, FUTURE_NOTIFIER_WAKER, 0);
	CHECK_INT(vdm->capabilities, 0);
	CHECK(!vdm_is_supported(vdm, VDM_F_MEM_DURABLE));
	CHECK(!vdm_is_supported(vdm, VDM_F_NO_CACHE_HINT));
	CHECK(!vdm_is_supported(vdm, VDM_F_VALID_FLAGS));
	CHECK(vdm->has_property != NULL);
	CHECK(data_mover_threads_get_vdm(mover) == vdm);
	f = vdm_memset(vdm, buf, 1, 8, 0);
	CHECK_INT(future_has_property(FUTURE_AS_RUNNABLE(&f),
			  FUTURE_PROPERTY_ASYNC),
		1);
	poll_out(FUTURE_AS_RUNNABLE(&f));
	CHECK_INT(future_has_property(FUTURE_AS_RUNNABLE(&f),
			  FUTURE_PROPERTY_ASYNC),
		1);
	/* an unknown property is one it does not have */
	CHECK_INT(future_has_property(FUTURE_AS_RUNNABLE(&f),
			  (enum future_property)77),
		0);
	teardown();
}

/* Workers leave signals to the program's threads, except those about itself. */
static void
workers_block_signals(void)
{
	static const int open[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
	sigset_t before, after;

	CHECK(pthread_sigmask(SIG_BLOCK, NULL, &before) == 0);
	setup(1, FUTURE_NOTIFIER_WAKER, 1);
	CHECK(pthread_sigmask(SIG_BLOCK, NULL, &after) == 0);
	data_mover_threads_set_memcpy_fn(mover, my_copy);
	check_own(64, VDM_OPERATION_MEMCPY);
	for (int sig = 1; sig <= SIGRTMAX; sig++) {
		int is_open = sig == SIGKILL || sig == SIGSTOP;

		/* below SIGRTMIN the C library has some of its own */
		if (sig > 31 && sig < SIGRTMIN)
			continue;
		/* and QEMU keeps the last two from programs */
		if (T_EMULATED && sig > SIGRTMAX - 2)
			continue;
		for (size_t i = 0; i < T_COUNT(open); i++)
			is_open |= sig == open[i];
		CHECK_INT(sigismember(&seen.blocked, sig), !is_open);
		CHECK_INT(sigismember(&after, sig), sigismember(&before, sig));
	}
	teardown();
}

/* Several threads make, poll and wait at the same time. */
static void *
use_the_mover(void *arg)
{
	void (*finish)(struct vdm_operation_future *) = finish_by_runtime;

	if ((uintptr_t)arg % 3 == 1)
		finish = finish_by_waiter;
	if ((uintptr_t)arg % 3 == 2)
		finish = finish_by_polling;
	bytes_try_all(vdm, 65537, finish);
	return NULL;
}

static void
used_by_several_threads(void)
{
	pthread_t threads[4];

	for (int queued = 0; queued <= 1; queued++) {
		setup(2, FUTURE_NOTIFIER_WAKER, queued);
		for (uintptr_t i = 0; i < T_COUNT(threads); i++)
			t_start(&threads[i], use_the_mover, (void *)i);
		for (size_t i = 0; i < T_COUNT(threads); i++)
			t_join(threads[i]);
		teardown();
	}
}

T_MAIN(T_CASE(every_operation), T_CASE(every_operation_up_to_megabytes),
	T_CASE(inline_below), T_CASE(own_functions),
	T_CASE(own_functions_are_apart), T_CASE(properties),
	T_CASE(workers_block_signals), T_CASE(used_by_several_threads))
