/* SPDX-License-Identifier: BSD-3-Clause */
/* cputopo.h -- what the CPU can do and how large its caches are */

#ifndef MA_CPUTOPO_H
#define MA_CPUTOPO_H

#include <stddef.h>

/* Usable features: the CPU has them and the system saves their registers. */
#define MA__CPU_SSE2 (1U << 0)
#define MA__CPU_AVX2 (1U << 1)
#define MA__CPU_CLFLUSH (1U << 2)
#define MA__CPU_CLFLUSHOPT (1U << 3)
#define MA__CPU_CLWB (1U << 4)
#define MA__CPU_DCPOP (1U << 5) /* aarch64: dc cvap */
#define MA__CPU_WAITPKG (1U << 6) /* umonitor, umwait */
#define MA__CPU_COUNT 7

/* Data cache sizes in bytes, as one core sees them; 0 if not known. */
struct ma__caches {
	size_t l1d;
	size_t l2;
	size_t l3;
};

/* MA__CPU_* of the machine, whatever the environment says. */
unsigned ma__cpu_features(void);

/*
 * The same less those that MINIASYNC_CPU_FEATURES switches off: a list of names,
 * each after a minus, separated by commas ("-avx2,-clwb"). It is ignored in
 * set-user-ID programs, and what cannot be understood in it is.
 */
unsigned ma__cpu_features_allowed(void);

/* MA__CPU_COUNT names; number i is that of the feature 1U << i. */
const char *const *ma__cpu_feature_names(void);

void ma__cpu_caches(struct ma__caches *caches);

#endif /* MA_CPUTOPO_H */
