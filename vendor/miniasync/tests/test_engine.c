/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_engine.c -- every kernel, and the choice between them, to the byte
 *
 * Each size up to 4 KiB is copied to each of the 64 alignments within a line;
 * the alignment of the source runs through all 64 as the others change, and
 * "test_engine full" takes the product of all three (minutes). Where all is
 * slow, and in runs with features switched off, sizes go up in steps of 17,
 * with both in steps of 97. These are prime to the 64 alignments.
 */

#include "t.h"

#include <libminiasync/vdm.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "cputopo.h"
#include "engine.h"
#include "engine_kernels.h"

#define SMALL ((size_t)4096)
#define GUARD ((size_t)256) /* bytes looked at on both sides of a range */
#define FILL 0x2d /* what is there before */
#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

static char *program;
static bool full;
static bool is_child;

static size_t
step(void)
{
	if (T_SLOW > 1 || (T_SLOW && is_child))
		return 97;
	return T_SLOW || is_child ? 17 : 1;
}

/* Something that copies, and from which size on it can. */
struct copier {
	char name[32];
	void (*run)(const struct copier *copier, char *dst, const char *src,
		size_t n);
	const struct ma__kernels *kernels;
	uint64_t flags;
	size_t whole; /* 0: n */
	size_t min;
};

static void
by_copy(const struct copier *copier, char *dst, const char *src, size_t n)
{
	ma__copy(dst, src, n, copier->whole != 0 ? copier->whole : n,
		copier->flags);
}

static void
by_move(const struct copier *copier, char *dst, const char *src, size_t n)
{
	ma__move(dst, src, n, copier->whole != 0 ? copier->whole : n,
		copier->flags);
}

static void
by_forward(const struct copier *copier, char *dst, const char *src, size_t n)
{
	copier->kernels->forward(dst, src, n);
}

static void
by_backward(const struct copier *copier, char *dst, const char *src, size_t n)
{
	copier->kernels->backward(dst, src, n);
}

/* What non-temporal kernels do not take is copied beforehand. */
static void
by_nt(char *dst, const char *src, size_t n,
	void (*kernel)(char *, const char *, size_t))
{
	const size_t head = -(uintptr_t)dst % MA__NT_ALIGN;
	const size_t body = (n - head) / MA__NT_UNIT * MA__NT_UNIT;
	const size_t end = head + body;

	memcpy(dst, src, head);
	memcpy(dst + end, src + end, n - end);
	kernel(dst + head, src + head, body);
}

static void
by_nt_forward(const struct copier *copier, char *dst, const char *src, size_t n)
{
	by_nt(dst, src, n, copier->kernels->nt_forward);
}

static void
by_nt_backward(const struct copier *copier, char *dst, const char *src,
	size_t n)
{
	by_nt(dst, src, n, copier->kernels->nt_backward);
}

/* All copiers for ranges that do not overlap; the engine's come first. */
#define MAX_COPIERS 20
static struct copier copiers[MAX_COPIERS];
static size_t copier_count;

static void
add_copier(const char *set, const char *name,
	void (*run)(const struct copier *, char *, const char *, size_t),
	const struct ma__kernels *kernels, uint64_t flags, size_t whole,
	size_t min)
{
	struct copier *copier = &copiers[copier_count++];

	CHECK(copier_count <= MAX_COPIERS);
	snprintf(copier->name, sizeof(copier->name), "%s %s", set, name);
	copier->run = run;
	copier->kernels = kernels;
	copier->flags = flags;
	copier->whole = whole;
	copier->min = min;
}

/* The sets of kernels that this CPU can run, whatever is switched off. */
static size_t
kernel_sets(const struct ma__kernels *sets[2])
{
	static const unsigned features[] = {MA__CPU_SSE2, MA__CPU_AVX2};
	size_t count = 0;

	for (size_t i = 0; i < T_COUNT(features); i++)
		if (ma__cpu_features() & features[i]) {
			sets[count] = ma__kernels_choose(features[i]);
			CHECK(sets[count] != NULL);
			count++;
		}
	return count;
}

