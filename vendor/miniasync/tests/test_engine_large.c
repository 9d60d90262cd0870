/* SPDX-License-Identifier: BSD-3-Clause */
/* test_engine_large.c -- the copy engine around its thresholds, to the byte */

#include "t.h"

#include <libminiasync/vdm.h>

#include "engine.h"

#define MIB ((size_t)1 << 20)
/* Thresholds are taken for no less and no more than these. */
#define LEAST (2 * MIB)
#define MOST (96 * MIB)
#define GUARD ((size_t)4096)
#define FILL 0x2d

/* Sizes to try around a threshold: at it, and anywhere near. */
static size_t
size_near(size_t threshold, int which, uint64_t *state)
{
	switch (which) {
	case 0:
	case 1:
	case 2:
		return threshold + (size_t)which - 1;
	default:
		return threshold / 2 + t_random(state) % threshold;
	}
}

static void
check_around(const char *at, size_t n)
{
	for (size_t i = 1; i <= GUARD; i++) {
		CHECK(at[-(ptrdiff_t)i] == FILL);
		CHECK(at[n + i - 1] == FILL);
	}
}

static size_t
bounded(size_t threshold)
{
	return threshold < LEAST ? LEAST : threshold > MOST ? MOST : threshold;
}

static void
copies(void)
{
	const struct ma__engine_config *config = ma__engine_config();
	const struct {
		size_t threshold;
		uint64_t flags;
	} around[] = {
		{bounded(config->nt_copy_min), 0},
		{bounded(config->nt_copy_hint_min), VDM_F_NO_CACHE_HINT},
		{LEAST, VDM_F_MEM_DURABLE},
	};
	const size_t size = 2 * bounded(config->nt_copy_min) + 4 * GUARD;
	char *dst = t_malloc(size);
	char *src = t_malloc(size);
	uint64_t state = 1;

	t_fill(src, size, 6);
	for (size_t i = 0; i < T_COUNT(around); i++)
		for (int which = 0; which < 6; which++) {
			const size_t n =
				size_near(around[i].threshold, which, &state);
			char *to = dst + GUARD + t_random(&state) % GUARD;
			const char *from = src + t_random(&state) % GUARD;

			memset(to - GUARD, FILL, n + 2 * GUARD);
			ma__copy(to, from, n, n, around[i].flags);
			CHECK(memcmp(to, from, n) == 0);
			check_around(to, n);
		}
	free(dst);
	free(src);
}

static void
fills(void)
{
	const struct ma__engine_config *config = ma__engine_config();
	const struct {
		size_t threshold;
		uint64_t flags;
	} around[] = {
		{bounded(config->nt_fill_min), 0},
		{bounded(config->nt_fill_hint_min), VDM_F_NO_CACHE_HINT},
		{LEAST, VDM_F_MEM_DURABLE},
	};
	const size_t size = 2 * bounded(config->nt_fill_min) + 4 * GUARD;
	char *dst = t_malloc(size);
	uint64_t state = 2;

	memset(dst, FILL, size);
	for (size_t i = 0; i < T_COUNT(around); i++)
		for (int which = 0; which < 5; which++) {
			const size_t n =
				size_near(around[i].threshold, which, &state);
			char *to = dst + GUARD + t_random(&state) % GUARD;

			ma__fill(to, 0x100 + which, n, n, around[i].flags);
			CHECK(to[0] == which);
			CHECK(memcmp(to, to + 1, n - 1) == 0);
			check_around(to, n);
			memset(to, FILL, n);
		}
	free(dst);
}

/* There and back in one buffer; the bytes are kept in another. */
static void
moves(void)
{
	/* What a move touches counts, so that it takes twice its threshold. */
	const size_t touched = 2 * bounded(ma__engine_config()->nt_copy_min);
	const size_t shifts[] = {
		1, 4095, 65535, 65536, 65599, MIB + 13, touched / 3};
	const size_t size = 2 * touched + 4 * GUARD;
	char *buffer = t_malloc(size);
	char *kept = t_malloc(size);
	uint64_t state = 3;

	t_fill(kept, size, 7);
	for (size_t i = 0; i < T_COUNT(shifts); i++)
		for (int which = 0; which < 4; which++) {
			const size_t all = size_near(touched, which, &state);
			const size_t n = all - shifts[i];
			char *low = buffer + GUARD + t_random(&state) % GUARD;
			char *high = low + shifts[i];

			memset(low - GUARD, FILL, all + 2 * GUARD);
			memcpy(low, kept, n);
			ma__move(high, low, n, n, 0);
			CHECK(memcmp(high, kept, n) == 0);
			CHECK(memcmp(low, kept,
				      n < shifts[i] ? n : shifts[i]) == 0);
			ma__move(low, high, n, n, 0);
			CHECK(memcmp(low, kept, n) == 0);
			check_around(low, all);
		}
	free(buffer);
	free(kept);
}

T_MAIN(T_CASE(copies), T_CASE(fills), T_CASE(moves))
