/* SPDX-License-Identifier: BSD-3-Clause */
/* double.c -- the test double of libdml */

#include "double_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Room for a descriptor and its record, on whole lines. They lie before what changes
 * when the job ends: a device writes no other memory of the job than the record.
 */
#define RECORDS (3 * 64)

struct double_state double_the = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.change = PTHREAD_COND_INITIALIZER,
	.limit = UINT32_MAX,
};

void
double_die(const char *what)
{
	fprintf(stderr, "test double of libdml: %s\n", what);
	abort();
}

static struct inner *
inner_of(dml_job_t *job)
{
	struct inner *inner = (struct inner *)(void *)job->internal_data_ptr;

	if (inner == NULL || inner->job != job)
		double_die("a job that was not initialised, or moved");
	return inner;
}

/* Takes one of a number of times; DOUBLE_ALWAYS stays. */
static bool
take(uint64_t *times)
{
	if (*times == 0)
		return false;
	if (*times != DOUBLE_ALWAYS)
		--*times;
	return true;
}

/* The bytes that an operation is about, by its own rules. */
static uint32_t
length_of(const dml_job_t *job)
{
	return job->operation == DML_OP_MEM_MOVE ? job->source_length
						 : job->destination_length;
}

static void
move_bytes(const dml_job_t *job, size_t n)
{
	uint8_t *dst = job->destination_first_ptr;

	switch (job->operation) {
	case DML_OP_MEM_MOVE:
		memmove(dst, job->source_first_ptr, n);
		break;
	case DML_OP_FILL:
		for (int i = 1; i < 8; i++)
			if (job->pattern[i] != job->pattern[0])
				double_die("a fill with several bytes");
		memset(dst, job->pattern[0], n);
		break;
	default:
		break;
	}
}

/* How a device ends what is wrong with the descriptor itself. */
static dml_status_t
validate(const struct inner *inner)
{
	const dml_job_t *job = &inner->as_submitted;
	const uint64_t flags =
		the.refuse_hints || job->operation == DML_OP_CACHE_FLUSH
		? 0
		: DML_FLAG_PREFETCH_CACHE;

	if (inner->path != DML_PATH_HW)
		return DML_STATUS_OK;
	if ((job->flags & ~flags) != 0)
		return DML_STATUS_JOB_FLAGS_ERROR;
	if (length_of(job) > the.limit)
		return DML_STATUS_JOB_LENGTH_ERROR;
	return DML_STATUS_OK;
}

void
double_end(struct inner *inner)
{
	const dml_job_t *job = &inner->as_submitted;
	size_t n = length_of(job);

	inner->status = validate(inner);
	if (inner->status == DML_STATUS_OK && job->operation != DML_OP_NOP) {
		if (take(&the.failures)) {
			inner->status = the.failure;
			if (the.failure_done < n)
				n = the.failure_done;
		}
		if (!the.keep_off)
			move_bytes(job, n);
	}
	inner->ended = true;
	/* Where a record that is not aligned would begin. */
	if (the.records == DOUBLE_RECORDS_SKEW)
		inner->record[1] = 1;
	if (the.records != DOUBLE_RECORDS_UNWRITTEN)
		__atomic_store_n(inner->record, 1 | UINT64_C(1) << 32,
			__ATOMIC_RELAXED);
}

/* Writes the descriptor, or what looks like one. */
static void
describe(const struct inner *inner)
{
	const uintptr_t at = (uintptr_t)inner->record;
	unsigned char *const d = inner->descriptor;
	const uintptr_t addresses[] = {
		[DOUBLE_RECORDS] = at,
		[DOUBLE_RECORDS_UNWRITTEN] = at,
		[DOUBLE_RECORDS_WRITTEN] = at,
		[DOUBLE_RECORDS_BELOW] = (uintptr_t)inner->job / 32 * 32 - 32,
		[DOUBLE_RECORDS_ABOVE] = at + 4096,
		[DOUBLE_RECORDS_SKEW] = at + 8,
		[DOUBLE_RECORDS_OTHER] = at,
		[DOUBLE_RECORDS_NONE] = at,
	};
	const uint64_t address = addresses[the.records];

	memset(d, 0, 64);
	d[4] = the.records == DOUBLE_RECORDS_NONE ? 0x08 : 0x0c;
	d[7] = (unsigned char)inner->as_submitted.operation;
	if (the.records == DOUBLE_RECORDS_OTHER)
		d[7] = 0x7f;
	memcpy(d + 8, &address, sizeof(address));
	inner->record[1] = 0;
	__atomic_store_n(inner->record,
		the.records == DOUBLE_RECORDS_WRITTEN ? 1 : 0,
		__ATOMIC_RELAXED);
}

