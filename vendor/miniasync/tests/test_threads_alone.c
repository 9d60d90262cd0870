/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_threads_alone.c -- a thread that waits for one operation executes it
 *
 * The mover's only worker is held in a fill of the test's own, so whatever ends
 * was not executed by it.
 */

#include "t.h"

#include <libminiasync.h>

#define LARGE ((size_t)16 << 20) /* is left to the workers */

static sem_t entered;
static sem_t leave;

static void *
held_memset(void *str, int c, size_t n, unsigned flags)
{
	(void)flags;
	t_open(&entered);
	t_pass(&leave);
	return memset(str, c, n);
}

struct held {
	struct data_mover_threads *mover;
	struct future_waiter *waiter;
	struct vdm_operation_future fill;
	unsigned char byte;
	unsigned char *src;
	unsigned char *dst;
};

static void
hold_with(struct held *h, size_t n, size_t inline_below)
{
	CHECK(sem_init(&entered, 0, 0) == 0);
	CHECK(sem_init(&leave, 0, 0) == 0);
	h->mover = data_mover_threads_new(1, 1, FUTURE_NOTIFIER_WAKER);
	h->waiter = future_waiter_new();
	CHECK(h->mover != NULL && h->waiter != NULL);
	data_mover_threads_set_memset_fn(h->mover, held_memset);
	data_mover_threads_set_inline_below(h->mover, inline_below);
	h->fill = vdm_memset(data_mover_threads_get_vdm(h->mover), &h->byte, 1,
		1, 0);
	CHECK_INT(future_poll(FUTURE_AS_RUNNABLE(&h->fill), NULL),
		FUTURE_STATE_RUNNING);
	t_pass(&entered);
	h->src = t_malloc(n);
	h->dst = t_malloc(n);
	t_fill(h->src, n, 7);
	memset(h->dst, 0, n);
}

static void
hold(struct held *h, size_t n)
{
	hold_with(h, n, 4096);
}

static void
let_go(struct held *h)
{
	t_open(&leave);
	FUTURE_BUSY_POLL(&h->fill);
	data_mover_threads_delete(h->mover);
	future_waiter_delete(h->waiter);
	free(h->src);
	free(h->dst);
}

static struct vdm_operation_future
copy(struct held *h, size_t n)
{
	return vdm_memcpy(data_mover_threads_get_vdm(h->mover), h->dst, h->src,
		n, 0);
}

static int
wait_for(struct held *h, struct future *fut, uint64_t ms)
{
	return future_waiter_wait(h->waiter, &fut, 1, 1, t_now() + ms * T_MS,
		0);
}

static void
without_a_deadline(void)
{
	static const size_t sizes[] = {0, 1, 4096, 1 << 20, (8 << 20) - 1};
	struct runtime *r = runtime_new();
	struct held h;

	CHECK(r != NULL);
	hold(&h, LARGE);
	for (size_t i = 0; i < T_COUNT(sizes); i++) {
		struct vdm_operation_future c = copy(&h, sizes[i]);

		memset(h.dst, 0, sizes[i]);
		runtime_wait(r, FUTURE_AS_RUNNABLE(&c));
		CHECK(memcmp(h.dst, h.src, sizes[i]) == 0);
	}
	let_go(&h);
	runtime_delete(r);
}

static void
with_a_deadline(void)
{
	struct vdm_operation_future c;
	struct held h;

	hold(&h, LARGE);
	/* far away: like none */
	c = copy(&h, 4 << 20);
	CHECK_INT(wait_for(&h, FUTURE_AS_RUNNABLE(&c), 60000), 0);
	CHECK(memcmp(h.dst, h.src, 4 << 20) == 0);
	/* in the past: what is quick */
	c = copy(&h, 64 << 10);
	CHECK_INT(wait_for(&h, FUTURE_AS_RUNNABLE(&c), 0), 0);
	c = copy(&h, 4 << 20);
	CHECK_INT(wait_for(&h, FUTURE_AS_RUNNABLE(&c), 0), ETIMEDOUT);
	t_open(&leave);
	FUTURE_BUSY_POLL(&c);
	let_go(&h);
}

static void
large_ones_are_left_to_the_workers(void)
{
	struct vdm_operation_future c;
	struct held h;

	hold(&h, LARGE);
	c = copy(&h, LARGE);
	CHECK_INT(wait_for(&h, FUTURE_AS_RUNNABLE(&c), 20), ETIMEDOUT);
	t_open(&leave);
	FUTURE_BUSY_POLL(&c);
	CHECK(memcmp(h.dst, h.src, LARGE) == 0);
	let_go(&h);
}

/* Beside others, only what takes less time than handing over. */
static void
several(void)
{
	struct vdm_operation_future small;
	struct vdm_operation_future other;
	struct future *futs[2];
	struct held h;

	hold(&h, LARGE);
	small = copy(&h, 8 << 10);
	other = copy(&h, 64 << 10);
	futs[0] = FUTURE_AS_RUNNABLE(&small);
	futs[1] = FUTURE_AS_RUNNABLE(&other);
	CHECK_INT(future_waiter_wait(h.waiter, futs, 2, 2, t_now() + 20 * T_MS,
			  0),
		ETIMEDOUT);
	CHECK_INT(FUTURE_STATE(&small), FUTURE_STATE_COMPLETE);
	CHECK_INT(FUTURE_STATE(&other), FUTURE_STATE_RUNNING);
	t_open(&leave);
	FUTURE_BUSY_POLL(&other);
	let_go(&h);
}

static void
never_if_the_user_says_so(void)
{
	struct vdm_operation_future c;
	struct held h;

	hold_with(&h, LARGE, 0);
	CHECK_INT(data_mover_threads_get_inline_below(h.mover), 0);
	c = copy(&h, 1);
	CHECK_INT(wait_for(&h, FUTURE_AS_RUNNABLE(&c), 20), ETIMEDOUT);
	t_open(&leave);
	FUTURE_BUSY_POLL(&c);
	let_go(&h);
}

T_MAIN(T_CASE(without_a_deadline), T_CASE(with_a_deadline),
	T_CASE(large_ones_are_left_to_the_workers), T_CASE(several),
	T_CASE(never_if_the_user_says_so))
