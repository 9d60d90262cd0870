/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_engine_choice.c -- what the engine goes by, and which kernel it takes
 *
 * The configuration is made once in a process. Cases that look at it run in
 * children of a process that has not, so that each has its own environment.
 */

#include "t.h"

#include <libminiasync/vdm.h>
#include <stdbool.h>

#include "cputopo.h"
#include "engine.h"
#include "engine_kernels.h"
#include "engine_measure.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

static const uint64_t hint = VDM_F_NO_CACHE_HINT;
static const uint64_t durable = VDM_F_MEM_DURABLE;

static pthread_barrier_t barrier;

static void *
call_first(void *arg)
{
	const struct ma__engine_config **seen = arg;

	pthread_barrier_wait(&barrier);
	*seen = ma__engine_config();
	CHECK((*seen)->nt_copy_min != 0);
	return NULL;
}

static void
call_at_once(void *arg)
{
	enum { THREADS = 8 };
	const struct ma__engine_config *seen[THREADS];
	pthread_t threads[THREADS];

	(void)arg;
	CHECK(pthread_barrier_init(&barrier, NULL, THREADS) == 0);
	for (int i = 0; i < THREADS; i++)
		t_start(&threads[i], call_first, &seen[i]);
	for (int i = 0; i < THREADS; i++)
		t_join(threads[i]);
	for (int i = 0; i < THREADS; i++)
		CHECK(seen[i] == ma__engine_config());
}

static void
first_calls_agree(void)
{
	CHECK_CHILD(call_at_once, NULL, 30);
}

/* The size that the system gives for a cache, 0 if it says nothing. */
static size_t
system_l3(void)
{
	size_t l3 = 0;

	for (int i = 0; i < 8; i++) {
		const char *dir = "/sys/devices/system/cpu/cpu0/cache";
		char path[128];
		unsigned long kib;
		int level;
		FILE *file;

		snprintf(path, sizeof(path), "%s/index%d/level", dir, i);
		file = fopen(path, "r");
		if (file == NULL)
			break;
		if (fscanf(file, "%d", &level) != 1)
			level = 0;
		fclose(file);
		snprintf(path, sizeof(path), "%s/index%d/size", dir, i);
		file = fopen(path, "r");
		if (file == NULL)
			break;
		if (level == 3 && fscanf(file, "%luK", &kib) == 1)
			l3 = kib * KIB;
		fclose(file);
	}
	return l3;
}

static void
look_at_defaults(void *arg)
{
	const struct ma__engine_config *config = ma__engine_config();
	const size_t l3 = config->l3 != 0 ? config->l3 : 32 * MIB;

	(void)arg;
	CHECK(config == ma__engine_config());
	CHECK_INT(config->features, ma__cpu_features());
	CHECK(config->kernels == ma__kernels_choose(config->features));
	CHECK(config->nt_copy_min < l3);
	CHECK(config->nt_copy_hint_min <= config->nt_copy_min);
	CHECK(config->nt_copy_hint_min > l3 / 8);
	CHECK(config->nt_fill_min > l3);
	CHECK(config->nt_fill_hint_min <= config->nt_fill_min);
	CHECK(config->nt_zero_min < config->nt_fill_min);
	CHECK(config->nt_zero_hint_min < config->nt_fill_hint_min);
#if defined(__x86_64__)
	CHECK(config->features & MA__CPU_SSE2);
	CHECK(config->kernels != NULL);
#else
	CHECK(config->kernels == NULL);
#endif
	if (config->l3 != 0 && system_l3() != 0)
		CHECK_INT(config->l3, system_l3());
	if (config->l2 != 0)
		CHECK(config->l1d < config->l2);
}

static void
defaults_are_those_of_the_machine(void)
{
	CHECK_CHILD(look_at_defaults, NULL, 30);
}

struct override {
	const char *variable;
	const char *value;
	unsigned off; /* features expected to be off */
	size_t nt_copy; /* expected thresholds, 0: the default */
	size_t nt_fill;
};

