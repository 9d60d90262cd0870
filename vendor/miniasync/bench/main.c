/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_miniasync -- how fast the library is, against libc and against goals
 *
 * usage: bench_miniasync [--rows NAME,...] [--quick] [--json FILE]
 *                        [--markdown FILE] [--beside PROGRAM] [--plain] [--list]
 *                        [--version]
 *
 *   --rows      only these rows
 *   --quick     few repetitions, small sizes; to see whether the program works
 *   --json      writes the results to a file, too
 *   --markdown  the same, as docs/benchmarks.md shows them
 *   --beside    after each row runs it in PROGRAM, this program linked with
 *               another library, and shows that one's results beside ours
 *   --plain     prints only name, value and unit, for --beside
 *   --list      says which rows there are
 *   --version   says which library it is linked with
 */

#define _GNU_SOURCE

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "beside.h"
#include "report.h"
#include "stats.h"

static const struct row *const rows[] = {
	&row_small,
	&row_outstanding,
	&row_own_function,
	&row_at_once,
	&row_at_once_large,
	&row_memset,
	&row_memmove,
	&row_overlapping,
	&row_aliasing,
	&row_tail,
	&row_first_poll,
	&row_hidden,
	&row_late,
	&row_idle,
	&row_polling,
	&row_completing,
	&row_memory,
};

struct options {
	const char *rows; /* NULL: all */
	const char *json;
	const char *markdown;
	const char *beside;
	bool quick;
	bool plain;
	bool list;
	bool version;
};

void
die(const char *what)
{
	fprintf(stderr, "bench_miniasync: %s: %s\n", what,
		errno != 0 ? strerror(errno) : "failed");
	exit(1);
}

struct data_mover_threads *
mover_new(size_t nthreads)
{
	struct data_mover_threads *mover =
		data_mover_threads_new(nthreads, 128, FUTURE_NOTIFIER_WAKER);

	if (mover == NULL)
		die("data_mover_threads_new");
	return mover;
}

struct data_mover_threads *
mover_default(void)
{
	struct data_mover_threads *mover = data_mover_threads_default();

	if (mover == NULL)
		die("data_mover_threads_default");
	return mover;
}

void
wait_for(struct bench *bench, struct future *fut)
{
	if (fut->context.state != FUTURE_STATE_COMPLETE)
		runtime_wait(bench->runtime, fut);
}

/* Does a list of names with commas between them contain this one? */
static bool
names(const char *list, const char *name)
{
	const size_t length = strlen(name);

	while (*list != '\0') {
		const size_t next = strcspn(list, ",");

		if (next == length && memcmp(list, name, length) == 0)
			return true;
		list += next;
		list += *list == ',';
	}
	return false;
}

static bool
is_row(const char *name, size_t length)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		if (strlen(rows[i]->name) == length &&
			memcmp(rows[i]->name, name, length) == 0)
			return true;
	return false;
}

static void
usage(const char *complaint, const char *about)
{
	fprintf(stderr,
		"bench_miniasync: %s%s\n"
		"usage: bench_miniasync [--rows NAME,...] [--quick] "
		"[--json FILE]\n"
		"                       [--markdown FILE] [--beside PROGRAM] "
		"[--plain] [--list]\n"
		"                       [--version]\n",
		complaint, about);
	exit(2);
}

static void
check_rows(const char *list)
{
	while (*list != '\0') {
		const size_t length = strcspn(list, ",");

		if (!is_row(list, length))
			usage("no such row (see --list): ", list);
		list += length;
		list += *list == ',';
	}
}

