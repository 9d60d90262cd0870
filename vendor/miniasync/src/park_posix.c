/* SPDX-License-Identifier: BSD-3-Clause */
/* park_posix.c -- parks on a condition variable, for systems without futex */

#include "park.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

/* A condition that waits until times of ma__now(). */
static int
init_cond(pthread_cond_t *cond)
{
	pthread_condattr_t attr;
	int error = pthread_condattr_init(&attr);

	if (error != 0)
		return error;
#ifndef __APPLE__
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
#endif
	error = pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
	return error;
}

int
ma__park_init(struct ma__park *park)
{
	int error = init_cond(&park->cond);

	if (error != 0)
		return error;
	error = pthread_mutex_init(&park->lock, NULL);
	if (error != 0)
		pthread_cond_destroy(&park->cond);
	park->token = false;
	park->pid = getpid();
	return error;
}

void
ma__park_fini(struct ma__park *park)
{
	/* In a forked child it would wait for threads that are not there. */
	if (park->pid != getpid())
		return;
	pthread_mutex_destroy(&park->lock);
	pthread_cond_destroy(&park->cond);
}

void
ma__park_renew(struct ma__park *park)
{
	static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;
	static const pthread_cond_t fresh = PTHREAD_COND_INITIALIZER;

	if (park->pid == getpid())
		return;
	/* Not destroyed first: that could wait for threads that are not there. */
	memcpy(&park->lock, &unlocked, sizeof(unlocked));
	/* One with the wrong clock wakes too early, and the caller looks again. */
	if (init_cond(&park->cond) != 0)
		memcpy(&park->cond, &fresh, sizeof(fresh));
	park->token = false;
	park->pid = getpid();
}

int
ma__park_wait(struct ma__park *park, uint64_t deadline)
{
	int error = 0;

	pthread_mutex_lock(&park->lock);
	while (!park->token && error == 0) {
		struct timespec ts;
#ifdef __APPLE__
		/* No clock can be chosen there, but a relative time given. */
		const uint64_t now = ma__now();
		const uint64_t ns = deadline > now ? deadline - now : 0;

		ts.tv_sec = (time_t)(ns / 1000000000ULL);
		ts.tv_nsec = (long)(ns % 1000000000ULL);
		error = pthread_cond_timedwait_relative_np(&park->cond,
			&park->lock, &ts);
#else
		ts.tv_sec = (time_t)(deadline / 1000000000ULL);
		ts.tv_nsec = (long)(deadline % 1000000000ULL);
		error = pthread_cond_timedwait(&park->cond, &park->lock, &ts);
#endif
	}
	if (park->token)
		error = 0;
	park->token = false;
	pthread_mutex_unlock(&park->lock);
	return error == 0 ? 0 : ETIMEDOUT;
}

void
ma__park_wake(struct ma__park *park)
{
	pthread_mutex_lock(&park->lock);
	park->token = true;
	pthread_cond_signal(&park->cond);
	pthread_mutex_unlock(&park->lock);
}
