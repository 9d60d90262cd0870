/* SPDX-License-Identifier: BSD-3-Clause */
/* os.h -- what differs from system to system, apart from sleeping (park.h) */

#ifndef MA_OS_H
#define MA_OS_H

#include <stddef.h>

/*
 * Processors that this process may use at a time, at least 1: affinity mask
 * and, where there are such things, the CPU quota of its cgroups, rounded up.
 */
size_t ma__os_cpus(void);

/* Prepares the calling thread to be a worker: its name, its scheduling. */
void ma__os_enter_worker(void);

/*
 * The environment variable `name` as a size in bytes or a number, `otherwise`
 * if it is not set, is not a plain decimal number, or may not be trusted
 * because the program runs with raised privileges.
 */
size_t ma__os_env_size(const char *name, size_t otherwise);

#endif /* MA_OS_H */
