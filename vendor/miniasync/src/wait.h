/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wait.h -- how a thread waits for futures
 *
 * Written on the public future interface alone, so that it works with any
 * library's futures. Movers of this library may look at the cells (below), so
 * as to wake a waiter whatever notifier the program passes on.
 */

#ifndef MA_WAIT_H
#define MA_WAIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libminiasync/vdm.h"

/* A cell stands for one future in one wait; its waker wakes the waiter. */
struct ma__cell;

/* The wake function of every cell's waker; the data is the cell. */
void ma__cell_wake(void *cell);

/*
 * A counted reference: with one, the cell may be woken at any time, also after
 * its wait is over and the runtime deleted.
 */
void ma__cell_ref(struct ma__cell *cell);
void ma__cell_unref(struct ma__cell *cell);

/* The cell behind a notifier, NULL if its waker is somebody else's. */
static inline struct ma__cell *
ma__cell_of(const struct future_notifier *n)
{
	return n != NULL && n->waker.wake == ma__cell_wake ? n->waker.data
							   : NULL;
}

/*
 * What a wait is polling in this thread; NULL outside a wait. A mover that is
 * not told the notifier of a poll can find its waiter here.
 */
struct ma__polling {
	const struct future *fut;
	struct ma__cell *cell;
	size_t alone; /* see ma__polling_bytes() */

	/* What the thread may execute in this wait; see workers.c. */
	bool helps; /* operations of ours that are queued */
	bool functions; /* and the program's own functions */
	bool enough; /* but not now: there are other things to look at */
	size_t helped; /* the weight of what this poll has executed */

	/* What the polled movers answer. */
	bool registered; /* the mover of fut will wake the cell */
	bool again; /* there is something to help with: poll again, at once */
	bool soon; /* what is left is being executed; wakes are near */

	/* What fut's poll said would change (POLLER), else NULL. */
	const uint64_t *word;

	/*
	 * If settle is not NULL: a mover relies on being polled again, and is to
	 * be told before the thread does anything but polling futures with this
	 * property function, its own.
	 */
	void (*settle)(void *mover);
	void *mover;
	future_has_property_fn property;
};

/*
 * At a fixed distance from the thread's base, also in a shared library: each look
 * would otherwise be a function call. Eight bytes are available for that also in
 * a library that is loaded late.
 */
#ifdef __GNUC__
#define MA__TLS_DIRECT __attribute__((tls_model("initial-exec")))
#else
#define MA__TLS_DIRECT
#endif

extern _Thread_local struct ma__polling *ma__polling MA__TLS_DIRECT;

/* Is this a poll of a wait that executes, and sleeps when nothing is left to? */
static inline bool
ma__polling_helps(void)
{
	return ma__polling != NULL && ma__polling->helps;
}

/*
 * From this size on other threads' help with an operation pays, even if they have
 * to be woken, which takes 200-400 us of work to be worth it. Below it one thread
 * does it all: that of the wait, if it starts the operation and has nothing else
 * to do.
 */
#define MA__ALONE_MAX ((size_t)8 << 20)

/*
 * An operation of fewer bytes than this is better executed by the poll than
 * handed over and waited for: the thread has nothing else to do. 0 outside a
 * wait.
 *
 * If what the wait polls is the operation's future, and nothing else is waited
 * for, that is true of any size that one thread is to copy. A task, or another
 * future of the wait, may mean to work beside the operation: then only what
 * takes less time than handing over.
 */
size_t ma__polling_bytes(const struct vdm_operation *operation);

/*
 * Lets `mover` rely on the next round, unless another one does already. True if
 * it may; `fresh` says if it is the first time, that is if settle(mover) is going
 * to be called for it.
 */
bool ma__polling_owe(void (*settle)(void *mover), void *mover,
	future_has_property_fn property, bool *fresh);

/* Calls it, if there is one. */
void ma__polling_settle(struct ma__polling *polling);

/* Is this the operation of the very future that the wait is polling? */
bool ma__polling_is(const struct vdm_operation *operation);

/* The waiters that a runtime keeps, for one waiting thread each. */
struct ma__waiter;

struct ma__waiters {
	_Atomic(struct ma__waiter *) first;
};

/* Makes the first one, so that one thread can always wait; 0 or an error. */
int ma__waiters_init(struct ma__waiters *waiters);
/* Nobody may be waiting. Frees what no mover holds a reference to. */
void ma__waiters_fini(struct ma__waiters *waiters);

/*
 * Polls `futs` until `nwanted` of them are complete: 0. ETIMEDOUT at `deadline`
 * (a time of ma__now()), EINTR when a signal handler ran, if `interruptible`.
 */
int ma__wait(struct ma__waiters *waiters, struct future *futs[], size_t nfuts,
	size_t nwanted, uint64_t deadline, bool interruptible);

#endif /* MA_WAIT_H */
