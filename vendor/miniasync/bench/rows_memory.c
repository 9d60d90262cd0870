/* SPDX-License-Identifier: BSD-3-Clause */
/* rows_memory.c -- what a pending operation takes, and how many there can be */

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"
#include "stats.h"

/* The memory of this process that is there, in bytes. */
static double
resident(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long long total;
	unsigned long long pages;

	if (file == NULL || fscanf(file, "%llu %llu", &total, &pages) != 2)
		die("/proc/self/statm");
	fclose(file);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void
run_memory(struct bench *bench)
{
	const size_t most = bench->quick ? 10000 : 1100000;
	struct data_mover_threads *mover = mover_default();
	struct vdm *vdm = data_mover_threads_get_vdm(mover);
	const size_t size = most * sizeof(struct vdm_operation_future);
	char *memory = memory_new(size);
	struct vdm_operation_future *futures =
		(struct vdm_operation_future *)(void *)memory;
	char bytes[2][64] = {"", ""};
	size_t count = 0;
	double before;
	double each;
	char text[80];

	malloc_trim(0); /* or what earlier rows left would be used first */
	before = resident();
	for (; count < most; count++) {
		futures[count] = vdm_memcpy(vdm, bytes[0], bytes[1],
			sizeof(bytes[0]), 0);
		if (FUTURE_STATE(&futures[count]) == FUTURE_STATE_COMPLETE)
			break;
	}
	each = (resident() - before) / (double)count;
	snprintf(text, sizeof(text), "with %zu of them, futures not counted",
		count);
	report_add(bench->report, "memory of one", each, "B", AT_MOST, 256,
		text);
	report_add(bench->report, "how many at a time", (double)count, "",
		bench->quick ? NO_GOAL : AT_LEAST, 1000000,
		count == most ? "and more" : "then one is refused");
	for (size_t i = 0; i < count; i++)
		FUTURE_BUSY_POLL(&futures[i]);
	data_mover_threads_delete(mover);
	memory_delete(memory, size);
}

const struct row row_memory = {"memory",
	"operations pending at a time, and the memory they take", run_memory};
