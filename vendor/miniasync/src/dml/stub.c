/* SPDX-License-Identifier: BSD-3-Clause */
/* stub.c -- the functions of the DML mover, where it was built without libdml */

#include <errno.h>
#include <stddef.h>

#include "libminiasync-vdm-dml/data_mover_dml.h"

struct data_mover_dml *
data_mover_dml_new(enum data_mover_dml_type type)
{
	(void)type;
	errno = ENOTSUP;
	return NULL;
}

struct vdm *
data_mover_dml_get_vdm(struct data_mover_dml *dmd)
{
	(void)dmd;
	return NULL;
}

int
data_mover_dml_get_stats(const struct data_mover_dml *dmd,
	struct data_mover_dml_stats *stats)
{
	(void)dmd;
	(void)stats;
	return ENOTSUP;
}

void
data_mover_dml_delete(struct data_mover_dml *dmd)
{
	(void)dmd;
}
