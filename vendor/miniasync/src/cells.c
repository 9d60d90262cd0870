/* SPDX-License-Identifier: BSD-3-Clause */
/* cells.c -- lists of cells */

#include "cells.h"

struct ma__cell *
ma__cells_merge_some(struct ma__cell *a, struct ma__cell *b,
	ma__cell_before_fn before, const void *arg)
{
	struct ma__cell *first = NULL;
	struct ma__cell **end = &first;

	while (a != NULL && b != NULL) {
		struct ma__cell **smaller = before(b, a, arg) ? &b : &a;

		*end = *smaller;
		end = &(*smaller)->next;
		*smaller = *end;
	}
	*end = a != NULL ? a : b;
	return first;
}

struct ma__cell *
ma__cells_sort_some(struct ma__cell *cells, ma__cell_before_fn before,
	const void *arg)
{
	/* Bin i holds a sorted list of 2^i cells, or none. */
	struct ma__cell *bins[sizeof(size_t) * 8] = {NULL};
	struct ma__cell *sorted = NULL;
	size_t used = 0;
	size_t i;

	while (cells != NULL) {
		struct ma__cell *run = cells;

		cells = cells->next;
		run->next = NULL;
		for (i = 0; bins[i] != NULL; i++) {
			run = ma__cells_merge(bins[i], run, before, arg);
			bins[i] = NULL;
		}
		bins[i] = run;
		if (i >= used)
			used = i + 1;
	}
	for (i = 0; i < used; i++)
		sorted = ma__cells_merge(bins[i], sorted, before, arg);
	return sorted;
}

void
ma__cells_link(struct ma__cell **first, struct ma__cell *cell)
{
	cell->prev = NULL;
	cell->next = *first;
	if (*first != NULL)
		(*first)->prev = cell;
	*first = cell;
}

void
ma__cells_unlink(struct ma__cell **first, struct ma__cell *cell)
{
	if (cell->prev != NULL)
		cell->prev->next = cell->next;
	else
		*first = cell->next;
	if (cell->next != NULL)
		cell->next->prev = cell->prev;
}
