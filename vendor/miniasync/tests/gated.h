/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gated.h -- a threads mover whose copies wait at a gate
 *
 * Its memcpy function reports that it was entered and passes the gate before it
 * copies, so that a test holds a worker in the middle of an operation for as
 * long as it likes. Fills, moves and flushes are not gated.
 */

#ifndef GATED_H
#define GATED_H

#include "helpers.h"

static sem_t gate_entered; /* posted by the worker when it is inside */
static sem_t gate; /* posted by the test to let one copy go on */
static atomic_int gate_calls;

static inline void *
gated_memcpy(void *dst, const void *src, size_t n, unsigned flags)
{
	(void)flags;
	atomic_fetch_add(&gate_calls, 1);
	t_open(&gate_entered);
	t_pass(&gate);
	return memcpy(dst, src, n);
}

/* Everything goes through a worker. */
static inline struct data_mover_threads *
gated_new(size_t nthreads, enum future_notifier_type desired)
{
	struct data_mover_threads *m =
		data_mover_threads_new(nthreads, 1, desired);

	CHECK(m != NULL);
	CHECK(sem_init(&gate_entered, 0, 0) == 0);
	CHECK(sem_init(&gate, 0, 0) == 0);
	atomic_store(&gate_calls, 0);
	data_mover_threads_set_inline_below(m, 0);
	data_mover_threads_set_memcpy_fn(m, gated_memcpy);
	return m;
}

/* A copy whose bytes can be checked, and whose place does not move. */
struct copy {
	struct vdm_operation_future fut;
	unsigned char src[64];
	unsigned char dst[64];
};

static inline void
copy_init(struct copy *c, struct vdm *vdm, uint64_t seed)
{
	t_fill(c->src, sizeof(c->src), seed);
	memset(c->dst, 0, sizeof(c->dst));
	c->fut = vdm_memcpy(vdm, c->dst, c->src, sizeof(c->dst), 0);
	CHECK_INT(FUTURE_STATE(&c->fut), FUTURE_STATE_IDLE);
}

static inline struct future *
copy_future(struct copy *c)
{
	return FUTURE_AS_RUNNABLE(&c->fut);
}

static inline enum future_state
copy_poll(struct copy *c, struct future_notifier *notifier)
{
	return future_poll(copy_future(c), notifier);
}

/* Complete, right, and every byte there. */
static inline void
copy_check(struct copy *c)
{
	CHECK_INT(FUTURE_STATE(&c->fut), FUTURE_STATE_COMPLETE);
	CHECK_INT(c->fut.output.type, VDM_OPERATION_MEMCPY);
	CHECK_INT(c->fut.output.result, VDM_SUCCESS);
	CHECK(c->fut.output.output.memcpy.dest == c->dst);
	CHECK(memcmp(c->dst, c->src, sizeof(c->dst)) == 0);
}

/* A notifier whose waker counts, and tells. */
struct counting {
	struct future_notifier notifier;
	atomic_int calls;
	sem_t called;
};

static inline void
counting_wake(void *data)
{
	struct counting *c = (struct counting *)data;

	atomic_fetch_add(&c->calls, 1);
	t_open(&c->called);
}

static inline void
counting_init(struct counting *c)
{
	memset(c, 0, sizeof(*c));
	c->notifier.waker.data = c;
	c->notifier.waker.wake = counting_wake;
	CHECK(sem_init(&c->called, 0, 0) == 0);
}

/* Polls, with a wake awaited before each further poll, until it is complete. */
static inline void
copy_await(struct copy *c, struct counting *by)
{
	while (copy_poll(c, &by->notifier) != FUTURE_STATE_COMPLETE)
		t_pass(&by->called);
}

#endif /* GATED_H */
