/* SPDX-License-Identifier: BSD-3-Clause */
/* os_posix.c -- processors and threads on other POSIX systems */

#include "os.h"

#include <stdlib.h>
#include <unistd.h>

size_t
ma__os_cpus(void)
{
	const long online = sysconf(_SC_NPROCESSORS_ONLN);

	return online > 0 ? (size_t)online : 1;
}

void
ma__os_enter_worker(void)
{
}

const char *
ma__os_env(const char *name)
{
	if (getuid() != geteuid() || getgid() != getegid())
		return NULL;
	return getenv(name);
}
