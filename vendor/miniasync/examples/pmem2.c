/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pmem2.c -- libpmem2's asynchronous copies on the threads mover
 *
 * libpmem2 maps a file, persistent memory or not, and makes futures for it that
 * are complete when the bytes are persistent. The map's configuration says which
 * mover does the work.
 */

#define PMEM2_USE_MINIASYNC 1

#include <libminiasync.h>
#include <libpmem2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COPIES 8
#define SIZE ((size_t)128 << 10)

/* Maps all of the file, to be written by the mover. NULL if that fails. */
static struct pmem2_map *
map_file(int fd, struct vdm *vdm)
{
	struct pmem2_config *config = NULL;
	struct pmem2_source *source = NULL;
	struct pmem2_map *map = NULL;

	/* PAGE: any file will do, one that is not persistent memory, too. */
	if (pmem2_config_new(&config) != 0 ||
		pmem2_config_set_required_store_granularity(config,
			PMEM2_GRANULARITY_PAGE) != 0 ||
		pmem2_config_set_vdm(config, vdm) != 0 ||
		pmem2_source_from_fd(&source, fd) != 0 ||
		pmem2_map_new(&map, config, source) != 0)
		pmem2_perror("pmem2");
	pmem2_source_delete(&source);
	pmem2_config_delete(&config);
	return map;
}

static int
fill(struct pmem2_map *map, struct runtime *runtime, const unsigned char *src)
{
	unsigned char *dst = pmem2_map_get_address(map);
	struct pmem2_future copies[COPIES];
	struct future *futs[COPIES];

	for (size_t i = 0; i < COPIES; i++) {
		copies[i] = pmem2_memcpy_async(map, dst + i * SIZE,
			src + i * SIZE, SIZE, 0);
		futs[i] = FUTURE_AS_RUNNABLE(&copies[i]);
	}
	runtime_wait_multiple(runtime, futs, COPIES);

	/* A pmem2_future has no result of its own; the operation in it has. */
	for (size_t i = 0; i < COPIES; i++) {
		if (copies[i].data.op.fut.output.result != VDM_SUCCESS) {
			fprintf(stderr, "copy %zu failed\n", i);
			return 1;
		}
	}
	return 0;
}

static int
copy_into_file(struct vdm *vdm, struct runtime *runtime, FILE *file,
	unsigned char *src, unsigned char *seen)
{
	const size_t size = COPIES * SIZE;
	struct pmem2_map *map;
	int rc;

	for (size_t i = 0; i < size; i++)
		src[i] = (unsigned char)(i * 31 + i / SIZE);
	if (ftruncate(fileno(file), (off_t)size) != 0) {
		perror("ftruncate");
		return 1;
	}
	map = map_file(fileno(file), vdm);
	if (map == NULL)
		return 1;
	rc = fill(map, runtime, src);
	pmem2_map_delete(&map);
	if (rc != 0)
		return rc;

	if (fread(seen, 1, size, file) != size ||
		memcmp(seen, src, size) != 0) {
		fprintf(stderr, "the file differs\n");
		return 1;
	}
	printf("copied %d times %zu bytes into a file\n", COPIES, SIZE);
	return 0;
}

int
main(void)
{
	struct runtime *runtime = runtime_new();
	struct data_mover_threads *mover = data_mover_threads_default();
	FILE *file = tmpfile();
	unsigned char *src = malloc(COPIES * SIZE);
	unsigned char *seen = malloc(COPIES * SIZE);
	int rc = 1;

	if (runtime == NULL || mover == NULL || file == NULL || src == NULL ||
		seen == NULL)
		perror("pmem2");
	else
		rc = copy_into_file(data_mover_threads_get_vdm(mover), runtime,
			file, src, seen);

	free(seen);
	free(src);
	if (file != NULL)
		fclose(file);
	data_mover_threads_delete(mover);
	runtime_delete(runtime);
	return rc;
}
