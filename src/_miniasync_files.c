/* SPDX-License-Identifier: BSD-3-Clause */
/* _miniasync_files.c -- comparing maps of files, and surviving lost pages */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sigaction, strdup */
#endif

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "_miniasync_files.h"

size_t
ma_first_difference(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a;
	const unsigned char *y = b;
	size_t i = 0;

	if (memcmp(x, y, n) == 0)
		return n;
	while (i < n && x[i] == y[i])
		i++;
	return i;
}

static struct sigaction guard_before;
static char *guard_path;
static char *guard_message;
static size_t guard_length;

/* Calls nothing but write, unlink and _exit: it may interrupt anything. */
static void
guard_handler(int sig)
{
	(void)sig;
	if (write(STDERR_FILENO, guard_message, guard_length) < 0) {
		/* There is nobody left to tell. */
	}
	unlink(guard_path);
	_exit(1);
}

static void
guard_free(void)
{
	free(guard_path);
	free(guard_message);
	guard_path = NULL;
	guard_message = NULL;
}

int
ma_busguard_on(const char *path, const char *message)
{
	struct sigaction action = {.sa_handler = guard_handler};

	if (guard_path != NULL)
		return EBUSY;
	guard_path = strdup(path);
	guard_message = strdup(message);
	if (guard_path == NULL || guard_message == NULL) {
		guard_free();
		return ENOMEM;
	}
	guard_length = strlen(message);
	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, &guard_before);
	return 0;
}

void
ma_busguard_off(void)
{
	if (guard_path == NULL)
		return;
	sigaction(SIGBUS, &guard_before, NULL);
	guard_free();
}