static void
unlist(struct inner *inner)
{
	struct inner **link = &the.in_flight;

	while (*link != inner)
		link = &(*link)->next;
	*link = inner->next;
	the.in_flight_count--;
	inner->in_flight = false;
}

dml_status_t
dml_get_job_size(dml_path_t path, uint32_t *size)
{
	bool fails;

	lock();
	fails = take(&the.size_failures);
	unlock();
	if (fails || (path != DML_PATH_SW && path != DML_PATH_HW))
		return DML_STATUS_PATH_ERROR;
	*size = sizeof(dml_job_t) + sizeof(struct inner) + RECORDS;
	return DML_STATUS_OK;
}

dml_status_t
dml_init_job(dml_path_t path, dml_job_t *job)
{
	const uintptr_t lines = ((uintptr_t)(job + 1) + 63) / 64 * 64;
	struct inner *inner = (struct inner *)(lines + 2 * 64);
	bool fails;

	lock();
	fails = take(&the.init_failures);
	unlock();
	if (fails)
		return DML_STATUS_PATH_ERROR;
	memset(job, 0, sizeof(*job) + sizeof(*inner) + RECORDS);
	job->numa_id = UINT32_MAX;
	job->internal_data_ptr = (uint8_t *)inner;
	inner->job = job;
	inner->path = path;
	inner->descriptor = (unsigned char *)lines;
	inner->record = (uint64_t *)(lines + 64);
	return DML_STATUS_OK;
}

dml_status_t
dml_finalize_job(dml_job_t *job)
{
	struct inner *inner = inner_of(job);
	bool in_flight;

	lock();
	in_flight = inner->in_flight;
	unlock();
	if (in_flight)
		double_die("a job finalised while in flight");
	inner->job = NULL;
	return DML_STATUS_OK;
}

static void
log_submission(const struct inner *inner, dml_status_t status)
{
	const dml_job_t *job = &inner->as_submitted;
	struct double_descriptor *entry;

	if (job->operation == DML_OP_NOP) {
		the.nops++;
		return;
	}
	if (the.submissions < DOUBLE_LOGGED) {
		entry = &the.log[the.submissions];
		entry->path = inner->path;
		entry->operation = job->operation;
		entry->flags = job->flags;
		entry->dst = job->destination_first_ptr;
		entry->src = job->source_first_ptr;
		entry->length = length_of(job);
		entry->status = status;
	}
	the.submissions++;
}

/* With the lock held: the answer to a submission. */
static dml_status_t
answer(const struct inner *inner)
{
	if (inner->path == DML_PATH_HW && the.no_device)
		return DML_STATUS_LIBACCEL_NOT_FOUND;
	if (take(&the.refusals))
		return the.refusal;
	return DML_STATUS_OK;
}

dml_status_t
dml_submit_job(dml_job_t *job)
{
	struct inner *inner = inner_of(job);
	dml_status_t status;

	lock();
	if (inner->in_flight)
		double_die("a job submitted while in flight");
	if (job->operation != DML_OP_NOP && length_of(job) == 0)
		double_die("a job of no bytes");
	inner->as_submitted = *job;
	inner->ended = false;
	describe(inner);
	status = answer(inner);
	log_submission(inner, status);
	if (status == DML_STATUS_OK) {
		/* Software is done by then, and is never held. */
		inner->holds = inner->path == DML_PATH_HW ? the.holds : 0;
		inner->in_flight = true;
		inner->next = the.in_flight;
		the.in_flight = inner;
		the.in_flight_count++;
		if (inner->path == DML_PATH_SW)
			double_end(inner);
		pthread_cond_signal(&the.change);
	}
	unlock();
	return status;
}

dml_status_t
dml_check_job(dml_job_t *job)
{
	struct inner *inner = inner_of(job);
	dml_status_t status;

	lock();
	the.checks++;
	if (!inner->in_flight)
		double_die("a job checked that is not in flight");
	if (!inner->ended && !the.engine_runs && !take(&inner->holds))
		double_end(inner);
	status = DML_STATUS_BEING_PROCESSED;
	if (inner->ended) {
		unlist(inner);
		status = inner->status;
	}
	unlock();
	return status;
}
