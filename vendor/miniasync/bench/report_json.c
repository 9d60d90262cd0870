/* SPDX-License-Identifier: BSD-3-Clause */
/* report_json.c -- the results for programs */

#include <errno.h>
#include <stdio.h>

#include "report.h"

static void
write_string(FILE *file, const char *text)
{
	putc('"', file);
	for (; *text != '\0'; text++) {
		const unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			putc('\\', file);
		if (c < 0x20)
			fprintf(file, "\\u%04x", c);
		else
			putc(c, file);
	}
	putc('"', file);
}

static void
write_member(FILE *file, const char *name, const char *text)
{
	fprintf(file, "    \"%s\": ", name);
	write_string(file, text);
	fprintf(file, ",\n");
}

static void
write_machine(FILE *file, const struct machine *machine)
{
	fprintf(file, "  \"machine\": {\n");
	write_member(file, "cpu", machine->cpu);
	write_member(file, "kernel", machine->kernel);
	write_member(file, "libc", machine->libc);
	write_member(file, "compiler", machine->compiler);
	write_member(file, "caches", machine->caches);
	write_member(file, "transparent_huge_pages", machine->huge_pages);
	fprintf(file,
		"    \"processors\": %zu,\n    \"usable\": %zu,\n"
		"    \"quota\": %g,\n    \"load\": %.2f,\n"
		"    \"memcpy_1_mib_gbs\": %.2f,\n"
		"    \"memcpy_256_mib_gbs\": %.2f,\n"
		"    \"futex_round_trip_us\": %.2f,\n"
		"    \"futex_round_trip_rested_us\": %.2f,\n"
		"    \"eventfd_round_trip_us\": %.2f\n  },\n",
		machine->online, machine->usable, machine->quota, machine->load,
		machine->memcpy_small, machine->memcpy_large, machine->futex_us,
		machine->futex_rested_us, machine->eventfd_us);
}

static void
write_result(FILE *file, const struct result *result)
{
	fprintf(file, "        {\"name\": ");
	write_string(file, result->name);
	fprintf(file, ", \"value\": %.6g, \"unit\": ", result->value);
	write_string(file, result->unit);
	if (result->goal != NO_GOAL)
		fprintf(file, ", \"%s\": %.6g, \"ok\": %s",
			result->goal == AT_MOST ? "at_most" : "at_least",
			result->target,
			report_is_met(result) ? "true" : "false");
	if (result->has_beside)
		fprintf(file, ", \"beside\": %.6g", result->beside);
	fprintf(file, ", \"detail\": ");
	write_string(file, result->detail);
	fprintf(file, "}%s\n", result->next != NULL ? "," : "");
}

static void
write_section(FILE *file, const struct section *section)
{
	const struct machine_state *before = &section->before;
	const struct machine_state *after = &section->after;

	fprintf(file, "    {\n      \"name\": ");
	write_string(file, section->row->name);
	fprintf(file, ",\n      \"what\": ");
	write_string(file, section->row->what);
	fprintf(file,
		",\n      \"state\": \"%s\",\n"
		"      \"writes_gbs\": {\"one\": [%.2f, %.2f], "
		"\"two\": [%.2f, %.2f]},\n"
		"      \"seconds\": %.2f,\n      \"waits\": %llu,\n"
		"      \"preemptions\": %llu,\n"
		"      \"others_percent\": %.1f,\n"
		"      \"results\": [\n",
		report_state(section), before->one, after->one, before->two,
		after->two, (double)(after->at - before->at) / 1e9,
		(unsigned long long)(after->switches - before->switches),
		(unsigned long long)(after->preemptions - before->preemptions),
		machine_others(before, after));
	for (const struct result *result = section->first; result != NULL;
		result = result->next)
		write_result(file, result);
	fprintf(file, "      ]\n    }");
}

int
report_write_json(const struct report *report, const char *path)
{
	FILE *file = fopen(path, "we");
	int error;

	if (file == NULL)
		return -1;
	fprintf(file, "{\n  \"library\": ");
	write_string(file, MA_BENCH_LIBRARY);
	if (report->beside != NULL) {
		fprintf(file, ",\n  \"beside\": ");
		write_string(file, report->beside);
	}
	fprintf(file, ",\n  \"command\": ");
	write_string(file, report->command);
	fprintf(file, ",\n  \"date\": ");
	write_string(file, report->machine->date);
	fprintf(file, ",\n");
	write_machine(file, report->machine);
	fprintf(file, "  \"rows\": [\n");
	for (size_t i = 0; i < report->count; i++) {
		write_section(file, &report->sections[i]);
		fprintf(file, "%s\n", i + 1 < report->count ? "," : "");
	}
	fprintf(file, "  ]\n}\n");
	error = ferror(file) ? EIO : 0;
	if (fclose(file) != 0)
		return -1;
	errno = error;
	return error != 0 ? -1 : 0;
}
