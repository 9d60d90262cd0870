/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * waitpkg.h -- umonitor and umwait, for a processor that does not know them
 *
 * The processor raises SIGILL, and the handler does what the instruction would:
 * umonitor remembers the address and what is there, umwait does nothing if that
 * has been written to since, and else calls the test, for which meanwhile is
 * while the thread has stopped. For one waiting thread at a time.
 *
 * cputopo.c once more, with a CPUID instruction that adds the feature. The rest of
 * the library, linked to it, goes by that.
 */

#ifndef WAITPKG_H
#define WAITPKG_H

#include "t.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <ucontext.h>

#define WAITPKG_ECX (1U << 5)

static inline int
waitpkg_cpuid_count(unsigned leaf, unsigned sub, unsigned *a, unsigned *b,
	unsigned *c, unsigned *d)
{
	const int known = __get_cpuid_count(leaf, sub, a, b, c, d);

	if (leaf == 7 && sub == 0 && known)
		*c |= WAITPKG_ECX;
	return known;
}

#define __get_cpuid_count waitpkg_cpuid_count
#include "cputopo.c"
#undef __get_cpuid_count

static struct {
	void (*on_watch)(void); /* before the watching begins; may be NULL */
	void (*on_stop)(void); /* while the thread has stopped; may be NULL */
	const volatile uint64_t *at; /* what is watched, NULL: nothing */
	uint64_t value; /* that was there */
	uint64_t now; /* the time-stamp counter when it stopped, */
	uint64_t until; /* and until when it was to */
	size_t watches;
	size_t stops; /* that did not end at once */
	size_t writes; /* stops that were ended by a write */
} waitpkg;

static struct sigaction waitpkg_before;

static inline uint64_t
waitpkg_cycles(void)
{
	uint32_t low;
	uint32_t high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static inline void
waitpkg_watch(const volatile uint64_t *at)
{
	waitpkg.watches++;
	if (waitpkg.on_watch != NULL)
		waitpkg.on_watch();
	waitpkg.at = at;
	waitpkg.value = *at;
}

static inline void
waitpkg_stop(uint64_t until)
{
	const volatile uint64_t *const at = waitpkg.at;

	waitpkg.at = NULL;
	if (at == NULL || *at != waitpkg.value)
		return;
	waitpkg.at = at;
	waitpkg.now = waitpkg_cycles();
	waitpkg.until = until;
	waitpkg.stops++;
	if (waitpkg.on_stop != NULL)
		waitpkg.on_stop();
	waitpkg.at = NULL;
	if (*at != waitpkg.value)
		waitpkg.writes++;
}

static inline void
waitpkg_on_sigill(int sig, siginfo_t *info, void *context)
{
	static const unsigned char umonitor[] = {0xf3, 0x0f, 0xae, 0xf0};
	static const unsigned char umwait[] = {0xf2, 0x0f, 0xae, 0xf1};
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
	const void *const code = (void *)registers[REG_RIP];

	if (memcmp(code, umonitor, sizeof(umonitor)) == 0) {
		waitpkg_watch((const volatile uint64_t *)registers[REG_RAX]);
	} else if (memcmp(code, umwait, sizeof(umwait)) == 0) {
		CHECK_INT((uint32_t)registers[REG_RCX] & ~1U, 0);
		waitpkg_stop((uint64_t)registers[REG_RDX] << 32 |
			(uint32_t)registers[REG_RAX]);
	} else {
		if ((waitpkg_before.sa_flags & SA_SIGINFO) == 0)
			abort();
		waitpkg_before.sa_sigaction(sig, info, context);
		return;
	}
	registers[REG_RIP] += sizeof(umwait);
}

/* Nobody is asked, nothing counted. */
static inline void
waitpkg_reset(void)
{
	memset(&waitpkg, 0, sizeof(waitpkg));
}

/* NULL, or why they cannot be emulated here. After other handlers of SIGILL. */
static inline const char *
waitpkg_start(void)
{
	struct sigaction action;
	unsigned a, b, c, d;

	if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && (c & WAITPKG_ECX))
		return "this processor knows umwait, which has to be caught";
	memset(&action, 0, sizeof(action));
	action.sa_sigaction = waitpkg_on_sigill;
	action.sa_flags = SA_SIGINFO;
	sigemptyset(&action.sa_mask);
	CHECK(sigaction(SIGILL, &action, &waitpkg_before) == 0);
	return NULL;
}

#endif
#endif /* WAITPKG_H */
