/* SPDX-License-Identifier: BSD-3-Clause */
/* double_state.h -- what double.c, libdml's functions, shares with the commands */

#ifndef DML_DOUBLE_STATE_H
#define DML_DOUBLE_STATE_H

#include "double.h"

#include <pthread.h>

/* libdml's part of a job, behind it. */
struct inner {
	struct inner *next; /* in flight */
	dml_job_t *job; /* where it was initialised */
	dml_path_t path;
	bool in_flight;
	bool ended;
	dml_status_t status; /* of the end */
	uint64_t holds; /* checks until it ends */
	/* What was submitted, since the job's memory may change. */
	dml_job_t as_submitted;
	unsigned char *descriptor; /* as DSA lays it down, and */
	uint64_t *record; /* what is written when the job ends */
};

struct double_state {
	pthread_mutex_t lock;
	pthread_cond_t change;
	struct inner *in_flight;
	size_t in_flight_count;

	bool no_device;
	dml_status_t refusal;
	uint64_t refusals;
	dml_status_t failure;
	size_t failure_done;
	uint64_t failures;
	size_t limit;
	bool refuse_hints;
	uint64_t holds;
	bool keep_off;
	enum double_records records;
	uint64_t init_failures;
	uint64_t size_failures;

	pthread_t engine;
	bool engine_runs;

	struct double_descriptor log[DOUBLE_LOGGED];
	size_t submissions;
	size_t nops;
	uint64_t checks;
};

extern struct double_state double_the;

#define the double_the

static inline void
lock(void)
{
	pthread_mutex_lock(&the.lock);
}

static inline void
unlock(void)
{
	pthread_mutex_unlock(&the.lock);
}

void double_die(const char *what);

/* Does the job; the lock is held. */
void double_end(struct inner *inner);

#endif /* DML_DOUBLE_STATE_H */
