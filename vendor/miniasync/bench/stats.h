/* SPDX-License-Identifier: BSD-3-Clause */
/* stats.h -- clocks, samples, and memory to work on */

#ifndef STATS_H
#define STATS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* CLOCK_MONOTONIC, in nanoseconds. */
uint64_t now_ns(void);
uint64_t clock_ns(clockid_t clock);

/* A finer clock for short spans; its own cost is subtracted. */
uint64_t ticks(void);
double ticks_to_ns(uint64_t span);

/* Sleeps, so that other threads park and the processor becomes idle. */
void rest_ns(uint64_t ns);

/* Sorts the values; `part` of them are below the result. */
double percentile(double *values, size_t count, double part);
double median(double *values, size_t count);

/*
 * The median of what a coarse clock has rounded to multiples of a step: the
 * values that are the same are taken to be spread evenly over a step.
 */
double rounded_median(double *values, size_t count);

/*
 * Memory that has been written to, with bytes other than zero: no page faults
 * while it is used, and no special case of the hardware's for zeros. Ends the
 * program if there is none.
 */
char *memory_new(size_t size);
void memory_delete(char *memory, size_t size);

/* "64 KiB", in a static buffer of which there are four. */
const char *size_name(size_t bytes);

/* libc's functions, which the compiler can neither inline nor leave out. */
extern void *(*volatile libc_memcpy)(void *dst, const void *src, size_t n);
extern void *(*volatile libc_memmove)(void *dst, const void *src, size_t n);
extern void *(*volatile libc_memset)(void *str, int c, size_t n);

#endif /* STATS_H */
