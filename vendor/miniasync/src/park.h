/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * park.h -- a place for one thread to sleep until it is woken
 *
 * A park holds a token or none. Waking puts the token in; waiting takes it out
 * and sleeps until there is one. So a wake that comes before the wait is not
 * lost, and many count as one. What the waking thread wrote before the wake is
 * visible to the waiting one after it took the token.
 */

#ifndef MA_PARK_H
#define MA_PARK_H

#include <stdatomic.h>
#include <stdint.h>

#if !defined(__linux__) || defined(MA_PORTABLE)
#define MA_PARK_POSIX
#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>
#endif

struct ma__park {
#ifndef MA_PARK_POSIX
	atomic_uint word;
#else
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool token;
	pid_t pid;
#endif
};

/* 0, or an error number when the system has no resources for it. */
int ma__park_init(struct ma__park *park);
void ma__park_fini(struct ma__park *park);

/*
 * Before a thread begins to use a park that may be older than a fork: a lock in
 * it may have been held by a thread that this process does not have.
 */
void ma__park_renew(struct ma__park *park);

/*
 * Sleeps until there is a token, and takes it: 0. ETIMEDOUT at `deadline` (a
 * time of ma__now()). EINTR when a signal handler ran in this thread during the
 * sleep (where the system tells), whether or not there was a token, which is
 * taken. By one thread at a time. A deadline is always given, far away
 * if need be: without one, Linux would go back to sleep after a handler
 * installed with SA_RESTART.
 */
int ma__park_wait(struct ma__park *park, uint64_t deadline);

/*
 * Puts the token in and wakes the thread that sleeps here. Does not block, apart
 * from a lock where there is no futex: there it must not be called by a signal
 * handler.
 */
void ma__park_wake(struct ma__park *park);

#endif /* MA_PARK_H */
