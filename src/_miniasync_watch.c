/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * _miniasync_watch.c -- a monitor that several Python threads use
 *
 * Who waits sleeps outside the lock, on the monitor's descriptor, until the
 * deadline that it has written into `until`. An addition that makes the deadline
 * earlier sets the event `kick`, which the monitor watches beside everything
 * else: so one descriptor serves both.
 */

/* clock_gettime; the file is compiled as plain C11. */
#define _POSIX_C_SOURCE 200809L

#include "_miniasync_watch.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include <libminiasync/waiter.h>

#include "_miniasync_event.h"

#define NS_PER_MS 1000000U

struct ma_watch {
	pthread_mutex_t lock;
	struct future_monitor *monitor;
	struct ma_event *kick;
	bool is_kicked;
	uint64_t until; /* how long a thread sleeps; 0 when none does */
};

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static int
arm(struct ma_watch *watch)
{
	(void)ma_event_reset(watch->kick);
	return future_monitor_add(watch->monitor, ma_event_future(watch->kick),
		NULL);
}

struct ma_watch *
ma_watch_new(void)
{
	struct ma_watch *watch = malloc(sizeof(*watch));
	int error;

	if (watch == NULL)
		return NULL;
	watch->is_kicked = false;
	watch->until = 0;
	error = pthread_mutex_init(&watch->lock, NULL);
	if (error != 0)
		goto fail_lock;
	watch->kick = ma_event_new();
	error = ENOMEM;
	if (watch->kick == NULL)
		goto fail_event;
	watch->monitor = future_monitor_new();
	error = errno;
	if (watch->monitor == NULL)
		goto fail_monitor;
	error = arm(watch);
	if (error == 0)
		return watch;
	future_monitor_delete(watch->monitor);
fail_monitor:
	ma_event_delete(watch->kick);
fail_event:
	pthread_mutex_destroy(&watch->lock);
fail_lock:
	free(watch);
	errno = error;
	return NULL;
}

void
ma_watch_delete(struct ma_watch *watch)
{
	/* First, so that the event has nobody left to wake. */
	future_monitor_delete(watch->monitor);
	ma_event_delete(watch->kick);
	pthread_mutex_destroy(&watch->lock);
	free(watch);
}

int
ma_watch_fd(const struct ma_watch *watch)
{
	return future_monitor_fd(watch->monitor);
}

/* The lock is held. */
static uint64_t
deadline_of(const struct ma_watch *watch)
{
	/* The event alone needs none: it does not forget its waker. */
	return future_monitor_count(watch->monitor) > 1
		? future_monitor_deadline(watch->monitor)
		: FUTURE_WAITER_FOREVER;
}

uint64_t
ma_watch_deadline(struct ma_watch *watch)
{
	uint64_t deadline;

	pthread_mutex_lock(&watch->lock);
	deadline = deadline_of(watch);
	pthread_mutex_unlock(&watch->lock);
	return deadline;
}

int
ma_watch_add(struct ma_watch *watch, struct future *future)
{
	int error;

	pthread_mutex_lock(&watch->lock);
	error = future_monitor_add(watch->monitor, future, future);
	if (error == 0 && deadline_of(watch) < watch->until)
		ma_event_set(watch->kick);
	pthread_mutex_unlock(&watch->lock);
	return error == EEXIST ? 0 : error;
}

void
ma_watch_remove(struct ma_watch *watch, struct future *future)
{
	pthread_mutex_lock(&watch->lock);
	(void)future_monitor_remove(watch->monitor, future);
	pthread_mutex_unlock(&watch->lock);
}

/* Takes what is complete. The lock is held. */
static size_t
take(struct ma_watch *watch, uintptr_t done[], size_t max)
{
	void *found[64];
	size_t taken = 0;

	while (taken < max) {
		const size_t room = sizeof(found) / sizeof(found[0]);
		const size_t most = max - taken < room ? max - taken : room;
		const size_t n =
			future_monitor_run(watch->monitor, found, most);

		for (size_t i = 0; i < n; i++) {
			if (found[i] != NULL)
				done[taken++] = (uintptr_t)found[i];
			else
				(void)arm(watch);
		}
		if (n < most)
			break;
	}
	return taken;
}

static void
sleep_until(const struct ma_watch *watch, uint64_t until)
{
	struct pollfd pollfd = {
		.fd = future_monitor_fd(watch->monitor),
		.events = POLLIN,
	};
	const uint64_t now = now_ns();
	/* Rounded up, or the last millisecond would be spent polling. */
	const uint64_t ms =
		now < until ? (until - now + NS_PER_MS - 1) / NS_PER_MS : 0;

	(void)poll(&pollfd, 1, ms < INT_MAX ? (int)ms : INT_MAX);
}

size_t
ma_watch_run(struct ma_watch *watch, uintptr_t done[], size_t max,
	uint64_t timeout_ns)
{
	const uint64_t now = timeout_ns != 0 ? now_ns() : 0;
	const uint64_t end = timeout_ns < FUTURE_WAITER_FOREVER - now
		? now + timeout_ns
		: FUTURE_WAITER_FOREVER;
	size_t taken;

	pthread_mutex_lock(&watch->lock);
	for (;;) {
		uint64_t until;

		taken = take(watch, done, max);
		if (taken != 0 || timeout_ns == 0 || watch->is_kicked ||
			now_ns() >= end)
			break;
		until = deadline_of(watch);
		if (until > end)
			until = end;
		watch->until = until;
		pthread_mutex_unlock(&watch->lock);
		sleep_until(watch, until);
		pthread_mutex_lock(&watch->lock);
		watch->until = 0;
	}
	if (timeout_ns != 0)
		watch->is_kicked = false;
	pthread_mutex_unlock(&watch->lock);
	return taken;
}

void
ma_watch_kick(struct ma_watch *watch)
{
	pthread_mutex_lock(&watch->lock);
	watch->is_kicked = true;
	ma_event_set(watch->kick);
	pthread_mutex_unlock(&watch->lock);
}
