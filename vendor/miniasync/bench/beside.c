/* SPDX-License-Identifier: BSD-3-Clause */
/* beside.c -- the same rows of this program linked with another library */

#define _GNU_SOURCE

#include "beside.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS 600

/* Runs the program with its output in a pipe, which is returned. */
static FILE *
start(const char *program, const char *const arguments[], pid_t *pid)
{
	FILE *file;
	int fds[2];

	if (pipe(fds) != 0)
		die("pipe");
	fflush(NULL);
	*pid = fork();
	if (*pid < 0)
		die("fork");
	if (*pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		alarm(SECONDS); /* is kept by the program that follows */
		execv(program, (char *const *)arguments);
		_exit(127);
	}
	close(fds[1]);
	file = fdopen(fds[0], "r");
	if (file == NULL)
		die("fdopen");
	return file;
}

/* Did it end well? */
static bool
finish(FILE *file, pid_t pid)
{
	int status;

	fclose(file);
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

const char *
beside_name(const char *program)
{
	static char name[48];
	const char *const arguments[] = {program, "--version", NULL};
	pid_t pid;
	FILE *file = start(program, arguments, &pid);
	const bool was_read = fgets(name, sizeof(name), file) != NULL;

	if (!finish(file, pid) || !was_read)
		die(program);
	name[strcspn(name, "\n")] = '\0';
	return name;
}

void
beside_run(struct report *report, const char *program, const struct row *row,
	bool quick)
{
	const char *const arguments[] = {program, "--plain", "--rows",
		row->name, quick ? "--quick" : NULL, NULL};
	pid_t pid;
	FILE *file = start(program, arguments, &pid);
	char line[256];

	while (fgets(line, sizeof(line), file) != NULL) {
		char *const tab = strchr(line, '\t');

		if (tab == NULL)
			continue;
		*tab = '\0';
		report_beside(report, line, strtod(tab + 1, NULL));
	}
	if (!finish(file, pid))
		fprintf(stderr, "bench_miniasync: %s failed in row %s\n",
			program, row->name);
}
