/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stock.h -- memory for things of one size, which are used again and again
 *
 * Each begins with a struct ma__stocked. The memory goes back to the system
 * with the stock. The functions may be called from any thread.
 */

#ifndef MA_DML_STOCK_H
#define MA_DML_STOCK_H

#include <pthread.h>
#include <stddef.h>

struct ma__stocked {
	struct ma__stocked *spare; /* the next one that nobody uses */
	struct ma__stocked *made; /* the one made before */
};

struct ma__stock {
	pthread_mutex_t lock; /* for all below */
	struct ma__stocked *spare;
	struct ma__stocked *made;
	size_t size; /* of each */
	size_t used;
	size_t limit; /* of them */
};

/* 0 or an error number. */
int ma__stock_init(struct ma__stock *stock, size_t size, size_t limit);
void ma__stock_fini(struct ma__stock *stock);

/*
 * One of them, all zeros when it is new, as it was left when it is not. NULL at
 * the limit, or if there is no memory.
 */
void *ma__stock_get(struct ma__stock *stock);
void ma__stock_put(struct ma__stock *stock, void *stocked);

#endif /* MA_DML_STOCK_H */
