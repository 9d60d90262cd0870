/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * _miniasync_batch.c -- many operations of one mover behind one future
 *
 * The operations are started in order, and those that are not complete at once
 * wait in a queue. Each poll takes the complete ones off its front, up to the
 * first incomplete one, and starts what could not be started before.
 *
 * Only the operation at the front is given the notifier of a poll: when it is
 * complete, the next one gets its own. So one waker is armed at a time, a
 * completion behind the front wakes nobody, and none keeps a notifier that a
 * later poll has replaced. The front is polled by every poll, also by one
 * without a notifier, for the same reason.
 *
 * A mover that knows nothing of replacing notifiers (upstream's) keeps quiet
 * about an operation that was started without one, and then nothing is announced:
 * the batch is polled round after round.
 *
 * A future may be moved between polls. Those in the queue are taken apart: all but
 * a pointer and the state is made again for each poll, from what the batch knows.
 */

#include "_miniasync_batch.h"

#include <stdbool.h>
#include <stdlib.h>

#include "_miniasync_shim.h"

/*
 * How many bytes a poll moves before it lets the caller look at its clock, and
 * how many starting an operation or handing it over counts for. A slice takes
 * some 100 us.
 */
#define SLICE ((size_t)4 << 20)
#define START_COST ((size_t)1 << 10)
#define QUEUE_COST ((size_t)16 << 10)

/* What an operation's future has that the batch does not know anyway. */
struct ma_batch_slot {
	void *data;
	size_t index;
	enum future_state state;
};

/* A piece of the queue, a page with what malloc adds. */
#define BLOCK_SLOTS 169

struct ma_batch_block {
	struct ma_batch_block *next;
	uint32_t begin; /* the first slot in use */
	uint32_t end;
	struct ma_batch_slot slots[BLOCK_SLOTS];
};

/* What is left of a poll's slice. */
struct slice {
	struct future_notifier *n;
	size_t left;
};

static void
spend(struct slice *slice, size_t cost)
{
	slice->left -= cost < slice->left ? cost : slice->left;
}

static void
announce_nothing(struct future_notifier *n)
{
	if (n != NULL)
		n->notifier_used = FUTURE_NOTIFIER_NONE;
}

/* The operation at the front of the queue, NULL if it is empty. */
static struct ma_batch_slot *
front(const struct ma_batch *batch)
{
	struct ma_batch_block *block = batch->first;

	return block != NULL && block->begin != block->end
		? &block->slots[block->begin]
		: NULL;
}

/* The place behind its back, NULL if there is no memory. */
static struct ma_batch_slot *
reserve(struct ma_batch *batch)
{
	struct ma_batch_block *block = batch->last;

	if (block == NULL || block->end == BLOCK_SLOTS) {
		block = malloc(sizeof(*block));
		if (block == NULL)
			return NULL;
		block->next = NULL;
		block->begin = block->end = 0;
		if (batch->last == NULL)
			batch->first = block;
		else
			batch->last->next = block;
		batch->last = block;
	}
	return &block->slots[block->end];
}

/* Takes the front off the queue; the last block is kept for what follows. */
static void
pop(struct ma_batch *batch)
{
	struct ma_batch_block *block = batch->first;

	if (++block->begin != block->end)
		return;
	if (block->next == NULL) {
		block->begin = block->end = 0;
	} else {
		batch->first = block->next;
		free(block);
	}
}

/* The future of an operation, but for what its mover has for it. */
static struct vdm_operation_future
describe(const struct ma_batch *batch, size_t index)
{
	const struct ma_batch_op *op = &batch->ops[index];
	struct vdm_operation_future fut = {
		.data = {.vdm = batch->vdm, .operation = {.type = batch->type}},
	};

	switch (batch->type) {
	case VDM_OPERATION_MEMSET:
		fut.data.operation.data.memset =
			(struct vdm_operation_data_memset){
				.str = op->dst,
				.c = op->c,
				.n = op->n,
				.flags = batch->flags,
		};
		break;
	case VDM_OPERATION_MEMMOVE:
		fut.data.operation.data.memmove =
			(struct vdm_operation_data_memmove){
				.dest = op->dst,
				.src = op->src,
				.n = op->n,
				.flags = batch->flags,
		};
		break;
	default:
		fut.data.operation.data.memcpy =
			(struct vdm_operation_data_memcpy){
				.dest = op->dst,
				.src = op->src,
				.n = op->n,
				.flags = batch->flags,
		};
		break;
	}
	return fut;
}

/* Polls an operation and writes its result down if it is complete. */
static enum future_state
poll_one(struct ma_batch *batch, struct vdm_operation_future *fut, size_t index,
	struct slice *slice, struct future_notifier *n)
{
	const enum future_state state = future_poll(FUTURE_AS_RUNNABLE(fut), n);

	/*
	 * What it announced is not the next one's word; and if upstream's queue
	 * is full, nobody wakes whom it turns away.
	 */
	if (state != FUTURE_STATE_RUNNING)
		announce_nothing(n);
	if (state == FUTURE_STATE_COMPLETE) {
		batch->results[index] = (uint8_t)FUTURE_OUTPUT(fut)->result;
		batch->nfailed += FUTURE_OUTPUT(fut)->result != VDM_SUCCESS;
		spend(slice, START_COST);
	}
	return state;
}

/* Polls an operation in the queue; what it was polled in before is gone. */
static enum future_state
poll_slot(struct ma_batch *batch, struct ma_batch_slot *slot,
	struct slice *slice, struct future_notifier *n)
{
	struct vdm_operation_future fut;

	if (slot->state == FUTURE_STATE_COMPLETE)
		return slot->state;
	fut = describe(batch, slot->index);
	FUTURE_INIT_EXT(&fut, vdm_operation_impl, future_has_property_default);
	fut.data.data = slot->data;
	FUTURE_STATE(&fut) = slot->state;
	slot->state = poll_one(batch, &fut, slot->index, slice, n);
	return slot->state;
}

/* Starts the next operation; false if the mover takes no more for now. */
static bool
start_next(struct ma_batch *batch, struct slice *slice)
{
	const size_t index = batch->next;
	struct future_notifier *n = front(batch) == NULL ? slice->n : NULL;
	struct ma_batch_slot *slot = reserve(batch);
	struct vdm_operation_future fut;

	if (slot == NULL)
		return false;
	fut = describe(batch, index);
	vdm_generic_operation(batch->vdm, &fut);
	if (FUTURE_STATE(&fut) == FUTURE_STATE_COMPLETE)
		return false; /* no memory */
	batch->next++;
	if (poll_one(batch, &fut, index, slice, n) == FUTURE_STATE_COMPLETE) {
		spend(slice, batch->ops[index].n);
		return true;
	}
	spend(slice, QUEUE_COST);
	slot->data = fut.data.data;
	slot->index = index;
	slot->state = FUTURE_STATE(&fut);
	batch->last->end++;
	batch->back = slot;
	return slot->state != FUTURE_STATE_IDLE;
}

/* Polls what was started, as far as it is complete. */
static void
finish_started(struct ma_batch *batch, struct slice *slice)
{
	struct ma_batch_slot *slot;

	while (slice->left != 0 && (slot = front(batch)) != NULL &&
		poll_slot(batch, slot, slice, slice->n) ==
			FUTURE_STATE_COMPLETE)
		pop(batch);
}

/* Starts what was not, as far as the mover takes it. */
static void
start_more(struct ma_batch *batch, struct slice *slice)
{
	struct ma_batch_slot *first = front(batch);

	if (first != NULL && batch->back->state == FUTURE_STATE_IDLE) {
		/* It was turned away. If it is the front, again just now. */
		if (batch->back == first ||
			poll_slot(batch, batch->back, slice, NULL) ==
				FUTURE_STATE_IDLE)
			return;
	}
	while (slice->left != 0 && batch->next < batch->n) {
		if (start_next(batch, slice))
			continue;
		if (front(batch) != NULL)
			return;
		/* There is nothing of ours to wait for. */
		batch->results[batch->next++] = VDM_ERROR_OUT_OF_MEMORY;
		batch->nfailed++;
		spend(slice, START_COST);
	}
}

/* A batch works in the background where its operations do. */
static int
batch_has_property(void *future, enum future_property property)
{
	struct ma_batch *batch = future;
	struct vdm_operation_future any = {
		.data = {.vdm = batch->vdm, .operation = {.type = batch->type}},
	};

	if (property != FUTURE_PROPERTY_ASYNC ||
		batch->vdm->has_property == NULL)
		return 0;
	return batch->vdm->has_property(&any, property);
}

static enum future_state
batch_task(struct future_context *context, struct future_notifier *n)
{
	struct ma_batch *batch = (struct ma_batch *)((char *)context -
		offsetof(struct future, context));
	const bool wakes = n != NULL && n->waker.wake != NULL;
	const bool is_sliced =
		wakes || batch_has_property(batch, FUTURE_PROPERTY_ASYNC) > 0;
	struct slice slice = {.n = n, .left = is_sliced ? SLICE : SIZE_MAX};

	announce_nothing(n);
	finish_started(batch, &slice);
	start_more(batch, &slice);
	batch->has_more = batch->next != batch->n ||
		(front(batch) != NULL &&
			batch->back->state == FUTURE_STATE_IDLE);
	if (batch->next == batch->n && front(batch) == NULL) {
		ma_batch_abandon(batch);
		batch->code = batch->nfailed == 0 ? 0 : MA_BATCH_FAILED;
		return FUTURE_STATE_COMPLETE;
	}
	if (wakes && slice.left == 0) {
		n->notifier_used = FUTURE_NOTIFIER_WAKER;
		FUTURE_WAKER_WAKE(&n->waker);
	}
	return FUTURE_STATE_RUNNING;
}

void
ma_batch_init(struct ma_batch *batch, struct vdm *vdm,
	enum vdm_operation_type type, const struct ma_batch_op *ops,
	uint8_t *results, size_t n, uint64_t flags)
{
	memset(results, VDM_SUCCESS, n);
	*batch = (struct ma_batch){
		.base = {.task = batch_task,
			.has_property = batch_has_property,
			.context = {.state = FUTURE_STATE_IDLE}},
		.code = MA_RUNNING,
		.vdm = vdm,
		.ops = ops,
		.results = results,
		.n = n,
		.flags = flags,
		.type = type,
	};
}

int
ma_batch_run(struct ma_batch *batch, struct vdm *vdm,
	enum vdm_operation_type type, const struct ma_batch_op *ops,
	uint8_t *results, size_t n, uint64_t flags,
	struct future_waiter *waiter, uint64_t timeout_ns)
{
	if (batch->base.task == NULL)
		ma_batch_init(batch, vdm, type, ops, results, n, flags);
	if (waiter != NULL || timeout_ns != MA_MAKE_ONLY)
		(void)ma_shim_run_future(&batch->base, waiter, timeout_ns);
	return batch->code;
}

uint64_t
ma_batch_bytes(const struct ma_batch_op *ops, size_t n)
{
	uint64_t nbytes = 0;

	for (size_t i = 0; i < n; i++)
		nbytes += ops[i].n;
	return nbytes;
}

void
ma_batch_abandon(struct ma_batch *batch)
{
	while (batch->first != NULL) {
		struct ma_batch_block *next = batch->first->next;

		free(batch->first);
		batch->first = next;
	}
	batch->last = NULL;
}
