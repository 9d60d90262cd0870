/* SPDX-License-Identifier: BSD-3-Clause */
/* engine.c -- which kernel moves the bytes */

#include "engine.h"

#include <libminiasync/vdm.h>
#include <stdbool.h>
#include <string.h>

#include "compiler.h"
#include "engine_kernels.h"
#include "flush.h"

/* Below this libc is called and nothing is looked at. */
#define LIBC_BELOW 2048
/* Durable data goes past the caches from here on, and is written back below. */
#define NT_DURABLE_MIN 1024

/*
 * How far dst lies above src as the CPU sees it when it looks for loads that
 * need the data of an earlier store: it compares the low 12 bits of their
 * addresses. If dst seems to be a little above src, each load of a forward
 * loop waits for a store that it has nothing to do with. libc's copies fall to
 * 1/25 of their speed then, on processors that do not know better (Zen 4).
 */
static inline size_t
seeming_distance(const void *dst, const void *src)
{
	return ((uintptr_t)dst - (uintptr_t)src) & 4095;
}

static inline size_t
shift_of(const void *dst, const void *src)
{
	const uintptr_t to = (uintptr_t)dst;
	const uintptr_t from = (uintptr_t)src;

	return to > from ? to - from : from - to;
}

/* Durable data in any case: to write lines back costs more than to keep them
 * out. `size` is that of the whole operation. */
static inline bool
goes_past_caches(const struct ma__engine_config *config, size_t n, size_t size,
	size_t min, size_t hint_min, uint64_t flags)
{
	if (config->kernels == NULL || n < NT_DURABLE_MIN)
		return false;
	if (flags & VDM_F_MEM_DURABLE)
		return true;
	return size >= (flags & VDM_F_NO_CACHE_HINT ? hint_min : min);
}

enum ma__path
ma__copy_path(const struct ma__engine_config *config, const void *dst,
	const void *src, size_t n, size_t whole, uint64_t flags)
{
	const size_t distance = seeming_distance(dst, src);

	if (goes_past_caches(config, n, whole, config->nt_copy_min,
		    config->nt_copy_hint_min, flags))
		return MA__PATH_NT_FORWARD;
	if (config->kernels == NULL || n < LIBC_BELOW)
		return MA__PATH_LIBC;
	/*
	 * Going down, all loads to come lie below the stores made. At a
	 * multiple of 32 libc's vectors wait for one store at most, and it is
	 * as good.
	 */
	if (distance % 32 != 0 && distance < config->kernels->backward_below)
		return n <= config->backward_max ? MA__PATH_BACKWARD
						 : MA__PATH_LIBC;
	if (n <= (distance % 32 != 0 ? config->forward_askew_max
				     : config->forward_max))
		return MA__PATH_FORWARD;
	return MA__PATH_LIBC;
}

/*
 * Of overlapping ranges, close ones find the destination in the cache, where
 * the source was: that is for libc. Far ones gain from non-temporal stores in
 * the right order, from where they touch as many bytes as a copy that does.
 */
enum ma__path
ma__move_path(const struct ma__engine_config *config, const void *dst,
	const void *src, size_t n, size_t whole, uint64_t flags)
{
	const bool up = (uintptr_t)dst > (uintptr_t)src;
	const size_t shift = shift_of(dst, src);
	const size_t distance = seeming_distance(dst, src);

	if (shift >= whole)
		return ma__copy_path(config, dst, src, n, whole, flags);
	if (shift >= config->nt_move_shift_min &&
		goes_past_caches(config, n, (whole + shift) / 2,
			config->nt_copy_min, config->nt_copy_hint_min, flags))
		return up ? MA__PATH_NT_BACKWARD : MA__PATH_NT_FORWARD;
	/* Upwards, libc goes from the top down, and all is well. */
	if (config->kernels != NULL && n >= LIBC_BELOW && !up &&
		distance != 0 && distance < 32)
		return MA__PATH_FORWARD;
	return MA__PATH_LIBC;
}

enum ma__path
ma__fill_path(const struct ma__engine_config *config, int c, size_t n,
	size_t whole, uint64_t flags)
{
	const bool zero = (unsigned char)c == 0;
	const size_t min = zero ? config->nt_zero_min : config->nt_fill_min;
	const size_t hint_min =
		zero ? config->nt_zero_hint_min : config->nt_fill_hint_min;

	return goes_past_caches(config, n, whole, min, hint_min, flags)
		? MA__PATH_NT_FORWARD
		: MA__PATH_LIBC;
}

/* A range cut into what a non-temporal kernel takes, and its two ends. */
struct parts {
	size_t head;
	size_t body;
	size_t tail;
};

