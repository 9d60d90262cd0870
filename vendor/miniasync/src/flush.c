/* SPDX-License-Identifier: BSD-3-Clause */
/* flush.c -- writing cache lines back to memory */

#include "flush.h"

#include <stdatomic.h>

#include "cputopo.h"
#include "engine.h"

#if defined(__x86_64__)

#include <immintrin.h>

/* The same in every 64-bit CPU of this kind so far. */
#define LINE 64

const char *
ma__flush_name(void)
{
	const unsigned features = ma__engine_config()->features;

	if (features & MA__CPU_CLWB)
		return "clwb";
	if (features & MA__CPU_CLFLUSHOPT)
		return "clflushopt";
	return features & MA__CPU_CLFLUSH ? "clflush" : "none";
}

size_t
ma__flush_line_size(void)
{
	return LINE;
}

__attribute__((target("clwb"))) static void
clwb(uintptr_t line, size_t count)
{
	for (; count != 0; count--, line += LINE)
		_mm_clwb((void *)line);
}

__attribute__((target("clflushopt"))) static void
clflushopt(uintptr_t line, size_t count)
{
	for (; count != 0; count--, line += LINE)
		_mm_clflushopt((void *)line);
}

static void
clflush(uintptr_t line, size_t count)
{
	for (; count != 0; count--, line += LINE)
		_mm_clflush((void *)line);
}

/* CLWB leaves the line in the cache, the others drop it; one has to do. */
static void
write_back(uintptr_t line, size_t count)
{
	const unsigned features = ma__engine_config()->features;

	if (features & MA__CPU_CLWB)
		clwb(line, count);
	else if (features & MA__CPU_CLFLUSHOPT)
		clflushopt(line, count);
	else if (features & MA__CPU_CLFLUSH)
		clflush(line, count);
	/* CLWB and CLFLUSHOPT are ordered by a fence only. */
	_mm_sfence();
}

#elif defined(__aarch64__) && defined(__linux__)

const char *
ma__flush_name(void)
{
	return ma__engine_config()->features & MA__CPU_DCPOP ? "dc cvap"
							     : "dc cvac";
}

size_t
ma__flush_line_size(void)
{
	uint64_t cache_type;

	/* DminLine: the logarithm of the words in the smallest line */
	__asm__("mrs %0, ctr_el0" : "=r"(cache_type));
	return (size_t)4 << (cache_type >> 16 & 0xf);
}

static void
write_back(uintptr_t line, size_t count)
{
	const size_t step = ma__flush_line_size();

	if (ma__engine_config()->features & MA__CPU_DCPOP) {
		/* dc cvap, by number for assemblers set to ARMv8.0 */
		for (; count != 0; count--, line += step)
			__asm__ volatile("sys #3, c7, c12, #1, %0"
				:
				: "r"(line)
				: "memory");
	} else {
		for (; count != 0; count--, line += step)
			__asm__ volatile("dc cvac, %0"
				:
				: "r"(line)
				: "memory");
	}
	__asm__ volatile("dsb sy" : : : "memory");
}

#else /* no instruction that a program may use */

const char *
ma__flush_name(void)
{
	return "none";
}

size_t
ma__flush_line_size(void)
{
	return 64;
}

static void
write_back(uintptr_t line, size_t count)
{
	(void)line;
	(void)count;
	atomic_thread_fence(memory_order_seq_cst);
}

#endif

void
ma__flush(const void *p, size_t n)
{
	uintptr_t first;
	const size_t count =
		ma__flush_lines(p, n, ma__flush_line_size(), &first);

	/* The compiler is not to move stores behind what writes them back. */
	atomic_signal_fence(memory_order_seq_cst);
	write_back(first, count);
}
