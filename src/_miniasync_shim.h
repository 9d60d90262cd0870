/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * _miniasync_shim.h -- C that exists only for the Python binding
 *
 * Includes everything that the binding describes to cffi. Every call from
 * Python gives up the interpreter lock and may wait long to get it back, so
 * what Python does together is one function here.
 */

#ifndef MINIASYNC_SHIM_H
#define MINIASYNC_SHIM_H

#include <stddef.h>
#include <stdint.h>

#include <libminiasync.h>
#include <libminiasync/version.h>
#include <libminiasync/waiter.h>

/*
 * The build sets MINIASYNC_PROVIDER_IS_UPSTREAM where the library it links
 * lacks LIBMINIASYNC_1.1; version.h and waiter.h are then implemented in the
 * extension itself.
 */
#ifdef MINIASYNC_PROVIDER_IS_UPSTREAM
#define MA_PROVIDER_IS_UPSTREAM 1
#else
#define MA_PROVIDER_IS_UPSTREAM 0
#endif

/* Where the library came from: "bundled" or "system". */
#ifndef MINIASYNC_PROVIDER_NAME
#define MINIASYNC_PROVIDER_NAME "bundled"
#endif

/* What ma_shim_run answers for an operation that is not complete. */
#define MA_RUNNING 16

/* The timeout_ns, without a waiter, that only makes the operation. */
#define MA_MAKE_ONLY UINT64_MAX

/*
 * Makes the operation, unless *slot holds it already, and polls it: once and
 * without waiting if `waiter` is NULL, else until it is complete, until
 * `timeout_ns` nanoseconds have passed or until a signal handler has run in
 * this thread. A new slot is all zeros. `src` is ignored for memset and flush,
 * `c` for all but memset.
 *
 * The operation's enum vdm_operation_result when it is complete, else
 * MA_RUNNING.
 */
int ma_shim_run(struct vdm_operation_future *slot, struct vdm *vdm,
	enum vdm_operation_type type, void *dst, void *src, int c, size_t n,
	uint64_t flags, struct future_waiter *waiter, uint64_t timeout_ns);

/*
 * Polls a future: once and without waiting if `waiter` is NULL, else as
 * ma_shim_run() does. Is it complete?
 */
int ma_shim_run_future(struct future *fut, struct future_waiter *waiter,
	uint64_t timeout_ns);

/*
 * Polls the futures until `nwanted` of them are complete, until `timeout_ns`
 * nanoseconds have passed or until a signal handler has run in this thread;
 * each is polled at least once. `nwanted` is from 1 to nfuts. Returns how many
 * are complete.
 */
size_t ma_shim_wait(struct future_waiter *waiter, struct future *futs[],
	size_t nfuts, size_t nwanted, uint64_t timeout_ns);

#ifdef MINIASYNC_PROVIDER_IS_UPSTREAM
/*
 * Stand-ins for what upstream's library lacks, so that the binding's list of
 * functions is the same everywhere. Python passes on nothing they answer.
 */
void ma_shim_no_set_inline_below(struct data_mover_threads *dmt, size_t nbytes);
size_t ma_shim_no_number(const struct data_mover_threads *dmt);
#define data_mover_threads_set_inline_below ma_shim_no_set_inline_below
#define data_mover_threads_get_inline_below ma_shim_no_number
#define data_mover_threads_get_nthreads ma_shim_no_number
/* Under another name: a library without the function may yet declare it. */
#define data_mover_threads_stats ma_shim_threads_stats
struct data_mover_threads_stats {
	size_t size;
	uint64_t queued;
	uint64_t worker_pieces;
	uint64_t worker_bytes;
	uint64_t waiter_pieces;
	uint64_t waiter_bytes;
};
int ma_shim_no_stats(struct data_mover_threads *dmt,
	struct data_mover_threads_stats *stats);
#define data_mover_threads_get_stats ma_shim_no_stats
#endif

#endif /* MINIASYNC_SHIM_H */
