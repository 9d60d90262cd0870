/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rows_tail.c -- from the last byte of a started copy to the end of the wait
 *
 * Where the waiting thread sleeps: a memcpy function of our own in the only
 * worker looks at the clock when it has copied. It has begun before the wait
 * does, so that the waiting thread cannot help.
 *
 * Where it may help, the library's own copy: breakpoints in the words that are
 * likely to be last tell when they were written (watch.h). Taking one costs
 * time after the write; how much is seen with memcpy, and subtracted.
 */

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

#include "machine.h"
#include "report.h"
#include "stats.h"
#include "watch.h"

#define PAUSE 1000000
#define ROUNDS_MAX 300

static const size_t sizes[] = {4 * MIB, 16 * MIB, 64 * MIB};

static size_t
rounds_for(const struct bench *bench, size_t n)
{
	return bench->quick ? 3 : n < 64 * MIB ? ROUNDS_MAX : 100;
}

static atomic_bool has_begun;
static _Atomic uint64_t copied_at;

static void *
stamping_memcpy(void *dst, const void *src, size_t n, unsigned flags)
{
	(void)flags;
	atomic_store(&has_begun, true);
	libc_memcpy(dst, src, n);
	atomic_store(&copied_at, now_ns());
	return dst;
}

/* The spans in us; 0 stands for a copy that was complete before the wait. */
static void
measure_asleep(struct bench *bench, struct vdm *vdm, char *dst, char *src,
	size_t n, double *spans, size_t rounds)
{
	for (size_t round = 0; round < rounds; round++) {
		struct vdm_operation_future fut =
			vdm_memcpy(vdm, dst, src, n, 0);

		atomic_store(&has_begun, false);
		future_poll(FUTURE_AS_RUNNABLE(&fut), NULL);
		while (!atomic_load(&has_begun))
			sched_yield();
		wait_for(bench, FUTURE_AS_RUNNABLE(&fut));
		spans[round] =
			(double)(now_ns() - atomic_load(&copied_at)) / 1000;
	}
}

static void
run_asleep(struct bench *bench, char *dst, char *src, size_t size)
{
	static double spans[ROUNDS_MAX];
	struct data_mover_threads *mover = mover_new(1);
	/*
	 * The worker works beside this thread, whose processor has nothing else
	 * to do meanwhile: what is compared is a wake between two processors,
	 * after a rest.
	 */
	const double round_trip =
		probe_futex_apart(bench->quick ? 11 : 201, PAUSE);
	const double near = probe_futex(bench->quick ? 101 : 2000, 0);
	char name[48];
	char text[80];

	data_mover_threads_set_memcpy_fn(mover, stamping_memcpy);
	for (size_t i = 0; i < COUNT(sizes) && sizes[i] <= size; i++) {
		const size_t rounds = rounds_for(bench, sizes[i]);
		double p50, p99;

		measure_asleep(bench, data_mover_threads_get_vdm(mover), dst,
			src, sizes[i], spans, rounds);
		p50 = median(spans, rounds);
		p99 = percentile(spans, rounds, 0.99);
		snprintf(name, sizeof(name), "%s, asleep, p50",
			size_name(sizes[i]));
		snprintf(text, sizeof(text),
			"futex round trip %.1f us, without a rest %.1f us",
			round_trip, near);
		report_add(bench->report, name, p50, "us", AT_MOST,
			1.5 * round_trip, text);
		snprintf(name, sizeof(name), "%s, asleep, p99",
			size_name(sizes[i]));
		report_add(bench->report, name, p99, "us", AT_MOST, 200, NULL);
	}
	data_mover_threads_delete(mover);
}

/*
 * The spans in us; with no mover, of memcpy. Pieces of an operation end where a
 * power of two of bytes is left, so those words are watched. Rounds in which no
 * write was seen are left out. Returns how many there are.
 */
static size_t
measure_watched(struct bench *bench, struct vdm *vdm, char *dst, char *src,
	size_t n, double *spans, size_t rounds)
{
	char *const words[WATCH_MAX] = {dst + n - 8, dst + n - 256 * KIB - 8,
		dst + n - 512 * KIB - 8, dst + n - MIB - 8};
	struct watch *watch = watch_new(words, WATCH_MAX);
	size_t count = 0;

	for (size_t round = 0; watch != NULL && round < rounds; round++) {
		uint64_t end;
		uint64_t last;

		rest_ns(PAUSE);
		if (vdm == NULL) {
			libc_memcpy(dst, src, n);
		} else {
			struct vdm_operation_future fut =
				vdm_memcpy(vdm, dst, src, n, 0);

			future_poll(FUTURE_AS_RUNNABLE(&fut), NULL);
			wait_for(bench, FUTURE_AS_RUNNABLE(&fut));
		}
		end = now_ns();
		last = watch_last(watch);
		if (last != 0 && last < end)
			spans[count++] = (double)(end - last) / 1000;
	}
	watch_delete(watch);
	return count;
}

static void
run_helping(struct bench *bench, char *dst, char *src, size_t size)
{
	static double spans[ROUNDS_MAX];
	struct data_mover_threads *mover = mover_default();
	struct vdm *vdm = data_mover_threads_get_vdm(mover);
	char name[48];
	char text[80];

	for (size_t i = 0; i < COUNT(sizes) && sizes[i] <= size; i++) {
		const size_t n = sizes[i];
		size_t count = measure_watched(bench, NULL, dst, src, n, spans,
			rounds_for(bench, n));
		double trap;
		double p50;

		if (count == 0) {
			fprintf(stderr,
				"bench_miniasync: this system lets no process "
				"watch its memory (perf_event_open): "
				"'helping' is not measured\n");
			break;
		}
		trap = median(spans, count);
		count = measure_watched(bench, vdm, dst, src, n, spans,
			rounds_for(bench, n));
		if (count == 0)
			continue;
		p50 = median(spans, count);
		snprintf(name, sizeof(name), "%s, helping, p50", size_name(n));
		snprintf(text, sizeof(text),
			"%.1f us less %.1f us for the breakpoint", p50, trap);
		report_add(bench->report, name, p50 > trap ? p50 - trap : 0,
			"us", AT_MOST, 5, text);
		snprintf(name, sizeof(name), "%s, helping, p99", size_name(n));
		report_add(bench->report, name, percentile(spans, count, 0.99),
			"us", AT_MOST, 200, NULL);
	}
	data_mover_threads_delete(mover);
}

static void
run_tail(struct bench *bench)
{
	const size_t size = bench->quick ? 4 * MIB : 64 * MIB;
	char *dst = memory_new(size);
	char *src = memory_new(size);

	run_asleep(bench, dst, src, size);
	run_helping(bench, dst, src, size);
	memory_delete(dst, size);
	memory_delete(src, size);
}

const struct row row_tail = {"tail",
	"a started copy: from its last byte to the end of the wait", run_tail};
