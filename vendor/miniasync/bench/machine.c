/* SPDX-License-Identifier: BSD-3-Clause */
/* machine.c -- which machine this is, and in which state */

#define _GNU_SOURCE

#include "machine.h"

#include <gnu/libc-version.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench.h"
#include "stats.h"

/* The first line of a file, without its end; empty if there is none. */
static void
read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");

	line[0] = '\0';
	if (file == NULL)
		return;
	if (fgets(line, (int)size, file) == NULL)
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	fclose(file);
}

static void
read_cpu(struct machine *machine)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[256];

	snprintf(machine->cpu, sizeof(machine->cpu), "unknown");
	if (file == NULL)
		return;
	while (fgets(line, sizeof(line), file) != NULL) {
		const char *value = strchr(line, ':');

		if (strncmp(line, "model name", 10) != 0 || value == NULL)
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(machine->cpu, sizeof(machine->cpu), "%.79s",
			value + 2);
		break;
	}
	fclose(file);
}

static void
read_caches(struct machine *machine)
{
	char sizes[4][32] = {"", "", "", ""};

	for (int i = 0; i < 8; i++) {
		const char *format =
			"/sys/devices/system/cpu/cpu0/cache/index%d/%s";
		char path[80];
		char level[8];
		char type[16];
		size_t at;

		snprintf(path, sizeof(path), format, i, "level");
		read_line(path, level, sizeof(level));
		snprintf(path, sizeof(path), format, i, "type");
		read_line(path, type, sizeof(type));
		at = (size_t)strtoul(level, NULL, 10);
		if (at == 0 || at > 3 || strcmp(type, "Instruction") == 0)
			continue;
		snprintf(path, sizeof(path), format, i, "size");
		read_line(path, sizes[at], sizeof(sizes[at]));
	}
	snprintf(machine->caches, sizeof(machine->caches),
		"%.12s, %.12s, %.12s", sizes[1], sizes[2], sizes[3]);
}

/* The processors that the control groups allow, of either version; 0: all. */
static double
read_quota(void)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[512];
	double least = 0;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		const bool v2 = strncmp(line, "0::", 3) == 0;
		const char *names = strchr(line, ':');
		char *group = names != NULL ? strchr(names + 1, ':') : NULL;
		bool is_cpu = v2;

		if (group == NULL)
			continue;
		line[strcspn(line, "\n")] = '\0';
		*group++ = '\0';
		is_cpu |= strcmp(names + 1, "cpu") == 0 ||
			strcmp(names + 1, "cpu,cpuacct") == 0;
		/* From the group up to the root. */
		while (is_cpu) {
			char *const last = strrchr(group, '/');
			char path[640];
			char quota[64];
			char period[32] = "";
			const char *at = period;
			double cpus;

			snprintf(path, sizeof(path),
				"/sys/fs/cgroup%s%.400s/%s", v2 ? "" : "/cpu",
				strcmp(group, "/") == 0 ? "" : group,
				v2 ? "cpu.max" : "cpu.cfs_quota_us");
			read_line(path, quota, sizeof(quota));
			if (v2) {
				at = strchr(quota, ' ');
			} else {
				memcpy(strrchr(path, '/'), "/cpu.cfs_period_us",
					sizeof("/cpu.cfs_period_us"));
				read_line(path, period, sizeof(period));
			}
			cpus = at != NULL && strtod(at, NULL) > 0
				? strtod(quota, NULL) / strtod(at, NULL)
				: 0;
			if (cpus > 0 && (least == 0 || cpus < least))
				least = cpus;
			if (last == NULL)
				break;
			*last = '\0';
		}
	}
	if (file != NULL)
		fclose(file);
	return least;
}

static void
read_huge_pages(struct machine *machine)
{
	char line[80];
	char *begin;

	read_line("/sys/kernel/mm/transparent_hugepage/enabled", line,
		sizeof(line));
	begin = strchr(line, '[');
	if (begin == NULL)
		begin = line;
	else
		begin++;
	begin[strcspn(begin, "]")] = '\0';
	snprintf(machine->huge_pages, sizeof(machine->huge_pages), "%.15s",
		begin);
}

void
machine_read(struct machine *machine, bool quick)
{
	const time_t now = time(NULL);
	struct utsname name;
	struct tm broken_down;
	cpu_set_t cpus;
	double load;

	memset(machine, 0, sizeof(*machine));
	read_cpu(machine);
	read_caches(machine);
	read_huge_pages(machine);
	if (uname(&name) == 0)
		snprintf(machine->kernel, sizeof(machine->kernel),
			"%.30s %.30s %.15s", name.sysname, name.release,
			name.machine);
	snprintf(machine->libc, sizeof(machine->libc), "glibc %.20s",
		gnu_get_libc_version());
#ifdef __clang__
	snprintf(machine->compiler, sizeof(machine->compiler), "clang %.30s",
		__clang_version__);
#else
	snprintf(machine->compiler, sizeof(machine->compiler), "gcc %.30s",
		__VERSION__);
#endif
	gmtime_r(&now, &broken_down);
	strftime(machine->date, sizeof(machine->date), "%Y-%m-%d %H:%M UTC",
		&broken_down);
	machine->online = (size_t)sysconf(_SC_NPROCESSORS_ONLN);
	machine->usable = machine->online;
	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
		machine->usable = (size_t)CPU_COUNT(&cpus);
	machine->quota = read_quota();
	if (getloadavg(&load, 1) == 1)
		machine->load = load;

	machine->memcpy_small = probe_memcpy(MIB, quick ? 11 : 101);
	machine->memcpy_large =
		probe_memcpy(quick ? 16 * MIB : 256 * MIB, quick ? 3 : 7);
	machine->futex_us = probe_futex(quick ? 101 : 2000, 0);
	machine->futex_rested_us = probe_futex(quick ? 11 : 101, 2000000);
	machine->eventfd_us = probe_eventfd(quick ? 101 : 2000);
}

/* The processors' time spent on anything since boot, in ns. */
static double
busy_ns(void)
{
	unsigned long long at[8] = {0};
	unsigned long long ticks;
	char line[256];

	read_line("/proc/stat", line, sizeof(line));
	if (sscanf(line, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &at[0],
		    &at[1], &at[2], &at[3], &at[4], &at[5], &at[6],
		    &at[7]) != 8)
		return 0;
	/* User, nice, system, interrupts twice, and what the host took. */
	ticks = at[0] + at[1] + at[2] + at[5] + at[6] + at[7];
	return (double)ticks * 1e9 / (double)sysconf(_SC_CLK_TCK);
}

void
machine_read_state(struct machine_state *state, bool quick)
{
	struct rusage usage;

	probe_writes(&state->one, &state->two, quick ? 3000000 : 30000000);
	getrusage(RUSAGE_SELF, &usage);
	state->switches = (uint64_t)usage.ru_nvcsw;
	state->preemptions = (uint64_t)usage.ru_nivcsw;
	state->busy = busy_ns();
	state->own = (double)clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	state->at = now_ns();
}

double
machine_others(const struct machine_state *before,
	const struct machine_state *after)
{
	const double others =
		after->busy - before->busy - (after->own - before->own);
	const double all = (double)(after->at - before->at) *
		(double)sysconf(_SC_NPROCESSORS_ONLN);

	/* The clocks differ by a tick or so. */
	return others > 0 ? 100 * others / all : 0;
}

bool
machine_is_fast(const struct machine_state *state)
{
	return state->two >= 1.5 * state->one;
}
