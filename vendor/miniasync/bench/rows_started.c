/* SPDX-License-Identifier: BSD-3-Clause */
/* rows_started.c -- a copy that was started, and what the thread does then */

#include <stdio.h>

#include "report.h"
#include "stats.h"

/* So long that workers park, and count as asleep with the system. */
#define PAUSE 1000000

static void
run_first_poll(struct bench *bench)
{
	static const size_t sizes[] = {MIB, 4 * MIB, 16 * MIB, 64 * MIB};
	static double spans[400];
	const size_t size = bench->quick ? 4 * MIB : 64 * MIB;
	struct data_mover_threads *mover = mover_default();
	struct vdm *vdm = data_mover_threads_get_vdm(mover);
	char *dst = memory_new(size);
	char *src = memory_new(size);
	char text[80];

	for (size_t i = 0; i < COUNT(sizes) && sizes[i] <= size; i++) {
		const size_t n = sizes[i];
		const size_t rounds = bench->quick ? 3
			: n < 64 * MIB		   ? 400
						   : 100;

		for (size_t round = 0; round < rounds; round++) {
			struct vdm_operation_future fut =
				vdm_memcpy(vdm, dst, src, n, 0);
			uint64_t start;

			rest_ns(PAUSE);
			start = ticks();
			future_poll(FUTURE_AS_RUNNABLE(&fut), NULL);
			spans[round] = ticks_to_ns(ticks() - start) / 1000;
			wait_for(bench, FUTURE_AS_RUNNABLE(&fut));
		}
		snprintf(text, sizeof(text), "p90 %.1f us, p99 %.1f us",
			percentile(spans, rounds, 0.9),
			percentile(spans, rounds, 0.99));
		report_add(bench->report, size_name(n), median(spans, rounds),
			"us", n == 16 * MIB ? AT_MOST : NO_GOAL, 25, text);
	}
	memory_delete(dst, size);
	memory_delete(src, size);
	data_mover_threads_delete(mover);
}

const struct row row_first_poll = {"first-poll",
	"the poll that starts a copy, with the workers asleep, p50",
	run_first_poll};

/* Computes in registers; what comes out has to be used. */
static uint64_t
compute(uint64_t steps)
{
	uint64_t x = UINT64_C(0x9e3779b97f4a7c15);

	while (steps-- > 0) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	return x;
}

static volatile uint64_t computed;

/* How many steps take this long. */
static uint64_t
steps_for(double ns)
{
	const uint64_t steps = 200000;
	static double spans[11];

	for (size_t i = 0; i < COUNT(spans); i++) {
		const uint64_t start = now_ns();

		computed = compute(steps);
		spans[i] = (double)(now_ns() - start);
	}
	return (uint64_t)(ns * (double)steps /
		percentile(spans, COUNT(spans), 0));
}

struct spans {
	double copy; /* waited for at once */
	double computation; /* twice as long as libc's copy */
	double both;
};

static void
measure_hidden(struct bench *bench, struct vdm *vdm, char *dst, char *src,
	size_t n, struct spans *result)
{
	static double spans[3][41];
	const size_t rounds = bench->quick ? 3 : n < 64 * MIB ? 41 : 21;
	uint64_t steps;

	for (size_t round = 0; round < 5; round++) {
		const uint64_t start = now_ns();

		libc_memcpy(dst, src, n);
		spans[0][round] = (double)(now_ns() - start);
	}
	steps = steps_for(2 * percentile(spans[0], 5, 0));
	for (size_t round = 0; round < rounds; round++) {
		struct vdm_operation_future fut;
		uint64_t start;

		rest_ns(PAUSE);
		start = now_ns();
		fut = vdm_memcpy(vdm, dst, src, n, 0);
		wait_for(bench, FUTURE_AS_RUNNABLE(&fut));
		spans[0][round] = (double)(now_ns() - start);

		rest_ns(PAUSE);
		start = now_ns();
		computed = compute(steps);
		spans[1][round] = (double)(now_ns() - start);

		rest_ns(PAUSE);
		start = now_ns();
		fut = vdm_memcpy(vdm, dst, src, n, 0);
		future_poll(FUTURE_AS_RUNNABLE(&fut), NULL);
		computed = compute(steps);
		wait_for(bench, FUTURE_AS_RUNNABLE(&fut));
		spans[2][round] = (double)(now_ns() - start);
	}
	result->copy = median(spans[0], rounds);
	result->computation = median(spans[1], rounds);
	result->both = median(spans[2], rounds);
}