static void
list_copiers(void)
{
	const size_t huge = SIZE_MAX / 4;
	const struct ma__kernels *sets[2];
	const size_t count = kernel_sets(sets);

	add_copier("engine", "copy", by_copy, NULL, 0, 0, 0);
	add_copier("engine", "copy, huge", by_copy, NULL, 0, huge, 0);
	add_copier("engine", "copy, huge, hint", by_copy, NULL,
		VDM_F_NO_CACHE_HINT, huge, 0);
	add_copier("engine", "copy, durable", by_copy, NULL, VDM_F_MEM_DURABLE,
		0, 0);
	add_copier("engine", "move", by_move, NULL, 0, 0, 0);
	add_copier("engine", "move, durable", by_move, NULL, VDM_F_MEM_DURABLE,
		0, 0);
	/* What is switched off changes the choice, not the kernels. */
	for (size_t i = 0; i < count && !is_child; i++) {
		const struct ma__kernels *kernels = sets[i];

		add_copier(kernels->name, "forward", by_forward, kernels, 0, 0,
			MA__CACHED_MIN);
		add_copier(kernels->name, "backward", by_backward, kernels, 0,
			0, MA__CACHED_MIN);
		add_copier(kernels->name, "nt_forward", by_nt_forward, kernels,
			0, 0, MA__NT_ALIGN);
		add_copier(kernels->name, "nt_backward", by_nt_backward,
			kernels, 0, 0, MA__NT_ALIGN);
	}
}

static void
fail_at(const char *name, const void *dst, const void *src, size_t n,
	const char *what)
{
	char text[200];

	snprintf(text, sizeof(text), "%s: %zu bytes to %p from %p: %s", name, n,
		dst, src, what);
	t_fail(__FILE__, __LINE__, text);
}

static bool
all_are(const char *p, size_t n, char value)
{
	return n == 0 || (p[0] == value && memcmp(p, p + 1, n - 1) == 0);
}

/* Copies to dst, where FILL is and will be again, with FILL around it. */
static void
check_copy(const struct copier *copier, char *dst, const char *src, size_t n,
	size_t before, size_t after)
{
	copier->run(copier, dst, src, n);
	if (memcmp(dst, src, n) != 0)
		fail_at(copier->name, dst, src, n, "not copied");
	if (!all_are(dst - before, before, FILL))
		fail_at(copier->name, dst, src, n, "written before it");
	if (!all_are(dst + n, after, FILL))
		fail_at(copier->name, dst, src, n, "written behind it");
	memset(dst, FILL, n);
}

/* Memory that starts at a page and ends at one; both ends can be trapped. */
struct area {
	char *at;
	size_t size;
};

static struct area
make_area(size_t size, bool trapped)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct area area;
	char *map;

	area.size = (size + page - 1) & ~(page - 1);
	map = mmap(NULL, area.size + 2 * page, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(map != MAP_FAILED);
	area.at = map + page;
	if (trapped) {
		CHECK(mprotect(map, page, PROT_NONE) == 0);
		CHECK(mprotect(area.at + area.size, page, PROT_NONE) == 0);
	}
	return area;
}

static void
free_area(struct area area)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);

	CHECK(munmap(area.at - page, area.size + 2 * page) == 0);
}

