/* SPDX-License-Identifier: BSD-3-Clause */
/* rows_copy.c -- one copy or fill waited for at once, against libc */

#include <stdio.h>

#include "machine.h"
#include "report.h"
#include "stats.h"
#include "versus.h"

#define SLACK (64 * KIB)

/* How long the comparison of one size takes, in seconds. */
static double
time_for(const struct bench *bench, size_t n)
{
	return bench->quick ? 0.001 : n <= 8 * MIB ? 0.3 : 1.0;
}

/* Up to which size sizes are measured. */
static size_t
largest(const struct bench *bench)
{
	return bench->quick ? MIB : 256 * MIB;
}

/* Each size against libc, with one goal for all; `what` is of the row's name. */
static void
run_sizes_of(struct bench *bench, const char *what, struct side ours,
	const size_t *sizes, size_t count, double floor)
{
	struct side libc = ours;
	char name[48];

	libc.vdm = NULL;
	for (size_t i = 0; i < count; i++) {
		const size_t n = sizes[i];
		struct outcome outcome;

		if (n > largest(bench))
			continue;
		libc.n = ours.n = n;
		outcome = versus_again(bench, &libc, &ours, time_for(bench, n),
			floor);
		snprintf(name, sizeof(name), "%s%s", size_name(n), what);
		report_add(bench->report, name, outcome.ratio, "x",
			floor > 0 ? AT_LEAST : NO_GOAL, floor,
			versus_detail(&outcome));
	}
}

static void
run_sizes(struct bench *bench, struct side ours, const size_t *sizes,
	size_t count, double floor)
{
	run_sizes_of(bench, "", ours, sizes, count, floor);
}

static void
run_at_once(struct bench *bench)
{
	static const size_t small[] = {
		64, 256, KIB, 4 * KIB, 16 * KIB, 32 * KIB};
	static const size_t sizes[] = {64 * KIB, 128 * KIB, 256 * KIB,
		512 * KIB, MIB, 2 * MIB, 4 * MIB, 6 * MIB, 8 * MIB};
	static const size_t large[] = {12 * MIB, 16 * MIB};
	static const size_t askew[] = {16 * KIB, 64 * KIB, 256 * KIB, MIB};
	const size_t size = 16 * MIB;
	struct data_mover_threads *mover = mover_default();
	struct side ours = {.vdm = data_mover_threads_get_vdm(mover),
		.type = VDM_OPERATION_MEMCPY};
	struct side aside;

	ours.dst = memory_new(size);
	ours.src = memory_new(size);
	run_sizes(bench, ours, small, COUNT(small), 0);
	run_sizes(bench, ours, sizes, COUNT(sizes), 0.95);
	run_sizes(bench, ours, large, COUNT(large), 0);
	aside = ours;
	aside.dst += 7;
	aside.src += 8213;
	run_sizes_of(bench, ", misaligned", aside, askew, 1, 0);
	run_sizes_of(bench, ", misaligned", aside, askew + 1, COUNT(askew) - 1,
		0.95);
	memory_delete(ours.dst, size);
	memory_delete(ours.src, size);
	data_mover_threads_delete(mover);
}

const struct row row_at_once = {"at-once",
	"one copy waited for at once, default mover, times as fast as memcpy",
	run_at_once};

/* 32 MiB and more: one worker, the default mover, and misaligned. */
static void
run_at_once_large(struct bench *bench)
{
	static const size_t sizes[] = {
		16 * MIB, 32 * MIB, 64 * MIB, 128 * MIB, 256 * MIB};
	static const char *const names[] = {"", "one worker", "default mover"};
	static const double targets[] = {0, 1.6, 2.0};
	const size_t most = bench->quick ? 16 * MIB : 256 * MIB;
	const size_t size = most + SLACK;
	struct data_mover_threads *one = mover_new(1);
	struct data_mover_threads *all = mover_default();
	struct side sides[3];
	struct outcome outcomes[3];
	char name[48];

	sides[0] = (struct side){.type = VDM_OPERATION_MEMCPY,
		.dst = memory_new(size),
		.src = memory_new(size)};
	sides[1] = sides[2] = sides[0];
	sides[1].vdm = data_mover_threads_get_vdm(one);
	sides[2].vdm = data_mover_threads_get_vdm(all);
	for (size_t i = 0; i < COUNT(sizes); i++) {
		const size_t n = sizes[i];
		const enum goal goal = n >= 32 * MIB ? AT_LEAST : NO_GOAL;
		struct side aside[2];

		if (n > most)
			continue;
		for (size_t j = 0; j < COUNT(sides); j++)
			sides[j].n = n;
		versus(bench, sides, 3, time_for(bench, n), outcomes);
		for (size_t j = 1; j < 3; j++) {
			snprintf(name, sizeof(name), "%s, %s", size_name(n),
				names[j]);
			report_add(bench->report, name, outcomes[j].ratio, "x",
				goal, targets[j], versus_detail(&outcomes[j]));
		}
		aside[0] = sides[0];
		aside[1] = sides[2];
		for (size_t j = 0; j < 2; j++) {
			aside[j].dst += 7;
			aside[j].src += 8213;
		}
		versus(bench, aside, 2, time_for(bench, n), outcomes);
		snprintf(name, sizeof(name), "%s, misaligned", size_name(n));
		report_add(bench->report, name, outcomes[1].ratio, "x", goal,
			1.5, versus_detail(&outcomes[1]));
	}
	memory_delete(sides[0].dst, size);
	memory_delete(sides[0].src, size);
	data_mover_threads_delete(one);
	data_mover_threads_delete(all);
}

