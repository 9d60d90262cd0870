/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_threads_left.c -- what is left to a worker that does not come back
 *
 * One worker is at a page that is not there, and nobody has noticed. Another one, or a
 * wait, leaves an operation behind: they have to notice, since nobody polls it. Time
 * is the test's own.
 */

#include "helpers.h"

#include "counted_wakes.h"
#include "missing.h"
#include "os.h"

#define MIB ((size_t)1 << 20)

size_t __wrap_ma__os_cpus(void);
size_t
__wrap_ma__os_cpus(void)
{
	return 2;
}

enum { SMALL = 64, LARGE = 2 << 20 };

static unsigned char small[SMALL];
static unsigned char large[LARGE];
static unsigned char from[SMALL];
static sem_t entered;
static sem_t leave;

static void
block(void *data)
{
	(void)data;
	t_open(&entered);
	t_pass(&leave);
}

static void *
blocking_memcpy(void *dst, const void *src, size_t n, unsigned flags)
{
	(void)flags;
	block(NULL);
	return memcpy(dst, src, n);
}

/* Of an operation that one worker is stuck in. */
struct stuck {
	struct missing missing;
	struct vdm_operation_future fill;
};

/* Fills what is there for one piece, or more. */
static void
stick(struct stuck *s, struct vdm *vdm, size_t n)
{
	missing_init(&s->missing, n);
	s->fill = vdm_memset(vdm, s->missing.bytes, 5, n, 0);
	CHECK_INT(future_poll(FUTURE_AS_RUNNABLE(&s->fill), NULL),
		FUTURE_STATE_RUNNING);
	t_pass(&s->missing.met);
}

static void
provide(struct stuck *s)
{
	t_open(&s->missing.provide);
}

static void
end(struct stuck *s)
{
	poll_out(FUTURE_AS_RUNNABLE(&s->fill));
	CHECK(s->missing.bytes[0] == 5 &&
		s->missing.bytes[s->missing.n - 1] == 5);
	missing_fini(&s->missing);
}

/* Two workers are stuck, and nobody knows of the second one. */
static void
stick_two(struct stuck *first, struct stuck *second, struct vdm *vdm)
{
	stick(first, vdm, MISSING_N);
	let_pass(3 * T_MS);
	stick(second, vdm, MISSING_N);
}

static void
tell(void *data)
{
	t_open((sem_t *)data);
}

/* Starts it by one poll that nobody repeats. */
static void
start(struct vdm_operation_future *fut, struct vdm_operation_future of,
	void (*wake)(void *data), void *data)
{
	struct future_notifier n;

	memset(&n, 0, sizeof(n));
	n.waker.wake = wake;
	n.waker.data = data;
	*fut = of;
	CHECK_INT(future_poll(FUTURE_AS_RUNNABLE(fut), &n),
		FUTURE_STATE_RUNNING);
	CHECK_INT(n.notifier_used,
		wake != NULL ? FUTURE_NOTIFIER_WAKER : FUTURE_NOTIFIER_NONE);
}

/*
 * A worker begins what may block, a function or a waker, and leaves the large fill
 * behind. The third worker sleeps.
 */
static void
behind_what_blocks(bool function)
{
	struct data_mover_threads *const m = new_queueing_mover(3);
	struct vdm *const vdm = data_mover_threads_get_vdm(m);
	struct stuck first;
	struct stuck second;
	struct vdm_operation_future blocks;
	struct vdm_operation_future left;
	sem_t done;

	data_mover_threads_set_memcpy_fn(m, blocking_memcpy);
	CHECK(sem_init(&entered, 0, 0) == 0);
	CHECK(sem_init(&leave, 0, 0) == 0);
	CHECK(sem_init(&done, 0, 0) == 0);
	settle(0);
	stick_two(&first, &second, vdm);
	settle(2);
	if (function)
		start(&blocks, vdm_memcpy(vdm, small, from, SMALL, 0), NULL,
			NULL);
	else
		start(&blocks, vdm_memset(vdm, small, 7, SMALL, 0), block,
			NULL);
	start(&left, vdm_memset(vdm, large, 7, LARGE, 0), tell, &done);
	atomic_store(&wakes, 0);
	let_pass(3 * T_MS);
	provide(&first);
	t_pass(&entered);
	CHECK_INT(atomic_load(&wakes), 1);
	t_pass(&done);
	poll_out(FUTURE_AS_RUNNABLE(&left));
	CHECK(large[0] == 7 && large[LARGE - 1] == 7);
	t_open(&leave);
	provide(&second);
	poll_out(FUTURE_AS_RUNNABLE(&blocks));
	end(&first);
	end(&second);
	data_mover_threads_delete(m);
}

static void
behind_a_function(void)
{
	behind_what_blocks(true);
}

static void
behind_a_waker(void)
{
	behind_what_blocks(false);
}

/* What comes next in the same line, when the first has been begun. */
static void
in_one_line(void)
{
	struct data_mover_threads *const m = new_queueing_mover(2);
	struct vdm *const vdm = data_mover_threads_get_vdm(m);
	struct stuck stuck;
	struct vdm_operation_future left;
	sem_t done;

	CHECK(sem_init(&done, 0, 0) == 0);
	settle(0);
	stick(&stuck, vdm, LARGE);
	settle(1);
	atomic_store(&wakes, 0);
	let_pass(3 * T_MS);
	/* Or it might be complete before the poll ends. */
	atomic_store(&hold_next, 1);
	start(&left, vdm_memset(vdm, large, 7, LARGE, 0), tell, &done);
	CHECK_INT(atomic_load(&wakes), 1);
	CHECK(__real_pthread_cond_signal(held) == 0);
	t_pass(&done);
	poll_out(FUTURE_AS_RUNNABLE(&left));
	provide(&stuck);
	end(&stuck);
	data_mover_threads_delete(m);
}