static void
copies_every_size_at_every_alignment(void)
{
	struct area dst = make_area(SMALL + 64 + 2 * GUARD, false);
	struct area src = make_area(SMALL + 64, false);
	char *pristine = t_malloc(src.size);

	if (full)
		alarm(0);
	memset(dst.at, FILL, dst.size);
	t_fill(src.at, src.size, 1);
	memcpy(pristine, src.at, src.size);
	for (size_t i = 0; i < copier_count; i++)
		for (size_t n = copiers[i].min; n <= SMALL; n += step())
			for (size_t to = 0; to < 64; to++)
				for (size_t k = 0; k < (full ? 64 : 1); k++) {
					const size_t from =
						(37 * to + 11 * n + k) % 64;

					check_copy(&copiers[i],
						dst.at + GUARD + to,
						src.at + from, n, GUARD, GUARD);
				}
	CHECK(memcmp(src.at, pristine, src.size) == 0);
	free(pristine);
	free_area(src);
	free_area(dst);
}

/* Every combination of both ranges at the start and end of what is mapped. */
static void
copies_next_to_inaccessible_pages(void)
{
	struct area dst = make_area(256 * KIB, true);
	struct area src = make_area(256 * KIB, true);

	memset(dst.at, FILL, dst.size);
	t_fill(src.at, src.size, 2);
	for (size_t i = 0; i < copier_count; i++)
		for (size_t n = copiers[i].min; n <= 256 * KIB;
			n += n < SMALL ? step() : 9973)
			for (int ends = 0; ends < 4; ends++) {
				const size_t to = ends & 1 ? dst.size - n : 0;
				const size_t from = ends & 2 ? src.size - n : 0;
				const size_t rest = dst.size - n;
				const size_t guard =
					rest < GUARD ? rest : GUARD;

				check_copy(&copiers[i], dst.at + to,
					src.at + from, n, ends & 1 ? guard : 0,
					ends & 1 ? 0 : guard);
			}
	free_area(src);
	free_area(dst);
}

/* Distances at which loads seem to depend on stores have a kernel of theirs. */
static void
copies_over_treacherous_distances(void)
{
	static const size_t sizes[] = {
		2047, 2048, 2049, 4096, 5000, 16384, 65537};
	struct area area = make_area(256 * KIB, false);

	for (size_t i = 0; i < copier_count; i++)
		for (size_t s = 0; s < T_COUNT(sizes); s++)
			for (int d = -70; d <= 300; d += (int)step()) {
				const size_t n = sizes[s];
				const size_t distance = (size_t)(d + 4096 +
					(int)((n + GUARD) & ~(size_t)4095) +
					4096);
				char *src = area.at + 64 + s;
				char *dst = src + distance;

				t_fill(src, n, 3);
				memset(dst - GUARD, FILL, n + 2 * GUARD);
				check_copy(&copiers[i], dst, src, n, GUARD,
					GUARD);
			}
	free_area(area);
}

/* Where moves take place, the same bytes again, room for a copy, and others. */
static struct area moved, expected, between, fresh;

static void
set_up_moves(size_t size)
{
	moved = make_area(size, false);
	expected = make_area(size, false);
	between = make_area(size, false);
	fresh = make_area(size + SMALL, false);
	t_fill(fresh.at, fresh.size, 4);
	memcpy(moved.at, fresh.at, moved.size);
	memcpy(expected.at, moved.at, moved.size);
}

static void
tear_down_moves(void)
{
	free_area(moved);
	free_area(expected);
	free_area(between);
	free_area(fresh);
}

/*
 * Moves n bytes within `moved`, and in `expected` by way of `between`. What is
 * around has to stay as it was.
 */
static void
check_move(const struct copier *copier, size_t to, size_t from, size_t n)
{
	const size_t low = (to < from ? to : from) - GUARD;
	const size_t high = (to < from ? from : to) + n + GUARD;

	CHECK(low < high && high <= moved.size);
	memcpy(between.at, expected.at + from, n);
	memcpy(expected.at + to, between.at, n);
	copier->run(copier, moved.at + to, moved.at + from, n);
	if (memcmp(moved.at + low, expected.at + low, high - low) != 0)
		fail_at(copier->name, moved.at + to, moved.at + from, n,
			"not moved well");
	/* Repeated moves make neighbours alike: renew the bytes. */
	memcpy(moved.at + low, fresh.at + (61 * n + to) % SMALL, high - low);
	memcpy(expected.at + low, moved.at + low, high - low);
}

