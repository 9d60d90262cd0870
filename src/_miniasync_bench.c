/* SPDX-License-Identifier: BSD-3-Clause */
/* _miniasync_bench.c -- loops that time the C library */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_getcpu, sched_setaffinity */
#endif

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "_miniasync_bench.h"

/* Through a volatile pointer the compiler can neither drop nor inline it. */
static void *(*volatile plain_memcpy)(void *, const void *, size_t) = memcpy;

static uint64_t
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

void
ma_bench_fill(void *buf, size_t n, uint64_t seed, int invert)
{
	uint64_t mask = invert ? UINT64_MAX : 0;
	uint64_t word = seed;
	char *p = buf;

	for (; n >= sizeof(word); n -= sizeof(word), p += sizeof(word)) {
		uint64_t out = word ^ mask;

		memcpy(p, &out, sizeof(out));
		word += 0x9e3779b97f4a7c15U;
	}
	word ^= mask;
	memcpy(p, &word, n);
}

void
ma_bench_memcpy(void *dst, const void *src, size_t n)
{
	plain_memcpy(dst, src, n);
}

/* Makes one copy and waits for it. Did it succeed? */
static int
copy_one(struct vdm *vdm, struct runtime *rt, void *dst, void *src, size_t n)
{
	struct vdm_operation_future fut = vdm_memcpy(vdm, dst, src, n, 0);

	/* Upstream's wait for a complete future does not return. */
	if (FUTURE_STATE(&fut) != FUTURE_STATE_COMPLETE)
		runtime_wait(rt, FUTURE_AS_RUNNABLE(&fut));
	return FUTURE_OUTPUT(&fut)->result == VDM_SUCCESS;
}

int
ma_bench_each(struct vdm *vdm, void *dst, void *src, size_t n, size_t rounds,
	uint64_t *samples, uint64_t *total)
{
	struct runtime *rt = runtime_new();
	int error = 0;

	if (rt == NULL)
		return ENOMEM;

	uint64_t begin = now();
	uint64_t last = begin;

	for (size_t i = 0; i < rounds; i++) {
		if (vdm == NULL) {
			plain_memcpy(dst, src, n);
		} else if (!copy_one(vdm, rt, dst, src, n)) {
			error = EIO;
			break;
		}
		if (samples != NULL) {
			uint64_t t = now();

			samples[i] = t - last;
			last = t;
		}
	}
	*total = now() - begin;
	runtime_delete(rt);
	return error;
}

/* Makes a batch of copies and waits for all. Did they succeed? */
static int
copy_batch(struct vdm *vdm, struct runtime *rt, char *dst, char *src, size_t n,
	size_t batch, struct vdm_operation_future ops[], struct future *futs[])
{
	size_t pending = 0;
	int ok = 1;

	for (size_t i = 0; i < batch; i++) {
		ops[i] = vdm_memcpy(vdm, dst + i * n, src + i * n, n, 0);
		if (FUTURE_STATE(&ops[i]) != FUTURE_STATE_COMPLETE)
			futs[pending++] = FUTURE_AS_RUNNABLE(&ops[i]);
	}
	runtime_wait_multiple(rt, futs, pending);
	for (size_t i = 0; i < batch; i++)
		ok &= FUTURE_OUTPUT(&ops[i])->result == VDM_SUCCESS;
	return ok;
}

int
ma_bench_batch(struct vdm *vdm, void *dst, void *src, size_t n, size_t batch,
	size_t rounds, uint64_t *total)
{
	struct vdm_operation_future *ops = calloc(batch, sizeof(*ops));
	struct future **futs = calloc(batch, sizeof(*futs));
	struct runtime *rt = runtime_new();
	int error = 0;

	if (ops == NULL || futs == NULL || rt == NULL) {
		error = ENOMEM;
		goto out;
	}

	uint64_t begin = now();

	for (size_t r = 0; r < rounds && error == 0; r++) {
		if (vdm == NULL) {
			for (size_t i = 0; i < batch; i++)
				plain_memcpy((char *)dst + i * n,
					(char *)src + i * n, n);
		} else if (!copy_batch(vdm, rt, dst, src, n, batch, ops,
				   futs)) {
			error = EIO;
		}
	}
	*total = now() - begin;
out:
	if (rt != NULL)
		runtime_delete(rt);
	free(futs);
	free(ops);
	return error;
}

#define STREAM_PIECE ((size_t)256 * 1024)

struct stream {
	char *buf;
	size_t n; /* a multiple of STREAM_PIECE */
	uint64_t duration;
	uint64_t written;
	int avoid_cpu; /* where the other thread runs, or -1 */
	atomic_int *ready; /* threads at the start line */
	int nthreads;
};

static void
stream_piece(char *p)
{
#if defined(__SSE2__)
	__m128i v = _mm_set1_epi8(0x5a);

	for (size_t i = 0; i < STREAM_PIECE; i += sizeof(v))
		_mm_stream_si128((__m128i *)(void *)(p + i), v);
	_mm_sfence();
#else
	memset(p, 0x5a, STREAM_PIECE);
#endif
}

/*
 * A new thread is often put on its creator's processor and stays there for
 * some milliseconds, which would be taken for a slow machine.
 */
static void
leave_cpu(int cpu)
{
#if defined(__linux__)
	cpu_set_t set;

	if (cpu < 0 || cpu >= CPU_SETSIZE ||
		sched_getaffinity(0, sizeof(set), &set) != 0)
		return;
	CPU_CLR((size_t)cpu, &set);
	if (CPU_COUNT(&set) > 0)
		(void)sched_setaffinity(0, sizeof(set), &set);
#else
	(void)cpu;
#endif
}

static void *
stream_run(void *arg)
{
	struct stream *s = arg;
	size_t at = 0;

	leave_cpu(s->avoid_cpu);
	/* Only a start line: no data is handed over, so relaxed is enough. */
	atomic_fetch_add_explicit(s->ready, 1, memory_order_relaxed);
	while (atomic_load_explicit(s->ready, memory_order_relaxed) <
		s->nthreads)
		sched_yield();

	uint64_t deadline = now() + s->duration;

	do {
		stream_piece(s->buf + at);
		s->written += STREAM_PIECE;
		at = (at + STREAM_PIECE) % s->n;
	} while (now() < deadline);
	return NULL;
}

int
ma_bench_stream(void *buf, size_t n, int two, uint64_t duration, double *gbps)
{
	atomic_int ready = 0;
	/* Streaming stores want 16-byte alignment. */
	size_t skip = (size_t)(-(uintptr_t)buf & 63U);
	size_t half = n < 4 * STREAM_PIECE
		? 0
		: (n - skip) / 2 / STREAM_PIECE * STREAM_PIECE;
	struct stream self = {
		.buf = (char *)buf + skip,
		.n = half,
		.duration = duration,
		.avoid_cpu = -1,
		.ready = &ready,
		.nthreads = two ? 2 : 1,
	};
	struct stream other = self;
	pthread_t thread;

	if (half == 0)
		return EINVAL;
	other.buf += half;
#if defined(__linux__)
	other.avoid_cpu = sched_getcpu();
#endif
	if (two) {
		int error = pthread_create(&thread, NULL, stream_run, &other);

		if (error != 0)
			return error;
	}

	stream_run(&self);
	if (two)
		pthread_join(thread, NULL);

	/* Both began together and each wrote for `duration` and a bit. */
	*gbps = (double)self.written / (double)duration;
	if (two)
		*gbps += (double)other.written / (double)duration;
	return 0;
}
