/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * waiter.c -- the waiting functions of LIBMINIASYNC_1.1
 *
 * On the public future interface alone, like all that it calls: the Python
 * extension compiles these files in when the libminiasync it is linked with has
 * no 1.1.
 */

#include "libminiasync/waiter.h"

#include <errno.h>
#include <stdlib.h>

#include "clock.h"
#include "wait.h"

struct future_waiter {
	struct ma__waiters waiters;
};

struct future_waiter *
future_waiter_new(void)
{
	struct future_waiter *waiter = malloc(sizeof(*waiter));

	if (waiter == NULL || ma__waiters_init(&waiter->waiters) != 0) {
		free(waiter);
		errno = ENOMEM;
		return NULL;
	}
	return waiter;
}

void
future_waiter_delete(struct future_waiter *waiter)
{
	if (waiter == NULL)
		return;
	ma__waiters_fini(&waiter->waiters);
	free(waiter);
}

int
future_waiter_wait(struct future_waiter *waiter, struct future *futs[],
	size_t nfuts, size_t nwanted, uint64_t deadline, unsigned flags)
{
	if (waiter == NULL || (futs == NULL && nfuts != 0) || nwanted > nfuts ||
		(flags & ~FUTURE_WAITER_F_VALID_FLAGS) != 0)
		return EINVAL;
	return ma__wait(&waiter->waiters, futs, nfuts, nwanted, deadline,
		(flags & FUTURE_WAITER_F_INTERRUPTIBLE) != 0);
}

int
vdm_operation_release(struct vdm_operation_future *future)
{
	struct vdm_operation_data *data = FUTURE_DATA(future);
	const enum vdm_operation_type type = data->operation.type;
	struct vdm_operation_output *output = FUTURE_OUTPUT(future);

	if (FUTURE_STATE(future) == FUTURE_STATE_COMPLETE)
		return 0;
	if (FUTURE_STATE(future) != FUTURE_STATE_IDLE)
		return EBUSY;
	data->vdm->op_delete(data->data, &data->operation, output);
	FUTURE_INIT_COMPLETE(future);
	memset(output, 0, sizeof(*output));
	output->type = type;
	output->result = VDM_ERROR_JOB_CORRUPTED;
	return 0;
}
