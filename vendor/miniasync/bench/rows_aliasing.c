/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rows_aliasing.c -- copies over distances near a power of two
 *
 * Processors compare the low bits of addresses when they look for a load that
 * needs an earlier store, and libc's copies fall to 1/25 of their speed at some
 * distances. The speed at each distance is compared with that at distances
 * which are larger by 512 to 2048 bytes and misalign the copy in the same way:
 * misalignment alone costs half of the speed where source and destination fill
 * the first cache.
 *
 * What is compared is the copying. So what a future costs beside its copy, at
 * those other distances, is subtracted; unless it is so much that another thread
 * must have been involved, where it is the copy that hardly counts. (At 16 KiB
 * it costs more than at 64 bytes, since everything else that it touches pushes
 * the copy's own lines out of the first cache.) A processor's speed changes in
 * phases, so all this is timed in turn.
 */

#include <stdio.h>
#include <string.h>

#include "report.h"
#include "stats.h"
#include "versus.h"

#define K_MIN 12
#define K_MAX 22
#define KS (K_MAX - K_MIN + 1)
#define D_MAX 64
#define DS (2 * D_MAX + 1)
#define ROOM ((size_t)8 * MIB)
#define LIBC_FLOOR 0.85

/* One mover, one size, one buffer. */
struct subject {
	struct bench *bench;
	struct vdm *vdm;
	char *dst;
	size_t n;
	double floor; /* the goal, against no aliasing */
	size_t rounds; /* for one distance: a multiple of 6 */
};

/* What was found at one distance: once, or in three passes if it was slow. */
struct point {
	size_t passes;
	double own[3]; /* against no aliasing */
	double libc[3];
};

/* ... and at all of them. */
struct found {
	size_t count;
	size_t slow; /* below the goal */
	double worst;
	long k;
	long d;
};

/* Nanoseconds of a copy over some distance: libc's, or with a mover. */
static double
time_copy(const struct subject *subject, struct vdm *vdm, size_t distance)
{
	const size_t n = subject->n;
	const size_t calls = n < 32 * KIB ? 32 * KIB / n : 1;
	const struct side side = {.vdm = vdm,
		.type = VDM_OPERATION_MEMCPY,
		.dst = subject->dst,
		.src = subject->dst - distance,
		.n = n};
	uint64_t start;

	side_run(subject->bench, &side);
	start = ticks();
	for (size_t call = 0; call < calls; call++)
		side_run(subject->bench, &side);
	return ticks_to_ns(ticks() - start) / (double)calls;
}

static void
measure_point(const struct subject *subject, long k, long d,
	struct point *point)
{
	static double spans[4][36];
	const size_t distance = (size_t)((1L << k) + d);
	const size_t low = distance % 64;
	double libc, ours, plain_libc, plain_ours;
	double cost;

	for (size_t round = 0; round < subject->rounds; round++) {
		const size_t plain =
			((size_t)1 << k) + 512 + round % 6 * 256 + low;

		spans[0][round] = time_copy(subject, NULL, distance);
		spans[1][round] = time_copy(subject, subject->vdm, distance);
		spans[2][round] = time_copy(subject, NULL, plain);
		spans[3][round] = time_copy(subject, subject->vdm, plain);
	}
	libc = median(spans[0], subject->rounds);
	ours = median(spans[1], subject->rounds);
	plain_libc = median(spans[2], subject->rounds);
	plain_ours = median(spans[3], subject->rounds);
	cost = plain_ours - plain_libc;
	if (cost < 0 || cost > 1000)
		cost = 0;
	/* An unlucky cost can be more than all of it. */
	ours = ours > cost + 1 ? ours - cost : 1;
	point->own[point->passes] = (plain_ours - cost) / ours;
	point->libc[point->passes] = libc / ours;
	point->passes++;
}

static void
note(struct found *found, double ratio, double floor, long k, long d)
{
	found->count++;
	found->slow += ratio < floor;
	if (ratio < found->worst) {
		found->worst = ratio;
		found->k = k;
		found->d = d;
	}
}

static void
report_found(const struct subject *subject, const struct found *found,
	const char *against, double floor)
{
	char name[48];
	char text[80];

	snprintf(name, sizeof(name), "%s, against %s", size_name(subject->n),
		against);
	snprintf(text, sizeof(text), "worst at 2^%ld%+ld; %zu of %zu below",
		found->k, found->d, found->slow, found->count);
	report_add(subject->bench->report, name, found->worst, "x", AT_LEAST,
		floor, text);
}

static void
run_size(const struct subject *subject)
{
	static struct point points[KS][DS];
	const bool quick = subject->bench->quick;
	const long k_step = quick ? 5 : 1;
	const long d_step = quick ? 32 : 1;
	struct found own = {.worst = 1e9};
	struct found libc = {.worst = 1e9};

	memset(points, 0, sizeof(points));
	for (size_t pass = 0; pass < (quick ? 1 : 3); pass++) {
		for (long k = K_MIN; k <= K_MAX; k += k_step) {
			for (long d = -D_MAX; d <= D_MAX; d += d_step) {
				struct point *point =
					&points[k - K_MIN][d + D_MAX];

				if (subject->n <= (size_t)((1L << k) + d) &&
					(pass == 0 ||
						point->own[0] <
							subject->floor ||
						point->libc[0] < LIBC_FLOOR))
					measure_point(subject, k, d, point);
			}
		}
	}
	for (long k = K_MIN; k <= K_MAX; k += k_step) {
		for (long d = -D_MAX; d <= D_MAX; d += d_step) {
			struct point *point = &points[k - K_MIN][d + D_MAX];

			if (point->passes == 0)
				continue;
			note(&own, median(point->own, point->passes),
				subject->floor, k, d);
			note(&libc, median(point->libc, point->passes),
				LIBC_FLOOR, k, d);
		}
	}
	report_found(subject, &own, "no aliasing", subject->floor);
	report_found(subject, &libc, "libc", LIBC_FLOOR);
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
		.dst = memory + ROOM,
		.rounds = bench->quick ? 6 : 18};

	for (size_t i = 0; i < COUNT(sizes); i++) {
		subject.n = sizes[i];
		subject.floor = sizes[i] == 4 * KIB ? 0.5 : 0.6;
		run_size(&subject);
	}
	memory_delete(memory, ROOM + MIB);
	data_mover_threads_delete(mover);
}

const struct row row_aliasing = {"aliasing",
	"copies over distances within 64 bytes of 2^12 ... 2^22, the worst",
	run_aliasing};
