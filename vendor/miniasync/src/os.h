/* SPDX-License-Identifier: BSD-3-Clause */
/* os.h -- what differs from system to system, apart from sleeping (park.h) */

#ifndef MA_OS_H
#define MA_OS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "parse.h"

/*
 * Processors that this process may use at a time, at least 1: affinity mask
 * and, where there are such things, the CPU quota of its cgroups, rounded up.
 */
size_t ma__os_cpus(void);

/*
 * Two ends of something that is readable at fds[0] once eight bytes were written
 * to fds[1], both without blocking, and closed by exec. They may be the same
 * descriptor. 0 or an error number.
 */
int ma__os_signal_fds(int fds[2]);

/* Prepares the calling thread to be a worker: its name, its scheduling. */
void ma__os_enter_worker(void);

/* Where a thread might run, in the system's own form, and where it may now. */
struct ma__os_kept_off {
	unsigned long before[1024 / 8 / sizeof(unsigned long)];
	unsigned long now[1024 / 8 / sizeof(unsigned long)];
	bool urgent; /* it may pre-empt others */
};

/* The number of the processor that the calling thread runs on, -1: not known. */
int ma__os_processor(void);

/*
 * Keeps a thread that sleeps off the processor which the calling thread runs on,
 * so that it runs beside it when woken, before other threads there if need be.
 * `busy`, if not -1, is another processor that is to be left alone. If there is
 * none but these two, it runs on that one, but not before others. False if
 * nothing was changed: there is no other processor, or the system does not offer
 * this.
 */
bool ma__os_keep_off(pthread_t thread, int busy, struct ma__os_kept_off *off);

/* The contrary: a thread that sleeps is to run where the calling one does. */
bool ma__os_keep_here(pthread_t thread, struct ma__os_kept_off *off);

/* Ends either for the calling thread, if nobody has changed it since. */
void ma__os_let_on(const struct ma__os_kept_off *off);

/*
 * The environment variable `name`; NULL if it is not set, or may not be trusted
 * because the program runs with raised privileges.
 */
const char *ma__os_env(const char *name);

/* The same as a size or a number; `otherwise` unless it is plain decimal. */
static inline size_t
ma__os_env_size(const char *name, size_t otherwise)
{
	return ma__parse_size(ma__os_env(name), otherwise);
}

#endif /* MA_OS_H */
