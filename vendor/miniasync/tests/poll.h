/* SPDX-License-Identifier: BSD-3-Clause */
/* poll.h -- polling to the end, without keeping a worker from its processor */

#ifndef POLL_H
#define POLL_H

#include "t.h"

#include <libminiasync.h>

static inline void
poll_out(struct future *fut)
{
	while (future_poll(fut, NULL) != FUTURE_STATE_COMPLETE)
		sched_yield();
}

#endif /* POLL_H */
