/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * _miniasync_pairs.h -- what the benchmark's goals are measured with
 *
 * How long two threads take to wake each other, since nothing that goes through
 * another thread can take less; and a mover's function that does not return, so
 * that operations stay pending.
 */

#ifndef MINIASYNC_PAIRS_H
#define MINIASYNC_PAIRS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Has a thread woken, and is woken by it, `rounds` times: through a descriptor
 * that both sleep on, an eventfd where there are such, or else through what locks
 * sleep on, a futex. `samples` gets the nanoseconds of each round trip.
 *
 * 0, or an error number.
 */
int ma_bench_round_trips(int descriptor, size_t rounds, uint64_t samples[]);

/* From now on ma_bench_held_memcpy() waits, or no longer. */
void ma_bench_hold(int held);

/* A memcpy_fn that returns when it is not held. */
void *ma_bench_held_memcpy(void *dst, const void *src, size_t n,
	unsigned flags);

#endif /* MINIASYNC_PAIRS_H */
