/* SPDX-License-Identifier: BSD-3-Clause */
/* engine_measure.h -- what the engine cannot know, but try */

#ifndef MA_ENGINE_MEASURE_H
#define MA_ENGINE_MEASURE_H

#include <stdbool.h>

struct ma__kernels;

/*
 * Is their forward() quicker than libc with what does not fit into the first cache
 * and is aligned differently? Takes some 40 us and 72 KiB; false without them.
 */
bool ma__measure_forward(const struct ma__kernels *kernels);

#endif /* MA_ENGINE_MEASURE_H */
