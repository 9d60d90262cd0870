/* SPDX-License-Identifier: BSD-3-Clause */
/* main.c -- the smallest user of the DML mover */

#include <libminiasync-vdm-dml.h>
#include <string.h>

int
main(void)
{
	static char src[100000], dst[sizeof(src)];
	struct runtime *runtime = runtime_new();
	struct data_mover_dml *mover = data_mover_dml_new(DATA_MOVER_DML_AUTO);
	if (runtime == NULL || mover == NULL)
		return 1;

	memset(src, 'x', sizeof(src));
	struct vdm_operation_future copy = vdm_memcpy(
		data_mover_dml_get_vdm(mover), dst, src, sizeof(src), 0);
	runtime_wait(runtime, FUTURE_AS_RUNNABLE(&copy));

	data_mover_dml_delete(mover);
	runtime_delete(runtime);
	return memcmp(dst, src, sizeof(src)) != 0;
}
