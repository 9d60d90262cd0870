/* SPDX-License-Identifier: BSD-3-Clause */
/* engine_measure.c -- what the engine cannot know, but try */

#include "engine_measure.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "engine_kernels.h"

/* Two are far larger than a first cache, and smaller than a second. */
#define SIZE ((size_t)65536)
#define SLACK ((size_t)4096) /* a page, so that it does not seem to be there */
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

/*
 * Does the copy beat libc clearly, if dst seems to lie so far above src? It has to
 * take a quarter less time: one of a few runs may take as much less as it takes more
 * when it is repeated (backward() on Zen 5: 0.94 and 1.33 of libc's).
 */
static bool
beats_libc(void (*copy)(char *dst, const char *src, size_t n), char *memory,
	size_t distance)
{
	char *const dst = memory + 7 + distance;
	const char *const src = memory + SIZE + SLACK + 7;
	const uint64_t libc = time_of(libc_copy, dst, src);

	return time_of(copy, dst, src) < libc - libc / 4;
}

/*
 * Zen 4: forward() takes 0.6 of libc's time, backward() between a half and a 25th.
 * Zen 5, whose libc is not tripped up: 1.4 times as long, both.
 */
void
ma__measure(const struct ma__kernels *kernels, bool *forward, bool *backward)
{
	/* Two, and what the destination is moved by. */
	char *const memory = malloc(2 * (SIZE + SLACK));

	*forward = *backward = false;
	if (memory == NULL)
		return;
	memset(memory, 1, 2 * (SIZE + SLACK));
	/* Far from multiples of a page, and of any vector. */
	*forward = beats_libc(kernels->forward, memory, 3051);
	*backward = beats_libc(kernels->backward, memory,
		kernels->backward_below / 8 + 8);
	free(memory);
}