const struct row row_at_once_large = {
	"at-once-large", "the same for large ones", run_at_once_large};

static const size_t all_sizes[] = {64 * KIB, 256 * KIB, MIB, 4 * MIB, 8 * MIB,
	16 * MIB, 32 * MIB, 64 * MIB, 128 * MIB, 256 * MIB};

/* Can two threads write faster than one at this moment? */
static bool
is_fast(const struct bench *bench)
{
	struct machine_state state;

	machine_read_state(&state, bench->quick);
	return machine_is_fast(&state);
}

static void
run_memset(struct bench *bench)
{
	const size_t size = largest(bench);
	struct data_mover_threads *mover = mover_default();
	struct side ours = {.vdm = data_mover_threads_get_vdm(mover),
		.type = VDM_OPERATION_MEMSET,
		.dst = memory_new(size)};

	run_sizes(bench, ours, all_sizes, 6, 0.95);
	/* Two threads gain only where the machine lets them: see machine.h. */
	for (size_t i = 6; i < COUNT(all_sizes); i++)
		run_sizes(bench, ours, &all_sizes[i], 1,
			is_fast(bench) ? 1.3 : 0.95);
	memory_delete(ours.dst, size);
	data_mover_threads_delete(mover);
}

const struct row row_memset = {"memset",
	"one memset waited for at once, times as fast as libc's", run_memset};

static void
run_memmove(struct bench *bench)
{
	const size_t size = largest(bench);
	struct data_mover_threads *mover = mover_default();
	struct side ours = {.vdm = data_mover_threads_get_vdm(mover),
		.type = VDM_OPERATION_MEMMOVE,
		.dst = memory_new(size),
		.src = memory_new(size)};

	run_sizes(bench, ours, all_sizes, COUNT(all_sizes), 0.95);
	memory_delete(ours.dst, size);
	memory_delete(ours.src, size);
	data_mover_threads_delete(mover);
}

const struct row row_memmove = {"memmove",
	"one memmove between disjoint ranges, times as fast as libc's",
	run_memmove};

/* The worst of the distances from `low` on and below `high`, both ways. */
static void
run_shifts(struct bench *bench, const struct side *template, size_t low,
	size_t high, double floor)
{
	static const size_t shifts[] = {1, 64, 1000, 4 * KIB, 20000, 64 * KIB,
		300000, MIB, 4 * MIB, 16 * MIB};
	const size_t n = template->n;
	struct outcome worst = {.ratio = 1e9};
	size_t points = 0;
	char where[32] = "";
	char name[48];
	char text[80];

	for (size_t i = 0; i < 2 * COUNT(shifts); i++) {
		const size_t shift = shifts[i / 2];
		const bool up = i % 2 != 0;
		struct side ours = *template;
		struct side libc;
		struct outcome outcome;

		if (shift < low || shift >= high || shift >= n)
			continue;
		ours.dst += up ? shift : 0;
		ours.src += up ? 0 : shift;
		libc = ours;
		libc.vdm = NULL;
		outcome = versus_again(bench, &libc, &ours,
			time_for(bench, n) / 4, floor);
		points++;
		if (outcome.ratio < worst.ratio) {
			worst = outcome;
			snprintf(where, sizeof(where), "%zu %s", shift,
				up ? "up" : "down");
		}
	}
	if (points == 0)
		return;
	snprintf(name, sizeof(name), "%s, by %s", size_name(n),
		low > 0 ? "64 KiB or more" : "less than 64 KiB");
	snprintf(text, sizeof(text), "worst of %zu: by %s, %s", points, where,
		versus_detail(&worst));
	report_add(bench->report, name, worst.ratio, "x", AT_LEAST, floor,
		text);
}

static void
run_overlapping(struct bench *bench)
{
	const size_t size = largest(bench) + 16 * MIB;
	struct data_mover_threads *mover = mover_default();
	char *memory = memory_new(size);
	struct side side = {.vdm = data_mover_threads_get_vdm(mover),
		.type = VDM_OPERATION_MEMMOVE,
		.dst = memory,
		.src = memory};

	for (size_t i = 0; i < COUNT(all_sizes); i++) {
		side.n = all_sizes[i];
		if (side.n > largest(bench) || side.n == 8 * MIB ||
			side.n == 128 * MIB)
			continue;
		run_shifts(bench, &side, 0, 64 * KIB, 0.95);
		run_shifts(bench, &side, 64 * KIB, side.n,
			side.n >= 32 * MIB ? 1.3 : 0.95);
	}
	memory_delete(memory, size);
	data_mover_threads_delete(mover);
}

const struct row row_overlapping = {"overlapping",
	"one memmove between overlapping ranges, times as fast as libc's",
	run_overlapping};
