/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cells.h -- lists of cells, linked through their `next`
 *
 * For the waiting thread alone; the stack of woken cells is in waiters.c.
 */

#ifndef MA_CELLS_H
#define MA_CELLS_H

#include "waiters.h"

/* A list to append to. */
struct ma__cell_list {
	struct ma__cell *first;
	struct ma__cell **end;
};

static inline void
ma__cell_list_init(struct ma__cell_list *list)
{
	list->first = NULL;
	list->end = &list->first;
}

static inline void
ma__cell_list_append(struct ma__cell_list *list, struct ma__cell *cell)
{
	cell->next = NULL;
	*list->end = cell;
	list->end = &cell->next;
}

/* Does `a` come before `b`? */
typedef bool (*ma__cell_before_fn)(const struct ma__cell *a,
	const struct ma__cell *b, const void *arg);

/* The work of the two functions below, where there is any. */
struct ma__cell *ma__cells_merge_some(struct ma__cell *a, struct ma__cell *b,
	ma__cell_before_fn before, const void *arg);
struct ma__cell *ma__cells_sort_some(struct ma__cell *cells,
	ma__cell_before_fn before, const void *arg);

/* Merges two sorted lists. */
static inline struct ma__cell *
ma__cells_merge(struct ma__cell *a, struct ma__cell *b,
	ma__cell_before_fn before, const void *arg)
{
	if (a == NULL || b == NULL)
		return a != NULL ? a : b;
	return ma__cells_merge_some(a, b, before, arg);
}

/* Sorts a list. */
static inline struct ma__cell *
ma__cells_sort(struct ma__cell *cells, ma__cell_before_fn before,
	const void *arg)
{
	if (cells == NULL || cells->next == NULL)
		return cells;
	return ma__cells_sort_some(cells, before, arg);
}

/* Adds to and takes out of a doubly linked list, which has no order. */
void ma__cells_link(struct ma__cell **first, struct ma__cell *cell);
void ma__cells_unlink(struct ma__cell **first, struct ma__cell *cell);

#endif /* MA_CELLS_H */
