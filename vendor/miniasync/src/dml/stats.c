/* SPDX-License-Identifier: BSD-3-Clause */
/* stats.c -- what a mover has done so far */

#include "stats.h"

#include <errno.h>
#include <string.h>

#include "mover.h"

void
ma__dml_stats_init(struct ma__dml_stats *stats)
{
	for (size_t i = 0; i < MA__DML_COUNTS; i++)
		atomic_init(&stats->of[i], 0);
}

static uint64_t
get(const struct ma__dml_stats *stats, enum ma__dml_count what)
{
	return atomic_load_explicit(&stats->of[what], memory_order_relaxed);
}

int
data_mover_dml_get_stats(const struct data_mover_dml *dmd,
	struct data_mover_dml_stats *stats)
{
	const struct ma__dml_stats *from;
	struct data_mover_dml_stats all;

	if (dmd == NULL || stats == NULL || stats->size < sizeof(stats->size))
		return EINVAL;
	from = &dmd->stats;
	all.size = stats->size < sizeof(all) ? stats->size : sizeof(all);
	all.hardware = ma__dml_has_device(dmd);
	all.operations = get(from, MA__DML_OPERATIONS);
	all.hardware_jobs = get(from, MA__DML_HARDWARE_JOBS);
	all.hardware_bytes = get(from, MA__DML_HARDWARE_BYTES);
	all.software_jobs = get(from, MA__DML_SOFTWARE_JOBS);
	all.software_bytes = get(from, MA__DML_SOFTWARE_BYTES);
	all.cpu_bytes = get(from, MA__DML_CPU_BYTES);
	all.retries = get(from, MA__DML_RETRIES);
	all.resubmissions = get(from, MA__DML_RESUBMISSIONS);
	all.cpu_unavailable = get(from, MA__DML_CPU_UNAVAILABLE);
	all.cpu_forked = get(from, MA__DML_CPU_FORKED);
	all.cpu_small = get(from, MA__DML_CPU_SMALL);
	all.cpu_overlap = get(from, MA__DML_CPU_OVERLAP);
	all.cpu_flush = get(from, MA__DML_CPU_FLUSH);
	all.cpu_no_memory = get(from, MA__DML_CPU_NO_MEMORY);
	all.cpu_queue_full = get(from, MA__DML_CPU_QUEUE_FULL);
	all.cpu_refused = get(from, MA__DML_CPU_REFUSED);
	all.cpu_page_fault = get(from, MA__DML_CPU_PAGE_FAULT);
	all.cpu_device_error = get(from, MA__DML_CPU_DEVICE_ERROR);
	all.last_error = get(from, MA__DML_LAST_ERROR);
	memcpy(stats, &all, all.size);
	return 0;
}
