/* SPDX-License-Identifier: BSD-3-Clause */
/* machine.h -- which machine this is, and in which state */

#ifndef MACHINE_H
#define MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct machine {
	char cpu[80];
	char kernel[80];
	char libc[32];
	char compiler[48];
	char caches[48]; /* L1d, L2, L3 */
	char huge_pages[16]; /* the setting for transparent ones */
	char date[24];
	size_t online;
	size_t usable; /* by affinity */
	double quota; /* processors by cgroup, 0: no limit */
	double load; /* of the last minute */
	double memcpy_small; /* GB/s, 1 MiB */
	double memcpy_large; /* GB/s, 256 MiB (16 if quick) */
	double futex_us; /* round trip of two threads, median */
	double futex_rested_us; /* the same after both have slept for 2 ms */
	double eventfd_us;
};

/*
 * The speed of two threads that write past the caches together, against one of
 * them alone. On some virtual machines it flips between 1 and 2 from one second
 * to the next, and with it what splitting an operation can gain.
 */
struct machine_state {
	double one; /* GB/s */
	double two;
	double busy; /* processor time since boot in ns, the host's included */
	double own; /* this process's part of it */
	uint64_t switches; /* context switches of this process: voluntary */
	uint64_t preemptions; /* and not */
	uint64_t at; /* now_ns() */
};

void machine_read(struct machine *machine, bool quick);
void machine_read_state(struct machine_state *state, bool quick);
bool machine_is_fast(const struct machine_state *state);

/* The part of the processors' time that others took in between, in percent. */
double machine_others(const struct machine_state *before,
	const struct machine_state *after);

/* probes.c */
double probe_memcpy(size_t size, size_t rounds);
double probe_futex(size_t rounds, uint64_t pause_ns);
/* The same between two processors: the system may prefer a single one. */
double probe_futex_apart(size_t rounds, uint64_t pause_ns);
double probe_eventfd(size_t rounds);
void probe_writes(double *one, double *two, uint64_t ns);

#endif /* MACHINE_H */
