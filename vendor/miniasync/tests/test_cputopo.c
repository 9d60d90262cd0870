/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_cputopo.c -- processors other than the one at hand
 *
 * cputopo.c once more, with a CPUID instruction that answers what the test says.
 * The rest of the library, linked to it, goes by that.
 */

#include "t.h"

#if defined(__x86_64__)

#include <cpuid.h>

#define LEAVES 4 /* of one cache each */

static struct {
	unsigned highest; /* leaf that there is */
	unsigned leaf1_ecx, leaf1_edx, leaf7_ebx, leaf7_ecx;
	unsigned cache_leaf;
	unsigned caches[LEAVES][4];
	int endless;
} cpu;

static int
fake_cpuid_count(unsigned leaf, unsigned sub, unsigned *a, unsigned *b,
	unsigned *c, unsigned *d)
{
	const int extended = (leaf & 0x80000000) != 0;

	*a = *b = *c = *d = 0;
	if (extended ? leaf > cpu.cache_leaf : leaf > cpu.highest)
		return 0;
	if (leaf == 7 && sub == 0) {
		*b = cpu.leaf7_ebx;
		*c = cpu.leaf7_ecx;
	}
	if (leaf == cpu.cache_leaf && (sub < LEAVES || cpu.endless)) {
		*a = cpu.caches[sub % LEAVES][0];
		*b = cpu.caches[sub % LEAVES][1];
		*c = cpu.caches[sub % LEAVES][2];
	}
	return 1;
}

static int
fake_cpuid(unsigned leaf, unsigned *a, unsigned *b, unsigned *c, unsigned *d)
{
	const int known = fake_cpuid_count(leaf, 0, a, b, c, d);

	if (leaf == 1 && known) {
		*c = cpu.leaf1_ecx;
		*d = cpu.leaf1_edx;
	}
	return known;
}

#define __get_cpuid fake_cpuid
#define __get_cpuid_count fake_cpuid_count
#include "cputopo.c"
#undef __get_cpuid
#undef __get_cpuid_count

#include <libminiasync/vdm.h>

#include "engine.h"
#include "engine_kernels.h"

#define CLFLUSH_EDX (1U << 19)
#define AVX2_EBX (1U << 5)
#define CLFLUSHOPT_EBX (1U << 23)
#define CLWB_EBX (1U << 24)
#define WAITPKG_ECX (1U << 5)

static void
no_cpu(void)
{
	memset(&cpu, 0, sizeof(cpu));
}

/* A cache of so many KiB, 8 ways, lines of 64 bytes. */
static void
add_cache(int at, unsigned type, unsigned level, unsigned kib)
{
	cpu.caches[at][0] = level << 5 | type;
	cpu.caches[at][1] = 7U << 22 | 63;
	cpu.caches[at][2] = kib * 2 - 1;
}

static void
features(void)
{
	no_cpu();
	CHECK_INT(ma__cpu_features(), MA__CPU_SSE2);
	cpu.highest = 1;
	CHECK_INT(ma__cpu_features(), MA__CPU_SSE2);
	cpu.leaf1_edx = CLFLUSH_EDX;
	CHECK_INT(ma__cpu_features(), MA__CPU_SSE2 | MA__CPU_CLFLUSH);

	/* without the leaf, its bits say nothing */
	cpu.leaf7_ebx = CLFLUSHOPT_EBX | CLWB_EBX;
	CHECK_INT(ma__cpu_features(), MA__CPU_SSE2 | MA__CPU_CLFLUSH);
	cpu.highest = 7;
	CHECK_INT(ma__cpu_features(),
		MA__CPU_SSE2 | MA__CPU_CLFLUSH | MA__CPU_CLFLUSHOPT |
			MA__CPU_CLWB);
	cpu.leaf7_ebx = CLFLUSHOPT_EBX;
	CHECK_INT(ma__cpu_features(),
		MA__CPU_SSE2 | MA__CPU_CLFLUSH | MA__CPU_CLFLUSHOPT);
	cpu.leaf7_ebx = 0;
	cpu.leaf7_ecx = WAITPKG_ECX;
	CHECK_INT(ma__cpu_features(),
		MA__CPU_SSE2 | MA__CPU_CLFLUSH | MA__CPU_WAITPKG);
}

