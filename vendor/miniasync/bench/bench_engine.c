/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_engine.c -- the copy engine and each of its kernels against libc
 *
 * usage: bench_engine [copy] [misaligned] [fill] [move] [alias] [durable]
 *
 * For people, one table a section; no argument means all of them. A row is
 * one size: libc in GB/s, the others as multiples of libc's speed. The entries
 * of a row are timed in turn, many times over, and medians are compared, since
 * a shared machine changes its speed from second to second. Each timed run
 * follows one of its own kind, so that no kernel inherits another's caches.
 * All memory has been written before, with bytes other than zero.
 */

#define _GNU_SOURCE

#include <libminiasync/vdm.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cputopo.h"
#include "engine.h"
#include "engine_kernels.h"
#include "flush.h"
#include "stats.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define MAX_SIZE (256 * MIB)
#define SLACK (64 * KIB)
#define MAX_ENTRIES 12
#define MAX_ROUNDS 64

/* One thing to time: a function, and what the kernels among them are of. */
struct entry {
	const char *name;
	void (*run)(const struct entry *entry, char *dst, const char *src,
		size_t n);
	const struct ma__kernels *kernels;
	uint64_t flags;
	size_t below; /* its source starts so far below the others' */
};

/* What fills write; zeros are faster than anything else on some machines. */
static int fill_byte = 0x5a;

/* CPU time: what else runs on the machine does not count while it runs. */
static uint64_t
cpu_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static void
libc_copy(const struct entry *entry, char *dst, const char *src, size_t n)
{
	memcpy(dst, src, n);
	if (entry->flags & VDM_F_MEM_DURABLE)
		ma__flush(dst, n);
}

static void
libc_move(const struct entry *entry, char *dst, const char *src, size_t n)
{
	(void)entry;
	memmove(dst, src, n);
}

static void
libc_fill(const struct entry *entry, char *dst, const char *src, size_t n)
{
	(void)src;
	memset(dst, fill_byte, n);
	if (entry->flags & VDM_F_MEM_DURABLE)
		ma__flush(dst, n);
}

static void
engine_copy(const struct entry *entry, char *dst, const char *src, size_t n)
{
	ma__copy(dst, src, n, n, entry->flags);
}

static void
engine_move(const struct entry *entry, char *dst, const char *src, size_t n)
{
	ma__move(dst, src, n, n, entry->flags);
}

static void
engine_fill(const struct entry *entry, char *dst, const char *src, size_t n)
{
	(void)src;
	ma__fill(dst, fill_byte, n, n, entry->flags);
}

/* The kernels themselves; ends that they do not take are left out. */
static void
kernel_forward(const struct entry *entry, char *dst, const char *src, size_t n)
{
	entry->kernels->forward(dst, src, n);
}

static void
kernel_backward(const struct entry *entry, char *dst, const char *src, size_t n)
{
	entry->kernels->backward(dst, src, n);
}

static void
kernel_nt_forward(const struct entry *entry, char *dst, const char *src,
	size_t n)
{
	const size_t skip = -(uintptr_t)dst % MA__NT_ALIGN;

	entry->kernels->nt_forward(dst + skip, src + skip,
		(n - skip) / MA__NT_UNIT * MA__NT_UNIT);
}

static void
kernel_nt_backward(const struct entry *entry, char *dst, const char *src,
	size_t n)
{
	const size_t skip = -(uintptr_t)dst % MA__NT_ALIGN;

	entry->kernels->nt_backward(dst + skip, src + skip,
		(n - skip) / MA__NT_UNIT * MA__NT_UNIT);
}

static void
kernel_nt_fill(const struct entry *entry, char *dst, const char *src, size_t n)
{
	const size_t skip = -(uintptr_t)dst % MA__NT_ALIGN;

	(void)src;
	entry->kernels->nt_fill(dst + skip, fill_byte,
		(n - skip) / MA__NT_UNIT * MA__NT_UNIT);
}

/* Nanoseconds of one call of each entry: medians of interleaved rounds. */
static void
measure(const struct entry *entries, size_t count, char *dst, const char *src,
	size_t n, double *ns)
{
	static double samples[MAX_ENTRIES][MAX_ROUNDS];
	const size_t calls = n < 512 * KIB ? 512 * KIB / n : 1;
	const size_t rounds = n <= 4 * MIB ? 41 : n <= 32 * MIB ? 21 : 9;
	/* until the caches hold what this kernel leaves in them */
	const size_t warm_ups = n <= 32 * MIB ? 3 : 1;

	for (size_t round = 0; round < rounds; round++) {
		/* Strides prime to their number vary the neighbours. */
		const size_t stride = count % 5 != 0 && round % 2 ? 5 : 1;

		for (size_t turn = 0; turn < count; turn++) {
			const size_t i = (round + turn * stride) % count;
			const struct entry *entry = &entries[i];
			const char *from = src - entry->below;
			uint64_t start;

			for (size_t call = 0; call < warm_ups; call++)
				entry->run(entry, dst, from, n);
			start = cpu_ns();
			for (size_t call = 0; call < calls; call++)
				entry->run(entry, dst, from, n);
			samples[i][round] =
				(double)(cpu_ns() - start) / (double)calls;
		}
	}
	for (size_t i = 0; i < count; i++)
		ns[i] = median(samples[i], rounds);
}

