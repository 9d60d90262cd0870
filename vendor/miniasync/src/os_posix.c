/* SPDX-License-Identifier: BSD-3-Clause */
/* os_posix.c -- processors and threads on other POSIX systems */

#include "os.h"

#include <stdlib.h>
#include <unistd.h>

#include "parse.h"

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

size_t
ma__os_env_size(const char *name, size_t otherwise)
{
	if (getuid() != geteuid() || getgid() != getegid())
		return otherwise;
	return ma__parse_size(getenv(name), otherwise);
}
