/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * versus.h -- operations of the library against libc's, in turn
 *
 * The machine changes its speed from second to second, so what is compared is
 * timed alternately, and the result is the median of the ratios of neighbours.
 */

#ifndef VERSUS_H
#define VERSUS_H

#include "bench.h"

#define VERSUS_MAX 4

/* One thing to time: an operation as a future of a mover, or libc's (no vdm). */
struct side {
	struct vdm *vdm;
	enum vdm_operation_type type;
	char *dst;
	char *src;
	size_t n;
};

struct outcome {
	double ns; /* of one call: median */
	double libc_ns; /* the same of the first side */
	double ratio; /* how many times as fast as the first side: median */
};

/* Makes one call: creates the future and waits for it, or calls libc. */
void side_run(struct bench *bench, const struct side *side);

/*
 * Times 2 to VERSUS_MAX sides, of which the first is the one to compare with,
 * for about `seconds`, but at least three rounds.
 */
void versus(struct bench *bench, const struct side *sides, size_t count,
	double seconds, struct outcome *outcomes);

/* The same for two; a ratio below `floor` is the median of three attempts. */
struct outcome versus_again(struct bench *bench, const struct side *libc,
	const struct side *ours, double seconds, double floor);

/* "8.1 us, libc 8.0 us", in a static buffer. */
const char *versus_detail(const struct outcome *outcome);

#endif /* VERSUS_H */
