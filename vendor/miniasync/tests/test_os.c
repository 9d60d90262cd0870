/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_os.c -- how many processors there are, and what the environment says
 *
 * Linked so that what the library asks of the system comes here. Files are
 * served from a table, everything else from variables.
 */

#include "t.h"

#include "os.h"

struct file {
	const char *path;
	const char *text; /* NULL: it can be opened, but not be read */
};

static const struct file *files; /* ends with a NULL path */
static long online;

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *
__wrap_fopen(const char *path, const char *mode)
{
	if (files == NULL)
		return __real_fopen(path, mode);
	for (const struct file *at = files; at->path != NULL; at++) {
		FILE *served;

		if (strcmp(at->path, path) != 0)
			continue;
		if (at->text == NULL)
			return __real_fopen("/dev/null", "r");
		served = tmpfile();
		CHECK(served != NULL);
		CHECK(fputs(at->text, served) >= 0);
		rewind(served);
		return served;
	}
	errno = ENOENT;
	return NULL;
}

long __real_sysconf(int name);
long __wrap_sysconf(int name);
long
__wrap_sysconf(int name)
{
	return name == _SC_NPROCESSORS_ONLN ? online : __real_sysconf(name);
}

#if !defined(__linux__) || defined(MA_PORTABLE)

static int raised_user;
static int raised_group;

uid_t __real_geteuid(void);
uid_t __wrap_geteuid(void);
uid_t
__wrap_geteuid(void)
{
	return __real_geteuid() + (uid_t)raised_user;
}

gid_t __real_getegid(void);
gid_t __wrap_getegid(void);
gid_t
__wrap_getegid(void)
{
	return __real_getegid() + (gid_t)raised_group;
}

/* The user of such a program is not to be believed. */
static void
raised_privileges(void)
{
	static const char name[] = "MINIASYNC_TEST_OS";

	CHECK(setenv(name, "12", 1) == 0);
	raised_user = 1;
	CHECK_INT(ma__os_env_size(name, 5), 5);
	raised_user = 0;
	raised_group = 1;
	CHECK_INT(ma__os_env_size(name, 5), 5);
	raised_group = 0;
	CHECK_INT(ma__os_env_size(name, 5), 12);
	CHECK(unsetenv(name) == 0);
}

#else

static int set_size_needed; /* CPUs the kernel has: smaller sets are refused */
static int set_error; /* of sched_getaffinity(), whatever the size */
static int set_count;
static int set_refused; /* there is no memory for a set */

int __wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set);
int
__wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
	CHECK_INT(pid, 0);
	if (set_error != 0 || size * 8 < (size_t)set_size_needed) {
		errno = set_error != 0 ? set_error : EINVAL;
		return -1;
	}
	memset(set, 0, size);
	for (int i = 0; i < set_count; i++)
		CPU_SET_S((size_t)i, size, set);
	return 0;
}

cpu_set_t *__real___sched_cpualloc(size_t count);
cpu_set_t *__wrap___sched_cpualloc(size_t count);
cpu_set_t *
__wrap___sched_cpualloc(size_t count)
{
	return set_refused ? NULL : __real___sched_cpualloc(count);
}

#endif /* Linux */

static void
reset(void)
{
	static const struct file none[] = {{NULL, NULL}};

	files = none;
	online = 96;
#if defined(__linux__) && !defined(MA_PORTABLE)
	set_size_needed = 0;
	set_error = 0;
	set_count = 48;
	set_refused = 0;
#endif
}

static void
online_ones(void)
{
	reset();
#if defined(__linux__) && !defined(MA_PORTABLE)
	set_error = EPERM;
#endif
	CHECK_INT(ma__os_cpus(), 96);
	online = 1;
	CHECK_INT(ma__os_cpus(), 1);
	/* what the system does not know is one */
	online = 0;
	CHECK_INT(ma__os_cpus(), 1);
	online = -1;
	CHECK_INT(ma__os_cpus(), 1);
}

#if defined(__linux__) && !defined(MA_PORTABLE)

static void
affinity(void)
{
	reset();
	CHECK_INT(ma__os_cpus(), 48);
	set_count = 1;
	CHECK_INT(ma__os_cpus(), 1);
	/* more processors than a cpu_set_t holds */
	set_count = 5000;
	set_size_needed = 8192;
	CHECK_INT(ma__os_cpus(), 5000);
	/* more than anybody has */
	set_size_needed = 1 << 30;
	CHECK_INT(ma__os_cpus(), 96);
	/* an empty set, and no set */
	reset();
	set_count = 0;
	CHECK_INT(ma__os_cpus(), 96);
	reset();
	set_refused = 1;
	CHECK_INT(ma__os_cpus(), 96);
}

#define ROOT "/sys/fs/cgroup"

