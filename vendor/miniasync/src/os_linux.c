/* SPDX-License-Identifier: BSD-3-Clause */
/* os_linux.c -- processors, threads and descriptors on Linux */

#define _GNU_SOURCE

#include "os.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "parse.h"

/* CPUs in the affinity mask, which may be larger than a cpu_set_t. */
static size_t
cpus_by_affinity(void)
{
	for (int ncpus = CPU_SETSIZE; ncpus <= 1 << 20; ncpus *= 2) {
		const size_t size = CPU_ALLOC_SIZE(ncpus);
		cpu_set_t *set = CPU_ALLOC(ncpus);
		int count = 0;
		int error = 0;

		if (set == NULL)
			break;
		if (sched_getaffinity(0, size, set) == 0)
			count = CPU_COUNT_S(size, set);
		else
			error = errno;
		CPU_FREE(set);
		if (count > 0)
			return (size_t)count;
		if (error != EINVAL)
			break;
	}

	const long online = sysconf(_SC_NPROCESSORS_ONLN);

	return online > 0 ? (size_t)online : 1;
}

/* The first line of a file, without its newline; false if there is none. */
static int
read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");
	int ok;

	if (file == NULL)
		return 0;
	ok = fgets(line, (int)size, file) != NULL;
	fclose(file);
	if (ok)
		line[strcspn(line, "\n")] = '\0';
	return ok;
}

/* The smallest quota of the cgroup at `path` and those above it. */
static size_t
cpus_by_cgroup(const char *mount, char *path, size_t cpus)
{
	char file[PATH_MAX + 64];
	char line[128];

	for (;;) {
		char *slash;

		if (snprintf(file, sizeof(file), "%s%s/cpu.max", mount, path) <
				(int)sizeof(file) &&
			read_line(file, line, sizeof(line))) {
			const size_t quota = ma__parse_cpu_max(line);

			if (quota != 0 && quota < cpus)
				cpus = quota;
		}
		slash = strrchr(path, '/');
		if (slash == NULL)
			return cpus;
		*slash = '\0';
	}
}

size_t
ma__os_cpus(void)
{
	size_t cpus = cpus_by_affinity();
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[PATH_MAX + 16];

	if (file == NULL)
		return cpus;
	while (fgets(line, sizeof(line), file) != NULL) {
		/* "0::/path" is the one line of the unified hierarchy. */
		if (strncmp(line, "0::/", 4) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		cpus = cpus_by_cgroup("/sys/fs/cgroup", line + 3, cpus);
	}
	fclose(file);
	return cpus;
}

int
ma__os_signal_fds(int fds[2])
{
	fds[0] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	fds[1] = fds[0];
	return fds[0] < 0 ? errno : 0;
}

/*
 * A batch thread does not pre-empt the thread that wakes it. Without this, the
 * caller of the poll that starts an operation is often kept off its processor for
 * the length of the whole copy. If the system refuses, the worker works all the
 * same.
 */
static void
set_policy(pthread_t worker, int policy)
{
	const struct sched_param param = {.sched_priority = 0};

	pthread_setschedparam(worker, policy, &param);
}

void
ma__os_enter_worker(void)
{
	pthread_setname_np(pthread_self(), "miniasync");
	set_policy(pthread_self(), SCHED_BATCH);
}

_Static_assert(sizeof(((struct ma__os_kept_off *)NULL)->before) ==
		sizeof(cpu_set_t),
	"the system's set of processors has another size");

int
ma__os_processor(void)
{
	const int here = sched_getcpu();

	return here < CPU_SETSIZE ? here : -1;
}

/* Takes a processor out of a set, if it is in it and not the only one. */
static bool
take_out(cpu_set_t *set, int processor)
{
	if (processor < 0 || !CPU_ISSET(processor, set) || CPU_COUNT(set) == 1)
		return false;
	CPU_CLR(processor, set);
	return true;
}

/* Systems with more processors than a cpu_set_t holds refuse: nothing is done. */
bool
ma__os_keep_off(pthread_t thread, int busy, struct ma__os_kept_off *off)
{
	cpu_set_t set;

	if (pthread_getaffinity_np(thread, sizeof(set), &set) != 0)
		return false;
	memcpy(off->before, &set, sizeof(set));
	if (!take_out(&set, ma__os_processor()))
		return false;
	take_out(&set, busy);
	if (pthread_setaffinity_np(thread, sizeof(set), &set) != 0)
		return false;
	memcpy(off->now, &set, sizeof(set));
	/* Somebody else's thread it may pre-empt. */
	off->urgent = busy < 0 || !CPU_ISSET(busy, &set);
	if (off->urgent)
		set_policy(thread, SCHED_OTHER);
	return true;
}

bool
ma__os_keep_here(pthread_t thread, struct ma__os_kept_off *off)
{
	const int here = ma__os_processor();
	cpu_set_t set;

	if (here < 0 ||
		pthread_getaffinity_np(thread, sizeof(set), &set) != 0 ||
		!CPU_ISSET(here, &set))
		return false;
	memcpy(off->before, &set, sizeof(set));
	CPU_ZERO(&set);
	CPU_SET(here, &set);
	if (pthread_setaffinity_np(thread, sizeof(set), &set) != 0)
		return false;
	memcpy(off->now, &set, sizeof(set));
	off->urgent = false;
	return true;
}

void
ma__os_let_on(const struct ma__os_kept_off *off)
{
	cpu_set_t set;

	if (off->urgent)
		set_policy(pthread_self(), SCHED_BATCH);
	/* What somebody has chosen in the meantime stays. */
	if (pthread_getaffinity_np(pthread_self(), sizeof(set), &set) != 0 ||
		memcmp(&set, off->now, sizeof(set)) != 0)
		return;
	memcpy(&set, off->before, sizeof(set));
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

const char *
ma__os_env(const char *name)
{
	return secure_getenv(name);
}
