/* SPDX-License-Identifier: BSD-3-Clause */
/* runtime.c -- the runtime of LIBMINIASYNC_1.0 */

#include "libminiasync/runtime.h"

#include <errno.h>
#include <stdlib.h>

#include "clock.h"
#include "wait.h"

struct runtime {
	struct ma__waiters waiters;
};

struct runtime *
runtime_new(void)
{
	struct runtime *runtime = malloc(sizeof(*runtime));

	if (runtime == NULL || ma__waiters_init(&runtime->waiters) != 0) {
		free(runtime);
		errno = ENOMEM;
		return NULL;
	}
	return runtime;
}

void
runtime_delete(struct runtime *runtime)
{
	if (runtime == NULL)
		return;
	ma__waiters_fini(&runtime->waiters);
	free(runtime);
}

void
runtime_wait(struct runtime *runtime, struct future *fut)
{
	/* Without deadline and signals it ends with all of them complete. */
	(void)ma__wait(&runtime->waiters, &fut, 1, 1, MA__NEVER, false);
}

void
runtime_wait_multiple(struct runtime *runtime, struct future *futs[],
	size_t nfuts)
{
	(void)ma__wait(&runtime->waiters, futs, nfuts, nfuts, MA__NEVER, false);
}