static inline struct parts
cut(const void *dst, size_t n)
{
	struct parts parts;

	parts.head = -(uintptr_t)dst & (MA__NT_ALIGN - 1);
	parts.body = (n - parts.head) & ~(size_t)(MA__NT_UNIT - 1);
	parts.tail = n - parts.head - parts.body;
	return parts;
}

static void
write_back(const void *dst, size_t n, uint64_t flags)
{
	if (flags & VDM_F_MEM_DURABLE)
		ma__flush(dst, n);
}

/* The body went to memory and is fenced; the ends are in the caches. */
static void
write_back_ends(const char *dst, const struct parts *parts, uint64_t flags)
{
	write_back(dst, parts->head, flags);
	write_back(dst + parts->head + parts->body, parts->tail, flags);
}

static void
nt_forward(const struct ma__kernels *kernels, char *dst, const char *src,
	size_t n, uint64_t flags)
{
	const struct parts parts = cut(dst, n);
	const size_t end = parts.head + parts.body;

	memcpy(dst, src, parts.head);
	kernels->nt_forward(dst + parts.head, src + parts.head, parts.body);
	memcpy(dst + end, src + end, parts.tail);
	write_back_ends(dst, &parts, flags);
}

static void
nt_backward(const struct ma__kernels *kernels, char *dst, const char *src,
	size_t n, uint64_t flags)
{
	const struct parts parts = cut(dst, n);
	const size_t end = parts.head + parts.body;

	memcpy(dst + end, src + end, parts.tail);
	kernels->nt_backward(dst + parts.head, src + parts.head, parts.body);
	memcpy(dst, src, parts.head);
	write_back_ends(dst, &parts, flags);
}

static void
take(enum ma__path path, const struct ma__kernels *kernels, void *dst,
	const void *src, size_t n, uint64_t flags)
{
	switch (path) {
	case MA__PATH_NT_FORWARD:
		nt_forward(kernels, dst, src, n, flags);
		return;
	case MA__PATH_NT_BACKWARD:
		nt_backward(kernels, dst, src, n, flags);
		return;
	case MA__PATH_FORWARD:
		kernels->forward(dst, src, n);
		break;
	case MA__PATH_BACKWARD:
		kernels->backward(dst, src, n);
		break;
	case MA__PATH_LIBC:
		memmove(dst, src, n);
		break;
	}
	write_back(dst, n, flags);
}

static inline bool
is_small(size_t n, uint64_t flags)
{
	return n < LIBC_BELOW && !(flags & VDM_F_MEM_DURABLE);
}

static MA__APART void
copy(void *dst, const void *src, size_t n, size_t whole, uint64_t flags)
{
	const struct ma__engine_config *config = ma__engine_config();
	const enum ma__path path =
		ma__copy_path(config, dst, src, n, whole, flags);

	if (path == MA__PATH_LIBC && !(flags & VDM_F_MEM_DURABLE))
		memcpy(dst, src, n);
	else
		take(path, config->kernels, dst, src, n, flags);
}

static MA__APART void
move(void *dst, const void *src, size_t n, size_t whole, uint64_t flags)
{
	const struct ma__engine_config *config = ma__engine_config();
	const enum ma__path path =
		ma__move_path(config, dst, src, n, whole, flags);

	if (path == MA__PATH_LIBC && !(flags & VDM_F_MEM_DURABLE))
		memmove(dst, src, n);
	else
		take(path, config->kernels, dst, src, n, flags);
}

static MA__APART void
fill(void *dst, int c, size_t n, size_t whole, uint64_t flags)
{
	const struct ma__engine_config *config = ma__engine_config();
	struct parts parts;
	char *body;

	if (ma__fill_path(config, c, n, whole, flags) == MA__PATH_LIBC) {
		memset(dst, c, n);
		write_back(dst, n, flags);
		return;
	}
	parts = cut(dst, n);
	body = (char *)dst + parts.head;
	memset(dst, c, parts.head);
	config->kernels->nt_fill(body, c, parts.body);
	memset(body + parts.body, c, parts.tail);
	write_back_ends(dst, &parts, flags);
}

void
ma__copy(void *dst, const void *src, size_t n, size_t whole, uint64_t flags)
{
	if (is_small(n, flags))
		memcpy(dst, src, n);
	else
		copy(dst, src, n, whole, flags);
}

void
ma__move(void *dst, const void *src, size_t n, size_t whole, uint64_t flags)
{
	if (is_small(n, flags))
		memmove(dst, src, n);
	else
		move(dst, src, n, whole, flags);
}

void
ma__fill(void *dst, int c, size_t n, size_t whole, uint64_t flags)
{
	if (is_small(n, flags))
		memset(dst, c, n);
	else
		fill(dst, c, n, whole, flags);
}
