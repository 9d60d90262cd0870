/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * beside.c -- the same rows of this program linked with another library
 *
 * The other program is spawned, not forked: after a fork each page of ours that
 * is written to costs a fault, and the next row would be slow.
 */

#define _GNU_SOURCE

#include "beside.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stats.h"

#define SECONDS 600
#define OUTPUT_MAX 65536

extern char **environ;

/* Starts the program with its output in a pipe, whose other end is returned. */
static int
start(const char *const arguments[], pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	int error;
	int fds[2];

	fflush(NULL);
	if (pipe(fds) != 0)
		die("pipe");
	error = posix_spawn_file_actions_init(&actions);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(&actions, fds[1],
			STDOUT_FILENO);
	if (error == 0)
		error = posix_spawn_file_actions_addclose(&actions, fds[0]);
	if (error == 0)
		error = posix_spawn_file_actions_addclose(&actions, fds[1]);
	if (error == 0)
		error = posix_spawn(pid, arguments[0], &actions, NULL,
			(char *const *)arguments, environ);
	errno = error;
	if (error != 0)
		die(arguments[0]);
	posix_spawn_file_actions_destroy(&actions);
	close(fds[1]);
	return fds[0];
}

/* Runs the program and returns what it prints, or NULL if it fails. */
static char *
run(const char *const arguments[])
{
	static char output[OUTPUT_MAX];
	const uint64_t start_ns = now_ns();
	pid_t pid;
	const int fd = start(arguments, &pid);
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	size_t length = 0;
	ssize_t got = 1;
	int status;

	while (got > 0 && length < sizeof(output) - 1) {
		const uint64_t ms = (now_ns() - start_ns) / 1000000;

		if (ms >= 1000 * SECONDS ||
			poll(&readable, 1, (int)(1000 * SECONDS - ms)) <= 0) {
			kill(pid, SIGKILL);
			break;
		}
		got = read(fd, output + length, sizeof(output) - 1 - length);
		length += got > 0 ? (size_t)got : 0;
	}
	output[length] = '\0';
	close(fd);
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? output : NULL;
}

const char *
beside_name(const char *program)
{
	static char name[48];
	const char *const arguments[] = {program, "--version", NULL};
	const char *output = run(arguments);

	if (output == NULL)
		die(program);
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(output, "\n"),
		output);
	return name;
}

void
beside_run(struct report *report, const char *program, const struct row *row,
	bool quick)
{
	const char *const arguments[] = {program, "--plain", "--rows",
		row->name, quick ? "--quick" : NULL, NULL};
	char *line = run(arguments);

	if (line == NULL) {
		fprintf(stderr, "bench_miniasync: %s failed in row %s\n",
			program, row->name);
		return;
	}
	/* Each is a name, a tab, a value, a tab, a unit. */
	while (*line != '\0') {
		char *const end = line + strcspn(line, "\n");
		char *const tab = line + strcspn(line, "\t\n");

		if (*tab == '\t') {
			*tab = '\0';
			report_beside(report, line, strtod(tab + 1, NULL));
		}
		line = end + (*end == '\n');
	}
}
