/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * coverage.h -- for a build that measures coverage, included before all else
 *
 * Children of the tests end with _exit() or by becoming another program, which
 * would lose what they counted.
 */

#ifndef COVERAGE_H
#define COVERAGE_H

#define _exit coverage_exit
#define execlp coverage_execlp

void __gcov_dump(void);
void _Exit(int status) __attribute__((noreturn));
int execvp(const char *file, char *const argv[]);

__attribute__((weak, noreturn)) void coverage_exit(int status);
__attribute__((weak)) int coverage_execlp(const char *file, const char *arg,
	...);

__attribute__((weak, noreturn)) void
coverage_exit(int status)
{
	__gcov_dump();
	_Exit(status);
}

/* Without arguments for the program: no test has any. */
__attribute__((weak)) int
coverage_execlp(const char *file, const char *arg, ...)
{
	char *argv[] = {(char *)arg, (char *)0};

	__gcov_dump();
	return execvp(file, argv);
}

#endif /* COVERAGE_H */
