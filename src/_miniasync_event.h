/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * _miniasync_event.h -- a future that is complete when somebody says so
 *
 * What a user's own future is waited for with: its waker sets the event. One
 * thread at a time polls it, as with any future; any thread sets it, at any
 * time, and so may a forked child, whatever other threads were doing.
 */

#ifndef MINIASYNC_EVENT_H
#define MINIASYNC_EVENT_H

#include <libminiasync/future.h>

struct ma_event;

/* NULL if there is no memory. Freed with ma_event_delete(). */
struct ma_event *ma_event_new(void);

/* Nobody may be polling, watching or setting it. */
void ma_event_delete(struct ma_event *event);

/* The future, which lives as long as the event. */
struct future *ma_event_future(struct ma_event *event);

/*
 * Completes the future at its next poll, and wakes who polled it last. Does not
 * block.
 */
void ma_event_set(struct ma_event *event);

/*
 * Makes it incomplete again, and forgets the waker of the last poll. Was it
 * set? Nobody may be polling or watching it.
 */
int ma_event_reset(struct ma_event *event);

#endif /* MINIASYNC_EVENT_H */
