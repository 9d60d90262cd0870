/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * entries.h -- what a monitor watches: lists, a table by future, and memory
 *
 * For the thread that uses the monitor, but for the cells' flags. How entries
 * and wakes get on with each other: see monitor.c.
 */

#ifndef MA_ENTRIES_H
#define MA_ENTRIES_H

#include "waiters.h"

/* A place in a circular list, or the head of one. */
struct ma__link {
	struct ma__link *next;
	struct ma__link *prev;
};

enum ma__entry_state {
	MA__ENTRY_SPARE, /* in no use; if not in the spare list, to be popped */
	MA__ENTRY_POLLING, /* being polled, in no list */
	MA__ENTRY_WATCHED, /* left alone, or to be polled without a wake */
	MA__ENTRY_WOKEN, /* popped, and to be polled */
	MA__ENTRY_DONE, /* complete */
};

struct ma__entry {
	struct ma__link link; /* first: a link of a list of entries is one */
	struct ma__cell cell;
	struct future *fut;
	void *data;
	struct ma__entry *chain; /* the next one of its bucket */
	enum ma__entry_state state;
	bool in_rounds; /* announced no waker at its latest poll */
};

struct ma__entries {
	struct ma__waiter *waiter;
	struct ma__link spare;
	size_t capacity; /* entries there are */
	struct ma__entry **buckets;
	size_t nbuckets; /* a power of two, or 0 */
	size_t count; /* in the table */
};

/* Takes over the reference to the waiter. */
void ma__entries_init(struct ma__entries *entries, struct ma__waiter *waiter);
void ma__entries_fini(struct ma__entries *entries);

/* The future's entry, NULL if there is none. */
struct ma__entry *ma__entries_find(const struct ma__entries *entries,
	const struct future *fut);

/*
 * A new one for a future that has none, POLLING, in no list, its cell armed;
 * NULL if there is no memory.
 */
struct ma__entry *ma__entries_add(struct ma__entries *entries,
	struct future *fut, void *data);

/* Takes one that is in no list any more out of the table. */
void ma__entries_drop(struct ma__entries *entries, struct ma__entry *entry);

/* The cell of one that is complete or dropped was popped; it is SPARE now. */
void ma__entries_popped(struct ma__entries *entries, struct ma__entry *entry);

static inline void
ma__list_init(struct ma__link *list)
{
	list->next = list;
	list->prev = list;
}

static inline bool
ma__list_empty(const struct ma__link *list)
{
	return list->next == list;
}

static inline struct ma__entry *
ma__list_first(const struct ma__link *list)
{
	return (struct ma__entry *)list->next;
}

/* Adds behind `at`: to the beginning of a list, or behind any other place. */
static inline void
ma__list_insert(struct ma__link *at, struct ma__entry *entry)
{
	entry->link.prev = at;
	entry->link.next = at->next;
	at->next->prev = &entry->link;
	at->next = &entry->link;
}

static inline void
ma__list_append(struct ma__link *list, struct ma__entry *entry)
{
	ma__list_insert(list->prev, entry);
}

static inline void
ma__list_remove(struct ma__entry *entry)
{
	entry->link.prev->next = entry->link.next;
	entry->link.next->prev = entry->link.prev;
}

/* Moves all that is in one list into another, which is empty. */
static inline void
ma__list_move(struct ma__link *from, struct ma__link *to)
{
	*to = *from;
	to->next->prev = to;
	to->prev->next = to;
	ma__list_init(from);
}

static inline struct ma__entry *
ma__entry_of(struct ma__cell *cell)
{
	return (struct ma__entry *)(void *)((char *)cell -
		offsetof(struct ma__entry, cell));
}

#endif /* MA_ENTRIES_H */
