/* SPDX-License-Identifier: BSD-3-Clause */
/* cputopo.c -- what the CPU can do and how large its caches are */

#include "cputopo.h"

#include <string.h>

#include "os.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <stdint.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#ifndef HWCAP_DCPOP
#define HWCAP_DCPOP (1 << 16)
#endif
#endif

const char *const *
ma__cpu_feature_names(void)
{
	static const char *const names[MA__CPU_COUNT] = {"sse2", "avx2",
		"clflush", "clflushopt", "clwb", "dcpop", "waitpkg"};

	return names;
}

#if defined(__x86_64__)

/* Register states the system saves for us, XCR0; 0 if it does not say. */
static uint64_t
saved_states(unsigned leaf1_ecx)
{
	uint32_t low;
	uint32_t high;

	if (!(leaf1_ecx & bit_OSXSAVE))
		return 0;
	/* The instruction by number: xgetbv() needs -mxsave. */
	__asm__ volatile(".byte 0x0f, 0x01, 0xd0"
		: "=a"(low), "=d"(high)
		: "c"(0));
	return (uint64_t)high << 32 | low;
}

unsigned
ma__cpu_features(void)
{
	const uint64_t avx_states = 0x06; /* XMM, YMM */
	unsigned features = MA__CPU_SSE2;
	unsigned a, b, c, d;
	uint64_t states;

	if (!__get_cpuid(1, &a, &b, &c, &d))
		return features;
	if (d & (1U << 19))
		features |= MA__CPU_CLFLUSH;
	states = saved_states(c);
	if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
		return features;
	if ((b & (1U << 5)) && (states & avx_states) == avx_states)
		features |= MA__CPU_AVX2;
	if (b & (1U << 23))
		features |= MA__CPU_CLFLUSHOPT;
	if (b & (1U << 24))
		features |= MA__CPU_CLWB;
	if (c & (1U << 5))
		features |= MA__CPU_WAITPKG;
	return features;
}

/* The leaf that lists the caches, 0 if there is none. */
static unsigned
cache_leaf(void)
{
	const unsigned intel = 4;
	const unsigned amd = 0x8000001d;
	unsigned a, b, c, d;

	/* AMD has both leaves, with the first empty. Type 0 ends the list. */
	if (__get_cpuid_count(intel, 0, &a, &b, &c, &d) && (a & 0x1f) != 0)
		return intel;
	if (__get_cpuid_count(amd, 0, &a, &b, &c, &d) && (a & 0x1f) != 0)
		return amd;
	return 0;
}

/*
 * Asked from the CPU itself: the system's own list comes from there, and
 * sysconf(3) adds up several L3 caches of which a core sees only one.
 */
void
ma__cpu_caches(struct ma__caches *caches)
{
	const unsigned leaf = cache_leaf();
	const unsigned instruction_cache = 2;

	memset(caches, 0, sizeof(*caches));
	for (unsigned i = 0; leaf != 0 && i < 16; i++) {
		unsigned a, b, c, d;
		size_t size;

		if (!__get_cpuid_count(leaf, i, &a, &b, &c, &d) ||
			(a & 0x1f) == 0)
			break;
		if ((a & 0x1f) == instruction_cache)
			continue;
		/* ways, partitions, bytes in a line, sets; each less one */
		size = ((size_t)(b >> 22) + 1) * ((b >> 12 & 0x3ff) + 1) *
			((b & 0xfff) + 1) * ((size_t)c + 1);
		switch (a >> 5 & 7) {
		case 1:
			caches->l1d = size;
			break;
		case 2:
			caches->l2 = size;
			break;
		case 3:
			caches->l3 = size;
			break;
		}
	}
}

#else /* no cache sizes: only the kernels of x86-64 need them */

unsigned
ma__cpu_features(void)
{
#if defined(__aarch64__) && defined(__linux__)
	if (getauxval(AT_HWCAP) & HWCAP_DCPOP)
		return MA__CPU_DCPOP;
#endif
	return 0;
}

void
ma__cpu_caches(struct ma__caches *caches)
{
	memset(caches, 0, sizeof(*caches));
}

#endif

/* Features without those in a list such as "-avx2,-clwb". */
static unsigned
without(unsigned features, const char *list)
{
	const char *const *names = ma__cpu_feature_names();

	while (*list != '\0') {
		const size_t length = strcspn(list, ",");

		for (unsigned i = 0; i < MA__CPU_COUNT; i++)
			if (list[0] == '-' && strlen(names[i]) + 1 == length &&
				memcmp(names[i], list + 1, length - 1) == 0)
				features &= ~(1U << i);
		list += length;
		list += *list == ',';
	}
	return features;
}

unsigned
ma__cpu_features_allowed(void)
{
	const char *list = ma__os_env("MINIASYNC_CPU_FEATURES");
	const unsigned features = ma__cpu_features();

	return list == NULL ? features : without(features, list);
}
