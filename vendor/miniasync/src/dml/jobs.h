/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * jobs.h -- the jobs that a mover hands to libdml
 *
 * Their life is told at the top of jobs.c.
 */

#ifndef MA_DML_JOBS_H
#define MA_DML_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dml/dml.h>

#include "record.h"
#include "stock.h"

/* The states of a job; see jobs.c. */
enum ma__dml_job_state {
	MA__DML_READY,
	MA__DML_IN_FLIGHT,
	MA__DML_REDO,
	MA__DML_WRITE_BACK,
};

/*
 * A job works its way through a piece of an operation, one descriptor at a time.
 * Places are distances from the operation's first byte.
 */
struct ma__dml_job {
	struct ma__stocked stocked; /* first: the stock's */
	enum ma__dml_job_state state;
	dml_job_t *dml; /* behind this struct */
	size_t at; /* up to here the piece is done */
	size_t end; /* of the piece */
	size_t length; /* from `at` on: in flight, or to be done by the CPU */
	uint64_t refused_at; /* the descriptor, first; 0: it was not */
	bool hinted; /* the descriptor has the flag for the cache */
	size_t dml_size;
	struct ma__dml_record record;
};

struct ma__dml_jobs {
	struct ma__stock stock;
	size_t dml_size; /* of libdml's part of each */
	dml_path_t path;
};

/* 0 or an error number. */
int ma__dml_jobs_init(struct ma__dml_jobs *jobs, dml_path_t path);

/* Waits until none is in flight; see jobs.c for when it need not be called. */
void ma__dml_jobs_drain(struct ma__dml_jobs *jobs);
void ma__dml_jobs_fini(struct ma__dml_jobs *jobs);

/* A job that is READY and has no piece; NULL if there is no memory. */
struct ma__dml_job *ma__dml_jobs_get(struct ma__dml_jobs *jobs);
/* Gives it back. It is not in flight. */
void ma__dml_jobs_put(struct ma__dml_jobs *jobs, struct ma__dml_job *job);

/*
 * Hands a READY job, whose job->dml is filled in, to libdml: IN_FLIGHT if the
 * status is DML_STATUS_OK, else still READY.
 */
dml_status_t ma__dml_job_submit(struct ma__dml_job *job);

/*
 * How it is with a job that is IN_FLIGHT: DML_STATUS_BEING_PROCESSED, or how it
 * ended, and then it is READY again.
 */
dml_status_t ma__dml_job_check(struct ma__dml_job *job);

/*
 * A word that changes when the job, which is IN_FLIGHT, ends; NULL if there is
 * none that is known to.
 */
static inline const uint64_t *
ma__dml_job_word(const struct ma__dml_job *job)
{
	return job->record.proven ? job->record.word : NULL;
}

#endif /* MA_DML_JOBS_H */
