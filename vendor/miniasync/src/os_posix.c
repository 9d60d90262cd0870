/* SPDX-License-Identifier: BSD-3-Clause */
/* os_posix.c -- processors, threads and descriptors on other POSIX systems */

#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

size_t
ma__os_cpus(void)
{
	const long online = sysconf(_SC_NPROCESSORS_ONLN);

	return online > 0 ? (size_t)online : 1;
}

/* Another thread's exec may come before this: not every system has pipe2(). */
static int
set_flags(int fd)
{
	const int flags = fcntl(fd, F_GETFL);

	return flags != -1 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) != -1 &&
		fcntl(fd, F_SETFD, FD_CLOEXEC) != -1;
}

int
ma__os_signal_fds(int fds[2])
{
	int error;

	if (pipe(fds) != 0)
		return errno;
	if (set_flags(fds[0]) && set_flags(fds[1]))
		return 0;
	error = errno;
	close(fds[0]);
	close(fds[1]);
	return error;
}

void
ma__os_enter_worker(void)
{
}

int
ma__os_processor(void)
{
	return -1;
}

bool
ma__os_keep_off(pthread_t thread, int busy, struct ma__os_kept_off *off)
{
	(void)thread;
	(void)busy;
	(void)off;
	return false;
}

bool
ma__os_keep_here(pthread_t thread, struct ma__os_kept_off *off)
{
	(void)thread;
	(void)off;
	return false;
}

void
ma__os_let_on(const struct ma__os_kept_off *off)
{
	(void)off;
}

const char *
ma__os_env(const char *name)
{
	if (getuid() != geteuid() || getgid() != getegid())
		return NULL;
	return getenv(name);
}