static void
read_options(struct options *options, int argc, char *argv[])
{
	memset(options, 0, sizeof(*options));
	for (int i = 1; i < argc; i++) {
		const char *const name = argv[i];
		const char **value = NULL;

		if (strcmp(name, "--quick") == 0)
			options->quick = true;
		else if (strcmp(name, "--plain") == 0)
			options->plain = true;
		else if (strcmp(name, "--list") == 0)
			options->list = true;
		else if (strcmp(name, "--version") == 0)
			options->version = true;
		else if (strcmp(name, "--rows") == 0)
			value = &options->rows;
		else if (strcmp(name, "--json") == 0)
			value = &options->json;
		else if (strcmp(name, "--markdown") == 0)
			value = &options->markdown;
		else if (strcmp(name, "--beside") == 0)
			value = &options->beside;
		else
			usage("no such option: ", name);
		if (value == NULL)
			continue;
		if (i + 1 == argc)
			usage("a value is missing after ", name);
		*value = argv[++i];
	}
	if (options->rows != NULL)
		check_rows(options->rows);
}

/* The command line, with the names of programs instead of their paths. */
static const char *
command_line(int argc, char *argv[])
{
	static char text[256];
	size_t at = 0;

	for (int i = 0; i < argc && at < sizeof(text); i++) {
		const char *word = argv[i];
		const char *slash = strrchr(word, '/');

		if (slash != NULL)
			word = slash + 1;
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s",
			i > 0 ? " " : "", word);
	}
	return text;
}

static void
run_row(struct bench *bench, const struct row *row,
	const struct options *options)
{
	struct report *report = bench->report;
	struct machine_state state;

	machine_read_state(&state, bench->quick);
	report_begin_row(report, row, &state);
	row->run(bench);
	machine_read_state(&state, bench->quick);
	report_end_row(report, &state);
	if (options->beside != NULL)
		beside_run(report, options->beside, row, bench->quick);
	if (options->plain)
		report_print_row_plain(report);
	else
		report_print_row(report);
}

static void
print_head(const struct machine *machine, bool quick)
{
	printf("%s on %s, %s\n%s, %s; %zu processors, %zu usable, quota %g; "
	       "load %.2f\n",
		MA_BENCH_LIBRARY, machine->cpu, machine->date, machine->kernel,
		machine->libc, machine->online, machine->usable, machine->quota,
		machine->load);
	printf("caches %s; transparent huge pages: %s; %s\n", machine->caches,
		machine->huge_pages, machine->compiler);
	printf("memcpy %.1f GB/s at 1 MiB, %.1f GB/s at %s\n",
		machine->memcpy_small, machine->memcpy_large,
		quick ? "16 MiB" : "256 MiB");
	printf("round trips: futex %.1f us, rested %.1f us; eventfd %.1f us\n",
		machine->futex_us, machine->futex_rested_us,
		machine->eventfd_us);
}

int
main(int argc, char *argv[])
{
	struct options options;
	struct machine machine;
	struct bench bench;

	read_options(&options, argc, argv);
	if (options.list) {
		for (size_t i = 0; i < COUNT(rows); i++)
			printf("%-16s %s\n", rows[i]->name, rows[i]->what);
		return 0;
	}

	if (options.version) {
		printf("%s\n", MA_BENCH_LIBRARY);
		return 0;
	}

	ticks_to_ns(0); /* calibrates */
	memset(&machine, 0, sizeof(machine));
	if (!options.plain) {
		machine_read(&machine, options.quick);
		print_head(&machine, options.quick);
	}
	bench.quick = options.quick;
	bench.report = report_new(&machine, command_line(argc, argv));
	bench.runtime = runtime_new();
	if (bench.runtime == NULL)
		die("runtime_new");
	if (options.beside != NULL)
		bench.report->beside = beside_name(options.beside);
	for (size_t i = 0; i < COUNT(rows); i++)
		if (options.rows == NULL || names(options.rows, rows[i]->name))
			run_row(&bench, rows[i], &options);
	if (!options.plain)
		report_print_summary(bench.report);
	if (options.markdown != NULL &&
		report_write_markdown(bench.report, options.markdown) != 0)
		die(options.markdown);
	if (options.json != NULL &&
		report_write_json(bench.report, options.json) != 0)
		die(options.json);
	runtime_delete(bench.runtime);
	report_delete(bench.report);
	return 0;
}