static void
run_hidden(struct bench *bench)
{
	static const struct {
		size_t n;
		double hidden; /* goal in percent */
	} cases[] = {{MIB, 0}, {4 * MIB, 0}, {8 * MIB, 0}, {16 * MIB, 80},
		{32 * MIB, 0}, {64 * MIB, 95}};
	const size_t size = bench->quick ? 8 * MIB : 64 * MIB;
	struct data_mover_threads *mover = mover_default();
	struct vdm *vdm = data_mover_threads_get_vdm(mover);
	char *dst = memory_new(size);
	char *src = memory_new(size);
	char name[48];
	char text[80];

	for (size_t i = 0; i < COUNT(cases) && cases[i].n <= size; i++) {
		struct spans found;

		measure_hidden(bench, vdm, dst, src, cases[i].n, &found);
		snprintf(text, sizeof(text),
			"copy %.2f, computation %.2f, both %.2f ms",
			found.copy / 1e6, found.computation / 1e6,
			found.both / 1e6);
		snprintf(name, sizeof(name), "%s, hidden",
			size_name(cases[i].n));
		report_add(bench->report, name,
			100 *
				(1 -
					(found.both - found.computation) /
						found.copy),
			"%", cases[i].hidden > 0 ? AT_LEAST : NO_GOAL,
			cases[i].hidden, text);
		snprintf(name, sizeof(name), "%s, one after the other / both",
			size_name(cases[i].n));
		report_add(bench->report, name,
			(found.copy + found.computation) / found.both, "x",
			cases[i].n >= 8 * MIB ? AT_LEAST : NO_GOAL, 1, NULL);
	}
	memory_delete(dst, size);
	memory_delete(src, size);
	data_mover_threads_delete(mover);
}

const struct row row_hidden = {"hidden",
	"a started copy beside computation of twice libc's time for it",
	run_hidden};

/* How many of the spans are over a millisecond, and the longest. */
static size_t
count_late(const double *spans, size_t count, double *longest)
{
	size_t late = 0;

	*longest = 0;
	for (size_t i = 0; i < count; i++) {
		late += spans[i] > 1e6;
		if (spans[i] > *longest)
			*longest = spans[i];
	}
	return late;
}

static void
run_late(struct bench *bench)
{
	static const char *const names[] = {"memcpy itself",
		"waited for at once", "started, then waited for"};
	static double spans[3][2000];
	const size_t rounds = bench->quick ? 20 : 2000;
	struct data_mover_threads *mover = mover_default();
	struct vdm *vdm = data_mover_threads_get_vdm(mover);
	char *dst = memory_new(MIB);
	char *src = memory_new(MIB);
	size_t late[3];

	for (size_t round = 0; round < 3 * rounds; round++) {
		const uint64_t start = now_ns();
		struct vdm_operation_future fut;

		if (round % 3 == 0) {
			libc_memcpy(dst, src, MIB);
		} else {
			fut = vdm_memcpy(vdm, dst, src, MIB, 0);
			if (round % 3 == 2)
				future_poll(FUTURE_AS_RUNNABLE(&fut), NULL);
			wait_for(bench, FUTURE_AS_RUNNABLE(&fut));
		}
		spans[round % 3][round / 3] = (double)(now_ns() - start);
	}
	for (size_t i = 0; i < 3; i++) {
		double longest;
		char p50[16];
		char p99[16];
		char max[16];
		char text[80];

		late[i] = count_late(spans[i], rounds, &longest);
		format_ns(p50, sizeof(p50), median(spans[i], rounds));
		format_ns(p99, sizeof(p99), percentile(spans[i], rounds, 0.99));
		format_ns(max, sizeof(max), longest);
		snprintf(text, sizeof(text), "p50 %s, p99 %s, longest %s", p50,
			p99, max);
		/* More than the machine itself makes late. */
		report_add(bench->report, names[i], (double)late[i], "",
			i > 0 ? AT_MOST : NO_GOAL, (double)late[0], text);
	}
	memory_delete(dst, MIB);
	memory_delete(src, MIB);
	data_mover_threads_delete(mover);
}

const struct row row_late = {
	"late", "how many of 2000 copies of 1 MiB took over 1 ms", run_late};
