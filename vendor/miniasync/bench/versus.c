/* SPDX-License-Identifier: BSD-3-Clause */
/* versus.c -- operations of the library against libc's, in turn */

#include "versus.h"

#include <stdio.h>

#include "report.h"
#include "stats.h"

#define ROUNDS_MAX 201

/* Filled with bytes other than zero, which hardware treats specially. */
#define FILL 0x5a

static void
call_libc(const struct side *side)
{
	switch (side->type) {
	case VDM_OPERATION_MEMCPY:
		libc_memcpy(side->dst, side->src, side->n);
		break;
	case VDM_OPERATION_MEMMOVE:
		libc_memmove(side->dst, side->src, side->n);
		break;
	default:
		libc_memset(side->dst, FILL, side->n);
	}
}

/* As a program does it: the future is made where it is waited for. */
static void
call_library(struct bench *bench, const struct side *side)
{
	if (side->type == VDM_OPERATION_MEMCPY) {
		struct vdm_operation_future fut =
			vdm_memcpy(side->vdm, side->dst, side->src, side->n, 0);

		wait_for(bench, FUTURE_AS_RUNNABLE(&fut));
	} else if (side->type == VDM_OPERATION_MEMMOVE) {
		struct vdm_operation_future fut = vdm_memmove(side->vdm,
			side->dst, side->src, side->n, 0);

		wait_for(bench, FUTURE_AS_RUNNABLE(&fut));
	} else {
		struct vdm_operation_future fut =
			vdm_memset(side->vdm, side->dst, FILL, side->n, 0);

		wait_for(bench, FUTURE_AS_RUNNABLE(&fut));
	}
}

void
side_run(struct bench *bench, const struct side *side)
{
	if (side->vdm == NULL)
		call_libc(side);
	else
		call_library(bench, side);
}

/* Nanoseconds of one call, after others that leave the caches as it does. */
static double
time_side(struct bench *bench, const struct side *side)
{
	const size_t calls = side->n < 256 * KIB ? 256 * KIB / side->n : 1;
	const size_t warm_ups = side->n <= 32 * MIB ? 2 : 1;
	uint64_t start;

	for (size_t i = 0; i < warm_ups; i++)
		side_run(bench, side);
	start = now_ns();
	for (size_t i = 0; i < calls; i++)
		side_run(bench, side);
	return (double)(now_ns() - start) / (double)calls;
}

void
versus(struct bench *bench, const struct side *sides, size_t count,
	double seconds, struct outcome *outcomes)
{
	static double samples[VERSUS_MAX][ROUNDS_MAX];
	static double ratios[ROUNDS_MAX];
	const uint64_t start = now_ns();
	const uint64_t time = (uint64_t)(seconds * 1e9);
	size_t rounds = 0;

	/* Odd, so that the median is one that was measured. */
	while (rounds < 3 || rounds % 2 == 0 ||
		(rounds < ROUNDS_MAX && now_ns() - start < time)) {
		for (size_t turn = 0; turn < count; turn++) {
			const size_t i = (rounds + turn) % count;

			samples[i][rounds] = time_side(bench, &sides[i]);
		}
		rounds++;
	}
	for (size_t i = 0; i < count; i++) {
		for (size_t round = 0; round < rounds; round++)
			ratios[round] = samples[0][round] / samples[i][round];
		outcomes[i].ratio = median(ratios, rounds);
	}
	for (size_t i = 0; i < count; i++) {
		outcomes[i].ns = median(samples[i], rounds);
		outcomes[i].libc_ns = outcomes[0].ns;
	}
}

struct outcome
versus_again(struct bench *bench, const struct side *libc,
	const struct side *ours, double seconds, double floor)
{
	const struct side sides[] = {*libc, *ours};
	struct outcome outcomes[2];
	struct outcome first;
	double ratios[3];

	versus(bench, sides, 2, seconds, outcomes);
	first = outcomes[1];
	if (first.ratio >= floor || bench->quick)
		return first;
	ratios[0] = first.ratio;
	for (size_t i = 1; i < 3; i++) {
		versus(bench, sides, 2, seconds, outcomes);
		ratios[i] = outcomes[1].ratio;
	}
	first.ratio = median(ratios, 3);
	return first;
}

const char *
versus_detail(const struct outcome *outcome)
{
	static char text[64];
	char ours[16];
	char libc[16];

	format_ns(ours, sizeof(ours), outcome->ns);
	format_ns(libc, sizeof(libc), outcome->libc_ns);
	snprintf(text, sizeof(text), "%s, libc %s", ours, libc);
	return text;
}
