/* SPDX-License-Identifier: BSD-3-Clause */
/* report.h -- what was measured, for people and for programs */

#ifndef REPORT_H
#define REPORT_H

#include "bench.h"
#include "machine.h"

enum goal { NO_GOAL, AT_MOST, AT_LEAST };

#define ROWS_MAX 32

struct result {
	struct result *next;
	char name[56];
	double value;
	const char *unit;
	enum goal goal;
	double target;
	char detail[80];
	bool has_beside; /* the other library's value is there */
	double beside;
};

struct section {
	const struct row *row;
	struct machine_state before;
	struct machine_state after;
	struct result *first;
	struct result **end;
};

struct report {
	const struct machine *machine;
	const char *command;
	const char *beside; /* what the other library is called, or NULL */
	size_t count;
	struct section sections[ROWS_MAX];
};

/* The texts of a result's columns; empty where there is nothing to say. */
struct columns {
	char value[24];
	char target[32];
	char beside[24];
	const char *verdict;
};

/*
 * Adds a result of the row that is running. Its name, together with the row's,
 * is the same in every run. `detail` may be NULL.
 */
void report_add(struct report *report, const char *name, double value,
	const char *unit, enum goal goal, double target, const char *detail);

struct report *report_new(const struct machine *machine, const char *command);
void report_delete(struct report *report);

void report_begin_row(struct report *report, const struct row *row,
	const struct machine_state *state);
void report_end_row(struct report *report, const struct machine_state *state);

/* Gives the result of that name the other library's value. */
void report_beside(struct report *report, const char *name, double value);

/* The results of the latest row, as lines for people, or for a program. */
void report_print_row(const struct report *report);
void report_print_row_plain(const struct report *report);

/* How many goals there were, and how many were missed. */
void report_print_summary(const struct report *report);

/* Writes a file. 0, or -1 with errno. */
int report_write_json(const struct report *report, const char *path);
int report_write_markdown(const struct report *report, const char *path);

bool report_is_met(const struct result *result);
void report_format(struct columns *columns, const struct result *result);

/* The machine's state during a row: "fast", "slow" or "mixed" (machine.h). */
const char *report_state(const struct section *section);

/* "8.1 us" */
void format_ns(char *text, size_t size, double ns);

#endif /* REPORT_H */
