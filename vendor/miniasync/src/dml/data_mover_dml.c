/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * data_mover_dml.c -- the mover for Intel DSA
 *
 * An operation goes one of two ways, and which is decided before it starts. The
 * CPU's: its first poll does all of it. Or libdml's: the first poll makes jobs of
 * it, and the later ones see to them. libdml's way to choose between device and
 * software itself is not used: it does not tell who did the work, so nothing
 * would be known about durability, and it may block.
 */

#include <errno.h>
#include <stdlib.h>

#include "../os.h"
#include "mover.h"

#define DEFAULT_LIMIT ((size_t)1 << 20)

/* AUTO: handing less to a device costs more than copying it. */
#define SMALL ((size_t)4096)

/* Is the operation for the CPU, and why? */
static bool
is_for_cpu(const struct data_mover_dml *mover,
	const struct ma__request *request, enum ma__dml_count *why)
{
	if (request->n == 0 ||
		(mover->type == DATA_MOVER_DML_AUTO && request->n < SMALL))
		*why = MA__DML_CPU_SMALL;
	else if (mover->forked)
		*why = MA__DML_CPU_FORKED;
	else if (!mover->usable)
		*why = MA__DML_CPU_UNAVAILABLE;
	else if (ma__request_overlaps(request))
		/* See jobs.c: what fails could not be done again. */
		*why = MA__DML_CPU_OVERLAP;
	else if (mover->type == DATA_MOVER_DML_SOFTWARE &&
		request->type == VDM_OPERATION_FLUSH)
		/* It passes over lines, on some CPUs over all of them. */
		*why = MA__DML_CPU_FLUSH;
	else
		return false;
	return true;
}

static void *
dml_op_new(struct vdm *vdm, const enum vdm_operation_type type)
{
	struct data_mover_dml *mover = (struct data_mover_dml *)vdm;
	struct ma__dml_op *op = ma__stock_get(&mover->ops);

	(void)type;
	if (op != NULL) {
		op->mover = mover;
		op->state = MA__DML_NEW;
		op->advanced = false;
		op->result = VDM_SUCCESS;
	}
	return op;
}

static void
finish(struct ma__dml_op *op)
{
	ma__dml_count(&op->mover->stats, MA__DML_OPERATIONS, 1);
	op->state = MA__DML_DONE;
}

/* All of it, now. */
static void
run_on_cpu(struct ma__dml_op *op, enum ma__dml_count why)
{
	struct ma__request *request = &op->request;

	ma__dml_count(&op->mover->stats, why, 1);
	ma__dml_count(&op->mover->stats, MA__DML_CPU_BYTES, request->n);
	/* memcpy(p, p, n) happens, and does no harm. */
	if (ma__request_overlaps(request))
		request->type = VDM_OPERATION_MEMMOVE;
	/* There may be no addresses either. */
	if (request->n != 0)
		ma__request_run(request, 0, request->n);
	finish(op);
}

static void
begin(struct ma__dml_op *op, const struct vdm_operation *operation)
{
	enum ma__dml_count why = MA__DML_CPU_NO_MEMORY;

	if (!ma__request_read(&op->request, operation)) {
		op->result = VDM_ERROR_JOB_CORRUPTED;
		op->state = MA__DML_DONE;
		return;
	}
	if (is_for_cpu(op->mover, &op->request, &why) || !ma__dml_begin(op))
		run_on_cpu(op, why);
	else
		op->state = MA__DML_RUNNING;
}

static void
advance(struct ma__dml_op *op)
{
	if (op->mover->forked)
		run_on_cpu(op, MA__DML_CPU_FORKED);
	else if (ma__dml_advance(op))
		finish(op);
}

/*
 * Says what tells that polling is worthwhile: the completion record of a job that
 * is in flight. They all have to end, so any will do.
 */
static void
announce(const struct ma__dml_op *op, struct future_notifier *n)
{
	for (size_t i = 0; op->state == MA__DML_RUNNING && i < op->njobs; i++) {
		const uint64_t *word = ma__dml_job_word(op->jobs[i]);

		if (op->jobs[i]->state == MA__DML_IN_FLIGHT && word != NULL) {
			n->notifier_used = FUTURE_NOTIFIER_POLLER;
			n->poller.ptr_to_monitor = (uint64_t *)(uintptr_t)word;
			return;
		}
	}
	n->notifier_used = FUTURE_NOTIFIER_NONE;
}

/*
 * The first poll of an operation begins it, and announces nothing, as the
 * original did: who was compiled with that one's headers comes here only then,
 * and is told nothing by later polls. Others come here with every poll (see
 * FUTURE_PROPERTY_RENOTIFY). Then the poll's work is done here, to know what is to
 * be announced.
 */
static int
dml_op_start(void *data, const struct vdm_operation *operation,
	struct future_notifier *n)
{
	struct ma__dml_op *op = data;

	if (op->state == MA__DML_NEW) {
		if (n != NULL)
			n->notifier_used = FUTURE_NOTIFIER_NONE;
		begin(op, operation);
		return 0;
	}
	if (op->state == MA__DML_RUNNING)
		advance(op);
	op->advanced = true;
	if (n != NULL)
		announce(op, n);
	return 0;
}

static enum future_state
dml_op_check(void *data, const struct vdm_operation *operation)
{
	struct ma__dml_op *op = data;

	(void)operation;
	if (op->state == MA__DML_RUNNING && !op->advanced)
		advance(op);
	op->advanced = false;
	return op->state == MA__DML_DONE ? FUTURE_STATE_COMPLETE
					 : FUTURE_STATE_RUNNING;
}

