/* SPDX-License-Identifier: BSD-3-Clause */
/* report.c -- what was measured, for people and for programs */

#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stats.h"

struct report *
report_new(const struct machine *machine, const char *command)
{
	struct report *report = calloc(1, sizeof(*report));

	if (report == NULL)
		die("memory");
	report->machine = machine;
	report->command = command;
	return report;
}

void
report_delete(struct report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		struct result *result = report->sections[i].first;

		while (result != NULL) {
			struct result *next = result->next;

			free(result);
			result = next;
		}
	}
	free(report);
}

void
report_begin_row(struct report *report, const struct row *row,
	const struct machine_state *state)
{
	struct section *section = &report->sections[report->count++];

	section->row = row;
	section->before = *state;
	section->first = NULL;
	section->end = &section->first;
}

static const struct section *
latest(const struct report *report)
{
	return &report->sections[report->count - 1];
}

void
report_end_row(struct report *report, const struct machine_state *state)
{
	report->sections[report->count - 1].after = *state;
}

void
report_add(struct report *report, const char *name, double value,
	const char *unit, enum goal goal, double target, const char *detail)
{
	struct section *section = &report->sections[report->count - 1];
	struct result *result = calloc(1, sizeof(*result));

	if (result == NULL)
		die("memory");
	snprintf(result->name, sizeof(result->name), "%s", name);
	if (detail != NULL)
		snprintf(result->detail, sizeof(result->detail), "%s", detail);
	result->value = value;
	result->unit = unit;
	result->goal = goal;
	result->target = target;
	*section->end = result;
	section->end = &result->next;
}

void
report_beside(struct report *report, const char *name, double value)
{
	struct result *result = latest(report)->first;

	for (; result != NULL; result = result->next) {
		if (strcmp(result->name, name) == 0) {
			result->has_beside = true;
			result->beside = value;
		}
	}
}

void
format_ns(char *text, size_t size, double ns)
{
	if (ns < 1000)
		snprintf(text, size, "%.*f ns", ns < 100 ? 1 : 0, ns);
	else if (ns < 1e6)
		snprintf(text, size, "%.*f us", ns < 1e5 ? 1 : 0, ns / 1e3);
	else
		snprintf(text, size, "%.*f ms", ns < 1e8 ? 1 : 0, ns / 1e6);
}

/* A value with its unit: three figures at least. */
static void
format_value(char *text, size_t size, double value, const char *unit)
{
	const double magnitude = value < 0 ? -value : value;
	int digits = 0;

	if (value != (double)(long long)value)
		digits = magnitude < 0.01 ? 3
			: magnitude < 10  ? 2
			: magnitude < 100 ? 1
					  : 0;
	snprintf(text, size, "%.*f%s%s", digits, value,
		unit[0] != '\0' ? " " : "", unit);
}

bool
report_is_met(const struct result *result)
{
	return result->goal == NO_GOAL ||
		(result->goal == AT_MOST ? result->value <= result->target
					 : result->value >= result->target);
}

void
report_format(struct columns *columns, const struct result *result)
{
	char target[24];

	memset(columns, 0, sizeof(*columns));
	columns->verdict = "";
	format_value(columns->value, sizeof(columns->value), result->value,
		result->unit);
	if (result->has_beside)
		format_value(columns->beside, sizeof(columns->beside),
			result->beside, result->unit);
	if (result->goal == NO_GOAL)
		return;
	format_value(target, sizeof(target), result->target, result->unit);
	snprintf(columns->target, sizeof(columns->target), "%s %s",
		result->goal == AT_MOST ? "<=" : ">=", target);
	columns->verdict = report_is_met(result) ? "ok" : "SHORT";
}

const char *
report_state(const struct section *section)
{
	const bool before = machine_is_fast(&section->before);
	const bool after = machine_is_fast(&section->after);

	return before && after ? "fast" : before || after ? "mixed" : "slow";
}

void
report_print_row(const struct report *report)
{
	const struct section *section = latest(report);

	printf("\n%s: %s\n", section->row->name, section->row->what);
	for (const struct result *result = section->first; result != NULL;
		result = result->next) {
		struct columns columns;

		report_format(&columns, result);
		printf("  %-36s %12s", result->name, columns.value);
		if (report->beside != NULL)
			printf(" %12s", columns.beside);
		printf("  %-12s %-5s %s\n", columns.target, columns.verdict,
			result->detail);
	}
	printf("  (%.1f s, others used %.0f %% of the processors; one and two "
	       "threads write\n   %.0f and %.0f GB/s before, %.0f and %.0f "
	       "after; %llu waits, %llu preemptions)\n",
		(double)(section->after.at - section->before.at) / 1e9,
		machine_others(&section->before, &section->after),
		section->before.one, section->before.two, section->after.one,
		section->after.two,
		(unsigned long long)(section->after.switches -
			section->before.switches),
		(unsigned long long)(section->after.preemptions -
			section->before.preemptions));
	fflush(stdout);
}

void
report_print_row_plain(const struct report *report)
{
	for (const struct result *result = latest(report)->first;
		result != NULL; result = result->next)
		printf("%s\t%.6g\t%s\n", result->name, result->value,
			result->unit);
	fflush(stdout);
}

void
report_print_summary(const struct report *report)
{
	size_t goals = 0;
	size_t missed = 0;

	for (size_t i = 0; i < report->count; i++) {
		for (const struct result *result = report->sections[i].first;
			result != NULL; result = result->next) {
			goals += result->goal != NO_GOAL;
			missed += !report_is_met(result);
		}
	}
	printf("\n%zu goals, %zu missed\n", goals, missed);
}
