/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * engine.h -- the copy engine: moves bytes with the kernel that suits them
 *
 * The movers hand it whole operations or pieces of one; it knows nothing about
 * operations, futures or threads. Below the thresholds of its configuration
 * libc does the work, above them non-temporal stores do, and distances between
 * source and destination that trip up libc are copied by a loop of its own.
 */

#ifndef MA_ENGINE_H
#define MA_ENGINE_H

#include <stddef.h>
#include <stdint.h>

struct ma__kernels;

/*
 * What the engine goes by: the machine's facts, and what was tried on it, both
 * overridden by the environment.
 *
 * MINIASYNC_CPU_FEATURES: see ma__cpu_features_allowed().
 * MINIASYNC_NT_THRESHOLD: nt_copy_min and nt_copy_hint_min, in bytes.
 * MINIASYNC_NT_FILL_THRESHOLD: the four of fills, in bytes.
 *
 * They are read once and ignored in set-user-ID programs. What cannot be
 * understood is ignored.
 */
struct ma__engine_config {
	unsigned features; /* MA__CPU_*, less those switched off */
	size_t l1d; /* cache sizes in bytes, 0 if not known */
	size_t l2;
	size_t l3;
	/* Copies of up to these sizes use a loop rather than libc, */
	size_t forward_max; /* aligned alike, */
	size_t forward_askew_max; /* differently, */
	size_t backward_max; /* and where dst seems a little above src */
	/* Whole operations from these sizes on use non-temporal stores. */
	size_t nt_copy_min;
	size_t nt_copy_hint_min; /* with VDM_F_NO_CACHE_HINT */
	size_t nt_fill_min;
	size_t nt_fill_hint_min;
	size_t nt_zero_min; /* fills with 0 */
	size_t nt_zero_hint_min;
	/* An overlapping move does only if source and destination are at
	 * least this far apart. */
	size_t nt_move_shift_min;
	const struct ma__kernels *kernels; /* NULL: libc alone */
};

/* Never NULL, the same pointer every time; computed by the first call. */
const struct ma__engine_config *ma__engine_config(void);

/*
 * Copy n bytes, move n bytes whose ranges may overlap, fill n bytes with
 * (unsigned char)c.
 *
 * whole (>= n) is the size of the operation of which this is a piece; the
 * kernel is chosen by it. Of the flags, VDM_F_NO_CACHE_HINT and
 * VDM_F_MEM_DURABLE matter. On return all stores are ordered before any later
 * store of this thread, non-temporal ones too; with VDM_F_MEM_DURABLE they are
 * written back as by ma__flush().
 */
void ma__copy(void *dst, const void *src, size_t n, size_t whole,
	uint64_t flags);
void ma__move(void *dst, const void *src, size_t n, size_t whole,
	uint64_t flags);
void ma__fill(void *dst, int c, size_t n, size_t whole, uint64_t flags);

#endif /* MA_ENGINE_H */
