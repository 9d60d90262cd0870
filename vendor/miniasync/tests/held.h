/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * held.h -- a threads mover whose only worker is held
 *
 * The worker is in a fill of the test's own, so whatever ends meanwhile was not
 * executed by it. Copies, moves and flushes are the mover's.
 */

#ifndef HELD_H
#define HELD_H

#include "helpers.h"

static sem_t held_entered;
static sem_t held_leave;

static inline void *
held_memset(void *str, int c, size_t n, unsigned flags)
{
	(void)flags;
	t_open(&held_entered);
	t_pass(&held_leave);
	return memset(str, c, n);
}

struct held {
	struct data_mover_threads *mover;
	struct vdm *vdm;
	struct future_waiter *waiter;
	struct runtime *runtime;
	struct vdm_operation_future fill;
	unsigned char byte;
	unsigned char *src; /* n bytes each, both written before */
	unsigned char *dst;
	size_t n;
};

static inline void
hold(struct held *h, size_t n, size_t inline_below)
{
	CHECK(sem_init(&held_entered, 0, 0) == 0);
	CHECK(sem_init(&held_leave, 0, 0) == 0);
	h->mover = data_mover_threads_new(1, 1, FUTURE_NOTIFIER_WAKER);
	CHECK(h->mover != NULL);
	h->vdm = data_mover_threads_get_vdm(h->mover);
	h->waiter = new_waiter();
	h->runtime = new_runtime();
	data_mover_threads_set_memset_fn(h->mover, held_memset);
	data_mover_threads_set_inline_below(h->mover, inline_below);
	h->fill = vdm_memset(h->vdm, &h->byte, 1, 1, 0);
	CHECK_INT(future_poll(FUTURE_AS_RUNNABLE(&h->fill), NULL),
		FUTURE_STATE_RUNNING);
	t_pass(&held_entered);
	h->n = n;
	h->src = (unsigned char *)t_malloc(n);
	h->dst = (unsigned char *)t_malloc(n);
	t_fill(h->src, n, 7);
	memset(h->dst, 8, n);
}

/* Lets the worker go on and ends everything. */
static inline void
let_go(struct held *h)
{
	t_open(&held_leave);
	poll_out(FUTURE_AS_RUNNABLE(&h->fill));
	data_mover_threads_delete(h->mover);
	future_waiter_delete(h->waiter);
	runtime_delete(h->runtime);
	free(h->src);
	free(h->dst);
}

/* A copy of the first n bytes, which are not there yet. */
static inline struct vdm_operation_future
held_copy(struct held *h, size_t n)
{
	CHECK(n <= h->n);
	memset(h->dst, 8, n);
	return vdm_memcpy(h->vdm, h->dst, h->src, n, 0);
}

static inline void
check_held_copy(struct held *h, struct vdm_operation_future *c)
{
	CHECK_INT(FUTURE_STATE(c), FUTURE_STATE_COMPLETE);
	CHECK_INT(c->output.result, VDM_SUCCESS);
	CHECK(memcmp(h->dst, h->src, c->data.operation.data.memcpy.n) == 0);
}

/* Waits for one future with a deadline in so many nanoseconds. */
static inline int
wait_for(struct held *h, struct future *fut, uint64_t ns)
{
	return future_waiter_wait(h->waiter, &fut, 1, 1, t_now() + ns, 0);
}

/* Starts it outside a wait. */
static inline void
start_it(struct vdm_operation_future *f, struct future_notifier *n)
{
	CHECK_INT(future_poll(FUTURE_AS_RUNNABLE(f), n), FUTURE_STATE_RUNNING);
}

#endif /* HELD_H */
