/* SPDX-License-Identifier: BSD-3-Clause */
/* rows_small.c -- 64-byte copies: one by one, and many outstanding */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "stats.h"

#define SIZE ((size_t)64)
#define SLOTS 64 /* so that no copy waits for the one before it */
#define BATCH_MAX 8192

/* What 64 copies cost without a look at the clock in between, each. */
static double
run_block(struct bench *bench, struct vdm *vdm, char *dst, char *src)
{
	const uint64_t start = ticks();

	for (size_t at = 0; at < SLOTS * SIZE; at += SIZE) {
		struct vdm_operation_future fut =
			vdm_memcpy(vdm, dst + at, src + at, SIZE, 0);

		wait_for(bench, FUTURE_AS_RUNNABLE(&fut));
	}
	return ticks_to_ns(ticks() - start) / SLOTS;
}

static double
run_libc_block(char *dst, char *src)
{
	const uint64_t start = ticks();

	for (size_t at = 0; at < SLOTS * SIZE; at += SIZE)
		libc_memcpy(dst + at, src + at, SIZE);
	return ticks_to_ns(ticks() - start) / SLOTS;
}

static void
run_small(struct bench *bench)
{
	static double spans[200000];
	static double libc_spans[COUNT(spans) / SLOTS];
	const size_t count = bench->quick ? 2048 : COUNT(spans);
	const size_t blocks = count / SLOTS;
	struct data_mover_threads *mover = mover_new(1);
	struct vdm *vdm = data_mover_threads_get_vdm(mover);
	char *dst = memory_new(SLOTS * SIZE);
	char *src = memory_new(SLOTS * SIZE);
	char text[80];

	memset(spans, 1, sizeof(spans)); /* no page faults among them */
	for (size_t i = 0; i < count; i++) {
		const size_t at = i % SLOTS * SIZE;
		const uint64_t start = ticks();
		struct vdm_operation_future fut =
			vdm_memcpy(vdm, dst + at, src + at, SIZE, 0);

		wait_for(bench, FUTURE_AS_RUNNABLE(&fut));
		spans[i] = ticks_to_ns(ticks() - start);
	}
	report_add(bench->report, "p50", rounded_median(spans, count), "ns",
		AT_MOST, 50, NULL);
	snprintf(text, sizeof(text), "p99.9 %.0f ns",
		percentile(spans, count, 0.999));
	report_add(bench->report, "p99", percentile(spans, count, 0.99), "ns",
		AT_MOST, 200, text);

	for (size_t i = 0; i < blocks; i++) {
		spans[i] = run_block(bench, vdm, dst, src);
		libc_spans[i] = run_libc_block(dst, src);
	}
	snprintf(text, sizeof(text), "libc %.1f ns",
		median(libc_spans, blocks));
	report_add(bench->report, "back to back", median(spans, blocks), "ns",
		NO_GOAL, 0, text);
	memory_delete(dst, SLOTS * SIZE);
	memory_delete(src, SLOTS * SIZE);
	data_mover_threads_delete(mover);
}

const struct row row_small = {"small",
	"one 64-byte copy, created and waited for, without the clock's cost",
	run_small};

struct batch {
	struct vdm_operation_future *futures;
	struct future **pointers;
	char *dst;
	char *src;
};

/* Creates n copies and waits for all of them; nanoseconds of each. */
static double
run_batch(struct bench *bench, struct vdm *vdm, const struct batch *batch,
	size_t n)
{
	const uint64_t start = ticks();

	for (size_t i = 0; i < n; i++) {
		batch->futures[i] = vdm_memcpy(vdm, batch->dst + i * SIZE,
			batch->src + i * SIZE, SIZE, 0);
		if (FUTURE_STATE(&batch->futures[i]) == FUTURE_STATE_COMPLETE)
			die("an operation was refused");
		batch->pointers[i] = FUTURE_AS_RUNNABLE(&batch->futures[i]);
	}
	runtime_wait_multiple(bench->runtime, batch->pointers, n);
	return ticks_to_ns(ticks() - start) / (double)n;
}

static double
run_libc_batch(const struct batch *batch, size_t n)
{
	const uint64_t start = ticks();

	for (size_t i = 0; i < n; i++)
		libc_memcpy(batch->dst + i * SIZE, batch->src + i * SIZE, SIZE);
	return ticks_to_ns(ticks() - start) / (double)n;
}

static void
run_batches(struct bench *bench, struct vdm *vdm, double target)
{
	static const size_t numbers[] = {
		1, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192};
	static double spans[4000];
	static double libc_spans[4000];
	struct batch batch;
	char name[32];
	char text[80];

	batch.futures = malloc(BATCH_MAX * sizeof(*batch.futures));
	batch.pointers = malloc(BATCH_MAX * sizeof(*batch.pointers));
	batch.dst = memory_new(BATCH_MAX * SIZE);
	batch.src = memory_new(BATCH_MAX * SIZE);
	if (batch.futures == NULL || batch.pointers == NULL)
		die("memory");
	for (size_t i = 0; i < COUNT(numbers); i++) {
		const size_t n = numbers[i];
		size_t rounds = 400000 / n;

		rounds = bench->quick ? 3 : rounds < 4000 ? rounds : 4000;
		run_batch(bench, vdm, &batch, n); /* touches the memory */
		for (size_t round = 0; round < rounds; round++) {
			spans[round] = run_batch(bench, vdm, &batch, n);
			libc_spans[round] = run_libc_batch(&batch, n);
		}
		snprintf(name, sizeof(name), "n = %zu", n);
		snprintf(text, sizeof(text), "p99 %.0f ns, libc %.1f ns",
			percentile(spans, rounds, 0.99),
			median(libc_spans, rounds));
		report_add(bench->report, name, median(spans, rounds), "ns",
			n >= 16 ? AT_MOST : NO_GOAL, target, text);
	}
	free(batch.futures);
	free(batch.pointers);
	memory_delete(batch.dst, BATCH_MAX * SIZE);
	memory_delete(batch.src, BATCH_MAX * SIZE);
}

static void
run_outstanding(struct bench *bench)
{
	struct data_mover_threads *mover = mover_new(1);

	run_batches(bench, data_mover_threads_get_vdm(mover), 30);
	data_mover_threads_delete(mover);
}

const struct row row_outstanding = {"outstanding",
	"n 64-byte copies, created, then waited for together, each",
	run_outstanding};

static void *
own_memcpy(void *dst, const void *src, size_t n, unsigned flags)
{
	(void)flags;
	return libc_memcpy(dst, src, n);
}

static void
run_own_function(struct bench *bench)
{
	struct data_mover_threads *mover = mover_new(1);

	data_mover_threads_set_memcpy_fn(mover, own_memcpy);
	run_batches(bench, data_mover_threads_get_vdm(mover), 150);
	data_mover_threads_delete(mover);
}

const struct row row_own_function = {"own-function",
	"the same with a memcpy function of the user's own", run_own_function};
