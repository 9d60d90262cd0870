/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * complete.c -- what comes of a descriptor's end, and what the CPU does
 *
 *   status                      what is done
 *   0                           the bytes are there; written back if durable
 *   2 being processed           asked again by the next poll
 *   14 flags                    sent again without the hint for the cache, and
 *                               from then on without it; without: as others
 *   15 length                   sent again in halves, and from then on no longer
 *                               ones, until very many went well; if it is no
 *                               longer than a page: as others
 *   25, 33 page fault           as others, but counted apart
 *   others, known or not        done by the CPU (why that is right: jobs.c)
 *
 * A page fault is the rule for memory that was not touched yet. The CPU does the
 * beginning of the job, CPU_STEP bytes at most, and the device goes on behind
 * it, with shorter descriptors, so that less is done twice.
 *
 * A poll is not to keep its thread for long. Where a device is in use it does no
 * more than CPU_STEP bytes itself, and leaves the rest to the next one. Where the
 * device does nothing, and the operation is not ASYNC, it does everything.
 */

#include "../flush.h"
#include "mover.h"

void
ma__dml_fall_back(struct ma__dml_op *op, struct ma__dml_job *job,
	enum ma__dml_count why, dml_status_t status)
{
	struct data_mover_dml *mover = op->mover;

	ma__dml_count(&mover->stats, why, 1);
	ma__dml_note_error(&mover->stats, status);
	/* A fault says nothing against the device. */
	if (why != MA__DML_CPU_PAGE_FAULT)
		atomic_store_explicit(&mover->answering, false,
			memory_order_relaxed);
	op->piece /= 2;
	if (op->piece < MA__DML_PIECE_MIN)
		op->piece = MA__DML_PIECE_MIN;
	if (job->length > MA__DML_CPU_STEP)
		job->length = MA__DML_CPU_STEP;
	job->state = MA__DML_REDO;
}

/* It is too long: from now on none is longer than half of it. */
static void
learn_length(struct data_mover_dml *mover, size_t length)
{
	const size_t half = length / 2 / MA__DML_PAGE * MA__DML_PAGE;
	const size_t max = half != 0 ? half : MA__DML_LENGTH_MIN;
	size_t known =
		atomic_load_explicit(&mover->length_max, memory_order_relaxed);

	while (known > max &&
		!atomic_compare_exchange_weak_explicit(&mover->length_max,
			&known, max, memory_order_relaxed,
			memory_order_relaxed))
		;
}

/*
 * It went well. If it was as long as is allowed, perhaps longer ones do, too: a
 * device may have refused one for a reason that is gone, and what has been learned
 * from one of its queues is not true of others. If not, it costs one refusal.
 */
static void
relearn_length(struct data_mover_dml *mover, size_t length)
{
	size_t known =
		atomic_load_explicit(&mover->length_max, memory_order_relaxed);

	if (length != known || known == MA__DML_LENGTH_MAX ||
		atomic_fetch_add_explicit(&mover->full_length, 1,
			memory_order_relaxed) +
				1 <
			MA__DML_FULL_LENGTH)
		return;
	atomic_store_explicit(&mover->full_length, 0, memory_order_relaxed);
	/* Not if another thread has learned something meanwhile. */
	(void)atomic_compare_exchange_strong_explicit(&mover->length_max,
		&known,
		known > MA__DML_LENGTH_MAX / 2 ? MA__DML_LENGTH_MAX : known * 2,
		memory_order_relaxed, memory_order_relaxed);
}

static void
count_done(struct data_mover_dml *mover, size_t length)
{
	const bool hardware = mover->jobs.path == DML_PATH_HW;

	ma__dml_count(&mover->stats,
		hardware ? MA__DML_HARDWARE_JOBS : MA__DML_SOFTWARE_JOBS, 1);
	ma__dml_count(&mover->stats,
		hardware ? MA__DML_HARDWARE_BYTES : MA__DML_SOFTWARE_BYTES,
		length);
}

