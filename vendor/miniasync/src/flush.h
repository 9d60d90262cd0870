/* SPDX-License-Identifier: BSD-3-Clause */
/* flush.h -- writing cache lines back to memory */

#ifndef MA_FLUSH_H
#define MA_FLUSH_H

#include <stddef.h>
#include <stdint.h>

/*
 * Writes back the cache lines that intersect [p, p + n), and no other, then
 * fences: on return they have left this thread's caches for the point where
 * the platform keeps them. With n == 0 it only fences. It reads from the range
 * as far as page protection is concerned.
 */
void ma__flush(const void *p, size_t n);

/* Name of the instruction used, "none" where there is none to use. */
const char *ma__flush_name(void);

/* Bytes in a line as ma__flush() steps, a power of two. */
size_t ma__flush_line_size(void);

/* Number of lines that intersect [p, p + n); *first is where they start. */
static inline size_t
ma__flush_lines(const void *p, size_t n, size_t line, uintptr_t *first)
{
	size_t skew = (size_t)((uintptr_t)p & (line - 1));

	*first = (uintptr_t)p - skew;
	if (n == 0)
		return 0;
	return (skew + (n - 1)) / line + 1;
}

#endif /* MA_FLUSH_H */
