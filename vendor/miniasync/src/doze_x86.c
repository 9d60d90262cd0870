/* SPDX-License-Identifier: BSD-3-Clause */
/* doze_x86.c -- umonitor and umwait; where it is another processor, nothing */

#include "doze.h"

#include <stdatomic.h>

#include "clock.h"
#include "cputopo.h"

#if defined(__x86_64__)

/*
 * umwait counts time in cycles of the time-stamp counter, whose rate is not
 * known. It is learnt: each stop is measured by both clocks. What is counted in
 * cycles lies within what is counted in nanoseconds, so no measurement gives too
 * high a rate, however the thread is interrupted, and the highest is the best.
 * With too low a rate a stop ends early, and is repeated.
 */
#define RATE_UNIT 1024 /* cycles in so many nanoseconds */
#define RATE_LEAST ((uint64_t)RATE_UNIT / 2)

/* Shorter ones are mostly the reading of clocks. */
#define MEASURED_MIN MA__US

static _Atomic uint64_t rate = RATE_LEAST;

bool
ma__doze_can(void)
{
	enum { UNKNOWN, NO, YES };
	static atomic_int known = UNKNOWN;
	/* Relaxed: nothing goes with it, and the answer is always the same. */
	int can = atomic_load_explicit(&known, memory_order_relaxed);

	if (can == UNKNOWN) {
		can = (ma__cpu_features_allowed() & MA__CPU_WAITPKG) != 0 ? YES
									  : NO;
		atomic_store_explicit(&known, can, memory_order_relaxed);
	}
	return can == YES;
}

static uint64_t
cycles(void)
{
	uint32_t low;
	uint32_t high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

/* By number, as are those below: assemblers of old do not know the names. */
void
ma__doze_watch(const volatile void *address)
{
	/* umonitor %rax */
	__asm__ volatile(".byte 0xf3, 0x0f, 0xae, 0xf0"
		:
		: "a"(address)
		: "memory");
}

static void
stop_until(uint64_t then)
{
	const uint32_t deepest = 0; /* C0.2, if the system allows it */

	/* umwait %ecx, the time in edx and eax */
	__asm__ volatile(".byte 0xf2, 0x0f, 0xae, 0xf1"
		:
		: "c"(deepest), "a"((uint32_t)then), "d"((uint32_t)(then >> 32))
		: "memory", "cc");
}

uint64_t
ma__doze(uint64_t now, uint64_t until)
{
	const uint64_t known =
		atomic_load_explicit(&rate, memory_order_relaxed);
	const uint64_t began = cycles();
	uint64_t took;
	uint64_t ns;

	stop_until(began + (until - now) * known / RATE_UNIT);
	took = cycles() - began;
	ns = ma__now() - now;
	if (ns >= MEASURED_MIN && took * RATE_UNIT / ns > known)
		atomic_store_explicit(&rate, took * RATE_UNIT / ns,
			memory_order_relaxed);
	return now + ns;
}

#else

bool
ma__doze_can(void)
{
	return false;
}

void
ma__doze_watch(const volatile void *address)
{
	(void)address;
}

uint64_t
ma__doze(uint64_t now, uint64_t until)
{
	(void)until;
	return now;
}

#endif
