/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * _miniasync_event.c -- a future that is complete when somebody says so
 *
 * The lock makes the check and the storing of the waker one step: a set comes
 * before both, and the poll sees it, or after, and finds the waker. The waker is
 * called under the lock, so that after a reset, or a poll with another one, the
 * old one is called no more and what it points to may go.
 *
 * fork() may come while any thread is in here, and the child has only the one
 * that called it. So there is one lock for all events, which is held for the time
 * of the fork: nobody else has it in the child, and no event is halfway between
 * two states. What is called under it takes no other lock that a fork holds: the
 * library's are taken after this one, whose handlers were registered later. The
 * wakers that were stored before the fork belong to waits of the parent, with
 * descriptors that the child shares: the child calls none of them. Each is stored
 * with the number of forks before it.
 */

#include "_miniasync_event.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool installed;
static unsigned long nforks; /* between this process and the first */

struct event_data {
	struct ma_event *event;
};

struct event_output {
	char unused;
};

FUTURE(event_future, struct event_data, struct event_output);

struct ma_event {
	bool is_set;
	struct future_waker waker; /* .wake is NULL if there is none */
	unsigned long nforks; /* when it was stored */
	struct event_future future;
};

static enum future_state
poll_event(struct future_context *context, struct future_notifier *notifier)
{
	struct event_data *data = future_context_get_data(context);
	struct ma_event *event = data->event;
	bool is_set;

	pthread_mutex_lock(&lock);
	is_set = event->is_set;
	if (is_set || notifier == NULL) {
		event->waker.wake = NULL;
	} else {
		event->waker = notifier->waker;
		event->nforks = nforks;
		notifier->notifier_used = FUTURE_NOTIFIER_WAKER;
	}
	pthread_mutex_unlock(&lock);
	return is_set ? FUTURE_STATE_COMPLETE : FUTURE_STATE_RUNNING;
}

static void
prepare(void)
{
	pthread_mutex_lock(&lock);
}

static void
parent(void)
{
	pthread_mutex_unlock(&lock);
}

static void
child(void)
{
	nforks++;
	/* The child's one thread is the one that locked it. */
	pthread_mutex_unlock(&lock);
}

static bool
install(void)
{
	bool is_installed;

	pthread_mutex_lock(&lock);
	if (!installed)
		installed = pthread_atfork(prepare, parent, child) == 0;
	is_installed = installed;
	pthread_mutex_unlock(&lock);
	return is_installed;
}

struct ma_event *
ma_event_new(void)
{
	struct ma_event *event = install() ? malloc(sizeof(*event)) : NULL;

	if (event == NULL)
		return NULL;
	event->is_set = false;
	event->waker.wake = NULL;
	event->future.data.event = event;
	FUTURE_INIT(&event->future, poll_event);
	return event;
}

void
ma_event_delete(struct ma_event *event)
{
	free(event);
}

struct future *
ma_event_future(struct ma_event *event)
{
	return FUTURE_AS_RUNNABLE(&event->future);
}

void
ma_event_set(struct ma_event *event)
{
	pthread_mutex_lock(&lock);
	event->is_set = true;
	if (event->waker.wake != NULL && event->nforks == nforks)
		FUTURE_WAKER_WAKE(&event->waker);
	event->waker.wake = NULL;
	pthread_mutex_unlock(&lock);
}

int
ma_event_reset(struct ma_event *event)
{
	bool was_set;

	pthread_mutex_lock(&lock);
	was_set = event->is_set;
	event->is_set = false;
	event->waker.wake = NULL;
	pthread_mutex_unlock(&lock);
	FUTURE_INIT(&event->future, poll_event);
	return was_set;
}
