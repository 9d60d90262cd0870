/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wait_plain.c -- waiting where there is no memory for cells
 *
 * Every round polls everything, without a notifier, and nothing cuts short the
 * naps in between. Slower, but it needs nothing.
 */

#include <errno.h>
#include <time.h>

#include "pace.h"
#include "polling.h"

int
ma__wait_without_cells(struct future *futs[], size_t nfuts, size_t nwanted,
	uint64_t deadline, bool interruptible)
{
	struct ma__pace pace;
	size_t ndone = 0;

	ma__pace_init(&pace);
	for (;;) {
		const size_t before = ndone;
		struct timespec nap;
		uint64_t now;
		uint64_t ns;

		for (int async = 1; async >= 0; async--) {
			for (size_t i = 0; i < nfuts; i++) {
				struct future *fut = futs[i];

				if (fut->context.state !=
						FUTURE_STATE_COMPLETE &&
					ma__is_async(fut) == async)
					future_poll(fut, NULL);
			}
		}
		ndone = ma__count_complete(futs, nfuts);
		if (ndone >= nwanted)
			return 0;
		if (ndone > before)
			ma__pace_progress(&pace);

		now = ma__now();
		if (now >= deadline)
			return ETIMEDOUT;
		if (ma__pace_busy(&pace))
			continue;
		ns = ma__earlier(ma__pace_nap(&pace, now), deadline) - now;
		nap.tv_sec = 0;
		nap.tv_nsec = (long)ns;
		if (nanosleep(&nap, NULL) != 0 && interruptible)
			return EINTR;
	}
}
