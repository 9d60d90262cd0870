/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * basic.c -- one copy, waited for
 *
 * A mover gives the struct vdm that operations are made with; a runtime waits
 * for them. Making the future moves nothing: the wait polls it, and that starts
 * it.
 */

#include <libminiasync.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE ((size_t)1 << 20)

static int
copy_and_check(struct runtime *runtime, struct vdm *vdm)
{
	char *src = malloc(SIZE);
	char *dst = calloc(1, SIZE);
	int rc = 1;

	if (src == NULL || dst == NULL)
		goto end;
	memset(src, 'x', SIZE);

	struct vdm_operation_future copy = vdm_memcpy(vdm, dst, src, SIZE, 0);

	runtime_wait(runtime, FUTURE_AS_RUNNABLE(&copy));

	/* The result says whether there was memory for the operation. */
	if (FUTURE_OUTPUT(&copy)->result != VDM_SUCCESS)
		fprintf(stderr, "the copy failed\n");
	else if (memcmp(dst, src, SIZE) != 0)
		fprintf(stderr, "the copy differs\n");
	else
		rc = 0;
end:
	free(src);
	free(dst);
	return rc;
}

int
main(void)
{
	struct runtime *runtime = runtime_new();
	struct data_mover_threads *mover = data_mover_threads_default();
	int rc = 1;

	if (runtime == NULL || mover == NULL)
		perror("basic");
	else
		rc = copy_and_check(runtime, data_mover_threads_get_vdm(mover));

	data_mover_threads_delete(mover);
	runtime_delete(runtime);
	if (rc == 0)
		printf("copied %zu bytes\n", SIZE);
	return rc;
}
