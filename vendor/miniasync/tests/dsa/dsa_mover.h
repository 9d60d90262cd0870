/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dsa_mover.h -- what the tests of the DML mover over the emulated device share
 *
 * A job is an operation whose result is compared with that of the C library,
 * with what lies around its destination.
 */

#ifndef DSA_MOVER_H
#define DSA_MOVER_H

#include "dsa_main.h"
#include "helpers.h"

#include <libminiasync-vdm-dml.h>

#define AROUND 128

/* The mover of the case, on a device as after a reset. */
static struct data_mover_dml *mover;
static struct vdm *vdm;

static inline void
mover_up(void)
{
	mover = data_mover_dml_new(DATA_MOVER_DML_HARDWARE);
	CHECK(mover != NULL);
	vdm = data_mover_dml_get_vdm(mover);
	dsa_reset();
}

static inline void
mover_down(void)
{
	dsa_release();
	data_mover_dml_delete(mover);
	dsa_reset();
}

/* What the mover says it has done. */
static inline struct data_mover_dml_stats
stats(void)
{
	struct data_mover_dml_stats s = {.size = sizeof(s)};

	CHECK_INT(data_mover_dml_get_stats(mover, &s), 0);
	CHECK_INT(s.size, sizeof(s));
	return s;
}

struct job {
	struct vdm_operation_future fut;
	enum vdm_operation_type type;
	size_t n;
	size_t size; /* of the arrays */
	void *target;
	unsigned char *bytes; /* source and destination are in there */
	unsigned char *expected;
};

/*
 * The destination is `shift` bytes after the source. They overlap if it is
 * small; the bytes of a fill and a flush are at the destination.
 */
static inline void
job_init_at(struct job *job, enum vdm_operation_type type, size_t n,
	ptrdiff_t shift, uint64_t flags)
{
	size_t distance = (size_t)(shift < 0 ? -shift : shift);
	size_t from = AROUND + (shift < 0 ? distance : 0);
	size_t to = (size_t)((ptrdiff_t)from + shift);

	memset(job, 0, sizeof(*job));
	job->type = type;
	job->n = n;
	job->size = AROUND + distance + n + AROUND;
	job->bytes = t_malloc(job->size);
	job->expected = t_malloc(job->size);
	job->target = job->bytes + to;
	t_fill(job->bytes, job->size, n + distance + 1);
	memcpy(job->expected, job->bytes, job->size);
	switch (type) {
	case VDM_OPERATION_MEMCPY:
		memmove(job->expected + to, job->expected + from, n);
		job->fut = vdm_memcpy(vdm, job->target, job->bytes + from, n,
			flags);
		break;
	case VDM_OPERATION_MEMMOVE:
		memmove(job->expected + to, job->expected + from, n);
		job->fut = vdm_memmove(vdm, job->target, job->bytes + from, n,
			flags);
		break;
	case VDM_OPERATION_MEMSET:
		memset(job->expected + to, 0xa5, n);
		job->fut = vdm_memset(vdm, job->target, 0xa5, n, flags);
		break;
	default:
		job->fut = vdm_flush(vdm, job->target, n, flags);
	}
	CHECK_INT(FUTURE_STATE(&job->fut), FUTURE_STATE_IDLE);
}

/* Source and destination apart. */
static inline void
job_init(struct job *job, enum vdm_operation_type type, size_t n)
{
	job_init_at(job, type, n, (ptrdiff_t)n + 5, 0);
}

static inline struct future *
job_future(struct job *job)
{
	return FUTURE_AS_RUNNABLE(&job->fut);
}

static inline enum future_state
job_poll(struct job *job)
{
	return future_poll(job_future(job), NULL);
}

/* Polls a few times: it must not be complete. */
static inline void
job_check_running(struct job *job)
{
	for (int i = 0; i < 20; i++)
		CHECK_INT(job_poll(job), FUTURE_STATE_RUNNING);
}

/* Complete, right, and nothing else written. Frees it. */
static inline void
job_end(struct job *job)
{
	CHECK_INT(FUTURE_STATE(&job->fut), FUTURE_STATE_COMPLETE);
	CHECK_INT(job->fut.output.type, job->type);
	CHECK_INT(job->fut.output.result, VDM_SUCCESS);
	if (job->type != VDM_OPERATION_FLUSH)
		CHECK(job->fut.output.output.memcpy.dest == job->target);
	CHECK(memcmp(job->bytes, job->expected, job->size) == 0);
	free(job->bytes);
	free(job->expected);
}

static inline void
job_finish(struct job *job)
{
	poll_out(job_future(job));
	job_end(job);
}

/* Start to end, on a device that is as it is. */
static inline void
job_run(enum vdm_operation_type type, size_t n)
{
	struct job job;

	job_init(&job, type, n);
	job_finish(&job);
}

#endif /* DSA_MOVER_H */
