/* SPDX-License-Identifier: BSD-3-Clause */
/* stock.c -- memory for things of one size, which are used again and again */

#include "stock.h"

#include <stdlib.h>

int
ma__stock_init(struct ma__stock *stock, size_t size, size_t limit)
{
	stock->spare = NULL;
	stock->made = NULL;
	stock->size = size;
	stock->used = 0;
	stock->limit = limit;
	return pthread_mutex_init(&stock->lock, NULL);
}

void
ma__stock_fini(struct ma__stock *stock)
{
	while (stock->made != NULL) {
		struct ma__stocked *before = stock->made->made;

		free(stock->made);
		stock->made = before;
	}
	pthread_mutex_destroy(&stock->lock);
}

/* With the lock held. */
static struct ma__stocked *
get(struct ma__stock *stock)
{
	struct ma__stocked *stocked = stock->spare;

	if (stock->used >= stock->limit)
		return NULL;
	if (stocked != NULL) {
		stock->spare = stocked->spare;
	} else {
		stocked = calloc(1, stock->size);
		if (stocked == NULL)
			return NULL;
		stocked->made = stock->made;
		stock->made = stocked;
	}
	stock->used++;
	return stocked;
}

void *
ma__stock_get(struct ma__stock *stock)
{
	struct ma__stocked *stocked;

	pthread_mutex_lock(&stock->lock);
	stocked = get(stock);
	pthread_mutex_unlock(&stock->lock);
	return stocked;
}

void
ma__stock_put(struct ma__stock *stock, void *stocked)
{
	struct ma__stocked *const back = stocked;

	pthread_mutex_lock(&stock->lock);
	back->spare = stock->spare;
	stock->spare = back;
	stock->used--;
	pthread_mutex_unlock(&stock->lock);
}
