/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * record.c -- where the device writes that a job has ended
 *
 * A processor can be told to stop until a word changes (../doze.h), so who waits
 * for a job would like to know the address of its completion record. libdml's
 * interface does not tell. But DSA itself lays down what a descriptor looks like:
 * 64 bytes, aligned to as many, among them the operation, a flag that there is a
 * record, and its address. libdml keeps both in the job's memory, since a job has
 * no other. So after a submission a descriptor is looked for there.
 *
 * What is found is a guess, and is treated as one. Its first byte, the status,
 * has to be 0 whenever libdml says that the job is being processed, and must not
 * be 0 once libdml says that it has ended. Only what has passed that for a job
 * from start to end is told to anybody. If it fails, ever, it is given up for
 * this job.
 *
 * The word is in the job's memory, which stays until the mover is deleted: to read
 * it is harmless at any time.
 */

#include "record.h"

#include <string.h>

#define DESCRIPTOR_SIZE 64
#define RECORD_SIZE 32
#define RECORD_VALID 0x04

/* As DSA lays it down. */
struct descriptor {
	uint32_t pasid;
	uint16_t flags;
	uint8_t operation_flags;
	uint8_t operation;
	uint64_t record;
	uint8_t rest[48];
};

_Static_assert(sizeof(struct descriptor) == DESCRIPTOR_SIZE, "as of DSA");

/*
 * Reads what may be one. It may be anything of libdml's instead, which changes while
 * it is read: then it is no descriptor whatever was read of it. Relaxed, word by word:
 * that is allowed of memory that others write to.
 */
static void
look_at(struct descriptor *found, uintptr_t at)
{
	uint64_t words[DESCRIPTOR_SIZE / sizeof(uint64_t)];

	for (size_t i = 0; i < DESCRIPTOR_SIZE / sizeof(uint64_t); i++)
		words[i] = __atomic_load_n((const uint64_t *)at + i,
			__ATOMIC_RELAXED);
	memcpy(found, words, sizeof(words));
}

void
ma__dml_record_seek(struct ma__dml_record *record, const dml_job_t *job,
	size_t size)
{
	const uintptr_t begin = (uintptr_t)job;
	const uintptr_t end = begin + size;
	uintptr_t at = (begin + DESCRIPTOR_SIZE - 1) / DESCRIPTOR_SIZE *
		DESCRIPTOR_SIZE;

	if (record->sought)
		return;
	record->sought = true;
	/* From the front, and no further than needed: the device may be writing to
	 * the record, which libdml has behind the descriptor. */
	for (; at + DESCRIPTOR_SIZE <= end; at += DESCRIPTOR_SIZE) {
		struct descriptor found;

		look_at(&found, at);
		if ((found.flags & RECORD_VALID) != 0 &&
			found.operation == (uint8_t)job->operation &&
			found.record % RECORD_SIZE == 0 &&
			found.record >= begin &&
			found.record <= end - RECORD_SIZE) {
			record->word =
				(const uint64_t *)(uintptr_t)found.record;
			return;
		}
	}
}

static uint8_t
status_in(const uint64_t *word)
{
	/* Relaxed: libdml's answer is what counts. The lowest byte comes first
	 * on processors that have the device. */
	return (uint8_t)__atomic_load_n(word, __ATOMIC_RELAXED);
}

dml_status_t
ma__dml_record_check(struct ma__dml_record *record, dml_job_t *job)
{
	const uint64_t *const word = record->word;
	/* Before libdml looks: it may end in between. */
	const bool ended = word != NULL && status_in(word) != 0;
	const dml_status_t status = dml_check_job(job);

	if (word == NULL)
		return status;
	if (status == DML_STATUS_BEING_PROCESSED)
		record->word = ended ? NULL : word;
	else if (status_in(word) == 0)
		record->word = NULL;
	else
		record->proven = true;
	return status;
}
