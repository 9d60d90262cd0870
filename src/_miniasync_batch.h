/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * _miniasync_batch.h -- many operations of one mover behind one future
 *
 * The memory is Python's: the batch, its operations and their results live and
 * go with Python objects, so that nothing has to be called to free them.
 */

#ifndef MINIASYNC_BATCH_H
#define MINIASYNC_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include <libminiasync.h>
#include <libminiasync/waiter.h>

/* One operation: n bytes from src, or as many times the byte c. */
struct ma_batch_op {
	void *dst;
	union {
		void *src;
		int c;
	};
	size_t n;
};

struct ma_batch_block;
struct ma_batch_slot;

/* The code of a batch of which operations failed. */
#define MA_BATCH_FAILED 18

struct ma_batch {
	struct future base; /* first; its context has neither data nor output */
	int code; /* MA_RUNNING before the end; then 0 or MA_BATCH_FAILED */
	int has_more; /* a poll left operations that are to be started */

	/* The rest is the batch's own. */
	size_t nfailed;
	struct vdm *vdm;
	const struct ma_batch_op *ops;
	uint8_t *results;
	size_t n;
	size_t next; /* the first operation that has not been started */
	uint64_t flags;
	enum vdm_operation_type type;
	struct ma_batch_block
		*first; /* those started and incomplete, in order */
	struct ma_batch_block *last;
	struct ma_batch_slot *back; /* the latest of them */
};

/*
 * Makes a batch of n operations, which are memcpy, memmove or memset alike. Its
 * base can be polled, waited for and put into chains. `ops`, `results` and the
 * batch stay where they are until it is complete.
 *
 * The first poll starts the operations, in order, and does those that the mover
 * does at once. It stops after a slice of such work if the mover works in the
 * background, or if there is a waker. Then it calls the waker itself: one that
 * takes a lock held around polls will not do. Without a waker, has_more says that
 * somebody has to poll.
 *
 * Where the mover has no memory for more, or its queue is full, the rest is
 * started when earlier ones have ended. Started ones are polled in order too, each
 * when all before it have ended, so that the number of polls does not grow with
 * the square of n.
 *
 * results[i] is the enum vdm_operation_result of the i-th; VDM_SUCCESS before its
 * end. VDM_ERROR_OUT_OF_MEMORY is for an operation that the mover refused while
 * none of the batch was pending.
 */
void ma_batch_init(struct ma_batch *batch, struct vdm *vdm,
	enum vdm_operation_type type, const struct ma_batch_op *ops,
	uint8_t *results, size_t n, uint64_t flags);

/*
 * Makes the batch, unless it has been made, and polls it: once and without
 * waiting if `waiter` is NULL (not even that with MA_MAKE_ONLY), else as
 * ma_shim_run() does. A new batch is all zeros. Its code is returned.
 */
int ma_batch_run(struct ma_batch *batch, struct vdm *vdm,
	enum vdm_operation_type type, const struct ma_batch_op *ops,
	uint8_t *results, size_t n, uint64_t flags,
	struct future_waiter *waiter, uint64_t timeout_ns);

/* How many bytes n operations are about. */
uint64_t ma_batch_bytes(const struct ma_batch_op *ops, size_t n);

/*
 * Frees what C has allocated for a batch that will not be polled any more, though
 * it has been and is not complete: in a forked child. Its operations belong to
 * the mover for as long as that lives.
 */
void ma_batch_abandon(struct ma_batch *batch);

#endif /* MINIASYNC_BATCH_H */
