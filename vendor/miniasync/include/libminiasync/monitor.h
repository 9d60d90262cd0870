/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * monitor.h -- waiting for futures in an event loop
 *
 * Since LIBMINIASYNC_1.1. A monitor watches futures without a thread that waits
 * for them: it has a file descriptor that becomes readable when some of them are
 * to be polled, and a function that polls them and says which are complete. It
 * works on any future, whoever made it.
 *
 * The loop of a program, with poll(2), epoll(7), select(2) or kqueue(2):
 *
 *   wait until future_monitor_fd() is readable, but no longer than until
 *     future_monitor_deadline()
 *   then call future_monitor_run(), and deal with what it returns
 *
 * One thread at a time uses a monitor; it need not always be the same. Wakes
 * come from any thread at any time.
 *
 * A task that is polled by add or run may itself call add, remove, fd, deadline
 * and count of the same monitor; run then returns 0 and does nothing, and delete
 * is not allowed.
 *
 * In a forked child an inherited monitor can only be deleted. Nothing that
 * happens in the child reaches the descriptor that it shares with its parent.
 */

#ifndef LIBMINIASYNC_MONITOR_H
#define LIBMINIASYNC_MONITOR_H

#include "api.h"
#include "future.h"
#include "waiter.h"

#ifdef __cplusplus
extern "C" {
#endif

struct future_monitor;

/*
 * Makes a monitor, which the caller owns, with a file descriptor (two where
 * there is no eventfd(2)). NULL with errno ENOMEM, EMFILE, ENFILE or what else
 * the system says. Callable from any thread, does not block.
 */
MINIASYNC_API struct future_monitor *future_monitor_new(void);

/*
 * Frees a monitor; NULL is ignored. The futures that it watches stay as they
 * are, and it touches them no more. One of somebody else's must not call its
 * waker any more, nor be in a call of it, whether watched still, removed, or
 * complete; futures of this library's movers (of the same copy of the library)
 * take care of that themselves. While such operations are still running the
 * descriptor stays open and may become readable: take it out of what waits for
 * it, such as an epoll set, before.
 */
MINIASYNC_API void future_monitor_delete(struct future_monitor *monitor);

/*
 * The descriptor: readable means that future_monitor_run() should be called. It
 * belongs to the monitor and is for poll, epoll, select and kqueue only, not to
 * be read, written or closed. Non-blocking and close-on-exec.
 */
MINIASYNC_API int future_monitor_fd(const struct future_monitor *monitor);

/*
 * Polls the future, which starts it, and watches it from now on: 0. `data` is
 * what future_monitor_run() will say when it is complete; any pointer, NULL too.
 * The future's memory has to stay where it is until then, or until it is
 * removed, and nobody else may poll it.
 *
 * EALREADY if it is complete, now or before: there is nothing to watch. EEXIST
 * if it is watched already, ENOMEM, EINVAL for a NULL monitor or future: these
 * did not poll it.
 */
MINIASYNC_API int future_monitor_add(struct future_monitor *monitor,
	struct future *future, void *data);

/*
 * Stops watching, also one that is complete and was not returned yet: 0. The
 * future stays as it is and can be polled or waited for in any other way, its
 * operation goes on. ENOENT if it is not watched, EBUSY if the monitor is
 * polling it (its own task asks), EINVAL for NULL. Does not poll.
 */
MINIASYNC_API int future_monitor_remove(struct future_monitor *monitor,
	struct future *future);

/*
 * Polls those that were woken or are due. Stores the data of complete ones into
 * `done`, `max` at most, and returns how many; these are watched no more. The
 * others that are complete are kept for the next call. The descriptor is
 * readable afterwards if there is more to do at once. A call polls a limited
 * number of futures, in the order they were woken, and does not block, apart
 * from what their tasks do.
 */
MINIASYNC_API size_t future_monitor_run(struct future_monitor *monitor,
	void *done[], size_t max);

/*
 * When to call future_monitor_run() though the descriptor has not become
 * readable, in nanoseconds of CLOCK_MONOTONIC: for futures that announced no
 * waker, which are polled at growing intervals of up to 5 ms, and, four times a
 * second at the latest, for wakers that were forgotten. 0: at once.
 * FUTURE_WAITER_FOREVER: nothing is watched. It changes with every call of add
 * and run.
 */
MINIASYNC_API uint64_t future_monitor_deadline(
	const struct future_monitor *monitor);

/*
 * How many futures are watched. Those that are complete and were not returned
 * by future_monitor_run() yet count.
 */
MINIASYNC_API size_t future_monitor_count(const struct future_monitor *monitor);

#ifdef __cplusplus
}
#endif

#endif /* LIBMINIASYNC_MONITOR_H */