static void
print_header(const char *title, const struct entry *entries, size_t count)
{
	printf("\n%s\n%9s %7s", title, "KiB", "GB/s");
	for (size_t i = 1; i < count; i++)
		printf(" %9s", entries[i].name);
	printf("\n");
}

static void
print_row(const struct entry *entries, size_t count, char *dst, const char *src,
	size_t n)
{
	double ns[MAX_ENTRIES];

	measure(entries, count, dst, src, n, ns);
	printf("%9zu %7.2f", n / KIB, (double)n / ns[0]);
	for (size_t i = 1; i < count; i++)
		printf(" %9.2f", ns[0] / ns[i]);
	printf("\n");
	fflush(stdout);
}

/* Adds an entry for each set of kernels that this machine can run. */
static size_t
add_kernels(struct entry *entries, size_t count, const char *what,
	void (*run)(const struct entry *, char *, const char *, size_t))
{
	static const unsigned sets[] = {MA__CPU_SSE2, MA__CPU_AVX2};
	static char names[64][16];
	static size_t used;

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		if (!(ma__engine_config()->features & sets[i]))
			continue;
		entries[count].kernels = ma__kernels_choose(sets[i]);
		snprintf(names[used], sizeof(names[used]), "%.7s%s",
			entries[count].kernels->name, what);
		entries[count].name = names[used++];
		entries[count].run = run;
		entries[count].flags = 0;
		entries[count].below = 0;
		count++;
	}
	return count;
}

static const size_t sizes[] = {4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB,
	2 * MIB, 4 * MIB, 6 * MIB, 8 * MIB, 10 * MIB, 12 * MIB, 16 * MIB,
	24 * MIB, 32 * MIB, 64 * MIB, 128 * MIB, 256 * MIB};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static void
copies(const char *title, char *dst, const char *src)
{
	struct entry entries[MAX_ENTRIES] = {
		{"libc", libc_copy, NULL, 0, 0},
		{"engine", engine_copy, NULL, 0, 0},
		{"hint", engine_copy, NULL, VDM_F_NO_CACHE_HINT, 0},
	};
	size_t count = 3;

	count = add_kernels(entries, count, "/nt", kernel_nt_forward);
	count = add_kernels(entries, count, "/fw", kernel_forward);
	count = add_kernels(entries, count, "/bw", kernel_backward);
	print_header(title, entries, count);
	for (size_t i = 0; i < SIZES; i++)
		print_row(entries, count, dst, src, sizes[i]);
}

static void
fills(const char *title, char *dst, int c)
{
	struct entry entries[MAX_ENTRIES] = {
		{"libc", libc_fill, NULL, 0, 0},
		{"engine", engine_fill, NULL, 0, 0},
		{"hint", engine_fill, NULL, VDM_F_NO_CACHE_HINT, 0},
	};
	size_t count = 3;

	count = add_kernels(entries, count, "/nt", kernel_nt_fill);
	print_header(title, entries, count);
	fill_byte = c;
	for (size_t i = 0; i < SIZES; i++)
		print_row(entries, count, dst, NULL, sizes[i]);
	fill_byte = 0x5a;
}

/* Source and destination in one buffer, `shift` apart. */
static void
moves(char *buffer, size_t shift, bool up)
{
	struct entry entries[MAX_ENTRIES] = {
		{"libc", libc_move, NULL, 0, 0},
		{"engine", engine_move, NULL, 0, 0},
	};
	size_t count = 2;
	char title[64];

	snprintf(title, sizeof(title), "move %s by %zu bytes",
		up ? "up" : "down", shift);
	count = add_kernels(entries, count, "/nt",
		up ? kernel_nt_backward : kernel_nt_forward);
	print_header(title, entries, count);
	for (size_t i = 2; i < SIZES; i++)
		if (shift < sizes[i] && sizes[i] < MAX_SIZE)
			print_row(entries, count, up ? buffer + shift : buffer,
				up ? buffer : buffer + shift, sizes[i]);
}

static void
durable(char *dst, const char *src)
{
	const struct entry entries[] = {
		{"libc", libc_copy, NULL, VDM_F_MEM_DURABLE, 0},
		{"engine", engine_copy, NULL, VDM_F_MEM_DURABLE, 0},
		{"lc fill", libc_fill, NULL, VDM_F_MEM_DURABLE, 0},
		{"fill", engine_fill, NULL, VDM_F_MEM_DURABLE, 0},
	};

	print_header("durable copy and fill (libc: and written back)", entries,
		4);
	for (size_t n = 256; n < 4 * KIB; n *= 2)
		print_row(entries, 4, dst, src, n);
	for (size_t i = 0; i < SIZES; i++)
		print_row(entries, 4, dst, src, sizes[i]);
}

