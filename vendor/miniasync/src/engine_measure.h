/* SPDX-License-Identifier: BSD-3-Clause */
/* engine_measure.h -- what the engine cannot know, but try */

#ifndef MA_ENGINE_MEASURE_H
#define MA_ENGINE_MEASURE_H

#include <stdbool.h>

struct ma__kernels;

/*
 * Are their forward() and backward() quicker than libc with what does not fit into
 * the first cache: the one with what is aligned differently, the other where the
 * destination seems to be a little above the source? Takes some 80 us and 136 KiB;
 * false without them.
 */
void ma__measure(const struct ma__kernels *kernels, bool *forward,
	bool *backward);

#endif /* MA_ENGINE_MEASURE_H */
