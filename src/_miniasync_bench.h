/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * _miniasync_bench.h -- loops that time the C library with no Python in them
 *
 * They use upstream's interface only, so that any provider can be timed.
 */

#ifndef MINIASYNC_BENCH_H
#define MINIASYNC_BENCH_H

#include <stddef.h>
#include <stdint.h>

#include <libminiasync.h>

/*
 * Fills n bytes with a pattern in which every 8-byte word differs from the
 * others, so that a misplaced copy is seen. Inverted, no byte is the same.
 */
void ma_bench_fill(void *buf, size_t n, uint64_t seed, int invert);

/* The C library's memcpy, called once. */
void ma_bench_memcpy(void *dst, const void *src, size_t n);

/*
 * Makes a copy of n bytes and waits for it with runtime_wait, `rounds` times;
 * with a NULL vdm it is plain memcpy. `*total` is the time of all rounds in
 * nanoseconds. `samples`, unless NULL, has room for `rounds` times, each with
 * one reading of the clock in it.
 *
 * 0; ENOMEM; or EIO if an operation failed.
 */
int ma_bench_each(struct vdm *vdm, void *dst, void *src, size_t n,
	size_t rounds, uint64_t *samples, uint64_t *total);

/*
 * The same for `batch` copies outstanding at a time, waited for together with
 * runtime_wait_multiple; the i-th copies the i-th n bytes. Making the futures
 * is part of the time. `batch` is not 0.
 */
int ma_bench_batch(struct vdm *vdm, void *dst, void *src, size_t n,
	size_t batch, size_t rounds, uint64_t *total);

/*
 * Writes to n bytes past the caches for about `duration` nanoseconds, from the
 * calling thread, or with `two` from a second one as well, each in its own
 * half. `*gbps` is what both wrote together, in bytes per nanosecond.
 *
 * 0; EINVAL if n is below 1 MiB; or the error of pthread_create.
 */
int ma_bench_stream(void *buf, size_t n, int two, uint64_t duration,
	double *gbps);

#endif /* MINIASYNC_BENCH_H */
