/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * portal.c -- ENQCMD, for a processor that does not know it
 *
 * libdml submits with `enqcmd (%rdx), %rax`: the 64 bytes at rdx go to the
 * portal at rax, and the zero flag says whether the queue refused them. The
 * processor raises SIGILL, at a place where the thread holds no lock of the C
 * library, so that the handler may do what it likes.
 */

#define _GNU_SOURCE

#include "device.h"

#include <cpuid.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#define ENQCMD ".byte 0xf2, 0x0f, 0x38, 0xf8, 0x02"
#define ENQCMD_SIZE 5
#define ZERO_FLAG 0x40
#define ARITHMETIC_FLAGS 0x8d5 /* carry, parity, adjust, zero, sign, overflow */

static struct sigaction before;
/* A portal whose queue refuses what does not begin with 0. */
static _Alignas(64) unsigned char trial_portal[64];

/* A submission ends as it would at an address that is not mapped. */
static void
end_by_fault(void)
{
	static const char why[] = "emulated DSA device: no portal there\n";
	ssize_t ignored = write(STDERR_FILENO, why, sizeof(why) - 1);

	(void)ignored;
	signal(SIGSEGV, SIG_DFL);
	raise(SIGSEGV);
}

static bool
submit(uint64_t portal, const struct dsa_descriptor *descriptor)
{
	if (portal == (uintptr_t)trial_portal)
		return *(const unsigned char *)descriptor == 0;
	if (portal < 0x1000 || dsa_owner() != getpid())
		end_by_fault();
	if (portal % 64 != 0)
		dsa_die("the address in the portal is not aligned");
	return dsa_enqueue(descriptor);
}

static void
on_sigill(int sig, siginfo_t *info, void *context)
{
	static const unsigned char enqcmd[] = {0xf2, 0x0f, 0x38, 0xf8, 0x02};
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
	bool accepted;

	(void)info;
	if (memcmp((void *)registers[REG_RIP], enqcmd, sizeof(enqcmd)) != 0) {
		/* Again, to what would have handled it. */
		sigaction(sig, &before, NULL);
		return;
	}
	accepted = submit((uint64_t)registers[REG_RAX],
		(const struct dsa_descriptor *)registers[REG_RDX]);
	registers[REG_RIP] += ENQCMD_SIZE;
	registers[REG_EFL] &= ~(greg_t)ARITHMETIC_FLAGS;
	if (!accepted)
		registers[REG_EFL] |= ZERO_FLAG;
}

static void
install(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = on_sigill;
	action.sa_flags = SA_SIGINFO;
	sigemptyset(&action.sa_mask);
	if (sigaction(SIGILL, &action, &before) != 0)
		dsa_die("SIGILL cannot be caught");
}

void
dsa_trap(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, install);
}

static bool
processor_knows_enqcmd(void)
{
	unsigned a, b, c, d;

	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (c & 1u << 29);
}

static bool
is_refused(const void *bytes)
{
	unsigned char refused;

	__asm__ volatile(ENQCMD "\n\tsetz %0"
		: "=r"(refused)
		: "a"(trial_portal), "d"(bytes)
		: "memory", "cc");
	return refused;
}

DSA_EXPORT const char *
dsa_unusable(void)
{
	static const unsigned char yes[64] = {0};
	static const unsigned char no[64] = {1};

	if (processor_knows_enqcmd())
		return "this processor knows ENQCMD, which the emulated DSA "
		       "device has to catch";
	dsa_trap();
	if (is_refused(yes) || !is_refused(no))
		return "ENQCMD cannot be caught here, as under valgrind";
	return NULL;
}