static void
look_at_override(void *arg)
{
	const struct override *override = arg;
	const struct ma__engine_config *config;
	struct ma__caches caches;
	size_t l3;

	CHECK(setenv(override->variable, override->value, 1) == 0);
	config = ma__engine_config();
	ma__cpu_caches(&caches);
	l3 = caches.l3 != 0 ? caches.l3 : 32 * MIB;
	CHECK_INT(config->features, ma__cpu_features() & ~override->off);
	CHECK(config->kernels == ma__kernels_choose(config->features));
	if (override->nt_copy != 0) {
		CHECK_INT(config->nt_copy_min, override->nt_copy);
		CHECK_INT(config->nt_copy_hint_min, override->nt_copy);
	} else {
		CHECK_INT(config->nt_copy_min, l3 / 16 * 7);
	}
	if (override->nt_fill != 0) {
		CHECK_INT(config->nt_fill_min, override->nt_fill);
		CHECK_INT(config->nt_fill_hint_min, override->nt_fill);
		CHECK_INT(config->nt_zero_min, override->nt_fill);
		CHECK_INT(config->nt_zero_hint_min, override->nt_fill);
	} else {
		CHECK_INT(config->nt_fill_min, l3 * 2);
		CHECK_INT(config->nt_zero_min, l3);
	}
}

static void
environment_overrides(void)
{
	static const char features[] = "MINIASYNC_CPU_FEATURES";
	static const char copy[] = "MINIASYNC_NT_THRESHOLD";
	static const char fill[] = "MINIASYNC_NT_FILL_THRESHOLD";
	static struct override overrides[] = {
		{features, "-avx2", MA__CPU_AVX2, 0, 0},
		{features, "-avx2,-sse2", MA__CPU_AVX2 | MA__CPU_SSE2, 0, 0},
		{features, "-clwb,,-nothing,-clflush,",
			MA__CPU_CLWB | MA__CPU_CLFLUSH, 0, 0},
		{features, "-clflushopt,-dcpop",
			MA__CPU_CLFLUSHOPT | MA__CPU_DCPOP, 0, 0},
		{features, "-waitpkg", MA__CPU_WAITPKG, 0, 0},
		{features, "", 0, 0, 0},
		{features, ",", 0, 0, 0},
		{features, "-", 0, 0, 0},
		{features, "avx2,+avx2, -avx2,-avx,-avx22,-AVX2", 0, 0, 0},
		{copy, "123456", 0, 123456, 0},
		{copy, "18446744073709551615", 0, SIZE_MAX, 0},
		{copy, "18446744073709551616", 0, 0, 0},
		{copy, "12M", 0, 0, 0},
		{copy, "-1", 0, 0, 0},
		{copy, "", 0, 0, 0},
		{fill, "1", 0, 0, 1},
		{fill, "0x10", 0, 0, 0},
	};

	for (size_t i = 0; i < T_COUNT(overrides); i++)
		CHECK_CHILD(look_at_override, &overrides[i], 30);
}

/* A machine to choose for, thresholds in round figures. */
static struct ma__engine_config
some_config(const struct ma__kernels *kernels)
{
	struct ma__engine_config config;

	memset(&config, 0, sizeof(config));
	config.nt_copy_min = 3000000;
	config.nt_copy_hint_min = 2000000;
	config.nt_fill_min = 9000000;
	config.nt_fill_hint_min = 5000000;
	config.nt_zero_min = 4000000;
	config.nt_zero_hint_min = 1000000;
	config.nt_move_shift_min = 65536;
	config.backward_max = SIZE_MAX;
	config.l1d = 32768;
	config.kernels = kernels;
	return config;
}

static const struct ma__kernels some_kernels = {.backward_below = 256};

struct choice {
	uintptr_t dst;
	uintptr_t src;
	size_t n;
	size_t whole;
	uint64_t flags;
	enum ma__path path;
};

