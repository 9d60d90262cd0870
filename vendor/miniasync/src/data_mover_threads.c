/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * data_mover_threads.c -- the mover with worker threads
 *
 * What is where: operation.c has the design of completion and wake-up,
 * workers.c the queue and the threads, fork.c what happens at a fork.
 */

#include "libminiasync/data_mover_threads.h"

#include <errno.h>
#include <stdlib.h>

#include "os.h"
#include "workers.h"

#define DEFAULT_THREADS_MAX 16
#define DEFAULT_RING 128
#define DEFAULT_LIMIT ((size_t)1 << 20)

/* Handing over costs as much as copying this much several times over. */
#define DEFAULT_INLINE_BELOW ((size_t)4096)

/*
 * An operation of MA__ALONE_MAX bytes or more is cut into pieces of this size.
 * Smaller ones cost more than the shorter tail brings.
 */
#define PIECE ((size_t)1 << 20)

struct data_mover_threads {
	struct vdm base; /* first: the vdm is the mover */
	struct ma__workers *workers;
	enum future_notifier_type desired;
	size_t inline_below;
	memcpy_fn user_memcpy; /* NULL: the copy engine */
	memmove_fn user_memmove;
	memset_fn user_memset;
};

static bool
has_user_function(const struct data_mover_threads *dmt,
	enum vdm_operation_type type)
{
	return (type == VDM_OPERATION_MEMCPY && dmt->user_memcpy != NULL) ||
		(type == VDM_OPERATION_MEMMOVE && dmt->user_memmove != NULL) ||
		(type == VDM_OPERATION_MEMSET && dmt->user_memset != NULL);
}

static void
execute(struct ma__op *op, size_t offset, size_t n)
{
	const struct data_mover_threads *dmt = op->mover;
	const struct ma__request *request = &op->request;
	const unsigned flags = (unsigned)request->flags;

	/* A user's function gets the whole operation: it is never split. */
	if (request->type == VDM_OPERATION_MEMCPY && dmt->user_memcpy != NULL)
		dmt->user_memcpy(request->dst, request->src, n, flags);
	else if (request->type == VDM_OPERATION_MEMMOVE &&
		dmt->user_memmove != NULL)
		dmt->user_memmove(request->dst, request->src, n, flags);
	else if (request->type == VDM_OPERATION_MEMSET &&
		dmt->user_memset != NULL)
		dmt->user_memset(request->dst, request->c, n, flags);
	else
		ma__request_run(request, offset, n);
}

/* How many bytes of the operation are handed to a worker at a time. */
static size_t
piece_of(const struct data_mover_threads *dmt, const struct ma__op *op)
{
	const struct ma__request *request = &op->request;

	if (request->n < MA__ALONE_MAX || dmt->workers->count == 1 ||
		has_user_function(dmt, request->type) ||
		ma__request_overlaps(request))
		return request->n;
	return PIECE;
}

static void *
threads_op_new(struct vdm *vdm, const enum vdm_operation_type type)
{
	struct data_mover_threads *dmt = (struct data_mover_threads *)vdm;
	struct ma__op *op = ma__pool_get(&dmt->workers->pool);

	(void)type;
	if (op != NULL)
		op->mover = dmt;
	return op;
}

/* Is the operation to be executed by this poll, rather than by a worker? */
static bool
runs_inline(const struct data_mover_threads *dmt, const struct ma__op *op,
	const struct vdm_operation *operation)
{
	const size_t n = op->request.n;

	if (dmt->workers->orphaned)
		return true;
	if (has_user_function(dmt, op->request.type))
		return false;
	return n == 0 || n < dmt->inline_below ||
		(dmt->inline_below != 0 && n < ma__polling_bytes(operation));
}

static void
start(struct data_mover_threads *dmt, struct ma__op *op,
	const struct vdm_operation *operation, struct future_notifier *n)
{
	if (runs_inline(dmt, op, operation)) {
		atomic_store_explicit(&op->state, MA__OP_INLINE,
			memory_order_relaxed);
		execute(op, 0, op->request.n);
		ma__op_complete_alone(op);
		return;
	}
	op->piece = piece_of(dmt, op);
	atomic_store_explicit(&op->left, op->request.n, memory_order_relaxed);
	ma__op_start(op, n, dmt->desired);
	ma__workers_queue(dmt->workers, op);
}

static int
threads_op_start(void *data, const struct vdm_operation *operation,
	struct future_notifier *n)
{
	struct ma__op *op = data;
	struct data_mover_threads *dmt = op->mover;

	if (n != NULL)
		n->notifier_used = FUTURE_NOTIFIER_NONE;
	if (atomic_load_explicit(&op->state, memory_order_relaxed) !=
		MA__OP_NEW) {
		/* In a child op_check is going to complete it. */
		if (!dmt->workers->orphaned)
			ma__op_renotify(op, n, dmt->desired);
	} else if (!ma__request_read(&op->request, operation)) {
		op->result = VDM_ERROR_JOB_CORRUPTED;
		ma__op_complete_alone(op);
	} else {
		start(dmt, op, operation, n);
	}
	return 0;
}

