/* SPDX-License-Identifier: BSD-3-Clause */
/* watching.h -- a monitor, and event loops around it */

#ifndef WATCHING_H
#define WATCHING_H

#include "helpers.h"

#include <fcntl.h>
#include <poll.h>

static inline struct future_monitor *
new_monitor(void)
{
	struct future_monitor *m = future_monitor_new();

	CHECK(m != NULL);
	CHECK(future_monitor_fd(m) >= 0);
	return m;
}

/* Is the descriptor readable, now or within so many milliseconds? */
static inline int
readable(const struct future_monitor *m, int ms)
{
	struct pollfd p = {.fd = future_monitor_fd(m), .events = POLLIN};
	int n;

	do {
		n = poll(&p, 1, ms);
	} while (n < 0 && errno == EINTR);
	CHECK(n == 0 || (n == 1 && p.revents == POLLIN));
	return n;
}

/* Sleeps until there is a reason to call run. */
static inline void
await_reason(const struct future_monitor *m)
{
	const uint64_t deadline = future_monitor_deadline(m);
	const uint64_t now = t_now();
	int ms = 0;

	CHECK(deadline != FUTURE_WAITER_FOREVER);
	if (deadline > now)
		ms = (int)((deadline - now + T_MS - 1) / T_MS);
	(void)readable(m, ms);
}

/* Runs until one is complete, and returns its data. */
static inline void *
next_done(struct future_monitor *m)
{
	void *done[1];

	while (future_monitor_run(m, done, 1) == 0)
		await_reason(m);
	return done[0];
}

/* The same without the deadline: wakes have to do. */
static inline void *
next_woken(struct future_monitor *m)
{
	void *done[1];

	while (future_monitor_run(m, done, 1) == 0)
		CHECK_INT(readable(m, -1), 1);
	return done[0];
}

/* One call of run has nothing to say. */
static inline void
run_in_vain(struct future_monitor *m)
{
	void *done[1];

	CHECK_INT(future_monitor_run(m, done, 1), 0);
}

#endif /* WATCHING_H */
