/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * submit.c -- what becomes a descriptor, and what if it is refused
 *
 * Flags. The device gets one at most, the hint to leave the destination in the
 * cache: for operations whose bytes the CPU, too, would leave there. Not the
 * flags for durable memory and for reading back. What they are worth depends on
 * the device and how it is set up, and that it accepts them does not tell. When
 * a job is done its bytes are where every CPU sees them: writing their lines
 * back from here (complete.c) makes them durable whoever wrote them. Nor
 * "block on fault": queues refuse it unless all are configured for it.
 *
 * Flushes are rounded to whole lines, as the device wants them; without a flag
 * it writes them back and drops them.
 */

#include <string.h>

#include "../clock.h"
#include "../engine.h"
#include "mover.h"

/*
 * How long a descriptor that finds the queue full is tried again. A queue that
 * moves takes one every few microseconds, or every 70 if all are of 2 MiB. In a
 * millisecond the CPU would have moved 5 to 10 MiB itself.
 */
#define PATIENCE MA__MS

/* The lines of CPUs that have a DSA device. */
#define LINE ((size_t)64)

static size_t
at_most(size_t n, size_t max)
{
	return n < max ? n : max;
}

/* How large the pieces are: no larger than it takes to have all under way. */
static size_t
piece_of(const struct data_mover_dml *mover, size_t n)
{
	const size_t share = (n - 1) / MA__DML_WINDOW + 1;
	const size_t pages = (share - 1) / MA__DML_PAGE + 1;

	/* libdml's own code does one after the other anyway. */
	if (mover->jobs.path != DML_PATH_HW)
		return n;
	return share <= MA__DML_PIECE_MIN ? MA__DML_PIECE_MIN
					  : pages * MA__DML_PAGE;
}

bool
ma__dml_begin(struct ma__dml_op *op)
{
	struct ma__request *request = &op->request;
	size_t pieces;

	if (request->type == VDM_OPERATION_FLUSH) {
		const size_t skew = (uintptr_t)request->dst % LINE;

		request->dst -= skew;
		request->n = (request->n + skew + LINE - 1) / LINE * LINE;
	}
	op->next = 0;
	op->piece = piece_of(op->mover, request->n);
	pieces = (request->n - 1) / op->piece + 1;
	for (op->njobs = 0; op->njobs < pieces; op->njobs++) {
		struct ma__dml_job *job = ma__dml_jobs_get(&op->mover->jobs);

		if (job == NULL)
			break;
		op->jobs[op->njobs] = job;
	}
	return op->njobs != 0;
}

/* Is the destination to be left in the cache? Where the CPU would, too. */
static bool
wants_hint(const struct data_mover_dml *mover,
	const struct ma__request *request)
{
	const struct ma__engine_config *config = ma__engine_config();
	const size_t max = request->type == VDM_OPERATION_MEMSET
		? config->nt_fill_min
		: config->nt_copy_min;

	return mover->jobs.path == DML_PATH_HW &&
		request->type != VDM_OPERATION_FLUSH &&
		(request->flags & VDM_F_VALID_FLAGS) == 0 && request->n < max &&
		!atomic_load_explicit(&mover->hints_refused,
			memory_order_relaxed);
}

/* Every field that counts: libdml changes some. */
static void
describe(dml_job_t *dml, const struct ma__request *request,
	const struct ma__dml_job *job)
{
	/* libdml's pointers are to what may be written. */
	dml->source_first_ptr = request->src == NULL
		? NULL
		: (uint8_t *)(uintptr_t)request->src + job->at;
	dml->destination_first_ptr = (uint8_t *)request->dst + job->at;
	dml->source_length = (uint32_t)job->length;
	dml->destination_length = (uint32_t)job->length;
	dml->flags = job->hinted ? DML_FLAG_PREFETCH_CACHE : 0;
	switch (request->type) {
	case VDM_OPERATION_MEMCPY:
	case VDM_OPERATION_MEMMOVE:
		dml->operation = DML_OP_MEM_MOVE;
		break;
	case VDM_OPERATION_MEMSET:
		dml->operation = DML_OP_FILL;
		memset(dml->pattern, request->c, sizeof(dml->pattern));
		break;
	case VDM_OPERATION_FLUSH:
		dml->operation = DML_OP_CACHE_FLUSH;
		break;
	}
}

/*
 * The queue is full, or no device is near this thread; libdml does not tell
 * which. So it is tried again, but not for ever, and not at all if the last
 * attempts came to nothing.
 */
static bool
try_again(struct data_mover_dml *mover, struct ma__dml_job *job)
{
	const uint64_t now = ma__now();

	if (!ma__dml_is_async(mover))
		return false;
	if (job->refused_at == 0)
		job->refused_at = now;
	else if (now - job->refused_at >= PATIENCE)
		return false;
	ma__dml_count(&mover->stats, MA__DML_RETRIES, 1);
	return true;
}

void
ma__dml_submit(struct ma__dml_op *op, struct ma__dml_job *job)
{
	struct data_mover_dml *mover = op->mover;
	dml_status_t status;

	job->length = at_most(job->end - job->at,
		at_most(op->piece,
			atomic_load_explicit(&mover->length_max,
				memory_order_relaxed)));
	job->hinted = wants_hint(mover, &op->request);
	describe(job->dml, &op->request, job);
	status = ma__dml_job_submit(job);
	if (status == DML_STATUS_WORK_QUEUES_NOT_AVAILABLE) {
		if (try_again(mover, job))
			return;
		ma__dml_fall_back(op, job, MA__DML_CPU_QUEUE_FULL, status);
	} else if (status != DML_STATUS_OK) {
		ma__dml_fall_back(op, job, MA__DML_CPU_REFUSED, status);
	}
	job->refused_at = 0;
}
