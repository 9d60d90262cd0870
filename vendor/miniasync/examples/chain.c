/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chain.c -- copy, then write back what was copied
 *
 * Two operations as one future. Between them a map hands the destination of the
 * copy to the flush; after them another one makes the chain's own result.
 */

#include <libminiasync.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE ((size_t)1 << 20)

struct store_data {
	FUTURE_CHAIN_ENTRY(struct vdm_operation_future, copy);
	FUTURE_CHAIN_ENTRY_LAST(struct vdm_operation_future, flush);
};

struct store_output {
	size_t stored; /* bytes copied and written back */
};

FUTURE(store_future, struct store_data, struct store_output);

/* From the copy to the flush: where the bytes are. */
static void
copy_to_flush(struct future_context *copy, struct future_context *flush,
	void *arg)
{
	const struct vdm_operation_output *output =
		future_context_get_output(copy);
	struct vdm_operation_data *data = future_context_get_data(flush);

	(void)arg;
	/* A failed copy has no destination: then nothing is written back. */
	data->operation.data.flush.dest = output->output.memcpy.dest;
	if (output->result != VDM_SUCCESS)
		data->operation.data.flush.n = 0;
}

/* From the flush to the chain: how much there is. */
static void
flush_to_store(struct future_context *flush, struct future_context *store,
	void *arg)
{
	const struct vdm_operation_data *data = future_context_get_data(flush);
	const struct vdm_operation_output *result =
		future_context_get_output(flush);
	struct store_output *output = future_context_get_output(store);

	(void)arg;
	output->stored = result->result == VDM_SUCCESS
		? data->operation.data.flush.n
		: 0;
}

/* A future like those of the library: made, and not yet started. */
static struct store_future
store(struct vdm *vdm, void *dest, void *src, size_t n)
{
	struct store_future future;
	struct store_data *data = FUTURE_DATA(&future);

	FUTURE_CHAIN_ENTRY_INIT(&data->copy, vdm_memcpy(vdm, dest, src, n, 0),
		copy_to_flush, NULL);
	FUTURE_CHAIN_ENTRY_INIT(&data->flush, vdm_flush(vdm, NULL, n, 0),
		flush_to_store, NULL);
	FUTURE_OUTPUT(&future)->stored = 0;
	FUTURE_CHAIN_INIT(&future);
	return future;
}

int
main(void)
{
	struct runtime *runtime = runtime_new();
	struct data_mover_threads *mover = data_mover_threads_default();
	char *src = malloc(SIZE);
	char *dst = calloc(1, SIZE);
	int rc = 1;

	if (runtime == NULL || mover == NULL || src == NULL || dst == NULL) {
		perror("chain");
	} else {
		struct vdm *vdm = data_mover_threads_get_vdm(mover);
		struct store_future future = store(vdm, dst, src, SIZE);

		memset(src, 'x', SIZE);
		runtime_wait(runtime, FUTURE_AS_RUNNABLE(&future));
		rc = FUTURE_OUTPUT(&future)->stored != SIZE ||
			memcmp(dst, src, SIZE) != 0;
		if (rc == 0)
			printf("stored %zu bytes\n", SIZE);
		else
			fprintf(stderr, "the copy failed or differs\n");
	}

	data_mover_threads_delete(mover);
	runtime_delete(runtime);
	free(src);
	free(dst);
	return rc;
}
