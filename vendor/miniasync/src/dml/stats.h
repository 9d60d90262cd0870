/* SPDX-License-Identifier: BSD-3-Clause */
/* stats.h -- counting what a mover does, from any thread */

#ifndef MA_DML_STATS_H
#define MA_DML_STATS_H

#include <stdatomic.h>
#include <stdint.h>

/* Those of struct data_mover_dml_stats. */
enum ma__dml_count {
	MA__DML_OPERATIONS,
	MA__DML_HARDWARE_JOBS,
	MA__DML_HARDWARE_BYTES,
	MA__DML_SOFTWARE_JOBS,
	MA__DML_SOFTWARE_BYTES,
	MA__DML_CPU_BYTES,
	MA__DML_RETRIES,
	MA__DML_RESUBMISSIONS,
	MA__DML_CPU_UNAVAILABLE,
	MA__DML_CPU_FORKED,
	MA__DML_CPU_SMALL,
	MA__DML_CPU_OVERLAP,
	MA__DML_CPU_FLUSH,
	MA__DML_CPU_NO_MEMORY,
	MA__DML_CPU_QUEUE_FULL,
	MA__DML_CPU_REFUSED,
	MA__DML_CPU_PAGE_FAULT,
	MA__DML_CPU_DEVICE_ERROR,
	MA__DML_LAST_ERROR, /* not a count */
	MA__DML_COUNTS
};

struct ma__dml_stats {
	_Atomic uint64_t of[MA__DML_COUNTS];
};

/* Relaxed: numbers to look at, which nothing is concluded from. */
static inline void
ma__dml_count(struct ma__dml_stats *stats, enum ma__dml_count what, uint64_t n)
{
	atomic_fetch_add_explicit(&stats->of[what], n, memory_order_relaxed);
}

static inline void
ma__dml_note_error(struct ma__dml_stats *stats, uint64_t status)
{
	atomic_store_explicit(&stats->of[MA__DML_LAST_ERROR], status,
		memory_order_relaxed);
}

void ma__dml_stats_init(struct ma__dml_stats *stats);

#endif /* MA_DML_STATS_H */
