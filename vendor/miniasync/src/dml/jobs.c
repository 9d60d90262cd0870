/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * jobs.c -- the life of a job
 *
 * A job is memory that libdml and the device write to behind our back. It holds
 * the descriptor, which says what is to be done, and the completion record,
 * into which the device writes how it went, at any time between a submission
 * and its end. What libdml does with it is subject to rules that it does not
 * check:
 *
 *   1. A job stays where it is: libdml keeps pointers into it.
 *   2. It is not submitted again, nor freed, while it is in flight.
 *   3. Its status is asked for only after a submission that was accepted. After
 *      one that was not, the answer is "being processed", for ever, or a crash.
 *   4. It is used by one thread at a time.
 *
 * States
 *
 *   READY       ours. Of its piece, everything up to `at` is done.
 *   IN_FLIGHT   libdml's, from an accepted submission until its end was seen.
 *               [at, at + length) is being done, in any order.
 *   REDO        ours again. The device has done some of [at, at + length), or
 *               nothing; the CPU does all of it.
 *   WRITE_BACK  ours again. [at, at + length) is done, and to be durable.
 *
 *   READY -> IN_FLIGHT        ma__dml_job_submit(), accepted
 *   IN_FLIGHT -> READY        ma__dml_job_check(), ended; what comes of the end
 *                             is decided at once, by who asked
 *   READY -> REDO, WRITE_BACK -> READY         complete.c
 *
 * IN_FLIGHT is entered and left by the two functions here and by nothing else,
 * so that rules 2 and 3 can be read off this file.
 *
 * Who has a job: it is taken from the stock by the poll that starts an operation
 * and given back by the poll that finds nothing left for it to do. In between
 * the operation has it, and one thread at a time polls an operation (rule 4); the
 * program orders these polls. A program may drop an operation that is running,
 * though: nobody polls it any more, and its jobs end when the device has done
 * with them, unseen. They are still in the stock's list of all it has made. So a
 * mover, before it frees anything, asks every job that is in flight until it has
 * ended: a program that deletes a mover may then free its buffers, too. (By then
 * nobody polls; what others have written to the jobs is ordered before the
 * deletion by the program.) A device that never ends a job keeps the deletion
 * waiting. Giving up would hand memory to somebody else that is still to be
 * written to.
 *
 * The job that looks for the device (device.c) is not waited for there, and is
 * not given back: it, too, is among those that the deletion looks at.
 *
 * Why redoing is right: every job is such that doing some of it, in any order,
 * and then all of it leaves the same bytes. Fills and flushes are, and copies
 * whose source and destination have no byte in common. Moves that overlap are
 * not, since the bytes of the source would be gone; they never become jobs. So
 * no failure of the device is one of the operation, and none has to be reported
 * but in the statistics.
 *
 * Fork: the device works for the parent. The child has a copy of the jobs, at a
 * moment in which it may have been writing to them; the copy of a completion
 * record is never written to again. So in the child no job is used or waited
 * for: what was in flight is done from the start by the CPU.
 */

#include "jobs.h"

#include <errno.h>
#include <stdint.h>
#include <time.h>

#include "libminiasync/future.h"

/* Where libdml's part of a job begins: aligned as malloc aligns. */
#define DML_OFFSET                                                             \
	((sizeof(struct ma__dml_job) + _Alignof(max_align_t) - 1) &            \
		~(_Alignof(max_align_t) - 1))

int
ma__dml_jobs_init(struct ma__dml_jobs *jobs, dml_path_t path)
{
	uint32_t size;

	if (dml_get_job_size(path, &size) != DML_STATUS_OK)
		return ENODEV;
	jobs->path = path;
	jobs->dml_size = size;
	return ma__stock_init(&jobs->stock, DML_OFFSET + size, SIZE_MAX);
}

void
ma__dml_jobs_drain(struct ma__dml_jobs *jobs)
{
	const struct timespec nap = {.tv_sec = 0, .tv_nsec = 50000};

	for (struct ma__stocked *at = jobs->stock.made; at != NULL;
		at = at->made) {
		struct ma__dml_job *job = (struct ma__dml_job *)at;

		for (unsigned tries = 0; job->state == MA__DML_IN_FLIGHT &&
			ma__dml_job_check(job) == DML_STATUS_BEING_PROCESSED;
			tries++) {
			if (tries < 1000)
				future_cpu_pause();
			else
				nanosleep(&nap, NULL);
		}
	}
}

void
ma__dml_jobs_fini(struct ma__dml_jobs *jobs)
{
	for (struct ma__stocked *at = jobs->stock.made; at != NULL;
		at = at->made) {
		struct ma__dml_job *job = (struct ma__dml_job *)at;

		/* In flight: one of the parent's, in a child. */
		if (job->dml != NULL && job->state != MA__DML_IN_FLIGHT)
			(void)dml_finalize_job(job->dml);
	}
	ma__stock_fini(&jobs->stock);
}

struct ma__dml_job *
ma__dml_jobs_get(struct ma__dml_jobs *jobs)
{
	struct ma__dml_job *job = ma__stock_get(&jobs->stock);

	if (job == NULL)
		return NULL;
	if (job->dml == NULL) {
		dml_job_t *dml =
			(dml_job_t *)(void *)((char *)job + DML_OFFSET);

		if (dml_init_job(jobs->path, dml) != DML_STATUS_OK) {
			ma__stock_put(&jobs->stock, job);
			return NULL;
		}
		job->dml = dml;
		job->dml_size = jobs->dml_size;
	}
	/* The rest is as it was left, READY and at its end, or all zeros, which
	 * is the same. */
	return job;
}

void
ma__dml_jobs_put(struct ma__dml_jobs *jobs, struct ma__dml_job *job)
{
	ma__stock_put(&jobs->stock, job);
}

dml_status_t
ma__dml_job_submit(struct ma__dml_job *job)
{
	const dml_status_t status = dml_submit_job(job->dml);

	if (status == DML_STATUS_OK) {
		job->state = MA__DML_IN_FLIGHT;
		ma__dml_record_seek(&job->record, job->dml, job->dml_size);
	}
	return status;
}

dml_status_t
ma__dml_job_check(struct ma__dml_job *job)
{
	const dml_status_t status =
		ma__dml_record_check(&job->record, job->dml);

	if (status != DML_STATUS_BEING_PROCESSED)
		job->state = MA__DML_READY;
	return status;
}
