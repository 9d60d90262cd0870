/* SPDX-License-Identifier: BSD-3-Clause */
/* main.c -- the smallest user of the library: one copy, through a runtime */

#include <libminiasync.h>
#include <string.h>

int
main(void)
{
	char src[] = "bytes";
	char dst[sizeof(src)] = "";

	struct runtime *runtime = runtime_new();
	struct data_mover_threads *mover = data_mover_threads_default();
	if (runtime == NULL || mover == NULL)
		return 1;

	struct vdm_operation_future copy = vdm_memcpy(
		data_mover_threads_get_vdm(mover), dst, src, sizeof(src), 0);
	runtime_wait(runtime, FUTURE_AS_RUNNABLE(&copy));

	data_mover_threads_delete(mover);
	runtime_delete(runtime);
	return memcmp(dst, src, sizeof(src)) != 0;
}
