/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * basic-async.c -- several copies that run while the program computes
 *
 * The first poll starts an operation on the mover's workers and returns at
 * once. What follows until the wait runs beside the copies.
 */

#include <libminiasync.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COPIES 8
#define SIZE ((size_t)1 << 20)

struct buffers {
	unsigned char *src; /* COPIES * SIZE bytes */
	unsigned char *dst;
};

/* Something to do meanwhile: the number of primes below `limit`. */
static unsigned
count_primes(unsigned limit)
{
	unsigned count = 0;

	for (unsigned n = 2; n < limit; n++) {
		unsigned divisor = 2;

		while (divisor * divisor <= n && n % divisor != 0)
			divisor++;
		count += divisor * divisor > n;
	}
	return count;
}

static int
copy_and_compute(struct runtime *runtime, struct vdm *vdm,
	const struct buffers *buffers)
{
	struct vdm_operation_future copies[COPIES];
	struct future *futs[COPIES];
	unsigned primes;

	for (size_t i = 0; i < COPIES; i++) {
		copies[i] = vdm_memcpy(vdm, buffers->dst + i * SIZE,
			buffers->src + i * SIZE, SIZE, 0);
		futs[i] = FUTURE_AS_RUNNABLE(&copies[i]);
		/* Without a notifier: the wait below brings its own. */
		future_poll(futs[i], NULL);
	}

	primes = count_primes(100000);

	/* Until here the buffers belong to the copies. */
	runtime_wait_multiple(runtime, futs, COPIES);

	for (size_t i = 0; i < COPIES; i++) {
		if (FUTURE_OUTPUT(&copies[i])->result != VDM_SUCCESS) {
			fprintf(stderr, "copy %zu failed\n", i);
			return 1;
		}
	}
	if (memcmp(buffers->dst, buffers->src, COPIES * SIZE) != 0) {
		fprintf(stderr, "the copies differ\n");
		return 1;
	}
	if (primes != 9592) {
		fprintf(stderr, "counted %u primes\n", primes);
		return 1;
	}
	printf("copied %d times %zu bytes, counted %u primes\n", COPIES, SIZE,
		primes);
	return 0;
}

int
main(void)
{
	struct runtime *runtime = runtime_new();
	struct data_mover_threads *mover = data_mover_threads_default();
	struct buffers buffers = {
		.src = malloc(COPIES * SIZE),
		.dst = calloc(COPIES, SIZE),
	};
	int rc = 1;

	if (runtime == NULL || mover == NULL || buffers.src == NULL ||
		buffers.dst == NULL) {
		perror("basic-async");
	} else {
		for (size_t i = 0; i < COPIES * SIZE; i++)
			buffers.src[i] = (unsigned char)(i * 31 + i / SIZE);
		rc = copy_and_compute(runtime,
			data_mover_threads_get_vdm(mover), &buffers);
	}

	/* It waits for what was started, so it comes before the buffers go. */
	data_mover_threads_delete(mover);
	runtime_delete(runtime);
	free(buffers.src);
	free(buffers.dst);
	return rc;
}
