/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * coverage.h -- for a build that measures coverage, included before all else
 *
 * Children of the tests end with _exit(), which would lose what they counted.
 */

#ifndef COVERAGE_H
#define COVERAGE_H

#define _exit coverage_exit

void __gcov_dump(void);
void _Exit(int status) __attribute__((noreturn));

__attribute__((weak, noreturn)) void coverage_exit(int status);

__attribute__((weak, noreturn)) void
coverage_exit(int status)
{
	__gcov_dump();
	_Exit(status);
}

#endif /* COVERAGE_H */
