/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_threads_new.c -- making and deleting threads movers, and what goes wrong
 *
 * pthread_create is replaced by one that fails when it is told to.
 */

#include "gated.h"

#include <dlfcn.h>

static atomic_int creates_left = -1; /* so many succeed; below 0: all */
static atomic_int creates;
static atomic_int creates_failed;

int
pthread_create(pthread_t *thread, const pthread_attr_t *attr,
	void *(*body)(void *), void *arg)
{
	int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *),
		void *);
	void *symbol = dlsym(RTLD_NEXT, "pthread_create");

	memcpy(&real, &symbol, sizeof(real));
	if (creates_left == 0) {
		creates_failed++;
		return EAGAIN;
	}
	if (creates_left > 0)
		creates_left--;
	creates++;
	return real(thread, attr, body, arg);
}

static void
lives_and_dies(void)
{
	data_mover_threads_delete(NULL);
	for (size_t i = 1; i <= 16; i++) {
		struct data_mover_threads *m =
			data_mover_threads_new(i, i, FUTURE_NOTIFIER_WAKER);

		CHECK(m != NULL);
		CHECK_INT(data_mover_threads_get_nthreads(m), i);
		CHECK(data_mover_threads_get_vdm(m) != NULL);
		data_mover_threads_delete(m);
	}
}

/* Rows 10 and 22, and a notifier that does not exist. */
static void
bad_arguments(void)
{
	static const struct {
		size_t nthreads;
		size_t ringbuf_size;
		int desired;
	} bad[] = {{0, 16, FUTURE_NOTIFIER_WAKER},
		{2, 0, FUTURE_NOTIFIER_WAKER}, {0, 0, FUTURE_NOTIFIER_NONE},
		{2, 16, 3}, {2, 16, 77}, {2, 16, -1}};

	creates = 0;
	for (size_t i = 0; i < T_COUNT(bad); i++) {
		errno = 0;
		CHECK(data_mover_threads_new(bad[i].nthreads,
			      bad[i].ringbuf_size,
			      (enum future_notifier_type)bad[i].desired) ==
			NULL);
		CHECK_INT(errno, EINVAL);
	}
	CHECK_INT(creates, 0);
}

/* Row 14: any ring size, not only powers of two. */
static void
any_ring_size(void)
{
	static const size_t sizes[] = {1, 2, 3, 100, 1000, 1000003, SIZE_MAX};

	for (size_t i = 0; i < T_COUNT(sizes); i++) {
		struct data_mover_threads *m = data_mover_threads_new(1,
			sizes[i], FUTURE_NOTIFIER_WAKER);
		struct copy c;

		CHECK(m != NULL);
		data_mover_threads_set_inline_below(m, 0);
		copy_init(&c, data_mover_threads_get_vdm(m), i);
		poll_out(copy_future(&c));
		copy_check(&c);
		data_mover_threads_delete(m);
	}
}

/* Row 10: one thread that cannot be had undoes all the others. */
static void
threads_run_out(void)
{
	for (int n = 1; n <= 5; n++) {
		for (int i = 0; i < n; i++) {
			creates = creates_failed = 0;
			creates_left = i;
			errno = 0;
			CHECK(data_mover_threads_new((size_t)n, 16,
				      FUTURE_NOTIFIER_WAKER) == NULL);
			CHECK_INT(errno, EAGAIN);
			CHECK_INT(creates, i);
			CHECK_INT(creates_failed, 1);
		}
		creates_left = -1;
	}
	creates_left = 0;
	errno = 0;
	CHECK(data_mover_threads_default() == NULL);
	CHECK_INT(errno, EAGAIN);
	creates_left = -1;
}

/* They are there when it returns, not when they are first needed. */
static void
threads_start_at_once(void)
{
	struct data_mover_threads *m;

	creates = 0;
	m = data_mover_threads_new(3, 16, FUTURE_NOTIFIER_WAKER);
	CHECK(m != NULL);
	CHECK_INT(creates, 3);
	data_mover_threads_delete(m);
}

/* Row 11: no more workers than processors this process may use. */
static void
default_mover(void)
{
	struct data_mover_threads *m;
	cpu_set_t all, one;
	struct counting by;
	struct copy c;
	int allowed;
	int cpu = 0;

	CHECK(sched_getaffinity(0, sizeof(all), &all) == 0);
	allowed = CPU_COUNT(&all);
	m = data_mover_threads_default();
	CHECK(m != NULL);
	CHECK(data_mover_threads_get_nthreads(m) >= 1);
	CHECK(data_mover_threads_get_nthreads(m) <= (size_t)allowed);
	CHECK(data_mover_threads_get_nthreads(m) <= 16);
	data_mover_threads_delete(m);

	while (!CPU_ISSET(cpu, &all))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
	m = data_mover_threads_default();
	CHECK(m != NULL);
	CHECK(sched_setaffinity(0, sizeof(all), &all) == 0);
#ifndef MA_PORTABLE /* which does not know of affinity */
	CHECK_INT(data_mover_threads_get_nthreads(m), 1);
#endif

	/* its operations announce wakers */
	CHECK(sem_init(&gate_entered, 0, 0) == 0);
	CHECK(sem_init(&gate, 0, 0) == 0);
	data_mover_threads_set_memcpy_fn(m, gated_memcpy);
	copy_init(&c, data_mover_threads_get_vdm(m), 1);
	CHECK_INT(copy_poll(&c, NULL), FUTURE_STATE_RUNNING);
	t_pass(&gate_entered);
	counting_init(&by);
	CHECK_INT(copy_poll(&c, &by.notifier), FUTURE_STATE_RUNNING);
	CHECK_INT(by.notifier.notifier_used, FUTURE_NOTIFIER_WAKER);
	t_open(&gate);
	copy_await(&c, &by);
	copy_check(&c);
	data_mover_threads_delete(m);
}

static void *
make_and_delete(void *arg)
{
	(void)arg;
	for (int i = 0; i < 50; i++) {
		struct data_mover_threads *m =
			data_mover_threads_new(2, 1, FUTURE_NOTIFIER_WAKER);
		struct copy c;

		CHECK(m != NULL);
		data_mover_threads_set_inline_below(m, 0);
		copy_init(&c, data_mover_threads_get_vdm(m), (uint64_t)i);
		/* deleted while it may be running */
		copy_poll(&c, NULL);
		data_mover_threads_delete(m);
		CHECK(memcmp(c.dst, c.src, sizeof(c.dst)) == 0);
	}
	return NULL;
}

static void
many_at_a_time(void)
{
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		t_start(&threads[i], make_and_delete, NULL);
	for (int i = 0; i < 3; i++)
		t_join(threads[i]);
}

T_MAIN(T_CASE(lives_and_dies), T_CASE(bad_arguments), T_CASE(any_ring_size),
	T_CASE(threads_run_out), T_CASE(threads_start_at_once),
	T_CASE(default_mover), T_CASE(many_at_a_time))
