/* SPDX-License-Identifier: BSD-3-Clause */
/* park_linux.c -- parks on a futex */

#define _GNU_SOURCE

#include "park.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { EMPTY, TOKEN, ASLEEP };

int
ma__park_init(struct ma__park *park)
{
	atomic_init(&park->word, EMPTY);
	return 0;
}

void
ma__park_fini(struct ma__park *park)
{
	(void)park;
}

void
ma__park_renew(struct ma__park *park)
{
	/* There is no lock, but a thread may have slept here that is gone. */
	if (atomic_load_explicit(&park->word, memory_order_relaxed) == ASLEEP)
		atomic_store_explicit(&park->word, EMPTY, memory_order_relaxed);
}

int
ma__park_wait(struct ma__park *park, uint64_t deadline)
{
	const struct timespec until = {
		.tv_sec = (time_t)(deadline / 1000000000ULL),
		.tv_nsec = (long)(deadline % 1000000000ULL),
	};
	unsigned word = EMPTY;
	int error = 0;

	/* Acquire pairs with the release in ma__park_wake(). */
	if (!atomic_compare_exchange_strong_explicit(&park->word, &word, ASLEEP,
		    memory_order_acquire, memory_order_acquire)) {
		/* Only the token can be there: this thread is the only sleeper. */
		atomic_exchange_explicit(&park->word, EMPTY,
			memory_order_acquire);
		return 0;
	}

	do {
		error = 0;
		/* BITSET is the variant whose time is absolute and monotonic. */
		if (syscall(SYS_futex, &park->word, FUTEX_WAIT_BITSET_PRIVATE,
			    ASLEEP, &until, NULL, FUTEX_BITSET_MATCH_ANY) != 0)
			error = errno;
	} while (error == 0 &&
		atomic_load_explicit(&park->word, memory_order_relaxed) ==
			ASLEEP);

	const unsigned left = atomic_exchange_explicit(&park->word, EMPTY,
		memory_order_acquire);

	/* First: a handler that puts the token in has run all the same. */
	if (error == EINTR)
		return EINTR;
	/*
	 * Anything else that the kernel may say cannot happen with these
	 * arguments; taken for a time-out, it makes the caller look again.
	 */
	return left == TOKEN ? 0 : ETIMEDOUT;
}

void
ma__park_wake(struct ma__park *park)
{
	if (atomic_exchange_explicit(&park->word, TOKEN,
		    memory_order_acq_rel) == ASLEEP)
		syscall(SYS_futex, &park->word, FUTEX_WAKE_PRIVATE, 1, NULL,
			NULL, 0);
}
