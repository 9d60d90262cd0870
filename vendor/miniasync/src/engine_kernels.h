/* SPDX-License-Identifier: BSD-3-Clause */
/* engine_kernels.h -- the loops of the copy engine, and the choice of one */

#ifndef MA_ENGINE_KERNELS_H
#define MA_ENGINE_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MA__NT_ALIGN 64
#define MA__NT_UNIT 128
#define MA__CACHED_MIN 512

/* One set for each instruction set. */
struct ma__kernels {
	const char *name;
	/*
	 * Past the caches: dst a multiple of MA__NT_ALIGN, n one of
	 * MA__NT_UNIT. The first ascends, the second descends, so that ranges
	 * MA__NT_UNIT or more apart may overlap if the order is right. All
	 * their stores are fenced on return.
	 */
	void (*nt_forward)(char *dst, const char *src, size_t n);
	void (*nt_backward)(char *dst, const char *src, size_t n);
	void (*nt_fill)(char *dst, int c, size_t n);
	/*
	 * Through the caches, for n >= MA__CACHED_MIN, any alignment; the
	 * first in ascending, the second in descending order. Of overlapping
	 * ranges the first takes those with src at least MA__CACHED_MIN above
	 * dst, the second none.
	 */
	void (*forward)(char *dst, const char *src, size_t n);
	void (*backward)(char *dst, const char *src, size_t n);
	/* Up to which seeming distance backward is better than libc. */
	size_t backward_below;
	/*
	 * Whether forward is better than libc where source and destination fit
	 * into the first cache, and may be where they are aligned differently.
	 */
	bool forward_beats_libc;
};

/* The best set for these features (MA__CPU_*), NULL if there is none. */
const struct ma__kernels *ma__kernels_choose(unsigned features);

/* How to do it: with libc, or which of the kernels. */
enum ma__path {
	MA__PATH_LIBC,
	MA__PATH_FORWARD,
	MA__PATH_BACKWARD,
	MA__PATH_NT_FORWARD,
	MA__PATH_NT_BACKWARD,
};

struct ma__engine_config;

/* The choice for n bytes that are a piece of a whole; see ma__copy() &c. */
enum ma__path ma__copy_path(const struct ma__engine_config *config,
	const void *dst, const void *src, size_t n, size_t whole,
	uint64_t flags);
enum ma__path ma__move_path(const struct ma__engine_config *config,
	const void *dst, const void *src, size_t n, size_t whole,
	uint64_t flags);
enum ma__path ma__fill_path(const struct ma__engine_config *config, int c,
	size_t n, size_t whole, uint64_t flags);

#endif /* MA_ENGINE_KERNELS_H */
