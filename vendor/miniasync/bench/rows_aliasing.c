/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rows_aliasing.c -- copies over distances near a power of two
 *
 * Processors compare the low bits of addresses when they look for a load that
 * needs an earlier store, and libc's copies fall to 1/25 of their speed at some
 * distances. The speed at each distance is compared with that at distances
 * which are larger by 512 to 2048 bytes and misalign the copy in the same way:
 * misalignment alone costs half of the speed where source and destination fill
 * the first cache. What is compared is the copying: what a future costs without
 * it, as found with 64 bytes, is subtracted, unless that is so much that another
 * thread must have been involved: then it is the copy that hardly counts.
 */

#include <stdio.h>
#include <string.h>

#include "report.h"
#include "stats.h"
#include "versus.h"

#define K_MIN 12
#define K_MAX 22
#define D_MAX 64
#define ROOM ((size_t)8 * MIB)

/* What was found at the distances for one size. */
struct points {
	size_t count;
	size_t slow; /* points below the goal */
	double worst;
	long k;
	long d;
};

static void
note(struct points *points, double ratio, double floor, long k, long d)
{
	points->count++;
	points->slow += ratio < floor;
	if (ratio < points->worst) {
		points->worst = ratio;
		points->k = k;
		points->d = d;
	}
}

struct speed {
	double libc; /* ns */
	double ours;
};

/* One mover, one buffer; and what a future costs, in ns. */
struct subject {
	struct bench *bench;
	struct vdm *vdm;
	char *dst;
	double cost;
};

/* Both at one distance: medians of `rounds` alternating spans. */
static struct speed
measure(const struct subject *subject, size_t distance, size_t n, size_t rounds)
{
	static double spans[2][64];
	const size_t calls = n < 32 * KIB ? 32 * KIB / n : 1;
	struct side sides[2];
	struct speed speed;

	memset(sides, 0, sizeof(sides));
	for (size_t i = 0; i < 2; i++) {
		sides[i].type = VDM_OPERATION_MEMCPY;
		sides[i].dst = subject->dst;
		sides[i].src = subject->dst - distance;
		sides[i].n = n;
	}
	sides[1].vdm = subject->vdm;
	for (size_t round = 0; round < 2 * rounds; round++) {
		const struct side *side = &sides[round % 2];
		uint64_t start;

		side_run(subject->bench, side);
		start = ticks();
		for (size_t call = 0; call < calls; call++)
			side_run(subject->bench, side);
		spans[round % 2][round / 2] =
			ticks_to_ns(ticks() - start) / (double)calls;
	}
	speed.libc = median(spans[0], rounds);
	speed.ours = median(spans[1], rounds) - subject->cost;
	return speed;
}

/* Ours at distances beyond 2^k that misalign by `low` modulo 64. */
static double
unaliased(const struct subject *subject, long k, size_t low, size_t n,
	size_t rounds)
{
	double spans[6];

	for (size_t i = 0; i < COUNT(spans); i++) {
		const size_t distance = ((size_t)1 << k) + 512 + i * 256 + low;

		spans[i] = measure(subject, distance, n, rounds).ours;
	}
	return median(spans, COUNT(spans));
}

static void
report_points(struct bench *bench, const struct points *points, size_t n,
	const char *against, double floor)
{
	char name[48];
	char text[80];

	snprintf(name, sizeof(name), "%s, against %s", size_name(n), against);
	snprintf(text, sizeof(text), "worst at 2^%ld%+ld; %zu of %zu below",
		points->k, points->d, points->slow, points->count);
	report_add(bench->report, name, points->worst, "x", AT_LEAST, floor,
		text);
}

static void
run_size(const struct subject *subject, size_t n, double floor)
{
	struct bench *bench = subject->bench;
	const size_t rounds = bench->quick ? 3 : 9;
	const long step = bench->quick ? 32 : 1;
	struct points own = {.worst = 1e9};
	struct points libc = {.worst = 1e9};

	for (long k = K_MIN; k <= K_MAX; k += bench->quick ? 5 : 1) {
		double base[64] = {0};

		for (long d = -D_MAX; d <= D_MAX; d += step) {
			const size_t distance = (size_t)((1L << k) + d);
			const size_t low = distance % 64;
			double ratios[3];
			double libc_ratios[3];
			size_t tries = 0;

			if (n > distance)
				continue;
			if (base[low] == 0)
				base[low] =
					unaliased(subject, k, low, n, rounds);
			/* Once, or the median of three if that was slow. */
			do {
				const struct speed speed = measure(subject,
					distance, n, rounds << tries);

				ratios[tries] = base[low] / speed.ours;
				libc_ratios[tries] = speed.libc / speed.ours;
				tries++;
			} while (tries < 3 && !bench->quick &&
				(tries > 1 || ratios[0] < floor ||
					libc_ratios[0] < 0.85));
			note(&own, median(ratios, tries), floor, k, d);
			note(&libc, median(libc_ratios, tries), 0.85, k, d);
		}
	}
	report_points(bench, &own, n, "no aliasing", floor);
	report_points(bench, &libc, n, "libc", 0.85);
}

static void
run_aliasing(struct bench *bench)
{
	static const size_t sizes[] = {
		4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB};
	struct data_mover_threads *mover = mover_default();
	char *memory = memory_new(ROOM + MIB);
	struct subject subject = {.bench = bench,
		.vdm = data_mover_threads_get_vdm(mover),
		.dst = memory + ROOM};
	const struct speed small = measure(&subject, 8 * KIB, 64, 63);

	if (small.ours - small.libc < 1000)
		subject.cost = small.ours - small.libc;
	for (size_t i = 0; i < COUNT(sizes); i++)
		run_size(&subject, sizes[i], sizes[i] == 4 * KIB ? 0.5 : 0.6);
	memory_delete(memory, ROOM + MIB);
	data_mover_threads_delete(mover);
}

const struct row row_aliasing = {"aliasing",
	"copies over distances within 64 bytes of 2^12 ... 2^22, the worst",
	run_aliasing};
