/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * waiter.h -- waiting with a deadline, for some of several, until a signal
 *
 * Since LIBMINIASYNC_1.1. A waiter is what a runtime waits with, without the
 * promise to wait for ever. It works on any future, whoever made it.
 */

#ifndef LIBMINIASYNC_WAITER_H
#define LIBMINIASYNC_WAITER_H

#include "api.h"
#include "future.h"
#include "vdm.h"

#ifdef __cplusplus
extern "C" {
#endif

struct future_waiter;

/* A deadline that never comes. */
#define FUTURE_WAITER_FOREVER UINT64_MAX

/*
 * Return with EINTR when a signal handler has run in this thread while it slept
 * (on Linux; other systems do not tell). A signal that comes while it polls may
 * go unnoticed: to be sure, wait in slices and look in between. (A wait that goes
 * on with the futures of the one before polls as rarely as that did at its end.)
 */
#define FUTURE_WAITER_F_INTERRUPTIBLE (1U << 0)
#define FUTURE_WAITER_F_VALID_FLAGS FUTURE_WAITER_F_INTERRUPTIBLE

/*
 * Makes a waiter, which the caller owns. NULL with errno ENOMEM if there is no
 * memory. Callable from any thread, does not block.
 */
MINIASYNC_API struct future_waiter *future_waiter_new(void);

/*
 * Frees a waiter; NULL is ignored. No thread may be waiting on it. A future of
 * somebody else's that was waited for with it and is not complete must not call
 * its waker any more; futures of this library's movers (of the same copy of the
 * library, where a process has two) take care of that themselves.
 */
MINIASYNC_API void future_waiter_delete(struct future_waiter *waiter);

/*
 * Polls the futures, which starts them, until `nwanted` of them are complete
 * (at most nfuts; those complete already count, a future that stands in the
 * array twice counts twice). The array is only read. `deadline` is a time of
 * CLOCK_MONOTONIC in nanoseconds, or FUTURE_WAITER_FOREVER; every future is
 * polled at least once however early it is. Several threads may use one waiter,
 * each future being in one wait at a time.
 *
 * 0 when as many are complete, else ETIMEDOUT, or EINTR with
 * FUTURE_WAITER_F_INTERRUPTIBLE, or EINVAL for a bad argument (nothing was
 * polled). Futures that are not complete stay as they are and can be polled or
 * waited for again. Blocks until then.
 */
MINIASYNC_API int future_waiter_wait(struct future_waiter *waiter,
	struct future *futs[], size_t nfuts, size_t nwanted, uint64_t deadline,
	unsigned flags);

/*
 * Releases an operation that was never polled and will never be: its mover gets
 * the memory back, and the future is COMPLETE with VDM_ERROR_JOB_CORRUPTED and
 * no destination. 0, also for a complete future, on which it does nothing;
 * EBUSY for one that was started, which is left alone: wait for it. Does not
 * block.
 */
MINIASYNC_API int vdm_operation_release(struct vdm_operation_future *future);

#ifdef __cplusplus
}
#endif

#endif /* LIBMINIASYNC_WAITER_H */
