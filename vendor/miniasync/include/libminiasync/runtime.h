/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * runtime.h -- waiting for futures
 *
 * A runtime polls futures on the calling thread until they are complete. In
 * between it sleeps where the futures announce a waker, and polls the others
 * with back-off. One runtime may be used by several threads at once, and from
 * within a task it is polling; but each future is in one wait at a time. (One
 * that another wait completes is noticed only after up to 256 ms.)
 *
 * A task that announced a waker and then forgets to call it is polled all the
 * same, after 4, 8, 16, ... 256 ms. Wakers may be called from any thread, and
 * where the system has futexes (Linux) from signal handlers.
 *
 * Deadlines, waiting for some of several, and signals: see waiter.h.
 */

#ifndef LIBMINIASYNC_RUNTIME_H
#define LIBMINIASYNC_RUNTIME_H

#include "api.h"
#include "future.h"

#ifdef __cplusplus
extern "C" {
#endif

struct runtime;

/*
 * Makes a runtime. NULL with errno ENOMEM if there is no memory. The caller
 * owns it. Callable from any thread, does not block.
 */
MINIASYNC_API struct runtime *runtime_new(void);

/*
 * Frees a runtime; NULL is ignored. No thread may be waiting on it. Until then
 * even a waker called late, after its future was complete, is harmless.
 */
MINIASYNC_API void runtime_delete(struct runtime *runtime);

/*
 * Polls the future until it is complete; returns at once if it already is.
 * Blocks. Cannot fail: where memory runs out it waits by polling.
 */
MINIASYNC_API void runtime_wait(struct runtime *runtime, struct future *fut);

/*
 * Polls all the futures until each is complete. The array is only read. A
 * future may stand in it twice, be complete already, or there may be none.
 * Among the futures polled in one round, those with FUTURE_PROPERTY_ASYNC come
 * first, so that they work while the others are being polled; within each
 * group it is array order. Blocks; cannot fail.
 */
MINIASYNC_API void runtime_wait_multiple(struct runtime *runtime,
	struct future *futs[], size_t nfuts);

#ifdef __cplusplus
}
#endif

#endif /* LIBMINIASYNC_RUNTIME_H */