/* A job has ended with this status. */
static void
land(struct ma__dml_op *op, struct ma__dml_job *job, dml_status_t status)
{
	struct data_mover_dml *mover = op->mover;

	switch (status) {
	case DML_STATUS_OK:
		atomic_store_explicit(&mover->answering, true,
			memory_order_relaxed);
		count_done(mover, job->length);
		relearn_length(mover, job->length);
		if ((op->request.flags & VDM_F_MEM_DURABLE) != 0)
			job->state = MA__DML_WRITE_BACK;
		else
			job->at += job->length;
		return;
	case DML_STATUS_JOB_FLAGS_ERROR:
		if (!job->hinted)
			break;
		atomic_store_explicit(&mover->hints_refused, true,
			memory_order_relaxed);
		ma__dml_count(&mover->stats, MA__DML_RESUBMISSIONS, 1);
		return;
	case DML_STATUS_JOB_LENGTH_ERROR:
		if (job->length <= MA__DML_LENGTH_MIN)
			break;
		learn_length(mover, job->length);
		ma__dml_count(&mover->stats, MA__DML_RESUBMISSIONS, 1);
		return;
	case DML_STATUS_PAGE_FAULT_ERROR:
	case DML_STATUS_INTL_INVALID_PAGE_REQUEST:
		ma__dml_fall_back(op, job, MA__DML_CPU_PAGE_FAULT, status);
		return;
	default:
		break;
	}
	ma__dml_fall_back(op, job, MA__DML_CPU_DEVICE_ERROR, status);
}

/* Does what the CPU is to do for the job, as far as the budget goes. */
static void
work(struct ma__dml_op *op, struct ma__dml_job *job, size_t *budget)
{
	const struct ma__request *request = &op->request;
	const size_t n = job->length < *budget ? job->length : *budget;

	if (job->state == MA__DML_WRITE_BACK) {
		ma__flush(request->dst + job->at, n);
	} else {
		ma__request_run(request, job->at, n);
		ma__dml_count(&op->mover->stats, MA__DML_CPU_BYTES, n);
	}
	*budget -= n;
	job->at += n;
	job->length -= n;
	if (job->length == 0)
		job->state = MA__DML_READY;
}

/* Gives the job what is next in the operation; false if nothing is left. */
static bool
take_piece(struct ma__dml_op *op, struct ma__dml_job *job)
{
	const size_t left = op->request.n - op->next;
	const size_t n = left < op->piece ? left : op->piece;

	job->at = op->next;
	op->next += n;
	job->end = op->next;
	return n != 0;
}

/* Takes a job as far as it goes now: true if there is nothing left to do. */
static bool
advance_job(struct ma__dml_op *op, struct ma__dml_job *job, size_t *budget)
{
	for (;;) {
		dml_status_t status;

		switch (job->state) {
		case MA__DML_READY:
			if (job->at == job->end && !take_piece(op, job))
				return true;
			ma__dml_submit(op, job);
			if (job->state == MA__DML_READY)
				return false; /* the queue is full */
			break;
		case MA__DML_IN_FLIGHT:
			status = ma__dml_job_check(job);
			if (status == DML_STATUS_BEING_PROCESSED)
				return false;
			land(op, job, status);
			break;
		case MA__DML_REDO:
		case MA__DML_WRITE_BACK:
			if (*budget == 0)
				return false;
			work(op, job, budget);
			break;
		}
	}
}

bool
ma__dml_advance(struct ma__dml_op *op)
{
	size_t budget =
		ma__dml_is_async(op->mover) ? MA__DML_CPU_STEP : SIZE_MAX;
	size_t i = 0;

	while (i < op->njobs) {
		if (advance_job(op, op->jobs[i], &budget)) {
			ma__dml_jobs_put(&op->mover->jobs, op->jobs[i]);
			op->jobs[i] = op->jobs[--op->njobs];
		} else {
			i++;
		}
	}
	return op->njobs == 0;
}