static void
dml_op_delete(void *data, const struct vdm_operation *operation,
	struct vdm_operation_output *output)
{
	struct ma__dml_op *op = data;

	ma__request_output(operation, op->result, output);
	ma__stock_put(&op->mover->ops, op);
}

/*
 * ASYNC: will the device work, while the thread does something else? Asked of
 * the operation's future, which may be complete and the operation gone.
 */
static int
dml_has_property(void *future, enum future_property property)
{
	const struct vdm_operation_data *data =
		FUTURE_DATA((struct vdm_operation_future *)future);
	const struct data_mover_dml *mover =
		(const struct data_mover_dml *)data->vdm;
	struct ma__request request;
	enum ma__dml_count why;

	if (property == FUTURE_PROPERTY_RENOTIFY)
		/* Not for a mover made of ours with an op_start of its own. */
		return mover->base.op_start == dml_op_start
			? FUTURE_PROPERTY_RENOTIFY_YES
			: 0;
	return property == FUTURE_PROPERTY_ASYNC && ma__dml_is_async(mover) &&
		ma__request_read(&request, &data->operation) &&
		!is_for_cpu(mover, &request, &why);
}

static struct data_mover_dml *
of_forkable(struct ma__forkable *forkable)
{
	return (struct data_mover_dml *)((char *)forkable -
		offsetof(struct data_mover_dml, forkable));
}

/* Nobody is to be in the middle of taking from a stock or giving back. */
static void
before_fork(struct ma__forkable *forkable)
{
	struct data_mover_dml *mover = of_forkable(forkable);

	pthread_mutex_lock(&mover->ops.lock);
	pthread_mutex_lock(&mover->jobs.stock.lock);
}

static void
after_fork(struct ma__forkable *forkable)
{
	struct data_mover_dml *mover = of_forkable(forkable);

	pthread_mutex_unlock(&mover->jobs.stock.lock);
	pthread_mutex_unlock(&mover->ops.lock);
}

static void
after_fork_in_child(struct ma__forkable *forkable)
{
	of_forkable(forkable)->forked = true;
	after_fork(forkable);
}

/* Finds out what can be used; 0 or an error number. */
static int
find_engine(struct data_mover_dml *mover)
{
	int error;

	if (mover->type == DATA_MOVER_DML_SOFTWARE) {
		mover->usable = ma__dml_cpu_suits();
		return 0;
	}
	error = ma__dml_look_for_device(&mover->jobs);
	mover->usable = error == 0;
	if (error == ENODEV && mover->type == DATA_MOVER_DML_AUTO)
		return 0;
	return error;
}

static void
fill_in(struct data_mover_dml *mover, enum data_mover_dml_type type)
{
	mover->base.op_new = dml_op_new;
	mover->base.op_delete = dml_op_delete;
	mover->base.op_start = dml_op_start;
	mover->base.op_check = dml_op_check;
	mover->base.capabilities = VDM_F_VALID_FLAGS;
	mover->base.has_property = dml_has_property;
	mover->type = type;
	mover->forkable.prepare = before_fork;
	mover->forkable.parent = after_fork;
	mover->forkable.child = after_fork_in_child;
	mover->forked = false;
	atomic_init(&mover->length_max, MA__DML_LENGTH_MAX);
	atomic_init(&mover->full_length, 0);
	atomic_init(&mover->hints_refused, false);
	atomic_init(&mover->answering, true);
	ma__dml_stats_init(&mover->stats);
}

/* Makes the parts that can fail; 0, or an error number and nothing is left. */
static int
make_parts(struct data_mover_dml *mover)
{
	int error = ma__stock_init(&mover->ops, sizeof(struct ma__dml_op),
		ma__os_env_size("MINIASYNC_MAX_OPERATIONS", DEFAULT_LIMIT));

	if (error != 0)
		return error;
	error = ma__dml_jobs_init(&mover->jobs,
		mover->type == DATA_MOVER_DML_SOFTWARE ? DML_PATH_SW
						       : DML_PATH_HW);
	if (error == 0) {
		error = find_engine(mover);
		if (error == 0)
			error = ma__fork_add(&mover->forkable);
		if (error == 0)
			return 0;
		ma__dml_jobs_drain(&mover->jobs);
		ma__dml_jobs_fini(&mover->jobs);
	}
	ma__stock_fini(&mover->ops);
	return error;
}

struct data_mover_dml *
data_mover_dml_new(enum data_mover_dml_type type)
{
	struct data_mover_dml *mover;
	int error;

	if (type != DATA_MOVER_DML_SOFTWARE &&
		type != DATA_MOVER_DML_HARDWARE &&
		type != DATA_MOVER_DML_AUTO) {
		errno = EINVAL;
		return NULL;
	}
	mover = malloc(sizeof(*mover));
	if (mover == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	fill_in(mover, type);
	error = make_parts(mover);
	if (error != 0) {
		free(mover);
		errno = error;
		return NULL;
	}
	return mover;
}

struct vdm *
data_mover_dml_get_vdm(struct data_mover_dml *dmd)
{
	return &dmd->base;
}

void
data_mover_dml_delete(struct data_mover_dml *dmd)
{
	if (dmd == NULL)
		return;
	ma__fork_remove(&dmd->forkable);
	if (!dmd->forked)
		ma__dml_jobs_drain(&dmd->jobs);
	ma__dml_jobs_fini(&dmd->jobs);
	ma__stock_fini(&dmd->ops);
	free(dmd);
}
