/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * data_mover_sync.c -- the mover that works in the polling thread
 *
 * An operation is finished by the poll that starts it, so it needs no memory:
 * op_new hands out the mover itself.
 */

#include "libminiasync/data_mover_sync.h"

#include <errno.h>
#include <stdlib.h>

#include "request.h"

struct data_mover_sync {
	struct vdm base; /* first: the vdm is the mover */
};

static void *
sync_op_new(struct vdm *vdm, const enum vdm_operation_type type)
{
	(void)type;
	return vdm;
}

static int
sync_op_start(void *data, const struct vdm_operation *operation,
	struct future_notifier *n)
{
	struct ma__request request;

	(void)data;
	if (n != NULL)
		n->notifier_used = FUTURE_NOTIFIER_NONE;
	if (ma__request_read(&request, operation))
		ma__request_run(&request, 0, request.n);
	return 0;
}

static enum future_state
sync_op_check(void *data, const struct vdm_operation *operation)
{
	(void)data;
	(void)operation;
	return FUTURE_STATE_COMPLETE;
}

static void
sync_op_delete(void *data, const struct vdm_operation *operation,
	struct vdm_operation_output *output)
{
	struct ma__request request;

	(void)data;
	ma__request_output(operation,
		ma__request_read(&request, operation) ? VDM_SUCCESS
						      : VDM_ERROR_JOB_CORRUPTED,
		output);
}

struct data_mover_sync *
data_mover_sync_new(void)
{
	struct data_mover_sync *dms = malloc(sizeof(*dms));

	if (dms == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	dms->base.op_new = sync_op_new;
	dms->base.op_delete = sync_op_delete;
	dms->base.op_start = sync_op_start;
	dms->base.op_check = sync_op_check;
	/*
	 * 0 though the flags are honoured: a program compiled with upstream's
	 * headers takes any other value for "all flags".
	 */
	dms->base.capabilities = 0;
	dms->base.has_property = future_has_property_default;
	return dms;
}

struct vdm *
data_mover_sync_get_vdm(struct data_mover_sync *dms)
{
	return &dms->base;
}

void
data_mover_sync_delete(struct data_mover_sync *dms)
{
	free(dms);
}