/* A system that does not save the registers has no use of the instructions. */
static void
registers_that_are_not_saved(void)
{
	no_cpu();
	cpu.highest = 7;
	cpu.leaf7_ebx = ~0U & ~(CLFLUSHOPT_EBX | CLWB_EBX);
	CHECK_INT(ma__cpu_features(), MA__CPU_SSE2);
}

static void
registers_that_are_saved(void)
{
	unsigned a, b, c, d;

	no_cpu();
	cpu.highest = 7;
	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) {
		printf("not tested: this processor cannot be asked\n");
		return;
	}
	cpu.leaf1_ecx = bit_OSXSAVE;
	CHECK_INT(ma__cpu_features(), MA__CPU_SSE2);
	cpu.leaf7_ebx = AVX2_EBX;
	CHECK((ma__cpu_features() & ~MA__CPU_AVX2) == MA__CPU_SSE2);
}

static void
no_caches(void)
{
	static const struct ma__caches none;
	struct ma__caches caches;

	no_cpu();
	memset(&caches, 1, sizeof(caches));
	ma__cpu_caches(&caches);
	CHECK(memcmp(&caches, &none, sizeof(none)) == 0);
}

/* Both makers' leaves; the one that comes second is looked at for AMD's. */
static void
caches(void)
{
	static const unsigned leaves[] = {4, 0x8000001d};

	for (size_t i = 0; i < T_COUNT(leaves); i++) {
		struct ma__caches found;

		no_cpu();
		cpu.highest = 7;
		cpu.cache_leaf = leaves[i];
		add_cache(0, 1, 1, 48);
		add_cache(1, 2, 1, 32); /* of instructions: not counted */
		add_cache(2, 3, 2, 2048);
		ma__cpu_caches(&found);
		CHECK_INT(found.l1d, 48 << 10);
		CHECK_INT(found.l2, 2048 << 10);
		CHECK_INT(found.l3, 0);
		add_cache(3, 3, 3, 32768);
		ma__cpu_caches(&found);
		CHECK_INT(found.l3, 32768 << 10);
	}
}

/* A fourth level, and a list that does not end. */
static void
odd_caches(void)
{
	struct ma__caches found;

	no_cpu();
	cpu.highest = 4;
	cpu.cache_leaf = 4;
	cpu.endless = 1;
	for (int i = 0; i < LEAVES; i++)
		add_cache(i, 3, 4, 1024);
	ma__cpu_caches(&found);
	CHECK_INT(found.l1d, 0);
	CHECK_INT(found.l2, 0);
	CHECK_INT(found.l3, 0);
}

/* What the engine makes of a processor that tells nothing. Once in a process. */
static void
engine_in_the_dark(void)
{
	const struct ma__engine_config *config;

	no_cpu();
	config = ma__engine_config();
	CHECK_INT(config->l3, 0);
	CHECK(config->nt_copy_min >= 4 << 20);
	CHECK(config->nt_copy_hint_min <= config->nt_copy_min);
	CHECK(config->nt_fill_min > config->nt_copy_min);
	CHECK(config->kernels == ma__kernels_choose(MA__CPU_SSE2));
}

T_MAIN(T_CASE(features), T_CASE(registers_that_are_not_saved),
	T_CASE(registers_that_are_saved), T_CASE(no_caches), T_CASE(caches),
	T_CASE(odd_caches), T_CASE(engine_in_the_dark))

#else

int
main(void)
{
	t_skip("CPUID is an instruction of x86-64");
}

#endif