static void
chooses_for_copies(void)
{
	static const struct choice choices[] = {
		/* by the size of the whole */
		{1 << 30, 0, 4096, 2999999, 0, MA__PATH_LIBC},
		{1 << 30, 0, 4096, 3000000, 0, MA__PATH_NT_FORWARD},
		{1 << 30, 0, 1000, 3000000, 0, MA__PATH_LIBC},
		/* by flags */
		{1 << 30, 0, 4096, 1999999, hint, MA__PATH_LIBC},
		{1 << 30, 0, 4096, 2000000, hint, MA__PATH_NT_FORWARD},
		{1 << 30, 0, 4096, 4096, durable, MA__PATH_NT_FORWARD},
		{1 << 30, 0, 100, 100, durable, MA__PATH_LIBC},
		/* by how source and destination lie */
		{(1 << 30) + 1, 0, 4096, 4096, 0, MA__PATH_BACKWARD},
		{(1 << 30) + 255, 0, 4096, 4096, 0, MA__PATH_BACKWARD},
		{(1 << 30) + 257, 0, 4096, 4096, 0, MA__PATH_LIBC},
		{(1 << 30) + 32, 0, 4096, 4096, 0, MA__PATH_LIBC},
		{(1 << 30) - 1, 0, 4096, 4096, 0, MA__PATH_LIBC},
		{5, (1 << 30) + 4, 4096, 4096, 0, MA__PATH_BACKWARD},
		{4, (1 << 30) + 5, 4096, 4096, 0, MA__PATH_LIBC},
		{(1 << 30) + 1, 0, 2047, 2047, 0, MA__PATH_LIBC},
		{(1 << 30) + 1, 0, 4096, 3000000, 0, MA__PATH_NT_FORWARD},
	};
	const struct ma__engine_config config = some_config(&some_kernels);
	const struct ma__engine_config bare = some_config(NULL);

	for (size_t i = 0; i < T_COUNT(choices); i++) {
		const struct choice *c = &choices[i];
		const void *dst = (const void *)c->dst;
		const void *src = (const void *)c->src;

		CHECK_INT(ma__copy_path(&config, dst, src, c->n, c->whole,
				  c->flags),
			c->path);
		CHECK_INT(ma__copy_path(&bare, dst, src, c->n, c->whole,
				  c->flags),
			MA__PATH_LIBC);
		/* A move whose ranges are apart is a copy. */
		CHECK_INT(ma__move_path(&config, dst, src, c->n, c->whole,
				  c->flags),
			c->path);
	}
}

/* Where the loop is known to be better than libc, it is taken. */
static void
chooses_between_loop_and_libc(void)
{
	static const struct choice choices[] = {
		{1 << 30, 0, 2047, 2047, 0, MA__PATH_LIBC},
		{1 << 30, 0, 2048, 2048, 0, MA__PATH_FORWARD},
		{1 << 30, 0, 16384, 16384, 0, MA__PATH_FORWARD},
		{1 << 30, 0, 16385, 16385, 0, MA__PATH_LIBC},
		{(1 << 30) + 512, 0, 65536, 65536, 0, MA__PATH_LIBC},
		{(1 << 30) + 513, 0, 65536, 65536, 0, MA__PATH_FORWARD},
		{(1 << 30) + 513, 0, 65537, 65537, 0, MA__PATH_LIBC},
		{(1 << 30) - 1, 0, 65536, 65536, 0, MA__PATH_FORWARD},
		{(1 << 30) + 255, 0, 32768, 32768, 0, MA__PATH_BACKWARD},
		{(1 << 30) + 255, 0, 32769, 32769, 0, MA__PATH_LIBC},
		{(1 << 30) + 1, 0, 4096, 4096, 0, MA__PATH_BACKWARD},
		{(1 << 30) + 32, 0, 4096, 4096, 0, MA__PATH_FORWARD},
		{(1 << 30) + 513, 0, 65536, 3000000, 0, MA__PATH_NT_FORWARD},
	};
	struct ma__engine_config config = some_config(&some_kernels);

	config.forward_max = 16384;
	config.forward_askew_max = 65536;
	config.backward_max = 32768;
	for (size_t i = 0; i < T_COUNT(choices); i++) {
		const struct choice *c = &choices[i];

		CHECK_INT(ma__copy_path(&config, (const void *)c->dst,
				  (const void *)c->src, c->n, c->whole,
				  c->flags),
			c->path);
	}
}

static void
copies_nothing(char *dst, const char *src, size_t n)
{
	(void)dst;
	(void)src;
	(void)n;
}

static void
copies_ten_times(char *dst, const char *src, size_t n)
{
	for (int i = 0; i < 10; i++)
		memmove(dst, src, n);
}

static bool without_memory;

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *
__wrap_malloc(size_t n)
{
	return without_memory ? NULL : __real_malloc(n);
}

static void
tries_the_loops(void)
{
	const struct ma__kernels one = {.forward = copies_nothing,
		.backward = copies_ten_times,
		.backward_below = 256};
	const struct ma__kernels other = {.forward = copies_ten_times,
		.backward = copies_nothing,
		.backward_below = 256};
	bool forward;
	bool backward;

	ma__measure(&one, &forward, &backward);
	CHECK(forward && !backward);
	ma__measure(&other, &forward, &backward);
	CHECK(!forward && backward);
	without_memory = true;
	ma__measure(&other, &forward, &backward);
	CHECK(!forward && !backward);
	without_memory = false;
}

