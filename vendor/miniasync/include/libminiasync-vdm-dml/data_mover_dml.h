/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * data_mover_dml.h -- the mover for Intel DSA, on libdml
 *
 * The first poll of an operation hands it to the device, later polls look
 * whether it is done: there is no thread and no waker. These later polls may
 * announce a word that the device writes to (POLLER). What the device refuses,
 * or cannot finish, is done by the polling thread, so that every operation ends
 * with VDM_SUCCESS. (Bad addresses raise SIGSEGV or SIGBUS there, as in memcpy.)
 *
 * Without the device in use, an operation is done by its first poll, all of it.
 * FUTURE_PROPERTY_ASYNC says which of the two it is. Overlapping moves and
 * flushes of no bytes never go to the device.
 *
 * VDM_F_MEM_DURABLE and VDM_F_NO_CACHE_HINT are honoured, and the mover says so.
 *
 * After fork() the child's copy of a mover has no device: its operations, also
 * those that the device was executing, are done from the start by the thread
 * that polls them. On memory shared with the parent that is twice: do not poll
 * them in the child, nor what another thread was polling at the fork.
 *
 * The environment variable MINIASYNC_MAX_OPERATIONS limits the operations that
 * a mover holds at a time, as in data_mover_threads.h.
 */

#ifndef LIBMINIASYNC_DATA_MOVER_DML_H
#define LIBMINIASYNC_DATA_MOVER_DML_H

#include <libminiasync.h>

#ifdef __cplusplus
extern "C" {
#endif

enum data_mover_dml_type {
	/* libdml's own code, in the polling thread; for comparison */
	DATA_MOVER_DML_SOFTWARE = 0,
	/* the device, which has to be there */
	DATA_MOVER_DML_HARDWARE = 1,
	/* the device, if there is one, for what is not too small for it */
	DATA_MOVER_DML_AUTO = 2,
};

struct data_mover_dml;

/*
 * Makes a mover, which the caller owns. NULL with errno EINVAL if the type is
 * unknown, ENODEV if the type is HARDWARE and this process has no DSA device
 * that it may use (or is the forked child of one that looked for it: libdml
 * cannot be started again), ENOTSUP if it was built without libdml, EAGAIN,
 * ENOMEM. Callable from any thread, does not block.
 */
MINIASYNC_API struct data_mover_dml *data_mover_dml_new(
	enum data_mover_dml_type type);

/* The mover's struct vdm, valid until the mover is deleted. */
MINIASYNC_API struct vdm *data_mover_dml_get_vdm(struct data_mover_dml *dmd);

/*
 * What a mover has done so far. A job is what is handed to libdml at a time: an
 * operation is one or several. Numbers only grow.
 */
struct data_mover_dml_stats {
	size_t size; /* of this struct, set by who asks */
	uint64_t hardware; /* 1 if the mover has a device, else 0 */
	uint64_t operations; /* complete */

	uint64_t hardware_jobs; /* done by the device */
	uint64_t hardware_bytes;
	uint64_t software_jobs; /* done by libdml's own code */
	uint64_t software_bytes;
	uint64_t cpu_bytes; /* done by this library's code */

	uint64_t retries; /* submissions repeated, the queue being full */
	uint64_t resubmissions; /* of jobs refused for a flag or their length */

	/* Why it was this library's code; operations. */
	uint64_t cpu_unavailable; /* no device, or not the CPU for libdml */
	uint64_t cpu_forked; /* this is a forked child */
	uint64_t cpu_small; /* nothing to do, or (AUTO) little */
	uint64_t cpu_overlap; /* a fault could not be mended */
	uint64_t cpu_flush; /* SOFTWARE: libdml's flush misses lines */
	uint64_t cpu_no_memory; /* for a job */

	/* The same for parts of an operation. */
	uint64_t cpu_queue_full; /* retried for too long */
	uint64_t cpu_refused; /* libdml would not take the job */
	uint64_t cpu_page_fault; /* the device met a page that was not there */
	uint64_t cpu_device_error;

	uint64_t last_error; /* dml_status_t behind the latest of these four */
};

/*
 * Fills in the first stats->size bytes of *stats, and sets stats->size to what
 * it filled in. 0, or EINVAL if a pointer is NULL or the size too small for
 * itself, or ENOTSUP if it was built without libdml. Callable at any time from
 * any thread, does not block. Since LIBMINIASYNC_VDM_DML_1.1.
 */
MINIASYNC_API int data_mover_dml_get_stats(const struct data_mover_dml *dmd,
	struct data_mover_dml_stats *stats);

/*
 * Waits for what the device is still executing, and frees the mover with the
 * memory of all its operations; NULL is ignored. Its futures must not be polled
 * any more.
 */
MINIASYNC_API void data_mover_dml_delete(struct data_mover_dml *dmd);

#ifdef __cplusplus
}
#endif

#endif /* LIBMINIASYNC_DATA_MOVER_DML_H */
