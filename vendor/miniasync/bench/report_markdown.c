/* SPDX-License-Identifier: BSD-3-Clause */
/* report_markdown.c -- the results as docs/benchmarks.md shows them */

#include <errno.h>
#include <stdio.h>

#include "report.h"

static void
write_machine(FILE *file, const struct report *report)
{
	const struct machine *machine = report->machine;

	fprintf(file, "```\n%s\n\n", report->command);
	fprintf(file, "date         %s, load %.1f\n", machine->date,
		machine->load);
	fprintf(file, "processors   %s; %zu, %zu usable\n", machine->cpu,
		machine->online, machine->usable);
	fprintf(file, "caches       %s\n", machine->caches);
	fprintf(file, "system       %s, %s, %s; transparent huge pages: %s\n",
		machine->kernel, machine->libc, machine->compiler,
		machine->huge_pages);
	fprintf(file, "memcpy       %.0f GB/s at 1 MiB, %.1f at 256 MiB\n",
		machine->memcpy_small, machine->memcpy_large);
	fprintf(file,
		"round trips  futex %.1f us, %.1f after a rest; "
		"eventfd %.1f us\n```\n",
		machine->futex_us, machine->futex_rested_us,
		machine->eventfd_us);
}

static void
write_section(FILE *file, const struct report *report,
	const struct section *section)
{
	fprintf(file, "\n### %s\n\n", section->row->what);
	fprintf(file,
		"`%s`; one and two threads wrote %.0f and %.0f GB/s before "
		"it, %.0f and %.0f after\nit; other programs used %.0f %% of "
		"the processors.\n\n",
		section->row->name, section->before.one, section->before.two,
		section->after.one, section->after.two,
		machine_others(&section->before, &section->after));
	fprintf(file, "| | %s |", MA_BENCH_LIBRARY);
	if (report->beside != NULL)
		fprintf(file, " %s |", report->beside);
	fprintf(file, " goal | | |\n| --- | ---: | %s--- | --- | --- |\n",
		report->beside != NULL ? "---: | " : "");
	for (const struct result *result = section->first; result != NULL;
		result = result->next) {
		struct columns columns;

		report_format(&columns, result);
		fprintf(file, "| %s | %s |", result->name, columns.value);
		if (report->beside != NULL)
			fprintf(file, " %s |", columns.beside);
		fprintf(file, " %s | %s | %s |\n", columns.target,
			columns.verdict, result->detail);
	}
}

int
report_write_markdown(const struct report *report, const char *path)
{
	FILE *file = fopen(path, "we");
	int error;

	if (file == NULL)
		return -1;
	write_machine(file, report);
	for (size_t i = 0; i < report->count; i++)
		write_section(file, report, &report->sections[i]);
	error = ferror(file) ? EIO : 0;
	if (fclose(file) != 0)
		return -1;
	errno = error;
	return error != 0 ? -1 : 0;
}
