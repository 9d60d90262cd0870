/* SPDX-License-Identifier: BSD-3-Clause */
/* test_cells.c -- lists of cells: appending, sorting, merging, unlinking */

#include "t.h"

#include "cells.h"

#define MOST 1100

static struct ma__cell cells[MOST];
static long asked; /* how often two cells were compared */

/* `index` is what they are sorted by, their place in `cells` the tie-breaker. */
static bool
before(const struct ma__cell *a, const struct ma__cell *b, const void *arg)
{
	CHECK(arg == &asked);
	asked++;
	return a->index < b->index;
}

static struct ma__cell *
list_of(size_t from, size_t n)
{
	struct ma__cell_list list;

	ma__cell_list_init(&list);
	for (size_t i = from; i < from + n; i++)
		ma__cell_list_append(&list, &cells[i]);
	return list.first;
}

static void
check_sorted(const struct ma__cell *list, size_t n)
{
	size_t sum = 0;
	size_t count = 0;

	for (const struct ma__cell *at = list; at != NULL; at = at->next) {
		CHECK(at->next == NULL || at->index <= at->next->index);
		sum += (size_t)(at - cells);
		count++;
		CHECK(count <= n);
	}
	CHECK_INT(count, n);
	CHECK_INT(sum, n == 0 ? 0 : n * (n - 1) / 2);
}

static void
sorting(void)
{
	static const size_t counts[] = {
		0, 1, 2, 3, 4, 5, 7, 8, 9, 64, 100, 1000, 1024, 1025, MOST};
	uint64_t state = 42;

	for (size_t i = 0; i < T_COUNT(counts); i++) {
		const size_t n = counts[i];

		/* in order, backwards, at random, many equal, all equal */
		for (int order = 0; order < 5; order++) {
			for (size_t j = 0; j < n; j++) {
				const size_t random =
					(size_t)(t_random(&state) >> 8);
				const size_t indices[] = {
					j, n - j, random, random % 3, 7};

				cells[j].index = indices[order];
			}
			asked = 0;
			check_sorted(ma__cells_sort(list_of(0, n), before,
					     &asked),
				n);
			/* n log n: at most 11 levels for 2^10 and some */
			CHECK(asked <= (long)(n * 11));
		}
	}
}

/* Nothing is asked of a list that is too short to be out of order. */
static void
sorting_nothing(void)
{
	asked = 0;
	CHECK(ma__cells_sort(NULL, before, &asked) == NULL);
	CHECK(ma__cells_sort(list_of(0, 1), before, &asked) == cells);
	CHECK_INT(asked, 0);
}

/* Sorting is stable where cells arrive in the order of the array. */
static void
sorting_keeps_order_of_equals(void)
{
	const struct ma__cell *at;

	for (size_t i = 0; i < 200; i++)
		cells[i].index = i % 2;
	at = ma__cells_sort(list_of(0, 200), before, &asked);
	for (; at->next != NULL; at = at->next)
		CHECK(at->index < at->next->index || at < at->next);
}

static void
merging(void)
{
	for (size_t na = 0; na < 6; na++) {
		for (size_t nb = 0; nb < 6; nb++) {
			/* which of the sorted n go into the first list */
			for (unsigned in_a = 0; in_a < 1U << (na + nb);
				in_a++) {
				size_t a = 0;
				size_t b = na;

				for (size_t i = 0; i < na + nb; i++) {
					if ((in_a >> i & 1) != 0 && a < na)
						cells[a++].index = i;
					else if (b < na + nb)
						cells[b++].index = i;
					else
						cells[a++].index = i;
				}
				check_sorted(ma__cells_merge(list_of(0, na),
						     list_of(na, nb), before,
						     &asked),
					na + nb);
			}
		}
	}
	/* Of equal ones, that of the first list comes first. */
	cells[0].index = cells[1].index = 3;
	CHECK(ma__cells_merge(&cells[1], list_of(0, 1), before, &asked) ==
		&cells[1]);
}

static void
check_links(const struct ma__cell *first, size_t n)
{
	const struct ma__cell *prev = NULL;
	size_t count = 0;

	for (; first != NULL; prev = first, first = first->next) {
		CHECK(first->prev == prev);
		count++;
		CHECK(count <= n);
	}
	CHECK_INT(count, n);
}

/* In the order of every permutation of four cells. */
static void
linking(void)
{
	for (int order = 0; order < 4 * 3 * 2; order++) {
		struct ma__cell *left[4];
		struct ma__cell *first = NULL;
		int rest = order;

		for (size_t i = 0; i < 4; i++) {
			left[i] = &cells[i];
			ma__cells_link(&first, &cells[i]);
			check_links(first, i + 1);
		}
		for (size_t n = 4; n > 0; n--) {
			const size_t at = (size_t)rest % n;

			rest /= (int)n;
			ma__cells_unlink(&first, left[at]);
			for (const struct ma__cell *c = first; c != NULL;
				c = c->next)
				CHECK(c != left[at]);
			left[at] = left[n - 1];
			check_links(first, n - 1);
		}
		CHECK(first == NULL);
	}
}

T_MAIN(T_CASE(sorting), T_CASE(sorting_nothing),
	T_CASE(sorting_keeps_order_of_equals), T_CASE(merging), T_CASE(linking))
