/* SPDX-License-Identifier: BSD-3-Clause */
/* bell.c -- a descriptor that is readable once it was rung */

#include "bell.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include "os.h"

int
ma__bell_init(struct ma__bell *bell)
{
	bell->pid = getpid();
	return ma__os_signal_fds(bell->fds);
}

void
ma__bell_fini(struct ma__bell *bell)
{
	if (bell->fds[1] != bell->fds[0])
		close(bell->fds[1]);
	close(bell->fds[0]);
}

void
ma__bell_ring(const struct ma__bell *bell)
{
	const int error = errno;
	const uint64_t one = 1;

	if (bell->pid != getpid())
		return;
	/* If there is no room for it, it is readable as it is. */
	while (write(bell->fds[1], &one, sizeof(one)) < 0 && errno == EINTR)
		;
	errno = error;
}

void
ma__bell_drain(const struct ma__bell *bell)
{
	const int error = errno;
	uint64_t rings[32];
	ssize_t n;

	if (bell->pid != getpid())
		return;
	/* An eventfd gives one number for all; a pipe, what was written. */
	do {
		n = read(bell->fds[0], rings, sizeof(rings));
	} while (n == (ssize_t)sizeof(rings) || (n < 0 && errno == EINTR));
	errno = error;
}
