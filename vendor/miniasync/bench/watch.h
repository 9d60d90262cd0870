/* SPDX-License-Identifier: BSD-3-Clause */
/* watch.h -- when was a word of memory written to, by whichever thread? */

#ifndef WATCH_H
#define WATCH_H

#include <stddef.h>
#include <stdint.h>

#define WATCH_MAX 4

struct watch;

/*
 * Watches up to WATCH_MAX aligned words of eight bytes by means of the
 * processor's breakpoints, in all threads that exist now. NULL if the system
 * does not allow that. A write to one of them then costs some microseconds.
 */
struct watch *watch_new(char *const words[], size_t count);
void watch_delete(struct watch *watch);

/* When one of them was last written to since the last call, as now_ns(); or 0. */
uint64_t watch_last(struct watch *watch);

#endif /* WATCH_H */