static void
check_quota(const struct file *served, size_t cpus)
{
	files = served;
	CHECK_INT(ma__os_cpus(), cpus);
}

static void
cgroups(void)
{
	static const struct file own[] = {{"/proc/self/cgroup", "0::/a/b\n"},
		{ROOT "/a/b/cpu.max", "250000 100000\n"}, {NULL, NULL}};
	static const struct file parents[] = {
		{"/proc/self/cgroup", "0::/a/b\n"},
		{ROOT "/a/b/cpu.max", "800000 100000\n"},
		{ROOT "/a/cpu.max", "500000 100000\n"},
		{ROOT "/cpu.max", "600000 100000\n"}, {NULL, NULL}};
	static const struct file top[] = {{"/proc/self/cgroup", "0::/\n"},
		{ROOT "/cpu.max", "400000 100000"}, {NULL, NULL}};
	static const struct file mixed[] = {
		{"/proc/self/cgroup",
			"12:cpu,cpuacct:/old\n1:name=systemd:/x\n0::/a\n"},
		{ROOT "/old/cpu.max", "100000 100000\n"},
		{ROOT "/a/cpu.max", "700000 100000\n"}, {NULL, NULL}};
	static const struct file old[] = {
		{"/proc/self/cgroup", "12:cpu,cpuacct:/old\n"},
		{ROOT "/old/cpu.max", "100000 100000\n"}, {NULL, NULL}};

	reset();
	check_quota(own, 3);
	check_quota(parents, 5);
	check_quota(top, 4);
	check_quota(mixed, 7);
	check_quota(old, 48); /* only the unified hierarchy is read */
}

static void
quotas_that_are_none(void)
{
	static const struct file none[] = {
		{"/proc/self/cgroup", "0::/a/b\n"}, {NULL, NULL}};
	static const struct file max[] = {{"/proc/self/cgroup", "0::/a\n"},
		{ROOT "/a/cpu.max", "max 100000\n"}, {NULL, NULL}};
	static const struct file high[] = {{"/proc/self/cgroup", "0::/a\n"},
		{ROOT "/a/cpu.max", "9900000 100000\n"}, {NULL, NULL}};
	static const struct file empty[] = {{"/proc/self/cgroup", "0::/a\n"},
		{ROOT "/a/cpu.max", NULL}, {NULL, NULL}};
	static const struct file odd[] = {{"/proc/self/cgroup", "0::/a\n"},
		{ROOT "/a/cpu.max", "2\n"}, {NULL, NULL}};
	static const struct file no_list[] = {
		{"/proc/self/cgroup", NULL}, {NULL, NULL}};

	reset();
	check_quota(none, 48);
	check_quota(max, 48);
	check_quota(high, 48);
	check_quota(empty, 48);
	check_quota(odd, 48);
	check_quota(no_list, 48);
}

/* A line of any length is read without harm, and the root is looked at. */
static void
long_paths(void)
{
	static const size_t lengths[] = {100, 400, 503, 504, 505, 2000};
	static char line[4096];
	static const struct file served[3] = {{"/proc/self/cgroup", line},
		{ROOT "/cpu.max", "200000 100000\n"}, {NULL, NULL}};

	for (size_t i = 0; i < T_COUNT(lengths); i++) {
		reset();
		memset(line, 'x', sizeof(line));
		memcpy(line, "0::/", 4);
		line[4 + lengths[i]] = '\n';
		line[5 + lengths[i]] = '\0';
		check_quota(served, 2);
	}
}

#endif /* Linux */

static void
environment(void)
{
	static const char name[] = "MINIASYNC_TEST_OS";

	CHECK(unsetenv(name) == 0);
	CHECK_INT(ma__os_env_size(name, 5), 5);
	CHECK(setenv(name, "12", 1) == 0);
	CHECK_INT(ma__os_env_size(name, 5), 12);
	CHECK(setenv(name, "12 or so", 1) == 0);
	CHECK_INT(ma__os_env_size(name, 5), 5);
	CHECK(setenv(name, "", 1) == 0);
	CHECK_INT(ma__os_env_size(name, 5), 5);
	CHECK(unsetenv(name) == 0);
}

/* It may be called by any thread, and does not harm it. */
static void
entering_a_worker(void)
{
	ma__os_enter_worker();
}

#if defined(__linux__) && !defined(MA_PORTABLE)
T_MAIN(T_CASE(online_ones), T_CASE(affinity), T_CASE(cgroups),
	T_CASE(quotas_that_are_none), T_CASE(long_paths), T_CASE(environment),
	T_CASE(entering_a_worker))
#else
T_MAIN(T_CASE(online_ones), T_CASE(environment), T_CASE(raised_privileges),
	T_CASE(entering_a_worker))
#endif
