/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_engine_durable.c -- what is written back when data is to be durable
 *
 * Nothing tells from outside whether a line has been written back. So this
 * compiles the engine with a write-back and kernels that take notes.
 */

#include "t.h"

#include "engine.h"
#include "engine_kernels.h"
#include "flush.h"

static void note_flush(const void *p, size_t n);
static const struct ma__engine_config *config_with_notes(void);

#define ma__flush(p_, n_) note_flush(p_, n_)
#define ma__engine_config() config_with_notes()
#include "engine.c"

#define MAX_N 3000
#define MAX_NOTES 8

struct note {
	const char *at;
	size_t n;
};

static struct note flushed[MAX_NOTES];
static struct note streamed[MAX_NOTES];
static size_t flushed_count;
static size_t streamed_count;

/* Where the operation goes, and what has to be there when it is done. */
static const char *destination;
static const char *expected;

static void
take_note(struct note *notes, size_t *count, const char *at, size_t n)
{
	CHECK(*count < MAX_NOTES);
	notes[*count].at = at;
	notes[*count].n = n;
	(*count)++;
}

/* What is written back has to be there by then. */
static void
note_flush(const void *p, size_t n)
{
	const char *at = p;

	CHECK(memcmp(at, expected + (at - destination), n) == 0);
	take_note(flushed, &flushed_count, at, n);
}

static void
note_copy(char *dst, const char *src, size_t n)
{
	CHECK((uintptr_t)dst % MA__NT_ALIGN == 0 && n % MA__NT_UNIT == 0);
	memmove(dst, src, n);
	take_note(streamed, &streamed_count, dst, n);
}

static void
note_fill(char *dst, int c, size_t n)
{
	CHECK((uintptr_t)dst % MA__NT_ALIGN == 0 && n % MA__NT_UNIT == 0);
	memset(dst, c, n);
	take_note(streamed, &streamed_count, dst, n);
}

static void
copy_cached(char *dst, const char *src, size_t n)
{
	memmove(dst, src, n);
}

static const struct ma__engine_config *
config_with_notes(void)
{
	static const struct ma__kernels kernels = {"notes", note_copy,
		note_copy, note_fill, copy_cached, copy_cached, 256, true};
	static const struct ma__engine_config config = {
		.nt_copy_min = SIZE_MAX,
		.nt_copy_hint_min = SIZE_MAX,
		.nt_fill_min = SIZE_MAX,
		.nt_fill_hint_min = SIZE_MAX,
		.nt_zero_min = SIZE_MAX,
		.nt_zero_hint_min = SIZE_MAX,
		.nt_move_shift_min = 4096,
		.kernels = &kernels,
	};

	return &config;
}

static void
forget_notes(const char *dst, const char *result)
{
	flushed_count = 0;
	streamed_count = 0;
	destination = dst;
	expected = result;
}

static int
is_noted(const char *at, const struct note *notes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (at >= notes[i].at && at < notes[i].at + notes[i].n)
			return 1;
	return 0;
}

/* Every byte went past the caches or was written back, and only those. */
static void
check_notes(const char *dst, size_t n)
{
	CHECK(memcmp(dst, expected, n) == 0);
	for (size_t i = 0; i < n; i++)
		CHECK(is_noted(dst + i, flushed, flushed_count) +
				is_noted(dst + i, streamed, streamed_count) ==
			1);
	for (size_t i = 0; i < flushed_count; i++)
		CHECK(flushed[i].at >= dst &&
			flushed[i].at + flushed[i].n <= dst + n);
}

static void
durable_data_is_written_back(void)
{
	static char result[2 * MAX_N];
	char *src = t_malloc(4 * MAX_N);
	char *dst = t_malloc(4 * MAX_N);

	t_fill(result, sizeof(result), 1);
	for (size_t n = 1; n < MAX_N; n += 13)
		for (size_t to = 0; to < 64; to++) {
			memcpy(src, result, n);
			forget_notes(dst + to, result);
			ma__copy(dst + to, src, n, n, VDM_F_MEM_DURABLE);
			check_notes(dst + to, n);

			/* over itself, upwards */
			memcpy(src, result, n);
			forget_notes(src + to, result);
			ma__move(src + to, src, n, n, VDM_F_MEM_DURABLE);
			check_notes(src + to, n);
		}
	free(src);
	free(dst);
}

static void
durable_long_moves_are_written_back(void)
{
	const size_t n = 20000;
	const size_t shift = 5000;
	char *result = t_malloc(n);
	char *area = t_malloc(n + shift + 64);

	t_fill(result, n, 2);
	for (size_t to = 0; to < 64; to++) {
		char *low = area + to;

		memcpy(low, result, n);
		forget_notes(low + shift, result);
		ma__move(low + shift, low, n, n, VDM_F_MEM_DURABLE);
		CHECK_INT(streamed_count, 1);
		check_notes(low + shift, n);

		forget_notes(low, result);
		ma__move(low, low + shift, n, n, VDM_F_MEM_DURABLE);
		CHECK_INT(streamed_count, 1);
		check_notes(low, n);
	}
	free(area);
	free(result);
}

static void
durable_fills_are_written_back(void)
{
	static char result[MAX_N];
	char *dst = t_malloc(MAX_N + 64);

	memset(result, 0x5a, sizeof(result));
	for (size_t n = 1; n < MAX_N; n += 13)
		for (size_t to = 0; to < 64; to++) {
			memset(dst, 0, MAX_N + 64);
			forget_notes(dst + to, result);
			ma__fill(dst + to, 0x5a, n, n, VDM_F_MEM_DURABLE);
			check_notes(dst + to, n);
		}
	free(dst);
}

/* Writing lines back is dear; nobody gets it who has not asked. */
static void
other_data_is_not_written_back(void)
{
	char *src = t_malloc(MAX_N);
	char *dst = t_malloc(MAX_N);

	forget_notes(dst, src);
	t_fill(src, MAX_N, 3);
	for (size_t n = 1; n < MAX_N; n += 13) {
		ma__copy(dst, src, n, n, VDM_F_NO_CACHE_HINT);
		ma__move(dst, dst + 1, n, n, 0);
		ma__fill(dst, 1, n, n, 0);
		CHECK_INT(flushed_count, 0);
	}
	free(src);
	free(dst);
}

T_MAIN(T_CASE(durable_data_is_written_back),
	T_CASE(durable_long_moves_are_written_back),
	T_CASE(durable_fills_are_written_back),
	T_CASE(other_data_is_not_written_back))
