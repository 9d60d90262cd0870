/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * _miniasync_event.c -- a future that is complete when somebody says so
 *
 * The lock makes the check and the storing of the waker one step: a set comes
 * before both, and the poll sees it, or after, and finds the waker. The waker is
 * called under the lock, so that after a reset, or a poll with another one, the
 * old one is called no more and what it points to may go.
 */

#include "_miniasync_event.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct event_data {
	struct ma_event *event;
};

struct event_output {
	char unused;
};

FUTURE(event_future, struct event_data, struct event_output);

struct ma_event {
	pthread_mutex_t lock;
	bool is_set;
	struct future_waker waker; /* .wake is NULL if there is none */
	struct event_future future;
};

static enum future_state
poll_event(struct future_context *context, struct future_notifier *notifier)
{
	struct event_data *data = future_context_get_data(context);
	struct ma_event *event = data->event;
	bool is_set;

	pthread_mutex_lock(&event->lock);
	is_set = event->is_set;
	if (is_set || notifier == NULL) {
		event->waker.wake = NULL;
	} else {
		event->waker = notifier->waker;
		notifier->notifier_used = FUTURE_NOTIFIER_WAKER;
	}
	pthread_mutex_unlock(&event->lock);
	return is_set ? FUTURE_STATE_COMPLETE : FUTURE_STATE_RUNNING;
}

struct ma_event *
ma_event_new(void)
{
	struct ma_event *event = malloc(sizeof(*event));

	if (event == NULL)
		return NULL;
	if (pthread_mutex_init(&event->lock, NULL) != 0) {
		free(event);
		return NULL;
	}
	event->is_set = false;
	event->waker.wake = NULL;
	event->future.data.event = event;
	FUTURE_INIT(&event->future, poll_event);
	return event;
}

void
ma_event_delete(struct ma_event *event)
{
	pthread_mutex_destroy(&event->lock);
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
	pthread_mutex_lock(&event->lock);
	event->is_set = true;
	if (event->waker.wake != NULL)
		FUTURE_WAKER_WAKE(&event->waker);
	event->waker.wake = NULL;
	pthread_mutex_unlock(&event->lock);
}

int
ma_event_reset(struct ma_event *event)
{
	bool was_set;

	pthread_mutex_lock(&event->lock);
	was_set = event->is_set;
	event->is_set = false;
	event->waker.wake = NULL;
	pthread_mutex_unlock(&event->lock);
	FUTURE_INIT(&event->future, poll_event);
	return was_set;
}
