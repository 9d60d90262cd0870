/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_memory.c -- when there is no memory: who reports it, who does without
 *
 * Linked so that the library's allocations come here, where one of them, or all
 * from one on, can be made to fail.
 */

#include "gated.h"
#include "probe.h"

#include <sys/mman.h>

static _Atomic long allocations;
static _Atomic long fail_at = -1; /* the number of the one that fails */
static _Atomic int fail_after; /* and all behind it */

static int
refuse(void)
{
	long n = atomic_fetch_add(&allocations, 1);
	long at = atomic_load(&fail_at);

	if (at < 0 || n < at || (n > at && !atomic_load(&fail_after)))
		return 0;
	errno = ENOMEM;
	return 1;
}

/* Fails number n from here on, and all behind it; -1: none. */
static void
fail(long n, int and_after)
{
	atomic_store(&fail_at, -1);
	atomic_store(&allocations, 0);
	atomic_store(&fail_after, and_after);
	atomic_store(&fail_at, n);
}

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *
__wrap_malloc(size_t n)
{
	return refuse() ? NULL : __real_malloc(n);
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *
__wrap_calloc(size_t n, size_t size)
{
	return refuse() ? NULL : __real_calloc(n, size);
}

void *__real_realloc(void *old, size_t n);
void *__wrap_realloc(void *old, size_t n);
void *
__wrap_realloc(void *old, size_t n)
{
	return refuse() ? NULL : __real_realloc(old, n);
}

void *__real_aligned_alloc(size_t align, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);
void *
__wrap_aligned_alloc(size_t align, size_t n)
{
	return refuse() ? NULL : __real_aligned_alloc(align, n);
}

int __real_posix_memalign(void **at, size_t align, size_t n);
int __wrap_posix_memalign(void **at, size_t align, size_t n);
int
__wrap_posix_memalign(void **at, size_t align, size_t n)
{
	return refuse() ? ENOMEM : __real_posix_memalign(at, align, n);
}

void *__real_mmap(void *at, size_t n, int prot, int flags, int fd,
	off_t offset);
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd,
	off_t offset);
void *
__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
	return refuse() ? MAP_FAILED
			: __real_mmap(at, n, prot, flags, fd, offset);
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
delete_runtime(void *r)
{
	runtime_delete(r);
}

static void
delete_waiter(void *w)
{
	future_waiter_delete(w);
}

static void
delete_sync(void *m)
{
	data_mover_sync_delete(m);
}

static void
delete_threads(void *m)
{
	data_mover_threads_delete(m);
}

/* Each allocation fails in turn, until there are no more of them. */
static void
fail_in_turn(void *(*make)(void), void (*delete)(void *))
{
	int more = 1;

	for (long i = 0; more; i++) {
		void *made;

		fail(i, 0);
		errno = 0;
		made = make();
		more = atomic_load(&allocations) > i;
		if (made == NULL) {
			CHECK_INT(errno, ENOMEM);
			CHECK(more);
		}
		fail(-1, 0);
		delete(made);
	}
}

static void
making_things(void)
{
	fail_in_turn(make_runtime, delete_runtime);
	fail_in_turn(make_waiter, delete_waiter);
	fail_in_turn(make_sync, delete_sync);
	fail_in_turn(make_threads, delete_threads);
	fail_in_turn(make_default, delete_threads);
}

static void
making_operations(void)
{
	enum { N = 5000 };
	struct data_mover_threads *m = make_threads();
	struct vdm_operation_future *f = t_malloc(N * sizeof(*f));
	int refused = 0;
	char buf[64];

	CHECK(m != NULL);
	for (int i = 0; i < N; i++) {
		fail(i % 2 == 0 ? 0 : -1, 1);
		f[i] = vdm_memset(data_mover_threads_get_vdm(m), buf, i, 64, 0);
		fail(-1, 0);
		if (FUTURE_STATE(&f[i]) == FUTURE_STATE_IDLE)
			continue;
		refused++;
		CHECK_INT(i % 2, 0);
		CHECK_INT(f[i].output.result, VDM_ERROR_OUT_OF_MEMORY);
		CHECK_INT(f[i].output.type, VDM_OPERATION_MEMSET);
		CHECK(f[i].output.output.memset.str == NULL);
	}
	CHECK(refused > 0);
	for (int i = 0; i < N; i++)
		poll_out(FUTURE_AS_RUNNABLE(&f[i]));
	data_mover_threads_delete(m);
	free(f);
}