static enum future_state
threads_op_check(void *data, const struct vdm_operation *operation)
{
	struct ma__op *op = data;
	struct data_mover_threads *dmt = op->mover;

	/*
	 * In a child a DONE operation may be lost all the same: what says so is
	 * exact, the rest was copied at another time (fork.c).
	 */
	if (dmt->workers->orphaned &&
		(op->lost ||
			atomic_load_explicit(&op->state,
				memory_order_relaxed) != MA__OP_DONE))
		ma__workers_adopt(dmt->workers, op);
	return ma__op_poll(op, operation, dmt->desired) ? FUTURE_STATE_COMPLETE
							: FUTURE_STATE_RUNNING;
}

static void
threads_op_delete(void *data, const struct vdm_operation *operation,
	struct vdm_operation_output *output)
{
	struct ma__op *op = data;

	ma__request_output(operation, op->result, output);
	ma__pool_put(&op->mover->workers->pool, op);
}

static int
threads_has_property(void *future, enum future_property property)
{
	const struct vdm_operation_future *operation = future;

	switch (property) {
	case FUTURE_PROPERTY_ASYNC:
		return 1;
	case FUTURE_PROPERTY_RENOTIFY:
		/* Not for a mover made of ours with an op_start of its own. */
		if (operation->data.vdm->op_start == threads_op_start)
			return FUTURE_PROPERTY_RENOTIFY_YES;
		return 0;
	}
	return 0;
}

struct data_mover_threads *
data_mover_threads_new(size_t nthreads, size_t ringbuf_size,
	enum future_notifier_type desired)
{
	struct data_mover_threads *dmt;

	if (nthreads == 0 || ringbuf_size == 0 ||
		(desired != FUTURE_NOTIFIER_NONE &&
			desired != FUTURE_NOTIFIER_WAKER &&
			desired != FUTURE_NOTIFIER_POLLER)) {
		errno = EINVAL;
		return NULL;
	}
	dmt = malloc(sizeof(*dmt));
	if (dmt == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	dmt->base.op_new = threads_op_new;
	dmt->base.op_delete = threads_op_delete;
	dmt->base.op_start = threads_op_start;
	dmt->base.op_check = threads_op_check;
	/* 0 though the flags are honoured: see data_mover_sync.c. */
	dmt->base.capabilities = 0;
	dmt->base.has_property = threads_has_property;
	dmt->desired = desired;
	dmt->inline_below = DEFAULT_INLINE_BELOW;
	dmt->user_memcpy = NULL;
	dmt->user_memmove = NULL;
	dmt->user_memset = NULL;
	dmt->workers = ma__workers_new(nthreads,
		ma__os_env_size("MINIASYNC_MAX_OPERATIONS", DEFAULT_LIMIT),
		execute);
	if (dmt->workers == NULL) {
		const int error = errno;

		free(dmt);
		errno = error;
		return NULL;
	}
	return dmt;
}

struct data_mover_threads *
data_mover_threads_default(void)
{
	const size_t cpus = ma__os_cpus();

	return data_mover_threads_new(
		cpus < DEFAULT_THREADS_MAX ? cpus : DEFAULT_THREADS_MAX,
		DEFAULT_RING, FUTURE_NOTIFIER_WAKER);
}

struct vdm *
data_mover_threads_get_vdm(struct data_mover_threads *dmt)
{
	return &dmt->base;
}

void
data_mover_threads_set_memcpy_fn(struct data_mover_threads *dmt,
	memcpy_fn dmt_memcpy)
{
	dmt->user_memcpy = dmt_memcpy;
}

void
data_mover_threads_set_memmove_fn(struct data_mover_threads *dmt,
	memmove_fn dmt_memmove)
{
	dmt->user_memmove = dmt_memmove;
}

void
data_mover_threads_set_memset_fn(struct data_mover_threads *dmt,
	memset_fn dmt_memset)
{
	dmt->user_memset = dmt_memset;
}

void
data_mover_threads_set_inline_below(struct data_mover_threads *dmt,
	size_t nbytes)
{
	dmt->inline_below = nbytes;
}

size_t
data_mover_threads_get_inline_below(const struct data_mover_threads *dmt)
{
	return dmt->inline_below;
}

size_t
data_mover_threads_get_nthreads(const struct data_mover_threads *dmt)
{
	return dmt->workers->count;
}

void
data_mover_threads_delete(struct data_mover_threads *dmt)
{
	if (dmt == NULL)
		return;
	ma__workers_delete(dmt->workers);
	free(dmt);
}
