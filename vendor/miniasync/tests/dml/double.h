/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * double.h -- commands for the test double of libdml
 *
 * It answers as libdml does, and its device as it is told to. What is not
 * commanded works: submissions are accepted and jobs done when they are first
 * checked. It ends the process with a message if the rules of libdml are broken:
 * a job submitted or freed while in flight, checked without having been
 * accepted, moved in memory, or of no bytes; and by a fill with different bytes,
 * which the mover has none of. Its device refuses every flag but
 * the hint for the cache.
 */

#ifndef DML_DOUBLE_H
#define DML_DOUBLE_H

#include <stdbool.h>
#include <stddef.h>

#include <dml/dml.h>

#define DOUBLE_ALWAYS UINT64_MAX
#define DOUBLE_LOGGED 8192

/* All as if newly started; no job may be in flight. */
void double_reset(void);

/* Is there a device? */
void double_set_device(bool there);

/* The next `times` submissions to be answered with this status. */
void double_refuse(dml_status_t status, uint64_t times);

/* Only the first `done` bytes of the next `times` jobs to be done, and this to
 * be their status. */
void double_fail(dml_status_t status, size_t done, uint64_t times);

/* Longer descriptors to end with DML_STATUS_JOB_LENGTH_ERROR. */
void double_limit(size_t length);

/* The hint for the cache to be refused, as other flags are. */
void double_refuse_hints(void);

/* Jobs to stay in flight for so many checks, or DOUBLE_ALWAYS. */
void double_hold(uint64_t checks);

/* Not to touch the memory that jobs are about, which need not be there. */
void double_keep_off(void);

/*
 * What is in a job's memory beside libdml's own affairs: a descriptor as DSA lays
 * it down, and a record in which the end is written. Or something is not right.
 */
enum double_records {
	DOUBLE_RECORDS,
	DOUBLE_RECORDS_UNWRITTEN, /* nothing is written into it */
	DOUBLE_RECORDS_WRITTEN, /* or before the end already */
	DOUBLE_RECORDS_BELOW, /* it is not in the job's memory */
	DOUBLE_RECORDS_ABOVE,
	DOUBLE_RECORDS_SKEW, /* it is not aligned */
	DOUBLE_RECORDS_OTHER, /* the descriptor is another's */
	DOUBLE_RECORDS_NONE, /* it says that there is none */
};

void double_set_records(enum double_records records);

/* Jobs are done by a thread, as soon as they come, until double_stop(). */
void double_start(void);
void double_stop(void);

/* The next `times` initialisations of jobs, or questions for the size, fail. */
void double_fail_init(uint64_t times);
void double_fail_size(uint64_t times);

/* A descriptor as it was submitted, accepted or not. */
struct double_descriptor {
	dml_path_t path;
	dml_operation_t operation;
	uint64_t flags;
	const uint8_t *dst;
	const uint8_t *src;
	uint32_t length;
	dml_status_t status; /* of the submission */
};

/* The n-th since the last double_forget() or double_reset(); those that do nothing
 * do not count. */
struct double_descriptor double_submitted(size_t n);
size_t double_submissions(void);
/* From here on the next one is number 0. */
void double_forget(void);

size_t double_nops(void);
size_t double_in_flight(void); /* jobs */
uint64_t double_checks(void);

#endif /* DML_DOUBLE_H */