/*
 * The speed of copies over distances close to a power of two, relative to
 * libc's there and to the engine's own over distances a little larger that
 * misalign them in the same way. All of a point are timed in turn: where both
 * ranges just fit into the first cache, copies are at half their speed as soon
 * as somebody else uses it, and come back when they have gone.
 */
#define BASES 4

static void
aliasing(char *buffer)
{
	static const size_t alias_sizes[] = {
		4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB};
	struct entry entries[2 + BASES] = {
		{"libc", libc_copy, NULL, 0, 0},
		{"engine", engine_copy, NULL, 0, 0},
	};
	char *dst = buffer + 8 * MIB;

	printf("\naliasing: distance 2^k + d, k = 12..22, d = -64..64\n");
	printf("%9s %7s %26s %26s\n", "KiB", "points",
		"of unaliased: min p1 below", "of libc: min p1 below .85");
	for (size_t s = 0; s < 5; s++) {
		static double own[11 * 129], libc[11 * 129];
		const size_t n = alias_sizes[s];
		const double floor = n == 4 * KIB ? 0.5 : 0.6;
		size_t points = 0, slow = 0, slower = 0, worst = 0;
		int worst_k = 0, worst_d = 0;

		for (int k = 12; k <= 22; k++)
			for (int d = -64; d <= 64; d++) {
				const size_t power = (size_t)1 << k;
				const size_t distance = power + (size_t)d;
				double ns[2 + BASES];

				if (n > distance)
					continue;
				for (size_t i = 0; i < BASES; i++)
					entries[2 + i] = (struct entry){"base",
						engine_copy, NULL, 0,
						512 * (i + 1) - (size_t)d +
							((size_t)d & 63)};
				measure(entries, 2 + BASES, dst, dst - distance,
					n, ns);
				own[points] = median(ns + 2, BASES) / ns[1];
				libc[points] = ns[0] / ns[1];
				if (points == 0 || own[points] < own[worst]) {
					worst = points;
					worst_k = k;
					worst_d = d;
				}
				slow += own[points] < floor;
				slower += libc[points] < 0.85;
				points++;
			}
		printf("%9zu %7zu %11.2f %5.2f %8zu %11.2f %5.2f %8zu"
		       "   (worst k %d d %d)\n",
			n / KIB, points, percentile(own, points, 0),
			percentile(own, points, 0.01), slow,
			percentile(libc, points, 0),
			percentile(libc, points, 0.01), slower, worst_k,
			worst_d);
		fflush(stdout);
	}
}

static bool
wanted(const char *section, int argc, char *argv[])
{
	bool is_wanted = argc < 2;

	for (int i = 1; i < argc; i++)
		is_wanted |= strcmp(argv[i], section) == 0;
	return is_wanted;
}

int
main(int argc, char *argv[])
{
	const struct ma__engine_config *config = ma__engine_config();
	const char *const *names = ma__cpu_feature_names();
	char *a = memory_new(MAX_SIZE + SLACK);
	char *b = memory_new(MAX_SIZE + SLACK);

	printf("features:");
	for (unsigned i = 0; i < MA__CPU_COUNT; i++)
		if (config->features & 1U << i)
			printf(" %s", names[i]);
	printf("\nkernels %s, write-back by %s\n",
		config->kernels != NULL ? config->kernels->name : "libc",
		ma__flush_name());
	printf("caches %zu, %zu, %zu KiB; non-temporal from: copy %zu, fill "
	       "%zu, zeros %zu, with hint %zu, %zu, %zu KiB\n",
		config->l1d / KIB, config->l2 / KIB, config->l3 / KIB,
		config->nt_copy_min / KIB, config->nt_fill_min / KIB,
		config->nt_zero_min / KIB, config->nt_copy_hint_min / KIB,
		config->nt_fill_hint_min / KIB, config->nt_zero_hint_min / KIB);
	printf("loops of its own up to %zu KiB", config->forward_max / KIB);
	if (config->forward_askew_max > config->forward_max)
		printf(", aligned differently any size");
	if (config->backward_max > config->forward_max)
		printf(", at aliasing distances any size");
	printf("\n");

	if (wanted("copy", argc, argv))
		copies("copy, aligned", a, b);
	if (wanted("misaligned", argc, argv))
		copies("copy, source at 8200 + 13, destination at 7", a + 7,
			b + 8213);
	if (wanted("fill", argc, argv)) {
		fills("fill", a, 0x5a);
		fills("fill with zeros", a, 0);
	}
	if (wanted("move", argc, argv)) {
		static const size_t shifts[] = {
			1, 64, 1000, 4095, 4 * KIB, 64 * KIB, MIB, 8 * MIB};

		for (size_t i = 0; i < sizeof(shifts) / sizeof(shifts[0]); i++)
			for (int up = 0; up < 2; up++)
				moves(a, shifts[i], up);
	}
	if (wanted("alias", argc, argv))
		aliasing(a);
	if (wanted("durable", argc, argv))
		durable(a, b);
	return 0;
}
