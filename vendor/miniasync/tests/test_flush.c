/* SPDX-License-Identifier: BSD-3-Clause */
/* test_flush.c -- which cache lines are written back, and by what */

#include "t.h"

#include <sys/mman.h>

#include "cputopo.h"
#include "engine.h"
#include "flush.h"

#define PAGES 6

static char *program;
static char *area; /* PAGES pages */
static size_t page;

/* Where the first access to each page was, as the handler saw it. */
static volatile uintptr_t touched[2 * PAGES];
static volatile sig_atomic_t touches;

/* Notes the address and lets the access through. */
static void
on_fault(int sig, siginfo_t *info, void *context)
{
	const uintptr_t at = (uintptr_t)info->si_addr;

	(void)context;
	if (at < (uintptr_t)area || at >= (uintptr_t)area + PAGES * page ||
		touches == 2 * PAGES) {
		signal(sig, SIG_DFL);
		return;
	}
	touched[touches++] = at;
	mprotect((void *)(at & ~(uintptr_t)(page - 1)), page,
		PROT_READ | PROT_WRITE);
}

static void
set_up_area(void)
{
	struct sigaction action;

	page = (size_t)sysconf(_SC_PAGESIZE);
	area = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(area != MAP_FAILED);
	memset(area, 1, PAGES * page);

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = on_fault;
	action.sa_flags = SA_SIGINFO;
	CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
	CHECK(sigaction(SIGBUS, &action, NULL) == 0);
}

/* Is every page first touched in its first line that is in the range? */
static void
check_touches(size_t from, size_t n)
{
	const size_t line = ma__flush_line_size();
	const uintptr_t start = (uintptr_t)area + from;
	const uintptr_t end = start + n;
	uintptr_t expected = start & ~(uintptr_t)(line - 1);
	int i = 0;

	CHECK(mprotect(area, PAGES * page, PROT_NONE) == 0);
	touches = 0;
	ma__flush(area + from, n);
	while (n != 0 && expected < end) {
		CHECK(i < touches);
		CHECK_INT(touched[i], expected);
		expected = (expected | (page - 1)) + 1;
		i++;
	}
	CHECK_INT(touches, i);
}

/* Pages that may not be accessed tell who comes by, and where first. */
static void
touches_lines_of_range_only(void)
{
	static const size_t lengths[] = {0, 1, 2, 63, 64, 65, 127, 128, 129};

	if (strcmp(ma__flush_name(), "none") == 0)
		return;
	set_up_area();
#if !defined(__x86_64__)
	/* Emulators may take such an instruction and access nothing. */
	CHECK(mprotect(area, page, PROT_NONE) == 0);
	ma__flush(area, 1);
	if (touches == 0) {
		printf("not tested: %s faults nowhere\n", ma__flush_name());
		return;
	}
#endif
	for (size_t i = 0; i < T_COUNT(lengths); i++)
		for (size_t from = page - 130; from <= page + 130; from++)
			check_touches(from, lengths[i]);
	/* whole pages, and a byte less or more at both ends */
	for (size_t pages = 1; pages <= 3; pages++)
		for (size_t from = page - 1; from <= page + 1; from++)
			for (int more = -1; more <= 1; more++)
				check_touches(from,
					pages * page + (size_t)(more + 1) - 1);
	CHECK(munmap(area, PAGES * page) == 0);
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
}

/* Against a walk over the bytes. */
static void
counts_lines(void)
{
	for (size_t line = 16; line <= 256; line *= 2)
		for (uintptr_t p = 4096; p < 4096 + 2 * line; p++)
			for (size_t n = 0; n < 4 * line; n++) {
				uintptr_t first;
				size_t lines = 0;

				for (size_t i = 0; i < n; i++)
					lines += i == 0 || (p + i) % line == 0;
				CHECK_INT(ma__flush_lines((void *)p, n, line,
						  &first),
					lines);
				CHECK_INT(first, p / line * line);
			}
}

static void
counts_lines_at_the_end_of_memory(void)
{
	const uintptr_t top = UINTPTR_MAX;
	uintptr_t first;

	CHECK_INT(ma__flush_lines((void *)top, 1, 64, &first), 1);
	CHECK_INT(first, top - 63);
	CHECK_INT(ma__flush_lines((void *)(top - 64), 65, 64, &first), 2);
	CHECK(ma__flush_lines((void *)64, SIZE_MAX - 63, 64, &first) ==
		SIZE_MAX / 64);
}

static void
leaves_data_alone(void)
{
	const size_t size = 100000;
	char *data = t_malloc(size);
	char *copy = t_malloc(size);
	uint64_t state = 7;

	t_fill(data, size, 1);
	memcpy(copy, data, size);
	ma__flush(data, size);
	for (int i = 0; i < 1000; i++) {
		const size_t from = t_random(&state) % size;

		data[from]++;
		copy[from]++;
		ma__flush(data + from, t_random(&state) % (size - from));
	}
	CHECK(memcmp(data, copy, size) == 0);
	free(data);
	free(copy);
}

static void
nothing_to_flush(void)
{
	ma__flush(NULL, 0);
	ma__flush((void *)UINTPTR_MAX, 0);
}

static void
takes_the_best_instruction(void)
{
	const unsigned features = ma__engine_config()->features;
	const char *name = ma__flush_name();
	const char *expected = getenv("TEST_FLUSH_NAME");
	const size_t line = ma__flush_line_size();

	CHECK(line >= 16 && (line & (line - 1)) == 0);
	if (expected != NULL)
		CHECK(strcmp(name, expected) == 0);
	if (features & MA__CPU_CLWB)
		CHECK(strcmp(name, "clwb") == 0);
	if (features & MA__CPU_DCPOP)
		CHECK(strcmp(name, "dc cvap") == 0);
#if defined(__x86_64__)
	/* There is no such CPU without it. */
	CHECK(ma__cpu_features() & MA__CPU_CLFLUSH);
#endif
}

struct switched_off {
	const char *features;
	const char *name;
};

static void
run_without(void *arg)
{
	const struct switched_off *off = arg;

	setenv("MINIASYNC_CPU_FEATURES", off->features, 1);
	setenv("TEST_FLUSH_NAME", off->name, 1);
	T_EXEC(program, "takes_the_best_instruction",
		"touches_lines_of_range_only", "leaves_data_alone",
		"nothing_to_flush", (char *)NULL);
	_exit(1);
}

static void
with_features_switched_off(void)
{
#if defined(__x86_64__)
	static struct switched_off runs[] = {
		{"-clwb,-clflushopt", "clflush"},
		{"-clwb,-clflushopt,-clflush", "none"},
		{"-clwb", "clflushopt"},
	};
	const size_t count =
		T_COUNT(runs) - !(ma__cpu_features() & MA__CPU_CLFLUSHOPT);
#else
	static struct switched_off runs[] = {{"-dcpop", "dc cvac"}};
	const size_t count = strcmp(ma__flush_name(), "none") != 0;
#endif

	for (size_t i = 0; i < count; i++)
		CHECK_CHILD(run_without, &runs[i], 60);
}

int
main(int argc, char *argv[])
{
	static const struct t_case cases[] = {
		T_CASE(takes_the_best_instruction),
		T_CASE(counts_lines),
		T_CASE(counts_lines_at_the_end_of_memory),
		T_CASE(touches_lines_of_range_only),
		T_CASE(leaves_data_alone),
		T_CASE(nothing_to_flush),
		T_CASE(with_features_switched_off),
	};

	program = argv[0];
	return t_run(cases, T_COUNT(cases), argc, argv);
}
