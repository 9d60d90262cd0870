/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_help_locked.c -- what a fork may find of an operation with a helper
 *
 * A fork happens under the mover's lock, so what it may find is what is there
 * whenever the lock was released.
 */

#include "held.h"

#include "operation.h"

static struct ma__op *watched;
static int looks;

int __real_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);

int
__wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	const int rc = __real_pthread_mutex_unlock(mutex);

	if (watched != NULL && watched->executors == 0) {
		looks++;
		/* a child would think that nobody had been at its end */
		if (atomic_load(&watched->state) == MA__OP_DONE)
			watched = NULL; /* from now on it may be released */
		else
			CHECK(atomic_load(&watched->left) != 0);
	}
	return rc;
}

/* Who executes it has completed it before it is not an executor any more. */
static void
completed_by_an_executor(void)
{
	struct held h;

	hold(&h, 4 << 20, 4096);
	for (size_t n = 65536; n <= h.n; n *= 2) {
		struct vdm_operation_future c = held_copy(&h, n);

		start_it(&c, NULL);
		looks = 0;
		watched = c.data.data;
		CHECK_INT(wait_for(&h, FUTURE_AS_RUNNABLE(&c), 40 * T_SECOND),
			0);
		watched = NULL;
		CHECK(looks > 0);
		check_held_copy(&h, &c);
	}
	let_go(&h);
}

T_MAIN(T_CASE(completed_by_an_executor))