static const struct copier moves[] = {
	{"move", by_move, NULL, 0, 0, 0},
	{"move, durable", by_move, NULL, VDM_F_MEM_DURABLE, 0, 0},
	{"move, huge", by_move, NULL, 0, SIZE_MAX / 4, 0},
};

static void
moves_every_size_over_itself(void)
{
	static const size_t shifts[] = {0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 32,
		33, 63, 64, 65, 100, 127, 128, 129, 255, 256, 511, 512, 1000,
		2047, 2048, 3000, 4031, 4064, 4080, 4095};

	set_up_moves(4 * SMALL);
	for (size_t i = 0; i < T_COUNT(moves); i++)
		for (size_t s = 0; s < T_COUNT(shifts); s++)
			for (size_t n = 1; n <= SMALL; n += full ? 1 : step()) {
				const size_t low =
					GUARD + (11 * n + 5 * s) % 64;
				const size_t high = low + shifts[s];

				check_move(&moves[i], low, high, n);
				check_move(&moves[i], high, low, n);
			}
	tear_down_moves();
}

/* Shifts on both sides of what non-temporal stores and the loop are for. */
static void
moves_long_ranges_over_themselves(void)
{
	static const size_t shifts[] = {1, 4064, 4065, 4095, 4096, 8191, 12283,
		65535, 65536, 65537, 70001, 131071, 200000};
	const int rounds = step() == 1 ? 8 : 2;
	uint64_t state = 5;

	set_up_moves(1 * MIB);
	for (size_t i = 0; i < T_COUNT(moves); i++)
		for (size_t s = 0; s < T_COUNT(shifts); s++)
			for (int round = 0; round < rounds; round++) {
				const size_t n = shifts[s] +
					t_random(&state) % (300 * KIB);
				const size_t low =
					GUARD + t_random(&state) % 64;
				const size_t high = low + shifts[s];

				check_move(&moves[i], low, high, n);
				check_move(&moves[i], high, low, n);
			}
	tear_down_moves();
}

/* The kernels that allow it, at the least distance that they allow. */
static void
kernels_move_over_themselves(void)
{
	const struct ma__kernels *sets[2];
	const size_t count = kernel_sets(sets);

	if (is_child)
		return;
	set_up_moves(16 * KIB);
	for (size_t i = 0; i < count; i++)
		for (size_t n = MA__CACHED_MIN; n <= SMALL; n += step()) {
			const size_t body = n / MA__NT_UNIT * MA__NT_UNIT;
			const size_t at = 4 * MA__NT_UNIT;
			const size_t near = MA__NT_UNIT + n % 64;
			struct copier copier = {"kernel, over itself",
				by_forward, sets[i], 0, 0, 0};

			check_move(&copier, at + n % 61,
				at + n % 61 + MA__CACHED_MIN + n % 67, n);
			copier.run = by_nt_forward;
			check_move(&copier, at, at + near, body);
			copier.run = by_nt_backward;
			check_move(&copier, at, at - near, body);
		}
	tear_down_moves();
}

static void
check_fill(char *dst, int c, size_t n, size_t whole, uint64_t flags)
{
	ma__fill(dst, c, n, whole, flags);
	if (!all_are(dst, n, (char)c) || !all_are(dst - GUARD, GUARD, FILL) ||
		!all_are(dst + n, GUARD, FILL))
		fail_at("fill", dst, NULL, n, "not filled well");
	memset(dst, FILL, n);
}