static void
chooses_for_overlapping_moves(void)
{
	const size_t far = 65536;
	const size_t long_ = 6000000 - far;
	const struct choice choices[] = {
		/* whole and shift together as much as a copy of 3000000 */
		{0, far, 4096, long_ - 1, 0, MA__PATH_LIBC},
		{0, far, 4096, long_, 0, MA__PATH_NT_FORWARD},
		{far, 0, 4096, long_, 0, MA__PATH_NT_BACKWARD},
		{far, 0, 4096, long_ - 1, 0, MA__PATH_LIBC},
		{far, 0, 4096, long_ - 2000000, hint, MA__PATH_NT_BACKWARD},
		/* a shift too short */
		{0, far - 64, 4096, 1 << 30, 0, MA__PATH_LIBC},
		{far - 64, 0, 4096, 1 << 30, durable, MA__PATH_LIBC},
		{far, 0, 4096, 100000, durable, MA__PATH_NT_BACKWARD},
		{0, far, 4096, 100000, durable, MA__PATH_NT_FORWARD},
		/* down by a bit less than pages: in ascending order */
		{0, 4095, 8192, 8192, 0, MA__PATH_FORWARD},
		{0, 4065, 8192, 8192, 0, MA__PATH_FORWARD},
		{0, 4064, 8192, 8192, 0, MA__PATH_LIBC},
		{0, 4096, 8192, 8192, 0, MA__PATH_LIBC},
		{0, 4097, 8192, 8192, 0, MA__PATH_LIBC},
		{0, 1, 8192, 8192, 0, MA__PATH_LIBC},
		/* up: never */
		{4095, 0, 8192, 8192, 0, MA__PATH_LIBC},
		{4097, 0, 8192, 8192, 0, MA__PATH_LIBC},
		{1, 0, 8192, 8192, 0, MA__PATH_LIBC},
		{7, 7, 8192, 8192, 0, MA__PATH_LIBC},
	};
	const struct ma__engine_config config = some_config(&some_kernels);
	const struct ma__engine_config bare = some_config(NULL);

	for (size_t i = 0; i < T_COUNT(choices); i++) {
		const struct choice *c = &choices[i];
		const void *dst = (const void *)(c->dst + MIB);
		const void *src = (const void *)(c->src + MIB);

		CHECK_INT(ma__move_path(&config, dst, src, c->n, c->whole,
				  c->flags),
			c->path);
		CHECK_INT(ma__move_path(&bare, dst, src, c->n, c->whole,
				  c->flags),
			MA__PATH_LIBC);
	}
}

static void
chooses_for_fills(void)
{
	static const struct {
		int c;
		size_t n;
		size_t whole;
		uint64_t flags;
		enum ma__path path;
	} choices[] = {
		{1, 4096, 8999999, 0, MA__PATH_LIBC},
		{1, 4096, 9000000, 0, MA__PATH_NT_FORWARD},
		{1, 4096, 4999999, hint, MA__PATH_LIBC},
		{1, 4096, 5000000, hint, MA__PATH_NT_FORWARD},
		{1, 4096, 4096, durable, MA__PATH_NT_FORWARD},
		{1, 100, 100, durable, MA__PATH_LIBC},
		{1, 100, 9000000, 0, MA__PATH_LIBC},
		/* zeros; of a value the lowest byte counts */
		{0, 4096, 3999999, 0, MA__PATH_LIBC},
		{0, 4096, 4000000, 0, MA__PATH_NT_FORWARD},
		{0x100, 4096, 4000000, 0, MA__PATH_NT_FORWARD},
		{0x101, 4096, 4000000, 0, MA__PATH_LIBC},
		{0, 4096, 999999, hint, MA__PATH_LIBC},
		{0, 4096, 1000000, hint, MA__PATH_NT_FORWARD},
	};
	const struct ma__engine_config config = some_config(&some_kernels);
	const struct ma__engine_config bare = some_config(NULL);

	for (size_t i = 0; i < T_COUNT(choices); i++) {
		CHECK_INT(ma__fill_path(&config, choices[i].c, choices[i].n,
				  choices[i].whole, choices[i].flags),
			choices[i].path);
		CHECK_INT(ma__fill_path(&bare, choices[i].c, choices[i].n,
				  choices[i].whole, choices[i].flags),
			MA__PATH_LIBC);
	}
}

T_MAIN(T_CASE(first_calls_agree), T_CASE(defaults_are_those_of_the_machine),
	T_CASE(environment_overrides), T_CASE(chooses_for_copies),
	T_CASE(chooses_between_loop_and_libc), T_CASE(tries_the_loops),
	T_CASE(chooses_for_overlapping_moves), T_CASE(chooses_for_fills))
