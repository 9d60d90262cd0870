/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * data_mover_threads.h -- the mover with worker threads
 *
 * The first poll of an operation queues it; workers execute it and call the
 * waker. Small operations are done by the first poll itself, since handing them
 * over costs more than they do; large ones are cut into pieces for all workers.
 * A thread that waits for an operation executes it, too, or pieces of it, from
 * its start or from when the wait begins: it has nothing else to do.
 *
 * After fork() the child's copy of a mover has no workers: an operation that
 * was not begun runs in the polling thread, one that a worker had begun ends
 * with VDM_ERROR_JOB_CORRUPTED. Nobody calls a waker there, so poll once after
 * the fork. On memory shared with the parent an operation would be executed
 * twice: do not poll it in the child, nor what another thread was polling at the
 * fork. A child forked from within a waker, or a memcpy function of one's own,
 * may only exec or exit.
 *
 * A waker, and a memcpy function of one's own, run in a worker; such a function
 * also in a thread in a wait that ends only when its operation and all others are
 * complete: without a deadline, without signals, for all of its futures. They may
 * make and poll futures, but not wait for operations of the same mover, or for
 * another call of the function: its only worker might be the one that waits. Nor
 * may such a function wait for what other futures of the wait do when polled.
 *
 * The environment variable MINIASYNC_MAX_OPERATIONS, read when a mover is made,
 * limits the operations it holds at a time (default 1,048,576); beyond it,
 * making one gives VDM_ERROR_OUT_OF_MEMORY. If it is 65,536 or more, up to 16 for
 * each other thread that uses the mover may be missing.
 */

#ifndef LIBMINIASYNC_DATA_MOVER_THREADS_H
#define LIBMINIASYNC_DATA_MOVER_THREADS_H

#include "api.h"
#include "vdm.h"

#ifdef __cplusplus
extern "C" {
#endif

struct data_mover_threads;

typedef void *(*memcpy_fn)(void *dst, const void *src, size_t n,
	unsigned flags);
typedef void *(*memmove_fn)(void *dst, const void *src, size_t n,
	unsigned flags);
typedef void *(*memset_fn)(void *str, int c, size_t n, unsigned flags);

/*
 * Makes a mover with `nthreads` workers, started before it returns. The queue
 * has no end: `ringbuf_size`, its expected length, is a hint. `desired` is the
 * kind of notifier its operations announce. The caller owns the mover.
 *
 * NULL with errno EINVAL if a number is 0 or `desired` unknown, EAGAIN if the
 * threads cannot be had, ENOMEM. Callable from any thread.
 */
MINIASYNC_API struct data_mover_threads *data_mover_threads_new(size_t nthreads,
	size_t ringbuf_size, enum future_notifier_type desired);

/*
 * Makes a mover with wakers and one worker for each processor that this process
 * may use (affinity and cgroup quota), but no more than 16: a few cores
 * saturate the memory of most machines. Errors as above.
 */
MINIASYNC_API struct data_mover_threads *data_mover_threads_default(void);

/* The mover's struct vdm, valid until the mover is deleted. */
MINIASYNC_API struct vdm *data_mover_threads_get_vdm(
	struct data_mover_threads *dmt);

/*
 * Replaces the function that executes an operation, or with NULL restores our
 * own. It is called once an operation, with all of it, from a worker or, unless
 * inline_below is 0, from a thread in a wait as above; flags are passed on, and
 * honouring them is its own affair. Only while no operation of the mover is
 * pending.
 */
MINIASYNC_API void data_mover_threads_set_memcpy_fn(
	struct data_mover_threads *dmt, memcpy_fn dmt_memcpy);
MINIASYNC_API void data_mover_threads_set_memmove_fn(
	struct data_mover_threads *dmt, memmove_fn dmt_memmove);
MINIASYNC_API void data_mover_threads_set_memset_fn(
	struct data_mover_threads *dmt, memset_fn dmt_memset);

/*
 * Operations of fewer bytes than this are executed by the poll that starts
 * them; 0 sends everything through a worker, also what is waited for. The default,
 * 128 KiB, does not apply to waits for several futures: there it is 16 KiB. Only
 * while no operation of the mover is pending. Since LIBMINIASYNC_1.1.
 */
MINIASYNC_API void data_mover_threads_set_inline_below(
	struct data_mover_threads *dmt, size_t nbytes);
/* The limit in force, in bytes. Since LIBMINIASYNC_1.1. */
MINIASYNC_API size_t data_mover_threads_get_inline_below(
	const struct data_mover_threads *dmt);
/* The number of workers. Since LIBMINIASYNC_1.1. */
MINIASYNC_API size_t data_mover_threads_get_nthreads(
	const struct data_mover_threads *dmt);

/*
 * Who has executed what a mover was given. Operations that the poll which started
 * them has executed itself are in none of these numbers. Pieces are what one thread
 * executes at a time.
 */
struct data_mover_threads_stats {
	size_t size; /* in: sizeof; out: how much of it was filled in */
	uint64_t queued; /* operations that were handed over */
	uint64_t worker_pieces; /* what workers have executed */
	uint64_t worker_bytes;
	uint64_t waiter_pieces; /* what threads in a wait have executed */
	uint64_t waiter_bytes;
};

/*
 * Fills in the numbers so far, all of one moment. What is being executed counts
 * already. By any thread, does not block. 0, or EINVAL: a pointer is NULL or size
 * too small. Since LIBMINIASYNC_1.1.
 */
MINIASYNC_API int data_mover_threads_get_stats(struct data_mover_threads *dmt,
	struct data_mover_threads_stats *stats);

/*
 * Finishes what was started, ends the workers and frees the mover with the
 * memory of all its operations; NULL is ignored. Blocks until then. Its futures
 * must not be polled any more. Not from a worker: neither from a waker nor from
 * one's own memcpy function.
 */
MINIASYNC_API void data_mover_threads_delete(struct data_mover_threads *dmt);

#ifdef __cplusplus
}
#endif

#endif /* LIBMINIASYNC_DATA_MOVER_THREADS_H */