static void
fills_every_size_at_every_alignment(void)
{
	static const int values[] = {0, 0x5a, 0xff, -1, 0x1234, 128};
	const struct ma__kernels *sets[2];
	const size_t count = kernel_sets(sets);
	struct area dst = make_area(SMALL + 64 + 2 * GUARD, false);

	memset(dst.at, FILL, dst.size);
	for (size_t n = 0; n <= SMALL; n += step())
		for (size_t to = 0; to < 64; to++) {
			const int c = values[(n + to) % T_COUNT(values)];
			char *at = dst.at + GUARD + to;

			check_fill(at, c, n, n, 0);
			check_fill(at, c, n, SIZE_MAX, VDM_F_NO_CACHE_HINT);
			check_fill(at, c, n, n, VDM_F_MEM_DURABLE);
		}
	for (size_t i = 0; i < count && !is_child; i++)
		for (size_t n = 0; n <= SMALL; n += MA__NT_UNIT) {
			char *at = dst.at + 2 * GUARD;

			at -= (uintptr_t)at % MA__NT_ALIGN;
			sets[i]->nt_fill(at, 0x77, n);
			CHECK(all_are(at, n, 0x77));
			CHECK(all_are(at - GUARD, GUARD, FILL));
			CHECK(all_are(at + n, GUARD, FILL));
			memset(at, FILL, n);
		}
	free_area(dst);
}

static void
fills_next_to_inaccessible_pages(void)
{
	struct area dst = make_area(64 * KIB, true);

	for (size_t n = 0; n <= dst.size; n += n < SMALL ? step() : 9973)
		for (unsigned flags = 0; flags <= VDM_F_VALID_FLAGS; flags++) {
			memset(dst.at, FILL, dst.size);
			ma__fill(dst.at, 1, n, SIZE_MAX, flags);
			CHECK(all_are(dst.at, n, 1));
			CHECK(all_are(dst.at + n, dst.size - n, FILL));
			ma__fill(dst.at + dst.size - n, 2, n, SIZE_MAX, flags);
			CHECK(all_are(dst.at + dst.size - n, n, 2));
		}
	free_area(dst);
}

static void
run_with(void *arg)
{
	const char *const *variable = arg;

	setenv(variable[0], variable[1], 1);
	setenv("TEST_ENGINE_CHILD", "1", 1);
	T_EXEC(program, (char *)NULL);
	_exit(1);
}

/* All of the above, with less of a CPU and with other thresholds. */
static void
once_more_with_less(void)
{
	static const char *runs[][2] = {
		{"MINIASYNC_CPU_FEATURES", "-avx2"},
		{"MINIASYNC_CPU_FEATURES", "-avx2,-sse2"},
		{"MINIASYNC_CPU_FEATURES", "-clwb"},
		{"MINIASYNC_CPU_FEATURES", "-clflushopt,-clwb"},
		{"MINIASYNC_CPU_FEATURES", "-clflush,-clflushopt,-clwb"},
		{"MINIASYNC_CPU_FEATURES", "-dcpop"},
		{"MINIASYNC_NT_THRESHOLD", "3000"},
	};

	if (is_child)
		return;
	for (size_t i = 0; i < T_COUNT(runs); i++)
		CHECK_CHILD(run_with, runs[i], 60);
}

int
main(int argc, char *argv[])
{
	static const struct t_case cases[] = {
		T_CASE(copies_every_size_at_every_alignment),
		T_CASE(copies_next_to_inaccessible_pages),
		T_CASE(copies_over_treacherous_distances),
		T_CASE(moves_every_size_over_itself),
		T_CASE(moves_long_ranges_over_themselves),
		T_CASE(kernels_move_over_themselves),
		T_CASE(fills_every_size_at_every_alignment),
		T_CASE(fills_next_to_inaccessible_pages),
		T_CASE(once_more_with_less),
	};

	program = argv[0];
	is_child = getenv("TEST_ENGINE_CHILD") != NULL;
	full = argc == 2 && strcmp(argv[1], "full") == 0;
	list_copiers();
	return t_run(cases, T_COUNT(cases), full ? 1 : argc, argv);
}
