/* SPDX-License-Identifier: BSD-3-Clause */
/* record.h -- where the device writes that a job has ended; see record.c */

#ifndef MA_DML_RECORD_H
#define MA_DML_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dml/dml.h>

/* A word in a job's memory that is taken for the beginning of the record. */
struct ma__dml_record {
	const uint64_t *word; /* NULL: not known, or not right */
	bool sought; /* it has been looked for */
	bool proven; /* it has been right for a job from start to end */
};

/* The job, of `size` bytes, has been submitted: looks for the record, once. */
void ma__dml_record_seek(struct ma__dml_record *record, const dml_job_t *job,
	size_t size);

/* dml_check_job(), with a look at whether the word says the same. */
dml_status_t ma__dml_record_check(struct ma__dml_record *record,
	dml_job_t *job);

#endif /* MA_DML_RECORD_H */
