/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pace.h -- when a waiting thread polls again, and how long it sleeps
 *
 * Two kinds of futures are waited for. Those that announced a waker are left
 * alone until it is called; but since a task may forget its waker, all are
 * polled once in a while: after 4 ms, 8 ms, ... 256 ms. The others are polled
 * round after round; once 64 rounds and 5 ms have brought no completion, the
 * thread sleeps between rounds, for 50 us, 100 us, ... 5 ms. (An expiring sleep
 * costs some 50 us of processor time: 1 % at 5 ms.)
 *
 * A wait that ends in vain and is begun again goes on with all that: see
 * wait_slices.c.
 *
 * A processor that can doze (doze.h) does so in these 5 ms, after the first 64
 * rounds: for an eighth of the time that was waited in vain, but no longer than
 * the shortest sleep. So what takes long is noticed by an eighth later at most,
 * and polled a hundred times instead of thousands.
 */

#ifndef MA_PACE_H
#define MA_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"

#define MA__BUSY_ROUNDS 64
#define MA__BUSY_TIME (5 * MA__MS)
#define MA__NAP_MIN (50 * MA__US)
#define MA__NAP_MAX (5 * MA__MS)
#define MA__CHECK_MIN (4 * MA__MS)
#define MA__CHECK_MAX (256 * MA__MS)

struct ma__pace {
	uint64_t quiet_since; /* the latest completion, or the start */
	uint64_t nap; /* the next sleep between rounds */
	uint64_t check_at; /* when even woken-only futures are polled */
	uint64_t check_after; /* and how long after that again */
	unsigned rounds; /* without a completion */
};

/* Does not read the clock: most waits end before it matters. */
static inline void
ma__pace_init(struct ma__pace *pace)
{
	pace->quiet_since = 0;
	pace->nap = MA__NAP_MIN;
	pace->check_after = MA__CHECK_MIN;
	pace->check_at = 0;
	pace->rounds = 0;
}

/* A future completed: polling is worth its while again. */
static inline void
ma__pace_progress(struct ma__pace *pace)
{
	pace->rounds = 0;
	pace->nap = MA__NAP_MIN;
}

/*
 * After a round, with futures left that have no waker: may the next one follow
 * at once? The clock is read by every 16th round only.
 */
static inline bool
ma__pace_busy(struct ma__pace *pace)
{
	if (pace->rounds == 0)
		pace->quiet_since = ma__now();
	if (++pace->rounds <= MA__BUSY_ROUNDS)
		return true;
	if (pace->rounds % 16 != 0)
		return pace->nap == MA__NAP_MIN;
	return pace->nap == MA__NAP_MIN &&
		ma__now() - pace->quiet_since < MA__BUSY_TIME;
}

/* Until when a doze between rounds may last that no completion would end. */
static inline uint64_t
ma__pace_doze(const struct ma__pace *pace, uint64_t now)
{
	const uint64_t eighth = (now - pace->quiet_since) / 8;

	return ma__after(now, ma__earlier(eighth, MA__NAP_MIN));
}

/* When to wake from a sleep between rounds; the next is twice as long. */
static inline uint64_t
ma__pace_nap(struct ma__pace *pace, uint64_t now)
{
	const uint64_t until = ma__after(now, pace->nap);

	pace->nap *= 2;
	if (pace->nap > MA__NAP_MAX)
		pace->nap = MA__NAP_MAX;
	return until;
}

/* Is it time to poll even the futures that announced a waker? */
static inline bool
ma__pace_check(struct ma__pace *pace, uint64_t now)
{
	if (pace->check_at == 0)
		pace->check_at = ma__after(now, pace->check_after);
	if (now < pace->check_at)
		return false;
	if (pace->check_after < MA__CHECK_MAX)
		pace->check_after *= 2;
	pace->check_at = ma__after(now, pace->check_after);
	return true;
}

#endif /* MA_PACE_H */
