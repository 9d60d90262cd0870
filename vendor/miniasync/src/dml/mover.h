/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mover.h -- what the parts of the DML mover share
 *
 * jobs.c has the life of a job, record.c where its end can be seen, submit.c what
 * becomes a descriptor, complete.c what comes of its end, device.c whether there
 * is a device, data_mover_dml.c the mover's functions.
 */

#ifndef MA_DML_MOVER_H
#define MA_DML_MOVER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "../fork.h"
#include "../request.h"
#include "jobs.h"
#include "libminiasync-vdm-dml/data_mover_dml.h"
#include "stats.h"

/*
 * The device is given an operation in pieces of at least PIECE_MIN bytes, up to
 * MA__DML_WINDOW at a time: so all of a large operation is under way at once,
 * however seldom it is polled.
 */
#define MA__DML_WINDOW 8
#define MA__DML_PIECE_MIN ((size_t)2 << 20)
/* Pieces are multiples of this. */
#define MA__DML_PAGE ((size_t)4096)

/* A descriptor's length has 32 bits; devices take half of that at most. */
#define MA__DML_LENGTH_MAX ((size_t)1 << 31)
/* What is refused for its length though it is no longer is for the CPU. */
#define MA__DML_LENGTH_MIN MA__DML_PAGE

/* After so many descriptors of the length learned, twice as much is tried. */
#define MA__DML_FULL_LENGTH 256

/* What a poll does itself, at most, if the device is to do the operation. */
#define MA__DML_CPU_STEP ((size_t)8 << 20)

struct data_mover_dml {
	struct vdm base; /* first: the vdm is the mover */
	enum data_mover_dml_type type;
	struct ma__forkable forkable;
	bool forked; /* this is a child's copy */
	bool usable; /* libdml can be used, and its device if it is to be */
	struct ma__stock ops;
	struct ma__dml_jobs jobs;

	/* What was learned about the device. Hints, so all relaxed. */
	atomic_size_t length_max; /* of a descriptor */
	atomic_uint full_length; /* so many of that length went well */
	atomic_bool hints_refused; /* the flag for the cache */
	atomic_bool answering; /* the last job went well */

	struct ma__dml_stats stats;
};

enum ma__dml_op_state { MA__DML_NEW, MA__DML_RUNNING, MA__DML_DONE };

struct ma__dml_op {
	struct ma__stocked stocked; /* first: the stock's */
	struct data_mover_dml *mover;
	enum ma__dml_op_state state;
	bool advanced; /* by op_start: the op_check of the same poll is not to */
	enum vdm_operation_result result; /* valid once DONE */
	struct ma__request request;

	/* While RUNNING. */
	size_t next; /* up to here pieces have been handed out */
	size_t piece; /* how large the next is, and its descriptors at most */
	size_t njobs;
	struct ma__dml_job *jobs[MA__DML_WINDOW];
};

/* Is the mover for the device, and able to use it? */
static inline bool
ma__dml_has_device(const struct data_mover_dml *mover)
{
	return mover->usable && !mover->forked &&
		mover->jobs.path == DML_PATH_HW;
}

/* Does the device do what it is given, or did when it was last asked? */
static inline bool
ma__dml_is_async(const struct data_mover_dml *mover)
{
	return ma__dml_has_device(mover) &&
		atomic_load_explicit(&mover->answering, memory_order_relaxed);
}

/* Can libdml be used on this CPU at all? */
bool ma__dml_cpu_suits(void);

/*
 * Looks for the device, with a job. 0 if there is one, whatever its condition;
 * ENODEV, or ENOMEM.
 */
int ma__dml_look_for_device(struct ma__dml_jobs *jobs);

/* Gives the operation the jobs it needs; false if there is memory for none. */
bool ma__dml_begin(struct ma__dml_op *op);

/*
 * Submits what comes next in a READY job's piece. It is IN_FLIGHT then, or REDO
 * if libdml will not have it; READY if it is to be tried again.
 */
void ma__dml_submit(struct ma__dml_op *op, struct ma__dml_job *job);

/* The job's descriptor is not for libdml, for this reason: REDO. */
void ma__dml_fall_back(struct ma__dml_op *op, struct ma__dml_job *job,
	enum ma__dml_count why, dml_status_t status);

/* Takes a RUNNING operation as far as it goes now: true if that is the end. */
bool ma__dml_advance(struct ma__dml_op *op);

#endif /* MA_DML_MOVER_H */
