/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_faults_waits.c -- the system refuses what waits and workers ask for
 *
 * They cannot say so, and have to do without. (Memory for waits and operations:
 * test_memory.c.)
 */

#include "faults.h"

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
		struct data_mover_threads *m =
			data_mover_threads_new(3, 16, FUTURE_NOTIFIER_WAKER);
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

T_MAIN(T_CASE(sleeping), T_CASE(deadlines), ON_FUTEXES T_CASE(nowhere_to_sleep),
	T_CASE(interrupted_without_memory), T_CASE(operations))
