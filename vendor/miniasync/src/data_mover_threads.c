/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * data_mover_threads.c -- the mover with worker threads
 *
 * What is where: operation.c has the design of completion and wake-up,
 * workers.c the queue and who executes, fork.c what happens at a fork.
 */

#include "libminiasync/data_mover_threads.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "os.h"
#include "workers.h"

#define DEFAULT_THREADS_MAX 16
#define DEFAULT_RING 128
#define DEFAULT_LIMIT ((size_t)1 << 20)

/*
 * A poll that wakes a worker takes as long as copying this much, and who does not
 * wait in the library has to be told of the end, too.
 */
#define DEFAULT_INLINE_BELOW ((size_t)128 << 10)

/*
 * A program's function that takes less than this, on average, is quick; one that
 * was not called yet is not. It is measured at every call until it is quick, and
 * then now and then.
 */
#define QUICK_NS 5000
#define MEASURE_EVERY 16

/* Bytes that one thread copies in the time: a middling speed. */
#define BYTES_PER_NS 20

/* The functions of the program, by enum vdm_operation_type. */
#define FUNCTIONS (VDM_OPERATION_MEMSET + 1)

struct data_mover_threads {
	struct vdm base; /* first: the vdm is the mover */
	struct ma__workers *workers;
	enum future_notifier_type desired;
	size_t inline_below;
	size_t inline_in_waits; /* likewise, beside ma__polling_bytes() */
	memcpy_fn user_memcpy; /* NULL: the copy engine */
	memmove_fn user_memmove;
	memset_fn user_memset;
	/* How long a call takes on average; 0: not known. Relaxed: estimates. */
	atomic_uint call_ns[FUNCTIONS];
	atomic_uint calls;
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
call_user_function(const struct data_mover_threads *dmt,
	const struct ma__request *request)
{
	const unsigned flags = (unsigned)request->flags;
	const size_t n = request->n;
	struct ma__polling *const polling = ma__polling;

	/* What it polls is not part of the wait that calls it, if one does. */
	ma__polling = NULL;
	if (request->type == VDM_OPERATION_MEMCPY)
		dmt->user_memcpy(request->dst, request->src, n, flags);
	else if (request->type == VDM_OPERATION_MEMMOVE)
		dmt->user_memmove(request->dst, request->src, n, flags);
	else
		dmt->user_memset(request->dst, request->c, n, flags);
	ma__polling = polling;
}

/* Calls it and learns how long it takes. */
static void
measure_user_function(struct data_mover_threads *dmt,
	const struct ma__request *request)
{
	atomic_uint *const average = &dmt->call_ns[request->type];
	const unsigned old =
		atomic_load_explicit(average, memory_order_relaxed);
	const uint64_t start = ma__now();
	uint64_t ns;

	call_user_function(dmt, request);
	ns = ma__earlier(ma__now() - start, UINT32_MAX / 8) | 1;
	if (old != 0)
		ns = ((uint64_t)old * 7 + ns) / 8 + 1;
	atomic_store_explicit(average, (unsigned)ns, memory_order_relaxed);
}

static void
execute(struct ma__op *op, size_t offset, size_t n)
{
	struct data_mover_threads *dmt = op->mover;
	const struct ma__request *request = &op->request;

	/* A user's function gets the whole operation: it is never split. */
	if (!op->function)
		ma__request_run(request, offset, n);
	else if (op->timed)
		measure_user_function(dmt, request);
	else
		call_user_function(dmt, request);
}

/* Of an operation that the program's function executes: what is known of it. */
static void
estimate(struct data_mover_threads *dmt, struct ma__op *op)
{
	const unsigned ns = atomic_load_explicit(
		&dmt->call_ns[op->request.type], memory_order_relaxed);
	const unsigned calls =
		atomic_load_explicit(&dmt->calls, memory_order_relaxed);

	/* Two threads may store the same number. */
	atomic_store_explicit(&dmt->calls, calls + 1, memory_order_relaxed);
	op->weight = (size_t)ns * BYTES_PER_NS;
	if (op->weight < op->request.n)
		op->weight = op->request.n;
	op->slow = ns == 0 || op->weight >= (size_t)QUICK_NS * BYTES_PER_NS;
	if (op->slow && op->weight < MA__ALONE_MAX)
		op->weight = MA__ALONE_MAX;
	op->timed = op->slow || calls % MEASURE_EVERY == 0;
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

/* May the wait that is polling, if there is one, execute such an operation? */
static bool
helps(const struct data_mover_threads *dmt, const struct ma__op *op)
{
	return ma__polling_helps() && dmt->inline_below != 0 &&
		(ma__polling->functions || !op->function);
}

static int threads_has_property(void *future, enum future_property property);

/*
 * What a wait that helps knows the operation's future by; NULL if none helps, or
 * if it polls a task instead, which may mean to do other things first. The future's
 * own task may be somebody else's, too, and a mover of the program's pass on what it
 * is given, but for the notifier: it may block until its own is called. So the
 * operation has to have the cell that the wait wakes by. Without the lock, since
 * only polls write that.
 */
static future_has_property_fn
helper(const struct data_mover_threads *dmt, const struct ma__op *op,
	const struct vdm_operation *operation)
{
	return helps(dmt, op) && ma__polling_is(operation) &&
			op->cell == ma__polling->cell
		? threads_has_property
		: NULL;
}

/* Is the operation to be executed by this poll, rather than by a worker? */
static bool
runs_inline(const struct data_mover_threads *dmt, const struct ma__op *op,
	const struct vdm_operation *operation)
{
	const size_t n = op->request.n;
	const size_t below =
		ma__polling_helps() ? dmt->inline_in_waits : dmt->inline_below;

	if (dmt->workers->orphaned)
		return true;
	/* It cannot be shared: a wait for nothing else calls it itself. */
	if (op->function)
		return helps(dmt, op) && ma__polling->alone != 0 &&
			ma__polling_is(operation);
	return n == 0 || n < below ||
		(dmt->inline_below != 0 && n < ma__polling_bytes(operation));
}

static void
start(struct data_mover_threads *dmt, struct ma__op *op,
	const struct vdm_operation *operation, struct future_notifier *n)
{
	op->function = has_user_function(dmt, op->request.type);
	if (op->function)
		estimate(dmt, op);
	if (runs_inline(dmt, op, operation)) {
		atomic_store_explicit(&op->state, MA__OP_INLINE,
			memory_order_relaxed);
		execute(op, 0, op->request.n);
		ma__op_complete_alone(op);
		return;
	}
	ma__pieces_init(&op->pieces, &op->request, op->function);
	if (!op->function) {
		op->slow = false;
		/* What one piece at a time is taken of is worth no other. */
		op->weight = op->pieces.alone ? 0 : op->request.n;
	}
	atomic_store_explicit(&op->left, op->request.n, memory_order_relaxed);
	ma__op_start(op, n, dmt->desired);
	op->fresh = true;
	op->reminded = 0;
	ma__workers_queue(dmt->workers, op, helper(dmt, op, operation));
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

/* Works at the operation that a wait polls, or says what else there is to do. */
static void
help(struct data_mover_threads *dmt, struct ma__op *op,
	const struct vdm_operation *operation, bool fresh)
{
	struct ma__polling *const polling = ma__polling;

	if (!atomic_load_explicit(&op->queued, memory_order_relaxed)) {
		polling->soon |= !op->slow;
	} else if (fresh || polling->enough ||
		polling->helped >= MA__PIECE_MAX) {
		polling->again = true;
	} else {
		/* It may block, and the wait owes others a wake. */
		if (op->slow)
			ma__polling_settle(polling);
		if (ma__workers_help(dmt->workers, op,
			    helper(dmt, op, operation), &polling->helped))
			polling->again = true;
		else
			polling->soon |= !op->slow;
	}
}

/* What a poll does for an operation that is not complete. */
static void
further(struct data_mover_threads *dmt, struct ma__op *op,
	const struct vdm_operation *operation)
{
	const bool fresh = op->fresh;

	op->fresh = false;
	if (ma__polling != NULL &&
		atomic_load_explicit(&dmt->workers->moving,
			memory_order_relaxed) != 0)
		ma__polling->soon = true;
	if (!ma__op_has_waker(op) && helps(dmt, op))
		help(dmt, op, operation, fresh);
	else if (!fresh &&
		atomic_load_explicit(&op->queued, memory_order_relaxed))
		ma__workers_remind(dmt->workers, op);
}

static enum future_state
threads_op_check(void *data, const struct vdm_operation *operation)
{
	struct ma__op *op = data;
	struct data_mover_threads *dmt = op->mover;

	if (dmt->workers->orphaned) {
		/*
		 * A DONE operation may be lost all the same: what says so is
		 * exact, the rest was copied at another time (fork.c).
		 */
		if (op->executors != 0 || !ma__op_is_done(op))
			ma__workers_adopt(dmt->workers, op);
	} else if (ma__op_is_done(op)) {
		return FUTURE_STATE_COMPLETE;
	} else {
		further(dmt, op, operation);
	}
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
	/* Several such that are waited for are better shared. */
	dmt->inline_in_waits = 0;
	dmt->user_memcpy = NULL;
	dmt->user_memmove = NULL;
	dmt->user_memset = NULL;
	for (int i = 0; i < FUNCTIONS; i++)
		atomic_init(&dmt->call_ns[i], 0);
	atomic_init(&dmt->calls, 0);
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
	atomic_store_explicit(&dmt->call_ns[VDM_OPERATION_MEMCPY], 0,
		memory_order_relaxed);
}

void
data_mover_threads_set_memmove_fn(struct data_mover_threads *dmt,
	memmove_fn dmt_memmove)
{
	dmt->user_memmove = dmt_memmove;
	atomic_store_explicit(&dmt->call_ns[VDM_OPERATION_MEMMOVE], 0,
		memory_order_relaxed);
}

void
data_mover_threads_set_memset_fn(struct data_mover_threads *dmt,
	memset_fn dmt_memset)
{
	dmt->user_memset = dmt_memset;
	atomic_store_explicit(&dmt->call_ns[VDM_OPERATION_MEMSET], 0,
		memory_order_relaxed);
}

void
data_mover_threads_set_inline_below(struct data_mover_threads *dmt,
	size_t nbytes)
{
	dmt->inline_below = nbytes;
	dmt->inline_in_waits = nbytes;
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

int
data_mover_threads_get_stats(struct data_mover_threads *dmt,
	struct data_mover_threads_stats *stats)
{
	struct data_mover_threads_stats now = {.size = sizeof(now)};
	struct ma__workers *workers;

	if (dmt == NULL || stats == NULL || stats->size < sizeof(stats->size))
		return EINVAL;
	workers = dmt->workers;
	pthread_mutex_lock(&workers->lock);
	now.queued = workers->started;
	now.worker_pieces = workers->took[MA__WORKER].pieces;
	now.worker_bytes = workers->took[MA__WORKER].bytes;
	now.waiter_pieces = workers->took[MA__HELPER].pieces;
	now.waiter_bytes = workers->took[MA__HELPER].bytes;
	pthread_mutex_unlock(&workers->lock);
	if (stats->size < now.size)
		now.size = stats->size;
	memcpy(stats, &now, now.size);
	return 0;
}

void
data_mover_threads_delete(struct data_mover_threads *dmt)
{
	if (dmt == NULL)
		return;
	ma__workers_delete(dmt->workers);
	free(dmt);
}