static void *
finish_all(void *arg)
{
	struct probe *p = arg;

	for (int i = 0; i < 100; i++) {
		probe_await(&p[i], 1);
		probe_finish(&p[i]);
	}
	return NULL;
}

static void
init_all(struct probe *p, struct future **futs)
{
	for (int i = 0; i < 100; i++) {
		probe_init(&p[i], (enum probe_kind)(i % 3));
		futs[i] = probe_future(&p[i]);
	}
}

/* Row 2: without memory a wait is slower, that is all. */
static void
waiting(void)
{
	struct runtime *r = new_runtime();
	struct future_waiter *w = new_waiter();
	struct probe *p = t_malloc(100 * sizeof(*p));
	struct future *futs[100];
	pthread_t other;

	for (long at = 0; at < 4; at++) {
		init_all(p, futs);
		t_start(&other, finish_all, p);
		fail(at, 1);
		runtime_wait_multiple(r, futs, 100);
		fail(-1, 0);
		t_join(other);
		for (int i = 0; i < 100; i++)
			CHECK_INT(FUTURE_STATE(&p[i].fut),
				FUTURE_STATE_COMPLETE);

		init_all(p, futs);
		fail(at, 1);
		CHECK_INT(future_waiter_wait(w, futs, 100, 100,
				  t_now() + 2 * T_MS, 0),
			ETIMEDOUT);
		fail(-1, 0);
		t_start(&other, finish_all, p);
		fail(at, 1);
		CHECK_INT(future_waiter_wait(w, futs, 100, 100,
				  FUTURE_WAITER_FOREVER, 0),
			0);
		fail(-1, 0);
		t_join(other);
		/* fresh ones, which have no memory from earlier waits */
		runtime_delete(r);
		future_waiter_delete(w);
		r = new_runtime();
		w = new_waiter();
	}
	runtime_delete(r);
	future_waiter_delete(w);
	free(p);
}

static struct runtime *inner_runtime;

/* Waits inside, where the runtime needs more memory than it began with. */
static void
wait_inside(struct probe *p, int poll, struct future_notifier *notifier)
{
	struct probe inner;

	(void)poll;
	(void)notifier;
	probe_init(&inner, PROBE_NONE);
	inner.done_at = 3;
	inner.id = p->id + 1;
	if (p->id < 5)
		inner.on_poll = wait_inside;
	runtime_wait(inner_runtime, probe_future(&inner));
	CHECK_INT(FUTURE_STATE(&inner.fut), FUTURE_STATE_COMPLETE);
}

static void
nested_waiting(void)
{
	struct runtime *r = new_runtime();
	struct probe p;

	inner_runtime = r;
	probe_init(&p, PROBE_NONE);
	p.done_at = 2;
	p.on_poll = wait_inside;
	fail(0, 1);
	runtime_wait(r, probe_future(&p));
	fail(-1, 0);
	CHECK_INT(FUTURE_STATE(&p.fut), FUTURE_STATE_COMPLETE);
	runtime_delete(r);
}

/* Operations of the threads mover finish, though nobody can be woken. */
static void
waiting_for_operations(void)
{
	struct data_mover_threads *m = make_threads();
	struct runtime *r = new_runtime();
	struct copy *c = t_malloc(200 * sizeof(*c));
	struct future *futs[200];

	CHECK(m != NULL);
	data_mover_threads_set_inline_below(m, 0);
	for (int i = 0; i < 200; i++) {
		copy_init(&c[i], data_mover_threads_get_vdm(m), (uint64_t)i);
		futs[i] = copy_future(&c[i]);
	}
	fail(0, 1);
	runtime_wait_multiple(r, futs, 200);
	fail(-1, 0);
	for (int i = 0; i < 200; i++)
		copy_check(&c[i]);
	runtime_delete(r);
	data_mover_threads_delete(m);
	free(c);
}

T_MAIN(T_CASE(making_things), T_CASE(making_operations), T_CASE(waiting),
	T_CASE(nested_waiting), T_CASE(waiting_for_operations))