/* A wait that does not come back to what it has started. */
static void
by_a_wait(void)
{
	struct data_mover_threads *const m = new_queueing_mover(2);
	struct vdm *const vdm = data_mover_threads_get_vdm(m);
	struct future_waiter *const waiter = new_waiter();
	struct stuck stuck;
	struct vdm_operation_future left;
	struct future *futs[2];

	for (int helps = 0; helps < 2; helps++) {
		data_mover_threads_set_inline_below(m, (size_t)helps);
		settle(0);
		stick(&stuck, vdm, MISSING_N);
		settle(1);
		atomic_store(&wakes, 0);
		let_pass(3 * T_MS);
		memset(large, 0, LARGE);
		left = vdm_memset(vdm, large, 7, LARGE, 0);
		futs[0] = FUTURE_AS_RUNNABLE(&stuck.fill);
		futs[1] = FUTURE_AS_RUNNABLE(&left);
		/* Who is woken may wake the waiter in the same way. */
		atomic_store(&hold_next, 1);
		CHECK_INT(future_waiter_wait(waiter, futs, 2, 2, 0, 0),
			ETIMEDOUT);
		CHECK_INT(atomic_load(&wakes), 1);
		CHECK(__real_pthread_cond_signal(held) == 0);
		poll_out(FUTURE_AS_RUNNABLE(&left));
		CHECK(large[0] == 7 && large[LARGE - 1] == 7);
		provide(&stuck);
		end(&stuck);
	}
	future_waiter_delete(waiter);
	data_mover_threads_delete(m);
}

static void *
wait_for(void *fut)
{
	struct runtime *const runtime = new_runtime();

	runtime_wait(runtime,
		FUTURE_AS_RUNNABLE((struct vdm_operation_future *)fut));
	runtime_delete(runtime);
	return NULL;
}

/* A worker that would be one too many beside a helper. */
static void
by_one_too_many(void)
{
	struct data_mover_threads *const m = new_queueing_mover(2);
	struct vdm *const vdm = data_mover_threads_get_vdm(m);
	struct stuck first;
	struct stuck second;
	struct missing helped;
	struct vdm_operation_future waited;
	struct vdm_operation_future left;
	pthread_t helper;
	sem_t done;

	data_mover_threads_set_inline_below(m, 1);
	CHECK(sem_init(&done, 0, 0) == 0);
	settle(0);
	stick_two(&first, &second, vdm);
	missing_init(&helped, MISSING_N);
	waited = vdm_memset(vdm, helped.bytes, 6, MISSING_N, 0);
	CHECK_INT(future_poll(FUTURE_AS_RUNNABLE(&waited), NULL),
		FUTURE_STATE_RUNNING);
	t_start(&helper, wait_for, &waited);
	t_pass(&helped.met);
	memset(small, 0, SMALL);
	start(&left, vdm_memset(vdm, small, 7, SMALL, 0), tell, &done);
	let_pass(3 * T_MS);
	provide(&first);
	settle(1);
	/* Before the other one went to sleep. */
	CHECK_INT(sem_trywait(&done), 0);
	poll_out(FUTURE_AS_RUNNABLE(&left));
	CHECK(small[0] == 7 && small[SMALL - 1] == 7);
	t_open(&helped.provide);
	t_join(helper);
	provide(&second);
	end(&first);
	end(&second);
	missing_fini(&helped);
	data_mover_threads_delete(m);
}

/*
 * What is left of the operation that it is stuck in is cut finely, once it is known.
 * But not for long, by a helper that finds it quick.
 */
static void
to_a_helper(void)
{
	const size_t n = 64 * MIB;
	struct data_mover_threads *const m = new_queueing_mover(2);
	struct vdm *const vdm = data_mover_threads_get_vdm(m);
	struct data_mover_threads_stats stats = {.size = sizeof(stats)};
	struct stuck stuck;
	struct vdm_operation_future beside;
	pthread_t helper;
	sem_t done;

	data_mover_threads_set_inline_below(m, 1);
	CHECK(sem_init(&done, 0, 0) == 0);
	settle(0);
	stick(&stuck, vdm, n);
	settle(1);
	let_pass(3 * T_MS);
	atomic_store(&hold_next, 1);
	start(&beside, vdm_memset(vdm, small, 7, SMALL, 0), tell, &done);
	CHECK_INT(atomic_load(&hold_next), 0);
	t_start(&helper, wait_for, &stuck.fill);
	do {
		sched_yield();
		CHECK_INT(data_mover_threads_get_stats(m, &stats), 0);
	} while (stats.worker_bytes + stats.waiter_bytes < n);
	CHECK_INT(stats.worker_pieces, 1);
	CHECK(stats.waiter_pieces < 2 * n / MIB);
	CHECK(__real_pthread_cond_signal(held) == 0);
	t_pass(&done);
	poll_out(FUTURE_AS_RUNNABLE(&beside));
	provide(&stuck);
	t_join(helper);
	end(&stuck);
	data_mover_threads_delete(m);
}

T_MAIN(T_CASE(behind_a_function), T_CASE(behind_a_waker), T_CASE(in_one_line),
	T_CASE(by_a_wait), T_CASE(by_one_too_many), T_CASE(to_a_helper))
