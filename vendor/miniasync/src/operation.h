/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * operation.h -- a pending operation of the threads mover
 *
 * The design of completion, wake-up and lifetime is at the top of operation.c.
 */

#ifndef MA_OPERATION_H
#define MA_OPERATION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pieces.h"
#include "wait.h"

/* The states of an operation; see operation.c. */
enum ma__op_state {
	MA__OP_NEW,
	MA__OP_INLINE,
	MA__OP_PENDING,
	MA__OP_WAKING,
	MA__OP_POLLED,
	MA__OP_REARMED,
	MA__OP_RESTING,
	MA__OP_DONE,
	MA__OP_LOCKED,
};

struct data_mover_threads;

/* Laid out so that what each operation needs is in two cache lines; see pool.c. */
struct ma__op {
	atomic_uint state;
	atomic_uint refs;
	struct data_mover_threads *mover;
	struct ma__op *next; /* in the queue or the free list */
	struct ma__request request;

	uint64_t monitor; /* what a POLLER notifier watches: 0, at the end 1 */
	enum vdm_operation_result result; /* valid once DONE */
	bool told; /* this poll has been given its notifier */

	/* Set before it is queued. */
	bool function; /* a function of the program executes it: may block, */
	bool slow; /* or is known to take its time, or not known, */
	bool timed; /* and is to be measured */

	/* The poller's. */
	bool fresh; /* this poll has queued it */

	/* Under the mover's lock; see workers.c. */
	atomic_bool queued; /* polls look at it without the lock */
	bool helped; /* a wait has queued it, and is going to help */
	unsigned executors; /* threads that execute a piece */
	struct ma__op *prev; /* in the queue */
	struct ma__pieces pieces;

	size_t weight; /* bytes that take as long to copy; set as above */
	atomic_size_t left; /* bytes not executed */

	/* Whoever has LOCKED it; before PENDING the poller's. */
	struct future_waker waker;
	struct ma__cell *cell; /* counted */
	atomic_uint calls; /* of the waker, before the present one */

	unsigned reminded; /* the poller's: when it last did; see
			      workers_overdue.c */
};

/*
 * Makes it NEW again: what is looked at without it having been queued. The rest
 * is set when it is.
 */
static inline void
ma__op_reset(struct ma__op *op)
{
	atomic_store_explicit(&op->state, MA__OP_NEW, memory_order_relaxed);
	op->told = false;
	op->monitor = 0;
	atomic_store_explicit(&op->queued, false, memory_order_relaxed);
	op->executors = 0;
	op->result = VDM_SUCCESS;
}

/* Before it is queued: PENDING with the notifier of the poll that starts it. */
void ma__op_start(struct ma__op *op, struct future_notifier *n,
	enum future_notifier_type desired);

/* By a later poll: replaces the notifier. */
void ma__op_renotify(struct ma__op *op, struct future_notifier *n,
	enum future_notifier_type desired);

/*
 * By the worker that has executed the last byte: wakes who waits, and completes.
 * Before it calls a waker of the program, which may block, blocks(arg) is called.
 */
void ma__op_finish(struct ma__op *op, void (*blocks)(void *arg), void *arg);

/*
 * By a poll that has executed the last byte: completes it. There is no waker, and
 * who is polling need not be woken.
 */
void ma__op_complete_polled(struct ma__op *op);

/*
 * Is it DONE, as far as can be seen without doing anything for it? If not,
 * ma__op_poll() is to say.
 */
static inline bool
ma__op_is_done(const struct ma__op *op)
{
	/* Acquire: the bytes, and the result. */
	return atomic_load_explicit(&op->state, memory_order_acquire) ==
		MA__OP_DONE;
}

/* By a poll: has the program's waker to be called at the end? */
static inline bool
ma__op_has_waker(const struct ma__op *op)
{
	return op->waker.wake != NULL;
}

/*
 * Is it DONE? By the poll that may have called one of the two above before. Does
 * not block, but takes its time while the waker is being called: see operation.c.
 */
bool ma__op_poll(struct ma__op *op, const struct vdm_operation *operation,
	enum future_notifier_type desired);

/*
 * In a forked child: INLINE, the poller's alone. False if a thread that is gone
 * was executing it.
 */
bool ma__op_take_over(struct ma__op *op);

/* INLINE -> DONE, by the poller. */
void ma__op_complete_alone(struct ma__op *op);

#endif /* MA_OPERATION_H */
