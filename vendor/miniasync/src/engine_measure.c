/* SPDX-License-Identifier: BSD-3-Clause */
/* engine_measure.c -- what the engine cannot know, but try */

#include "engine_measure.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "engine_kernels.h"

/* Two are larger than a first cache, smaller than a second; and for the ends. */
#define SIZE ((size_t)32768)
#define SLACK ((size_t)4096)
#define ROUNDS 7

/*
 * The best of some copies: whatever else the processor did, it only made others
 * take longer.
 */
static uint64_t
time_of(void (*copy)(char *dst, const char *src, size_t n), char *dst,
	const char *src)
{
	uint64_t best = MA__NEVER;

	for (int i = 0; i < ROUNDS; i++) {
		const uint64_t start = ma__now();

		copy(dst, src, SIZE);
		best = ma__earlier(best, ma__now() - start);
	}
	return best;
}

static void
libc_copy(char *dst, const char *src, size_t n)
{
	memcpy(dst, src, n);
}

/* Zen 4: forward() takes 0.6 of libc's time. Zen 5: 1.4 of it. */
bool
ma__measure_forward(const struct ma__kernels *kernels)
{
	char *const memory = malloc(2 * (SIZE + SLACK));
	const char *src;
	char *dst;
	uint64_t libc;
	uint64_t forward;

	if (memory == NULL)
		return false;
	memset(memory, 1, 2 * (SIZE + SLACK));
	dst = memory + 7;
	src = memory + SIZE + SLACK + 1037;
	libc = time_of(libc_copy, dst, src);
	forward = time_of(kernels->forward, dst, src);
	free(memory);
	/* Clearly, or libc is good enough. */
	return forward < libc - libc / 16;
}
