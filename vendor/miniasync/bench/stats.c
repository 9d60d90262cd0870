/* SPDX-License-Identifier: BSD-3-Clause */
/* stats.c -- clocks, samples, and memory to work on */

#define _GNU_SOURCE

#include "stats.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void *(*volatile libc_memcpy)(void *, const void *, size_t) = memcpy;
void *(*volatile libc_memmove)(void *, const void *, size_t) = memmove;
void *(*volatile libc_memset)(void *, int, size_t) = memset;

uint64_t
clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

uint64_t
now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t
ticks(void)
{
#if defined(__GNUC__) && defined(__x86_64__)
	unsigned cpu;

	/* The one that waits for the instructions before it. */
	return __builtin_ia32_rdtscp(&cpu);
#else
	return now_ns();
#endif
}

static double
ns_per_tick(void)
{
	static double known;

	if (known == 0) {
		const uint64_t start_ns = now_ns();
		const uint64_t start = ticks();

		while (now_ns() - start_ns < 20000000)
			;
		known = (double)(now_ns() - start_ns) /
			(double)(ticks() - start);
	}
	return known;
}

/* The ticks that pass between two looks at the clock. */
static double
empty_span(void)
{
	static double known;
	static double spans[1001];

	if (known == 0) {
		for (size_t i = 0; i < 1001; i++) {
			const uint64_t start = ticks();

			spans[i] = (double)(ticks() - start);
		}
		known = rounded_median(spans, 1001);
	}
	return known;
}

double
ticks_to_ns(uint64_t span)
{
	return ((double)span - empty_span()) * ns_per_tick();
}

void
rest_ns(uint64_t ns)
{
	struct timespec ts;

	ts.tv_sec = (time_t)(ns / 1000000000U);
	ts.tv_nsec = (long)(ns % 1000000000U);
	while (nanosleep(&ts, &ts) != 0 && errno == EINTR)
		;
}

static int
compare(const void *a, const void *b)
{
	const double x = *(const double *)a;
	const double y = *(const double *)b;

	return (x > y) - (x < y);
}

double
percentile(double *values, size_t count, double part)
{
	size_t at = (size_t)((double)count * part);

	qsort(values, count, sizeof(*values), compare);
	return values[at < count ? at : count - 1];
}

double
median(double *values, size_t count)
{
	return percentile(values, count, 0.5);
}

double
rounded_median(double *values, size_t count)
{
	const double middle = median(values, count);
	double step = 0;
	size_t below = 0;
	size_t same = 0;

	for (size_t i = 0; i < count; i++) {
		const double more = i > 0 ? values[i] - values[i - 1] : 0;

		if (more > 0 && (step == 0 || more < step))
			step = more;
		below += values[i] < middle;
		same += values[i] == middle;
	}
	return middle +
		step *
		(((double)count / 2 - (double)below) / (double)same - 0.5);
}

char *
memory_new(size_t size)
{
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		perror("benchmark: mmap");
		exit(1);
	}
	memset(memory, 0x31, size);
	return memory;
}

void
memory_delete(char *memory, size_t size)
{
	munmap(memory, size);
}

const char *
size_name(size_t bytes)
{
	static char names[4][24];
	static unsigned next;
	char *name = names[next++ % 4];

	if (bytes >= (size_t)1 << 20)
		snprintf(name, 24, "%zu MiB", bytes >> 20);
	else if (bytes >= (size_t)1 << 10)
		snprintf(name, 24, "%zu KiB", bytes >> 10);
	else
		snprintf(name, 24, "%zu B", bytes);
	return name;
}
