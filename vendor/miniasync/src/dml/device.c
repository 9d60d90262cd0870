/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * device.c -- is there a device that this process may use?
 *
 * libdml looks for devices once in a process, when something is first submitted
 * to its hardware path, and keeps to what it found. It can be asked by
 * submitting a job that does nothing: "libaccel-config not found" is the answer
 * for every reason there is not to have a device. Any other answer, also that
 * the queue is full, comes from one.
 *
 * A queue is opened for a process. A child of it has the addresses to submit to,
 * but submitting may kill it; and libdml does not look again. So in a child of a
 * process that has looked there is no device.
 */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../cputopo.h"
#include "../engine.h"
#include "mover.h"

/* The process that was the first to look, 0 if none has. */
static _Atomic pid_t looked;

bool
ma__dml_cpu_suits(void)
{
#ifdef __x86_64__
	/* libdml is compiled for it, and does not ask. */
	return (ma__engine_config()->features & MA__CPU_AVX2) != 0;
#else
	return true;
#endif
}

int
ma__dml_look_for_device(struct ma__dml_jobs *jobs)
{
	const pid_t self = getpid();
	struct ma__dml_job *job;
	dml_status_t status;
	pid_t first = 0;

	if (!ma__dml_cpu_suits())
		return ENODEV;
	job = ma__dml_jobs_get(jobs);
	if (job == NULL)
		return ENOMEM;
	if (!atomic_compare_exchange_strong_explicit(&looked, &first, self,
		    memory_order_relaxed, memory_order_relaxed) &&
		first != self) {
		ma__dml_jobs_put(jobs, job);
		return ENODEV;
	}
	job->dml->operation = DML_OP_NOP;
	status = ma__dml_job_submit(job);
	/* If it is in flight, it is left there: see jobs.c. */
	if (status != DML_STATUS_OK)
		ma__dml_jobs_put(jobs, job);
	return status == DML_STATUS_LIBACCEL_NOT_FOUND ? ENODEV : 0;
}
